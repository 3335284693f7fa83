"""Words that the course does not use, each with the one that it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTEAD = {
    r"mend(?:s|ed|ing)?": "fix",
    r"dear(?:er|est)?": "expensive",
    r"(?<!virtual )(?<!wall )(?<!wall-)clocks?": "timeout (or virtual clock, wall clock)",
    r"works? it off": "handles it",
    r"st(?:ands?|ood) in a row": "waits in a queue",
    r"lets? go of|letting go of": "closes, or releases",
}
_WORDS = [(re.compile(rf"\b(?:{word})\b", re.IGNORECASE), say) for word, say in _INSTEAD.items()]


def language_problems(text: str) -> Iterator[str]:
    """Yield each use of such a word, with the line it stands in and what to say instead."""
    for number, line in enumerate(text.splitlines(), 1):
        for word, say in _WORDS:
            for found in word.finditer(line):
                yield f"line {number}: {found[0]!r} is a word of our own; say: {say}"

"""The order in which the options of a quiz are shown: shuffled, and the same for everybody.

The quiz in a notebook and the one on a page of the site agree by asking here. Imports nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def shuffled(question: str, options: Iterable[str]) -> list[str]:
    """Return the options, sorted by a hash of the question and the option.

    Neither the machine nor the order in which the options are written makes a difference, and an
    option that is reworded moves alone.
    """
    return sorted(options, key=lambda option: _digest(f"{question}\n{option}"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()

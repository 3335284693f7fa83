"""The words of all pages, for the search."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from unblocked.authoring.notebooks import QUIZ_ON_A_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.site._pages import SitePage

INDEX = "index-of-words.js"
_HEADING = re.compile(r'<h[1-6] id="([^"]+)">(.*?)<a class="anchor-link".*?</h[1-6]>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_COLOUR = re.compile(r"</?span[^>]*>")
_PROMPT = re.compile(r'<div class="prompt[^>]*>.*?</div>', re.DOTALL)


def write_index(pages: list[SitePage], out: Path) -> None:
    """Write the index as a script: a page that is opened from a disk may not fetch JSON."""
    sections = [section for page in pages for section in _sections(page)]
    text = json.dumps(sections, ensure_ascii=False, separators=(",", ":"))
    (out / INDEX).write_text(f"window.sections = {text};\n", "utf-8")


def _sections(page: SitePage) -> Iterator[dict[str, Any]]:
    starts = list(_HEADING.finditer(page.body))
    ends = [found.start() for found in starts[1:]] + [len(page.body)]
    for found, end in zip(starts, ends, strict=True):
        text = _plain(QUIZ_ON_A_PAGE.sub("", page.body[found.end() : end]))
        url = f"{page.url}#{html.unescape(found[1])}"
        yield {"page": page.title, "heading": _plain(found[2]), "url": url, "text": text}


def _plain(marked: str) -> str:
    marked = _COLOUR.sub("", _PROMPT.sub(" ", marked))
    return " ".join(html.unescape(_TAG.sub(" ", marked)).split())

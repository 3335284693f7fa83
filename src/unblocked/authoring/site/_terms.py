"""Terms of the glossary, linked at their first use on a page, with their meaning on hover."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unblocked.authoring.notebooks import Term

_NEVER_IN = frozenset({"a", "code", "pre", "script", "style", "summary", "h1", "h2", "h3", "h4"})
_NEVER_BELOW = frozenset({"output_wrapper", "output_area", "input_area", "mermaid", "quiz"})
"""Classes of what was run, drawn or asked: there a word is data, not prose."""
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "source", "wbr", "col"})
_MARKDOWN = re.compile(r"[`*]|\[([^\]]*)\]\([^)]*\)")


def with_terms(body: str, terms: Sequence[Term], glossary: str) -> str:
    """Return the page's body with the first use of each term linked to the page at `glossary`."""
    marker = _Marker(terms, glossary)
    marker.feed(body)
    marker.close()
    return "".join(marker.out)


class _Marker(HTMLParser):
    """Copies a page, and looks for terms in its prose alone."""

    def __init__(self, terms: Iterable[Term], glossary: str) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._glossary = glossary
        self._terms = {form.lower(): term for term in terms for form in (term.name, *term.also)}
        forms = sorted(self._terms, key=len, reverse=True)  # "connection pool" before "pool"
        words = "|".join(map(re.escape, forms)) or r"(?!)"
        self._found = re.compile(rf"(?<![\w.-])(?:{words})(?:e?s)?(?![\w-])", re.IGNORECASE)
        self._linked: set[Term] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._copy_tag()
        if tag not in _VOID:
            classes = (dict(attrs).get("class") or "").split()
            shut = tag in _NEVER_IN or not _NEVER_BELOW.isdisjoint(classes)
            self._open.append((tag, shut or self._is_shut()))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._copy_tag()

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")
        if tag in (name for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.out.append(data if self._is_shut() else self._found.sub(self._link, data))

    def handle_entityref(self, name: str) -> None:
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.out.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def _copy_tag(self) -> None:
        self.out.append(self.get_starttag_text() or "")

    def _is_shut(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _link(self, found: re.Match[str]) -> str:
        term = self._term_of(found[0].lower())
        if term is None or term in self._linked:
            return found[0]
        self._linked.add(term)
        meaning = html.escape(_MARKDOWN.sub(lambda part: part[1] or "", term.meaning))
        address = html.escape(f"{self._glossary}#{term.anchor}")
        return f'<a class="term" href="{address}" title="{meaning}">{found[0]}</a>'

    def _term_of(self, word: str) -> Term | None:
        """Return the term that a word stands for; the word may be a plural."""
        forms = (word, word.removesuffix("s"), word.removesuffix("es"))
        return next((self._terms[form] for form in forms if form in self._terms), None)

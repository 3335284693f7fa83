"""What the glossary must hold: terms in order, each once, each with a lesson that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring.gates._language import language_problems
from unblocked.authoring.gates._text import words
from unblocked.authoring.notebooks import GLOSSARY, read_terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.authoring.notebooks import Term
    from unblocked.course import Course

FEWEST_TERMS = 40
MOST_WORDS = 60
"""One or two sentences."""


def glossary_problems(course: Course) -> list[str]:
    """Return what is wrong with course/glossary.md; nothing in a course that has none."""
    path = course.folder / f"{GLOSSARY}.md"
    if not path.is_file():
        return []
    terms = read_terms(course)
    text = path.read_text(encoding="utf-8")
    return [*_order(terms), *_lessons(course, terms), *_length(terms), *language_problems(text)]


def _order(terms: tuple[Term, ...]) -> Iterator[str]:
    names = [term.name for term in terms]
    ordered = sorted(names, key=str.lower)
    for name, wanted in zip(names, ordered, strict=True):
        if name != wanted:
            yield f"{wanted!r} should stand where {name!r} stands: terms are sorted"
            break
    forms = [form.lower() for term in terms for form in (term.name, *term.also)]
    for form in sorted({form for form in forms if forms.count(form) > 1}):
        yield f"{form!r} is explained twice"


def _lessons(course: Course, terms: tuple[Term, ...]) -> Iterator[str]:
    known = {lesson.number for lesson in course.lessons}
    for term in terms:
        if term.lesson not in known:
            yield f"{term.name!r}: there is no lesson {term.lesson}"


def _length(terms: tuple[Term, ...]) -> Iterator[str]:
    if len(terms) < FEWEST_TERMS:
        yield f"{len(terms)} terms; at least {FEWEST_TERMS} are wanted"
    for term in terms:
        if not 0 < len(words(term.meaning)) <= MOST_WORDS:
            yield f"{term.name!r}: one or two sentences are wanted, at most {MOST_WORDS} words"

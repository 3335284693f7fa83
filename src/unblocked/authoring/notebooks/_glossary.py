"""The glossary: each term in one or two sentences, with the lesson that shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import _cells, _pages
from unblocked.course import CourseError, split_front_matter

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Notebook
    from unblocked.course import Course

GLOSSARY = "glossary"
"""The name of the notebook, and of its source in course/."""
_ENTRY = re.compile(r"^## (.+)$", re.MULTILINE)
_FIELD = re.compile(r"^(Lesson|Also): *(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Term:
    """One entry: the term, other forms of it, what it means, and the lesson's number."""

    name: str
    meaning: str
    lesson: str
    also: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """The part of an address after `#`, as JupyterLab and the site make it of a heading."""
        return self.name.replace(" ", "-")


def read_terms(course: Course) -> tuple[Term, ...]:
    """Return all terms, in the order in which course/glossary.md has them; none without that file.

    Raises:
        CourseError: an entry names no lesson.
    """
    path = course.folder / f"{GLOSSARY}.md"
    if not path.is_file():
        return ()
    _, names_and_texts = _entries(path.read_text(encoding="utf-8"))
    return tuple(_read_term(name, text) for name, text in names_and_texts)


def _entries(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what stands before the first entry, and each entry's name and text."""
    _, body = split_front_matter(text)
    intro, *rest = _ENTRY.split(body)
    return intro.strip(), list(zip(rest[::2], rest[1::2], strict=True))


def _read_term(name: str, text: str) -> Term:
    fields = dict(_FIELD.findall(text))
    if "Lesson" not in fields:
        raise CourseError(f"glossary.md: {name.strip()!r} needs a line such as `Lesson: 05`.")
    meaning = " ".join(_FIELD.sub("", text).split())
    also = tuple(form.strip() for form in fields.get("Also", "").split(",") if form.strip())
    return Term(name.strip(), meaning, fields["Lesson"].strip(), also)


def glossary_notebook(course: Course) -> Notebook:
    """Return all terms as one notebook to read, each with a link to its lesson."""
    path = course.folder / f"{GLOSSARY}.md"
    intro, _ = _entries(path.read_text(encoding="utf-8"))
    link = f"[The map]({course.lessons[0].name}.ipynb)"
    top = "\n\n".join([link, "# Glossary", _pages.without_title(intro)])
    cells = [_cells.markdown(top, "glossary-header")]
    for term in read_terms(course):
        text = f"## {term.name}\n\n{term.meaning} {_lesson_link(course, term)}"
        cells.append(_cells.markdown(text, f"glossary-{_cells.slugify(term.name)}"))
    return _cells.notebook(cells, f"course/{GLOSSARY}.md")


def _lesson_link(course: Course, term: Term) -> str:
    for lesson in course.lessons:
        if lesson.number == term.lesson:
            return f"→ [{_pages.name_of(lesson)}]({lesson.name}.ipynb)"
    return ""

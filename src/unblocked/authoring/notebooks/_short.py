"""A lesson without some of its sections, for a path that has less time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import _cells, _pages
from unblocked.authoring.notebooks._tried import tried
from unblocked.course import CourseError, Lesson, split_front_matter

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Notebook
    from unblocked.course import Course, Step

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*")
_FENCE = re.compile(r"\s*(```|~~~)")


def short_notebook(course: Course, step: Step) -> Notebook:
    """Return the lesson of this step without the sections that it leaves out.

    Raises:
        CourseError: the step is an exercise.
    """
    lesson = step.page
    if not isinstance(lesson, Lesson):
        raise CourseError(f"paths.toml: {step.notebook} is an exercise; nothing of it is left out.")
    _, text = split_front_matter(lesson.path.read_text(encoding="utf-8"))
    body = without_sections(_pages.without_title(text), step.leave_out)
    cells = _cells.read_myst(body)
    _cells.name_cells(cells, f"l{lesson.number}-short")
    whole = f"[the whole lesson]({lesson.name}.ipynb)"
    title = f"{_pages.name_of(lesson)}, in short"
    facts = [f"**{step.minutes} minutes**", f"there is more in {whole}"]
    _cells.put_before(cells, _pages.header(whole, title, facts, ()), f"{lesson.number}-header")
    footer = _pages.lesson_footer(course, lesson, tried(course.root))
    _cells.put_after(cells, footer, f"l{lesson.number}-short-footer")
    return _cells.notebook(cells, f"course/paths.toml#{step.notebook}")


def without_sections(text: str, headings: tuple[str, ...]) -> str:
    """Return the text without these headings and what stands below each, up to the next heading of
    the same level.
    """
    kept, level, fenced = [], 0, False
    for line in text.splitlines(keepends=True):
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.fullmatch(line.rstrip("\n"))
        if heading is not None and (not level or len(heading[1]) <= level):
            level = len(heading[1]) if heading[2] in headings else 0
        if not level:
            kept.append(line)
    return "".join(kept)


def sections_missing(step: Step) -> list[str]:
    """Return the sections that this step leaves out although its lesson does not have them."""
    if not isinstance(step.page, Lesson):
        return list(step.leave_out)
    text = _cells.without_fences(step.page.path.read_text(encoding="utf-8"))
    there = {found[2] for line in text.splitlines() if (found := _HEADING.fullmatch(line))}
    return [heading for heading in step.leave_out if heading not in there]

"""Each task inside a lesson: untouched it is not tried, wrong answers are told so, right ones pass.

That is seen where a page runs for the second time, with all of its answers in it; see `visits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Visits
    from course_running import Visit

    from unblocked.course import Deeper, Lesson


def test_tasks_of_a_lesson(visits: Visits, lesson: Lesson) -> None:
    assert_judged(visits(lesson), lesson)


def test_tasks_of_a_deeper_page(visits: Visits, deeper: Deeper) -> None:
    if not deeper.tasks:
        pytest.skip("it has none")
    assert_judged(visits(deeper), deeper)


def assert_judged(visit: Visit, page: Lesson | Deeper) -> None:
    """Compare what each judge said of each answer with what it ought to say."""
    assert visit.said == {key: key[1] for key in visit.said}
    assert {tag for _, _, tag in visit.said} == {task.tag for task in page.tasks}

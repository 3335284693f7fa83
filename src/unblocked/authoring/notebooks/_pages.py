"""What the build writes around a text: title line, minutes, objectives, links back and forth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unblocked.course import Course, Lesson, Room

_TITLE = re.compile(r"\A\s*#\s+.+\n*")


def name_of(lesson: Lesson) -> str:
    """Return a lesson's number and title, as links show them."""
    return f"{lesson.number} · {lesson.title}"


def without_title(text: str) -> str:
    """Return the text without its own title; the build writes the one from the front matter."""
    return _TITLE.sub("", text, count=1)


def lesson_header(course: Course, lesson: Lesson, also: Iterable[str] = ()) -> str:
    """Return the top of a lesson; `also` are further facts for its line."""
    facts = [f"**{lesson.minutes} minutes**", *_needs(course, lesson), *_leads_to(course, lesson)]
    facts += also
    return header(_lesson_links(course, lesson), name_of(lesson), facts, lesson.objectives)


def header(links: str, title: str, facts: Iterable[str], objectives: Iterable[str]) -> str:
    """Return the top of a page: links, title, facts in one line, and the objectives."""
    parts = [links, f"# {title}", " · ".join(facts)]
    if goals := "\n".join(f"- {goal}" for goal in objectives):
        parts.append(f"After this lesson you can\n\n{goals}")
    return "\n\n".join(parts)


def _needs(course: Course, lesson: Lesson) -> list[str]:
    before, _ = course.neighbours(lesson)
    if lesson.needs:
        return [f"needs {lesson.needs}"]
    return [f"needs lesson {before.number}"] if before else ["needs `def` and `await`, no more"]


def _leads_to(course: Course, lesson: Lesson) -> list[str]:
    links = [_exercise_link(room) for room in course.rooms_of(lesson)]
    return [f"leads to {' and '.join(links)}"] if links else []


def lesson_footer(course: Course, lesson: Lesson, tried: str) -> str:
    """Return the end of a lesson: versions, the exercises it leads to, and links."""
    tasks = [
        f"**Now do it:** {_exercise_link(room)}, {room.points} points, {room.minutes} minutes"
        for room in course.rooms_of(lesson)
    ]
    return "\n\n".join(["---", tried, *tasks, _lesson_links(course, lesson)])


def _exercise_link(room: Room) -> str:
    return f"[{room.title}](../exercises/{room.slug}.ipynb)"


def _lesson_links(course: Course, lesson: Lesson) -> str:
    before, after = course.neighbours(lesson)
    links = [f"[← {name_of(before)}]({before.name}.ipynb)"] if before else []
    if lesson != course.lessons[0]:
        links.append(f"[The map]({course.lessons[0].name}.ipynb)")
    links += [f"[{name_of(after)} →]({after.name}.ipynb)"] if after else []
    return " | ".join(links) or "The only lesson so far."


def exercise_header(course: Course, room: Room) -> str:
    """Return the top of an exercise."""
    facts = f"**{room.points} points** · {room.minutes} minutes"
    return "\n\n".join([_exercise_links(course, room), f"# Exercise: {room.title}", facts])


def exercise_footer(course: Course, room: Room) -> str:
    """Return the end of an exercise."""
    return f"---\n\n{_exercise_links(course, room)}"


def _exercise_links(course: Course, room: Room) -> str:
    lesson = course.lesson_of(room)
    if lesson is None:
        return "An exercise of its own."
    links = [f"[← {name_of(lesson)}](../notebooks/{lesson.name}.ipynb)"]
    if lesson != course.lessons[0]:
        links.append(f"[The map](../notebooks/{course.lessons[0].name}.ipynb)")
    _, after = course.neighbours(lesson)
    links += [f"[{name_of(after)} →](../notebooks/{after.name}.ipynb)"] if after else []
    return " | ".join(links)

"""What a learner does next, from the map of the course and the best marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.course import Lesson, Room
    from unblocked.marks import Marks


def next_step(lessons: Sequence[Lesson], rooms: Sequence[Room], best: Marks) -> str:
    """Return one sentence: the first lesson or exercise that is not done.

    An exercise is done with full marks. A lesson that leads to exercises is done when one of them
    was tried; one that leads to none, when an exercise of a later lesson was.
    """
    for place, lesson in enumerate(lessons):
        own = rooms_of(lesson, rooms)
        later = [room for other in lessons[place:] for room in rooms_of(other, rooms)]
        if own and all(_is_full(room, best) for room in own):
            continue
        if any(room.slug in best for room in own):
            return _exercise(next(room for room in own if not _is_full(room, best)), best)
        if own or not any(room.slug in best for room in later):
            return f"Next: lesson {lesson.name[:2]}, {lesson.title} ({lesson.minutes} min)."

    left = [room for room in rooms if not _is_full(room, best)]
    if left:
        return _exercise(left[0], best)
    return "You have full marks in every exercise."


def rooms_of(lesson: Lesson, rooms: Sequence[Room]) -> list[Room]:
    """Return the exercises that name this lesson, in full or by its number."""
    name = lesson.name
    return [room for room in rooms if room.lesson in (name, name[:2], name[3:])]


def _is_full(room: Room, best: Marks) -> bool:
    return float(best.get(room.slug, {}).get("points") or 0) >= room.points


def _exercise(room: Room, best: Marks) -> str:
    points = best.get(room.slug, {}).get("points")
    so_far = f", {points:g} of {room.points} points so far" if points is not None else ""
    return f"Next: exercise {room.slug}, {room.title} ({room.minutes} min{so_far})."

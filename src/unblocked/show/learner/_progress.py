"""The map of the course: lessons and exercises with minutes and the learner's own marks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from unblocked import course, marks
from unblocked._next import next_step, rooms_of
from unblocked.show._frontend import Slot, has_front_end
from unblocked.show.learner import _work

if TYPE_CHECKING:
    from unblocked.marks import Marks


def progress() -> None:
    """Show what to do next, and all lessons and exercises with minutes and your best marks.

    On Binder and in a Codespace it also offers marks and answers as a download, as these vanish.
    """
    lessons, rooms, best = course.lessons(), course.rooms(), marks.best()
    Slot().put(
        {
            "text/plain": _as_text(lessons, rooms, best),
            "text/html": _as_html(lessons, rooms, best),
        }
    )
    _offer_download()


def _offer_download() -> None:
    machine = _work.vanishing_machine()
    if machine is None:
        return
    button = has_front_end()
    text, html = (_warning(machine, html=html, button=button) for html in (False, True))
    Slot().put({"text/plain": text, "text/html": f"<p>{html}"})
    if button:
        from unblocked.show.learner._download import Download

        download = Download("Download marks and answers", _work.FILE_NAME, _work.pack)
        Slot().put_widget(download, f"In a terminal: unblocked save {_work.FILE_NAME}")


_ENDS = {
    "Binder": "This machine is Binder's: it vanishes after some minutes without use",
    "Codespace": "This is a Codespace: it is deleted after some weeks without use",
}


def _warning(machine: str, *, html: bool, button: bool) -> str:
    commands = [f"unblocked save {_work.FILE_NAME}", f"unblocked restore {_work.FILE_NAME}"]
    save, back = (f"<code>{one}</code>" if html else f"`{one}`" for one in commands)
    return (
        f"{_ENDS[machine]}, with your marks and answers. Take them with you: "
        f"{'press the button, or ' if button else ''}run {save} in a terminal. "
        "To bring them back, here or on any machine with the course, "
        f"upload the file into the course's folder and run {back} in a terminal there."
    )


def _mark(room: course.Room, marks: Marks) -> str:
    best = marks.get(room.slug, {}).get("points")
    return "not tried yet" if best is None else f"{best:g} of {room.points}"


def _share(room: course.Room, marks: Marks) -> float:
    return float(marks.get(room.slug, {}).get("points") or 0) / max(room.points, 1)


def _as_text(
    lessons: tuple[course.Lesson, ...], rooms: tuple[course.Room, ...], marks: Marks
) -> str:
    lines = ["Lessons"]
    lines += [f"  {item.name[:2]}  {item.title}  ({item.minutes} min)" for item in lessons]
    lines += ["Exercises"]
    lines += [
        f"  {room.slug}  {room.title}  ({room.minutes} min, {room.points} points): "
        f"{_mark(room, marks)}"
        for room in rooms
    ]
    return "\n".join([*lines, next_step(lessons, rooms, marks), _total(rooms, marks)])


def _total(rooms: tuple[course.Room, ...], marks: Marks) -> str:
    got = sum(float(marks.get(room.slug, {}).get("points") or 0) for room in rooms)
    return f"Your points: {got:g} of {sum(room.points for room in rooms)}"


def _as_html(
    lessons: tuple[course.Lesson, ...], rooms: tuple[course.Room, ...], marks: Marks
) -> str:
    body = "".join(
        _lesson_row(lesson) + "".join(_room_row(room, marks) for room in rooms_of(lesson, rooms))
        for lesson in lessons
    )
    homes = [room for lesson in lessons for room in rooms_of(lesson, rooms)]
    body += "".join(_room_row(room, marks) for room in rooms if room not in homes)
    head = "<tr>" + "".join(
        f'<th scope="col" style="text-align:left">{name}</th>'
        for name in ("Lesson or exercise", "Minutes", "Your best mark")
    )
    return (
        f"<p><b>{escape(next_step(lessons, rooms, marks))}</b></p>"
        f'<table style="min-width:40em"><caption style="text-align:left;caption-side:bottom">'
        f"{_total(rooms, marks)}</caption><thead>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _lesson_row(lesson: course.Lesson) -> str:
    link = f'<a href="../notebooks/{lesson.name}.ipynb">{escape(lesson.title)}</a>'
    number = lesson.name[:2]
    return _row(f"<b>{number} &nbsp;{link}</b>", str(lesson.minutes), "")


def _room_row(room: course.Room, marks: Marks) -> str:
    link = f'<a href="../exercises/{room.slug}.ipynb">{escape(room.title)}</a>'
    share = _share(room, marks)
    bar = f'<progress value="{share:.3f}" max="1" aria-hidden="true"></progress> '
    return _row(f"&emsp;✎ {link}", str(room.minutes), bar + _mark(room, marks))


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"

"""`check` in a notebook: the grader as a process of its own, its verdicts shown as they come."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked._interrupt import interruptible
from unblocked.show._frontend import Slot, in_kernel
from unblocked.show.learner._checkview import CheckView, check_view, notice

if TYPE_CHECKING:
    from collections.abc import Callable


class Result(dict[str, Any]):
    """What `unblocked check --json` prints, with its keys as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return f"{self['points']} of {self['max_points']} points ({self['outcome']})"


@interruptible
async def check(slug: str) -> Result:
    """Mark the last executed cell that begins `# exercise: SLUG`; `result.points` are its points.

    The answer runs in a process of its own, so nothing it does can harm the notebook, and the
    notebook stays usable meanwhile. Interrupting the cell stops the grader.
    """
    try:
        room = course.room(slug)
    except course.CourseError as error:
        return _without_mark(slug, 0, str(error))
    source = _last_executed(slug)
    if source is None:
        return _without_mark(
            slug,
            room.points,
            f"Run the cell that begins '# exercise: {slug}' first, then this one.",
        )
    with tempfile.TemporaryDirectory(prefix="unblocked-check-") as folder:
        file = Path(folder, "answer.py")
        await asyncio.to_thread(file.write_text, source, encoding="utf-8")
        return await _marked(room, file)


def _last_executed(slug: str) -> str | None:
    """The code of the newest cell of this session that carries the exercise's marker line."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    cells: list[str] = shell.user_ns.get("In", []) if shell else []
    marker = re.compile(rf"\s*#\s*exercise:\s*{re.escape(slug)}\s*$", re.M)
    return next((cell for cell in reversed(cells) if marker.match(cell)), None)


def _without_mark(slug: str, max_points: int, reason: str) -> Result:
    print(reason)
    return Result(
        exercise=slug,
        points=0,
        max_points=max_points,
        outcome="no-answer",
        checks=[],
        isolation="none",
        seconds=0.0,
        course_version="",
    )


async def _marked(room: course.Room, file: Path) -> Result:
    # -P keeps files beside the notebook from hiding modules.
    command = [sys.executable, "-P", "-m", "unblocked", "check", room.slug, str(file), "--stream"]
    grader = subprocess.Popen(  # noqa: ASYNC220 - does not wait; the reading is in a thread
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",  # Its lines are ASCII; what it says on stderr may be in any encoding.
        start_new_session=True,
    )
    shown = _Shown(room)
    error = ""
    try:
        error = await asyncio.to_thread(_follow, grader, shown.line)
    finally:
        grader.kill()
        grader.communicate()
        shown.end()
    if shown.result is None:
        return _without_mark(room.slug, room.points, error or "The grader was stopped.")
    return shown.result


def _follow(grader: subprocess.Popen[str], on_line: Callable[[dict[str, Any]], None]) -> str:
    """Hand on each line of the grader; then what it said on stderr."""
    assert grader.stdout is not None
    assert grader.stderr is not None
    for line in grader.stdout:
        on_line(json.loads(line))
    return grader.stderr.read().strip()


class _Shown:
    """Turns the grader's lines into a view, and keeps the last one, the result."""

    def __init__(self, room: course.Room) -> None:
        self.room = room
        self.slot = Slot()
        self._say("Starting the grader …")  # Its first line takes a moment.
        self.view: CheckView | None = None
        self.result: Result | None = None

    def line(self, message: dict[str, Any]) -> None:
        if "criteria" in message:
            self.view = self._made(message["criteria"])
        elif "outcome" in message:
            self.result = Result(message)
            self._view(message).finish(message)
        else:
            self._view(message).update(message)

    def end(self) -> None:
        """The grader is gone; where it never got to its criteria, say so."""
        if self.view is None:
            self._say("The grader has stopped.")

    def _say(self, what: str) -> None:
        if in_kernel():
            self.slot.put(notice(self.room.title, what))

    def _view(self, message: dict[str, Any]) -> CheckView:
        if self.view is None:
            self.view = self._made([check["name"] for check in message.get("checks", [])])
        return self.view

    def _made(self, criteria: list[str]) -> CheckView:
        room = self.room
        return check_view(room.slug, room.title, criteria, hints(room), self.slot)


def hints(room: course.Room) -> list[str]:
    """The exercise's hints, from gentle to plain, as Markdown."""
    _, _, part = room.statement.read_text(encoding="utf-8").partition("## Hints")
    found = re.findall(r"<details>\s*<summary>.*?</summary>(.*?)</details>", part, re.S)
    return [hint.strip() for hint in found]

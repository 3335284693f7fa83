"""`check` in a notebook: the grader as a process of its own, its verdicts shown as they come."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked._interrupt import interruptible
from unblocked._marker import defines, marked
from unblocked._python import apart, python
from unblocked.show._frontend import Slot, in_kernel
from unblocked.show.learner._checkview import CheckView, check_view, notice

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_NEEDED = re.compile(r"^NEEDED\s*=\s*[\"'](\w+\*?)[\"']", re.MULTILINE)
_REFERENCE, _OTHER = "The reference solution", "In another style"
OTHERS = 2
"""Right answers in other styles that are shown after full marks."""


class Result(dict[str, Any]):
    """What `unblocked check --json` prints, with its keys as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return f"{self['points']} of {self['max_points']} points ({self['outcome']})"


class Check(Coroutine[Any, Any, Result]):
    """A marking that begins when it is awaited; used without `await` it says what to write."""

    def __init__(self, slug: str) -> None:
        self._slug = slug
        self._running: Coroutine[Any, Any, Result] | None = None

    def __await__(self) -> Generator[Any, Any, Result]:
        return _mark_last_run(self._slug).__await__()

    def send(self, value: Any) -> Any:
        """Go on with the marking, as the event loop does when this is made a task."""
        if self._running is None:
            self._running = _mark_last_run(self._slug)
        return self._running.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error, such as a cancellation, where the marking waits."""
        self._running = self._running or _mark_last_run(self._slug)
        return self._running.throw(*error)

    def close(self) -> None:
        """End the marking, if it has begun."""
        if self._running is not None:
            self._running.close()

    def __repr__(self) -> str:
        return f'Nothing is marked yet: write `result = await check("{self._slug}")`.'

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(repr(self))

    def __getitem__(self, key: str) -> Any:
        raise TypeError(repr(self))


def check(slug: str) -> Check:
    """Mark the last executed cell that begins `# exercise: SLUG`: `result = await check(SLUG)`.

    The answer runs in a process of its own, so nothing it does can harm the notebook, and the
    notebook stays usable meanwhile. Interrupting the cell stops the grader. `result.points` are
    its points.
    """
    return Check(slug)


@interruptible
async def _mark_last_run(slug: str) -> Result:
    try:
        room = course.room(slug)
    except course.CourseError as error:
        return _without_mark(slug, 0, str(error))
    found = _last_executed(slug, _needed_name(room), _executed_cells())
    if found.source is None:
        return _without_mark(slug, room.points, found.told)
    with tempfile.TemporaryDirectory(prefix="unblocked-check-") as folder:
        file = Path(folder, "answer.py")
        await asyncio.to_thread(file.write_text, found.source, encoding="utf-8")
        return await _run_grader(room, file, found)


@dataclass(frozen=True, slots=True)
class _Found:
    """The code to be marked, None where there is none, and what the learner is told about it."""

    source: str | None
    told: str


def _executed_cells() -> Sequence[str]:
    """Return all cells of this session as they were typed; a cell's number is its index."""
    from IPython.core.getipython import get_ipython

    history = getattr(get_ipython(), "history_manager", None)
    return list(history.input_hist_raw) if history is not None else []


def _needed_name(room: course.Room) -> str:
    """Return the name that the answer must define, as the exercise's checks state it."""
    try:
        found = _NEEDED.search(room.checks.read_text(encoding="utf-8"))
    except OSError:
        return "app"
    return found[1] if found else "app"


def _last_executed(slug: str, needed: str, cells: Sequence[str]) -> _Found:
    """Return the newest cell with the marker line, and tell of a newer cell that
    may be the answer.
    """
    numbered = list(enumerate(cells))
    run = max((number for number, cell in numbered if marked(cell) == slug), default=None)
    newer = [number for number, cell in numbered if run is None or number > run]
    rivals = [n for n in newer if not marked(cells[n]) and defines(cells[n], needed)]

    if run is None:
        told = f"Run the cell that begins '# exercise: {slug}' first, then this one."
        if rivals:
            told += (
                f" The cell that was run at [{rivals[-1]}] defines `{needed}`: if it is your "
                "answer, let it begin with that line."
            )
        return _Found(None, told)

    told = f"Marked: your cell as it was run at [{run}]."
    if rivals:
        told += (
            f" The cell that was run later, at [{rivals[-1]}], defines `{needed}`, too, but does "
            f"not begin with `# exercise: {slug}`, so it was not marked. If it is your answer, "
            "write that line at its top, run it, and check again."
        )

    return _Found(cells[run], told)


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


async def _run_grader(room: course.Room, file: Path, found: _Found | None = None) -> Result:
    grader = subprocess.Popen(  # noqa: ASYNC220 - does not wait; the reading is in a thread
        python("unblocked", "check", room.slug, str(file), "--stream"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",  # Its lines are ASCII; what it says on stderr may be in any encoding.
        **apart(),
    )
    shown = _Shown(room, found)
    error = ""

    try:
        error = await asyncio.to_thread(_follow, grader, shown.line)
    finally:
        # Also when the cell is interrupted: a grader that nobody hears must not go on.
        grader.kill()
        grader.communicate()
        shown.end()

    if shown.result is None:
        return _without_mark(room.slug, room.points, error or "The grader was stopped.")
    return shown.result


def _follow(grader: subprocess.Popen[str], on_line: Callable[[dict[str, Any]], None]) -> str:
    """Hand on each line of the grader; return what it said on stderr."""
    assert grader.stdout is not None
    assert grader.stderr is not None
    for line in grader.stdout:
        on_line(json.loads(line))
    return grader.stderr.read().strip()


class _Shown:
    """Turns the grader's lines into a view, and keeps the last one, the result."""

    def __init__(self, room: course.Room, found: _Found | None = None) -> None:
        self.room = room
        self.found = found or _Found("", "")
        self.slot = Slot()
        self._say("Starting the grader …")  # Its first line takes a moment.
        self.view: CheckView | None = None
        self.result: Result | None = None

    def line(self, message: dict[str, Any]) -> None:
        if "criteria" in message:
            self.view = self._make_view(message["criteria"])
        elif "again" in message:
            if self.view is not None:
                self.view.again(message["again"])
        elif "outcome" in message:
            self.result = Result(message)
            self._view(message).finish(message)
        else:
            self._view(message).update(message)

    def end(self) -> None:
        """Report that the grader has stopped, if it never came to its criteria."""
        if self.view is None:
            self._say("The grader has stopped.")

    def _say(self, what: str) -> None:
        if in_kernel():
            self.slot.put(notice(self.room.title, what))

    def _view(self, message: dict[str, Any]) -> CheckView:
        if self.view is None:
            self.view = self._make_view([check["name"] for check in message.get("checks", [])])
        return self.view

    def _make_view(self, criteria: list[str]) -> CheckView:
        room, found = self.room, self.found
        return check_view(
            room.slug,
            room.title,
            criteria,
            hints(room),
            self.slot,
            told=found.told,
            own=found.source or "",
            others=lambda: solutions(room),
        )


def hints(room: course.Room) -> list[str]:
    """Return the exercise's hints, from gentle to plain, as Markdown.

    A hint may say by a comment `<!-- for: NAME, NAME -->` which criteria it helps with.
    """
    _, _, part = room.statement.read_text(encoding="utf-8").partition("## Hints")
    found = re.findall(r"<details>\s*<summary>.*?</summary>(.*?)</details>", part, re.S)
    return [hint.strip() for hint in found]


def solutions(room: course.Room) -> list[tuple[str, str]]:
    """Return heading and code of the reference solution and of two answers in other styles.

    What a learner's copy of the course does not have is left out.
    """
    found = [(_REFERENCE, room.solution), *((_OTHER, path) for path in room.right[:OTHERS])]
    return [_with_heading(kind, path) for kind, path in found if path.is_file()]


def _with_heading(kind: str, path: Path) -> tuple[str, str]:
    """Return a heading and the code. The heading takes what this style buys from the first line, if
    that is a comment or a docstring.
    """
    code = path.read_text(encoding="utf-8").strip()
    first = code.partition("\n")[0]
    buys = first.strip("#\"' .") if first.startswith(("#", '"""')) else ""
    if not buys and kind == _OTHER:
        buys = path.stem.replace("_", " ")
    return (f"{kind}: {buys}" if buys else kind), code

"""A process that marks answers: jobs come in as lines of JSON, results go out as lines of JSON.

It is the same unit of work on one machine and on a cluster's: the submission's bytes travel, so
that a worker needs no files but the course.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import json
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

from unblocked import course
from unblocked.grading import answer, attempt
from unblocked.grading.sandbox.pool import NotRun, Refused, Sandbox
from unblocked.grading.sandbox.run import is_shortage, remove

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from unblocked.course import Room
    from unblocked.grading.judge.mark import Exercise, Result
    from unblocked.grading.sandbox.starting import Preimported

ANSWERS_AT_A_TIME = 10
"""Answers in hand at once for each core: wrong ones mostly wait, and waiting costs nothing."""

SLOTS = 3
"""Runs at work at once for each core."""

_SCRATCH = "unblocked-marking-"
"""How the folder is called in which a worker has all that its answers write."""


class Job(TypedDict):
    """One submission to mark by this version of its exercise; `content` is base64."""

    learner: str
    exercise: str
    version: str
    file: str
    content: str


@dataclass(frozen=True)
class NotMarked:
    """A submission that could not be marked, by no fault of its own, so that it has no line."""

    file: str
    why: str


def job(learner: str, slug: str, version: str, file: str, content: bytes) -> Job:
    """The job for a submission."""
    data = base64.b64encode(content).decode()
    return Job(learner=learner, exercise=slug, version=version, file=file, content=data)


def line(job: Job, made: Result, content: bytes) -> Result:
    """The line of `results.jsonl`: a result, and whose and of what it is."""
    return {
        "learner": job["learner"],
        **made,
        "file": job["file"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "marked_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def deadly(job: Job, folder: Path | None, level: str) -> Result:
    """The line for a submission that ended, alone, every process that marked it."""
    from unblocked.grading.judge.mark import exercise, gave_up

    reason = "Your code ended the processes that marked it."
    made = gave_up(exercise(course.room(job["exercise"], folder)), reason) | {"isolation": level}
    return line(job, made, base64.b64decode(job["content"]))


class Marker:
    """Marks jobs with the exercises of one course, in one sandbox."""

    def __init__(
        self,
        exercises: dict[str, Exercise],
        sandbox: Sandbox,
        rooms: Mapping[str, Room] = MappingProxyType({}),
    ) -> None:
        self.exercises, self.sandbox, self.rooms = exercises, sandbox, rooms
        self.shortages = 0
        """How often the event loop lacked descriptors: it goes on, and takes calls late."""

    def note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: a shortage is counted, and needs no page of tracebacks."""
        if is_shortage(context.get("exception")):
            self.shortages += 1
        elif "_start_serving" not in context["message"]:  # again, of an upstream that has closed
            loop.default_exception_handler(context)

    async def result(self, job: Job) -> Result:
        """The line of `results.jsonl` for a submission; ends this process when it has no sandbox.

        Whatever marking it may raise, there is a line, and the other submissions go on.

        Raises:
            NotRun: it could not be marked here and now, which says nothing about it.
        """
        from unblocked.grading.judge.mark import gave_up

        content = base64.b64decode(job["content"])
        task, before = self.exercises[job["exercise"]], self.shortages
        try:
            made = await self._mark(task, job, content)
            if self.shortages > before and made["points"] < made["max_points"]:
                raise NotRun("the marker ran short of descriptors")
        except NotRun:
            raise
        except Exception as error:
            made = gave_up(task, f"It could not be marked: {error!r}")
        finally:
            if self.sandbox.lost:  # then what was seen was not the answer's doing
                leave(1)
        return line(job, made | {"isolation": self.sandbox.level}, content)

    async def _mark(self, task: Exercise, job: Job, content: bytes) -> Result:
        from unblocked.grading.judge.mark import mark, no_answer

        try:
            found = answer.from_bytes(content, job["file"], task.slug)
        except (answer.NoAnswer, answer.Unusable) as error:
            return no_answer(task, str(error))
        room = self.rooms.get(task.slug)
        if room and attempt.is_untouched(found.cells, room):
            return no_answer(task, attempt.NOT_ATTEMPTED)
        made = await mark(task, found.cells, self.sandbox)
        return made | {"alike": attempt.fingerprint(found.cells)}


async def serve(
    sandbox: Sandbox, folder: Path | None, lanes: int, out: BinaryIO, only: str = ""
) -> None:
    """Mark what comes on stdin until it closes, a few answers at a time for each lane."""
    room = asyncio.Semaphore(lanes * ANSWERS_AT_A_TIME)
    exercises = _exercises(folder, only)
    rooms = {room.slug: room for room in course.rooms(folder)}
    gc.freeze()
    gc.enable()
    async with sandbox, asyncio.TaskGroup() as group:
        versions = {slug: exercise.version for slug, exercise in exercises.items()}
        scratch = tempfile.gettempdir()
        _say(out, {"ready": sandbox.level, "versions": versions, "scratch": scratch})
        marker = Marker(exercises, sandbox, rooms)
        asyncio.get_running_loop().set_exception_handler(marker.note)
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            group.create_task(_one(marker, json.loads(line), room, out))


def _exercises(folder: Path | None, only: str) -> dict[str, Exercise]:
    """The exercises by slug, their checks loaded once; raises `CourseError`."""
    from unblocked.grading.judge.mark import exercise

    rooms = course.rooms(folder)
    return {room.slug: exercise(room) for room in rooms if only in ("", room.slug)}


async def _one(
    marker: Marker, message: dict[str, Any], room: asyncio.Semaphore, out: BinaryIO
) -> None:
    async with room:
        _say(out, {"id": message["id"], **await _said(marker, message["job"])})


async def _said(marker: Marker, job: Job) -> dict[str, Any]:
    try:
        return {"result": await marker.result(job)}
    except NotRun as why:
        return {"not run": str(why)}
    except Exception:  # the thread that waits for jobs would keep this process
        traceback.print_exc()
        leave(1)


def _own_output() -> BinaryIO:
    """Standard output, for what this process says alone: what checks print goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _say(out: BinaryIO, message: dict[str, Any]) -> None:
    try:
        out.write(json.dumps(message).encode() + b"\n")
        out.flush()
    except OSError:  # whoever asked has gone, and nobody else wants to know
        leave(1)


def leave(code: int) -> NoReturn:
    """End now, whatever waits; what is in hand leaves no file."""
    if os.path.basename(folder := tempfile.gettempdir()).startswith(_SCRATCH):
        remove(folder)
    os._exit(code)


def main(preimported: Preimported | None) -> None:
    """Be a worker's process: see `__main__.py`."""
    folder, require, given, only = [*sys.argv[1:], "", "", "", ""][:4]
    out, lanes = _own_output(), int(given or 1)
    tempfile.tempdir = tempfile.mkdtemp(prefix=_SCRATCH)
    sandbox = Sandbox(require or None, slots=lanes * SLOTS)
    try:
        sandbox.start(preimported)
        asyncio.run(serve(sandbox, Path(folder) if folder else None, lanes, out, only))
    except (Refused, course.CourseError) as error:
        _say(out, {"refused": str(error)})
    except KeyboardInterrupt:
        pass
    leave(0)

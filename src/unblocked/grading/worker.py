"""A process that marks answers: jobs come in as lines of JSON, results go out as lines of JSON.

It is the same unit of work on one machine and on a cluster's: the submission's bytes travel, so
that a worker needs no files but the course.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from unblocked import course
from unblocked.grading import answer
from unblocked.grading.sandbox import Nursery, Refused

if TYPE_CHECKING:
    from unblocked.grading.mark import Exercise, Result

ANSWERS_AT_A_TIME = 10
"""Answers in hand at once for each core: wrong ones mostly wait, and waiting costs nothing."""

SLOTS = 3
"""Runs at work at once for each core."""


class Job(TypedDict):
    """One submission to mark; `content` is base64."""

    learner: str
    exercise: str
    file: str
    content: str


def job(learner: str, slug: str, file: str, content: bytes) -> Job:
    """The job for a submission."""
    data = base64.b64encode(content).decode()
    return Job(learner=learner, exercise=slug, file=file, content=data)


def line(job: Job, made: Result, content: bytes) -> Result:
    """The line of `results.jsonl`: a result, and whose and of what it is."""
    return {
        "learner": job["learner"],
        **made,
        "file": job["file"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "marked_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def deadly(job: Job, folder: Path | None, rung: str) -> Result:
    """The line for a submission that ended, alone, every process that marked it."""
    from unblocked.grading.mark import exercise, gave_up

    reason = "Your code ended the processes that marked it."
    made = gave_up(exercise(course.room(job["exercise"], folder)), reason) | {"isolation": rung}
    return line(job, made, base64.b64decode(job["content"]))


class Marker:
    """Marks jobs with the exercises of one course, in one nursery."""

    def __init__(self, exercises: dict[str, Exercise], nursery: Nursery) -> None:
        self.exercises, self.nursery = exercises, nursery

    async def result(self, job: Job) -> Result:
        """The line of `results.jsonl` for a submission; ends this process when it has no nursery.

        Whatever marking it may raise, there is a line, and the other submissions go on.
        """
        from unblocked.grading.mark import gave_up

        content = base64.b64decode(job["content"])
        task = self.exercises[job["exercise"]]
        try:
            made = await self._mark(task, job, content)
        except Exception as error:
            made = gave_up(task, f"It could not be marked: {error!r}")
        if self.nursery.lost:  # then what was seen was not the answer's doing
            os._exit(1)
        return line(job, made | {"isolation": self.nursery.rung}, content)

    async def _mark(self, task: Exercise, job: Job, content: bytes) -> Result:
        from unblocked.grading.mark import mark, no_answer

        try:
            found = answer.from_bytes(content, job["file"], task.slug, task.needed)
        except (answer.NoAnswer, answer.Unusable) as error:
            return no_answer(task, str(error))
        return await mark(task, found.source, self.nursery, note=found.note, second_look=True)


async def serve(folder: Path | None, require: str | None, lanes: int) -> None:
    """Mark what comes on stdin until it closes, a few answers at a time for each lane."""
    room = asyncio.Semaphore(lanes * ANSWERS_AT_A_TIME)
    nursery = Nursery(require, slots=lanes * SLOTS)
    nursery.start()  # it imports all that answers need while this process does its own
    exercises = _exercises(folder)
    async with nursery, asyncio.TaskGroup() as group:
        _say({"ready": nursery.rung})
        marker = Marker(exercises, nursery)
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            group.create_task(_one(marker, json.loads(line), room))


def _exercises(folder: Path | None) -> dict[str, Exercise]:
    """All exercises by slug, their checks loaded once; raises `CourseError`."""
    from unblocked.grading.mark import exercise

    return {room.slug: exercise(room) for room in course.rooms(folder)}


async def _one(marker: Marker, message: dict[str, Any], room: asyncio.Semaphore) -> None:
    async with room:
        result = await marker.result(message["job"])
    _say({"id": message["id"], "result": result})


def _say(message: dict[str, Any]) -> None:
    try:
        print(json.dumps(message), flush=True)
    except OSError:  # whoever asked has gone, and nobody else wants to know
        os._exit(1)


def main() -> None:
    """`python -m unblocked.grading.worker [COURSE] [RUNG] [LANES]`, each may be ''."""
    folder, require, lanes = [*sys.argv[1:], "", "", ""][:3]
    try:
        asyncio.run(serve(Path(folder) if folder else None, require or None, int(lanes or 1)))
    except (Refused, course.CourseError) as error:
        _say({"refused": str(error)})
    except KeyboardInterrupt:
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

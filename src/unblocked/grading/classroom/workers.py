"""Who does the marking: worker processes on this machine, or a Dask cluster's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unblocked.grading import answer
from unblocked.grading.classroom.worker import ANSWERS_AT_A_TIME, NotMarked, deadly
from unblocked.grading.sandbox.pool import NotRun, Refused
from unblocked.grading.sandbox.run import remove
from unblocked.grading.sandbox.starting import python

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from distributed import Client

    from unblocked.grading.classroom.worker import Job

    Marked = dict[str, Any] | NotMarked
    WorkerPool = Callable[[Sequence[Job | NotMarked]], AsyncGenerator[Marked]]
    """Takes jobs and gives their results, in the order in which they are ready.

    A job that cannot be read any more, or be marked, comes back as `NotMarked`. Raises `Refused`
    when the system's isolation is less than what was required.
    """

LANES = 2
"""Cores that a worker keeps busy: most of the work is done by the answers' own processes."""
_APART: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
"""Ctrl-C is for the command that was given: it ends its workers, whatever they do just then."""
_END_PATIENCE = 10.0
TRIES = 3
"""How often a job is marked alone before what prevents it counts: that its worker ended, say."""


class WorkerDied(Exception):
    """A worker's process has ended without its results."""


def _message(line: bytes) -> dict[str, Any]:
    """What a worker said in a line; empty when it has gone, in the middle of one perhaps."""
    message: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
    return message


def _level(first: dict[str, Any]) -> str:
    """The isolation that a worker has, as its first message says; raises `Refused`."""
    if "ready" not in first:
        raise Refused(first.get("refused", "a worker did not start"))
    level: str = first["ready"]
    return level


def _result(message: dict[str, Any]) -> dict[str, Any]:
    """The result in a message about a job; raises `NotRun`."""
    if "not run" in message:
        raise NotRun(message["not run"])
    result: dict[str, Any] = message["result"]
    return result


class Worker:
    """A marking process of our own, for so many lanes. Use with `async with`."""

    def __init__(
        self, course: Path | None, require: str | None, lanes: int, only: str | None = None
    ) -> None:
        self.arguments = (str(course or ""), require or "", str(lanes), only or "")
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.process: asyncio.subprocess.Process | None = None
        self.scratch = ""

    async def start(self) -> asyncio.subprocess.Process:
        """Start its process now: it takes a while to be ready."""
        self.process = self.process or await asyncio.create_subprocess_exec(
            *_command(*self.arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=answer.LARGEST,
            **_APART,
        )
        return self.process

    async def stop(self) -> None:
        """End its process, whatever it does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        if self.scratch:  # killed, it could not clear up
            await asyncio.to_thread(remove, self.scratch)

    async def __aenter__(self) -> Worker:
        await self.start()
        try:
            first = await self._line()
            self.level = _level(first)
            self.scratch = first["scratch"]
        except BaseException:
            await self.stop()
            raise
        self.hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        if not self.waiting and self.process.stdin is not None:
            self.process.stdin.close()  # with nothing in hand it ends by itself
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), _END_PATIENCE)
        await self.stop()
        await self.hearing

    async def _line(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        return _message(await self.process.stdout.readline())

    async def _hear(self) -> None:
        while message := await self._line():
            future = self.waiting.pop(message["id"])
            try:
                future.set_result(_result(message))
            except NotRun as why:
                future.set_exception(why)
        for future in self.waiting.values():
            future.set_exception(WorkerDied())
        self.waiting.clear()

    async def mark(self, number: int, job: Job) -> dict[str, Any]:
        """The result for one job; raises `WorkerDied` and `NotRun`."""
        assert self.process is not None
        assert self.process.stdin is not None
        if self.hearing.done():
            raise WorkerDied
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(json.dumps({"id": number, "job": job}).encode() + b"\n")
            await self.process.stdin.drain()
        return await future


def _command(*arguments: str) -> list[str]:
    return [*python("unblocked.grading"), *arguments]


@dataclass(frozen=True)
class _Class:
    """What the crews share: the jobs, the numbers of those to do, the results."""

    jobs: Sequence[Job | NotMarked]
    course: Path | None
    require: str | None
    only: str | None
    started: list[Worker]
    """Workers whose processes have been started already."""
    todo: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    done: asyncio.Queue[Marked | BaseException] = field(default_factory=asyncio.Queue)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    def worker(self, lanes: int) -> Worker:
        return (
            self.started.pop()
            if self.started
            else Worker(self.course, self.require, lanes, self.only)
        )


@contextlib.asynccontextmanager
async def on_this_machine(
    workers: int, course: Path | None, require: str | None, only: str | None = None
) -> AsyncIterator[WorkerPool]:
    """Processes of this machine that keep so many cores busy; with `only`, for one exercise.

    The first one starts at once, while the caller finds out what is to be marked.
    """
    first = Worker(course, require, min(LANES, workers), only)
    await first.start()
    try:
        yield lambda jobs: _results(_Class(jobs, course, require, only, [first]), workers)
    finally:
        await first.stop()


async def _results(work: _Class, workers: int) -> AsyncGenerator[Marked]:
    jobs = work.jobs
    for number in range(len(jobs)):
        work.todo.put_nowait(number)
    cores = range(0, min(workers, len(jobs)), LANES)
    crews = [asyncio.create_task(_crew(work, min(LANES, workers - core))) for core in cores]
    try:
        for _ in range(len(jobs)):
            result = await work.done.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        await _cancelled(crews)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _crew(work: _Class, lanes: int) -> None:
    """Keep one worker busy; when it dies, mark what it had in hand alone, then start another."""
    try:
        while True:
            suspects: list[int] = []
            async with work.worker(lanes) as worker:
                hands = [
                    asyncio.create_task(_hand(worker, work, suspects))
                    for _ in range(lanes * ANSWERS_AT_A_TIME)
                ]
                try:
                    await asyncio.wait([worker.hearing])
                    await asyncio.sleep(0)  # the hands hear of it
                finally:
                    await _cancelled(hands)
            for number in suspects:
                work.done.put_nowait(await _alone(work, number))
    except Exception as error:
        work.done.put_nowait(error)


async def _hand(worker: Worker, work: _Class, suspects: list[int]) -> None:
    while True:
        number = await work.todo.get()
        if worker.hearing.done():  # it has nothing to do with that
            work.todo.put_nowait(number)
            return
        job = work.jobs[number]
        try:
            work.done.put_nowait(await _marked(worker, number, job))
        except NotRun:
            work.done.put_nowait(await _alone(work, number))
        except WorkerDied:
            suspects.append(number)
            return


async def _marked(worker: Worker, number: int, job: Job | NotMarked) -> Marked:
    return job if isinstance(job, NotMarked) else await worker.mark(number, job)


async def _alone(work: _Class, number: int) -> Marked:
    """Mark a job with no other in its worker, so that a worker's death is its own doing."""
    job, level = work.jobs[number], "none"
    if isinstance(job, NotMarked):
        return job
    why: Exception = WorkerDied()
    async with work.alone:
        for _ in range(TRIES):
            async with work.worker(1) as worker:
                level = worker.level
                try:
                    return await worker.mark(number, job)
                except (WorkerDied, NotRun) as error:
                    why = error
    return _given_up(job, why, work.course, level)


def _given_up(job: Job, why: Exception, course: Path | None, level: str) -> Marked:
    """What becomes of a job that was tried often enough."""
    if isinstance(why, NotRun):
        return NotMarked(job["file"], f"by no fault of its own: {why}")
    return deadly(job, course, level)


class _ClusterWorker:
    """The marking process that a Dask worker keeps, one per course and level."""

    kept: ClassVar[dict[tuple[str, str], _ClusterWorker]] = {}
    turn = threading.Lock()  # a Dask worker may have several threads

    def __init__(self, course: str, require: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(_command(course, require), stdin=pipe, stdout=pipe)
        first = self._line()
        self.level = _level(first)
        self.versions: dict[str, str] = first["versions"]
        self.scratch: str = first["scratch"]

    @classmethod
    def of(cls, course: str, require: str, job: Job) -> _ClusterWorker:
        """The one that marks as the job asks, a new one where the course has changed since.

        Raises:
            Refused: this machine has another version of the exercise.
        """
        kept = cls.kept.get((course, require))
        if kept is None or not kept._serves(job):
            if kept is not None:
                kept.stop()
            kept = cls.kept[course, require] = cls(course, require)
        if not kept._serves(job):
            raise Refused(
                f"{socket.gethostname()} has no such version of {job['exercise']} in "
                f"{course or 'its course'}: all machines need the same (INSTRUCTORS.md)."
            )
        return kept

    def _serves(self, job: Job) -> bool:
        same = self.versions.get(job["exercise"]) == job["version"]
        return same and self.process.poll() is None

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
        remove(self.scratch)

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return _message(self.process.stdout.readline())

    def mark(self, job: Job) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"id": 0, "job": job}).encode() + b"\n")
        self.process.stdin.flush()
        message = self._line()
        if not message:
            raise WorkerDied(job["file"])
        return _result(message)


def mark_on_cluster(job: Job, course: str, require: str) -> Marked:
    """One job in a Dask worker; raises `Refused` when it may not be marked there."""
    level: str = "none"
    why: Exception = WorkerDied()
    with _ClusterWorker.turn:
        for _ in range(TRIES):
            worker = _ClusterWorker.of(course, require, job)
            level = worker.level
            try:
                return worker.mark(job)
            except (WorkerDied, BrokenPipeError, NotRun) as error:
                why = error
    return _given_up(job, why, Path(course) if course else None, level)


@contextlib.asynccontextmanager
async def on_cluster(
    address: str, course: Path | None, require: str | None
) -> AsyncIterator[WorkerPool]:
    """The workers of a Dask cluster.

    A worker that dies loses nothing: the scheduler gives its jobs to another.

    Raises:
        Refused: it is no address, or asks for TLS, for which Dask's configuration has no
            certificates.
        OSError: nobody answers there.
    """
    from distributed import Client

    address = _whole(address)
    _look_for_certificates(address)
    arguments = (str(course or ""), require or "")
    async with Client(address, asynchronous=True) as client:  # type: ignore[no-untyped-call]
        yield lambda jobs: _of_cluster(client, jobs, *arguments)


async def _of_cluster(
    client: Client, jobs: Sequence[Job | NotMarked], *arguments: str
) -> AsyncGenerator[Marked]:
    from distributed import KilledWorker, as_completed

    files = {}
    for job in jobs:
        if isinstance(job, NotMarked):
            yield job
            continue
        submit = partial(client.submit, pure=False, retries=TRIES)
        files[submit(mark_on_cluster, job, *arguments)] = job["file"]
    ready = as_completed(files, with_results=True, raise_errors=False)  # type: ignore[no-untyped-call]
    async for future, result in ready:
        if future.status == "finished":
            yield result
        elif isinstance(result[1], KilledWorker):
            yield NotMarked(files[future], "the cluster's workers ended while they marked it")
        else:
            raise result[1]


def _whole(address: str) -> str:
    """The address with its protocol, TCP where it names none; raises `Refused`."""
    from distributed.comm.addressing import get_address_host_port

    whole = address if "://" in address else f"tcp://{address}"
    try:
        get_address_host_port(whole, strict=True)
    except ValueError:
        raise Refused(f"{address!r} is no scheduler's address: give tcp://HOST:PORT.") from None
    return whole


def _look_for_certificates(address: str) -> None:
    from distributed.security import Security

    if address.startswith("tls://") and not Security().get_connection_args("client")["ssl_context"]:  # type: ignore[no-untyped-call]
        raise Refused(
            f"{address} needs certificates: set distributed.comm.tls.ca-file, client.cert and "
            "client.key in Dask's configuration (INSTRUCTORS.md, Many machines)."
        )

"""Chooses how answers are run: in the best way, with the best isolation that this system has."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol

from unblocked.grading.sandbox import starting
from unblocked.grading.sandbox.child.levels import LEVELS
from unblocked.grading.sandbox.run import NOTHING, AnswerRun, Code
from unblocked.grading.sandbox.run import NotRun as NotRun
from unblocked.grading.sandbox.run import Refused as Refused

if TYPE_CHECKING:
    from typing import Self

    from unblocked.grading.sandbox.starting import Preimported

SLOTS = 2 * max(1, min(2, os.cpu_count() or 1))
"""Runs at work at the same time: more would only take the CPU from one another."""


class _Way(Protocol):
    """A way to make the processes of answers: by forking, or by starting each anew."""

    async def ready(self) -> None: ...
    async def end(self) -> None: ...
    @property
    def lost(self) -> bool: ...
    def run(self, level: str, code: Code) -> AnswerRun: ...


def _best_way(preimported: Preimported | None) -> _Way:
    if preimported:
        from unblocked.grading.sandbox.forked import Forks

        return Forks(preimported)
    from unblocked.grading.sandbox.spawning import Spawns

    return Spawns()


def _requested_level() -> str:
    """Return the isolation level that the environment asks for, or ''.

    Raises:
        Refused: there is no such level.
    """
    for name in ("UNBLOCKED_ISOLATION", "UNBLOCKED_RUNG"):  # the second is the older name
        if (wish := os.environ.get(name, "")) not in ("", *LEVELS):
            raise Refused(f"{name}={wish} is no isolation level: use one of {', '.join(LEVELS)}.")
        if wish:
            return wish
    return ""


class Sandbox:
    """Makes the processes of answers. Use as `async with`.

    Where the system can fork, that is a process that has imported everything.

    Takes the best level of the ladder that this system allows, or the one given, here or by the
    environment's UNBLOCKED_ISOLATION.

    Raises:
        Refused: on entering, when nothing as good as `require` can be had.
    """

    def __init__(
        self, require: str | None = None, *, level: str | None = None, slots: int = SLOTS
    ) -> None:
        self.require, self.level = require, level or _requested_level()
        self.slots = asyncio.Semaphore(slots)
        """For runs at work at the same time."""

    def start(self, preimported: Preimported | None = None) -> None:
        """Start its process now, if it has one, or take one that has been started already."""
        self._way = _best_way(preimported or starting.preimport())

    @property
    def lost(self) -> bool:
        """Whether its process has ended, so that no answer can be run any more."""
        return self._way.lost

    async def __aenter__(self) -> Self:
        if not hasattr(self, "_way"):
            self.start()
        try:
            await self._way.ready()
            self.level = self.level or await self._best()
            self._refuse_less()
        except BaseException:
            await self._way.end()
            raise
        return self

    def _refuse_less(self) -> None:
        if self.require and LEVELS.index(self.level) > LEVELS.index(self.require):
            raise Refused(
                f"This system offers the isolation {self.level!r}, less than {self.require!r}."
            )

    async def __aexit__(self, *_: object) -> None:
        await self._way.end()

    async def _best(self) -> str:
        # The only sure way to know what a system allows is to try it with an answer that does
        # nothing.
        for level in LEVELS:
            try:
                async with self._way.run(level, NOTHING):
                    return level
            except NotRun:
                continue
        raise Refused("no way to run an answer on this system")

    def run(self, code: Code) -> AnswerRun:
        """Return a run of this answer, to be entered with `async with`."""
        return self._way.run(self.level, code)

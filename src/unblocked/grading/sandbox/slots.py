"""Who may work: a few slots, given first to runs that have begun, last to those that pass."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from contextvars import ContextVar
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Rank(IntEnum):
    """Whose turn comes first."""

    BEGUN = 0
    SECOND_LOOK = 1
    NEW = 2
    """The first of an answer, which shows whether it fails."""
    FAILING = 3
    """More of an answer that has failed something: it will wait, so the sooner the better."""
    LAST = 4
    """More of an answer that has failed nothing yet: whoever fails shows it sooner elsewhere."""


RANK: ContextVar[Rank] = ContextVar("rank", default=Rank.NEW)
"""Of the next run that the current task begins."""


class Slots:
    """A semaphore whose waiters come by rank, and within a rank in the order of their runs.

    A run that has waited goes on before anything new begins. One that several criteria share lets
    others work between them: so wrong answers show themselves early, and their quiet waits pass
    while others work.
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._numbers, self._order = count(), count()
        self._waiting: list[tuple[Rank, int, int, asyncio.Future[None]]] = []

    async def acquire(self, rank: Rank = Rank.BEGUN, number: int = 0) -> None:
        """Take a slot, or wait for one in the turn of run `number`."""
        if self._free and not self._waiting:
            self._free -= 1
        else:
            await self._its(self._queued(rank, number))

    async def pass_on(self, rank: Rank, number: int) -> None:
        """Give a slot to the next in turn, and take one in one's own turn, which may be now."""
        turn = self._queued(rank, number)
        self.release()
        await self._its(turn)

    def _queued(self, rank: Rank, number: int) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, number, next(self._order), turn))
        return turn

    async def _its(self, turn: asyncio.Future[None]) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it came too late
            raise

    def release(self) -> None:
        """Give a slot back, or on to the next in turn."""
        while self._waiting:
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[Slot]:
        """A slot for the time of the block, in the turn of the task's `RANK`."""
        slot = Slot(self, RANK.get(), next(self._numbers))
        await self.acquire(slot.rank, slot.number)
        RANK.set(Rank.BEGUN)
        try:
            yield slot
        finally:
            slot.lend()


class Slot:
    """What a run holds while it works."""

    def __init__(self, slots: Slots, rank: Rank, number: int) -> None:
        self.slots, self.rank, self.number, self.held = slots, rank, number, True
        self._taking = asyncio.Lock()  # a check may wait for two things at once

    def lend(self) -> None:
        """Let another run work, if it is not lent already."""
        if self.held:
            self.held = False
            self.slots.release()

    async def pass_on(self) -> None:
        """Let those work whose turn it is by rank, or who came earlier.

        What passed when it was new waits longest: it shows no failure that others would wait for.
        """
        if self.rank is Rank.NEW:
            self.rank = Rank.LAST
        async with self._taking:
            if self.held:
                self.held = False
                await self.slots.pass_on(self.rank, self.number)
            else:
                await self.slots.acquire(self.rank, self.number)
            self.held = True

    async def take_back(self) -> None:
        """Have it again, if it is lent."""
        async with self._taking:
            if not self.held:
                await self.slots.acquire(Rank.BEGUN, self.number)
                self.held = True

"""Who may work: a few slots, given first to runs that have begun, then to second looks."""

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
    FAILING = 2
    """More of an answer that has failed something: it will wait, so the sooner the better."""
    NEW = 3
    LAST = 4
    """More of an answer that has failed nothing yet: whoever fails shows it sooner elsewhere."""


RANK: ContextVar[Rank] = ContextVar("rank", default=Rank.NEW)
"""Of the next run that the current task begins."""


class Slots:
    """A semaphore whose waiters come by rank, and within a rank in their order.

    A run that has waited goes on before anything new begins. One that several criteria share lets
    others work between them: so wrong answers show themselves early, and their quiet waits pass
    while others work.
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._order = count()
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []

    async def acquire(self, rank: Rank = Rank.BEGUN) -> None:
        """Take a slot, or wait for one."""
        if self._free and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it came too late
            raise

    def release(self) -> None:
        """Give a slot back, or on to the next in turn."""
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[Slot]:
        """A slot for the time of the block, in the turn of the task's `RANK`."""
        slot = Slot(self, RANK.get())
        await self.acquire(slot.rank)
        RANK.set(Rank.BEGUN)
        try:
            yield slot
        finally:
            slot.lend()


class Slot:
    """What a run holds while it works."""

    def __init__(self, slots: Slots, rank: Rank) -> None:
        self.slots, self.rank, self.held = slots, rank, True

    def lend(self) -> None:
        """Let another run work, if it is not lent already."""
        if self.held:
            self.held = False
            self.slots.release()

    async def pass_on(self) -> None:
        """Let those work whose turn it is by rank, or who have waited longer."""
        self.lend()
        await self.slots.acquire(self.rank)
        self.held = True

    async def take_back(self) -> None:
        """Have it again, if it is lent."""
        if not self.held:
            await self.slots.acquire()
            self.held = True

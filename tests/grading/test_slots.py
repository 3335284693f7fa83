"""Whose turn it is when runs want to work."""

from __future__ import annotations

import asyncio

from unblocked.grading.sandbox.slots import RANK, Rank, Slots


async def _in_turn(slots: Slots, rank: Rank, name: str, order: list[str]) -> None:
    RANK.set(rank)
    async with slots.taken():
        order.append(name)
        await asyncio.sleep(0)


async def _all_taken() -> tuple[Slots, list[str]]:
    slots = Slots(1)
    await slots.acquire()
    return slots, []


def test_what_has_begun_comes_first_then_second_looks_then_the_new() -> None:
    async def main() -> list[str]:
        slots, order = await _all_taken()
        ranks = [Rank.NEW, Rank.SECOND_LOOK, Rank.NEW, Rank.BEGUN]
        async with asyncio.TaskGroup() as group:
            for number, rank in enumerate(ranks):
                group.create_task(_in_turn(slots, rank, f"{rank.name} {number}", order))
            await asyncio.sleep(0)
            slots.release()
        return order

    assert asyncio.run(main()) == ["BEGUN 3", "SECOND_LOOK 1", "NEW 0", "NEW 2"]


def test_a_waiter_that_leaves_takes_no_slot() -> None:
    async def main() -> list[str]:
        slots, order = await _all_taken()
        leaves = asyncio.create_task(slots.acquire())
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        slots.release()
        await _in_turn(slots, Rank.NEW, "the next", order)
        return order

    assert asyncio.run(main()) == ["the next"]


def test_a_waiter_that_leaves_at_its_turn_passes_it_on() -> None:
    async def main() -> list[str]:
        slots, order = await _all_taken()
        leaves = asyncio.create_task(slots.acquire())
        stays = asyncio.create_task(_in_turn(slots, Rank.NEW, "the next", order))
        await asyncio.sleep(0)
        slots.release()
        leaves.cancel()
        await stays
        return order

    assert asyncio.run(main()) == ["the next"]


def test_a_run_that_passes_its_slot_on_has_it_again_in_its_turn() -> None:
    async def main() -> list[str]:
        slots, order = Slots(1), list[str]()

        async def run(rank: Rank, name: str) -> None:
            RANK.set(rank)
            async with slots.taken() as slot:
                for part in range(2):
                    order.append(f"{name} {part}")
                    await asyncio.sleep(0)
                    await slot.pass_on()

        async with asyncio.TaskGroup() as group:
            new, failing, last = Rank.NEW, Rank.FAILING, Rank.LAST
            for rank, name in ((new, "a"), (last, "z"), (failing, "f"), (new, "b")):
                group.create_task(run(rank, name))
        return order

    order = ["a 0", "b 0", "f 0", "f 1", "a 1", "z 0", "z 1", "b 1"]
    assert asyncio.run(main()) == order


def test_a_slot_is_given_back_once_however_often_it_is_lent() -> None:
    async def main() -> list[str]:
        slots, order = Slots(1), list[str]()
        async with slots.taken() as slot:
            slot.lend()
            slot.lend()
        async with slots.taken():
            task = asyncio.create_task(_in_turn(slots, Rank.NEW, "the next", order))
            await asyncio.sleep(0)
            assert not order
        await task
        return order

    assert asyncio.run(main()) == ["the next"]


def test_a_run_that_leaves_while_its_slot_is_lent_gives_none_back() -> None:
    async def main() -> None:
        slots = Slots(1)

        async def leaves() -> None:
            async with slots.taken() as slot:
                slot.lend()
                await slots.acquire()
                await slot.take_back()

        task = asyncio.create_task(leaves())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        slots.release()
        async with slots.taken():
            waiting = asyncio.create_task(slots.acquire())
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()

    asyncio.run(main())


def test_two_waits_of_one_run_take_one_slot_back() -> None:
    async def main() -> bool:
        slots = Slots(1)
        async with slots.taken() as slot:
            slot.lend()
            await asyncio.gather(slot.take_back(), slot.take_back(), slot.pass_on())
            return slot.held

    assert asyncio.run(main())

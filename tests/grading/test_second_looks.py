"""What failed because nothing moved any more is looked at a second time, if it must be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from unblocked.grading.checks.exam import Criterion, Exam, Failed
from unblocked.grading.checks.waiting import DOUBT
from unblocked.grading.judge.judging import Doubts, Judging, Verdict
from unblocked.grading.sandbox.pool import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Look = Callable[[], Coroutine[object, object, Verdict]]

PASSED = Verdict("it", True, 1, 1, "well done")
WAITED = Verdict("it", False, 0, 1, "nothing moves any more", stuck=True, certain=False)
FAILED = Failed(called="it", saw="this", expected="that")
WRONG = Verdict("it", False, 0, 1, "something wrong was seen")


def _looks(
    *verdicts: Verdict,
) -> tuple[Callable[[], Coroutine[object, object, Verdict]], list[int]]:
    """A look that gives these verdicts in turn, and the numbers of the looks taken."""
    taken: list[int] = []

    async def look() -> Verdict:
        number = len(taken)
        taken.append(number)
        await asyncio.sleep(0)
        return verdicts[number]

    return look, taken


def _judged(*criteria: tuple[Verdict, ...]) -> tuple[list[Verdict], list[int]]:
    """The verdicts on criteria, judged one after the other, and how often each was looked at."""

    async def main() -> tuple[list[Verdict], list[int]]:
        doubts, verdicts, counts = Doubts(), list[Verdict](), list[int]()
        for looks in criteria:
            look, taken = _looks(*looks)
            verdicts.append(await doubts.judged(look, look, asyncio.Event()))
            counts.append(len(taken))
        return verdicts, counts

    return asyncio.run(main())


def test_what_was_seen_needs_no_second_look() -> None:
    assert _judged((PASSED,), (WRONG,)) == ([PASSED, WRONG], [1, 1])


def test_a_second_look_can_change_the_verdict() -> None:
    assert _judged((WAITED, PASSED), (WAITED, PASSED)) == ([PASSED, PASSED], [2, 2])


def test_one_that_is_confirmed_is_enough() -> None:
    assert _judged((WAITED, WAITED), (WAITED, PASSED)) == ([WAITED, WAITED], [2, 1])


def test_the_second_look_begins_while_the_first_still_waits_and_is_dropped_when_it_passes() -> None:
    async def main() -> tuple[Verdict, list[str]]:
        said: list[str] = []
        second_began = asyncio.Event()

        async def look() -> Verdict:
            if said:
                second_began.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    said.append("dropped")
            said.append("first")
            DOUBT.get()()
            await second_began.wait()
            return PASSED

        doubtful = asyncio.Event()
        DOUBT.set(doubtful.set)
        return await Doubts().judged(look, look, doubtful), said

    assert asyncio.run(main()) == (PASSED, ["first", "dropped"])


def test_all_that_failed_while_the_machine_was_too_busy_is_judged_again() -> None:
    judged: list[str] = []

    async def wrong(exam: Exam) -> str:
        judged.append("wrong")
        if judged.count("wrong") == 1:
            exam.ruled_out["what late is about"] = FAILED
        exam.starved = True
        raise FAILED

    async def late(exam: Exam) -> str:
        judged.append("late")
        if judged.count("late") == 1 or exam.ruled_out:
            raise FAILED
        return "in time"

    async def main() -> list[Verdict]:
        exam = Exam(Sandbox(), "")
        criteria = [Criterion("wrong", 1, wrong), Criterion("late", 1, late)]
        judging = Judging(criteria, exam, lambda _: None, second_look=True)
        return await judging.verdicts()

    assert [verdict.passed for verdict in asyncio.run(main())] == [False, True]
    assert judged == ["wrong", "late", "wrong", "late"]

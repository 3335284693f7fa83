"""Criteria share a process of the answer as long as that can change no verdict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT

from unblocked.grading.checks import app as apps
from unblocked.grading.checks.exam import AnswerError, Criterion, Exam, Failed, criterion
from unblocked.grading.checks.waiting import QUIET_TICKS
from unblocked.grading.judge.judging import Judging, Verdict
from unblocked.grading.sandbox.pool import Sandbox
from unblocked.grading.sandbox.slots import Rank

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

COUNTS = (
    RIGHT.replace("async def root():", "async def root():\n    SEEN.append(1)") + "\nSEEN = []\n"
)
FAILS_LATER = COUNTS.replace("    return (", "    1 / (len(SEEN) < 2)\n    return (")
FAILS_AT_FIRST = COUNTS.replace("    return (", "    1 / (len(SEEN) > 1)\n    return (")
KEEPS_A_CALL = RIGHT.replace(
    "    return (",
    "    import asyncio; KEPT.append(asyncio.create_task(app.state.client.get(URL)))\n    return (",
).replace("app =", "KEPT = []\napp =", 1)


ONE_THEN_TWO = RIGHT.replace(
    "    return (await app.state.client.get(URL)).text",
    """    import asyncio
    await app.state.client.get(URL)
    await asyncio.gather(app.state.client.get(URL), app.state.client.get(URL))
    return 'three calls'""",
)


class CountingSandbox(Sandbox):
    """A sandbox that counts the processes of answers."""

    runs = 0

    def run(self, *answer: Any) -> Any:
        self.runs += 1
        return super().run(*answer)


def passing_on(name: str, *, fresh: bool = False) -> Criterion:
    """A criterion: the upstream's text comes through."""

    async def judge(exam: Exam) -> str:
        async with exam.serving() as (app, upstream):
            reply = await app.get()
            if [reply.text] != [call.text for call in upstream.calls]:
                raise Failed(called="GET /", saw=str(reply), expected="the upstream's text")
        return "It came through."

    return criterion(name, 1, fresh=fresh)(judge)


def stopping(name: str) -> Criterion:
    """A criterion: the app stops."""

    async def judge(exam: Exam) -> str:
        async with exam.serving() as (app, _):
            await app.stop()
        return "It stopped."

    return criterion(name, 1, fresh=False)(judge)


def holding(name: str, calls: int) -> Criterion:
    """A criterion: so many upstream calls in flight for one caller."""

    async def judge(exam: Exam) -> str:
        async with exam.serving() as (app, upstream):
            upstream.script = upstream.hold
            caller = app.call()
            flying = lambda: upstream.in_flight >= calls  # noqa: E731
            await app.until(flying, called="GET /", expected=f"{calls} in flight")
            upstream.released.set()
            await app.answers([caller], called="GET /")
        return "They were in flight."

    return criterion(name, 1, fresh=False)(judge)


def judged(
    answer: str, *criteria: Criterion, slots: int = 2, second_look: bool = False
) -> tuple[dict[str, bool], int, Exam]:
    """Which criteria passed, how many processes that took, and the exam."""

    async def main() -> tuple[dict[str, bool], int, Exam]:
        async with CountingSandbox(slots=slots) as sandbox:
            sandbox.runs = 0  # those that looked for the best level do not count
            exam = Exam(sandbox, answer)
            say: Callable[[Verdict], None] = lambda _: None  # noqa: E731
            judging = Judging(criteria, exam, say, second_look=second_look)
            verdicts = await judging.verdicts()
            return {v.name: v.passed for v in verdicts}, sandbox.runs, exam

    return asyncio.run(main())


def test_a_right_answer_needs_one_process_for_all_that_may_share_it() -> None:
    passed, runs, _ = judged(RIGHT, *map(passing_on, "abc"), stopping("d"))
    assert passed == dict.fromkeys("abcd", True)
    assert runs == 1


def test_what_wants_a_fresh_process_gets_one() -> None:
    criteria = (passing_on("a", fresh=True), passing_on("b", fresh=True), passing_on("c"))
    passed, runs, _ = judged(FAILS_AT_FIRST, *criteria)
    assert passed == {"a": False, "b": False, "c": True}
    assert runs == 2


def test_what_fails_by_what_was_seen_leaves_its_process_to_the_next_one() -> None:
    failing = FAILS_AT_FIRST.replace("len(SEEN) > 1", "len(SEEN) != 2")
    passed, runs, _ = judged(failing, *map(passing_on, "abcd"))
    assert passed == dict.fromkeys("abcd", True)
    assert runs == 2  # b fails as the second of its process, and passes as the first


def test_who_gets_stuck_leaves_its_process_to_nobody() -> None:
    passed, runs, _ = judged(RIGHT, holding("a", 2), passing_on("b"), holding("c", 2))
    assert passed == {"a": False, "b": True, "c": False}
    assert runs == 3


def test_what_fails_in_a_shared_process_is_judged_in_one_of_its_own() -> None:
    passed, runs, _ = judged(FAILS_LATER, *map(passing_on, "abc"))
    assert passed == dict.fromkeys("abc", True)
    assert runs == 3


def test_an_app_that_was_stopped_is_not_called_again() -> None:
    passed, runs, _ = judged(RIGHT, stopping("a"), passing_on("b"))
    assert passed == {"a": True, "b": True}
    assert runs == 2


def test_a_call_that_is_left_behind_does_not_count_against_the_next_criterion() -> None:
    passed, _, _ = judged(KEEPS_A_CALL, holding("a", 2), holding("b", 2))
    assert passed == {"a": True, "b": True}


def test_calls_of_callers_who_have_left_do_not_count_for_the_next_criterion() -> None:
    async def judge(exam: Exam) -> str:
        async with exam.serving() as (app, upstream):
            upstream.script = upstream.hold
            app.call_many(3)
            flying = lambda: upstream.in_flight == 3  # noqa: E731
            await app.until(flying, called="three callers", expected="a call of each")
            raise Failed(called="three callers", saw="something wrong", expected="something else")

    assert "three calls" in ONE_THEN_TWO
    leaving = criterion("leaving", 1, fresh=False)(judge)
    passed, _, _ = judged(ONE_THEN_TWO, leaving, holding("three", 3))
    assert passed == {"leaving": False, "three": False}


def test_what_is_looked_at_by_the_way_costs_no_patience_and_no_process() -> None:
    async def judge(exam: Exam) -> str:
        async with exam.serving() as (app, _):
            with app.by_the_way():
                assert app.patience < exam.patience
                await app.until(lambda: False, called="nothing", expected="what cannot come")
            assert exam.patience == app.patience == QUIET_TICKS
            assert app.slot.rank is Rank.FAILING
        return "It did not come."

    by_the_way = criterion("by the way", 1, fresh=False)(judge)
    passed, runs, _ = judged(RIGHT, by_the_way, passing_on("b"))
    assert (passed, runs) == ({"by the way": True, "b": True}, 1)


def test_what_the_first_has_ruled_out_costs_no_process_and_the_others_go_on() -> None:
    async def first(exam: Exam) -> str:
        async with exam.serving() as (app, _):
            await app.get()
            assert await app.quiescent()
            exam.ruled_out["it"] = Failed(called="GET /", saw="this", expected="that")
        return "It is not so."

    async def about_it(exam: Exam) -> str:
        raise exam.ruled_out["it"]

    criteria = (Criterion("first", 1, first), Criterion("about it", 1, about_it, fresh=False))
    passed, runs, _ = judged(RIGHT, *criteria, passing_on("b"))
    assert (passed, runs) == ({"first": True, "about it": False, "b": True}, 1)


@pytest.mark.parametrize("second_look", [False, True])
def test_waits_that_are_in_vain_need_no_second_slot(second_look: bool) -> None:
    criteria = (holding("a", 1), holding("b", 2), holding("c", 1), holding("d", 2))
    passed, _, _ = judged(RIGHT, *criteria, slots=1, second_look=second_look)
    assert passed == {"a": True, "b": False, "c": True, "d": False}


def test_code_that_cannot_be_executed_is_executed_once() -> None:
    passed, runs, exam = judged("1 / 0", passing_on("a", fresh=True), passing_on("b", fresh=True))
    assert not passed
    assert runs == 1
    assert exam.first_load.outcome == "crashed"
    assert "ZeroDivisionError" in exam.first_load.reason


def test_other_bindings_need_another_process() -> None:
    async def judge(exam: Exam) -> str:
        async with exam.serving(MORE=1) as (app, _):
            await app.get()
        return "It was served."

    other: Callable[[Callable[[Exam], Awaitable[str]]], Criterion]
    other = criterion("other", 1, fresh=False)
    passed, runs, _ = judged(RIGHT, passing_on("a"), other(judge), passing_on("b"))
    assert passed == {"a": True, "other": True, "b": True}
    assert runs == 3


def test_a_process_of_its_own_does_not_wait_for_the_slot_of_the_shared_one() -> None:
    async def judge(exam: Exam) -> str:
        async with exam.run() as app:
            with pytest.raises(AnswerError):
                await app.load()
        return "URL was not bound."

    alone = criterion("alone", 1, fresh=False)(judge)
    passed, runs, _ = judged(f"URL\n{RIGHT}", passing_on("a"), alone, passing_on("b"), slots=1)
    assert passed == {"a": True, "alone": True, "b": True}
    assert runs == 3


def test_a_criterion_that_is_served_twice_gets_two_processes() -> None:
    async def judge(exam: Exam) -> str:
        for _ in range(2):
            async with exam.serving() as (app, _):
                if (await app.get()).status != 200:
                    raise Failed(called="GET /", saw="an error", expected="the first is served")
        return "Both were the first of their process."

    twice = criterion("twice", 1, fresh=False)(judge)
    passed, runs, _ = judged(FAILS_LATER, twice)
    assert (passed, runs) == ({"twice": True}, 2)
    passed, runs, _ = judged(RIGHT, passing_on("a"), twice, passing_on("b"))
    assert (passed, runs) == ({"a": True, "twice": True, "b": True}, 2)
    passed, runs, _ = judged(FAILS_LATER, twice, passing_on("a"))
    assert passed == {"a": True, "twice": True}


@pytest.mark.parametrize(("kept", "passes"), [(0.0, True), (float("inf"), False)])
def test_what_failed_while_calls_were_kept_for_very_long_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, kept: float, passes: bool
) -> None:
    monkeypatch.setattr(apps, "KEPT_IN_FLIGHT", kept)
    looks: list[None] = []

    async def judge(exam: Exam) -> str:
        async with exam.serving() as (app, _):
            await app.get()
            looks.append(None)
            if len(looks) == 1:
                raise Failed(called="GET /", saw="a timeout of its own", expected="an answer")
        return "Later it came."

    passed, _, _ = judged(RIGHT, criterion("late", 1)(judge))
    assert passed == {"late": passes}

"""Scenarios: one run, several criteria; what is in doubt is played once more, alone."""

from __future__ import annotations

import asyncio

from unblocked.grading.checks import Criterion, Exam, Facts, Failed, Scenario, criterion, scenario
from unblocked.grading.judge.judging import Judging, Verdict
from unblocked.grading.sandbox.pool import Sandbox

UNCERTAIN = Failed(saw="nothing moves", expected="that", certain=False)


def wrong() -> Failed:
    return Failed(saw="this", expected="that")


def judged(*scenarios: Scenario) -> tuple[list[Verdict], list[str], list[int], Exam]:
    """The verdicts, what was told as it came, and how many were doubtful."""

    async def main() -> tuple[list[Verdict], list[str], list[int], Exam]:
        exam = Exam(Sandbox(), "")
        told: list[str] = []
        doubts: list[int] = []
        judging = Judging(scenarios, exam, lambda v: told.append(v.name), doubts.append)
        return await judging.verdicts(), told, doubts, exam

    return asyncio.run(main())


def test_a_scenario_judges_several_criteria_and_goes_on_behind_a_failure() -> None:
    @scenario(Criterion("one", 1, passed="well done"), Criterion("two", 2), Criterion("three", 3))
    async def play(exam: Exam, facts: Facts) -> None:
        with facts("one"):
            pass
        with facts("two"):
            raise wrong()
        assert facts.met("one")
        assert not facts.met("one", "two")
        with facts("three"):
            pass

    verdicts, told, _, _ = judged(play)
    assert [(v.name, v.points) for v in verdicts] == [("one", 1), ("two", 0), ("three", 3)]
    assert verdicts[0].message == "well done"
    assert "Saw: this" in verdicts[1].message
    assert told == ["one", "two", "three"]


def test_a_failure_outside_a_block_fails_what_has_not_been_judged() -> None:
    @scenario(Criterion("one", 1), Criterion("two", 2))
    async def play(exam: Exam, facts: Facts) -> None:
        with facts("one"):
            pass
        raise wrong()

    verdicts, *_ = judged(play)
    assert [v.passed for v in verdicts] == [True, False]


def test_all_blocks_about_a_criterion_must_come_to_their_end() -> None:
    @scenario(Criterion("one", 1), Criterion("two", 1))
    async def play(exam: Exam, facts: Facts) -> None:
        for error in (None, wrong(), None):
            with facts("one"):
                if error:
                    raise error
        with facts("two"):
            pass

    verdicts, *_ = judged(play)
    assert [v.passed for v in verdicts] == [False, True]


def test_a_criterion_that_nothing_is_said_of_is_the_checks_own_fault() -> None:
    @scenario(Criterion("one", 1))
    async def play(exam: Exam, facts: Facts) -> None:
        pass

    verdicts, *_ = judged(play)
    assert "This check failed itself" in verdicts[0].message


def test_what_failed_by_patience_alone_is_played_once_more_and_told_once() -> None:
    played: list[str] = []

    @criterion("late", 1)
    async def late(exam: Exam) -> str:
        played.append("late")
        if played.count("late") == 1:
            raise UNCERTAIN
        return "in time"

    @criterion("certain", 1)
    async def certain(exam: Exam) -> str:
        played.append("certain")
        raise wrong()

    verdicts, told, doubts, _ = judged(late, certain)
    assert [v.passed for v in verdicts] == [True, False]
    assert sorted(played) == ["certain", "late", "late"]
    assert sorted(told) == ["certain", "late"]
    assert doubts == [1]


def test_a_second_failure_by_patience_counts() -> None:
    @criterion("late", 1)
    async def late(exam: Exam) -> str:
        raise UNCERTAIN

    verdicts, told, _, _ = judged(late)
    assert [v.passed for v in verdicts] == [False]
    assert told == ["late"]


def test_all_that_failed_while_the_machine_was_too_busy_is_played_again() -> None:
    played: list[str] = []

    @criterion("starved", 1)
    async def starved(exam: Exam) -> str:
        played.append("starved")
        exam.findings.starved = True
        if played.count("starved") == 1:
            raise wrong()
        return "now it was seen"

    verdicts, *_ = judged(starved)
    assert [v.passed for v in verdicts] == [True]


def test_one_that_looks_at_what_others_found_is_played_when_they_are_over() -> None:
    order: list[str] = []

    @criterion("last", 1, last=True)
    async def last(exam: Exam) -> str:
        order.append("last")
        return ""

    @criterion("first", 1)
    async def first(exam: Exam) -> str:
        order.append("first")
        return ""

    verdicts, *_ = judged(last, first)
    assert order == ["first", "last"]
    assert [v.name for v in verdicts] == ["last", "first"]

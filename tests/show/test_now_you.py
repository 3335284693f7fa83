"""A task inside a lesson: what it says of code that is missing, wrong, stuck and right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.show.learner import _now_you, now_you

if TYPE_CHECKING:
    from collections.abc import Callable


def judged(capsys: pytest.CaptureFixture[str], body: Callable[[now_you], Any]) -> str:
    async def run() -> None:
        async with now_you("Add up", "add", then="Now multiply.", patience=0.2) as task:
            await body(task)

    asyncio.run(run())
    return capsys.readouterr().out


def test_a_body_that_comes_to_its_end_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(task: now_you) -> None:
        task.expect(1 + 1 == 2, "two")

    assert judged(capsys, body) == "✓ Done: Add up. Now multiply.\n"


def test_a_name_that_is_missing_is_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(task: now_you) -> None:
        exec("add(1, 1)", {})

    assert "○ Not tried yet: Add up. Define `add` in the cell above" in judged(capsys, body)


def test_another_missing_name_is_the_learners_error(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(task: now_you) -> None:
        exec("other(1, 1)", {})

    assert "✗ Not yet: Add up.\n  Your code raised NameError: name 'other'" in judged(capsys, body)


def test_an_expectation_that_is_not_met_says_where_to_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def body(task: now_you) -> None:
        task.expect(False, "the sum", look_at="the operator")

    said = judged(capsys, body)
    assert said == "✗ Not yet: Add up.\n  Expected: the sum.\n  Look at: the operator.\n"


def test_what_never_ends_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(task: now_you) -> None:
        await asyncio.Event().wait()

    assert "Expected: it still waits after 0.2 s" not in (said := judged(capsys, body))
    assert "✗ Not yet: Add up.\n  It still waits after 0.2 s.\n  Look at: " in said


def test_tasks_that_were_left_running_are_ended(capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        async with now_you("Start one"):
            left = asyncio.create_task(asyncio.Event().wait())
        assert left.cancelled()

    asyncio.run(run())
    assert "✓ Done" in capsys.readouterr().out


def test_who_looks_is_told_that_a_long_task_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(task: now_you) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    monkeypatch.setattr(_now_you, "SILENCE", 0)
    assert judged(capsys, body) == "✓ Done: Add up. Now multiply.\n", "nobody looks"
    monkeypatch.setattr(_now_you, "has_front_end", lambda: True)
    assert judged(capsys, body).splitlines()[0] == "… your code is being tried"
    monkeypatch.setattr(_now_you, "SILENCE", 60)
    assert judged(capsys, body) == "✓ Done: Add up. Now multiply.\n", "it was quick"


def test_long_lines_end_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(task: now_you) -> None:
        task.expect(False, "word " * 40 + "end", look_at="`a`")

    first, *rest = judged(capsys, body).splitlines()
    assert first == "✗ Not yet: Add up."
    assert max(map(len, rest)) <= 72
    assert all(line.startswith("  ") for line in rest), "what belongs to the verdict is indented"
    assert " ".join(" ".join(rest).split()) == "Expected: " + "word " * 40 + "end. Look at: `a`."


def test_an_interrupt_is_not_swallowed() -> None:
    async def run() -> None:
        async with now_you("Wait"):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())

"""Tests are judged by the apps that they tell apart: what runs beside them, and what it says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import course
from unblocked.grading.checks.catch import App, Bank, Kind, catching, read_bank
from unblocked.grading.judge.mark import Exercise, mark
from unblocked.grading.judge.versions import course_version
from unblocked.grading.sandbox.child.cells import put_together

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.course import Room

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="answers need POSIX processes here")

Marked = Callable[[str, Bank], dict[str, Any]]

ROOM = course.room("catch-the-bug")
BANK = read_bank(ROOM.folder / "apps")
GET = """
import asyncio
import httpx


async def get(url):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url)
"""


@pytest.fixture
def marked(in_sandbox: Callable[..., dict[str, Any]]) -> Marked:
    def run(tests: str, bank: Bank) -> dict[str, Any]:
        task = Exercise("catch-the-bug", "test_*", (catching(bank),), "", "", "0")
        return in_sandbox(lambda sandbox: mark(task, GET + tests, sandbox))

    return run


def small_bank(*wrong: str, right: tuple[str, ...] = ("streams",)) -> Bank:
    """These apps of the room, and their kinds."""
    apps = tuple(app for app in BANK.wrong if app.name in wrong)
    kinds = tuple(kind for kind in BANK.kinds if kind.name in {app.kind for app in apps})
    return Bank(kinds, tuple(app for app in BANK.right if app.name in right), apps)


def message(result: dict[str, Any]) -> str:
    return str(result["checks"][0]["message"])


TOGETHER = """
async def test_together(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await upstream.held(5)
    upstream.release()
    assert (await caller).status_code == 200
"""


def test_a_bug_that_is_caught_is_named(marked: Marked) -> None:
    result = marked(TOGETHER, small_bank("sequential"))
    assert result["points"] == 1
    assert "one after the other" in message(result)
    assert "1 of 5 calls in flight, and nothing moves any more" in message(result)


def test_a_bug_that_is_missed_says_only_its_kind(marked: Marked) -> None:
    result = marked("async def test_nothing(url, upstream): pass", small_bank("sequential"))
    assert result["points"] == 0
    assert "one after the other" not in message(result)
    assert "held(5)" in message(result)


def test_a_false_alarm_costs_a_point(marked: Marked) -> None:
    accusing = "\n\nasync def test_no(url, upstream):\n    assert url == 'no'\n"
    result = marked(TOGETHER + accusing, small_bank("sequential", "eleven"))
    assert result["points"] == 0
    first, *others = [c["message"] for c in result["checks"] if not c["passed"]]
    assert "test_no fails on a right app" in first
    assert not any("test_no" in message for message in others)


def test_a_slow_app_is_right_and_a_sleeping_test_is_not(marked: Marked) -> None:
    sleeps = TOGETHER.replace("await upstream.held(5)", "await asyncio.sleep(1.9)")
    sleeps = sleeps.replace("upstream.release()", "assert upstream.in_flight == 5")
    bank = small_bank("sequential", right=("slow", "late"))
    assert marked(TOGETHER, bank)["points"] == 1
    assert "test_together fails on a right app" in message(marked(sleeps, bank))


def test_the_clock_of_a_test_stands_still(marked: Marked) -> None:
    watches = """
import time


async def test_quick(url, upstream):
    began = time.monotonic()
    await get(url)
    assert time.monotonic() - began < 0.001
"""
    right = marked(watches, small_bank("sequential", right=("streams",)))
    assert "fails on a right app" not in message(right)
    slow = marked(watches, small_bank("sequential", right=("slow",)))
    assert "fails on a right app" in message(slow)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("await asyncio.Event().wait()", "nothing moves any more"),
        ("await asyncio.sleep(1000)", "nothing moves any more"),
        ("await upstream.held(1)", "0 of 1 calls in flight"),
        ("import os; os._exit(0)", "fails on a right app"),
        ("upstream.fail()", "0 calls are held"),
        ("upstream.hold(after='x')", "a whole number"),
        ("upstream.size = 10**9", "a whole number"),
        ("await upstream._wait('no such thing')", "fails on a right app"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_what_a_test_cannot_do_is_told(marked: Marked, lines: str, says: str) -> None:
    test = f"async def test_it(url, upstream):\n    {lines}\n"
    result = marked(test, small_bank("sequential"))
    assert result["outcome"] == "graded"
    assert says in message(result)


def test_other_parameters_and_plain_functions_are_told(marked: Marked) -> None:
    assert "takes `url` and `upstream`" in message(
        marked("async def test_it(client): pass", small_bank("sequential"))
    )
    assert "`async def`" in message(
        marked("def test_it(url, upstream): pass", small_bank("sequential"))
    )


def test_no_tests_are_no_answer(marked: Marked) -> None:
    result = marked("", small_bank("sequential"))
    assert (result["points"], result["outcome"]) == (0, "no-answer")
    assert "defines no test" in message(result)


def test_apps_are_changed_by_a_line_or_two_and_look_different_each_time() -> None:
    right = {app.name: app.source for app in BANK.right}
    for app in BANK.wrong:
        lines = set(app.source.splitlines())
        nearest = min(len(lines ^ set(source.splitlines())) for source in right.values())
        assert nearest <= 5, app.name
    looks = [str(App.looks()) for _ in range(20)]
    assert len(set(looks)) > 5


def test_each_kind_has_an_app_and_there_are_fifteen() -> None:
    assert len(BANK.kinds) == ROOM.points == 15
    assert {app.kind for app in BANK.wrong} == {kind.name for kind in BANK.kinds}
    assert all(isinstance(kind, Kind) and kind.hint for kind in BANK.kinds)


@pytest.mark.parametrize("change", ["no such line", "import"])
def test_a_change_that_does_not_fit_is_told(tmp_path: Path, change: str) -> None:
    (tmp_path / "right").mkdir()
    (tmp_path / "right" / "one.py").write_text("import a\nimport b\n")
    kind = 'kind = [{name = "k", hint = "h"}]\n'
    app = f'[[app]]\nname = "n"\nkind = "k"\nbug = "b"\nof = "one"\nold = "{change}"\nnew = ""\n'
    (tmp_path / "wrong.toml").write_text(kind + app)
    with pytest.raises(ValueError, match="times"):
        read_bank(tmp_path)


def test_the_apps_are_part_of_the_version(tmp_path: Path) -> None:
    def version() -> str:
        return course_version(room)

    room: Room = course.Room("r", tmp_path, "R", 1, 1, "")
    room.checks.write_text("")
    before = version()
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "one.py").write_text("x = 1")
    assert version() != before


def test_of_two_copies_with_tests_the_last_counts() -> None:
    first, last = ("async def test_x(url, upstream): pass\n", "async def test_y(url): pass\n")
    assert put_together([first, last], "test_*").source == last

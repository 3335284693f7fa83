"""From a set of tests to its criteria: one for each kind of bug, less one for each false alarm."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from unblocked.grading.checks.app import App as Running
from unblocked.grading.checks.app import Findings
from unblocked.grading.checks.catch.stage import Stage, Stuck
from unblocked.grading.checks.exam import Criterion, scenario
from unblocked.grading.checks.expect import Failed
from unblocked.grading.sandbox.run import AnswerError, Code, Gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from unblocked.grading.checks.catch.bank import App, Bank, Kind
    from unblocked.grading.checks.exam import Exam, Facts, Scenario

NO_TESTS = "Your answer defines no test: write `async def test_…(url, upstream)` functions."
MOST_TESTS = 40
MOST_ALARMS_TOLD = 3


def catching(bank: Bank) -> Scenario:
    """A scenario that judges an answer's tests by these apps: a criterion for each kind of bug."""

    async def play(exam: Exam, facts: Facts) -> None:
        verdict = Catch(exam, bank)
        if await verdict.has_tests():
            await verdict.play()
            verdict.tell(facts)

    return scenario(*(Criterion(kind.name, points=1) for kind in bank.kinds))(play)


class Catch:
    """What the tests of one answer say of the apps of a bank."""

    def __init__(self, exam: Exam, bank: Bank) -> None:
        self.exam, self.bank = exam, bank
        self.tests: list[str] = []
        self.alarms: dict[str, str] = {}
        """Tests that fail on a right app, and what they say there."""
        self.told = False
        """Whether they have been told: once is enough, in the first criterion that fails."""
        self.caught: dict[str, tuple[str, str]] = {}
        """Wrong apps that are caught: by which test, and what it says."""

    async def has_tests(self) -> bool:
        """Learn the names of the answer's tests; whether there are any."""
        async with self.exam.sandbox.slots, self._running(self.exam.findings) as tests:
            await tests.load()
            found = (await tests.process.order("tests"))["value"]
        self.tests = found[:MOST_TESTS]
        first = self.exam.findings.first_load
        if not found:
            first.outcome, first.reason = "no-answer", NO_TESTS
        elif len(found) > MOST_TESTS:
            first.outcome, first.reason = "crashed", f"More than {MOST_TESTS} tests: write fewer."
        return not first.reason

    async def play(self) -> None:
        """Show the right apps to all tests, then the wrong ones to those that accuse nobody."""
        await self._show(self.bank.right)
        await self._show(self.bank.wrong)

    async def _show(self, apps: Iterable[App]) -> None:
        async with asyncio.TaskGroup() as group:
            for app in apps:
                group.create_task(self._show_one(app))

    async def _show_one(self, app: App) -> None:
        """Run one test after the other before an app: a wrong one that is caught needs no more."""
        async with self.exam.sandbox.slots:
            left = list(self.tests)
            while left and app.name not in self.caught:
                left = await self._show_to(left, app)

    async def _show_to(self, names: list[str], app: App) -> list[str]:
        """Run tests in one process; return those that are left when it cannot be used any more."""
        left = self._in_order(names)
        with contextlib.suppress(_Spoilt):
            async with self._running(Findings()) as tests:
                await self._load(tests)
                while left and app.name not in self.caught:
                    name = left.pop(0)
                    if name not in self.alarms:
                        await self._play(tests, name, app)
        return left

    def _in_order(self, names: list[str]) -> list[str]:
        """The tests that have caught most come first."""
        by = [test for test, _ in self.caught.values()]
        return sorted(names, key=by.count, reverse=True)

    async def _load(self, tests: Running) -> None:
        await tests.load()
        await tests.freeze()

    async def _play(self, tests: Running, name: str, app: App) -> None:
        try:
            async with self._serving(app) as running, Stage(tests, running) as stage:
                error = await stage.play(name)
        except (Stuck, Gone, AnswerError) as spoilt:
            self._note(name, app, str(spoilt) or "it ended its own process")
            raise _Spoilt from None
        if error:
            self._note(name, app, error)

    def _note(self, name: str, app: App, error: str) -> None:
        if not app.kind:
            self.alarms.setdefault(name, error)
        else:
            self.caught[app.name] = (name, error)

    @contextlib.asynccontextmanager
    async def _running(self, findings: Findings) -> AsyncIterator[Running]:
        """A process for the tests."""
        run = self.exam.sandbox.run(self.exam.code)
        async with run, contextlib.AsyncExitStack() as stack:
            yield Running(run, stack, findings)
            self.exam.findings.note = run.note

    @contextlib.asynccontextmanager
    async def _serving(self, app: App) -> AsyncIterator[Running]:
        """A process for an app, not started yet."""
        run = self.exam.sandbox.run(Code((app.source,)))
        async with run, contextlib.AsyncExitStack() as stack:
            running = Running(run, stack, Findings())
            running.bind(**app.looks())
            yield running

    # --- the verdict -----------------------------------------------------------------------------

    def tell(self, facts: Facts) -> None:
        """Judge each kind: a point for one that is caught, less one for each false alarm."""
        caught = [kind for kind in self.bank.kinds if not self._missed(kind)]
        paying = set(caught[len(caught) - len(self.alarms) :] if self.alarms else ())
        for kind in self.bank.kinds:
            if kind not in caught:
                facts.told[kind.name] = self._not_caught(kind)
            elif kind in paying:
                facts.told[kind.name] = self._paid(kind)
            else:
                facts.told[kind.name] = self._sentence(kind)

    def _apps(self, kind: Kind) -> list[App]:
        return [app for app in self.bank.wrong if app.kind == kind.name]

    def _missed(self, kind: Kind) -> list[App]:
        return [app for app in self._apps(kind) if app.name not in self.caught]

    def _sentence(self, kind: Kind) -> str:
        app = self._apps(kind)[0]
        test, error = self.caught[app.name]
        return f"{app.bug} {test} caught it: {error}"

    def _not_caught(self, kind: Kind) -> Failed:
        among, missed = len(self._apps(kind)), len(self._missed(kind))
        saw = "all tests that count pass" if among == missed else "one such app is caught, not all"
        return Failed(
            called="your tests, on an app with a bug of this kind",
            saw=f"{saw}{self._told_alarms('; ')}",
            expected="a test that fails",
            look=kind.hint,
        )

    def _paid(self, kind: Kind) -> Failed:
        return Failed(
            called="your tests, on right apps",
            saw=self._told_alarms() + f". ({kind.name}: caught, and the point pays for that)",
            expected="tests that pass on every right app: a false alarm costs a point",
            look="what the statement promises only after the upstream has released its calls, and "
            "what it leaves open",
        )

    def _told_alarms(self, before: str = "") -> str:
        if self.told:
            return f"{before}the false alarms above"
        told = [f"{name} fails on a right app ({error})" for name, error in self.alarms.items()]
        more = len(told) - MOST_ALARMS_TOLD
        rest = [f"and {more} more"] if more > 0 else []
        self.told = bool(told)
        return before + "; ".join(told[:MOST_ALARMS_TOLD] + rest) if told else ""


class _Spoilt(Exception):
    """A tests' process that can be used no more."""

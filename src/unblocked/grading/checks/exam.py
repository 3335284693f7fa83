"""Criteria and scenarios, and the answer that they are about.

A criterion never looks at a clock: it lets the upstream hold its replies until what must happen
together has happened, and waits for that.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.app import App, Findings
from unblocked.grading.checks.expect import Failed, called
from unblocked.grading.checks.upstream import Upstream, at_once
from unblocked.grading.sandbox.run import Code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from unblocked.grading.checks.upstream import Call, Expects
    from unblocked.grading.sandbox.pool import Sandbox


class Exam:
    """One answer, to be run as often as the criteria need."""

    def __init__(self, sandbox: Sandbox, answer: str | Code) -> None:
        self.sandbox = sandbox
        self.code = Code((answer,)) if isinstance(answer, str) else answer
        self.findings = Findings()

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[App]:
        """A fresh process for the answer; nothing is executed before `App.load` or `start`.

        Raises:
            Failed: on leaving, an upstream got a call that nobody had asked for.
        """
        run = self.sandbox.run(self.code)
        async with self.sandbox.slots, run, contextlib.AsyncExitStack() as stack:
            app = App(run, stack, self.findings)
            try:
                yield app
                _expect_no_other_call(app)
            except Failed as failure:
                with called(failure.called):
                    _expect_no_other_call(app)  # which is the cause of whatever else was seen
                raise
            finally:
                self.findings.note = self.findings.note or run.note
                self.findings.blocking.update(run.blocking)
                self.findings.out_of_memory |= run.killed_for_memory
                self.findings.starved |= app.was_starved

    @contextlib.asynccontextmanager
    async def serving(
        self,
        script: Callable[[Call], Awaitable[None]] = at_once,
        *,
        expects: Expects = "GET /quote",
        text_size: int = 400,
        **bindings: Any,
    ) -> AsyncIterator[tuple[App, Upstream]]:
        """The answer's app, started, with `URL` bound to an upstream that follows `script`."""
        async with self.run() as app:
            upstream = await app.upstream(script, expects=expects, text_size=text_size)
            app.bind(URL=f"{upstream.url}/quote", **bindings)
            await app.start()
            yield app, upstream


def _expect_no_other_call(app: App) -> None:
    for upstream in app.upstreams:
        upstream.expect_no_other_call()


@dataclass(frozen=True)
class Criterion:
    """One thing that is graded, and the sentence for those who meet it."""

    name: str
    points: int
    passed: str = ""


class Facts:
    """What one run of a scenario establishes: each criterion met, or why not."""

    def __init__(self) -> None:
        self.told: dict[str, Exception | str] = {}
        """A sentence for each criterion that is met, the failure for each that is not."""

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Judge the criterion `name` by the block; the scenario goes on behind it either way.

        More than one block may be about a criterion: all of them must come to their end.
        """
        try:
            yield
        except Failed as failure:
            if self.met(name) or name not in self.told:
                self.told[name] = failure
        else:
            self.told.setdefault(name, "")

    def met(self, *names: str) -> bool:
        """Return whether these criteria are met so far: what builds on them makes sense."""
        return all(isinstance(self.told.get(name), str) for name in names)


@dataclass(frozen=True, eq=False)
class Scenario:
    """One run that establishes one or more criteria."""

    criteria: tuple[Criterion, ...]
    play: Callable[[Exam, Facts], Awaitable[None]]
    last: bool = False
    """Whether it looks at what all others have found, and so is played when they are over."""
    checks: str = ""
    """The file that it stands in."""


def criterion(
    name: str, points: int, *, last: bool = False
) -> Callable[[Callable[[Exam], Awaitable[str]]], Scenario]:
    """Make an async function of a room's `checks.py` a criterion with a run of its own.

    The function returns the sentence for those who meet it: what a right answer may learn next.
    It raises `Failed` for the others.
    """

    def scenario_of(judge: Callable[[Exam], Awaitable[str]]) -> Scenario:
        async def play(exam: Exam, facts: Facts) -> None:
            facts.told[name] = await judge(exam)

        return Scenario((Criterion(name, points),), play, last, judge.__code__.co_filename)

    return scenario_of


def scenario(
    *criteria: Criterion,
) -> Callable[[Callable[[Exam, Facts], Awaitable[None]]], Scenario]:
    """Make an async function of a room's `checks.py` a scenario: one run, several criteria.

    The function judges each criterion in a block `with facts("its name"):`. What it raises outside
    such a block fails all criteria that have not been judged by then.
    """

    def scenario_of(play: Callable[[Exam, Facts], Awaitable[None]]) -> Scenario:
        return Scenario(criteria, play, checks=play.__code__.co_filename)

    return scenario_of

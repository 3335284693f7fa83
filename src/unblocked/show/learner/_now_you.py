"""A small task inside a lesson: the learner writes a few lines, and the next cell tells at once."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from unblocked.show._frontend import folded, has_front_end

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

PATIENCE = 20.0
"""Seconds after which a task that waits for nothing is told so; right answers end at once."""
SILENCE = 1.0
"""Seconds after which whoever looks is told that something is going on."""


class NotYet(Exception):
    """What is wrong with the learner's code, in one sentence, and where to look."""

    def __init__(self, sentence: str, look_at: str) -> None:
        super().__init__(sentence)
        self.look_at = look_at


class now_you:  # lower case: a notebook reads `async with now_you(...) as task:`
    """Judge what the learner wrote in the cell above, and print one verdict.

    Used as `async with now_you(title, *names) as task:`. The body calls what the learner wrote and
    says by `task.expect(...)` what must be so. The verdict begins with one of three signs:

    - `○ Not tried yet`: one of `names` is not defined. The lesson goes on without it.
    - `✗ Not yet`: an expectation was not met, or the learner's code raised or never ended.
    - `✓ Done`: the body came to its end.

    Whatever the learner's code raises is told in a sentence, and no traceback is shown. Tasks that
    it started and left running are cancelled. Interrupting the cell interrupts it as usual.

    Args:
        title: what is asked for, in a few words.
        names: what the learner defines, such as the name of a function.
        then: what a right answer teaches next; printed when the task is done.
        patience: seconds until a body that waits for nothing is ended.
    """

    def __init__(self, title: str, *names: str, then: str = "", patience: float = PATIENCE) -> None:
        self._title = title
        self._names = names
        self._then = then
        self._timeout = asyncio.timeout(patience)
        self._patience = patience
        self._running: set[asyncio.Task[object]] = set()
        self._sign: asyncio.TimerHandle | None = None

    def expect(self, met: object, expected: str, *, look_at: str = "") -> None:
        """Go on when `met` is true; otherwise end the body and print `expected` and `look_at`.

        Raises:
            NotYet: `met` is false. The `async with` statement turns it into the verdict.
        """
        if not met:
            raise NotYet(f"Expected: {expected}.", look_at)

    async def __aenter__(self) -> Self:
        self._running = asyncio.all_tasks()
        if has_front_end():
            loop = asyncio.get_running_loop()
            self._sign = loop.call_later(SILENCE, print, "… your code is being tried")
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> bool:
        if self._sign is not None:
            self._sign.cancel()
        try:
            await self._timeout.__aexit__(kind, error, where)
        except TimeoutError:
            error = NotYet(f"It still waits after {self._patience:g} s.", "what it waits for")
        # Before the verdict: a task left behind would print or fail in the middle of a later cell.
        await _end(asyncio.all_tasks() - self._running)
        if error is not None and not isinstance(error, Exception):
            return False  # an interrupt
        print(folded(self._verdict(error)))
        return True

    def _verdict(self, error: BaseException | None) -> str:
        match error:
            case None:
                return " ".join(filter(None, [f"✓ Done: {self._title}.", self._then]))
            case NameError(name=name) if name in self._names:
                return (
                    f"○ Not tried yet: {self._title}. Define `{name}` in the cell above, run that "
                    "cell, and run this one again. Nothing below needs it."
                )
            case NotYet(look_at=look_at):
                hint = f"\n  Look at: {look_at}." if look_at else ""
                return f"✗ Not yet: {self._title}.\n  {error}{hint}"
            case _:
                return f"✗ Not yet: {self._title}.\n  Your code raised {_describe(error)}"


async def _end(tasks: set[asyncio.Task[object]]) -> None:
    """Cancel what the learner's code left running, and wait until it has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _describe(error: BaseException) -> str:
    """Return an error in one line, with the line of the learner's cell that it came from."""
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return _describe(error.exceptions[0])
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    line = _line_in_a_cell(error)
    return f"{said} (line {line[0]}: {line[1]})" if line else said


def _line_in_a_cell(error: BaseException) -> tuple[int, str] | None:
    """Return number and text of the innermost line of an error that lies in a cell other than the
    running one.
    """
    shell = get_ipython()
    if shell is None:
        return None
    here = sys._getframe()
    while here.f_back is not None and not here.f_code.co_filename.startswith(_cells()):
        here = here.f_back
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename.startswith(_cells()) and f.line]
    elsewhere = [f for f in ours if f.filename != here.f_code.co_filename]
    return (elsewhere[-1].lineno or 0, elsewhere[-1].line or "") if elsewhere else None


def _cells() -> str:
    """Return how the names begin under which IPython compiles cells."""
    from ipykernel.compiler import get_tmp_directory

    return str(get_tmp_directory())  # type: ignore[no-untyped-call]

"""The other end of `child`: read messages of the parent, and end when the parent does."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from unblocked.rig.child import Message

_LEAVE_SECONDS = 1.0


def first_message() -> Message:
    """Read what the parent sends at the start; leave when there is no parent any more."""
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    message: Message = json.loads(line)
    return message


def tell(message: Message) -> None:
    """Write one message to the parent; leaves when nobody listens."""
    try:
        sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
        sys.stdout.buffer.flush()
    except OSError:
        os._exit(0)


def follow(
    loop: asyncio.AbstractEventLoop, hear: Callable[[Message], None], end: Callable[[], object]
) -> None:
    """Call `hear` on the loop for each message, and `end` when the parent closes its end.

    A thread reads, since Windows' loops cannot; it also ends a process whose loop does not.
    """
    threading.Thread(target=_read, args=(loop, hear, end), name="watchdog", daemon=True).start()


def _read(
    loop: asyncio.AbstractEventLoop, hear: Callable[[Message], None], end: Callable[[], object]
) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(hear, json.loads(line))
    try:
        loop.call_soon_threadsafe(end)
    except RuntimeError:
        return  # The loop has closed: the process is leaving.
    time.sleep(_LEAVE_SECONDS)
    os._exit(0)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on uvloop where there is one, to leave more of the machine to what is measured."""
    import asyncio

    failed = True
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
        failed = False
    except Exception:
        traceback.print_exc()
    finally:  # The reading thread may still wait in a read that nothing interrupts.
        os._exit(failed)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory

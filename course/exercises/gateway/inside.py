"""Time that passes at once, and memory that is kept, without what is only garbage."""

import asyncio
import contextlib
import ctypes
import gc


def put_forward(seconds):
    """Put the clock of the event loop forward, so that nobody need wait for its timers."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds


def collect():
    """Make what is garbage free."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)  # else threads keep what they freed, each for itself

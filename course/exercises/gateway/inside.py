"""Make what is garbage free, so that the memory that is left is memory that is kept."""

import contextlib
import ctypes
import gc


def collect():
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)  # else threads keep what they freed, each for itself

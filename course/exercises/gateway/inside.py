"""Make what is garbage free, so that the memory that is left is memory that is kept."""

import gc


def collect():
    gc.collect()

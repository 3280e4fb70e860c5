"""Memory that each block of customers needs again, kept by the process."""

from __future__ import annotations

import sys
from contextlib import suppress

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, by their numbers in glibc's malloc.h
KEPT = 64 << 20  # bytes that may lie unused before the system gets some back
LARGEST = 16 << 20  # bytes of one array that is taken from what was kept


def keep_freed() -> None:
    """Let glibc keep what is freed, where it would return it to the system after each block.

    Most of the system's share of the time goes into clearing pages that are handed out again.
    Other systems decide for themselves.
    """
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, LARGEST)

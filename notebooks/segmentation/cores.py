"""Spread independent work over the cores without changing its result.

One thread per piece of work, fixed pieces, results in the order of the pieces: what comes out is
the same, to the last bit, on one core and on many. Threads rather than processes, so that nothing
is left behind when a run is killed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import sklearn.cluster  # noqa: F401  (loads the libraries that the controller has to find)
from threadpoolctl import ThreadpoolController

_here = threading.local()
_HANDOVER = 1e-4  # seconds that a worker keeps Python's lock at most while others wait for it


def spread(function: Callable, items: Iterable, *, workers: int | None = None) -> list:
    """Apply a function to each item, one single-threaded worker per core.

    Parameters
    ----------
    function : callable
        Spends its time in numpy, scipy or scikit-learn, which release Python's lock. What it
        spreads in turn runs in its own thread.
    items : iterable
        Drawn in order by the calling thread, while the workers are busy already.
    workers : int, optional
        Number of threads; by default the cores this process may use.

    Returns
    -------
    list
        The results, in the order of the items.
    """
    if getattr(_here, "is_worker", False):
        return [function(item) for item in items]
    total = len(items) if isinstance(items, Sized) else None
    with (
        _controller().limit(limits=1, user_api="blas"),  # one setting for the whole process
        _handing_over(),
        ThreadPoolExecutor(workers or _cores(), initializer=_become_worker) as pool,
    ):
        report = getattr(_here, "report", None)
        results = []
        for result in pool.map(function, items):
            results.append(result)
            if report:
                report(len(results), total)
        return results


@contextmanager
def reporting(report: Callable[[int, int | None], None]) -> Iterator[None]:
    """Tell, of each `spread` that this thread calls meanwhile, how many items are done.

    Parameters
    ----------
    report : callable
        Gets the number of items that are done, and of all where it is known.
    """
    _here.report = report
    try:
        yield
    finally:
        del _here.report


@contextmanager
def _handing_over() -> Iterator[None]:
    """Let workers wait less for Python's lock: their calls last as long as its usual interval."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _HANDOVER))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _become_worker() -> None:
    _here.is_worker = True
    _controller().limit(limits=1, user_api="openmp")  # a setting of each thread

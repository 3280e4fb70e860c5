"""Ordered parallel map: independent work over the cores, with the results of a plain loop.

One single-threaded worker per core, and results in the order of the items: what comes out is the
same, to the last bit, on one core and on many. Threads rather than processes, so that nothing is
left behind when a run is killed.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

_thread = threading.local()


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply a function to each item and yield the results in the order of the items.

    Parameters
    ----------
    function : callable
        Spends its time in libraries that release Python's lock, such as numpy and scikit-learn.
        A parallel map within a worker is a plain one.
    items : iterable
        Drawn by the calling thread, one more than there are workers at most before a result is
        taken: memory does not grow with the number of items.
    """
    if getattr(_thread, "is_worker", False):
        yield from map(function, items)
        return
    workers, report = available_cores(), getattr(_thread, "report", None)
    total = len(items) if isinstance(items, Sized) else None
    controller = ThreadpoolController()
    waiting: deque[Future[Result]] = deque()
    done = 0

    def become_worker() -> None:
        _thread.is_worker = True
        controller.limit(limits=1, user_api="openmp")  # a setting of each thread

    def first_result() -> Result:
        nonlocal done
        result = waiting.popleft().result()
        done += 1
        if report:
            report(done, total)
        return result

    with (
        controller.limit(limits=1, user_api="blas"),  # one setting for the whole process
        ThreadPoolExecutor(workers, initializer=become_worker) as pool,
    ):
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers:
                    yield first_result()
            while waiting:
                yield first_result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def reporting(report: Callable[[int, int | None], None]) -> Iterator[None]:
    """Report the items done, of how many, for each `parallel_map` that this thread starts."""
    _thread.report = report
    try:
        yield
    finally:
        del _thread.report


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

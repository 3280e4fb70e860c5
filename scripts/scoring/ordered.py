"""Work on the pieces of a file side by side, with results in the order of the file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Apply a function to items in threads, a few ahead of who takes the results.

    Parameters
    ----------
    function : callable
        Spends its time in numpy and Arrow, which release Python's lock.
    items : iterable
        Drawn by the calling thread; never more than one a worker is held beyond the one that is
        next, so that memory does not grow with the number of items.
    workers : int, optional
        By default the cores this process may use.
    """
    workers = workers or _cores()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

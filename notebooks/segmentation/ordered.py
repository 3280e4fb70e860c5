"""Work on the pieces of a file side by side, with results in the order of the file.

Unlike `cores`, which spreads what is in memory, it holds few pieces at a time.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

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


def read_ahead(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Draw items in a thread of their own, a few before they are asked for."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(entry: tuple[bool, Any]) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                return ready.put(entry, timeout=0.1)

    def draw() -> None:
        drawn = iter(items)
        try:
            while not stop.is_set():
                put((True, next(drawn)))
        except BaseException as error:
            put((False, error))
        finally:
            if isinstance(drawn, Generator):
                drawn.close()

    thread = threading.Thread(target=draw, name="reader")
    thread.start()
    try:
        while True:
            more, entry = ready.get()
            if more:
                yield entry
            elif isinstance(entry, StopIteration):
                return
            else:
                raise entry
    finally:
        stop.set()
        thread.join()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""Spread independent work over the cores without changing its result.

One thread per piece of work, fixed pieces, results in the order of the pieces: what comes out is
the same, to the last bit, on one core and on many. Threads rather than processes, so that nothing
is left behind when a run is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import sklearn.cluster  # noqa: F401  (loads the libraries that the controller has to find)
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _one_openmp_thread() -> None:
    # OpenMP keeps its setting per thread, so each worker sets its own, once.
    _controller().limit(limits=1, user_api="openmp")


def spread(function: Callable, items: Iterable, *, workers: int | None = None) -> list:
    """Apply a function to each item, one single-threaded worker per core.

    Parameters
    ----------
    function : callable
        Spends its time in numpy, scipy or scikit-learn, which release Python's lock.
    items : iterable
        Drawn in order by the calling thread while the workers are busy already.
    workers : int, optional
        Number of threads; by default the cores this process may use.

    Returns
    -------
    list
        The results, in the order of the items.
    """
    with (
        _controller().limit(limits=1, user_api="blas"),  # one setting for the whole process
        ThreadPoolExecutor(workers or joblib.cpu_count(), initializer=_one_openmp_thread) as pool,
    ):
        return list(pool.map(function, items))

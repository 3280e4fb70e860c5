"""Ways to one result take turns, each in a process of its own, and have to give the same."""

from __future__ import annotations

import multiprocessing
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil

from runner import RunFailed, records
from runner.plan import now

MEASURES = ("seconds", "cpu_seconds", "peak_memory", "extra_memory")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONHASHSEED": "0"}
PAUSE, LOOKING = 0.05, 0.05  # seconds between two looks at the memory; the most of a core for them

Settings = Mapping[str, Any]
Result = Mapping[str, Any]  # of tables, arrays, numbers and texts
Equality = tuple[bool, str]  # whether results are equal, and a sentence that says how


def goal(against: str, least: float, measure: str = "seconds", why: str = "") -> dict[str, Any]:
    """Say what another way's cost, divided by ours, should be at least; below 1 ours may be more.

    `measure` is one of `MEASURES`: extra memory is that beyond what was loaded before. `why` says
    what limits the ratio.
    """
    return {"against": against, "least": least, "measure": measure, "why": why}


def equal_results(
    results: Mapping[str, Result],
    settings: Settings,
    may_differ: tuple[str, ...] = (),
    why: str = "",
) -> Equality:
    """Hold all results against the first: labels and texts equal, other numbers to 1e-9.

    Those whose names begin with `may_differ` may differ, and `why` says why.
    """
    import pandas as pd  # not among what is in memory before a way begins

    (first, expected), *others = results.items()
    differ = []
    for name, result in others:
        if set(expected) != set(result):
            return False, f"{first} and {name} do not give the same"
        for key in sorted(expected):
            pair = (
                value if isinstance(value, pd.DataFrame) else pd.DataFrame(np.atleast_1d(value))
                for value in (expected[key], result[key])
            )
            try:
                pd.testing.assert_frame_equal(*pair, check_dtype=False, rtol=1e-9, atol=1e-9)
            except AssertionError:
                if not key.startswith(may_differ):
                    return False, f"{key} of {name} differs from that of {first}"
                differ.append(key)
    same = f"{len(expected) - len(differ)} of {len(expected)} tables equal to 1e-9"
    return True, f"{same}; {', '.join(differ)} {why}" if differ else "equal"


@dataclass(frozen=True)
class Entry:
    """Ways to one result, the project's own first; all functions stand in modules by name.

    Attributes
    ----------
    name, title : str
        For --only and records; for tables.
    ways : dict of str to callable
        Each gets what `load` has made, or the folder, and the settings; only this is timed, with
        the programs that it starts.
    full, quick : tuple of dict
        The cases, each a mapping of plain values; the quick ones take seconds.
    prepare : callable, optional
        Gets folder and settings, and makes files there for a case, once, untimed.
    load : callable, optional
        Gets folder and settings, and makes what ways get, in each process, untimed.
    equal : callable
        Gets the results by way, and the settings.
    goals : tuple of dict
        By `goal`.
    figures : callable, optional
        Gets, for each case, its settings and the measurements by way; returns numbers that follow
        from several cases: dicts of name, value and the most that it may be.
    rounds : int
        At full size.
    """

    name: str
    title: str
    ways: Mapping[str, Callable[[Any, Settings], Result]]
    full: tuple[Settings, ...]
    quick: tuple[Settings, ...]
    prepare: Callable[[Path, Settings], object] | None = None
    load: Callable[[Path, Settings], Any] | None = None
    equal: Callable[[Mapping[str, Result], Settings], Equality] = equal_results
    goals: tuple[dict[str, Any], ...] = ()
    figures: Callable[[list[tuple[Settings, Any]]], list[dict[str, Any]]] | None = None
    rounds: int = 3


def measure(
    entry: Entry, size: str, rounds: int, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Run an entry's cases, "full" or "quick"; return its record: plain values, ready for JSON.

    `say` gets a line after each round. RunFailed if a way fails.
    """
    cases = [_measure_case(entry, case, rounds, say) for case in getattr(entry, size)]
    measured = [(one["settings"], one["ways"]) for one in cases]
    return {
        "name": entry.name,
        "title": entry.title,
        "size": size,
        "rounds": rounds,
        "measured": now(),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "memory": psutil.virtual_memory().total,
            "system": platform.system(),
            "versions": records.versions(),
            "git": records.git_state(),
        },
        "cases": cases,
        "figures": entry.figures(measured) if entry.figures else [],
    }


def _measure_case(
    entry: Entry, settings: Settings, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    turns: dict[str, list[list[float]]] = {name: [] for name in entry.ways}
    equality = (True, "")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        _in_a_process(entry, settings, Path(folder))
        for number in range(rounds):
            names, results = list(entry.ways), {}
            shift = number % len(names)  # so that none always follows the same
            for name in names[shift:] + names[:shift]:
                results[name], measured = _in_a_process(entry, settings, Path(folder), name)
                turns[name].append(measured)
            if equality[0]:
                equality = entry.equal({name: results[name] for name in names}, settings)
            times = ", ".join(f"{way} {took[-1][0]:.2f} s" for way, took in turns.items())
            say(f"{entry.name} {dict(settings)} round {number + 1}: {times}")
    costs = {
        way: dict(zip(MEASURES, np.transpose(taken), strict=True)) for way, taken in turns.items()
    }
    own, *others = costs
    return {
        "settings": dict(settings),
        "equal": equality[0],
        "equality": equality[1],
        "ways": {
            way: {m: quartiles(cost[m]) for m in MEASURES}
            | {"threads": "1" if way == own else "default"}
            for way, cost in costs.items()
        },
        "ratios": {
            way: {m: quartiles(costs[way][m] / costs[own][m].clip(1e-9)) for m in MEASURES}
            for way in others
        },
        "goals": list(entry.goals),
    }


def _in_a_process(entry: Entry, settings: Settings, folder: Path, way: str | None = None) -> Any:
    """Make an entry's files, or take a way's turn, in a new Python.

    Numerical libraries of the project's own way start one thread, as in a run's kernels.
    """
    environ = {name: text for name, text in os.environ.items() if name not in ONE_THREAD} | QUIET
    environ |= ONE_THREAD if way == next(iter(entry.ways)) else {}
    spawn = multiprocessing.get_context("spawn")
    with patch.dict(os.environ, environ, clear=True), ProcessPoolExecutor(1, spawn) as pool:
        try:
            return pool.submit(_take_turn, entry, settings, folder, way).result()
        except Exception as error:
            what = f"{entry.name}: {way or 'its preparation'} failed: {type(error).__name__}"
            raise RunFailed(f"{what}: {error}\n{error.__cause__ or ''}") from None


def _take_turn(
    entry: Entry, settings: Settings, folder: Path, way: str | None
) -> tuple[Result, list[float]] | None:
    if way:
        loaded = entry.load(folder, settings) if entry.load else folder
        return metered(lambda: entry.ways[way](loaded, settings))
    if entry.prepare:
        entry.prepare(folder, settings)
    return None


def metered(work: Callable[[], Result]) -> tuple[Result, list[float]]:
    """Do some work, and measure time and memory of it and of the programs that it starts.

    Returns
    -------
    result
    list of float
        In the order of `MEASURES`: processor seconds of all cores, memory in bytes of all processes
        together, what they share counted once (where the system tells, as Linux does).
    """
    here, over, seen = psutil.Process(), threading.Event(), []
    loaded = here.memory_info().rss

    def watch() -> None:
        pause = PAUSE
        while not over.wait(pause):
            began, total = time.thread_time(), 0
            for process in (here, *here.children(recursive=True)):
                with suppress(psutil.Error):
                    memory = process.memory_full_info()
                    total += getattr(memory, "pss", memory.rss)
            seen.append(total)
            pause = max(PAUSE, (time.thread_time() - began) / LOOKING)

    with suppress(OSError):  # Linux: forget the peak of what was loaded
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    cpu, began = sum(os.times()[:4]), time.perf_counter()
    try:
        result = work()
    finally:
        seconds, cpu = time.perf_counter() - began, sum(os.times()[:4]) - cpu
        over.set()
        watching.join()
    peak = max([here.memory_info().rss, *seen])
    with suppress(OSError):  # Linux: this process's own peak, however short
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]) * 1024)
    return result, [seconds, cpu, peak, max(peak - loaded, 1)]


def quartiles(values: Any) -> list[float]:
    """Return smallest, lower quartile, median, upper quartile and largest of some values."""
    return [float(f"{value:.4g}") for value in np.percentile(values, (0, 25, 50, 75, 100))]

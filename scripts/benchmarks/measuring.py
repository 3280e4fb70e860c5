"""Let contestants take turns, and say what follows from their times."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Settings
from runner import manifest, stamps
from runner.environment import ROOT
from runner.errors import RunFailed
from runner.work import now

MEASURES = ("seconds", "cpu_seconds", "peak_memory", "extra_memory")
QUARTILES = (25, 50, 75)
WIDE = 1.5  # a ratio whose quartiles lie further apart than this factor is not worth quoting


def measure(
    entry: Entry, size: str, *, rounds: int | None = None, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Run an entry's cases and return its record: plain values, ready for JSON.

    Parameters
    ----------
    entry : Entry
    size : str
        "full", "quick" or "tiny".
    rounds : int, optional
        In place of the entry's own number.
    say : callable
        Gets a line after each round.

    Raises
    ------
    RunFailed
        If a contestant fails.
    """
    rounds = rounds or entry.rounds[size]
    cases = [_measure_case(entry, case, rounds, say) for case in entry.sizes[size]]
    figures = []
    if entry.figures:
        medians = [(case["settings"], case["contestants"]) for case in cases]
        figures = [vars(figure) for figure in entry.figures(medians)]
    return {
        "name": entry.name,
        "title": entry.title,
        "size": size,
        "rounds": rounds,
        "measured": now(),
        "machine": machine(),
        "cases": cases,
        "figures": figures,
    }


def _measure_case(
    entry: Entry, settings: Settings, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        place = Path(folder)
        _process(entry, settings, place, place / "setup")
        turns: dict[str, list[dict[str, float]]] = {one.name: [] for one in entry.contestants}
        equality, busy = Equality(True, ""), _Busy()
        for number in range(rounds):
            results = {}
            # Each round begins with another one, so that none always follows the same.
            shift = number % len(entry.contestants)
            for one in (*entry.contestants[shift:], *entry.contestants[:shift]):
                results[one.name], measured = _take_turn(entry, one, settings, place)
                turns[one.name].append(measured)
            if equality.holds:
                in_order = {one.name: results[one.name] for one in entry.contestants}
                equality = entry.compare(in_order, settings)
            times = ", ".join(f"{name} {_seconds(told[-1])}" for name, told in turns.items())
            say(f"{entry.name} {_words(settings)}round {number + 1}: {times}")
    first = entry.contestants[0].name
    return {
        "settings": dict(settings),
        "equal": equality.holds,
        "equality": equality.text,
        "contestants": {
            one.name: summary_of(turns[one.name]) | {"threads": _threads(one)}
            for one in entry.contestants
        },
        "ratios": {
            name: {
                measure: quartiles([b[measure] / max(a[measure], 1e-9) for a, b in pairs])
                for measure in MEASURES
            }
            for name, told in turns.items()
            if name != first
            for pairs in [list(zip(turns[first], told, strict=True))]
        },
        "goals": [vars(goal) for goal in entry.goals],
        "used_by_others": busy.by_others(),
    }


def _seconds(measured: dict[str, float]) -> str:
    return f"{measured['seconds']:.2f} s"


def _words(settings: Settings) -> str:
    return "".join(f"{name}={value} " for name, value in settings.items())


def _threads(contestant: Contestant) -> str:
    """Say how many threads numerical libraries may start in a contestant."""
    return contestant.environ.get("OMP_NUM_THREADS", "default")


def _take_turn(
    entry: Entry, contestant: Contestant, settings: Settings, place: Path
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    with tempfile.TemporaryDirectory(dir=place) as own:
        turn = Path(own) / "turn"
        _process(entry, settings, place, turn, contestant)
        with np.load(f"{turn}.npz") as file:
            result = {key: file[key] for key in file.files}
        return result, json.loads(Path(f"{turn}.json").read_text(encoding="utf-8"))


def _process(
    entry: Entry, settings: Settings, place: Path, turn: Path, contestant: Contestant | None = None
) -> None:
    module = entry.contestants[0].run.__module__
    beside = Path(import_module(module).__file__).parent
    paths = [ROOT / "scripts", ROOT / "notebooks", *([beside] if "." not in module else [])]
    environ = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    environ |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), "TF_CPP_MIN_LOG_LEVEL": "2"}
    environ |= {"PYTHONHASHSEED": "0", "TF_ENABLE_ONEDNN_OPTS": "0"}
    environ |= contestant.environ if contestant else {}
    command = [sys.executable, "-m", "benchmarks.contestant", module, entry.name]
    command += [json.dumps(dict(settings)), str(place), str(turn)]
    command += [contestant.name] if contestant else []
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=place)
    if done.returncode:
        who = contestant.name if contestant else "its preparation"
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise RunFailed(f"{entry.name}: {who} failed: {lines[-1][:300]}\n{done.stderr[-3000:]}")


class _Busy:
    """How much of the machine other programs have used since this was made."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> np.ndarray:
        """Seconds of all cores that were used, that there were, and that our processes used."""
        times, own = psutil.cpu_times(), os.times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        ours = own.user + own.system + own.children_user + own.children_system
        return np.array([sum(times[:8]) - idle, sum(times[:8]), ours])

    def by_others(self) -> float:
        """Return the share of all cores' time that went to others, from 0 to 1."""
        used, total, ours = self._now() - self._before
        return round(float(np.clip((used - ours) / max(total, 1e-9), 0, 1)), 3)


def summary_of(turns: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return for each measure its smallest, lower quartile, median, upper quartile, largest."""
    return {name: quartiles([told[name] for told in turns]) for name in MEASURES}


def quartiles(values: Sequence[float]) -> list[float]:
    """Return smallest, lower quartile, median, upper quartile and largest of some values."""
    low, middle, high = np.percentile(values, QUARTILES)
    five = (min(values), low, middle, high, max(values))
    return [float(f"{value:.4g}") for value in five]


def verdict(ratio: Sequence[float], least: float) -> str:
    """Hold a ratio against its goal.

    Parameters
    ----------
    ratio : sequence of float
        As `quartiles` gives it.
    least : float

    Returns
    -------
    str
        "met" or "missed" if both quartiles lie on that side of the goal; otherwise that the
        spread is too wide to conclude.
    """
    _, low, _, high, _ = ratio
    if low >= least:
        return "met"
    return "missed" if high < least else "spread too wide to conclude"


def is_wide(ratio: Sequence[float]) -> bool:
    """Whether the quartiles lie so far apart that the ratio itself is not worth quoting."""
    return ratio[3] > WIDE * ratio[1]


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that a record holds for."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "system": platform.system(),
        "machine": platform.machine(),
        "versions": stamps.versions(),
        "git": manifest.git_state(ROOT),
    }


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        return next(
            line.partition(":")[2].strip()
            for line in told.splitlines()
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

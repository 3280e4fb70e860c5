"""Ways to one result take turns, each in a process of its own; what follows from their times.

    python -m benchmarks.measure MODULE ENTRY SETTINGS FOLDER TURN [WAY]

is one turn: the way is loaded, timed, and its result written. Without a way, the entry's files are
made.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from runner import manifest, stamps
from runner.environment import ROOT
from runner.errors import RunFailed
from runner.work import now

ROUNDS = {"full": 5, "quick": 3, "tiny": 1}
MEASURES = ("seconds", "cpu_seconds", "peak_memory", "extra_memory")
WIDE = 1.5  # a ratio whose quartiles lie further apart than this factor is not worth quoting
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES}

Settings = Mapping[str, Any]
Result = Mapping[str, Any]  # of arrays, numbers and texts
Equality = tuple[bool, str]  # whether results are equal, and a sentence that says how


@dataclass(frozen=True)
class Goal:
    """What another way's cost, divided by our way's, should be at least.

    Below 1 where ours may cost more. `measure` is one of `MEASURES`: extra memory is that beyond
    what was loaded before.
    """

    against: str
    least: float
    measure: str = "seconds"


@dataclass(frozen=True)
class Figure:
    """A number that follows from several cases, such as an exponent, and what it may be at most."""

    name: str
    value: float
    most: float | None = None


def nothing(settings: Settings, folder: Path) -> None:
    """Make no files."""


def folder_alone(settings: Settings, folder: Path) -> Path:
    """Load nothing: ways get the folder."""
    return folder


def equal_results(results: Mapping[str, Result], settings: Settings) -> Equality:
    """Hold all results against the first: labels equal, other numbers to a relative 1e-9."""
    (first, expected), *others = results.items()
    for name, result in others:
        for key in {*expected, *result}:
            if key not in expected or key not in result:
                return False, f"only one of {first} and {name} gives {key}"
            one, two = np.asarray(expected[key]), np.asarray(result[key])
            exact = one.dtype.kind != "f"
            same = one.shape == two.shape and (
                np.array_equal(one, two) if exact else np.allclose(one, two, 1e-9, 1e-9, True)
            )
            if not same:
                return False, f"{key} of {name} differs from that of {first}"
    return True, "equal"


@dataclass(frozen=True)
class Entry:
    """Ways to one result, the project's own first.

    Attributes
    ----------
    name, title : str
        For --only and records; for tables.
    ways : dict of str to callable
        Each gets what `load` has made, and the settings; only this is timed, with the programs that
        it starts. Returns a mapping of arrays, numbers and texts.
    sizes : dict of str to tuple of dict
        For "full", "quick" and "tiny" (for tests): the cases, each a mapping of plain values.
    prepare : callable
        Makes files for a case in a folder, once, untimed.
    load : callable
        Makes what ways get, in each process, untimed.
    equal : callable
        Gets the results by way, and the settings.
    goals : tuple of Goal
    figures : callable, optional
        Gets, for each case, its settings and the measurements by way.
    rounds : dict of str to int
    pinned : tuple of str
        Ways whose numerical libraries may start one thread, as in the kernels of a run.
    needs : tuple of str
        Packages beside the lock without which the entry is left out.
    """

    name: str
    title: str
    ways: Mapping[str, Callable[[Any, Settings], Result]]
    sizes: Mapping[str, tuple[Settings, ...]]
    prepare: Callable[[Settings, Path], None] = nothing
    load: Callable[[Settings, Path], Any] = folder_alone
    equal: Callable[[Mapping[str, Result], Settings], Equality] = equal_results
    goals: tuple[Goal, ...] = ()
    figures: Callable[[list[tuple[Settings, Mapping[str, Any]]]], list[Figure]] | None = None
    rounds: Mapping[str, int] = field(default_factory=lambda: ROUNDS)
    pinned: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Packages that the entry needs and that are not installed."""
        return [name for name in self.needs if find_spec(name) is None]


# --- rounds -------------------------------------------------------------------------------------


def measure(
    entry: Entry, size: str, rounds: int | None = None, say: Callable[[str], None] = print
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
        If a way fails.
    """
    rounds = rounds or entry.rounds[size]
    cases = [_measure_case(entry, case, rounds, say) for case in entry.sizes[size]]
    measured = [(case["settings"], case["contestants"]) for case in cases]
    figures = entry.figures(measured) if entry.figures else []
    record = {"name": entry.name, "title": entry.title, "size": size, "rounds": rounds}
    record |= {"measured": now(), "machine": machine(), "cases": cases}
    return record | {"figures": [asdict(figure) for figure in figures]}


def _measure_case(
    entry: Entry, settings: Settings, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    told = "".join(f"{name}={value} " for name, value in settings.items())
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in entry.ways}
    equality = (True, "")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        place, before = Path(folder), _used()
        _in_a_process(entry, settings, place, place / "prepared")
        for number in range(rounds):
            results: dict[str, Result] = {}
            # Each round begins with another one, so that none always follows the same.
            names = list(entry.ways)
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                results[name], measured = _take_turn(entry, settings, place, name)
                turns[name].append(measured)
            if equality[0]:
                equality = entry.equal({name: results[name] for name in names}, settings)
            times = ", ".join(f"{way} {took[-1]['seconds']:.2f} s" for way, took in turns.items())
            say(f"{entry.name} {told}round {number + 1}: {times}")
        used, total, ours = _used() - before
    first, *others = entry.ways
    return {
        "settings": dict(settings),
        "equal": equality[0],
        "equality": equality[1],
        "contestants": {
            name: {m: quartiles([one[m] for one in taken]) for m in MEASURES}
            | {"threads": "1" if name in entry.pinned else "default"}
            for name, taken in turns.items()
        },
        "ratios": {
            name: {
                m: quartiles(
                    [b[m] / max(a[m], 1e-9) for a, b in zip(turns[first], turns[name], strict=True)]
                )
                for m in MEASURES
            }
            for name in others
        },
        "goals": [asdict(goal) for goal in entry.goals],
        "used_by_others": round(float(np.clip((used - ours) / max(total, 1e-9), 0, 1)), 3),
    }


def _take_turn(
    entry: Entry, settings: Settings, place: Path, way: str
) -> tuple[Result, dict[str, float]]:
    with tempfile.TemporaryDirectory(dir=place) as own:
        turn = Path(own) / "turn"
        _in_a_process(entry, settings, place, turn, way)
        with np.load(f"{turn}.npz") as file:
            result = {key: file[key] for key in file.files}
        return result, json.loads(Path(f"{turn}.json").read_text(encoding="utf-8"))


def _in_a_process(
    entry: Entry, settings: Settings, place: Path, turn: Path, way: str | None = None
) -> None:
    module = next(iter(entry.ways.values())).__module__
    beside = Path(str(importlib.import_module(module).__file__)).parent
    paths = [ROOT / "scripts", ROOT / "notebooks", *([] if "." in module else [beside])]
    environ = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    environ |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONHASHSEED": "0"}
    environ |= {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
    environ |= ONE_THREAD if way in entry.pinned else {}
    command = [sys.executable, "-m", "benchmarks.measure", module, entry.name]
    command += [json.dumps(dict(settings)), str(place), str(turn), *([way] if way else [])]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=place)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        what = f"{entry.name}: {way or 'its preparation'} failed: {lines[-1][:300]}"
        raise RunFailed(f"{what}\n{done.stderr[-3000:]}")


def _used() -> np.ndarray:
    """Return seconds of all cores that were used, that there were, and that ours used."""
    times, own = psutil.cpu_times(), os.times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    ours = own.user + own.system + own.children_user + own.children_system
    return np.array([sum(times[:8]) - idle, sum(times[:8]), ours])


def quartiles(values: Sequence[float]) -> list[float]:
    """Return smallest, lower quartile, median, upper quartile and largest of some values."""
    return [float(f"{value:.4g}") for value in np.percentile(values, (0, 25, 50, 75, 100))]


def verdict(ratio: Sequence[float], least: float) -> str:
    """Say "met" or "missed" if both quartiles of a ratio lie on that side of its goal."""
    _, low, _, high, _ = ratio
    if low >= least:
        return "met"
    return "missed" if high < least else "spread too wide to conclude"


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that a record holds for."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):  # Linux says more
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        processor = next(names, processor)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "system": platform.system(),
        "machine": platform.machine(),
        "versions": stamps.versions(),
        "git": manifest.git_state(ROOT),
    }


# --- one turn -----------------------------------------------------------------------------------


class Meter:
    """Time and memory of what runs within, with the programs that it starts.

    `measured` holds seconds, cpu_seconds (of all cores), peak_memory (in bytes, all processes
    together, what they share counted once) and extra_memory (beyond what was loaded before).
    """

    measured: dict[str, float]

    def __enter__(self) -> Meter:
        self._over = threading.Event()
        self._loaded = self._peak = psutil.Process().memory_info().rss
        with suppress(OSError):  # Linux: forget the peak of what was loaded
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._watch = threading.Thread(target=self._watch_memory, daemon=True)
        self._watch.start()
        self._cpu, self._began = sum(os.times()[:4]), time.perf_counter()
        return self

    def __exit__(self, *failed: object) -> None:
        seconds, cpu = time.perf_counter() - self._began, sum(os.times()[:4]) - self._cpu
        self._over.set()
        self._watch.join()
        with suppress(OSError):  # Linux: this process's own peak, however short
            status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
            self._peak = max(self._peak, int(status.partition("VmHWM:")[2].split()[0]) * 1024)
        self.measured = {"seconds": seconds, "cpu_seconds": cpu, "peak_memory": self._peak}
        self.measured["extra_memory"] = max(self._peak - self._loaded, 1)

    def _watch_memory(self) -> None:
        """Look at all processes together; at most a fiftieth of the time goes into looking."""
        here, pause = psutil.Process(), 0.0
        while not self._over.wait(pause):
            began = time.perf_counter()
            total = 0
            for process in (here, *here.children(recursive=True)):
                with suppress(psutil.Error):
                    # Linux: its part of what processes share (Pss); resident size elsewhere.
                    told = process.memory_full_info()
                    total += getattr(told, "pss", told.rss)
            self._peak = max(self._peak, total)
            pause = max(0.05, 50 * (time.perf_counter() - began))


def main(arguments: Sequence[str]) -> None:
    """Take one turn and write TURN.npz (the result) and TURN.json (the measurements)."""
    module, name, text, folder, turn, *way = arguments
    entry: Entry = next(e for e in importlib.import_module(module).ENTRIES if e.name == name)
    settings, place = json.loads(text), Path(folder)
    if not way:
        entry.prepare(settings, place)
        return
    loaded = entry.load(settings, place)
    with Meter() as meter:
        result = entry.ways[way[0]](loaded, settings)
    np.savez(f"{turn}.npz", **{key: np.asarray(value) for key, value in result.items()})
    Path(f"{turn}.json").write_text(json.dumps(meter.measured), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

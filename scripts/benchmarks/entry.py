"""What an entry of the benchmark is: ways to the same result, and what their times should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SIZES = ("full", "quick", "tiny")
ROUNDS = {"full": 5, "quick": 3, "tiny": 2}
_THREADS = ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR")
ONE_THREAD = {
    f"{name}_{'MAXIMUM' if name == 'VECLIB' else 'NUM'}_THREADS": "1" for name in _THREADS
}

Settings = Mapping[str, Any]
Result = Mapping[str, Any]  # of arrays, numbers and texts


@dataclass(frozen=True)
class Contestant:
    """One way to the result.

    Attributes
    ----------
    name : str
    run : callable
        Gets what the entry's `load` has made, and the settings; only this is timed. Returns a
        mapping of arrays, numbers and texts, which `compare` holds against the others'. Programs
        that it starts count in its time and memory.
    environ : mapping of str to str
        Set in the process before anything is loaded. The kernels of a run have `ONE_THREAD`;
        empty leaves the libraries' defaults.
    """

    name: str
    run: Callable[[Any, Settings], Result]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """How a contestant's cost should compare with that of the entry's first contestant.

    Attributes
    ----------
    against : str
        The other contestant.
    least : float
        The other's cost, divided by the first one's, should be at least this; below 1 where the
        first one may cost more.
    measure : str
        "seconds", "cpu_seconds", "peak_memory" (of the process) or "extra_memory" (beyond what was
        loaded before).
    """

    against: str
    least: float
    measure: str = "seconds"


@dataclass(frozen=True)
class Equality:
    """Whether the contestants' results are equal, and a sentence that says how."""

    holds: bool
    text: str


@dataclass(frozen=True)
class Figure:
    """A number derived from several cases of an entry, such as an exponent of growth.

    Attributes
    ----------
    name : str
    value : float
    most : float or None
        What it should not exceed.
    """

    name: str
    value: float
    most: float | None = None


def no_setup(settings: Settings, folder: Path) -> None:
    """Make nothing."""


def folder_only(settings: Settings, folder: Path) -> Path:
    """Load nothing: contestants get the folder."""
    return folder


def equal_results(results: Mapping[str, Result], settings: Settings) -> Equality:
    """Hold all results against the first: labels equal, other numbers to a relative 1e-9."""
    (first, expected), *others = results.items()
    furthest = 0.0
    for name, result in others:
        if set(result) != set(expected):
            return Equality(False, f"{name} gives other results than {first}")
        for key, value in expected.items():
            one, two = np.asarray(value), np.asarray(result[key])
            if one.shape != two.shape:
                return Equality(False, f"{key} of {name} has another shape than that of {first}")
            if one.dtype.kind != "f":
                if not np.array_equal(one, two):
                    return Equality(False, f"{key} of {name} differs from that of {first}")
                continue
            gaps = np.abs(one - two) / np.maximum(np.abs(one), 1.0)
            gaps = np.where(np.isnan(one) & np.isnan(two), 0.0, gaps)
            furthest = max(furthest, float(np.max(gaps, initial=0.0)))
            if not (gaps <= 1e-9).all():
                return Equality(False, f"{key} of {name} differs by {furthest:.1e} from {first}")
    return Equality(True, f"equal (largest difference {furthest:.0e})" if furthest else "equal")


@dataclass(frozen=True)
class Entry:
    """Ways to one result, which the benchmark alternates.

    Attributes
    ----------
    name : str
        For --only and for records.
    title : str
        For tables.
    contestants : tuple of Contestant
        The first is the project's own way; ratios are the others' cost over its cost.
    sizes : mapping of str to tuple of settings
        For "full", "quick" and "tiny" (for tests): the cases, each a mapping of plain values.
    setup : callable
        Makes files for a case in a folder, once, in a process of its own, untimed.
    load : callable
        Gets settings and folder; makes what `run` gets, in each process, untimed.
    compare : callable
        Gets the results by contestant, and the settings; returns an `Equality`.
    goals : tuple of Goal
    figures : callable or None
        Gets, for each case, its settings and the median measurements by contestant.
    rounds : mapping of str to int
        How often each contestant runs.
    needs : tuple of str
        Packages of other contestants that the project does not install; without them the entry is
        left out.
    """

    name: str
    title: str
    contestants: tuple[Contestant, ...]
    sizes: Mapping[str, tuple[Settings, ...]]
    setup: Callable[[Settings, Path], None] = no_setup
    load: Callable[[Settings, Path], Any] = folder_only
    compare: Callable[[Mapping[str, Result], Settings], Equality] = equal_results
    goals: tuple[Goal, ...] = ()
    figures: Callable[[list[tuple[Settings, Mapping[str, Any]]]], list[Figure]] | None = None
    rounds: Mapping[str, int] = field(default_factory=lambda: ROUNDS)
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Packages that the entry needs and that are not installed."""
        return [name for name in self.needs if find_spec(name) is None]

    def contestant(self, name: str) -> Contestant:
        """Return a contestant by its name."""
        return next(one for one in self.contestants if one.name == name)

"""Columns that came in another unit than in training: cents for dollars, percent for shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.monitoring.period import Period

FACTORS = (100.0, 1000.0, 1_000_000.0)  # cents, thousands, millions; and the other way round
TOLERANCE = 0.2  # of the median's ratio to a factor
FEWEST = 50  # values that a judgement needs, here and in training


@dataclass(frozen=True)
class Unit:
    """A column whose values are all about `factor` times those of the training customers."""

    column: str
    factor: float
    ratio: float


def changed_units(model: dict[str, Any], period: Period) -> list[Unit]:
    """Find the columns whose whole distribution lies about 100 or 1000 times higher or lower.

    The median of the values other than zero has to be within a fifth of the factor, and the
    quartiles within a factor of two of it: people change a part of their habits, a unit changes
    all of the numbers.
    """
    found = []
    for entry in model["reference"]["columns"]:
        now, then = period.quartiles(entry["name"]), entry["quartiles"]
        counts = (entry["values"], int(period.sizes[entry["name"]].sum()))
        if now is None or then is None or min(counts) < FEWEST or min(then) <= 0:
            continue
        ratios = now / np.array(then)
        for factor in (*FACTORS, *(1 / f for f in FACTORS)):
            close = abs(ratios[1] / factor - 1) <= TOLERANCE
            if close and np.all(np.abs(np.log2(ratios / factor)) <= 1):
                found.append(Unit(entry["name"], factor, float(ratios[1])))
    return found


def unit_words(unit: Unit) -> str:
    """Say how a column's values compare with those in training."""
    times = f"{unit.factor:,.0f} times" if unit.factor > 1 else f"1/{1 / unit.factor:,.0f} of"
    return f"about {times} those in training"


def unit_problem(units: list[Unit]) -> str:
    """Say in one line which columns came in another unit, and by what factor."""
    alike: dict[str, list[str]] = {}
    for unit in units:
        alike.setdefault(unit_words(unit), []).append(unit.column)
    said = "; ".join(
        f"the values of {', '.join(columns)[:200]} are {words}" for words, columns in alike.items()
    )
    return f"another unit than in training: {said}"

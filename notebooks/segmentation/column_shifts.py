"""Columns whose numbers as a whole moved: another unit than in training, or a location shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation import expressions
from segmentation.period import Period

# --- another unit --------------------------------------------------------------------------------

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


# --- location shift of amounts -------------------------------------------------------------------

LEAST = 0.10  # part by which a median has to move; less is no reason to act
SHARE_MOVED = 0.5  # share of the columns of money that have to move the same way
GROWN, SHRUNK = "Amounts of money are larger", "Amounts of money are smaller"


@dataclass(frozen=True)
class LocationShift:
    """Columns of money whose medians moved the same way.

    Attributes
    ----------
    ratio : float
        The median of their medians' ratios to those in training.
    moved, columns : int
        How many moved, of how many.
    """

    ratio: float
    moved: int
    columns: int


def location_shift(model: dict[str, Any], period: Period, z: float) -> LocationShift | None:
    """Find whether most columns of money that a feature reads moved the same way.

    Without a change, the share of the period's values below the training median is normal around
    one half, with variance (1/n + 1/m) / 4, whatever their distribution (the control median test:
    Mathisen 1943, Gart 1963). Values equal to the median count on the side of no change.

    Parameters
    ----------
    z : float
        Standard errors from which a share counts as changed.
    """
    read = {name for f in model["features"] for name in expressions.columns_of(f["formula"])}
    money = {c["name"] for c in model["columns"] if c["kind"] == "money"} & read
    ratios, moved = [], []
    for entry in model["reference"]["columns"]:
        then, counts = entry["quartiles"], period.sizes[entry["name"]]
        values = (entry["values"], int(counts.sum()))
        if entry["name"] not in money or then is None or min(values) < FEWEST or then[1] <= 0:
            continue
        below, at_most = period.shares_below(entry["name"], then[1])
        away = max(below - 0.5, 0.5 - at_most, 0.0)
        ratio = float(period.quartiles(entry["name"])[1] / then[1])
        certain = away > z * 0.5 * np.sqrt(1 / values[0] + 1 / values[1])
        ratios.append(ratio)
        moved.append(certain and abs(np.log(ratio)) >= np.log(1 + LEAST))
    for way in (1, -1):
        same = [r for r, m in zip(ratios, moved, strict=True) if m and way * np.log(r) > 0]
        if same and len(same) >= SHARE_MOVED * len(ratios):
            return LocationShift(float(np.median(same)), len(same), len(ratios))
    return None


def shift_words(level: LocationShift) -> str:
    """Say how far the medians of amounts moved."""
    change = f"{level.ratio - 1:+.0%}".replace("-", "−")
    return (
        f"{GROWN if level.ratio > 1 else SHRUNK}: the medians of {level.moved} of {level.columns} "
        f"columns moved, in the middle by {change}."
    )

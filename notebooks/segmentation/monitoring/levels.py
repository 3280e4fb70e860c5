"""Whether amounts of money as a whole are larger or smaller than in training, as prices make them.

The stability index of a feature looks at its whole distribution, and on wide ones the growth of all
prices by a third is little. The medians see it, and agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation import expressions
from segmentation.monitoring.period import Period

LEAST = 0.10  # part by which a median has to move; less is no reason to act
MANY = 0.5  # share of the columns of money that have to move the same way
GROWN, SHRUNK = "Amounts of money are larger", "Amounts of money are smaller"
FEWEST = 50  # values that a judgement needs, here and in training


@dataclass(frozen=True)
class Level:
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


def changed_level(model: dict[str, Any], period: Period, z: float) -> Level | None:
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
        if same and len(same) >= MANY * len(ratios):
            return Level(float(np.median(same)), len(same), len(ratios))
    return None


def level_words(level: Level) -> str:
    """Say how far the medians of amounts moved."""
    change = f"{level.ratio - 1:+.0%}".replace("-", "−")
    return (
        f"{GROWN if level.ratio > 1 else SHRUNK}: the medians of {level.moved} of {level.columns} "
        f"columns moved, in the middle by {change}."
    )

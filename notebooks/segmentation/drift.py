"""Whether the customers of a period still resemble those on whom the segments were fitted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from segmentation import expressions
from segmentation.claims import Claim, claim
from segmentation.model import bin_counts
from segmentation.scoring import Scored

WATCH, REBUILD = 0.10, 0.25  # the usual bands of the population stability index (Siddiqi 2006)
BANDS = ("stable", "changed", "changed much")
MANY = 0.5  # share of the features beyond `WATCH` from which a model is to be rebuilt
SEGMENT_CHANGE = 0.02  # of all customers: smaller changes of a segment are no reason to act
OUTLIERS_WATCH, OUTLIERS_REBUILD = 0.005, 0.02  # of the customers; 0.1% in training
Z = 3.29  # two-sided 99.9%: some twenty comparisons together raise a false alarm in one of fifty

FACTORS = (100.0, 1000.0, 1_000_000.0)  # cents, thousands, millions; and the other way round
TOLERANCE = 0.2  # of the median's ratio to a factor
MIN_VALUES = 50  # values that a column needs to be judged, now and in training
LEAST = 0.10  # part by which a median has to move; less is no reason to act
STEPS = 128  # of a power of two: values are counted to half a percent
LOWEST, HIGHEST = -40, 60  # powers of two between which they are counted
COUNTED = (HIGHEST - LOWEST) * STEPS
SHARE_MOVED = 0.5  # share of the columns of money that have to move the same way
GROWN, SHRUNK = "Amounts of money are larger", "Amounts of money are smaller"

COLUMN_LABELS = {  # of tables that are shown
    "psi": "index",
    "noise": "reached by chance",
    "band": "judgement",
    "low": "interval from",
    "high": "interval to",
}
WORDS = {
    "keep": "Keep the segments",
    "watch": "Keep the segments, and watch them",
    "rebuild": "Rebuild the segments",
}
RULES = [
    f"A feature changed where its population stability index reaches {WATCH:g}, and changed "
    f"much from {REBUILD:g} on, and by more than chance reaches in one of a thousand periods.",
    f"Rebuild where a feature changed much, where {MANY:.0%} of the features changed, or where "
    f"more than {OUTLIERS_REBUILD:.0%} are outliers.",
    f"Watch where a feature changed, where more than {OUTLIERS_WATCH:.1%} are outliers, or "
    f"where a segment's share of all customers changed by {100 * SEGMENT_CHANGE:g} percentage "
    "points or more.",
    f"Watch, too, where the medians of at least {SHARE_MOVED:.0%} of the columns of money moved"
    f" the same way by {LEAST:.0%} or more, and by more than chance reaches in one of a "
    "thousand periods: a location shift, which single features may not show.",
    "Intervals are at 99.9%, because many comparisons are made; a change counts where its "
    "interval does not contain zero.",
    "An outlier is farther from the nearest centre than 99.9% of the segment's members in "
    "training. The share of outliers counts beyond what chance reaches in one of a "
    "thousand periods.",
]


class Period:
    """Counts of scored customers, to be compared with those of the training; none at first.

    Drift is computed from these counts, so that no customers have to be kept.

    Attributes
    ----------
    segments, outliers : ndarray of int, shape (k,)
    features : dict of str to ndarray
        Customers in each of the reference's bins.
    sizes : dict of str to ndarray
        For each column of numbers the values above zero, in steps of half a percent.
    """

    def __init__(self, model: dict[str, Any]) -> None:
        k, reference = len(model["segments"]), model["reference"]
        self._edges = {entry["name"]: entry["edges"] for entry in reference["features"]}
        self.segments, self.outliers = np.zeros(k, np.int64), np.zeros(k, np.int64)
        self.features = {n: np.zeros(len(e) + 1, np.int64) for n, e in self._edges.items()}
        self.sizes = {entry["name"]: np.zeros(COUNTED, np.int64) for entry in reference["columns"]}

    @property
    def customers(self) -> int:
        """How many customers have been counted."""
        return int(self.segments.sum())

    def add(self, scored: Scored) -> Period:
        """Count some customers; return the period."""
        k, segment = len(self.segments), scored.assigned["segment"].to_numpy() - 1
        self.segments += np.bincount(segment, minlength=k)
        self.outliers += np.bincount(segment[scored.assigned["outlier"].to_numpy()], minlength=k)
        for name, edges in self._edges.items():
            self.features[name] += bin_counts(scored.features[name].to_numpy(), edges)
        for name in self.sizes.keys() & set(scored.as_read):
            steps = _steps(scored.as_read[name].to_numpy())
            self.sizes[name] += np.bincount(steps + 1, minlength=COUNTED + 2)[1:-1]
        return self

    def merge(self, other: Period) -> None:
        """Add the counts of another part of the same period."""
        self.segments += other.segments
        self.outliers += other.outliers
        for mine, others in ((self.features, other.features), (self.sizes, other.sizes)):
            for name, counts in mine.items():
                counts += others[name]

    def shares_below(self, column: str, value: float) -> tuple[float, float]:
        """Return the shares of a column's values above zero that lie below a value, and up to it.

        What lies in the same step as the value counts as equal to it.
        """
        counts = self.sizes[column]
        step = int(_steps(np.array([value])).clip(0, COUNTED - 1)[0])
        below, equal = counts[:step].sum(), counts[step]
        return float(below / counts.sum()), float((below + equal) / counts.sum())

    def quartiles(self, column: str) -> np.ndarray:
        """Return the quartiles of a column that has values above zero, to half a percent."""
        counts = self.sizes[column]
        places = np.searchsorted(np.cumsum(counts) / counts.sum(), [0.25, 0.5, 0.75])
        return 2.0 ** ((places + 0.5) / STEPS + LOWEST)


def _steps(values: np.ndarray) -> np.ndarray:
    """Return the steps of values, from 0; -1 of those too small, as of zero and of gaps."""
    steps = np.fmax(values, 2.0 ** (LOWEST - 1))  # without zeros, whose logarithm is slow
    np.log2(steps, out=steps)
    steps -= LOWEST
    steps *= STEPS
    np.floor(steps, out=steps)
    return np.clip(steps, -1, COUNTED, out=steps).astype(np.int64)


class LocationShift(NamedTuple):
    """How many columns of money moved the same way; `ratio` is the middle one of their medians."""

    ratio: float
    moved: int
    columns: int


@dataclass(frozen=True)
class Drift:
    """A period compared with the training customers.

    Attributes
    ----------
    verdict : str
        "keep", "watch" or "rebuild".
    reasons : list of Claim
        What the verdict is based on, the most serious first.
    features : DataFrame
        feature, psi, noise (what chance alone reaches in one of a thousand), band.
    segments : DataFrame
        segment, name, customers, share_then, share_now, change, low, high.
    outliers : tuple of float
        Share, and its interval.
    units : dict of str to float
        Columns in another unit, and by what factor.
    shift : LocationShift or None
        How amounts of money as a whole moved, where they did.
    customers : int
    """

    verdict: str
    reasons: list[Claim]
    features: pd.DataFrame
    segments: pd.DataFrame
    outliers: tuple[float, float, float]
    units: dict[str, float]
    shift: LocationShift | None
    customers: int


def compare_period(model: dict[str, Any], period: Period) -> Drift:
    """Compare a scored period with the customers that the model was fitted on."""
    features, segments = _feature_table(model, period), _segment_table(model, period)
    outliers = _share(int(period.outliers.sum()), period.customers)
    units, shift = changed_units(model, period), location_shift(model, period)
    rebuild, watch = _reasons(features, segments, shift if not units else None)
    share, low, _ = outliers
    chance = outliers_by_chance(model)
    if low > max(OUTLIERS_WATCH, chance):
        reasons = rebuild if low > max(OUTLIERS_REBUILD, chance) else watch
        text = f"{share:.1%} are outliers; chance reaches {chance:.1%} in one period of 1,000."
        reasons.append(
            claim({"share": share, "low": low, "by_chance": chance}, ("low > by_chance", text))
        )
    tables = (features, segments, outliers, units, shift, period.customers)
    if units:  # until these are corrected, no other comparison means anything
        text = (
            "The column {} seems to be in another unit: its values are {}. Check the table before "
            "any other conclusion."
        )
        first = [
            claim({"factor": factor}, ("factor > 0", text.format(column, _times(factor))))
            for column, factor in units.items()
        ]
        return Drift("watch", first + watch + rebuild, *tables)
    if rebuild or watch:
        return Drift("rebuild" if rebuild else "watch", rebuild + watch, *tables)
    none = "No feature, no segment and no share of outliers changed beyond the rules."
    found = {"rebuild": len(rebuild), "watch": len(watch)}
    return Drift("keep", [claim(found, ("rebuild + watch == 0", none))], *tables)


def compare_scored(model: dict[str, Any], scored: Scored) -> Drift:
    """Compare customers that were scored at once with those that the model was fitted on."""
    return compare_period(model, Period(model).add(scored))


def _reasons(
    features: pd.DataFrame, segments: pd.DataFrame, shift: LocationShift | None
) -> tuple[list[Claim], list[Claim]]:
    """Say what is a reason to rebuild the segments, and what to watch them."""
    rebuild: list[Claim] = []
    watch: list[Claim] = []
    for row in features.itertuples():
        if row.band != "stable":
            reasons = rebuild if row.band == "changed much" else watch
            text = f"{row.feature} {row.band} (index {row.psi:.2f})."
            numbers = {"index": row.psi, "by_chance": row.noise}
            limit = f"{REBUILD if row.band == 'changed much' else WATCH} - 0.005"  # as printed
            reasons.append(claim(numbers, (f"index >= by_chance and index >= {limit}", text)))
    changed = (features["band"] != "stable").mean()
    if changed >= MANY:
        text = f"{changed:.0%} of the features changed."
        rebuild.append(claim({"changed": changed}, (f"changed >= {MANY}", text)))
    if shift:
        change = f"{shift.ratio - 1:+.0%}".replace("-", "−")
        text = (
            f": the medians of {shift.moved} of {shift.columns} columns moved, the middle one of "
            f"them by {change}."
        )
        numbers = shift._asdict() | {"by": shift.ratio - 1}
        ways = ("ratio > 1", GROWN + text), ("ratio <= 1", SHRUNK + text)
        watch.append(claim(numbers, *ways))
    for row in segments.itertuples():
        if abs(row.change) >= SEGMENT_CHANGE and (row.low > 0 or row.high < 0):
            ends = f"from {row.share_then:.1%} to {row.share_now:.1%}."
            grew = f"low > 0 and change >= {SEGMENT_CHANGE}", f"The segment {row.name} grew {ends}"
            shrank = "high < 0", f"The segment {row.name} shrank {ends}"
            names = ("share_then", "share_now", "change", "low", "high")
            watch.append(claim({name: getattr(row, name) for name in names}, grew, shrank))
    return rebuild, watch


# --- features, segments and outliers ------------------------------------------------------------


def stability_index(then: np.ndarray, now: np.ndarray) -> float:
    """Return the population stability index of two histograms over the same bins.

    Half a customer is added to each bin, because the index is not defined for an empty one.
    """
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (then, now))
    return float(((q - p) * np.log(q / p)).sum())


def noise_level(bins: int, then: int, now: int) -> float:
    """Return what the index reaches by chance in one of a thousand periods without any drift.

    Without drift it is about a chi-squared variable with bins - 1 degrees of freedom, times
    1/then + 1/now (Yurdakul 2018).
    """
    if bins < 2:
        return 0.0
    return _highest(bins - 1, 2 / (9 * (bins - 1))) * (1 / then + 1 / now)


def _highest(mean: float, spread: float) -> float:
    """Return what a gamma variable exceeds once in a thousand times (Wilson & Hilferty 1931).

    `spread` is its variance over nine times the square of its mean.
    """
    return mean * (1 - spread + 3.09 * math.sqrt(spread)) ** 3


def outliers_by_chance(model: dict[str, Any]) -> float:
    """Return the share of outliers that chance reaches in one of a thousand periods without drift.

    The limit of a segment of n training customers is one of their largest distances, so the share
    of other such customers beyond it is a beta variable (David & Nagaraja 2003): about one in a
    thousand in a large segment, and one in n + 1 in a small one. The sum over the segments is
    approximated by a gamma variable of the same mean and variance.
    """
    sizes = np.array(model["reference"]["segments"], float)
    beyond = np.maximum(1.0, (1 - model["outliers"]["quantile"]) * (sizes + 1))
    shares = sizes / sizes.sum()
    mean = float((shares * beyond / (sizes + 1)).sum())
    variance = float((shares**2 * beyond / (sizes + 1) ** 2).sum())
    return min(1.0, _highest(mean, variance / (9 * mean**2)))


def _feature_table(model: dict[str, Any], period: Period) -> pd.DataFrame:
    """Tabulate the stability index of each feature, the most changed ones first."""
    then = model["reference"]["customers"]
    labels = {entry["name"]: entry["label"] or entry["name"] for entry in model["features"]}
    rows = []
    for entry in model["reference"]["features"]:
        counts = period.features[entry["name"]]
        index = stability_index(np.array(entry["shares"]) * then, counts)
        noise = noise_level(len(counts), then, period.customers)
        printed = round(index, 2)  # no index is printed as 0.10 and judged to be below it
        reached = sum(printed >= limit and index >= noise for limit in (WATCH, REBUILD))
        rows.append((labels[entry["name"]], index, noise, BANDS[reached]))
    table = pd.DataFrame(rows, columns=["feature", "psi", "noise", "band"])
    return table.sort_values("psi", ascending=False, kind="stable").reset_index(drop=True)


def _segment_table(model: dict[str, Any], period: Period) -> pd.DataFrame:
    """Tabulate the segments' shares then and now, and the change with its interval."""
    then, now = np.array(model["reference"]["segments"]), period.segments
    p, q = then / then.sum(), now / now.sum()
    error = Z * np.sqrt(p * (1 - p) / then.sum() + q * (1 - q) / now.sum())
    error = error + 0.5 / then.sum() + 0.5 / now.sum()  # for continuity: small counts
    table = pd.DataFrame(model["segments"])[["segment", "name"]]
    return table.assign(
        customers=now,
        share_then=p,
        share_now=q,
        change=q - p,
        low=q - p - error,
        high=q - p + error,
    )


def _share(count: int, total: int) -> tuple[float, float, float]:
    """Return a share with its interval (Wilson 1927)."""
    p, scale = count / total, 1 + Z**2 / total
    middle = (p + Z**2 / (2 * total)) / scale
    half = Z * math.sqrt(p * (1 - p) / total + Z**2 / (4 * total**2)) / scale
    return p, max(0.0, middle - half), min(1.0, middle + half)


# --- changed units and location shifts -----------------------------------------------------------


def changed_units(model: dict[str, Any], period: Period) -> dict[str, float]:
    """Find columns that lie about 100 or 1000 times higher or lower as a whole, and the factors.

    The median of the values other than zero has to be within a fifth of the factor, and the
    quartiles within a factor of two of it: a change of habits moves some of the values, a change
    of unit moves all of them.
    """
    found = {}
    for name, then, _, _ in _comparable(model, period):
        if min(then) <= 0:
            continue
        ratios = period.quartiles(name) / np.array(then)
        for factor in (*FACTORS, *(1 / f for f in FACTORS)):
            close = abs(ratios[1] / factor - 1) <= TOLERANCE
            if close and np.all(np.abs(np.log2(ratios / factor)) <= 1):
                found[name] = factor
    return found


def refuse_units(model: dict[str, Any], period: Period, where: str, remedy: str = "") -> None:
    """Refuse columns in another unit by a `UserError`, in one line by factor."""
    alike: dict[str, list[str]] = {}
    for column, factor in changed_units(model, period).items():
        alike.setdefault(_times(factor), []).append(column)
    if alike:
        said = "; ".join(
            f"the values of {', '.join(columns)[:200]} are {times}"
            for times, columns in alike.items()
        )
        raise UserError(
            f"another unit than in training: {said}",
            where=where,
            remedy=f"bring the columns to the unit of the training table{remedy}",
        )


def _times(factor: float) -> str:
    times = f"{factor:,.0f} times" if factor > 1 else f"1/{1 / factor:,.0f} of"
    return f"about {times} those in training"


def location_shift(model: dict[str, Any], period: Period) -> LocationShift | None:
    """Find whether most columns of money that a feature reads moved the same way.

    Without a change, the share of the period's values below the training median is normal around
    one half, with variance (1/n + 1/m) / 4, whatever their distribution (the control median test:
    Mathisen 1943, Gart 1963). Values equal to the median count on the side of no change.
    """
    read = {name for f in model["features"] for name in expressions.columns_of(f["formula"])}
    money = {c["name"] for c in model["columns"] if c["kind"] == "money"} & read
    ratios, moved = [], []
    for name, (_, median, _), n, m in _comparable(model, period):
        if name not in money or median <= 0:
            continue
        below, at_most = period.shares_below(name, median)
        away = max(below - 0.5, 0.5 - at_most, 0.0)
        ratio = float(period.quartiles(name)[1] / median)
        certain = away > Z * 0.5 * np.sqrt(1 / n + 1 / m)
        ratios.append(ratio)
        moved.append(certain and abs(np.log(ratio)) >= np.log(1 + LEAST))
    for way in (1, -1):
        same = [r for r, m in zip(ratios, moved, strict=True) if m and way * np.log(r) > 0]
        if same and len(same) >= SHARE_MOVED * len(ratios):
            return LocationShift(float(np.median(same)), len(same), len(ratios))
    return None


def _comparable(
    model: dict[str, Any], period: Period
) -> Iterator[tuple[str, list[float], int, int]]:
    """Yield columns with enough values: name, quartiles in training, values then and now."""
    for entry in model["reference"]["columns"]:
        then, now = entry["values"], int(period.sizes[entry["name"]].sum())
        if entry["quartiles"] and min(then, now) >= MIN_VALUES:
            yield entry["name"], entry["quartiles"], then, now

"""Whether the customers of a period are still those that the segments were made for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from segmentation.column_shifts import (
    LEAST,
    SHARE_MOVED,
    LocationShift,
    Unit,
    changed_units,
    location_shift,
    shift_words,
    unit_words,
)
from segmentation.period import Period
from segmentation.scoring import Scored

WATCH, REBUILD = 0.10, 0.25  # the usual bands of the population stability index (Siddiqi 2006)
MANY = 0.5  # share of the features beyond `WATCH` from which a model is to be rebuilt
SEGMENT_CHANGE = 0.02  # of all customers: smaller changes of a segment are no reason to act
STRANGERS_WATCH, STRANGERS_REBUILD = 0.005, 0.02  # of the customers; 0.1 % in training
Z = 3.29  # two-sided 99.9 %: some twenty comparisons together raise a false alarm in one of fifty
PLAINLY = {  # what readers of a table see in place of a column's name
    "psi": "index", "noise": "by chance up to", "band": "judgement",
    "low": "interval from", "high": "interval to",
}  # fmt: skip
WORDS = {
    "keep": "Keep the segments",
    "watch": "Keep the segments, and watch them",
    "rebuild": "Rebuild the segments",
}


@dataclass(frozen=True)
class Drift:
    """A period held against the training customers.

    Attributes
    ----------
    verdict : str
        "keep", "watch" or "rebuild".
    reasons : list of str
        What the verdict rests on, the weightiest first.
    rules : list of str
        The thresholds.
    features : DataFrame
        feature, psi, noise (what chance alone reaches in one of a thousand), band.
    segments : DataFrame
        segment, name, customers, share_then, share_now, change, low, high.
    strangers : tuple of float
        Share, and its interval.
    units : list of Unit
    level : LocationShift or None
        How amounts of money as a whole moved, where they did.
    customers : int
    """

    verdict: str
    reasons: list[str]
    rules: list[str]
    features: pd.DataFrame
    segments: pd.DataFrame
    strangers: tuple[float, float, float]
    units: list[Unit]
    level: LocationShift | None
    customers: int


def compare_period(model: dict[str, Any], period: Period) -> Drift:
    """Hold a scored period against the customers that the model was fitted on."""
    features, segments = feature_table(model, period), segment_table(model, period)
    strangers = _share(int(period.strangers.sum()), period.customers)
    units, level = changed_units(model, period), location_shift(model, period, Z)
    verdict, reasons = _judge(features, segments, strangers, (units, level), stranger_level(model))
    told = (features, segments, strangers, units, level, period.customers)
    return Drift(verdict, reasons, _rules(), *told)


def compare_scored(model: dict[str, Any], scored: Scored) -> Drift:
    """Hold customers that were scored at once against those that the model was fitted on."""
    period = Period(model)
    period.add(scored)
    return compare_period(model, period)


# --- numbers -------------------------------------------------------------------------------------


def stability_index(then: np.ndarray, now: np.ndarray) -> float:
    """Return the population stability index of two histograms over the same bins.

    Half a customer is added to each bin, so that an empty one weighs no more than it should.

    Parameters
    ----------
    then, now : ndarray of counts, shape (bins,)
    """
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (then, now))
    return float(((q - p) * np.log(q / p)).sum())


def noise_level(bins: int, then: int, now: int) -> float:
    """Return what the index reaches by chance in one of a thousand periods without any drift.

    Without drift it is about a chi-squared variable with bins - 1 degrees of freedom, times
    1/then + 1/now (Yurdakul 2018); the quantile is by the cube-root approximation of Wilson &
    Hilferty (1931).
    """
    if bins < 2:
        return 0.0
    spread = 2 / (9 * (bins - 1))
    return (bins - 1) * (1 - spread + 3.09 * math.sqrt(spread)) ** 3 * (1 / then + 1 / now)


def stranger_level(model: dict[str, Any]) -> float:
    """Return the share of strangers that chance reaches in one of a thousand periods without drift.

    The limit of a segment of n training customers is one of their largest distances, so the share
    of other such customers beyond it is a beta variable (David & Nagaraja 2003): about one in a
    thousand in a large segment, and one in n + 1 in a small one. The sum over the segments is
    taken for a gamma variable of the same mean and variance; its quantile is by Wilson & Hilferty
    (1931).
    """
    sizes = np.array(model["reference"]["segments"], float)
    beyond = np.maximum(1.0, (1 - model["strangers"]["quantile"]) * (sizes + 1))
    shares = sizes / sizes.sum()
    mean = float((shares * beyond / (sizes + 1)).sum())
    variance = float((shares**2 * beyond / (sizes + 1) ** 2).sum())
    spread = variance / (9 * mean**2)
    return min(1.0, mean * (1 - spread + 3.09 * math.sqrt(spread)) ** 3)


def feature_table(model: dict[str, Any], period: Period) -> pd.DataFrame:
    """Tabulate the stability index of each feature, the most changed ones first."""
    then = model["reference"]["customers"]
    labels = {entry["name"]: entry["label"] or entry["name"] for entry in model["features"]}
    rows = []
    for entry in model["reference"]["features"]:
        counts = period.features[entry["name"]]
        index = stability_index(np.array(entry["shares"]) * then, counts)
        noise = noise_level(len(counts), then, period.customers)
        rows.append((labels[entry["name"]], index, noise, _band(index, noise)))
    table = pd.DataFrame(rows, columns=["feature", "psi", "noise", "band"])
    return table.sort_values("psi", ascending=False, kind="stable").reset_index(drop=True)


def _band(index: float, noise: float) -> str:
    if index < max(WATCH, noise):
        return "stable"
    return "changed" if index < max(REBUILD, noise) else "changed much"


def segment_table(model: dict[str, Any], period: Period) -> pd.DataFrame:
    """Tabulate the segments' shares then and now, and the change with its interval."""
    then, now = np.array(model["reference"]["segments"]), period.segments
    p, q = then / then.sum(), now / now.sum()
    error = Z * np.sqrt(p * (1 - p) / then.sum() + q * (1 - q) / now.sum())
    error = error + 0.5 / then.sum() + 0.5 / now.sum()  # for continuity: small counts
    return pd.DataFrame(
        {
            "segment": [entry["segment"] for entry in model["segments"]],
            "name": [entry["name"] for entry in model["segments"]],
            "customers": now,
            "share_then": p,
            "share_now": q,
            "change": q - p,
            "low": q - p - error,
            "high": q - p + error,
        }
    )


def _share(count: int, total: int) -> tuple[float, float, float]:
    """Return a share with its interval (Wilson 1927)."""
    p, scale = count / total, 1 + Z**2 / total
    middle = (p + Z**2 / (2 * total)) / scale
    half = Z * math.sqrt(p * (1 - p) / total + Z**2 / (4 * total**2)) / scale
    return p, max(0.0, middle - half), min(1.0, middle + half)


# --- verdict -------------------------------------------------------------------------------------


def _judge(
    features: pd.DataFrame,
    segments: pd.DataFrame,
    strangers: tuple[float, float, float],
    columns: tuple[list[Unit], LocationShift | None],
    chance: float,
) -> tuple[str, list[str]]:
    """Come to a verdict, with the reasons for it; `chance` is the level of strangers without."""
    rebuild, watch, (units, level) = [], [], columns
    watch += [
        f"The column {unit.column} is in another unit: its values are {unit_words(unit)}. "
        "Correct the table before anything else is concluded from it."
        for unit in units
    ]
    for row in features.itertuples():
        if row.band == "changed much":
            rebuild.append(f"{row.feature} changed much (index {row.psi:.2f}).")
        elif row.band == "changed":
            watch.append(f"{row.feature} changed (index {row.psi:.2f}).")
    changed = (features["band"] != "stable").mean()
    if changed >= MANY:
        rebuild.append(f"{changed:.0%} of the features changed.")
    if level and not units:
        watch.append(shift_words(level))
    for row in segments.itertuples():
        certain = row.low > 0 or row.high < 0
        if abs(row.change) >= SEGMENT_CHANGE and certain:
            word = "grew" if row.change > 0 else "shrank"
            watch.append(
                f"The segment {row.name} {word} from {row.share_then:.1%} to {row.share_now:.1%}."
            )
    share, low, _ = strangers
    said = f"{share:.1%} are unlike any customer in training."
    if low > max(STRANGERS_REBUILD, chance):
        rebuild.append(said)
    elif low > max(STRANGERS_WATCH, chance):
        watch.append(said)
    if units:  # nothing is known of the customers until the numbers are right
        return "watch", watch + rebuild
    if rebuild:
        return "rebuild", rebuild + watch
    if watch:
        return "watch", watch
    return "keep", ["No feature, no segment and no share of strangers changed beyond the rules."]


def _rules() -> list[str]:
    return [
        f"A feature changed where its population stability index reaches {WATCH:g}, and changed "
        f"much from {REBUILD:g} on, and by more than chance reaches in one of a thousand periods.",
        f"Rebuild where a feature changed much, where {MANY:.0%} of the features changed, or where "
        f"more than {STRANGERS_REBUILD:.0%} are strangers.",
        f"Watch where a feature changed, where more than {STRANGERS_WATCH:.1%} are strangers, or "
        f"where a segment's share of all customers changed by {100 * SEGMENT_CHANGE:g} percentage "
        "points or more.",
        f"Watch, too, where the medians of at least {SHARE_MOVED:.0%} of the columns of money moved"
        f" the same way by {LEAST:.0%} or more, and by more than chance reaches in one of a "
        "thousand periods: what each feature alone may hide, amounts show together.",
        "Intervals are of 99.9%, because many comparisons are made; a change counts where its "
        "interval does not reach back to none.",
        "A stranger is farther from the own centre than 99.9% of the segment's customers in "
        "training. Their share counts beyond what chance reaches in one of a thousand periods: "
        "where segments are small, few are needed to be the farthest.",
    ]

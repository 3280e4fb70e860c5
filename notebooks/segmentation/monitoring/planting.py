"""A later period that nobody has lived through: the first one with changes planted in it.

What is planted is known, so that a look at drift can be held against it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation import expressions
from segmentation.dataset import Dataset
from segmentation.features import build_features
from segmentation.monitoring.drift import Drift
from segmentation.monitoring.levels import GROWN

PRICED = ("money", "number", "count")  # kinds whose values prices move; the first that is there
MOVED = 0.5  # share of the customers whose value of a feature has to differ


def priced_columns(dataset: Dataset) -> list[str]:
    """Return the columns that dearer prices multiply: money, or else numbers, or else counts.

    Only columns that a feature reads take part: another one could not be noticed.
    """
    read = {
        name
        for feature in dataset.features_with("segment")
        for name in expressions.columns_of(feature.formula)
    }
    for kind in PRICED:
        found = [c.name for c in dataset.columns if c.kind == kind and c.name in read]
        if found:
            return found
    return []


def next_period(
    customers: pd.DataFrame,
    labels: pd.Series,
    *,
    priced: list[str],
    new_share: float = 0.0,
    inflation: float = 0.0,
    shrinking: int = 1,
    shrink: float = 0.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Make a later period of the same customers.

    Each change is drawn on its own: planting one of them alone leaves the same customers out, or
    brings the same ones in, as planting all of them together.

    Parameters
    ----------
    customers : DataFrame, indexed by customer
        Cleaned.
    labels : Series of int, indexed by customer
        Their segments.
    priced : list of str
        The columns that inflation multiplies.
    new_share : float
        New customers, as a part of those who were there. Each is like a customer of the first
        period, drawn with replacement.
    inflation : float
        Part by which the priced columns grow.
    shrinking : int
        The segment that customers leave.
    shrink : float
        Part of it that leaves.
    seed : int

    Returns
    -------
    DataFrame, indexed by customer
        The new customers come last.
    """
    leaving, joining = (np.random.default_rng([seed, stream]) for stream in (1, 2))
    members = np.flatnonzero((labels.loc[customers.index] == shrinking).to_numpy())
    gone = leaving.permutation(members)[: round(shrink * len(members))]
    like = joining.integers(0, len(customers), round(new_share * len(customers)))
    new = customers.iloc[like].set_axis(_new_names(customers.index, len(like)))
    period = pd.concat([customers.drop(customers.index[gone]), new])
    period.index.name = customers.index.name
    grown = {name: period[name] * (1 + inflation) for name in priced} if inflation else {}
    return period.assign(**grown)


def _new_names(known: pd.Index, count: int) -> pd.Index:
    """Return identifiers that nobody has."""
    start = "new"
    while known.astype("str").str.startswith(start).any():
        start += "_"
    return pd.Index([f"{start}{number:07d}" for number in range(1, count + 1)], dtype=known.dtype)


def moved_features(
    customers: pd.DataFrame, dataset: Dataset, priced: list[str], inflation: float
) -> list[str]:
    """Return the labels of the features that prices move for most customers who have any.

    A share of two amounts stays what it is when both of them grow.
    """
    dearer = customers.assign(**{name: customers[name] * (1 + inflation) for name in priced})
    then, now = (build_features(table, dataset) for table in (customers, dearer))
    found = []
    for feature in dataset.features_with("segment"):
        before, after = (table[feature.name].to_numpy(float) for table in (then, now))
        differs = np.abs(after - before) > 1e-9 * np.abs(before)
        if differs.sum() > MOVED * np.count_nonzero(before):
            found.append(feature.label or feature.name)
    return found


# --- was it named? -------------------------------------------------------------------------------

WORDS = {
    "new_share": "new customers",
    "inflation": "larger amounts",
    "shrink": "a shrinking segment",
}


def new_named(counted: int, planted: int) -> str:
    """Say that all planted new customers were counted; empty where they were not."""
    return f"{counted:,} new identifiers" if planted and counted == planted else ""


def features_named(drift: Drift, moved: list[str]) -> str:
    """Return the reason that names a feature which prices move, or else all amounts; or nothing."""
    changed = drift.features[drift.features["band"] != "stable"]["feature"]
    return _reason(drift, [*(name for name in changed if name in moved), GROWN])


def segment_named(drift: Drift, segment: int) -> str:
    """Return the reason that names the segment which customers left; empty where none does."""
    rows = drift.segments[(drift.segments["segment"] == segment) & (drift.segments["high"] < 0)]
    return _reason(drift, [f"The segment {name} shrank" for name in rows["name"]])


def _reason(drift: Drift, starts: list[str]) -> str:
    return next((r for start in starts for r in drift.reasons if r.startswith(start)), "")

"""Scores of recency, frequency and monetary value, and the ten segments that retail makes of them.

The names are those of the R package rfm (Hebbali 2020). Its ranges overlap and leave combinations
of scores out; those of `SEGMENTS` hold every combination exactly once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from customer_tables.text import joined, lower_first
from segmentation.disclosure import MIN_GROUP_SIZE, merge_rare

PARTS = ("recency", "frequency", "monetary")
SCORES = 5
# First and last score of recency, and of the mean of the other two scores, halves rounded up.
SEGMENTS = {
    "Champions": ((5, 5), (4, 5)),
    "Loyal": ((3, 4), (4, 5)),
    "Potential loyalists": ((4, 5), (2, 3)),
    "New": ((5, 5), (1, 1)),
    "Promising": ((4, 4), (1, 1)),
    "Need attention": ((3, 3), (3, 3)),
    "About to sleep": ((3, 3), (1, 2)),
    "At risk": ((1, 2), (3, 4)),
    "Cannot lose": ((1, 2), (5, 5)),
    "Lost": ((1, 2), (1, 2)),
}
REST = "other segments"


def read_cuts(text: str) -> dict[str, list[float]]:
    """Read cut points such as ``recency=7,30,90,180; monetary=50,200,500,1000``.

    Raises
    ------
    UserError
        If a part is unknown or its numbers are not four ascending ones.
    """
    cuts: dict[str, list[float]] = {}
    for entry in filter(str.strip, text.split(";")):
        part, _, listed = (word.strip() for word in entry.partition("="))
        with suppress(ValueError):
            points = [float(point) for point in listed.split(",")]
            ascending = all(a < b for a, b in itertools.pairwise(points))
            usable = ascending and all(map(math.isfinite, points))
            if part in PARTS and len(points) == SCORES - 1 and usable:
                cuts[part] = points
                continue
        raise UserError(
            f"the cut points {entry.strip()[:60]!r} cannot be used",
            where="parameter rfm_cuts",
            remedy="write recency=7,30,90,180; frequency=2,4,8,16; monetary=50,200,500,1000",
        )
    return cuts


def cut_points(
    features: pd.DataFrame, parts: Mapping[Any, str], own: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Return the four cut points of each part: one's own, or quintiles of these customers.

    The features are in real units; `parts` names the one behind each part, and one's own cut points
    are as `read_cuts` gives them.
    """
    at = np.arange(1, SCORES) / SCORES
    return {
        part: own.get(part) or np.quantile(features[feature].to_numpy(float), at).tolist()
        for part, feature in parts.items()
    }


def scores(
    features: pd.DataFrame, parts: Mapping[Any, str], cuts: dict[str, list[float]]
) -> pd.DataFrame:
    """Score customers from 1 to 5 in recency, frequency and monetary value; 5 is best.

    Equal values have equal scores: of those that they span, the lowest, and of recency the highest.
    The cuts are from `cut_points`.
    """
    table = pd.DataFrame(index=features.index)
    for part, feature in parts.items():
        score = 1 + np.searchsorted(cuts[part], features[feature].to_numpy(float), side="left")
        table[part] = SCORES + 1 - score if part == "recency" else score
    return table


def cut_table(
    cuts: dict[str, list[float]], parts: Mapping[Any, str], titles: Mapping[str, str]
) -> pd.DataFrame:
    """Tabulate the cut points, a column for each part: above one, a score is higher by 1.

    For recency it is higher up to the point, so its points descend.
    """
    steps = [f"{score} to {score + 1}" for score in range(1, SCORES)]
    columns = {
        titles[parts[part]]: points[::-1] if part == "recency" else points
        for part, points in cuts.items()
    }
    return pd.DataFrame(columns, index=pd.Index(steps, name="from score"))


def unused_scores(table: pd.DataFrame) -> str:
    """Say which scores no customer has: too many values are equal, or own cuts are far off."""
    every = set(range(1, SCORES + 1))
    gaps = {part: sorted(every - set(table[part])) for part in table}
    return joined([f"{p} {joined(list(map(str, gap)))}" for p, gap in gaps.items() if gap])


def segments(table: pd.DataFrame) -> pd.Series:
    """Name each customer's RFM segment, from their three scores."""
    both = (table["frequency"] + table["monetary"] + 1) // 2
    named = pd.Series("", index=table.index, name="RFM segment")
    for name, (recency, others) in SEGMENTS.items():
        named[table["recency"].between(*recency) & both.between(*others)] = name
    return named


def segment_table(
    named: pd.Series,
    measures: pd.DataFrame,
    value: pd.Series | None,
    min_group_size: int = MIN_GROUP_SIZE,
) -> pd.DataFrame:
    """Tabulate the RFM segments: their scores, customers, share of the value and medians.

    Customers are `named` by `segments`, medians are shown of `measures`, and `value` is what each
    customer is worth. Segments of fewer than ``min_group_size`` customers share a row.
    """
    shown = merge_rare(named, min_group_size, rest=REST)
    ranges = {
        name: ["–".join(map(str, dict.fromkeys(scores))) for scores in both]
        for name, both in SEGMENTS.items()
    }
    columns = ["recency score", "frequency and monetary score"]
    table = pd.DataFrame.from_dict(ranges | {REST: ["", ""]}, orient="index", columns=columns)
    table["customers"] = shown.value_counts().reindex(table.index, fill_value=0)
    table["share"] = table["customers"] / len(shown)
    if value is not None and value.sum() > 0:
        table["value_share"] = value.groupby(shown).sum() / value.sum()
    medians = measures.groupby(shown).median()
    table = table.join(medians.rename(columns=lambda title: f"median {lower_first(title)}"))
    gone = [name for name in table.index if not table["customers"][name]]
    return table.drop(index=gone).rename_axis("RFM segment")

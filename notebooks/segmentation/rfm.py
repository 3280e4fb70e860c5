"""The classic scores of recency, frequency and monetary value: the baseline of retail."""

from __future__ import annotations

import itertools
from contextlib import suppress

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from segmentation.disclosure import MIN_GROUP_SIZE, merge_neighbours

PARTS = ("recency", "frequency", "monetary")
SCORES = 5
GROUPS = {15: "13 to 15", 12: "10 to 12", 9: "7 to 9", 6: "5 to 6", 4: "3 to 4"}


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
            if part in PARTS and len(points) == SCORES - 1 and ascending:
                cuts[part] = points
                continue
        raise UserError(
            f"the cut points {entry.strip()[:60]!r} cannot be used",
            where="parameter rfm_cuts",
            remedy="write recency=7,30,90,180; frequency=2,4,8,16; monetary=50,200,500,1000",
        )
    return cuts


def scores(
    features: pd.DataFrame, parts: dict[str, str], cuts: dict[str, list[float]]
) -> pd.DataFrame:
    """Score customers from 1 to 5 in recency, frequency and monetary value; 5 is best.

    Parameters
    ----------
    features : DataFrame, shape (n_customers, n_features)
        In real units.
    parts : dict of str to str
        The feature behind each part; beside their scores, their sum comes as "total".
    cuts : dict of str to list of float
        Four cut points a part; quintiles of these customers where there are none.
    """
    table = pd.DataFrame(index=features.index)
    for part, feature in parts.items():
        values = features[feature].to_numpy(float)
        points = cuts.get(part) or np.quantile(values, np.arange(1, SCORES) / SCORES)
        score = 1 + np.searchsorted(points, values, side="left")
        table[part] = SCORES + 1 - score if part == "recency" else score
    table["total"] = table.sum(axis=1)
    return table


def score_groups(table: pd.DataFrame) -> pd.Series:
    """Divide customers into five groups by their total score, the best first (0 to 4)."""
    limits = sorted(GROUPS)
    return 4 - pd.Series(np.searchsorted(limits, table["total"]), index=table.index)


def score_table(
    table: pd.DataFrame, value: pd.Series | None, min_group_size: int = MIN_GROUP_SIZE
) -> pd.DataFrame:
    """Tabulate the groups of total scores: how many customers, and their share of the value.

    A group of fewer than ``min_group_size`` customers shares a row with the next one.
    """
    groups = score_groups(table).map(dict(enumerate(GROUPS.values())))
    shown_in = merge_neighbours(
        groups.value_counts().reindex(list(GROUPS.values())).fillna(0), min_group_size
    )
    names = groups.map(shown_in)
    counts = names.value_counts().reindex(shown_in.unique()).fillna(0).astype(int)
    shown = pd.DataFrame({"customers": counts, "share": counts / len(table)})
    if value is not None and value.sum() > 0:
        shown["value_share"] = value.groupby(names).sum().reindex(shown.index).fillna(0)
        shown["value_share"] /= value.sum()
    for part in (part for part in PARTS if part in table):
        shown[f"{part}_score"] = table[part].groupby(names).mean()
    return shown.rename_axis("total score")

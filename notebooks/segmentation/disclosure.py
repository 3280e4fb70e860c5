"""What may be published about few customers: nothing that would be one customer's own value.

Whatever describes fewer than `MIN_GROUP_SIZE` customers is merged with its nearest neighbour or
suppressed (the threshold rule of Hundepool et al., *Statistical Disclosure Control*, 2012). Merging
comes first: from a total and all other parts, a part that is only suppressed could be worked out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

MIN_GROUP_SIZE = 10  # customers that a description has to stand for


def merge_small(
    labels: pd.Series,
    centres: np.ndarray | Sequence[Sequence[float]],
    min_group_size: int = MIN_GROUP_SIZE,
) -> pd.Series:
    """Count the customers of segments that are too small with those of the nearest segment.

    Returns the segments, numbered from 1, with the number of the largest of each merged group.
    """
    sizes = labels.value_counts().sort_index()
    hosts, points = {int(segment): int(segment) for segment in sizes.index}, np.asarray(centres)
    while True:
        customers = sizes.groupby(hosts).sum()
        small = int(customers.idxmin()) if len(customers) else 0
        if len(customers) < 2 or customers[small] >= min_group_size:
            return labels.map(hosts).astype(labels.dtype).rename(labels.name)
        others = customers.index.drop(small).to_numpy()
        away = ((points[others - 1] - points[small - 1]) ** 2).sum(axis=1)
        merged = {small, int(others[away.argmin()])}
        members = [segment for segment, host in hosts.items() if host in merged]
        hosts |= dict.fromkeys(members, int(sizes[members].idxmax()))


def suppressed(
    counts: np.ndarray, min_group_size: int = MIN_GROUP_SIZE, *, diagonal: bool = False
) -> np.ndarray:
    """Mark cells with too few customers, and what would give them away by subtraction.

    A row's or column's only suppressed cell follows from its total: then the next smallest cell of
    that line is suppressed, too, until no line has just one. An empty cell is published. With
    `diagonal`, its total is published as well, as that of customers who stayed.
    """
    places = np.arange(counts.size).reshape(counts.shape)
    lines = [*places, *places.T, *([places.diagonal()] if diagonal else [])]
    cells = counts.ravel()
    hidden = (cells > 0) & (cells < min_group_size)
    while True:
        for line in lines:
            shown = line[(cells[line] > 0) & ~hidden[line]]
            if hidden[line].sum() == 1 and shown.size:
                hidden[shown[cells[shown].argmin()]] = True
                break
        else:
            return hidden.reshape(counts.shape)


def cross_table(
    rows: pd.Series, columns: pd.Series, min_group_size: int = MIN_GROUP_SIZE
) -> pd.DataFrame:
    """Count customers by two groupings; cells that `suppressed` marks are missing."""
    counts = pd.crosstab(rows, columns)
    return counts.astype(float).mask(suppressed(counts.to_numpy(), min_group_size))


def quantiles(
    table: pd.DataFrame, shares: Sequence[float], min_group_size: int = MIN_GROUP_SIZE
) -> pd.DataFrame:
    """Return quantiles of each column with at least ``min_group_size`` customers beyond them.

    A more extreme one is drawn in to the value that ``min_group_size`` customers exceed (or stay
    below); a column with fewer values has none. Quartiles and medians are what they are.
    """
    found = pd.DataFrame(np.nan, index=table.columns, columns=list(shares))
    for name, values in table.items():
        edge = min(min_group_size / max(values.count(), 1), 0.25)
        if values.count() >= min_group_size:
            found.loc[name] = values.quantile(np.clip(shares, edge, 1 - edge)).to_numpy()
    return found


def merge_rare(
    answers: pd.Series,
    min_group_size: int = MIN_GROUP_SIZE,
    *,
    most: int | None = None,
    rest: str = "other",
) -> pd.Series:
    """Give answers that too few customers gave one name, the next rarest with them if need be.

    Answers beyond the ``most`` frequent ones are merged, too.
    """
    counts = answers.value_counts()
    kept = counts.index[counts >= min_group_size][:most]
    if 0 < counts.drop(kept).sum() < min_group_size:
        kept = kept[:-1]  # the rest alone would still be too few
    return answers.where(answers.isin(kept), rest)

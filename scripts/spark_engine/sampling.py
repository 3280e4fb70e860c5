"""A sample of customers for the notebooks: seeded, stratified, the same on any engine.

The strata are the cells of recency by value, five by five, as in the classic table of scores
(Hughes, Strategic Database Marketing, 1994). Each cell gives as many customers as its share of
everybody (proportional allocation; Cochran, Sampling Techniques, 3rd ed. 1977, ch. 5), so that
shares and means of the sample need no weights. Within a cell those are drawn whose identifier
hashes lowest together with the seed: no order of rows, files or workers plays a part.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

CELLS = 5  # groups of each of the two features
SPARE = 2.0  # candidates for each place in the sample, so that no cell runs short
STRATA = ("recency_days", "spent")
HASH_BITS = 32


def draw_sample(
    query: Callable[[str], pd.DataFrame], place: str, size: int, seed: int
) -> tuple[pd.DataFrame, int]:
    """Draw customers from a table of an engine.

    Parameters
    ----------
    query : callable
        Returns the rows of a query in DuckDB's dialect as a table.
    place : str
        What stands behind FROM; with columns customer_id, recency_days and spent.
    size : int
        How many to draw; all where there are not more.
    seed : int
        Another seed draws others.

    Returns
    -------
    DataFrame
        The customers drawn, with all columns, ordered by customer_id.
    int
        How many customers there are in all.
    """
    total = int(query(f"SELECT count(*) AS customers FROM {place}")["customers"].iloc[0])
    size, share = min(size, total), SPARE * size / max(total, 1)
    hashed = f"md5(concat('{int(seed)}:', customer_id))"
    while True:
        limit = format(min(int(share * 2**HASH_BITS), 2**HASH_BITS - 1), f"0{HASH_BITS // 4}x")
        some = f" WHERE {hashed} < '{limit}'" if share < 1 else ""
        found = query(f"SELECT *, {hashed} AS drawn_by FROM {place}{some}")
        found = found.sort_values(["drawn_by", "customer_id"], ignore_index=True)
        steps = np.arange(1, CELLS) / CELLS
        edges = {
            name: np.quantile(found[name].to_numpy(float), steps, method="inverted_cdf")
            for name in STRATA
        }
        wanted = allocate(_count_cells(query, place, edges), size)
        first, second = (
            np.searchsorted(edges[name], found[name].to_numpy(float)) for name in STRATA
        )
        cells = pd.Series(first * CELLS + second)
        chosen = found[cells.groupby(cells).cumcount().to_numpy() < wanted[cells]]
        if len(chosen) == size or share >= 1:
            break
        share *= 2  # a cell ran short of candidates
    table = chosen.drop(columns="drawn_by").sort_values("customer_id", ignore_index=True)
    return table, total


def allocate(counts: np.ndarray, size: int) -> np.ndarray:
    """Share places out among cells in proportion to their customers, by the largest remainders.

    Returns
    -------
    ndarray of int, shape (n_cells,)
        Adds up to `size`, and is nowhere more than there are.
    """
    quota = size * counts / max(counts.sum(), 1)
    places = np.floor(quota).astype(np.int64)
    order = np.argsort(places - quota, kind="stable")
    places[order[: size - places.sum()]] += 1
    return places


def _count_cells(
    query: Callable[[str], pd.DataFrame], place: str, edges: dict[str, np.ndarray]
) -> np.ndarray:
    """Count all customers in each cell."""
    groups = [
        " + ".join(
            f"CASE WHEN {name} <= CAST('{float(edge)!r}' AS DOUBLE) THEN 0 ELSE 1 END"
            for edge in edges[name]
        )
        for name in STRATA
    ]
    cell = f"({groups[0]}) * {CELLS} + {groups[1]}"
    rows = query(f"SELECT {cell} AS cell, count(*) AS customers FROM {place} GROUP BY 1")
    counts = np.zeros(CELLS * CELLS, np.int64)
    counts[rows["cell"]] = rows["customers"]
    return counts

"""A sample of customers for the notebooks: seeded, stratified, the same on any engine.

The strata are the cells of recency by value, five by five, as in the classic table of scores
(Hughes, Strategic Database Marketing, 1994). Each cell gives as many customers as its share of
everybody (proportional allocation; Cochran, Sampling Techniques, 3rd ed. 1977, ch. 5), so that
shares and means of the sample need no weights. Within a cell those are drawn whose identifier
hashes lowest together with the seed: no order of rows, files or workers plays a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

CELLS = 5  # groups of each of the two features
SPARE = 2.0  # candidates for each place in the sample, so that no cell runs short
STRATA = ("recency_days", "spent")
HASH_BITS = 32


class Tables(Protocol):
    """What sampling needs of an engine; queries are in DuckDB's dialect."""

    def ask(self, query: str) -> list[tuple]:
        """Return the rows of a query."""

    def table(self, query: str) -> pd.DataFrame:
        """Return the rows of a query as a table."""


@dataclass(frozen=True)
class Sample:
    """A drawn sample.

    Attributes
    ----------
    table : DataFrame
        The customers drawn, with all columns, ordered by customer_id.
    customers : int
        How many there are in all.
    cells : DataFrame
        For each cell, from 0 on: everybody's and the sample's customers.
    """

    table: pd.DataFrame
    customers: int
    cells: pd.DataFrame


def draw_sample(engine: Tables, place: str, size: int, seed: int) -> Sample:
    """Draw customers from a table of an engine.

    Parameters
    ----------
    engine : Spark or DuckDB
    place : str
        What stands behind FROM; with columns customer_id, recency_days and spent.
    size : int
        How many to draw; everybody where there are not more.
    seed : int
        Another seed draws others.
    """
    total = int(engine.ask(f"SELECT count(*) FROM {place}")[0][0])
    size, share = min(size, total), SPARE * size / max(total, 1)
    while True:
        found = engine.table(_candidates(place, seed, share)).sort_values(
            ["drawn_by", "customer_id"], ignore_index=True
        )
        edges = {name: _edges(found[name]) for name in STRATA}
        counts = _count_cells(engine, place, edges)
        wanted = allocate(counts, size)
        cells = _cells_of(found, edges)
        rank = cells.groupby(cells).cumcount()
        chosen = found[rank.to_numpy() < wanted[cells]]
        if len(chosen) == size or share >= 1:
            break
        share *= 2  # a cell ran short of candidates
    table = chosen.drop(columns="drawn_by").sort_values("customer_id", ignore_index=True)
    overview = pd.DataFrame({"customers": counts, "sample": wanted})
    return Sample(table, total, overview.rename_axis("cell"))


def allocate(counts: np.ndarray, size: int) -> np.ndarray:
    """Share places out among cells in proportion, by the largest remainders.

    Parameters
    ----------
    counts : ndarray of int, shape (n_cells,)
        Customers in each cell.
    size : int
        Places; at most all customers.

    Returns
    -------
    ndarray of int, shape (n_cells,)
        Adds up to `size`, and is nowhere more than there are.
    """
    quota = size * counts / max(counts.sum(), 1)
    places = np.floor(quota).astype(np.int64)
    left = size - places.sum()
    order = np.argsort(places - quota, kind="stable")
    places[order[:left]] += 1
    return places


def _candidates(place: str, seed: int, share: float) -> str:
    """Return the query of those whose hash is low: about this share of everybody."""
    hashed = f"md5(concat('{int(seed)}:', customer_id))"
    query = f"SELECT *, {hashed} AS drawn_by FROM {place}"
    if share >= 1:
        return query
    limit = format(int(share * 2**HASH_BITS), f"0{HASH_BITS // 4}x")
    return f"{query} WHERE {hashed} < '{limit}'"


def _edges(values: pd.Series) -> np.ndarray:
    """Return the upper edges of all groups but the last, which are values that occur."""
    steps = np.arange(1, CELLS) / CELLS
    return np.quantile(values.to_numpy(float), steps, method="inverted_cdf")


def _cells_of(table: pd.DataFrame, edges: dict[str, np.ndarray]) -> pd.Series:
    first, second = (np.searchsorted(edges[name], table[name].to_numpy(float)) for name in STRATA)
    return pd.Series(first * CELLS + second, index=table.index)


def _count_cells(engine: Tables, place: str, edges: dict[str, np.ndarray]) -> np.ndarray:
    """Count everybody's customers in each cell."""
    groups = [
        "CASE "
        + " ".join(
            f"WHEN {name} <= CAST('{float(edge)!r}' AS DOUBLE) THEN {number}"
            for number, edge in enumerate(edges[name])
        )
        + f" ELSE {CELLS - 1} END"
        for name in STRATA
    ]
    cell = f"({groups[0]}) * {CELLS} + ({groups[1]})"
    rows = engine.ask(
        f"SELECT cell, count(*) FROM (SELECT {cell} AS cell FROM {place}) GROUP BY cell"
    )
    counts = np.zeros(CELLS * CELLS, np.int64)
    for number, customers in rows:
        counts[int(number)] = customers
    return counts

"""Lineage: how segments split and merge as their number grows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

_SWEEPS = 8


def flows(labelings: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Count the customers that go from each segment of a solution to each of the next.

    Parameters
    ----------
    labelings : mapping of k to ndarray of int, shape (n,)
        Two solutions or more, numbered from 0.

    Returns
    -------
    DataFrame
        k_from, segment_from, k_to, segment_to, customers; no empty flows.
    """
    ks = sorted(labelings)
    columns = ["k_from", "segment_from", "k_to", "segment_to"]
    tables = [
        pd.DataFrame(
            dict(zip(columns, (start, labelings[start], stop, labelings[stop]), strict=True))
        )
        for start, stop in zip(ks, ks[1:], strict=False)
    ]
    return pd.concat(tables).groupby(columns).size().rename("customers").reset_index()


def order_for_display(table: pd.DataFrame) -> dict[int, list[int]]:
    """Order of each solution's segments, top to bottom, in which few customers' ribbons cross.

    Sweeps up and down the solutions, each segment placed at the barycentre of those it shares
    customers with (Sugiyama, Tagawa & Toda 1981); the best order met is kept.

    Parameters
    ----------
    table : DataFrame
        From `flows`.

    Returns
    -------
    dict of k to list of int
    """
    steps = _steps(table)
    orders = {}
    for (start, stop), counts in steps.items():
        orders[start], orders[stop] = (list(range(size)) for size in counts.shape)
    best, fewest = dict(orders), _crossings(steps, orders)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for (start, stop), counts in list(steps.items())[:: 1 if forward else -1]:
            fixed, moved = (start, stop) if forward else (stop, start)
            weights = counts if forward else counts.T
            centres = np.argsort(orders[fixed]) @ weights / weights.sum(axis=0)
            orders[moved] = sorted(orders[moved], key=centres.__getitem__)
        crossings = _crossings(steps, orders)
        if crossings < fewest:
            best, fewest = dict(orders), crossings
    return best


def _steps(table: pd.DataFrame) -> dict[tuple[int, int], np.ndarray]:
    """Tabulate customers by segment before and after, for each pair of solutions."""
    return {
        (int(start), int(stop)): part.pivot_table(
            index="segment_from", columns="segment_to", values="customers", fill_value=0
        ).to_numpy()
        for (start, stop), part in table.groupby(["k_from", "k_to"])
    }


def _crossings(steps: Mapping, orders: Mapping[int, list[int]]) -> float:
    """Pairs of customers whose ribbons cross."""
    crossings = 0.0
    for (start, stop), counts in steps.items():
        placed = counts[orders[start]][:, orders[stop]]
        below_left = placed[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)
        crossings += (placed[:-1, 1:] * below_left[1:, :-1]).sum()
    return crossings


def segment_stability(table: pd.DataFrame, jaccard: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Stability of each segment of each solution, across resamples and across k.

    Parameters
    ----------
    table : DataFrame
        From `flows`.
    jaccard : mapping of k to ndarray, shape (resamples, k)
        Similarities of each segment with its best match in each resample.

    Returns
    -------
    DataFrame, indexed by k and segment
        resamples: stability within a solution, SLSW, the mean Jaccard similarity. k: stability
        across solutions, SLSA (Dolnicar & Leisch 2017): one less the entropy of where a segment's
        customers were in the solution before, over the entropy's maximum: 1 where all come from one
        segment, 0 where evenly from all; NaN for the first k.
    """
    within = {(k, s): v for k, each in jaccard.items() for s, v in enumerate(each.mean(axis=0))}
    across: dict[tuple[int, int], float] = {}
    for (_, k), counts in _steps(table).items():
        shares = counts / counts.sum(axis=0)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=0)
        slsa = 1 - entropy / np.log(max(len(counts), 2))
        across |= {(k, segment): value for segment, value in enumerate(slsa)}
    columns = {"resamples": pd.Series(within), "k": pd.Series(across)}
    return pd.DataFrame(columns).rename_axis(["k", "segment"])

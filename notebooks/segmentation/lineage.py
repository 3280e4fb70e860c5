"""How segments split and merge as their number grows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

_SWEEPS = 8


def flows(labelings: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Customers that go from each segment of one solution to each of the next.

    Parameters
    ----------
    labelings : mapping of k to ndarray of int, shape (n,)

    Returns
    -------
    DataFrame
        k_from, segment_from, k_to, segment_to, customers; no empty flows.
    """
    ks = sorted(labelings)
    tables = [
        pd.DataFrame({"segment_from": labelings[start], "segment_to": labelings[stop]})
        .groupby(["segment_from", "segment_to"])
        .size()
        .rename("customers")
        .reset_index()
        .assign(k_from=start, k_to=stop)
        for start, stop in zip(ks, ks[1:], strict=False)
    ]
    columns = ["k_from", "segment_from", "k_to", "segment_to", "customers"]
    return pd.concat(tables, ignore_index=True)[columns]


def order_for_display(table: pd.DataFrame) -> dict[int, list[int]]:
    """Order of the segments, top to bottom, in which few ribbons cross.

    Sweeps down and up the solutions, each segment placed at the barycentre of the segments it
    shares customers with (Sugiyama, Tagawa & Toda 1981); the best order met is kept.

    Parameters
    ----------
    table : DataFrame
        From `flows`.

    Returns
    -------
    dict of k to list of int
    """
    steps = _steps(table)
    ks = sorted({k for step in steps for k in step})
    orders = {start: list(range(len(counts))) for (start, _), counts in steps.items()}
    orders[ks[-1]] = list(range(next(reversed(steps.values())).shape[1]))
    best, fewest = dict(orders), _crossings(steps, orders)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for (start, stop), counts in steps.items() if down else reversed(steps.items()):
            fixed, moved = (start, stop) if down else (stop, start)
            weights = counts if down else counts.T
            places = np.argsort(orders[fixed])
            centre = places @ weights / weights.sum(axis=0)
            orders[moved] = sorted(orders[moved], key=centre.__getitem__)
        crossings = _crossings(steps, orders)
        if crossings < fewest:
            best, fewest = dict(orders), crossings
    return best


def _steps(table: pd.DataFrame) -> dict[tuple[int, int], np.ndarray]:
    """Counts of customers, shape (segments before, segments after), per pair of solutions."""
    steps = {}
    for (start, stop), part in table.groupby(["k_from", "k_to"]):
        counts = np.zeros((part["segment_from"].max() + 1, part["segment_to"].max() + 1))
        counts[part["segment_from"], part["segment_to"]] = part["customers"]
        steps[int(start), int(stop)] = counts
    return steps


def _crossings(steps: dict, orders: dict[int, list[int]]) -> float:
    """Pairs of customers whose ribbons cross."""
    crossings = 0.0
    for (start, stop), counts in steps.items():
        placed = counts[orders[start]][:, orders[stop]]
        below_left = placed[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)
        crossings += (placed[:-1, 1:] * below_left[1:, :-1]).sum()
    return crossings


def level_stability(table: pd.DataFrame) -> pd.DataFrame:
    """Segment-level stability across solutions, SLSA (Dolnicar & Leisch 2017).

    One less the entropy of where a segment's customers were in the solution before, over the
    largest possible entropy: 1 where all come from one segment, 0 where they come evenly from
    all. The stability within a solution, SLSW, is the mean over resamples of
    `stability.refit_on_resamples`' Jaccard similarities.

    Returns
    -------
    DataFrame
        k, segment, slsa; none for the first solution, which has none before it.
    """
    rows = []
    for (_, stop), counts in _steps(table).items():
        shares = counts / counts.sum(axis=0)
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        entropy = -(shares * logs).sum(axis=0)
        largest = np.log(len(counts)) if len(counts) > 1 else 1.0
        rows += [
            {"k": stop, "segment": segment, "slsa": 1.0 - value / largest}
            for segment, value in enumerate(entropy)
        ]
    return pd.DataFrame(rows)

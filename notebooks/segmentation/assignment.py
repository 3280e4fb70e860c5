"""Which segment a customer belongs to, how surely, and who resembles nobody seen before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

STRANGER_QUANTILE = 0.999  # of the training customers of a segment, by distance to its centre


def distances(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distances of customers to centres, shape (n, k)."""
    return np.column_stack([np.linalg.norm(matrix - centre, axis=1) for centre in centres])


def assignment_confidence(distances: np.ndarray) -> pd.DataFrame:
    """Say how surely each customer belongs to the nearest centre.

    Parameters
    ----------
    distances : ndarray, shape (n, k)
        To the k centres, k at least 2.

    Returns
    -------
    DataFrame, shape (n, 5)
        segment (from 1), second_choice (from 1), distance, ratio (nearest to second nearest
        centre: 0 at the centre, 1 on the border) and confidence (1 - ratio).
    """
    order = np.argsort(distances, axis=1, kind="stable")
    rows = np.arange(len(distances))
    nearest, second = distances[rows, order[:, 0]], distances[rows, order[:, 1]]
    ratio = np.divide(nearest, second, out=np.ones_like(nearest), where=second > 0)
    return pd.DataFrame(
        {
            "segment": order[:, 0] + 1,
            "second_choice": order[:, 1] + 1,
            "distance": nearest,
            "ratio": ratio,
            "confidence": 1 - ratio,
        }
    )


def stranger_distances(
    segments: np.ndarray, distance: np.ndarray, k: int, quantile: float = STRANGER_QUANTILE
) -> np.ndarray:
    """Return for each segment how far from its centre all but a few training customers are.

    Parameters
    ----------
    segments : ndarray of int, shape (n,)
        From 1 to k.
    distance : ndarray, shape (n,)
        To the own centre.

    Returns
    -------
    ndarray, shape (k,)
        Who is farther away is unlike the customers that made the segment.
    """
    return np.array([np.quantile(distance[segments == s], quantile) for s in range(1, k + 1)])


def mark_strangers(assigned: pd.DataFrame, limits: Sequence[float]) -> pd.Series:
    """Mark the customers that are farther from their centre than nearly all in training were.

    Parameters
    ----------
    assigned : DataFrame
        As `assignment_confidence` gives it.
    limits : sequence of float, length k
        As `stranger_distances` gives them.
    """
    return assigned["distance"] > np.asarray(limits)[assigned["segment"].to_numpy() - 1]

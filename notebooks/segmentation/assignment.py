"""Which segment a customer belongs to, how surely, and who resembles nobody seen before."""

from __future__ import annotations

import numpy as np
import pandas as pd

BLOCK = 4096  # customers whose distances are computed at a time: they stay in the cache
STRANGER_QUANTILE = 0.999  # of the training customers of a segment, by distance to its centre


def distances(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distances of customers to centres, shape (n, k)."""
    found = np.empty((len(centres), len(matrix)))
    for first in range(0, len(matrix), BLOCK):
        block = np.ascontiguousarray(matrix[first : first + BLOCK].T)
        fill_distances(block, centres, found[:, first : first + BLOCK])
    return found.T


def fill_distances(columns: np.ndarray, centres: np.ndarray, out: np.ndarray) -> None:
    """Write Euclidean distances into `out`.

    The squares are added feature after feature, so that a customer's distances do not depend on
    the customers beside (a sum over an axis adds in another order where it is one customer's).

    Parameters
    ----------
    columns : ndarray of float64, shape (d, n)
        One row a feature.
    centres : ndarray, shape (k, d)
    out : ndarray of float64, shape (k, n)
    """
    out[:], difference = 0.0, np.empty(out.shape)
    for values, places in zip(columns, centres.T, strict=True):
        np.subtract(values, places[:, None], out=difference)
        np.multiply(difference, difference, out=difference)
        np.add(out, difference, out=out)
    np.sqrt(out, out=out)


def nearest_two(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest and the second nearest of k centres; the first of equals.

    Parameters
    ----------
    distances : ndarray, shape (k, n)
        k at least 2.

    Returns
    -------
    tuple of ndarray, shape (n,) each
        The nearest centre (from 0) and its distance, the second and its distance.
    """
    near, next_ = distances[0].copy(), np.full(distances.shape[1], np.inf)
    for distance in distances[1:]:
        np.minimum(next_, np.maximum(near, distance), out=next_)
        np.minimum(near, distance, out=near)
    first = first_equal(distances, near)
    return first, near, first_equal(distances, next_, other_than=first), next_


def first_equal(
    distances: np.ndarray, sought: np.ndarray, other_than: np.ndarray | None = None
) -> np.ndarray:
    """Return the first of k rows that holds the sought values, shape (n,): one of them does."""
    kind = np.min_scalar_type(len(distances))
    first, found = np.zeros(sought.shape, kind), np.zeros(sought.shape, bool)
    for row, distance in enumerate(distances[:-1]):
        equal = distance == sought
        if other_than is not None:
            equal &= other_than != row
        found |= equal
        first += ~found
    return first.astype(np.int64)


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
    segment, near, second_choice, second = nearest_two(np.asarray(distances).T)
    ratio = distance_ratio(near, second)
    return pd.DataFrame(
        {
            "segment": segment + 1,
            "second_choice": second_choice + 1,
            "distance": near,
            "ratio": ratio,
            "confidence": 1 - ratio,
        }
    )


def distance_ratio(near: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Nearest over second nearest distance; 1 where both are 0."""
    return np.divide(near, second, out=np.ones_like(near), where=second > 0)


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

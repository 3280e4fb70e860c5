"""Which segment a customer belongs to, how surely, and who is unlike all seen before."""

from __future__ import annotations

import numpy as np
import pandas as pd

BLOCK = 4096  # customers whose distances are computed at a time: they stay in the cache
OUTLIER_QUANTILE = 0.999  # of the training customers of a segment, by distance to its centre


def distances(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distances of customers to centres, shape (n, k).

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    centres : ndarray, shape (k, d)
    """
    found = np.empty((len(centres), len(matrix)))
    for first in range(0, len(matrix), BLOCK):
        block = np.ascontiguousarray(matrix[first : first + BLOCK].T)
        found[:, first : first + BLOCK] = block_distances(block, centres)
    return found.T


def block_distances(columns: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distances of centres to a block of customers, shape (k, n).

    The squares are added feature after feature, so that a customer's distances do not depend on
    the customers beside (a sum over an axis adds in another order where it is one customer's).

    Parameters
    ----------
    columns : ndarray of float64, shape (d, n)
        One row a feature.
    centres : ndarray, shape (k, d)
    """
    squares = np.zeros((len(centres), columns.shape[1]))
    for values, places in zip(columns, centres.T, strict=True):
        difference = values - places[:, None]
        squares += np.multiply(difference, difference, out=difference)
    return np.sqrt(squares, out=squares)


def assign(distances: np.ndarray) -> dict[str, np.ndarray]:
    """Find the nearest and the second-nearest of k centres; the first of equals.

    Parameters
    ----------
    distances : ndarray, shape (k, n)
        k at least 2.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        segment and second_choice (from 1), distance (to the nearest centre), ratio (nearest to
        second-nearest distance: 0 at the centre, 1 on the border) and confidence (1 - ratio).
    """
    near, other = distances[0].copy(), np.full(distances.shape[1], np.inf)
    for distance in distances[1:]:
        np.minimum(other, np.maximum(near, distance), out=other)
        np.minimum(near, distance, out=near)
    first = _first_equal(distances, near)
    second = _first_equal(distances, other, but=first)
    ratio = np.divide(near, other, out=np.ones_like(near), where=other > 0)
    return {
        "segment": first.astype(np.int64) + 1,
        "second_choice": second.astype(np.int64) + 1,
        "distance": near,
        "ratio": ratio,
        "confidence": 1 - ratio,
    }


def _first_equal(
    distances: np.ndarray, sought: np.ndarray, but: np.ndarray | int = -1
) -> np.ndarray:
    """Return the first row, other than `but`, that holds the sought values: one of them does."""
    row, found = np.zeros(len(sought), np.int16), np.zeros(len(sought), bool)
    for number, distance in enumerate(distances[:-1]):  # three times as fast as argmin
        found |= (distance == sought) & (but != number)
        row += ~found
    return row


def assignment_confidence(distances: np.ndarray) -> pd.DataFrame:
    """Say how surely each customer belongs to the nearest centre.

    Parameters
    ----------
    distances : ndarray, shape (n, k)
        To the k centres, k at least 2.

    Returns
    -------
    DataFrame, shape (n, 5)
        As `assign`.
    """
    return pd.DataFrame(assign(np.asarray(distances).T))


def outlier_distances(assigned: dict[str, np.ndarray], k: int) -> np.ndarray:
    """Return for each segment how far from its centre all but a few training customers are.

    Parameters
    ----------
    assigned : dict of str to ndarray
        As `assign` gives it, of the training customers.

    Returns
    -------
    ndarray, shape (k,)
        Who is farther away is unlike the customers that made the segment.
    """
    segment, distance = assigned["segment"], assigned["distance"]
    return np.array(
        [np.quantile(distance[segment == s], OUTLIER_QUANTILE) for s in range(1, k + 1)]
    )

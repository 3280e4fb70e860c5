"""Silhouettes of many labelings in one pass over the distances."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np

from segmentation.parallel import parallel_map

# Customers a block, at most, and distances: fixed, so that sums do not depend on the number of
# cores, and so that a block of distances stays small however many customers there are.
_BLOCK, _DISTANCES = 128, 2**23


Name = TypeVar("Name", bound=Hashable)


def silhouettes(
    matrix: np.ndarray,
    labelings: Mapping[Name, np.ndarray],
    *,
    rows: np.ndarray | None = None,
) -> dict[Name, np.ndarray]:
    """Silhouette of every customer under every labelling (Rousseeuw 1987), exact.

    Each block of Euclidean distances is computed once; its product with the memberships of all
    labelings holds the summed distance of each customer to each segment of each labelling.

    Parameters
    ----------
    labelings : mapping of name to ndarray of int, shape (n,)
        The label -1 is noise: such customers get no silhouette and count in no other's.
    rows : ndarray of int, shape (m,), optional
        Score only these customers, each still against all others: a sample, for large n.

    Returns
    -------
    dict of name to ndarray of float64, shape (n,)
        Between -1 and 1; 0 in a segment of one customer; nan for noise, for customers not in
        `rows`, and throughout where there are fewer than two segments.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    matrix = matrix - matrix.mean(axis=0)
    squares = np.square(matrix).sum(axis=1)
    rows = np.arange(len(matrix)) if rows is None else np.asarray(rows)
    one_hot = [_memberships(np.asarray(labels)) for labels in labelings.values()]
    ends = np.cumsum([part.shape[1] for part in one_hot])[:-1]
    memberships = np.hstack(one_hot)
    sizes = np.split(memberships.sum(axis=0), ends)
    size = max(1, min(_BLOCK, _DISTANCES // max(1, len(matrix))))
    here = threading.local()  # each worker writes into its own buffer, over and over

    def score(block: np.ndarray) -> list[np.ndarray]:
        if not hasattr(here, "buffer"):
            here.buffer = np.empty((size, len(matrix)))
        gaps = np.matmul(-2.0 * matrix[block], matrix.T, out=here.buffer[: len(block)])
        gaps += squares
        gaps += squares[block, None]
        np.maximum(gaps, 0.0, out=gaps)
        gaps[np.arange(len(block)), block] = 0.0
        np.sqrt(gaps, out=gaps)
        sums = np.split(gaps @ memberships, ends, axis=1)
        own = [part[block] for part in one_hot]
        return list(map(_scores, sums, own, sizes))

    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    scored = parallel_map(score, blocks)
    result = {name: np.full(len(matrix), np.nan) for name in labelings}
    for name, parts in zip(result, zip(*scored, strict=True), strict=True):
        result[name][rows] = np.concatenate(parts)
    return result


def _memberships(labels: np.ndarray) -> np.ndarray:
    """Ones and zeros, shape (n, segments); a row of zeros for noise."""
    segments = np.unique(labels)
    return (labels[:, None] == segments[segments >= 0]).astype(np.float64)


def _scores(sums: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Silhouettes from summed distances and memberships, both (m, k), and sizes (k,)."""
    scores = np.full(len(sums), np.nan)
    member = own.any(axis=1)
    if len(sizes) < 2:
        return scores
    others = own @ sizes - 1
    within = (sums * own).sum(axis=1) / np.maximum(others, 1)
    nearest = np.where(own > 0, np.inf, sums / sizes).min(axis=1)
    largest = np.maximum(within, nearest)
    defined = member & (others > 0) & (largest > 0)
    scores[member] = 0.0
    scores[defined] = (nearest - within)[defined] / largest[defined]
    return scores


def mean(silhouette: np.ndarray) -> float:
    """Mean silhouette of the customers that have one; nan where none has."""
    scored = silhouette[np.isfinite(silhouette)]
    return float(scored.mean()) if len(scored) else float("nan")


def macro(silhouette: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the segments' mean silhouettes: each segment counts alike, however small."""
    labels = np.asarray(labels)[np.isfinite(silhouette)]
    scored = silhouette[np.isfinite(silhouette)]
    means = [scored[labels == segment].mean() for segment in np.unique(labels)]
    return float(np.mean(means)) if means else float("nan")

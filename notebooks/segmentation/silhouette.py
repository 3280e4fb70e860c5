"""Silhouettes of many labelings in one pass over the distances."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from segmentation.cores import spread

_BLOCK = 256  # customers a block: fixed, so that sums do not depend on the number of cores


def silhouettes(
    matrix: np.ndarray,
    labelings: Mapping[Hashable, np.ndarray],
    *,
    rows: np.ndarray | None = None,
    workers: int | None = None,
) -> dict[Hashable, np.ndarray]:
    """Silhouette of every customer under every labelling (Rousseeuw 1987).

    Each block of distances is computed once and multiplied by the memberships of all labelings,
    which gives the summed distance of each customer to each segment of each labelling.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    labelings : mapping of name to ndarray of int, shape (n,)
        The label -1 is noise: such customers get no silhouette and count in nobody's.
    rows : ndarray of int, optional
        Score only these customers, still against all others: an unbiased sample where all
        would take too long.
    workers : int, optional
        Threads; by default one per core.

    Returns
    -------
    dict of name to ndarray of float64, shape (n,)
        Between -1 and 1; 0 in a segment of one customer, nan for noise and for customers that
        are not in `rows`, and nan throughout where there are fewer than two segments.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    matrix = matrix - matrix.mean(axis=0)
    squares = np.square(matrix).sum(axis=1)
    rows = np.arange(len(matrix)) if rows is None else np.asarray(rows)
    names, segments, starts, membership = list(labelings), [], [0], []
    for name in names:
        values = np.unique(labelings[name])
        values = values[values >= 0]
        one_hot = np.asarray(labelings[name])[:, None] == values
        segments.append(np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), -1))
        membership.append(one_hot)
        starts.append(starts[-1] + len(values))
    membership = np.hstack(membership).astype(np.float64)
    sizes = membership.sum(axis=0)

    def score(block: np.ndarray) -> np.ndarray:
        gaps = matrix[block] @ matrix.T
        gaps *= -2.0
        gaps += squares
        gaps += squares[block, None]
        np.maximum(gaps, 0.0, out=gaps)
        gaps[np.arange(len(block)), block] = 0.0
        np.sqrt(gaps, out=gaps)
        sums = gaps @ membership
        scores = np.full((len(names), len(block)), np.nan)
        for row, (segment, start, stop) in enumerate(
            zip(segments, starts, starts[1:], strict=False)
        ):
            if stop - start >= 2:
                scores[row] = _scores(sums[:, start:stop], segment[block], sizes[start:stop])
        return scores

    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    scored = np.hstack(spread(score, blocks, workers=workers))
    result = {}
    for name, values in zip(names, scored, strict=True):
        result[name] = np.full(len(matrix), np.nan)
        result[name][rows] = values
    return result


def _scores(sums: np.ndarray, segment: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Silhouettes from summed distances, shape (m, k), own segments (m,) and sizes (k,)."""
    customers = np.arange(len(segment))
    own_size = sizes[segment]
    within = sums[customers, segment] / np.maximum(own_size - 1, 1)
    means = sums / sizes
    means[customers, segment] = np.inf
    nearest = means.min(axis=1)
    largest = np.maximum(within, nearest)
    scores = np.divide(nearest - within, largest, out=np.zeros_like(within), where=largest > 0)
    scores[own_size == 1] = 0.0
    scores[segment < 0] = np.nan
    return scores


def mean(silhouette: np.ndarray) -> float:
    """Mean silhouette of the customers that have one."""
    return float(np.nanmean(silhouette)) if np.isfinite(silhouette).any() else float("nan")


def standard_error(silhouette: np.ndarray) -> float:
    """Standard error of the mean silhouette when a sample was scored; 0 when everybody was."""
    scored = np.isfinite(silhouette)
    count = scored.sum()
    if count == len(silhouette):
        return 0.0
    return float(np.std(silhouette[scored], ddof=1) / np.sqrt(count))


def macro(silhouette: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the segments' mean silhouettes: each segment counts the same, however small."""
    scored = np.isfinite(silhouette)
    if not scored.any():
        return float("nan")
    segment = np.unique(np.asarray(labels)[scored], return_inverse=True)[1]
    sums = np.bincount(segment, weights=silhouette[scored])
    return float(np.mean(sums / np.bincount(segment)))

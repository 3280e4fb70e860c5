"""K-Means: the best of many starts, the same on every number of cores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from segmentation.cores import spread


@dataclass(frozen=True)
class KMeansFit:
    """One K-Means solution.

    Attributes
    ----------
    k : int
        Number of segments.
    labels : ndarray of int, shape (n,)
        Segment of each customer, 0 to k - 1.
    centres : ndarray of float64, shape (k, d)
        Segment means, in the units of the matrix.
    inertia : float
        Sum of squared distances to the own centre.
    inertias : ndarray of float64, shape (starts,)
        What each random start reached; the spread shows how much one start could be trusted.
    """

    k: int
    labels: np.ndarray
    centres: np.ndarray
    inertia: float
    inertias: np.ndarray


def fit_kmeans(
    matrix: np.ndarray,
    k: int,
    *,
    starts: int = 50,
    seed: int = 20,
    weights: np.ndarray | None = None,
    extra: Iterable[np.ndarray] = (),
    workers: int | None = None,
) -> KMeansFit:
    """Fit K-Means from many k-means++ starts and keep the solution of lowest inertia.

    The random starts are those of ``KMeans(k, n_init=starts, random_state=seed)``, drawn one after
    the other, so that the solution is scikit-learn's; only the descents run side by side.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    k : int
    starts : int
        Number of k-means++ starts (Arthur & Vassilvitskii 2007).
    seed : int
    weights : ndarray, shape (n,), optional
        How often each row counts.
    extra : iterable of ndarray, shape (k, d)
        Further initial centres; they compete for the best, and stay out of `inertias`.
    workers : int, optional
        Threads; by default one per core.
    """
    matrix = np.ascontiguousarray(matrix, dtype=np.float64)
    mean = matrix.mean(axis=0)
    centred = matrix - mean  # as scikit-learn does: smaller rounding errors in the distances
    random = np.random.RandomState(seed)  # noqa: NPY002  (the generator that scikit-learn takes)

    def initial_centres():
        for _ in range(starts):
            yield kmeans_plusplus(centred, k, sample_weight=weights, random_state=random)[0]
        for centres in extra:
            yield centres - mean

    def descend(centres):
        return KMeans(k, init=centres, n_init=1).fit(centred, sample_weight=weights)

    fits = spread(descend, initial_centres(), workers=workers)
    inertias = np.array([fit.inertia_ for fit in fits])
    best = fits[inertias.argmin()]
    return KMeansFit(
        k=k,
        labels=best.labels_.astype(np.int64),
        centres=best.cluster_centers_ + mean,
        inertia=float(best.inertia_),
        inertias=inertias[:starts],
    )


def scan_kmeans(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    starts: int = 50,
    seed: int = 20,
    workers: int | None = None,
) -> dict[int, KMeansFit]:
    """Fit K-Means for several numbers of segments, each helped by the one before.

    Besides the random starts, k + 1 segments start from the solution with k, each of its segments
    split in turn (the idea of global k-means, Likas, Vlassis & Verbeek 2003).
    """
    fits: dict[int, KMeansFit] = {}
    previous = None
    for k in sorted(ks):
        extra = splits(matrix, previous) if previous is not None and previous.k == k - 1 else ()
        fits[k] = previous = fit_kmeans(
            matrix, k, starts=starts, seed=seed, extra=extra, workers=workers
        )
    return fits


def splits(matrix: np.ndarray, fit: KMeansFit) -> list[np.ndarray]:
    """Initial centres for one segment more: each segment in turn split along its longest axis.

    Returns
    -------
    list of ndarray, shape (k + 1, d)
        One per segment that has at least two different rows.
    """
    starts = []
    for segment, centre in enumerate(fit.centres):
        rows = matrix[fit.labels == segment] - centre
        variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
        step = axes[:, -1] * np.sqrt(max(variances[-1], 0.0))
        if step.any():
            others = np.delete(fit.centres, segment, axis=0)
            starts.append(np.vstack([others, centre - step, centre + step]))
    return starts


def distances(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distances of customers to centres, shape (n, k)."""
    return np.sqrt(
        np.column_stack([np.square(matrix - centre).sum(axis=1) for centre in centres])
    )


def assign(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Nearest centre of each customer, shape (n,); the first one of equals."""
    centre = centres.mean(axis=0)
    centred = centres - centre
    return (np.square(centred).sum(axis=1) / 2 - (matrix - centre) @ centred.T).argmin(axis=1)


def order_by(fit: KMeansFit, key: np.ndarray) -> KMeansFit:
    """Renumber the segments so that `key`, shape (k,), descends; equals keep their order."""
    order = np.argsort(-np.asarray(key, dtype=float), kind="stable")
    return replace(fit, labels=np.argsort(order)[fit.labels], centres=fit.centres[order])

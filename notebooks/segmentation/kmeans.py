"""K-Means: the best of many starts, the same on every number of cores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from segmentation.assignment import distances as distances  # for who has just fitted
from segmentation.cores import spread

_BLOCK = 32_768  # customers a block of `refine`
_SPLITS, _LEFT_OUT = 3, 2  # segments of a neighbour that are tried
_ROUGH = 1e-3  # tolerance of the descents from neighbours; the best go on to the end


@dataclass(frozen=True)
class KMeansFit:
    """One K-Means solution.

    Attributes
    ----------
    k : int
    labels : ndarray of int, shape (n,)
        Segment of each customer, 0 to k - 1.
    centres : ndarray of float64, shape (k, d)
    inertia : float
        Sum of squared distances to the own centre.
    inertias : ndarray of float64, shape (n_init,)
        What each random start reached: how far one start could be trusted.
    """

    k: int
    labels: np.ndarray
    centres: np.ndarray
    inertia: float
    inertias: np.ndarray


def fit_kmeans(
    matrix: np.ndarray, k: int, *, n_init: int = 50, seed: int = 20, workers: int | None = None
) -> KMeansFit:
    """Fit K-Means from many k-means++ starts (Arthur & Vassilvitskii 2007) and keep the best.

    The starts are those of scikit-learn's ``KMeans(k, n_init=n_init, random_state=seed, tol=0)``,
    drawn one after the other; only the descents run side by side. Each descent ends when no
    customer changes segment.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    k, n_init, seed : int
    workers : int, optional
        Threads; by default one per core. The result is the same for all.
    """
    mean = matrix.mean(axis=0)
    centred = matrix - mean  # as scikit-learn does: smaller rounding errors in the distances
    random = np.random.RandomState(seed)  # noqa: NPY002  (the generator that scikit-learn takes)
    initial = (kmeans_plusplus(centred, k, random_state=random)[0] + mean for _ in range(n_init))
    return _best_descent(matrix, initial, workers)


def scan_kmeans(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    n_init: int = 50,
    seed: int = 20,
    sweeps: int = 3,
    workers: int | None = None,
) -> dict[int, KMeansFit]:
    """Fit K-Means for several numbers of segments, which then improve each other.

    After the random starts, each solution competes with descents from its neighbours': with one
    segment of the smaller one split in two (as in global k-means, Likas, Vlassis & Verbeek 2003),
    or one of the larger one left out, those first that promise most. `inertias` stays that of the
    random starts.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    ks : iterable of int
    n_init, seed : int
    sweeps : int
        Rounds of competition at most; fewer where a round improves nothing.
    workers : int, optional

    Returns
    -------
    dict of k to KMeansFit
    """
    ks = sorted(ks)

    def fit(k: int) -> KMeansFit:
        return fit_kmeans(matrix, k, n_init=n_init, seed=seed, workers=workers)

    fits = dict(zip(ks[::-1], spread(fit, ks[::-1], workers=workers), strict=True))
    fits = {k: fits[k] for k in ks}
    tried: set[tuple[int, int, float]] = set()
    for _ in range(sweeps):
        pairs = [(k, near) for k in ks for near in (k - 1, k + 1) if near in fits]
        new = [(k, fits[near]) for k, near in pairs if (k, near, fits[near].inertia) not in tried]
        tried |= {(k, known.k, known.inertia) for k, known in new}
        offers = spread(lambda pair: _offers(matrix, *pair), new, workers=workers)
        initial = [centres for offer in offers for centres in offer]
        better: dict[int, KMeans] = {}
        for rival in spread(partial(_descend, matrix, tol=_ROUGH), initial, workers=workers):
            known = better.get(rival.n_clusters)
            if rival.inertia_ < (known.inertia_ if known else fits[rival.n_clusters].inertia):
                better[rival.n_clusters] = rival
        ends = [rival.cluster_centers_ for rival in better.values()]
        for end in spread(partial(_descend, matrix), ends, workers=workers):
            known = fits[end.n_clusters]
            if end.inertia_ < known.inertia * (1 - 1e-9):  # more than rounding
                fits[known.k] = _as_fit(end, known.inertias)
    return fits


def refine(
    matrix: np.ndarray, centres: np.ndarray, *, passes: int = 300, workers: int | None = None
) -> KMeansFit:
    """Go on from centres that a sample gave, with everybody, until nobody changes segment.

    Lloyd's steps (1982) from the solution of a subsample reach a low inertia without further
    starts (Bradley & Fayyad 1998, "Refining initial points for K-Means clustering"). Sums are
    taken over fixed blocks of customers, so they are the same for any number of cores.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    centres : ndarray, shape (k, d)
        A centre that nobody is nearest to stays where it is.
    passes : int
        At most so many, as in scikit-learn.
    workers : int, optional

    Returns
    -------
    KMeansFit
        Its inertia is at most that of `centres` on everybody; `inertias` holds that of each pass,
        the one before the first step at the beginning.
    """
    centres = np.array(centres, dtype=np.float64)
    labels, inertias = np.full(len(matrix), -1), []
    for place in range(passes):
        found, sums, sizes, inertia = _assign_and_sum(matrix, centres, workers)
        inertias.append(inertia)
        if place == passes - 1 or np.array_equal(found, labels):
            break
        labels, filled = found, sizes > 0
        centres[filled] = sums[filled] / sizes[filled, None]
    return KMeansFit(len(centres), found, centres, inertias[-1], np.array(inertias))


def lloyd_step(matrix: np.ndarray, centres: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Return the means of the customers nearest to each centre, shape (k, d).

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    centres : ndarray, shape (k, d)
        A centre that nobody is nearest to stays where it is.
    workers : int, optional
    """
    _, sums, sizes, _ = _assign_and_sum(matrix, centres, workers)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)


def _assign_and_sum(
    matrix: np.ndarray, centres: np.ndarray, workers: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Nearest centre of each customer; sums, shape (k, d), and sizes of segments; inertia."""

    def part(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        return lloyd_part(np.ascontiguousarray(matrix[start : start + _BLOCK].T), centres)

    parts = spread(part, range(0, len(matrix), _BLOCK), workers=workers)
    found, sums, sizes, squares = zip(*parts, strict=True)
    return np.concatenate(found), sum(sums), sum(sizes), float(sum(squares))


def lloyd_part(
    columns: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Do a block's part of one of Lloyd's steps.

    Parameters
    ----------
    columns : ndarray of float64, shape (d, n)
        The block, one row a feature.
    centres : ndarray, shape (k, d)

    Returns
    -------
    labels : ndarray of int, shape (n,)
        The nearest centre; the first one of equals.
    sums : ndarray, shape (k, d)
        Of the customers of each centre.
    sizes : ndarray of int, shape (k,)
    squares : float
        Sum of squared distances to the nearest centre.
    """
    middle = np.median(centres, axis=0)  # smaller rounding errors, even with one centre far out
    centred, moved = centres - middle, columns - middle[:, None]
    scores = np.square(centred).sum(axis=1)[:, None] / 2 - centred @ moved
    labels = scores.argmin(axis=0)
    own = (labels == np.arange(len(centres))[:, None]).astype(np.float64)
    sizes = np.bincount(labels, minlength=len(centres))
    sums = own @ moved.T + sizes[:, None] * middle
    moved -= centred.T[:, labels]
    return labels, sums, sizes, float(np.square(moved, out=moved).sum())


def _best_descent(
    matrix: np.ndarray, initial: Iterable[np.ndarray], workers: int | None
) -> KMeansFit:
    """K-Means from each of the initial centres, shape (k, d) each; the first of the best."""
    descents = spread(partial(_descend, matrix), initial, workers=workers)
    inertias = np.array([descent.inertia_ for descent in descents])
    return _as_fit(descents[inertias.argmin()], inertias)


def _descend(matrix: np.ndarray, centres: np.ndarray, tol: float = 0) -> KMeans:
    return KMeans(len(centres), init=centres, n_init=1, tol=tol).fit(matrix)


def _as_fit(model: KMeans, inertias: np.ndarray) -> KMeansFit:
    return KMeansFit(
        k=model.n_clusters,
        labels=model.labels_.astype(np.int64),
        centres=model.cluster_centers_,
        inertia=float(model.inertia_),
        inertias=inertias,
    )


def _offers(matrix: np.ndarray, k: int, neighbour: KMeansFit) -> list[np.ndarray]:
    """Centres for k segments from a solution with one less, or one more."""
    return (_split if neighbour.k < k else _left_out)(matrix, neighbour)


def _split(matrix: np.ndarray, fit: KMeansFit) -> list[np.ndarray]:
    """Centres for one segment more: one replaced by two along its longest axis.

    Of the segments with the most squared distance along that axis, each in turn.
    """
    initial = []
    for segment, centre in enumerate(fit.centres):
        rows = matrix[fit.labels == segment] - centre
        variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
        if variances[-1] > 0:
            step = axes[:, -1] * np.sqrt(variances[-1])
            others = np.delete(fit.centres, segment, axis=0)
            centres = np.vstack([others, centre - step, centre + step])
            initial.append((len(rows) * variances[-1], centres))
    initial.sort(key=lambda entry: -entry[0])
    return [centres for _, centres in initial[:_SPLITS]]


def _left_out(matrix: np.ndarray, fit: KMeansFit) -> list[np.ndarray]:
    """Centres for one segment less: those whose customers lose least by it, each in turn."""
    if fit.k < 2:
        return []
    far = np.partition(np.square(distances(matrix, fit.centres)), 1, axis=1)
    losses = np.bincount(fit.labels, weights=far[:, 1] - far[:, 0], minlength=fit.k)
    least = np.argsort(losses, kind="stable")[:_LEFT_OUT]
    return [np.delete(fit.centres, segment, axis=0) for segment in least]


def assign(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Nearest centre of each customer, shape (n,); the first one of equals."""
    middle = centres.mean(axis=0)
    centred = centres - middle
    return (np.square(centred).sum(axis=1) / 2 - (matrix - middle) @ centred.T).argmin(axis=1)


def order_by(fit: KMeansFit, key: np.ndarray) -> KMeansFit:
    """Renumber the segments so that `key`, shape (k,), descends; equals keep their order."""
    order = np.argsort(-np.asarray(key, dtype=float), kind="stable")
    return replace(fit, labels=np.argsort(order)[fit.labels], centres=fit.centres[order])

"""K-Means: the best of many initialisations, the same on every number of cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin

from segmentation.assignment import distances
from segmentation.parallel import parallel_map

BLOCK = 16_384  # customers whose nearest centres are found at a time: fixed, as their sums are
SPLITS, LEFT_OUT = 3, 2  # segments of a neighbouring solution that are split, or left out
ROUGH_TOLERANCE = 1e-3  # of the refinement of candidates; the best are then refined to the end


@dataclass(frozen=True)
class KMeansFit:
    """One K-Means solution."""

    k: int
    labels: np.ndarray  # segment of each customer, 0 to k - 1
    centres: np.ndarray  # shape (k, d)
    inertia: float  # sum of squared distances to the nearest centre
    inertias: np.ndarray  # what each initialisation reached: how far a single one could be trusted


def fit_kmeans(matrix: np.ndarray, k: int, *, n_init: int = 50, seed: int = 20) -> KMeansFit:
    """Fit K-Means from many k-means++ initialisations (Arthur & Vassilvitskii 2007).

    The initialisations are those of scikit-learn's ``KMeans(k, n_init=n_init, random_state=seed,
    tol=0)``, drawn one after the other; only the refinement runs in parallel. It ends when no
    customer changes segment. The first of the best fits is kept.
    """
    mean = matrix.mean(axis=0)
    centred = matrix - mean  # as scikit-learn does: smaller rounding errors in the distances
    random = np.random.RandomState(seed)  # noqa: NPY002  (the generator that scikit-learn takes)
    initial = (kmeans_plusplus(centred, k, random_state=random)[0] + mean for _ in range(n_init))
    models = list(parallel_map(partial(_fit_from, matrix), initial))
    inertias = np.array([model.inertia_ for model in models])
    return _as_fit(models[inertias.argmin()], inertias)


def scan_kmeans(
    matrix: np.ndarray, ks: Iterable[int], *, n_init: int = 50, seed: int = 20, sweeps: int = 3
) -> dict[int, KMeansFit]:
    """Fit K-Means for several numbers of segments, which then improve each other.

    After `fit_kmeans` for each k, every solution competes with refined candidates from its
    neighbours': with one segment of the smaller solution split in two (as in global k-means, Likas,
    Vlassis & Verbeek 2003), or one of the larger one left out. `inertias` stays that of the random
    initialisations. Sweeps end early where one improves nothing.
    """
    ks = sorted(ks)
    largest_first = ks[::-1]  # the longest fits first, so that the cores end together
    found = parallel_map(partial(fit_kmeans, matrix, n_init=n_init, seed=seed), largest_first)
    by_k = dict(zip(largest_first, found, strict=True))
    fits = {k: by_k[k] for k in ks}
    tried: set[tuple[int, int, float]] = set()
    for _ in range(sweeps):
        neighbours = {
            (k, near, fits[near].inertia): (k, fits[near])
            for k in ks
            for near in (k - 1, k + 1)
            if near in fits
        }
        new = [pair for key, pair in neighbours.items() if key not in tried]
        tried |= set(neighbours)
        fits |= _improve(matrix, fits, new)
    return fits


def _improve(
    matrix: np.ndarray, fits: dict[int, KMeansFit], neighbours: list[tuple[int, KMeansFit]]
) -> dict[int, KMeansFit]:
    """Return the solutions of a scan that candidates from their neighbours surpass."""

    def candidates(pair: tuple[int, KMeansFit]) -> list[np.ndarray]:
        k, neighbour = pair
        return (_split if neighbour.k < k else _left_out)(matrix, neighbour)

    initial = [c for offered in parallel_map(candidates, neighbours) for c in offered]
    lowest, best = {k: fit.inertia for k, fit in fits.items()}, {}
    for model in parallel_map(partial(_fit_from, matrix, tol=ROUGH_TOLERANCE), initial):
        if model.inertia_ < lowest[model.n_clusters]:
            lowest[model.n_clusters], best[model.n_clusters] = model.inertia_, model
    better = {}
    ends = [model.cluster_centers_ for model in best.values()]
    for model in parallel_map(partial(_fit_from, matrix), ends):
        known = fits[model.n_clusters]
        if model.inertia_ < known.inertia * (1 - 1e-9):  # more than rounding
            better[known.k] = _as_fit(model, known.inertias)
    return better


def _fit_from(matrix: np.ndarray, centres: np.ndarray, tol: float = 0) -> KMeans:
    return KMeans(len(centres), init=centres, n_init=1, tol=tol).fit(matrix)


def _as_fit(model: KMeans, inertias: np.ndarray) -> KMeansFit:
    return KMeansFit(
        k=model.n_clusters,
        labels=model.labels_.astype(np.int64),
        centres=model.cluster_centers_,
        inertia=float(model.inertia_),
        inertias=inertias,
    )


def _split(matrix: np.ndarray, fit: KMeansFit) -> list[np.ndarray]:
    """Centres for one segment more: one replaced by two along its longest axis.

    Of the segments with the most squared distance along that axis, each in turn.
    """
    candidates = []
    for segment, centre in enumerate(fit.centres):
        rows = matrix[fit.labels == segment] - centre
        variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
        if variances[-1] > 0:
            step = axes[:, -1] * np.sqrt(variances[-1])
            others = np.delete(fit.centres, segment, axis=0)
            centres = np.vstack([others, centre - step, centre + step])
            candidates.append((len(rows) * variances[-1], centres))
    candidates.sort(key=lambda entry: -entry[0])
    return [centres for _, centres in candidates[:SPLITS]]


def _left_out(matrix: np.ndarray, fit: KMeansFit) -> list[np.ndarray]:
    """Centres for one segment less: those whose customers lose least by it, each in turn."""
    if fit.k < 2:
        return []
    squares = np.partition(np.square(distances(matrix, fit.centres)), 1, axis=1)
    losses = np.bincount(fit.labels, weights=squares[:, 1] - squares[:, 0], minlength=fit.k)
    least = np.argsort(losses, kind="stable")[:LEFT_OUT]
    return [np.delete(fit.centres, segment, axis=0) for segment in least]


def join_pair(
    matrix: np.ndarray, labels: np.ndarray, centres: np.ndarray, pair: Sequence[int]
) -> KMeansFit:
    """Fit K-Means with one segment less, beginning with a pair, numbered from 0, as one.

    They begin as one at the mean of their customers. `inertias` holds what this start reached.
    """
    centre = matrix[np.isin(labels, pair)].mean(axis=0)
    model = _fit_from(matrix, np.vstack([np.delete(centres, pair, axis=0), centre]))
    return _as_fit(model, np.array([model.inertia_]))


def refine(matrix: np.ndarray, centres: np.ndarray, *, passes: int = 300) -> KMeansFit:
    """Refine the centres that a sample gave with all customers, until none changes segment.

    Lloyd's steps (1982) from the solution of a subsample reach a low inertia without further
    initialisations (Bradley & Fayyad 1998, "Refining initial points for K-Means clustering").
    `inertias` holds that of each pass, the one before the first step at the beginning.
    """
    centres = np.array(centres, dtype=np.float64)
    centres, _, inertias = descend(lambda: row_blocks(matrix), centres, passes=passes)
    labels = np.concatenate([assign(block, centres) for block in row_blocks(matrix)])
    return KMeansFit(len(centres), labels, centres, float(inertias[-1]), inertias)


def descend(
    blocks: Callable[[], Iterable[np.ndarray]],
    centres: np.ndarray,
    *,
    passes: int,
    tolerance: float = 0.0,
) -> tuple[np.ndarray, LloydStep, np.ndarray]:
    """Do Lloyd's steps until one would move no centre farther than a tolerance.

    Returns the centres, the step from them, and the inertia of each of at most `passes` passes.
    """
    inertias: list[float] = []
    while True:
        step = lloyd_step(blocks(), centres)
        inertias.append(step.inertia)
        if len(inertias) == passes or step.farthest(centres) <= tolerance:
            return centres, step, np.array(inertias)
        centres = step.means


class LloydStep(NamedTuple):
    """The means of the customers nearest to each centre, their number, and the inertia before."""

    means: np.ndarray
    sizes: np.ndarray
    inertia: float

    def farthest(self, centres: np.ndarray) -> float:
        """Return how far the centre goes that goes farthest."""
        return float(np.linalg.norm(self.means - centres, axis=1).max())


def lloyd_step(blocks: Iterable[np.ndarray], centres: np.ndarray) -> LloydStep:
    """Do one of Lloyd's steps on all customers, a block at a time.

    Sums over blocks are the same for any number of cores. A centre that is nearest to no customer
    stays where it is.
    """
    sums, sizes, inertia = np.zeros(centres.shape), np.zeros(len(centres)), 0.0
    for part in parallel_map(partial(_lloyd_sums, centres=centres), blocks):
        sums, sizes, inertia = sums + part[0], sizes + part[1], inertia + part[2]
    means = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return LloydStep(means, sizes.astype(np.int64), inertia)


def _lloyd_sums(rows: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Sum the customers of each centre; their number, and their squared distances in all."""
    labels = assign(rows, centres)
    members = (labels == np.arange(len(centres))[:, None]).astype(np.float64)
    away = centres.take(labels, axis=0)
    away -= rows
    return members @ rows, members.sum(axis=1), float(np.einsum("ij,ij->", away, away))


def row_blocks(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of a matrix in blocks of a fixed size."""
    return (matrix[first : first + BLOCK] for first in range(0, len(matrix), BLOCK))


def assign(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Nearest centre of each customer, shape (n,); the first one of equals."""
    middle = np.median(centres, axis=0)  # smaller rounding errors, even with one centre far out
    return pairwise_distances_argmin(np.subtract(matrix, middle, order="C"), centres - middle)


def order_by(fit: KMeansFit, key: np.ndarray) -> KMeansFit:
    """Renumber the segments so that `key`, shape (k,), descends; equals keep their order."""
    order = np.argsort(-np.asarray(key, dtype=float), kind="stable")
    return replace(fit, labels=np.argsort(order)[fit.labels], centres=fit.centres[order])

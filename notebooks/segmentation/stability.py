"""Stability: whether other customers of the same kind would give the same segments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from segmentation.cores import spread
from segmentation.kmeans import KMeansFit, assign

# The cuts that Hennig gives in the help page of clusterboot (R package fpc).
JACCARD_CUTS = ((0.85, "highly stable"), (0.75, "stable"), (0.60, "a pattern, unsure members"))


def bootstrap_agreement(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    pairs: int = 20,
    starts: int = 8,
    seed: int = 20,
    workers: int | None = None,
) -> dict[int, np.ndarray]:
    """Agreement of pairs of bootstrap fits (Dolnicar & Leisch 2010).

    Both fits of a pair assign everybody; the adjusted Rand index says how far they agree. All k
    share the same bootstrap samples.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    ks : iterable of int
    pairs, starts, seed : int
        Pairs of samples, random starts of each fit.
    workers : int, optional
        Threads; by default one per core. The result is the same for all.

    Returns
    -------
    dict of k to ndarray of float64, shape (pairs,)
    """
    samples = _bootstrap(len(matrix), 2 * pairs, seed)
    tasks = [(k, pair) for k in ks for pair in range(pairs)]

    def agreement(task: tuple[int, int]) -> float:
        k, pair = task
        first, second = (
            assign(matrix, _fit_sample(matrix, k, starts, *samples[place]))
            for place in (2 * pair, 2 * pair + 1)
        )
        return adjusted_rand(first, second)

    found = np.reshape(spread(agreement, tasks, workers=workers), (-1, pairs))
    return dict(zip(dict(tasks), found, strict=True))


def _bootstrap(customers: int, samples: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """How often each customer is drawn, shape (customers,), and a seed, for each sample."""
    draws = []
    for source in np.random.SeedSequence(seed).spawn(samples):
        rng = np.random.default_rng(source)
        counts = np.bincount(rng.integers(0, customers, customers), minlength=customers)
        draws.append((counts, int(rng.integers(2**31))))
    return draws


def _fit_sample(
    matrix: np.ndarray, k: int, starts: int, counts: np.ndarray, seed: int
) -> np.ndarray:
    """Centres, shape (k, d), of K-Means on a bootstrap sample.

    Each customer drawn enters once with the number of draws as weight: on 63 % of the rows the
    same starts, descents and solution as on the sample with its repeats side by side.
    """
    drawn = counts > 0
    model = KMeans(k, n_init=starts, tol=0, random_state=seed)
    return model.fit(matrix[drawn], sample_weight=counts[drawn]).cluster_centers_


def adjusted_rand(first: np.ndarray, second: np.ndarray) -> float:
    """Return the adjusted Rand index of two labelings numbered from 0 (Hubert & Arabie 1985)."""
    table = _contingency(first, second, max(first.max(), second.max()) + 1).astype(np.float64)
    together, rows, columns, everybody = (
        (counts * (counts - 1)).sum() / 2
        for counts in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    expected = rows * columns / max(everybody, 1.0)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else float((together - expected) / (largest - expected))


@dataclass(frozen=True)
class Resamples:
    """What bootstrap samples make of one solution.

    Attributes
    ----------
    labels : ndarray of int, shape (resamples, n)
        Everybody's segment by each refit, numbered as in the solution.
    drawn : ndarray of bool, shape (resamples, n)
        Who was in the sample.
    jaccard : ndarray of float64, shape (resamples, k)
        How like each segment of the solution its best match in the refit is.
    """

    labels: np.ndarray
    drawn: np.ndarray
    jaccard: np.ndarray


def refit_on_resamples(
    matrix: np.ndarray,
    fit: KMeansFit,
    *,
    resamples: int = 50,
    starts: int = 8,
    seed: int = 20,
    workers: int | None = None,
) -> Resamples:
    """Refit a solution on bootstrap samples, and match the refits' segments to its own.

    Jaccard similarities as Hennig (2007, "Cluster-wise assessment of cluster stability") has
    them: among the customers drawn, each once, and each segment with its best match. The labels
    are matched one to one, by the assignment of largest total similarity.
    """

    def refit(sample: tuple[np.ndarray, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        drawn = sample[0] > 0
        labels = assign(matrix, _fit_sample(matrix, fit.k, starts, *sample))
        similarity = jaccard(fit.labels[drawn], labels[drawn], fit.k)
        original, refitted = linear_sum_assignment(similarity, maximize=True)
        return original[np.argsort(refitted)][labels], drawn, similarity.max(axis=1)

    samples = _bootstrap(len(matrix), resamples, seed)
    parts = zip(*spread(refit, samples, workers=workers), strict=True)
    return Resamples(*map(np.array, parts))


def _contingency(first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
    return np.bincount(first * k + second, minlength=k * k).reshape(k, k)


def jaccard(first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
    """Jaccard similarity of each of k segments with each of k others, shape (k, k)."""
    both = _contingency(first, second, k)
    either = both.sum(axis=1)[:, None] + both.sum(axis=0) - both
    return both / np.maximum(either, 1)


def stability_word(value: float) -> str:
    """Hennig's words for a segment's mean Jaccard similarity."""
    return next((word for cut, word in JACCARD_CUTS if value >= cut), "unstable")


def assignment_agreement(fit: KMeansFit, resamples: Resamples) -> np.ndarray:
    """Share of the refits that leave each customer in the solution's segment, shape (n,)."""
    return (resamples.labels == fit.labels).mean(axis=0)


def calibration(
    confidence: np.ndarray, agreement: np.ndarray, bins: Iterable[float]
) -> pd.DataFrame:
    """Tell how many of the customers called this sure keep their segment in resamples.

    Parameters
    ----------
    confidence, agreement : ndarray, shape (n,)
    bins : iterable of float
        Ascending edges; a value on an edge belongs above it, the last edge to the last bin.

    Returns
    -------
    DataFrame
        A row per bin that holds customers: low, high, customers, confidence and kept (means).
    """
    edges = np.array(list(bins), dtype=float)
    place = np.digitize(confidence, edges[1:-1])
    table = pd.DataFrame({"confidence": confidence, "kept": agreement}).groupby(place)
    means = table.mean()
    means.insert(0, "low", edges[means.index])
    means.insert(1, "high", edges[means.index + 1])
    means.insert(2, "customers", table.size())
    return means.reset_index(drop=True)

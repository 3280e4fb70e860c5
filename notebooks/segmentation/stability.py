"""Would other customers of the same kind have given the same segments?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from segmentation.cores import spread
from segmentation.kmeans import KMeansFit, assign, fit_kmeans

_WORDS = ((0.85, "highly stable"), (0.75, "stable"), (0.60, "a pattern, members uncertain"))


def contingency(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Counts of customers by two labelings, numbered from 0: shape (k_first, k_second)."""
    columns = int(second.max()) + 1
    shape = int(first.max()) + 1, columns
    return np.bincount(first * columns + second, minlength=shape[0] * columns).reshape(shape)


def adjusted_rand(first: np.ndarray, second: np.ndarray) -> float:
    """Adjusted Rand index of two labelings numbered from 0 (Hubert & Arabie 1985)."""
    table = contingency(np.asarray(first), np.asarray(second)).astype(np.float64)

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    everything = pairs(table.sum())
    expected = rows * columns / everything if everything else 0.0
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else (together - expected) / (largest - expected)


def _resample_fit(
    matrix: np.ndarray, k: int, counts: np.ndarray, seed: int, *, starts: int
) -> KMeansFit:
    """K-Means on a bootstrap sample, each drawn customer once, weighted by how often drawn.

    The objective is that of the sample with its repeats, on 63 % of the rows.
    """
    drawn = counts > 0
    return fit_kmeans(
        matrix[drawn], k, starts=starts, seed=seed, weights=counts[drawn], workers=1
    )


def _bootstrap(customers: int, samples: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """How often each customer is drawn, and a seed for the fit, per bootstrap sample."""
    draws = []
    for source in np.random.SeedSequence(seed).spawn(samples):
        rng = np.random.default_rng(source)
        counts = np.bincount(rng.integers(0, customers, customers), minlength=customers)
        draws.append((counts.astype(np.float64), int(rng.integers(2**31))))
    return draws


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

    Returns
    -------
    dict of k to ndarray, shape (pairs,)
    """
    ks = list(ks)
    draws = _bootstrap(len(matrix), 2 * pairs, seed)

    def labels(task: tuple[int, int]) -> np.ndarray:
        k, sample = task
        fit = _resample_fit(matrix, k, *draws[sample], starts=starts)
        return assign(matrix, fit.centres)

    tasks = [(k, sample) for k in ks for sample in range(2 * pairs)]
    found = dict(zip(tasks, spread(labels, tasks, workers=workers), strict=True))
    return {
        k: np.array(
            [adjusted_rand(found[k, 2 * pair], found[k, 2 * pair + 1]) for pair in range(pairs)]
        )
        for k in ks
    }


@dataclass(frozen=True)
class Resamples:
    """What bootstrap samples make of one solution.

    Attributes
    ----------
    labels : ndarray of int, shape (resamples, n)
        Everybody's segment under each refit, numbered as in the solution.
    drawn : ndarray of bool, shape (resamples, n)
        Who was in the sample.
    jaccard : ndarray of float64, shape (resamples, k)
        For each segment of the solution, the Jaccard similarity of its best match among the
        refit's segments, on the drawn customers.
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
    """Refit a solution on bootstrap samples and match each refit's segments to its own.

    Similarities follow Hennig (2007, "Cluster-wise assessment of cluster stability"): on the
    distinct customers drawn, each segment against its best match. Labels are matched one to one,
    as an assignment problem that maximises the summed similarity.
    """

    def refit(draw: tuple[np.ndarray, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        drawn = draw[0] > 0
        labels = assign(matrix, _resample_fit(matrix, fit.k, *draw, starts=starts).centres)
        similarity = jaccard(fit.labels[drawn], labels[drawn], fit.k)
        original, refitted = linear_sum_assignment(similarity, maximize=True)
        names = np.empty(fit.k, dtype=np.int64)
        names[refitted] = original
        return names[labels], drawn, similarity.max(axis=1)

    draws = _bootstrap(len(matrix), resamples, seed)
    labels, drawn, best = zip(*spread(refit, draws, workers=workers), strict=True)
    return Resamples(np.array(labels), np.array(drawn), np.array(best))


def jaccard(first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
    """Jaccard similarity of each segment of one labelling with each of another, shape (k, k)."""
    both = np.bincount(first * k + second, minlength=k * k).reshape(k, k)
    either = both.sum(axis=1)[:, None] + both.sum(axis=0) - both
    return np.divide(both, either, out=np.zeros((k, k)), where=either > 0)


def segment_jaccard(matrix: np.ndarray, fit: KMeansFit, **settings) -> np.ndarray:
    """Jaccard similarities of `refit_on_resamples` alone, shape (resamples, k)."""
    return refit_on_resamples(matrix, fit, **settings).jaccard


def assignment_agreement(labels: np.ndarray, resamples: Resamples) -> np.ndarray:
    """Share of the refits that leave each customer in the given segment, shape (n,)."""
    return (resamples.labels == labels).mean(axis=0)


def stability_word(value: float) -> str:
    """Words for a mean Jaccard similarity, with the cuts of Hennig's fpc::clusterboot."""
    return next((word for cut, word in _WORDS if value >= cut), "unstable")


def calibration(
    confidence: np.ndarray, agreement: np.ndarray, bins: Iterable[float]
) -> pd.DataFrame:
    """How many customers keep their segment in resamples, by how sure they were called.

    Parameters
    ----------
    confidence, agreement : ndarray, shape (n,)
    bins : iterable of float
        Ascending edges; a value on an edge belongs to the bin above it, the last edge to the last.

    Returns
    -------
    DataFrame
        A row per bin that is not empty: low, high, customers, confidence, kept (means).
    """
    edges = np.asarray(list(bins), dtype=float)
    bin_of = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, len(edges) - 2)
    table = pd.DataFrame({"bin": bin_of, "confidence": confidence, "kept": agreement})
    means = table.groupby("bin").agg(
        customers=("kept", "size"), confidence=("confidence", "mean"), kept=("kept", "mean")
    )
    means.insert(0, "low", edges[means.index])
    means.insert(1, "high", edges[means.index + 1])
    return means.reset_index(drop=True)

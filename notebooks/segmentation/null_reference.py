"""Null reference data, without groups of their own, and the statistics of a scan on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import davies_bouldin_score

from segmentation.kmeans import KMeansFit, scan_kmeans
from segmentation.parallel import parallel_map
from segmentation.silhouette import macro, mean, silhouettes
from segmentation.stability import bootstrap_agreement

CALIBRATIONS = 8  # steps towards the latent correlations of `same_margins`
ATOM = 0.05  # share of customers at a column's lowest value that makes it part of a pattern


def permuted(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each column shuffled on its own: the same columns, independent of each other."""
    return rng.permuted(matrix, axis=0)


def gaussian_like(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One Gaussian of the same mean and covariance: a single mass with the same correlations."""
    covariance = np.atleast_2d(np.cov(matrix, rowvar=False))
    return rng.multivariate_normal(matrix.mean(axis=0), covariance, len(matrix), method="eigh")


def same_margins(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One latent Gaussian with the table's rank correlations, mapped to each column's own values.

    A Gaussian copula (Nelsen 2006, *An Introduction to Copulas*, section 2.3): every column keeps
    its values, zeros included, and about its rank correlations with the others; there is one
    single mass behind them.
    """
    target = spearmanr_matrix(matrix)
    ordered = np.sort(matrix, axis=0)
    scores = rng.standard_normal(matrix.shape)
    latent, best = target, (np.inf, matrix)
    for _ in range(CALIBRATIONS):  # ties in a column weaken a correlation: the latent one is higher
        ranks = (scores @ _root(latent)).argsort(axis=0).argsort(axis=0)
        table = np.take_along_axis(ordered, ranks, axis=0)  # the lowest gets the lowest, and so on
        off = target - spearmanr_matrix(table)
        best = min(best, (np.abs(off).max(), table), key=lambda tried: tried[0])
        latent = np.clip(latent + off, -1, 1)
    return best[1]


def spearmanr_matrix(matrix: np.ndarray) -> np.ndarray:
    """Rank correlations of the columns, shape (d, d); zero with a constant column."""
    with np.errstate(invalid="ignore"):
        found = np.atleast_2d(np.corrcoef(rankdata(matrix, axis=0), rowvar=False))
    return np.where(np.eye(len(found)), 1.0, np.nan_to_num(found))


def _root(correlation: np.ndarray) -> np.ndarray:
    """Symmetric root of the nearest correlation matrix that is positive definite."""
    values, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.maximum(values, 1e-6))) @ vectors.T
    return root / np.linalg.norm(root, axis=0)


def same_zeros(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Amounts shuffled among customers with the same pattern of zeros.

    The pattern is the set of columns at their lowest value, as amounts at zero are.
    """
    lowest = matrix == matrix.min(axis=0)
    pattern = np.unique(lowest[:, lowest.mean(axis=0) >= ATOM], axis=0, return_inverse=True)[1]
    return shuffled_within(matrix, pattern.ravel(), rng)


def shuffled_within(matrix: np.ndarray, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each column shuffled on its own among the customers of each cell, shape (n,)."""
    shuffled = matrix.copy()
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        shuffled[rows] = rng.permuted(matrix[rows], axis=0)
    return shuffled


def uniform_box(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uniform in the box around the data along their principal axes, the gap's reference."""
    middle = matrix.mean(axis=0)
    axes = np.linalg.svd(matrix - middle, full_matrices=False)[2]
    scores = (matrix - middle) @ axes.T
    return rng.uniform(scores.min(axis=0), scores.max(axis=0), scores.shape) @ axes + middle


REFERENCES: dict[str, Callable] = {
    "permuted": permuted,
    "gaussian": gaussian_like,
    "same_margins": same_margins,
    "same_zeros": same_zeros,
}


def scan_statistics(
    matrix: np.ndarray, fits: Mapping[int, KMeansFit], silhouette: Mapping[int, np.ndarray]
) -> pd.DataFrame:
    """Tabulate by k the statistics of a scan, silhouettes among them.

    And the indices of Calinski & Harabasz (1974) and of Davies & Bouldin (1979).
    """
    total = _total(matrix)
    rows = [
        {
            "k": k,
            "inertia": fit.inertia,
            "silhouette": mean(silhouette[k]),
            "macro_silhouette": macro(silhouette[k], fit.labels),
            "calinski_harabasz": (total / fit.inertia - 1) * (len(matrix) - k) / (k - 1),
            "davies_bouldin": davies_bouldin_score(matrix, fit.labels),
        }
        for k, fit in fits.items()
    ]
    return pd.DataFrame(rows).set_index("k")


def _total(matrix: np.ndarray) -> float:
    """Inertia of one segment."""
    return float(np.square(matrix - matrix.mean(axis=0)).sum())


def null_statistics(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    draws: int = 5,
    n_init: int = 3,
    seed: int = 20,
    sample: int = 2000,
    stability_ks: Iterable[int] = (),
    pairs: int = 5,
) -> pd.DataFrame:
    """Compute the statistics of a scan on null reference data, several draws of each kind.

    A row per null, draw and k: null, draw, k, the columns of `scan_statistics`, and stability, the
    agreement of `pairs` of bootstrap fits, for `stability_ks` and not on permuted columns.
    Silhouettes are averaged over a `sample`: on 2,000 customers the standard error is about .003,
    which is small beside the differences the null reference is there to show.
    """
    ks, stability_ks = list(ks), list(stability_ks)

    def table(task: tuple[str, int]) -> pd.DataFrame:
        null, draw = task
        rng = np.random.default_rng([seed, draw, *null.encode()])
        reference = REFERENCES[null](matrix, rng)
        fits = scan_kmeans(reference, ks, n_init=n_init, seed=seed, sweeps=0)
        rows = rng.choice(len(matrix), sample, replace=False) if sample < len(matrix) else None
        scores = silhouettes(reference, {k: fit.labels for k, fit in fits.items()}, rows=rows)
        statistics = scan_statistics(reference, fits, scores).reset_index()
        again = (
            {}
            if null == "permuted"
            else bootstrap_agreement(reference, stability_ks, pairs=pairs, seed=seed)
        )
        statistics["stability"] = statistics["k"].map({k: a.mean() for k, a in again.items()})
        statistics.insert(0, "null", null)
        statistics.insert(1, "draw", draw)
        return statistics

    tasks = [(null, draw) for null in REFERENCES for draw in range(draws)]
    return pd.concat(parallel_map(table, tasks), ignore_index=True)


def gap_statistic(
    matrix: np.ndarray,
    fits: Mapping[int, KMeansFit],
    *,
    draws: int = 10,
    n_init: int = 3,
    seed: int = 20,
) -> pd.DataFrame:
    """Gap statistic with its one-standard-error choice (Tibshirani, Walther & Hastie 2001).

    From draws of `uniform_box`. The table is by k from 1, where the fits begin at 2: gap,
    standard_error, and chosen, true at the smallest k whose gap is not below the next one's less
    its standard error, at the largest k where there is none.
    """

    def log_inertia(data: np.ndarray, solutions: Mapping[int, KMeansFit]) -> np.ndarray:
        return np.log([_total(data), *(solutions[k].inertia for k in sorted(fits))])

    def draw(source: np.random.SeedSequence) -> np.ndarray:
        reference = uniform_box(matrix, np.random.default_rng(source))
        solutions = scan_kmeans(reference, fits, n_init=n_init, seed=seed, sweeps=0)
        return log_inertia(reference, solutions)

    logs = np.array(list(parallel_map(draw, np.random.SeedSequence(seed).spawn(draws))))
    gap = logs.mean(axis=0) - log_inertia(matrix, fits)
    error = logs.std(axis=0) * np.sqrt(1 + 1 / draws)
    enough = np.append(gap[:-1] >= gap[1:] - error[1:], True)
    table = pd.DataFrame({"gap": gap, "standard_error": error}, index=[1, *sorted(fits)])
    return table.rename_axis("k").assign(chosen=np.arange(len(gap)) == enough.argmax())

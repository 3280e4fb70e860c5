"""Data without segments, and what the same statistics say about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

from segmentation.kmeans import KMeansFit, scan_kmeans
from segmentation.silhouette import macro, mean, silhouettes
from segmentation.stability import bootstrap_agreement


def permuted(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each column shuffled on its own: the same columns, independent of each other."""
    return rng.permuted(matrix, axis=0)


def gaussian_like(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One Gaussian with the same mean and covariance: correlated columns, one single mass."""
    covariance = np.atleast_2d(np.cov(matrix, rowvar=False))
    return rng.multivariate_normal(
        matrix.mean(axis=0), covariance, size=len(matrix), method="eigh"
    )


def uniform_box(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uniform in the box around the data along their principal axes.

    The reference (b) of Tibshirani, Walther & Hastie (2001), for the gap statistic.
    """
    centre = matrix.mean(axis=0)
    axes = np.linalg.svd(matrix - centre, full_matrices=False)[2]
    scores = (matrix - centre) @ axes.T
    return rng.uniform(scores.min(axis=0), scores.max(axis=0), scores.shape) @ axes + centre


NULLS: dict[str, Callable] = {
    "permuted": permuted,
    "gaussian": gaussian_like,
    "uniform": uniform_box,
}


def scan_statistics(
    matrix: np.ndarray, fits: Mapping[int, KMeansFit], silhouette: Mapping[int, np.ndarray]
) -> pd.DataFrame:
    """Statistics of the solutions of a scan.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    fits : mapping of k to KMeansFit
    silhouette : mapping of k to ndarray, shape (n,)

    Returns
    -------
    DataFrame
        Indexed by k: inertia, total_inertia (that of one segment), silhouette, macro_silhouette,
        calinski_harabasz, davies_bouldin.
    """
    total = float(np.square(matrix - matrix.mean(axis=0)).sum())
    rows = {
        k: {
            "inertia": fit.inertia,
            "total_inertia": total,
            "silhouette": mean(silhouette[k]),
            "macro_silhouette": macro(silhouette[k], fit.labels),
            "calinski_harabasz": calinski_harabasz_score(matrix, fit.labels),
            "davies_bouldin": davies_bouldin_score(matrix, fit.labels),
        }
        for k, fit in fits.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")


def null_statistics(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    draws: int = 5,
    starts: int = 8,
    seed: int = 20,
    stability_pairs: int = 0,
    sample: int | None = None,
    nulls: Iterable[str] = ("permuted", "gaussian", "uniform"),
) -> pd.DataFrame:
    """The scan's statistics on data without segments, several draws of each kind.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    ks : iterable of int
    draws : int
        Draws of each null.
    starts : int
        Random starts per fit.
    seed : int
    stability_pairs : int
        Pairs of bootstrap samples per draw for the column `stability`; 0 leaves it out.
    sample : int, optional
        Customers to score the silhouettes on; by default all.
    nulls : iterable of str
        Names in `NULLS`.

    Returns
    -------
    DataFrame
        A row per null, draw and k: null, draw, k and the columns of `scan_statistics`.
    """
    ks, tables = list(ks), []
    for null in nulls:
        for draw in range(draws):
            rng = np.random.default_rng([seed, list(NULLS).index(null), draw])
            shadow = NULLS[null](matrix, rng)
            fits = scan_kmeans(shadow, ks, starts=starts, seed=seed)
            rows = None
            if sample is not None and sample < len(matrix):
                rows = np.sort(rng.choice(len(matrix), sample, replace=False))
            scores = silhouettes(shadow, {k: fit.labels for k, fit in fits.items()}, rows=rows)
            table = scan_statistics(shadow, fits, scores)
            if stability_pairs:
                pairs = bootstrap_agreement(shadow, ks, pairs=stability_pairs, seed=seed)
                table["stability"] = [pairs[k].mean() for k in table.index]
            table = table.reset_index()
            table.insert(0, "null", null)
            table.insert(1, "draw", draw)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def gap_statistic(
    statistics: pd.DataFrame, nulls: pd.DataFrame, *, null: str = "uniform"
) -> pd.DataFrame:
    """Gap of log inertia between the null and the data (Tibshirani, Walther & Hastie 2001).

    Parameters
    ----------
    statistics : DataFrame
        From `scan_statistics`, on consecutive k from 2.
    nulls : DataFrame
        From `null_statistics` on the same k.
    null : str
        Which null to hold against.

    Returns
    -------
    DataFrame
        Indexed by k from 1: gap, standard_error (with the factor for the number of draws), and
        chosen, true at the smallest k whose gap is no less than the next one's less its
        standard error; at the last k where there is none.
    """
    reference = nulls[nulls["null"] == null]
    logs = np.log(reference.pivot(index="draw", columns="k", values="inertia"))
    logs.insert(0, 1, np.log(reference.groupby("draw")["total_inertia"].first()))
    data = np.log(statistics["inertia"])
    data.loc[1] = np.log(statistics["total_inertia"].iloc[0])
    table = pd.DataFrame(
        {
            "gap": logs.mean() - data,
            "standard_error": logs.std(ddof=0) * np.sqrt(1 + 1 / len(logs)),
        }
    ).sort_index()
    enough = table["gap"] >= (table["gap"] - table["standard_error"]).shift(-1)
    table["chosen"] = table.index == (enough.idxmax() if enough.any() else table.index[-1])
    return table

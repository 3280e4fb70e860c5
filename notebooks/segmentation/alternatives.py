"""Alternative methods, scored beside K-Means in one reference space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import fastcluster
import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster
from scipy.spatial.distance import pdist
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from segmentation import expressions
from segmentation.dataset import Question
from segmentation.parallel import parallel_map
from segmentation.sampling import Sample
from segmentation.silhouette import macro, mean, silhouettes
from segmentation.stability import adjusted_rand

NOISE = -1
MOST_ROWS = 3_000  # of a sample by which methods are held against themselves
LARGEST_SHARE, SMALLEST_SHARE = 0.95, 0.01  # beyond these a solution is called degenerate


def ward_tree(matrix: np.ndarray) -> np.ndarray:
    """Return Ward's tree (Ward 1963) as a linkage matrix, shape (n - 1, 4), in O(n d) memory."""
    return fastcluster.linkage_vector(matrix, method="ward")


def linkage_tree(matrix: np.ndarray, method: str) -> np.ndarray:
    """Return the tree of another linkage; needs memory for all n (n - 1) / 2 distances."""
    distances, tree = pdist(matrix), np.empty((len(matrix) - 1, 4))
    # As fastcluster.linkage does, which holds all distances twice.
    fastcluster.linkage_wrap(len(matrix), distances, tree, fastcluster.mthidx[method])
    return tree


def cut(tree: np.ndarray, k: int) -> np.ndarray:
    """Cut a tree into (at most, where merges tie) k segments, shape (n,), numbered from 0."""
    return fcluster(tree, k, criterion="maxclust") - 1


def gaussian_mixture(matrix: np.ndarray, k: int, seed: int, n_init: int = 3) -> np.ndarray:
    """Fit a mixture of k Gaussians with full covariances and return the likeliest component."""
    mixture = GaussianMixture(k, n_init=n_init, random_state=seed, reg_covar=1e-4)
    with threadpool_limits(1):
        return mixture.fit_predict(matrix)


def neighbour_distances(matrix: np.ndarray, neighbours: int) -> np.ndarray:
    """Return every customer's distance to its n-th nearest neighbour, ascending, shape (n,)."""
    neighbours = min(neighbours, len(matrix) - 1)
    with threadpool_limits(1):
        search = NearestNeighbors(n_neighbors=neighbours + 1).fit(matrix)
        return np.sort(search.kneighbors(matrix)[0][:, -1])


def knee(ascending: np.ndarray) -> float:
    """Return the value of an ascending curve at its point farthest below the chord."""
    x = np.linspace(0, 1, len(ascending))
    y = (ascending - ascending[0]) / max(ascending[-1] - ascending[0], 1e-12)
    return float(ascending[int(np.argmax(x - y))])


def dbscan(matrix: np.ndarray, eps: float, neighbours: int) -> np.ndarray:
    """Cluster by density (Ester et al. 1996); noise is -1. With eps 0, only equals are near."""
    eps = max(eps, np.finfo(float).tiny)
    with threadpool_limits(1):
        return DBSCAN(eps=eps, min_samples=neighbours).fit_predict(matrix)


def apart_by_zeros(labels: np.ndarray, features: pd.DataFrame) -> bool:
    """Whether in any two regions nearly all have a zero of some feature, and nearly none."""
    inside = labels != NOISE
    zeros = (features[inside] == 0).groupby(labels[inside]).mean().to_numpy()
    pairs = combinations(zeros, 2)
    return all((np.minimum(a, b) <= 0.05)[np.maximum(a, b) >= 0.95].any() for a, b in pairs)


def hdbscan(matrix: np.ndarray, min_cluster_size: int) -> np.ndarray:
    """Cluster by density at all scales (Campello et al. 2013); noise is -1."""
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=10, copy=True)
    with threadpool_limits(1):
        return model.fit_predict(matrix)


def rule_groups(customers: pd.DataFrame, questions: tuple[Question, ...]) -> np.ndarray:
    """Group the customers by their answers to yes/no rules, shape (n,)."""
    groups = np.zeros(len(customers), dtype=int)
    for place, question in enumerate(questions):
        groups += expressions.evaluate(question.when, customers).astype(bool).astype(int) << place
    return np.unique(groups, return_inverse=True)[1]


def eps_table(matrix: np.ndarray, candidates: np.ndarray, neighbours: int) -> pd.DataFrame:
    """Tabulate what DBSCAN finds for each eps: clusters, share of noise, largest cluster."""
    rows = []
    found = parallel_map(lambda eps: dbscan(matrix, float(eps), neighbours), candidates)
    for eps, labels in zip(candidates, found, strict=True):
        counts = np.bincount(labels[labels != NOISE], minlength=1)
        rows.append(
            {
                "eps": float(eps),
                "clusters": int((counts > 0).sum()),
                "noise_share": float((labels == NOISE).mean()),
                "largest_share": float(counts.max() / len(labels)),
            }
        )
    return pd.DataFrame(rows).set_index("eps")


def compare(
    matrix: np.ndarray, labelings: Mapping[str, np.ndarray], sample: Sample | None = None
) -> pd.DataFrame:
    """Score labelings of the same customers in the same space, a row each.

    Noise is -1: it counts in the shares and is left out of the scores. Where the customers are a
    sample of more, the silhouette has its standard error.
    """
    scores = silhouettes(matrix, labelings)
    rows = {name: _row(matrix, labels, scores[name]) for name, labels in labelings.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    if sample is not None and not sample.complete:
        errors = [sample.standard_error(scores[name]) for name in labelings]
        table.insert(table.columns.get_loc("silhouette") + 1, "silhouette_error", errors)
    of_kept = 1 - table["noise_share"].clip(upper=1 - 1e-9)
    table["degenerate"] = (
        (table["segments"] < 2)
        | (table["largest_share"] > LARGEST_SHARE * of_kept)
        | (table["smallest_share"] < SMALLEST_SHARE)
    )
    return table


def _row(matrix: np.ndarray, labels: np.ndarray, silhouette: np.ndarray) -> dict[str, float]:
    """Sizes and scores of a labelling; no index where there are fewer than two segments."""
    kept = labels != NOISE
    counts = np.unique(labels[kept], return_counts=True)[1]
    of_kept, several = (matrix[kept], labels[kept]), len(counts) > 1
    return {
        "segments": len(counts),
        "largest_share": counts.max(initial=0) / len(labels),
        "smallest_share": counts.min(initial=len(labels)) / len(labels),
        "noise_share": float((labels == NOISE).mean()),
        "silhouette": mean(silhouette),
        "macro_silhouette": macro(silhouette, labels),
        "calinski_harabasz": calinski_harabasz_score(*of_kept) if several else np.nan,
        "davies_bouldin": davies_bouldin_score(*of_kept) if several else np.nan,
        "rows": len(labels),
    }


def agreement(labelings: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the adjusted Rand index of every pair of labelings that hold a group.

    Noise counts as a group beside others.
    """
    known = {name: labels for name, labels in labelings.items() if labels.max() > NOISE}
    table = {a: {b: adjusted_rand(x, y) for b, y in known.items()} for a, x in known.items()}
    return pd.DataFrame(table)


def overlapping(customers: int, *, pairs: int = 3, seed: int = 20) -> list[np.ndarray]:
    """Draw pairs of samples, as row numbers, that share half of their customers.

    Those are the last of the first sample and the first of the second.
    """
    generator = np.random.default_rng(seed)
    rows = min(MOST_ROWS, customers * 2 // 3)
    draws = [generator.permutation(customers)[: rows + rows // 2] for _ in range(pairs)]
    return [half for drawn in draws for half in (drawn[:rows], drawn[-rows:])]


def on_samples(
    matrix: np.ndarray, samples: Sequence[np.ndarray], method: Callable[[np.ndarray], np.ndarray]
) -> list[np.ndarray]:
    """Return what a method finds on each sample of the rows of a matrix."""
    return list(parallel_map(lambda rows: method(matrix[rows]), samples))


def without_k(
    matrix: np.ndarray,
    samples: Sequence[np.ndarray],
    eps: float,
    neighbours: int,
    smallest_share: float,
) -> dict[str, list[np.ndarray]]:
    """Return what methods that ask for no k find on each sample: trees, or labels."""
    methods = {
        "Ward": ward_tree,
        "Average linkage": lambda part: linkage_tree(part, "average"),
        "DBSCAN": lambda part: dbscan(part, eps, neighbours),
        "HDBSCAN": lambda part: hdbscan(part, max(10, int(smallest_share * len(part)))),
    }
    return {name: on_samples(matrix, samples, method) for name, method in methods.items()}


def split_stability(found: Sequence[np.ndarray]) -> float:
    """Return how far a method agrees with itself on `overlapping` samples, from its labels there.

    Works for every method, also those that cannot assign new customers: the adjusted Rand index
    compares the customers that two samples share.
    """
    shared = len(found[0]) - len(found[0]) // 2
    agreements = [
        adjusted_rand(first[-shared:], second[:shared])
        for first, second in zip(found[::2], found[1::2], strict=True)
    ]
    return float(np.mean(agreements))


def textbook_silhouettes(spaces: Mapping[str, pd.DataFrame], ks: range) -> pd.DataFrame:
    """Return mean silhouettes of K-Means as public analyses run it: z-scores, ten initialisations.

    A column per space, standardised here, a row per k; none with as many segments as different
    rows.
    """
    columns = {}
    for name, table in spaces.items():
        varying = table.loc[:, table.std() > 1e-12 * table.abs().max()]
        scores = ((varying - varying.mean()) / varying.std(ddof=0)).to_numpy()

        def labels(k: int, scores: np.ndarray = scores) -> np.ndarray:
            return KMeans(k, n_init=10, random_state=42).fit(scores).labels_

        possible = [k for k in ks if k < len(np.unique(scores, axis=0))]
        labelings = dict(zip(possible, parallel_map(labels, possible), strict=True))
        columns[name] = {k: mean(v) for k, v in silhouettes(scores, labelings).items()}
    return pd.DataFrame(columns).rename_axis("k")

"""What the notebooks compute on the embedded card holders, without notebooks and pictures."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from customer_tables.table import read_table
from segmentation import (
    alternatives,
    autoencoder,
    naming,
    null_reference,
    profiling,
    reduction,
    sensitivity,
    stability,
)
from segmentation.cleaning import clean
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans, scan_kmeans
from segmentation.silhouette import silhouettes

SEED, K = 20, 6


def main(quick: bool, rows: int) -> None:
    """Compute it all on the first rows, at the notebooks' full or quick settings."""
    known = load_dataset("credit_card")
    table = read_table(DATA_FOLDER / "credit_card" / "customers.csv").table.head(rows)
    features = build_features(clean(table, known).customers, known)
    segmenting = known.features_with("segment")
    matrix = fit_preparation(features, segmenting).transform(features)
    raw = fit_preparation(features, segmenting, transform="none").transform(features)
    of_features(matrix.to_numpy(), raw.to_numpy(), quick)
    labels = of_clustering(matrix, raw.to_numpy(), features, known, quick)
    of_reduction(matrix.to_numpy(), labels, quick)
    of_profiling(matrix, features, known, labels, quick)


def of_features(matrix: np.ndarray, raw: np.ndarray, quick: bool) -> None:
    """Notebook 03: segmentations with and without the transform."""
    for k in range(3, 7 if quick else 9):
        for space in (matrix, raw):
            fit_kmeans(space, k, n_init=5 if quick else 20, seed=SEED)


def of_clustering(matrix, raw: np.ndarray, features, known, quick: bool) -> np.ndarray:
    """Notebook 04: the scan, its references, the alternative methods; returns the chosen labels."""
    space = matrix.to_numpy()
    starts, pairs, draws, k_max = (5, 6, 1, 9) if quick else (5, 20, 3, 12)
    ks = range(2, k_max + 1)
    fits = scan_kmeans(space, ks, n_init=starts, seed=SEED)
    scores = silhouettes(space, {k: fit.labels for k, fit in fits.items()})
    null_reference.scan_statistics(space, fits, scores)
    null_reference.null_statistics(space, ks, draws=draws, seed=SEED)
    null_reference.gap_statistic(space, fits, draws=draws, seed=SEED)
    stability.resample_scan(space, fits, resamples=2 * pairs, seed=SEED)
    labels = fits[K].labels
    rows = np.sort(np.random.default_rng(SEED).permutation(len(space))[: 3_000 if quick else None])
    of_alternatives(space, raw[rows], rows, labels, quick)
    sensitivity.vary_choices(features, known, matrix, K, SEED, min(starts, 10))
    spaces = {"z-scores": features, "log": np.log1p(features.clip(lower=0))}
    alternatives.textbook_silhouettes(spaces, range(2, 7 if quick else 11))
    return labels


def of_alternatives(
    space: np.ndarray, raw: np.ndarray, rows: np.ndarray, labels: np.ndarray, quick: bool
) -> None:
    """Other ways to divide the same customers."""
    some, neighbours = space[rows], 2 * space.shape[1]
    found = {
        "K-Means": labels[rows],
        "Ward": alternatives.cut(alternatives.ward_tree(space), K)[rows],
    }
    for method in ("average", "complete", "single"):
        found[method] = alternatives.cut(alternatives.linkage_tree(some, method), K)
    alternatives.compare(some, found)
    pair = {"K-Means": fit_kmeans(raw, 2, n_init=10, seed=SEED).labels}
    pair["average"] = alternatives.cut(alternatives.linkage_tree(raw, "average"), 2)
    alternatives.compare(raw, pair)
    reach = alternatives.neighbour_distances(some, neighbours)
    eps = alternatives.knee(reach)
    found["DBSCAN"] = alternatives.dbscan(some, eps, neighbours)
    alternatives.eps_table(
        some, np.unique(np.quantile(reach, [0.1, 0.25, 0.5, 0.75, 0.9])), neighbours
    )
    smallest = max(10, int(0.02 * len(some)))
    found["HDBSCAN"] = alternatives.hdbscan(some, smallest)
    found["Gaussian mixture"] = alternatives.gaussian_mixture(some, K, SEED)
    alternatives.compare(some, found)
    methods = (
        lambda part: fit_kmeans(part, K, n_init=6, seed=SEED).labels,
        lambda part: alternatives.cut(alternatives.ward_tree(part), K),
        lambda part: alternatives.cut(alternatives.linkage_tree(part, "average"), K),
        lambda part: alternatives.gaussian_mixture(part, K, SEED, n_init=1),
        lambda part: alternatives.dbscan(part, eps, neighbours),
        lambda part: alternatives.hdbscan(part, max(10, int(0.02 * len(part)))),
    )
    for method in methods:
        alternatives.split_stability(space, method, seed=SEED)


def of_reduction(matrix: np.ndarray, labels: np.ndarray, quick: bool) -> None:
    """Notebook 05: PCA, the networks, and K-Means on their codes."""
    trainings, epochs, starts, ranks = (2, 6, 3, (2, 4)) if quick else (3, 20, 10, (2, 3, 4, 6, 8))
    rows = np.sort(np.random.default_rng(SEED).permutation(len(matrix))[: 3000 if quick else None])
    values = matrix[rows]
    split, seeds = reduction.split_rows(len(values), SEED), range(SEED, SEED + trainings)
    networks = autoencoder.train_autoencoders(values, ranks, seeds, split, epochs=epochs)
    seen = np.concatenate([split.train, split.validation])
    fitted = {("PCA", rank, -1): PCA(rank).fit(values[seen]) for rank in ranks}
    fitted |= {("autoencoder", n.rank, n.seed): n for n in networks}
    reduction.judge_reductions(values, fitted, split)
    fits = {
        key: fit_kmeans(model.transform(values), K, n_init=starts, seed=SEED)
        for key, model in fitted.items()
    }
    rank = min(ranks, key=lambda rank: abs(rank - K))
    begun = [network for network in networks if network.rank == rank]
    centres = [fits["autoencoder", n.rank, n.seed].centres for n in begun]
    joint = autoencoder.train_clustering_autoencoders(values, begun, centres, split, epochs=epochs)
    together = {("clustering autoencoder", n.rank, n.seed): n for n in joint}
    reduction.judge_reductions(values, together, split)
    width = matrix.shape[1]
    found = {
        ("features", width, s): fit_kmeans(values, K, n_init=starts, seed=s).labels for s in seeds
    }
    found |= {key: fit.labels for key, fit in fits.items()}
    found |= {key: network.assign(values) for key, network in together.items()}
    reduction.judge_labelings(values, found, labels[rows])


def of_profiling(matrix, features, known, labels: np.ndarray, quick: bool) -> None:
    """Notebook 06: sizes with intervals, rules, names of refits."""
    import pandas as pd

    segments = pd.Series(labels + 1, index=matrix.index)
    worth = features[known.features_with("segment")[0].name]
    profiling.sizes_and_value(segments, worth, resamples=50 if quick else 300, seed=SEED)
    standardised = profiling.standardise_evenly(features, list(known.features))
    effects = profiling.effect_sizes(standardised, segments)
    clear = profiling.clear_sides(features, segments, effects, list(known.features))
    names = {s: one.name for s, one in naming.name_segments(effects, known, clear).items()}
    chosen = [feature.name for feature in known.features_with("segment")]
    profiling.fit_rules(features[chosen], segments, depth=4, seed=SEED)
    naming.agreement_after_refits(
        *(matrix.to_numpy(), standardised, segments.map(names), known, features),
        resamples=5 if quick else 20,
        seed=SEED,
    )

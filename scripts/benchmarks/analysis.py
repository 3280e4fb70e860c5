"""What the notebooks compute, against one library call after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain
from benchmarks.measure import Entry, Equality, Result, Settings, goal


def load_features(folder: Path, settings: Settings) -> np.ndarray:
    """Make some cardholders' features as the notebooks do, shape (rows, d)."""
    import segmentation.alternatives
    import segmentation.stability  # noqa: F401  (what all ways use is loaded)
    from make_sample_data import build
    from simulate_decision import card_features

    table = folder / "customers.csv"
    table.write_bytes(build(rows=settings["rows"])[table.name])
    return card_features(table)


def _ks(settings: Settings) -> range:
    return range(2, settings["k_max"] + 1)


# --- silhouettes --------------------------------------------------------------------------------


def _load_labelings(folder: Path, settings: Settings) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    from segmentation.kmeans import fit_kmeans

    matrix = load_features(folder, settings)
    return matrix, {k: fit_kmeans(matrix, k, n_init=2).labels for k in _ks(settings)}


def _one_pass(loaded: Any, settings: Settings) -> Result:
    from segmentation.silhouette import silhouettes

    return {"silhouettes": np.array(list(silhouettes(*loaded).values()))}


def _one_call_each(loaded: Any, settings: Settings) -> Result:
    return {"silhouettes": np.array(list(plain.silhouettes(*loaded).values()))}


# --- K-Means ------------------------------------------------------------------------------------

NEAR = 1.001  # an inertia within 0.1% of the best known counts as found


def _scan_each_seed(matrix: np.ndarray, settings: Settings) -> Result:
    from segmentation.kmeans import scan_kmeans

    ks, starts = _ks(settings), settings["our_starts"]
    scans = [scan_kmeans(matrix, ks, n_init=starts, seed=s) for s in range(settings["seeds"])]
    return {"inertia": np.array([[scan[k].inertia for k in ks] for scan in scans])}


def _default_starts(matrix: np.ndarray, settings: Settings) -> Result:
    from sklearn.cluster import KMeans

    def inertia(k: int, seed: int) -> float:
        return KMeans(k, n_init=settings["their_starts"], random_state=seed).fit(matrix).inertia_

    seeds = range(settings["seeds"])
    return {"inertia": np.array([[inertia(k, seed) for k in _ks(settings)] for seed in seeds])}


def _how_often_the_best(results: Mapping[str, Result], settings: Settings) -> Equality:
    best = np.min([result["inertia"].min(axis=0) for result in results.values()], axis=0)
    found = {
        name: float((result["inertia"] <= best * NEAR).all(axis=1).mean())
        for name, result in results.items()
    }
    shares = "; ".join(f"{name} on {share:.0%}" for name, share in found.items())
    text = f"every k within 0.1% of the best known inertia, of {settings['seeds']} seeds: {shares}"
    return next(iter(found.values())) >= 0.95, text


# --- stability ----------------------------------------------------------------------------------


def _our_pairs(matrix: np.ndarray, settings: Settings) -> Result:
    from segmentation.stability import bootstrap_agreement

    pairs, starts = settings["pairs"], settings["starts"]
    found = bootstrap_agreement(matrix, _ks(settings), pairs=pairs, n_init=starts)
    return {"agreement": np.array(list(found.values()))}


def _plain_pairs(matrix: np.ndarray, settings: Settings) -> Result:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    from segmentation.stability import RESAMPLE_SIZE

    samples, found = [], []
    for source in np.random.SeedSequence(20).spawn(2 * settings["pairs"]):
        rng = np.random.default_rng(source)
        rows = np.sort(rng.integers(0, len(matrix), min(len(matrix), RESAMPLE_SIZE)))
        samples.append((matrix[rows], int(rng.integers(2**31))))
    for k in _ks(settings):
        labels = [
            KMeans(k, n_init=settings["starts"], tol=0, random_state=seed)
            .fit(sample)
            .predict(matrix)
            for sample, seed in samples
        ]
        pairs = zip(labels[::2], labels[1::2], strict=True)
        found.append([adjusted_rand_score(first, second) for first, second in pairs])
    return {"agreement": np.array(found)}


# --- Ward's tree --------------------------------------------------------------------------------

SEGMENTS = 6


def _as_tree(heights: np.ndarray, labels: np.ndarray) -> Result:
    """Make trees comparable: squared heights ascending, segments by their first customers."""
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    return {"heights": np.sort(heights) ** 2, "labels": np.argsort(np.argsort(first))[places]}


def _vectors(matrix: np.ndarray, settings: Settings) -> Result:
    from segmentation.alternatives import cut, ward_tree

    tree = ward_tree(matrix)
    return _as_tree(tree[:, 2], cut(tree, SEGMENTS))


def _scikit_learn(matrix: np.ndarray, settings: Settings) -> Result:
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(SEGMENTS, compute_distances=True).fit(matrix)
    return _as_tree(model.distances_, model.labels_)


ENTRIES = (
    Entry(
        name="silhouettes",
        title="Silhouettes of all k",
        ways={
            "one pass over the distances": _one_pass,
            "scikit-learn, one call for each k": _one_call_each,
        },
        full=({"rows": 8950, "k_max": 12}, {"rows": 20_000, "k_max": 8}),
        quick=({"rows": 300, "k_max": 4},),
        load=_load_labelings,
        goals=(goal("scikit-learn, one call for each k", 12.0),),
        rounds=5,
    ),
    Entry(
        name="kmeans",
        title="K-Means for all k",
        ways={
            "starts over the cores, improved by neighbours": _scan_each_seed,
            "scikit-learn, 50 starts for each k": _default_starts,
        },
        full=({"rows": 8950, "k_max": 12, "our_starts": 5, "their_starts": 50, "seeds": 20},),
        quick=({"rows": 300, "k_max": 3, "our_starts": 4, "their_starts": 5, "seeds": 2},),
        load=load_features,
        equal=_how_often_the_best,
        goals=(goal("scikit-learn, 50 starts for each k", 4.0),),
        rounds=2,
    ),
    Entry(
        name="stability",
        title="Agreement of bootstrap pairs for all k",
        ways={
            "weights for repeats, fits over the cores": _our_pairs,
            "scikit-learn, one fit after the other": _plain_pairs,
        },
        full=({"rows": 8950, "k_max": 12, "pairs": 20, "starts": 4},),
        quick=({"rows": 300, "k_max": 3, "pairs": 2, "starts": 2},),
        load=load_features,
        goals=(
            goal(
                "scikit-learn, one fit after the other",
                1.5,
                why="4,000 draws are 3,226 customers: weights for repeats save no more than 1.24",
            ),
        ),
    ),
    Entry(
        name="ward",
        title="Ward's tree",
        ways={"fastcluster, from vectors": _vectors, "scikit-learn": _scikit_learn},
        full=({"rows": 8950}, {"rows": 30_000}),
        quick=({"rows": 200},),
        load=load_features,
        goals=(
            goal("scikit-learn", 3.9, why="one library against another, on one thread each"),
            goal("scikit-learn", 10.0, "extra_memory"),
        ),
        rounds=2,
    ),
)

"""Ward's tree without the matrix of all distances, against scipy and scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Goal, Result, Settings
from benchmarks.scan import card_features

SEGMENTS = 6


def _load(settings: Settings, folder: Path) -> np.ndarray:
    import segmentation.alternatives  # noqa: F401  (loads what all contestants use)

    return card_features(settings)


def _vectors(matrix: np.ndarray, settings: Settings) -> Result:
    from segmentation.alternatives import cut, ward_tree

    tree = ward_tree(matrix)
    return {"heights": tree[:, 2], "labels": numbered(cut(tree, SEGMENTS))}


def _scipy(matrix: np.ndarray, settings: Settings) -> Result:
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(matrix, "ward")
    return {"heights": tree[:, 2], "labels": numbered(fcluster(tree, SEGMENTS, "maxclust"))}


def _scikit_learn(matrix: np.ndarray, settings: Settings) -> Result:
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(SEGMENTS, compute_distances=True).fit(matrix)
    return {"heights": model.distances_, "labels": numbered(model.labels_)}


def numbered(labels: np.ndarray) -> np.ndarray:
    """Give segments the order of their first customers, so that numberings can be compared."""
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[places]


def _same_tree(results: Mapping[str, Result], settings: Settings) -> Equality:
    """Heights are compared as they ascend: merges of equal height have no order."""
    (_, ours), *others = results.items()
    furthest = 0.0
    for name, theirs in others:
        if not np.array_equal(ours["labels"], theirs["labels"]):
            return Equality(False, f"segments of {name} differ")
        heights = np.sort(ours["heights"]), np.sort(theirs["heights"])
        furthest = max(furthest, float(np.abs(heights[0] - heights[1]).max() / heights[0][-1]))
    return Equality(furthest < 1e-9, f"segments equal, heights to {furthest:.0e} of the highest")


WARD = Entry(
    name="ward",
    title="Ward's tree",
    contestants=(
        Contestant("fastcluster, from vectors", _vectors, ONE_THREAD),
        Contestant("scipy", _scipy),
        Contestant("scikit-learn", _scikit_learn),
    ),
    sizes={
        "full": ({"rows": 8950}, {"rows": 30_000}),
        "quick": ({"rows": 3000},),
        "tiny": ({"rows": 200},),
    },
    load=_load,
    compare=_same_tree,
    goals=(
        Goal("scikit-learn", 4.7),
        Goal("scikit-learn", 10.0, "extra_memory"),
    ),
    rounds={"full": 3, "quick": 3, "tiny": 2},
)


def _one_large_tree(matrix: np.ndarray, settings: Settings) -> Result:
    return _vectors(matrix, settings)


LARGE_WARD = Entry(
    name="ward-large",
    title="Ward's tree without a sample",
    contestants=(Contestant("fastcluster, from vectors", _one_large_tree, ONE_THREAD),),
    sizes={
        "full": ({"rows": 100_000},),
        "quick": ({"rows": 20_000},),
        "tiny": ({"rows": 200},),
    },
    load=_load,
    rounds={"full": 1, "quick": 1, "tiny": 1},
)

ENTRIES = (WARD, LARGE_WARD)

"""The notebooks' computations as one would write them: one library call after the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage
from sklearn.metrics import silhouette_samples


def install(*, networks=False):
    """Put plain calls in the place of the package's functions, before a notebook imports them."""
    from segmentation import parallel

    parallel.parallel_map = map
    from segmentation import alternatives, silhouette, workspace

    workspace.once = lambda path, function, *given, **settings: function(*given, **settings)
    silhouette.silhouettes = silhouettes
    alternatives.ward_tree = lambda matrix: linkage(matrix, "ward")
    alternatives.linkage_tree = linkage
    if networks:
        from segmentation import autoencoder

        autoencoder.train_autoencoders = one_by_one(autoencoder.train_autoencoders)


def silhouettes(
    matrix: np.ndarray,
    labelings: Mapping[Hashable, np.ndarray],
    *,
    rows: np.ndarray | None = None,
) -> dict[Hashable, np.ndarray]:
    """Return silhouettes of each labelling by itself, shape (n,); those left out are NaN."""
    found = {}
    for name, labels in labelings.items():
        scores, kept = np.full(len(matrix), np.nan), np.flatnonzero(np.asarray(labels) >= 0)
        if 1 < len(np.unique(labels[kept])) < len(kept):
            scores[kept] = silhouette_samples(matrix[kept], labels[kept])
        if rows is not None:
            scores[np.setdiff1d(np.arange(len(matrix)), rows)] = np.nan
        found[name] = scores
    return found


def one_by_one(train: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Train networks one after the other instead of side by side."""

    def train_each(matrix: Any, ranks: Any, seeds: Any, *more: Any, **settings: Any) -> list[Any]:
        pairs = [(rank, seed) for rank in ranks for seed in seeds]
        return [train(matrix, [r], [s], *more, **settings)[0] for r, s in pairs]

    return train_each

"""The notebooks' computations as one would write them: one library call after the other.

`install` puts these functions in the place of the package's own, before a notebook imports them.
Everything else, figures and tables included, stays the package's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import nullcontext

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_samples


def install(*, networks: bool = False) -> None:
    """Put the plain functions in place; those of the networks, too, where they are wanted."""
    from segmentation import parallel

    parallel.parallel_map = map
    from segmentation import kmeans, silhouette

    kmeans.fit_kmeans = fit_kmeans  # also in the scan, whose solutions stay the same so
    silhouette.silhouettes = silhouettes
    from segmentation import stability

    stability._fit_sample = fit_sample
    stability.adjusted_rand = adjusted_rand
    from segmentation import alternatives

    alternatives.ward_tree = ward_tree
    alternatives.linkage_tree = linkage_tree
    alternatives.threadpool_limits = lambda *limits, **more: nullcontext()
    if networks:
        from segmentation import autoencoder

        autoencoder.train_autoencoders = train_autoencoders
        autoencoder.train_clustering_autoencoders = _one_by_one(
            autoencoder.train_clustering_autoencoders
        )


def fit_kmeans(matrix: np.ndarray, k: int, *, n_init: int = 50, seed: int = 20):
    """Fit K-Means from many initialisations, each a call of its own."""
    from segmentation.kmeans import KMeansFit

    random = np.random.RandomState(seed)  # noqa: NPY002  (the generator that scikit-learn takes)
    fits = [KMeans(k, n_init=1, tol=0, random_state=random).fit(matrix) for _ in range(n_init)]
    inertias = np.array([fit.inertia_ for fit in fits])
    best = fits[inertias.argmin()]
    labels = best.labels_.astype(np.int64)
    return KMeansFit(k, labels, best.cluster_centers_, float(best.inertia_), inertias)


def silhouettes(
    matrix: np.ndarray,
    labelings: Mapping[Hashable, np.ndarray],
    *,
    rows: np.ndarray | None = None,
) -> dict[Hashable, np.ndarray]:
    """Silhouettes of each labelling by itself."""
    found = {}
    for name, labels in labelings.items():
        labels, scores = np.asarray(labels), np.full(len(matrix), np.nan)
        kept = np.flatnonzero(labels >= 0)
        if len(np.unique(labels[kept])) < 2:
            found[name] = scores
            continue
        if rows is None and len(np.unique(labels[kept])) < len(kept):
            scores[kept] = silhouette_samples(matrix[kept], labels[kept])
        else:
            some = kept if rows is None else np.intersect1d(rows, kept)
            scores[some] = _of_some(matrix, labels, some)
        found[name] = scores
    return found


def _of_some(matrix: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Silhouettes of some customers against all, by their definition."""
    distances = cdist(matrix[rows], matrix)
    segments = [segment for segment in np.unique(labels) if segment >= 0]
    totals = np.column_stack([distances[:, labels == s].sum(axis=1) for s in segments])
    sizes = np.array([(labels == s).sum() for s in segments])
    own = labels[rows, None] == np.array(segments)
    others = sizes[own.argmax(axis=1)] - 1
    within = np.where(own, totals, 0).sum(axis=1) / np.maximum(others, 1)
    nearest = np.where(own, np.inf, totals / sizes).min(axis=1)
    return np.where(others > 0, (nearest - within) / np.maximum(nearest, within), 0.0)


def fit_sample(
    matrix: np.ndarray, k: int, n_init: int, counts: np.ndarray, seed: int
) -> np.ndarray:
    """Centres of K-Means on a bootstrap sample with its repeats."""
    sample = np.repeat(matrix, counts, axis=0)
    return KMeans(k, n_init=n_init, tol=0, random_state=seed).fit(sample).cluster_centers_


def adjusted_rand(first: np.ndarray, second: np.ndarray) -> float:
    """Return scikit-learn's adjusted Rand index."""
    return float(adjusted_rand_score(first, second))


def ward_tree(matrix: np.ndarray) -> np.ndarray:
    """Return Ward's tree by scipy."""
    return linkage(matrix, "ward")


def linkage_tree(matrix: np.ndarray, method: str) -> np.ndarray:
    """Return the tree of another linkage by scipy."""
    return linkage(matrix, method)


# --- networks -----------------------------------------------------------------------------------


def train_autoencoders(
    matrix,
    ranks,
    seeds,
    split,
    *,
    hidden=(64, 64),
    epochs: int = 30,
    patience: int = 6,
    batch: int = 128,
    rate: float = 0.01,
) -> list:
    """Train one network after the other by Keras' own loop."""
    values = np.asarray(matrix, dtype=np.float32)
    settings = {"epochs": epochs, "patience": patience, "batch": batch, "rate": rate}
    return [
        _train(values, rank, seed, split, hidden, **settings) for rank in ranks for seed in seeds
    ]


def _train(values, rank, seed, split, hidden, *, epochs, patience, batch, rate):
    import keras

    from segmentation.autoencoder import Autoencoder, _scaled, _table

    keras.utils.set_random_seed(seed)
    features = values.shape[1]
    encoder = keras.Sequential([keras.Input((features,))])
    decoder = keras.Sequential([keras.Input((rank,))])
    for width in hidden:
        encoder.add(keras.layers.Dense(width, "relu"))
    encoder.add(keras.layers.Dense(rank))
    for width in reversed(hidden):
        decoder.add(keras.layers.Dense(width, "relu"))
    decoder.add(keras.layers.Dense(features))
    model = keras.Sequential([encoder, decoder])
    steps = -(-len(split.train) // batch)
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * steps)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    stopping = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    train, validation = values[split.train], values[split.validation]
    told = model.fit(
        train,
        train,
        validation_data=(validation, validation),
        epochs=epochs,
        batch_size=batch,
        callbacks=[stopping],
        verbose=0,
    ).history
    weights = [weight[None] for weight in (*encoder.get_weights(), *decoder.get_weights())]
    code = encoder.predict(train, verbose=0).astype(float)
    history = _table(np.column_stack([told["loss"], told["val_loss"]]))
    return Autoencoder(rank, seed, _scaled(weights, 0, code), history)


def _one_by_one(train: Callable) -> Callable:
    """Train clustering autoencoders one after the other."""

    def train_each(matrix, starts, centres, split, **settings) -> list:
        pairs = zip(starts, centres, strict=True)
        return [train(matrix, [start], [own], split, **settings)[0] for start, own in pairs]

    return train_each

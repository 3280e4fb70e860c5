"""What the notebooks compute, against one library call after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Entry, Equality, Result, Settings, goal


def prepared_cardholders() -> tuple[Any, Any, np.ndarray]:
    """Return how the embedded cardholders were cleaned, their preparation, and the features."""
    from customer_tables.table import read_table
    from segmentation.cleaning import clean
    from segmentation.dataset import load_dataset
    from segmentation.features import build_features, fit_preparation

    known = load_dataset("credit_card")
    cleaned = clean(read_table(known.source_path).table, known)
    features = build_features(cleaned.customers, known)
    preparation = fit_preparation(features, known.features_with("segment"))
    return cleaned, preparation, features


def load_features(settings: Settings, folder: Path) -> np.ndarray:
    """Prepare the cardholders' features as the notebooks do, shape (rows, d).

    Beyond the 8,950 embedded ones, cardholders are repeated with a little noise.
    """
    import segmentation.alternatives
    import segmentation.stability  # noqa: F401  (what all ways use is loaded)

    _, preparation, features = prepared_cardholders()
    return _some_rows(preparation.transform(features).to_numpy(), settings["rows"])


def _some_rows(matrix: np.ndarray, rows: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    if rows <= len(matrix):
        return matrix[np.sort(rng.permutation(len(matrix))[:rows])]
    more = matrix[rng.integers(0, len(matrix), rows)]
    return more + rng.normal(scale=0.1, size=more.shape)


def _ks(settings: Settings) -> range:
    return range(2, settings["k_max"] + 1)


# --- silhouettes --------------------------------------------------------------------------------


def _load_labelings(settings: Settings, folder: Path) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    from segmentation.kmeans import fit_kmeans

    matrix = load_features(settings, folder)
    return matrix, {k: fit_kmeans(matrix, k, n_init=2).labels for k in _ks(settings)}


def _one_pass(loaded: Any, settings: Settings) -> Result:
    from segmentation.silhouette import silhouettes

    return {"silhouettes": np.array(list(silhouettes(*loaded).values()))}


def _one_call_each(loaded: Any, settings: Settings) -> Result:
    from sklearn.metrics import silhouette_samples

    matrix, labelings = loaded
    scores = [silhouette_samples(matrix, labels) for labels in labelings.values()]
    return {"silhouettes": np.array(scores)}


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


# --- autoencoder --------------------------------------------------------------------------------

PUBLIC = (500, 500, 2000, 10)  # hidden layers and code; Xie et al. 2016, on many public pages
NEEDED = {2: 1.7, 5: 3.0}  # PCA's held-out error over ours, by rank


def _load_scores(settings: Settings, folder: Path) -> tuple[np.ndarray, Any]:
    """All 17 columns as z-scores, amounts logged and gaps filled with the median, and a split."""
    import pandas as pd

    import segmentation.autoencoder  # noqa: F401  (loads TensorFlow)
    from segmentation.dataset import load_dataset
    from segmentation.reduction import split_rows

    table = pd.read_csv(load_dataset("credit_card").source_path).select_dtypes("number")
    table = table.fillna(table.median())
    heavy = table.columns[table.max() > 12]  # neither shares nor months
    table[heavy] = np.log1p(table[heavy])
    scores = _some_rows(((table - table.mean()) / table.std(ddof=0)).to_numpy(), settings["rows"])
    return scores, split_rows(len(scores), 20)


def _over_pca(scores: np.ndarray, split: Any, errors: Mapping[int, float]) -> Result:
    """Return PCA's held-out error over that of a network, by the rank of its code."""
    from sklearn.decomposition import PCA

    seen, held_out = np.delete(scores, split.held_out, axis=0), scores[split.held_out]
    found = {}
    for rank, error in errors.items():
        pca = PCA(rank).fit(seen)
        rebuilt = pca.inverse_transform(pca.transform(held_out))
        found[f"rank {rank}"] = np.square(held_out - rebuilt).mean() / error
    return found


def _side_by_side(loaded: tuple[np.ndarray, Any], settings: Settings) -> Result:
    from segmentation.autoencoder import train_autoencoders

    scores, split = loaded
    held_out = scores[split.held_out]
    trained = train_autoencoders(scores, list(NEEDED), [20], split, epochs=settings["epochs"])
    rebuilt = [model.inverse_transform(model.transform(held_out)) for model in trained]
    errors = [np.square(held_out - rows).mean() for rows in rebuilt]
    return _over_pca(scores, split, dict(zip(NEEDED, errors, strict=True)))


def _public(loaded: tuple[np.ndarray, Any], settings: Settings) -> Result:
    import keras

    scores, split = loaded
    keras.utils.set_random_seed(20)
    *hidden, code = PUBLIC
    widths = [*zip(hidden, ["relu"] * 3, strict=True), (code, None)]
    widths += [*zip(reversed(hidden), ["relu"] * 3, strict=True), (scores.shape[1], None)]
    model = keras.Sequential([keras.layers.Dense(width, kind) for width, kind in widths])
    model.compile("adam", "mse")
    seen, held_out = np.delete(scores, split.held_out, axis=0), scores[split.held_out]
    model.fit(seen, seen, batch_size=128, epochs=settings["public_epochs"], verbose=0)
    error = np.square(held_out - model.predict(held_out, verbose=0)).mean()
    return _over_pca(scores, split, {code: error})


def _against_pca(results: Mapping[str, Result], settings: Settings) -> Equality:
    errors = [
        f"{name} {', '.join(f'{ratio:.2f} at {rank}' for rank, ratio in result.items())}"
        for name, result in results.items()
    ]
    ours = next(iter(results.values())).values()
    enough = all(ratio >= least for ratio, least in zip(ours, NEEDED.values(), strict=True))
    text = f"PCA's held-out error over that of the network: {'; '.join(errors)}"
    return enough or not settings["judged"], text


ENTRIES = (
    Entry(
        name="silhouettes",
        title="Silhouettes of all k",
        ways={
            "one pass over the distances": _one_pass,
            "scikit-learn, one call for each k": _one_call_each,
        },
        sizes={
            "full": ({"rows": 8950, "k_max": 12}, {"rows": 20_000, "k_max": 8}),
            "quick": ({"rows": 3000, "k_max": 8},),
            "tiny": ({"rows": 300, "k_max": 4},),
        },
        load=_load_labelings,
        goals=(goal("scikit-learn, one call for each k", 12.0),),
        rounds=5,
        one_thread=True,
    ),
    Entry(
        name="kmeans",
        title="K-Means for all k",
        ways={
            "starts over the cores, improved by neighbours": _scan_each_seed,
            "scikit-learn, 50 starts for each k": _default_starts,
        },
        sizes={
            "full": (
                {"rows": 8950, "k_max": 12, "our_starts": 5, "their_starts": 50, "seeds": 20},
            ),
            "quick": ({"rows": 3000, "k_max": 8, "our_starts": 5, "their_starts": 50, "seeds": 5},),
            "tiny": ({"rows": 300, "k_max": 3, "our_starts": 4, "their_starts": 5, "seeds": 2},),
        },
        load=load_features,
        equal=_how_often_the_best,
        goals=(goal("scikit-learn, 50 starts for each k", 4.0),),
        one_thread=True,
    ),
    Entry(
        name="stability",
        title="Agreement of bootstrap pairs for all k",
        ways={
            "weights for repeats, fits over the cores": _our_pairs,
            "scikit-learn, one fit after the other": _plain_pairs,
        },
        sizes={
            "full": ({"rows": 8950, "k_max": 12, "pairs": 20, "starts": 4},),
            "quick": ({"rows": 3000, "k_max": 8, "pairs": 4, "starts": 4},),
            "tiny": ({"rows": 300, "k_max": 3, "pairs": 2, "starts": 2},),
        },
        load=load_features,
        goals=(goal("scikit-learn, one fit after the other", 2.5),),
        one_thread=True,
    ),
    Entry(
        name="ward",
        title="Ward's tree",
        ways={"fastcluster, from vectors": _vectors, "scikit-learn": _scikit_learn},
        sizes={
            "full": ({"rows": 8950}, {"rows": 30_000}),
            "quick": ({"rows": 3000},),
            "tiny": ({"rows": 200},),
        },
        load=load_features,
        goals=(goal("scikit-learn", 4.7), goal("scikit-learn", 10.0, "extra_memory")),
        one_thread=True,
    ),
    Entry(
        name="ward-large",
        title="Ward's tree without a sample",
        ways={"fastcluster, from vectors": _vectors},
        sizes={"full": ({"rows": 100_000},), "quick": ({"rows": 20_000},), "tiny": ()},
        load=load_features,
        rounds=1,
        one_thread=True,
    ),
    Entry(
        name="autoencoder",
        title="Autoencoders of ranks 2 and 5",
        ways={"64-64, side by side": _side_by_side, "17-500-500-2000-10, Keras fit": _public},
        sizes={
            "full": ({"rows": 8950, "epochs": 20, "public_epochs": 100, "judged": True},),
            "quick": ({"rows": 3000, "epochs": 20, "public_epochs": 10, "judged": False},),
            "tiny": ({"rows": 200, "epochs": 2, "public_epochs": 1, "judged": False},),
        },
        load=_load_scores,
        equal=_against_pca,
        goals=(goal("17-500-500-2000-10, Keras fit", 10.0),),
        one_thread=True,
    ),
)

"""What the notebooks compute, against one library call after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Entry, Equality, Goal, Result, Settings


def card_features(settings: Settings) -> np.ndarray:
    """Prepare the embedded card holders' features, shape (rows, d), as the notebooks do.

    Beyond the 8,950 embedded ones, card holders are repeated with a little noise.
    """
    from customer_tables.table import read_table
    from segmentation.cleaning import clean
    from segmentation.dataset import DATA_FOLDER, load_dataset
    from segmentation.features import build_features, fit_preparation

    known = load_dataset("credit_card")
    table = read_table(DATA_FOLDER / "credit_card" / "customers.csv").table
    features = build_features(clean(table, known).customers, known)
    prepared = fit_preparation(features, known.features_with("segment")).transform(features)
    return some_rows(prepared.to_numpy(), settings["rows"])


def some_rows(matrix: np.ndarray, rows: int) -> np.ndarray:
    """Draw rows without repeats, or repeat all with noise where more are asked for."""
    rng = np.random.default_rng(3)
    if rows <= len(matrix):
        return matrix[np.sort(rng.permutation(len(matrix))[:rows])]
    more = matrix[rng.integers(0, len(matrix), rows)]
    return more + rng.normal(scale=0.1, size=more.shape)


def load_features(settings: Settings, folder: Path) -> np.ndarray:
    """Prepare the features, with what all ways use loaded."""
    import segmentation.alternatives
    import segmentation.stability  # noqa: F401

    return card_features(settings)


# --- silhouettes --------------------------------------------------------------------------------


Labelled = tuple[np.ndarray, dict[int, np.ndarray]]


def _load_labelings(settings: Settings, folder: Path) -> Labelled:
    from segmentation.kmeans import fit_kmeans

    matrix = card_features(settings)
    ks = range(2, settings["k_max"] + 1)
    return matrix, {k: fit_kmeans(matrix, k, n_init=2).labels for k in ks}


def _one_pass(loaded: Labelled, settings: Settings) -> Result:
    from segmentation.silhouette import macro, mean, silhouettes

    matrix, labelings = loaded
    scores = silhouettes(matrix, labelings)
    return {
        "customers": np.array(list(scores.values())),
        "mean": np.array([mean(score) for score in scores.values()]),
        "macro": np.array([macro(scores[k], labelings[k]) for k in labelings]),
    }


def _one_call_each(loaded: Labelled, settings: Settings) -> Result:
    from sklearn.metrics import silhouette_samples

    matrix, labelings = loaded
    scores = {k: silhouette_samples(matrix, labels) for k, labels in labelings.items()}
    segments = {
        k: [scores[k][labels == segment].mean() for segment in np.unique(labels)]
        for k, labels in labelings.items()
    }
    return {
        "customers": np.array(list(scores.values())),
        "mean": np.array([score.mean() for score in scores.values()]),
        "macro": np.array([np.mean(means) for means in segments.values()]),
    }


def _same_silhouettes(results: Mapping[str, Result], settings: Settings) -> Equality:
    ours, theirs = results.values()
    furthest = max(float(np.abs(ours[key] - theirs[key]).max()) for key in ours)
    return furthest < 1e-9, f"every customer's silhouette equal to {furthest:.0e}"


SILHOUETTES = Entry(
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
    equal=_same_silhouettes,
    goals=(Goal("scikit-learn, one call for each k", 12.0),),
    pinned=("one pass over the distances",),
)


# --- K-Means ------------------------------------------------------------------------------------

NEAR = 1.001  # an inertia within 0.1 % of the best known counts as found


def _scan_each_seed(matrix: np.ndarray, settings: Settings) -> Result:
    from segmentation.kmeans import scan_kmeans

    ks, starts = range(2, settings["k_max"] + 1), settings["our_starts"]
    scans = [scan_kmeans(matrix, ks, n_init=starts, seed=s) for s in range(settings["seeds"])]
    return {"inertia": np.array([[scan[k].inertia for k in ks] for scan in scans])}


def _default_starts(matrix: np.ndarray, settings: Settings) -> Result:
    from sklearn.cluster import KMeans

    ks, starts = range(2, settings["k_max"] + 1), settings["their_starts"]
    return {
        "inertia": np.array(
            [
                [KMeans(k, n_init=starts, random_state=s).fit(matrix).inertia_ for k in ks]
                for s in range(settings["seeds"])
            ]
        )
    }


def _how_often_the_best(results: Mapping[str, Result], settings: Settings) -> Equality:
    best = np.min([result["inertia"].min(axis=0) for result in results.values()], axis=0)
    found = {
        name: float((result["inertia"] <= best * NEAR).all(axis=1).mean())
        for name, result in results.items()
    }
    told = [f"{name} on {share:.0%}" for name, share in found.items()]
    ours = next(iter(found.values()))
    text = f"every k within 0.1 % of the best known inertia, of {settings['seeds']} seeds: "
    return ours >= 0.95, text + "; ".join(told)


KMEANS = Entry(
    name="kmeans",
    title="K-Means for all k",
    ways={
        "starts over the cores, improved by neighbours": _scan_each_seed,
        "scikit-learn, 50 starts for each k": _default_starts,
    },
    sizes={
        "full": ({"rows": 8950, "k_max": 12, "our_starts": 5, "their_starts": 50, "seeds": 20},),
        "quick": ({"rows": 3000, "k_max": 8, "our_starts": 5, "their_starts": 50, "seeds": 5},),
        "tiny": ({"rows": 300, "k_max": 3, "our_starts": 4, "their_starts": 5, "seeds": 2},),
    },
    load=load_features,
    equal=_how_often_the_best,
    goals=(Goal("scikit-learn, 50 starts for each k", 4.0),),
    rounds={"full": 3, "quick": 3, "tiny": 1},
    pinned=("starts over the cores, improved by neighbours",),
)


# --- stability ----------------------------------------------------------------------------------


def _our_pairs(matrix: np.ndarray, settings: Settings) -> Result:
    from segmentation.stability import bootstrap_agreement

    ks = range(2, settings["k_max"] + 1)
    found = bootstrap_agreement(matrix, ks, pairs=settings["pairs"], n_init=settings["starts"])
    return {"agreement": np.array(list(found.values()))}


def _plain_pairs(matrix: np.ndarray, settings: Settings) -> Result:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    samples = bootstrap_rows(len(matrix), 2 * settings["pairs"], 20)
    found = []
    for k in range(2, settings["k_max"] + 1):
        labels = [
            KMeans(k, n_init=settings["starts"], tol=0, random_state=seed)
            .fit(matrix[rows])
            .predict(matrix)
            for rows, seed in samples
        ]
        pairs = zip(labels[::2], labels[1::2], strict=True)
        found.append([adjusted_rand_score(first, second) for first, second in pairs])
    return {"agreement": np.array(found)}


def bootstrap_rows(customers: int, samples: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """Draw the rows of bootstrap samples, in ascending order, each with a seed for its fit."""
    draws = []
    for source in np.random.SeedSequence(seed).spawn(samples):
        rng = np.random.default_rng(source)
        rows = np.sort(rng.integers(0, customers, customers))
        draws.append((rows, int(rng.integers(2**31))))
    return draws


STABILITY = Entry(
    name="stability",
    title="Agreement of bootstrap pairs for all k",
    ways={
        "weights for repeats, fits over the cores": _our_pairs,
        "scikit-learn, one fit after the other": _plain_pairs,
    },
    sizes={
        "full": ({"rows": 8950, "k_max": 12, "pairs": 20, "starts": 8},),
        "quick": ({"rows": 3000, "k_max": 8, "pairs": 4, "starts": 8},),
        "tiny": ({"rows": 300, "k_max": 3, "pairs": 2, "starts": 2},),
    },
    load=load_features,
    goals=(Goal("scikit-learn, one fit after the other", 2.5),),
    rounds={"full": 3, "quick": 3, "tiny": 1},
    pinned=("weights for repeats, fits over the cores",),
)


# --- Ward's tree --------------------------------------------------------------------------------

SEGMENTS = 6


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
            return False, f"segments of {name} differ"
        heights = np.sort(ours["heights"]), np.sort(theirs["heights"])
        furthest = max(furthest, float(np.abs(heights[0] - heights[1]).max() / heights[0][-1]))
    return furthest < 1e-9, f"segments equal, heights to {furthest:.0e} of the highest"


WARD = Entry(
    name="ward",
    title="Ward's tree",
    ways={
        "fastcluster, from vectors": _vectors,
        "scipy": _scipy,
        "scikit-learn": _scikit_learn,
    },
    sizes={
        "full": ({"rows": 8950}, {"rows": 30_000}),
        "quick": ({"rows": 3000},),
        "tiny": ({"rows": 200},),
    },
    load=load_features,
    equal=_same_tree,
    goals=(Goal("scikit-learn", 4.7), Goal("scikit-learn", 10.0, "extra_memory")),
    rounds={"full": 3, "quick": 3, "tiny": 1},
    pinned=("fastcluster, from vectors",),
)

LARGE_WARD = Entry(
    name="ward-large",
    title="Ward's tree without a sample",
    ways={"fastcluster, from vectors": _vectors},
    sizes={
        "full": ({"rows": 100_000},),
        "quick": ({"rows": 20_000},),
        "tiny": ({"rows": 200},),
    },
    load=load_features,
    rounds={"full": 1, "quick": 1, "tiny": 1},
    pinned=("fastcluster, from vectors",),
)


# --- autoencoder --------------------------------------------------------------------------------

PUBLIC = (500, 500, 2000, 10)  # hidden layers and code; Xie et al. 2016, on many public pages
NEEDED = {2: 1.7, 5: 3.0}  # PCA's held-out error over ours, by rank


def _load_scores(settings: Settings, folder: Path) -> tuple[np.ndarray, Any]:
    """All 17 columns as z-scores, shape (rows, 17), gaps filled with the median, and a split."""
    import segmentation.autoencoder  # noqa: F401  (loads TensorFlow)
    from customer_tables.table import read_table
    from reproduce_published import spaces
    from segmentation.cleaning import check_types, index_customers, select_columns
    from segmentation.dataset import DATA_FOLDER, load_dataset
    from segmentation.reduction import split_rows

    known = load_dataset("credit_card")
    reading = read_table(DATA_FOLDER / "credit_card" / "customers.csv")
    raw = index_customers(select_columns(reading.table, known).customers, known).customers
    typed = check_types(raw, known).customers
    numbers = typed[[c.name for c in known.columns if c.is_numeric and c.name in typed]]
    scores = some_rows(spaces(numbers)["log, z-scores"], settings["rows"])
    return scores, split_rows(len(scores), 20)


def _pca_errors(scores: np.ndarray, split: Any) -> np.ndarray:
    from sklearn.decomposition import PCA

    seen = np.concatenate([split.train, split.validation])
    held_out, errors = scores[split.held_out], []
    for rank in NEEDED:
        pca = PCA(rank).fit(scores[seen])
        rebuilt = pca.inverse_transform(pca.transform(held_out))
        errors.append(np.square(held_out - rebuilt).mean())
    return np.array(errors)


def _ours(loaded: tuple[np.ndarray, Any], settings: Settings) -> Result:
    from segmentation.autoencoder import train_autoencoders

    scores, split = loaded
    trained = train_autoencoders(scores, list(NEEDED), [20], split, epochs=settings["epochs"])
    held_out = scores[split.held_out]
    rebuilt = [model.inverse_transform(model.transform(held_out)) for model in trained]
    errors = [np.square(held_out - rows).mean() for rows in rebuilt]
    return {"errors": np.array(errors), "pca": _pca_errors(scores, split)}


def _public(loaded: tuple[np.ndarray, Any], settings: Settings) -> Result:
    import keras

    scores, split = loaded
    keras.utils.set_random_seed(20)
    *hidden, code = PUBLIC
    layers = [keras.layers.Dense(width, "relu") for width in hidden]
    layers += [keras.layers.Dense(code)]
    layers += [keras.layers.Dense(width, "relu") for width in reversed(hidden)]
    model = keras.Sequential(
        [keras.Input((scores.shape[1],)), *layers, keras.layers.Dense(scores.shape[1])]
    )
    model.compile("adam", "mse")
    seen = scores[np.concatenate([split.train, split.validation])]
    model.fit(seen, seen, batch_size=128, epochs=settings["public_epochs"], verbose=0)
    held_out = scores[split.held_out]
    error = np.square(held_out - model.predict(held_out, verbose=0)).mean()
    return {"errors": np.array([error]), "pca": _pca_errors(scores, split)}


def _against_pca(results: Mapping[str, Result], settings: Settings) -> Equality:
    ours, public = results.values()
    ratios = dict(zip(NEEDED, ours["pca"] / ours["errors"], strict=True))
    told = [f"{ratio:.2f} times at rank {rank}" for rank, ratio in ratios.items()]
    error = public["errors"][0]
    text = f"PCA's held-out error is {', '.join(told)} ours; the public net's is {error:.3f} at"
    text += f" rank {PUBLIC[-1]}, ours {ours['errors'][-1]:.3f} at rank {max(NEEDED)}"
    enough = all(ratios[rank] >= needed for rank, needed in NEEDED.items())
    return enough or not settings["judged"], text


AUTOENCODER = Entry(
    name="autoencoder",
    title="Autoencoders of ranks 2 and 5",
    ways={"64-64, side by side": _ours, "17-500-500-2000-10, Keras fit": _public},
    sizes={
        "full": ({"rows": 8950, "epochs": 20, "public_epochs": 100, "judged": True},),
        "quick": ({"rows": 3000, "epochs": 20, "public_epochs": 10, "judged": False},),
        "tiny": ({"rows": 200, "epochs": 2, "public_epochs": 1, "judged": False},),
    },
    load=_load_scores,
    equal=_against_pca,
    goals=(Goal("17-500-500-2000-10, Keras fit", 10.0),),
    rounds={"full": 3, "quick": 3, "tiny": 1},
    pinned=("64-64, side by side",),
)

ENTRIES = (SILHOUETTES, KMEANS, STABILITY, WARD, LARGE_WARD, AUTOENCODER)

"""The scan over k: K-Means, silhouettes and stability, against one library call after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Goal, Result, Settings


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
    return Equality(furthest < 1e-9, f"every customer's silhouette equal to {furthest:.0e}")


SILHOUETTES = Entry(
    name="silhouettes",
    title="Silhouettes of all k",
    contestants=(
        Contestant("one pass over the distances", _one_pass, ONE_THREAD),
        Contestant("scikit-learn, one call for each k", _one_call_each),
    ),
    sizes={
        "full": ({"rows": 8950, "k_max": 12}, {"rows": 20_000, "k_max": 8}),
        "quick": ({"rows": 3000, "k_max": 8},),
        "tiny": ({"rows": 300, "k_max": 4},),
    },
    load=_load_labelings,
    compare=_same_silhouettes,
    goals=(Goal("scikit-learn, one call for each k", 12.0),),
)


# --- K-Means ------------------------------------------------------------------------------------

NEAR = 1.001  # an inertia within 0.1 % of the best known counts as found


def _load_features(settings: Settings, folder: Path) -> np.ndarray:
    import segmentation.stability  # noqa: F401  (loads what all contestants use)

    return card_features(settings)


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
    return Equality(ours >= 0.95, text + "; ".join(told))


KMEANS = Entry(
    name="kmeans",
    title="K-Means for all k",
    contestants=(
        Contestant("starts over the cores, improved by neighbours", _scan_each_seed, ONE_THREAD),
        Contestant("scikit-learn, 50 starts for each k", _default_starts),
    ),
    sizes={
        "full": ({"rows": 8950, "k_max": 12, "our_starts": 5, "their_starts": 50, "seeds": 20},),
        "quick": ({"rows": 3000, "k_max": 8, "our_starts": 5, "their_starts": 50, "seeds": 5},),
        "tiny": ({"rows": 300, "k_max": 3, "our_starts": 4, "their_starts": 5, "seeds": 2},),
    },
    load=_load_features,
    compare=_how_often_the_best,
    goals=(Goal("scikit-learn, 50 starts for each k", 4.0),),
    rounds={"full": 3, "quick": 3, "tiny": 2},
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
    contestants=(
        Contestant("weights for repeats, fits over the cores", _our_pairs, ONE_THREAD),
        Contestant("scikit-learn, one fit after the other", _plain_pairs),
    ),
    sizes={
        "full": ({"rows": 8950, "k_max": 12, "pairs": 20, "starts": 8},),
        "quick": ({"rows": 3000, "k_max": 8, "pairs": 4, "starts": 8},),
        "tiny": ({"rows": 300, "k_max": 3, "pairs": 2, "starts": 2},),
    },
    load=_load_features,
    goals=(Goal("scikit-learn, one fit after the other", 2.5),),
    rounds={"full": 3, "quick": 3, "tiny": 2},
)

ENTRIES = (SILHOUETTES, KMEANS, STABILITY)

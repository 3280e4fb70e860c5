"""How much of the answer depends on choices that could have been made otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, RobustScaler

from segmentation.dataset import Dataset
from segmentation.features import fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.rivals import cut, gaussian_mixture, ward_tree
from segmentation.stability import adjusted_rand

# Steinley (2004), Properties of the Hubert-Arabie adjusted Rand index.
TRANSFORM_NAMES = {"none": "no transform", "log1p": "log1p for all", "yeo-johnson": "Yeo-Johnson"}
AGREEMENT_WORDS = ((0.90, "excellent"), (0.80, "good"), (0.65, "moderate"))


def agreement_word(value: float) -> str:
    """Return Steinley's (2004) word for an adjusted Rand index."""
    return next((word for limit, word in AGREEMENT_WORDS if value >= limit), "poor")


def alternatives(
    features: pd.DataFrame, dataset: Dataset, matrix: pd.DataFrame, k: int, seed: int, starts: int
) -> dict[tuple[str, str], np.ndarray]:
    """Segment the same customers after each of many other defensible choices.

    Returns
    -------
    dict of (choice, alternative) to ndarray, shape (n_customers,)
        Labels from 0, one choice changed at a time.
    """
    chosen = dataset.features_with("segment")
    spaces: dict[tuple[str, str], pd.DataFrame | np.ndarray] = {}
    for transform, name in TRANSFORM_NAMES.items():
        if {feature.transform for feature in chosen} == {transform}:
            continue  # that is the chosen one
        prepared = fit_preparation(features, chosen, transform=transform).transform(features)
        spaces["transform", name] = prepared
    spaces["scaling", "0 to 1"] = MinMaxScaler().fit_transform(matrix)
    spaces["scaling", "median and quartiles"] = _robust(matrix)
    labels = [feature.label or feature.name for feature in chosen]
    for feature, label in zip(chosen, labels, strict=True) if len(chosen) > 2 else ():
        label = f"without {label if labels.count(label) == 1 else feature.name}"
        spaces["features", label] = matrix.drop(columns=feature.name)
    labelings = {
        choice: fit_kmeans(np.asarray(space), k, starts=starts, seed=seed).labels
        for choice, space in spaces.items()
    }
    values = matrix.to_numpy()
    labelings["algorithm", "Ward"] = cut(ward_tree(values), k)
    labelings["algorithm", "Gaussian mixture"] = gaussian_mixture(values, k, seed)
    for other in (seed + 1, seed + 2):
        fit = fit_kmeans(values, k, starts=starts, seed=other)
        labelings["seed", f"seed {other}"] = fit.labels
    return labelings


def _robust(matrix: pd.DataFrame) -> np.ndarray:
    """Scale by median and quartiles; a column whose quartiles coincide keeps its scale."""
    return RobustScaler().fit_transform(matrix)


def agreement_table(
    labels: np.ndarray, labelings: dict[tuple[str, str], np.ndarray]
) -> pd.DataFrame:
    """Tabulate the agreement of each alternative with the chosen segments, lowest first.

    Parameters
    ----------
    labels : ndarray, shape (n_customers,)
        From 0.

    Returns
    -------
    DataFrame
        choice, alternative, ARI and its word.
    """
    rows = [
        (choice, alternative, adjusted_rand(labels, np.unique(other, return_inverse=True)[1]))
        for (choice, alternative), other in labelings.items()
    ]
    table = pd.DataFrame(rows, columns=["choice", "alternative", "ARI"])
    table["agreement"] = [agreement_word(value) for value in table["ARI"]]
    return table.sort_values("ARI", kind="stable").reset_index(drop=True)

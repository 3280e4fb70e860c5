"""Sensitivity of the segments to other defensible choices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, RobustScaler

from customer_tables.errors import UserError
from customer_tables.text import agreement_word
from segmentation.alternatives import cut, gaussian_mixture, ward_tree
from segmentation.dataset import Dataset
from segmentation.features import fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.stability import adjusted_rand

TRANSFORM_NAMES = {"none": "no transform", "log1p": "log1p for all", "yeo-johnson": "Yeo-Johnson"}


def vary_choices(
    features: pd.DataFrame, dataset: Dataset, matrix: pd.DataFrame, k: int, seed: int, n_init: int
) -> tuple[dict[tuple[str, str], np.ndarray], dict[str, str]]:
    """Segment the same customers after each of many other defensible choices.

    Returns
    -------
    labelings : dict of (choice, alternative) to ndarray, shape (n_customers,)
        Labels from 0, one choice changed at a time.
    left_out : dict of str to str
        Alternatives that cannot be computed on this table, and why.
    """
    chosen = dataset.features_with("segment")
    values = matrix.to_numpy()

    def segment(space: pd.DataFrame | np.ndarray, seed: int = seed) -> np.ndarray:
        return fit_kmeans(np.asarray(space), k, n_init=n_init, seed=seed).labels

    def transformed(name: str) -> np.ndarray:
        return segment(fit_preparation(features, chosen, transform=name).transform(features))

    def scaled(scaler: MinMaxScaler | RobustScaler) -> np.ndarray:
        return segment(scaler.fit_transform(matrix))

    trials: dict[tuple[str, str], Callable[[], np.ndarray]] = {}
    for transform, name in TRANSFORM_NAMES.items():
        if {feature.transform for feature in chosen} != {transform}:  # that is the chosen one
            trials["transform", name] = partial(transformed, transform)
    trials["scaling", "min-max scaling (0 to 1)"] = partial(scaled, MinMaxScaler())
    trials["scaling", "robust scaling (median and IQR)"] = partial(scaled, RobustScaler())
    for feature in chosen if len(chosen) > 2 else ():
        label = f"without {feature.label or feature.name}"
        trials["features", label] = partial(segment, matrix.drop(columns=feature.name))
    trials["algorithm", "Ward"] = lambda: cut(ward_tree(values), k)
    trials["algorithm", "Gaussian mixture"] = lambda: gaussian_mixture(values, k, seed)
    for other in (seed + 1, seed + 2):
        trials["seed", f"seed {other}"] = partial(segment, values, other)

    labelings, left_out = {}, {}
    for (choice, name), trial in trials.items():
        try:
            labelings[choice, name] = trial()
        except (UserError, ValueError, np.linalg.LinAlgError) as error:
            reason = error.what if isinstance(error, UserError) else str(error)
            left_out[f"{choice}, {name}"] = " ".join(reason.split())[:200]
    return labelings, left_out


def agreement_table(
    labels: np.ndarray, labelings: dict[tuple[str, str], np.ndarray]
) -> pd.DataFrame:
    """Tabulate the agreement of each alternative with the chosen segments, lowest first.

    Parameters
    ----------
    labels : ndarray, shape (n_customers,)

    Returns
    -------
    DataFrame
        choice, alternative, ARI and its word.
    """
    rows = [
        (choice, alternative, adjusted_rand(labels, other))
        for (choice, alternative), other in labelings.items()
    ]
    table = pd.DataFrame(rows, columns=["choice", "alternative", "ARI"])
    table["agreement"] = [agreement_word(value) for value in table["ARI"]]
    return table.sort_values("ARI", kind="stable").reset_index(drop=True)

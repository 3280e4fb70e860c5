"""How often the rules raise an alarm where nothing has changed: two halves of one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from segmentation.dataset import Dataset
from segmentation.features import fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.model import build_model, dataset_of
from segmentation.monitoring.drift import Drift, compare_scored
from segmentation.scoring import score_typed

MOST = 20_000  # customers that take part: more would make every interval narrower, and all slower


def drift_between_halves(
    customers: pd.DataFrame,
    features: pd.DataFrame,
    as_read: pd.DataFrame,
    dataset: Dataset,
    *,
    fills: dict[str, float],
    k: int,
    seed: int,
    n_init: int = 2,
) -> Drift:
    """Fit segments on one half of the customers, and hold the other half against them.

    Parameters
    ----------
    customers, features, as_read : DataFrame, indexed by customer
        Cleaned customers, their features, and their columns of numbers as they were read.
    fills : dict of str to float
        What fills a gap in each column.
    k : int
    seed : int
        Draws the halves and starts K-Means.
    n_init : int
    """
    order = np.random.default_rng(seed).permutation(len(customers))[:MOST]
    first, second = (customers.index[half] for half in np.array_split(order, 2))
    preparation = fit_preparation(features.loc[first], dataset.features_with("segment"))
    matrix = preparation.transform(features.loc[first]).to_numpy()
    centres = fit_kmeans(matrix, k, n_init=n_init, seed=seed).centres
    entries: list[dict[str, Any]] = [
        {"segment": s, "name": f"segment {s}", "slug": f"segment-{s}"} for s in range(1, k + 1)
    ]
    training = (features.loc[first], as_read.loc[first])
    model = build_model(dataset, fills, preparation, centres, entries, training)
    return compare_scored(model, score_typed(model, dataset_of(model), customers.loc[second]))

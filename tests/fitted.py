"""A model of any table, fitted in a moment, for tests of what is done with models."""

from __future__ import annotations

from typing import Any

import pandas as pd

from segmentation.cleaning import check_types, clean, index_customers, select_columns
from segmentation.dataset import Dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.model import build_model


def fit_model(known: Dataset, table: pd.DataFrame, k: int, name: str = "Kind") -> dict[str, Any]:
    """Return the model of a table as `read_table` gives it, with k segments called Kind 1, ..."""
    cleaned = clean(table, known)
    features = build_features(cleaned.customers, known)
    preparation = fit_preparation(features, known.features_with("segment"))
    fit = fit_kmeans(preparation.transform(features).to_numpy(), k, n_init=2, seed=1)
    entries = [{"segment": s, "name": f"{name} {s}", "slug": f"s-{s}"} for s in range(1, k + 1)]
    as_read = select_columns(table, known).customers
    as_read = check_types(index_customers(as_read, known).customers, known).customers
    numeric = [c.name for c in known.columns if c.is_numeric and c.name in as_read]
    training = (features, as_read[numeric])
    return build_model(known, cleaned.fills, preparation, fit.centres, entries, training)

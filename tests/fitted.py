"""A model of any table, fitted in a moment, for tests of what is done with models."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from customer_tables.storage import write_json
from customer_tables.table import read_table
from segmentation.cleaning import check_types, clean, index_customers, select_columns
from segmentation.dataset import Dataset, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans, scan_kmeans
from segmentation.model import build_model, load_model
from segmentation.scoring import assign_customers
from segmentation.segments import Segments
from segmentation.workspace import Workspace


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


def assert_scored(found: pd.DataFrame, assigned: pd.DataFrame, within: float = 1e-9) -> None:
    """Hold a scored list, indexed by customer, against what `assign_customers` gave."""
    names = assigned.set_index("segment")["segment_name"].drop_duplicates()
    assigned = assigned.loc[found.index]
    for column in ("segment", "second_choice", "segment_name", "outlier"):
        assert (found[column] == assigned[column]).all(), column
    others = found[found["second_choice"].isin(names.index)]  # some may have nobody
    assert (others["second_choice_name"] == others["second_choice"].map(names)).all()
    for column in ("confidence", "distance"):
        assert (found[column].astype(float) - assigned[column]).abs().max() < within, column


@pytest.fixture(scope="session")
def holders(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Everything about the embedded cardholders and a model of them, to be read only."""
    known = load_dataset("credit_card")
    table = read_table(known.source_path).table
    path = tmp_path_factory.mktemp("model") / "model.json"
    write_json(path, fit_model(known, table, 6))
    model = load_model(path)
    customers, assigned = clean(table, known).customers, assign_customers(model, table)
    labels = assigned["segment"].loc[customers.index]
    return SimpleNamespace(**vars() | {"largest": int(labels.value_counts().idxmax())})


NAMES = {1: "First", 2: "Second", 3: "Third", 4: "<b>Fourth</b>"}


@pytest.fixture(scope="session")
def segments(holders, tmp_path_factory) -> Segments:
    """Four segments of some cardholders, and the solutions from 2 to 5."""
    known, customers = holders.known, holders.customers.iloc[::20]
    features = build_features(customers, known)
    matrix = fit_preparation(features, known.features_with("segment")).transform(features)
    fits = scan_kmeans(matrix.to_numpy(), range(2, 6), n_init=2)
    stored = pd.DataFrame({k: fit.labels for k, fit in fits.items()}, index=matrix.index)
    ws = Workspace("06", known, tmp_path_factory.mktemp("run"))
    stability = {str(k): [0.9] * k for k in fits}
    return Segments(ws, customers, features, matrix, fits[4].centres, stored, stability, NAMES)

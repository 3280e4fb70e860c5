"""Tables on their way to segments, and models of them fitted in a moment."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customer_tables.storage import write_json
from customer_tables.table import read_table
from segmentation import profiling
from segmentation.cleaning import check_types, clean, index_customers, select_columns
from segmentation.conditions import Customers, Members
from segmentation.dataset import Dataset, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans, scan_kmeans
from segmentation.model import build_model, load_model
from segmentation.naming import Name, name_segments
from segmentation.scoring import assign_customers
from segmentation.segments import Segments
from segmentation.workspace import Workspace


class Prepared:
    """A table as notebooks 01 and 03 make it: cleaned customers, features, and their matrix."""

    def __init__(self, table: pd.DataFrame, known: Dataset) -> None:
        self.known, self.cleaned = known, clean(table, known)
        self.customers = self.cleaned.customers
        self.features = build_features(self.customers, known)
        self.steps = fit_preparation(self.features, known.features_with("segment"))
        self.matrix = self.steps.transform(self.features)

    @classmethod
    def of(cls, dataset: str | Dataset) -> Prepared:
        """Prepare the table that comes with a dataset."""
        known = load_dataset(dataset) if isinstance(dataset, str) else dataset
        return cls(read_table(known.source_path).table, known)

    @cached_property
    def everybody(self) -> Customers:
        return Customers(self.known, self.customers, self.features)

    @cached_property
    def even(self) -> pd.DataFrame:
        """All features, made comparable."""
        return profiling.standardise_evenly(self.features, list(self.known.features))

    def labels(self, k: int, n_init: int = 10, seed: int = 20, order: Any = slice(None)):
        """Number the segments of the customers, who may come in another order, from 1."""
        matrix = self.matrix.iloc[order]
        found = fit_kmeans(matrix.to_numpy(), k, n_init=n_init, seed=seed).labels + 1
        return pd.Series(found, index=matrix.index).loc[self.matrix.index]

    def members(self, labels: pd.Series) -> Members:
        return Members(self.everybody, labels)

    def named(self, labels: pd.Series) -> dict[int, Name]:
        effects = profiling.effect_sizes(self.even, labels)
        return name_segments(effects, self.known, self.members(labels))

    def names(self, labels: pd.Series) -> pd.Series:
        """Return each customer's segment by its name."""
        return labels.map({segment: entry.name for segment, entry in self.named(labels).items()})


def fit_model(known: Dataset, table: pd.DataFrame, k: int, name: str = "Kind") -> dict[str, Any]:
    """Return the model of a table as `read_table` gives it, with k segments called Kind 1, ..."""
    prepared = Prepared(table, known)
    fit = fit_kmeans(prepared.matrix.to_numpy(), k, n_init=2, seed=1)
    entries = [{"segment": s, "name": f"{name} {s}", "slug": f"s-{s}"} for s in range(1, k + 1)]
    as_read = select_columns(table, known).customers
    as_read = check_types(index_customers(as_read, known).customers, known).customers
    numeric = [c.name for c in known.columns if c.is_numeric and c.name in as_read]
    training = (prepared.features, as_read[numeric])
    return build_model(
        known, prepared.cleaned.fills, prepared.steps, fit.centres, entries, training
    )


def shop_table(rows: int) -> pd.DataFrame:
    """Draw clients of a shop as its file has them, with gaps and values outside the ranges."""
    rng = np.random.default_rng(rows)
    table = pd.DataFrame(
        {
            "client": [f"c{n:04d}" for n in range(rows)],
            "spent": rng.lognormal(3, 1, rows).round(2),
            "visits": rng.poisson(3, rows) * rng.choice([1.0, 200.0], rows, p=[0.95, 0.05]),
            "online": rng.uniform(-0.1, 1.1, rows).round(3),
            "member": rng.choice([0, 1], rows),
        }
    )
    return table.mask(rng.uniform(size=table.shape) < [0, 0.1, 0.1, 0.1, 0])


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
def cardholders() -> Prepared:
    """The embedded cardholders."""
    return Prepared.of("credit_card")


@pytest.fixture(scope="session")
def holders(cardholders, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Everything about the embedded cardholders and a model of them, to be read only."""
    known, customers = cardholders.known, cardholders.customers
    table = read_table(known.source_path).table
    path = tmp_path_factory.mktemp("model") / "model.json"
    write_json(path, fit_model(known, table, 6))
    model = load_model(path)
    assigned = assign_customers(model, table)
    labels = assigned["segment"].loc[customers.index]
    return SimpleNamespace(**vars() | {"largest": int(labels.value_counts().idxmax())})


NAMES = {1: "First", 2: "Second", 3: "Third", 4: "<b>Fourth</b>"}


@pytest.fixture(scope="session")
def segments(cardholders, tmp_path_factory) -> Segments:
    """Four segments of some cardholders, and the solutions from 2 to 5."""
    some = Prepared(
        cardholders.customers.iloc[::20].reset_index(names="customer_id"), cardholders.known
    )
    fits = scan_kmeans(some.matrix.to_numpy(), range(2, 6), n_init=2)
    stored = pd.DataFrame({k: fit.labels for k, fit in fits.items()}, index=some.matrix.index)
    ws = Workspace("06", some.known, tmp_path_factory.mktemp("run"))
    ws.option = "credit_card"
    stability = {str(k): [0.9] * k for k in fits}
    made = (some.customers, some.features, some.matrix, fits[4].centres, stored, stability)
    return Segments(ws, *made, NAMES)

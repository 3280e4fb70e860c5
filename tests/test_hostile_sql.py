"""Names that would break out of a query stay names, in every dialect."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from conftest import HOSTILE_TEXTS
from fitted import fit_model
from sqlglot import exp

from customer_tables.errors import UserError
from segmentation.dataset import build_dataset
from segmentation.scoring import assign_customers
from segmentation.sql import DIALECTS, write_query

NAMES = [
    'a"b',
    "a`b",
    "a'b",
    "a]b[c",
    "a\\",
    'x"; DROP TABLE customers; --',
    "x`; DROP TABLE customers; --",
    "x */ DROP TABLE customers /*",
    "line\nDROP TABLE customers",
    "back\\` slash",
    "back\\' slash",
    "../../x",
    "{{ 7 * 7 }}",
    "naïve 列 \u202e",
    *(text[:120] for text in HOSTILE_TEXTS if "\0" not in text),
]
PAIRS = list(zip(NAMES[::2], NAMES[1::2], strict=False))


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(4)
    spent = np.exp(generator.normal(0, 1, 80) + np.repeat([2, 6], 40))
    visits = generator.poisson(5, 80).astype(float)
    clients = [f"c{i:02d}" for i in range(80)]
    return pd.DataFrame({"client": clients, "spent": spent, "visits": visits})


@pytest.fixture(scope="module")
def model(table):
    columns = {
        "client": {"kind": "id"}, "spent": {"kind": "money"}, "visits": {"kind": "count"},
    }  # fmt: skip
    features = [{"name": name, "formula": name} for name in ("spent", "visits")]
    known = build_dataset({"columns": columns, "features": features}, Path("s/dataset.toml"))
    return fit_model(known, table, 2)


def hostile_model(model, name):
    """Return the model with a hostile text wherever a query takes one from it."""
    named = [dict(entry, name=f"{name} {entry['segment']}") for entry in model["segments"]]
    return model | {"segments": named, "noun": name, "nouns": name, "dataset": name}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_a_hostile_column_stays_one_name(model, dialect, pair):
    spent, client = pair
    columns = {"spent": spent, "client": client}
    text = write_query(hostile_model(model, spent), dialect, table="shop", columns=columns)
    [query] = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert not list(query.find_all(exp.Drop, exp.Command))
    for name in pair:
        if dialect != "bigquery" or "." not in name:  # BigQuery has no such names
            assert name in {column.name for column in query.find_all(exp.Column)}
    literals = {literal.this for literal in query.find_all(exp.Literal) if literal.is_string}
    assert {f"{spent} {s}" for s in (1, 2)} <= literals
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("--")]
    assert lines[: len(head)] == head and lines[len(head)].startswith("WITH ")


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_duckdb_runs_it_on_such_a_table(model, table, pair):
    hostile, columns = (
        hostile_model(model, pair[0]),
        dict(zip(("spent", "client"), pair, strict=True)),
    )
    text = write_query(hostile, "duckdb", table="hostile", columns=columns)
    with duckdb.connect() as connection:
        connection.register("hostile", table.rename(columns=columns))
        found = connection.sql(text).df().set_index("customer").sort_index()
    expected = assign_customers(hostile, table)
    assert found["segment"].tolist() == expected["segment"].tolist()
    assert found["segment_name"].tolist() == expected["segment_name"].tolist()


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_table_stays_one_name_or_is_refused(model, name):
    try:
        text = write_query(model, "duckdb", table=name)
    except UserError as refused:
        assert "no name of a table" in str(refused)
        return
    [query] = sqlglot.parse(text, read="duckdb", error_level=sqlglot.ErrorLevel.RAISE)
    assert not list(query.find_all(exp.Drop, exp.Command))

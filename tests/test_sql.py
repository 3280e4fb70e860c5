"""The model as SQL: the same labels as Python's, wherever it runs, whatever names there are."""

import io
import math
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from fitted import assert_scored, fit_model
from planted import TEXTS as HOSTILE_TEXTS
from sqlglot import exp

import export_sql
from customer_tables.errors import UserError
from customer_tables.storage import write_json
from segmentation.dataset import build_dataset
from segmentation.scoring import assign_customers
from segmentation.sql import DIALECTS, write_query

SHOP = {
    "columns": {
        "client": {"kind": "id"},
        "spent": {"kind": "money"},
        "order": {"kind": "count", "valid": [0, 400], "outside": "clip"},
        "online": {"kind": "share", "valid": [0, 1], "outside": "missing", "missing": "zero"},
        "change": {"kind": "number", "valid": [-12, math.inf], "outside": "clip"},
        "member": {"kind": "yes_no"},
        "since": {"kind": "number", "before": "2024-06-30"},
    },
    "rules": [
        {"name": "none", "when": "order == 0 and not change > 0", "column": "spent", "fill": 0.0},
        {"name": "check", "check": "order > 0 or spent == 0"},
        {"name": "members", "when": "member or order >= 9", "column": "change", "fill": -1.5},
    ],
    "features": [
        {"name": "spent", "formula": "spent", "transform": "log1p"},
        {"name": "ticket", "formula": "ratio(spent, order)", "transform": "log1p"},
        {"name": "mixed", "formula": "-change / (2 + abs(change)) - 3 * (1 - 2) * member"},
        {"name": "change", "formula": "change", "transform": "yeo-johnson"},
        {"name": "largest", "formula": "max(order, 2, min(change, 1)) + log1p(order) - online"},
        {"name": "often", "formula": "(order > 5) + (member == 1)"},
        {"name": "group", "formula": "order - (order - (change - 1)) / 4"},
        {"name": "since", "formula": "since"},
        {"name": "regular", "formula": "not (order > 3 and member)"},
    ],
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(4)
    n = 3000
    order = rng.poisson(rng.choice([1, 8, 30], n)).astype(float)
    spent = np.where(order > 0, rng.lognormal(3, 1, n) * order, np.nan)
    columns = {"client": [f"c{i:05d}" for i in range(n)], "spent": spent, "order": order}
    columns |= {"online": rng.normal(0.5, 0.4, n), "change": rng.normal(0, 5, n)}
    table = pd.DataFrame(columns | {"member": rng.random(n) < 0.4})
    for name in ("spent", "order", "online", "change"):
        table.loc[rng.random(n) < 0.05, name] = np.nan
    hours = pd.to_timedelta(rng.integers(-900, 30_000, n), "h")
    table["since"] = pd.Series(pd.Timestamp("2024-06-30") - hours).mask(rng.random(n) < 0.05)
    table.loc[3, "order"], table.loc[4, "order"] = 5000, -3
    table.loc[5, "change"], table.loc[6, "spent"] = np.inf, -np.inf
    return table


@pytest.fixture(scope="module")
def model(table):
    return fit_model(build_dataset(SHOP, Path("s/dataset.toml")), table, 5, "Bob's")


def ask(query, **tables):
    with duckdb.connect() as connection:
        for name, frame in tables.items():
            connection.register(name, frame)
        return connection.sql(query).df()


def assert_equal(found, expected):
    found = found.set_index("customer").sort_index()
    assert found.index.tolist() == expected.index.tolist()
    assert_scored(found, expected)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_means_what_python_computes(model, table, dialect):
    text = write_query(model, dialect)
    [query] = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    columns = "segment segment_name second_choice second_choice_name confidence distance outlier"
    assert query.named_selects == ["customer", *columns.split()]
    assert max(map(len, text.splitlines())) < 300
    assert sqlglot.parse_one(query.sql(dialect, pretty=True), read=dialect) == query
    assert '"order"' in text or "`order`" in text  # a word of SQL
    back = sqlglot.transpile(text, read=dialect, write="duckdb")[0]
    found = ask(text if dialect == "duckdb" else back, customers=table.sample(frac=1))
    assert_equal(found, assign_customers(model, table))
    assert found["segment"].nunique() == 5


def test_who_cannot_be_computed_has_no_segment(make_shop, shop_content):
    features = [{"name": n, "formula": f} for n, f in (("a", "1 / spent"), ("b", "visits"))]
    shop = make_shop(features=features, archetypes=[], value={}, rules=[])
    values = np.arange(1.0, 61)
    table = pd.DataFrame({"client": values.astype(str), "spent": values, "visits": values[::-1]})
    model = fit_model(shop, table.assign(online=0.0), 2)
    table.loc[7, "spent"] = 0
    found = ask(write_query(model, "duckdb"), customers=table).set_index("customer")
    unknown = found[found["segment"].isna()]
    assert list(unknown.index) == ["8.0"]
    assert unknown.isna().all(axis=None)


def test_the_command_writes_one_file_for_each_dialect(model, tmp_path, capsys):
    write_json(tmp_path / "model.json", model)
    command = ["--model", str(tmp_path / "model.json"), "--output", str(tmp_path / "sql")]
    assert export_sql.main(command) == 0
    written = sorted(path.name for path in (tmp_path / "sql").iterdir())
    assert written == sorted(f"model.{dialect}.sql" for dialect in DIALECTS)
    for more in (["--dialect", "oracle"], ["--column", "x"], ["--column", "x=y"]):
        assert export_sql.main([*command, *more]) == 2
        told = capsys.readouterr().err
        assert more[1][0] in told and len(told.strip().splitlines()) <= 3


NAMES = [
    "a\"b`c'd]e[f\\",
    'x"; DROP TABLE customers; --',
    "x`; DROP TABLE customers; --",
    "x'); DROP TABLE customers; --\n SELECT 1",
    "x */ DROP TABLE customers /*",
    "line\nDROP TABLE customers",
    "back\\` slash",
    "back\\' slash",
    "{{ 7 * 7 }}",
    "naïve 列 \u202e",
    *(text[:120] for text in HOSTILE_TEXTS if "\0" not in text),
]


@pytest.fixture(scope="module")
def few(table):
    return table.loc[:79, ["client", "spent", "order"]].fillna(1.0)


@pytest.fixture(scope="module")
def small(few):
    columns = {name: SHOP["columns"][name] for name in few}
    features = [{"name": name, "formula": name} for name in ("spent", "order")]
    known = build_dataset({"columns": columns, "features": features}, Path("s/dataset.toml"))
    return fit_model(known, few, 3)


def parsed(text, dialect):
    [query] = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert not list(query.find_all(exp.Drop, exp.Command))
    return query


@pytest.mark.parametrize("place", range(0, len(NAMES), 3))
def test_a_hostile_name_stays_one_name(small, few, place):
    three = [NAMES[(place + i) % len(NAMES)] for i in range(3)]
    entries = zip(small["segments"], three, strict=True)
    named = [dict(entry, name=f"{name} {entry['segment']}") for entry, name in entries]
    hostile = (
        small | {"segments": named} | dict(zip(("noun", "nouns", "dataset"), three, strict=True))
    )
    columns = dict(zip(few, three, strict=True))
    for dialect in DIALECTS:
        text = write_query(hostile, dialect, table="shop", columns=columns)
        query = parsed(text, dialect)
        if dialect != "bigquery" or "." not in "".join(columns.values()):  # it has no such names
            assert set(columns.values()) <= {column.name for column in query.find_all(exp.Column)}
        literals = {literal.this for literal in query.find_all(exp.Literal) if literal.is_string}
        assert {entry["name"] for entry in named} <= literals
        lines = text.splitlines()
        head = [line for line in lines if line.startswith("--")]
        assert lines[: len(head)] == head and lines[len(head)].startswith("WITH ")
        assert "--column NAME=COLUMN" in head[-1]
    text = write_query(hostile, "duckdb", table="shop", columns=columns)
    assert_equal(ask(text, shop=few.rename(columns=columns)), assign_customers(hostile, few))
    for name in three:
        try:
            parsed(write_query(small, "duckdb", table=name), "duckdb")
        except UserError as refused:
            assert "no name of a table" in str(refused)


@pytest.mark.slow
def test_postgresql_gives_the_labels_of_python(postgres, model, table):
    kinds = dict.fromkeys(table, "double precision")
    kinds |= {"client": "text", "order": "integer", "member": "boolean", "since": "timestamp"}
    columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    rows = table.astype({"order": "Int64"}).to_csv(index=False)
    script = "DROP TABLE IF EXISTS customers CASCADE;\n"
    script += f"CREATE TABLE customers ({columns});\n"
    script += "COPY customers FROM STDIN (FORMAT csv, HEADER);"
    answer = postgres.ask(f"{script}\n{rows}\\.\n{write_query(model, 'postgres')}")
    found = pd.read_csv(io.StringIO(answer), true_values=["t"], false_values=["f"])
    assert_equal(found, assign_customers(model, table))

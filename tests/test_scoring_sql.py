"""The model as SQL: the same labels as Python's, wherever it runs."""

import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from fitted import fit_model
from machine import postgresql

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from customer_tables.table import read_table
from scoring import sql_command
from segmentation.dataset import build_dataset, load_dataset
from segmentation.scoring import assign_customers
from segmentation.sql import DIALECTS, write_query

SHOP = {
    "columns": {
        "client": {"kind": "id"},
        "spent": {"kind": "money"},
        "order": {"kind": "count", "valid": [0, 400], "outside": "clip"},
        "online share": {"kind": "share", "valid": [0, 1], "outside": "missing", "missing": "zero"},
        "change": {"kind": "number"},
        "member": {"kind": "yes_no"},
    },
    "rules": [
        {"name": "none", "when": "order == 0 and not change > 0", "column": "spent", "fill": 0.0},
        {"name": "check", "check": "order > 0 or spent == 0"},
        {"name": "members", "when": "member or order >= 9", "column": "change", "fill": -1.5},
    ],
}
FEATURES = [
    {"name": "spent", "formula": "spent", "transform": "log1p"},
    {"name": "ticket", "formula": "ratio(spent, order)", "transform": "log1p"},
    {"name": "mixed", "formula": "-change / (2 + abs(change)) - 3 * (1 - 2) * member"},
    {"name": "change", "formula": "change", "transform": "yeo-johnson"},
    {"name": "largest", "formula": "max(order, 2, min(change, 1)) + log1p(order)"},
    {"name": "often", "formula": "(order > 5) + (member == 1)"},
    {"name": "group", "formula": "order - (order - (change - 1)) / 4", "transform": "yeo-johnson"},
]


@pytest.fixture(scope="module")
def shop():
    columns = SHOP["columns"].copy()
    columns.pop("online share")  # formulas cannot name it
    return build_dataset({**SHOP, "columns": columns, "features": FEATURES}, Path("s/dataset.toml"))


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(4)
    n = 3000
    order = rng.poisson(rng.choice([1, 8, 30], n)).astype(float)
    spent = np.where(order > 0, rng.lognormal(3, 1, n) * order, np.nan)
    change = rng.normal(0, 5, n)
    table = pd.DataFrame(
        {"client": [f"c{i:05d}" for i in range(n)], "spent": spent, "order": order,
         "change": change, "member": rng.random(n) < 0.4}
    )  # fmt: skip
    for name in ("spent", "order", "change"):
        table.loc[rng.random(n) < 0.05, name] = np.nan
    table.loc[3, "order"], table.loc[4, "order"] = 5000, -3
    return table


@pytest.fixture(scope="module")
def model(shop, table):
    return fit_model(shop, table, 5, "Bob's")


def assert_equal(found, expected):
    found = found.set_index("customer").sort_index()
    assert found.index.tolist() == expected.index.tolist()
    for column in ("segment", "second_choice", "segment_name"):
        assert (found[column] == expected[column]).all()
    assert (found["stranger"].astype(bool) == expected["stranger"]).all()
    names = expected.set_index("segment")["segment_name"].drop_duplicates()
    assert (found["second_choice_name"] == found["second_choice"].map(names)).all()
    for column in ("confidence", "distance"):
        gap = (found[column].astype(float) - expected[column]).abs().max()
        assert gap < 1e-9


def test_duckdb_gives_the_labels_of_python(model, table):
    customers = table.sample(frac=1, random_state=1)  # noqa: F841  (read by the query)
    found = duckdb.sql(write_query(model, "duckdb")).df()
    assert_equal(found, assign_customers(model, table))
    assert found["segment"].nunique() == 5


def test_duckdb_gives_the_segments_of_the_card_holders(card_model):
    model, source = card_model
    query = write_query(model, "duckdb", table="holders", columns={"customer_id": "CUST_ID"})
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE holders AS FROM read_csv(?)", [str(source)])
        found = connection.sql(query).df()
    assert_equal(found, assign_customers(model, read_table(source).table))


@pytest.fixture(scope="module")
def card_model():
    known = load_dataset("credit_card")
    return fit_model(known, read_table(known.source_path).table, 6), known.source_path


def test_who_cannot_be_computed_has_no_segment(model, table):
    customers = table.head(2).assign(member=[True, None])  # noqa: F841  (read by the query)
    found = duckdb.sql(write_query(model, "duckdb")).df().set_index("customer")
    assert found["segment"].notna().tolist() == [True, True]
    customers = table.head(2).assign(change=[np.inf, np.nan])
    found = duckdb.sql(write_query(model, "duckdb")).df()
    assert_equal(found, assign_customers(model, customers))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_parsed_back(model, dialect):
    text = write_query(model, dialect)
    [query] = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert query.named_selects == [
        "customer", "segment", "segment_name", "second_choice", "second_choice_name",
        "confidence", "distance", "stranger",
    ]  # fmt: skip
    assert max(map(len, text.splitlines())) < 300
    again = query.sql(dialect, pretty=True)
    assert sqlglot.parse_one(again, read=dialect) == query
    if dialect != "duckdb":  # back in DuckDB's words it has to be the same computation
        numbers = sorted(node.this for node in query.find_all(sqlglot.exp.Literal))
        original = sqlglot.parse_one(write_query(model, "duckdb"), read="duckdb")
        assert numbers == sorted(node.this for node in original.find_all(sqlglot.exp.Literal))


@pytest.mark.parametrize("dialect", ["postgres", "spark", "bigquery", "snowflake"])
def test_other_dialects_mean_the_same(model, table, dialect):
    """What another dialect says is translated back and run."""
    text = write_query(model, dialect)
    back = sqlglot.transpile(text, read=dialect, write="duckdb")[0]
    customers = table  # noqa: F841  (read by the query)
    assert_equal(duckdb.sql(back).df(), assign_customers(model, table))


def test_words_of_sql_and_quotes_are_quoted(model):
    for dialect in DIALECTS:
        text = write_query(model, dialect)
        assert '"order"' in text or "`order`" in text
        assert "Bob''s 1" in text or "Bob\\'s 1" in text


def test_a_hostile_name_stays_a_text(model):
    hostile = "x'); DROP TABLE customers; --\n SELECT 1"
    names = [dict(entry, name=hostile) for entry in model["segments"]]
    text = write_query(model | {"segments": names, "nouns": hostile}, "duckdb", table="customers")
    assert len(sqlglot.parse(text, read="duckdb")) == 1
    assert "\n SELECT 1" not in text.split("WITH source")[0]


def test_unknown_names_are_refused(model):
    with pytest.raises(UserError, match="dialect"):
        write_query(model, "oracle")
    with pytest.raises(UserError, match="no column 'x'"):
        write_query(model, "duckdb", columns={"x": "y"})


def test_the_command_writes_one_file_for_each_dialect(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    write_json(tmp_path / "model.json", model)
    command = ["--model", str(tmp_path / "model.json"), "--output", str(tmp_path / "sql")]
    assert sql_command.main(Path("export_sql.py"), command) == 0
    written = sorted(path.name for path in (tmp_path / "sql").iterdir())
    assert written == sorted(f"model.{dialect}.sql" for dialect in DIALECTS)
    for more in (["--dialect", "oracle"], ["--column", "x"], ["--column", "x=y"]):
        assert sql_command.main(Path("export_sql.py"), [*command, *more]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) <= 3


# --- a real PostgreSQL, where one is installed ---------------------------------------------------


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A server of our own, reached through a socket in its folder."""
    programs = postgresql()
    folder = tmp_path_factory.mktemp("postgres")
    as_user = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # the server refuses to run as root
        if not shutil.which("runuser"):
            pytest.skip("needs an ordinary user for PostgreSQL")
        as_user = ["runuser", "-u", "nobody", "--"]
        for path in (folder, *folder.parents):
            if path.owner() == "root" and path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(path.stat().st_mode | 0o011)
        shutil.chown(folder, "nobody")
    run = {"check": True, "capture_output": True, "text": True, "cwd": folder}
    data, log = folder / "data", folder / "log"
    initdb = [programs / "initdb", "-D", data, "-U", "test", "--auth=trust", "-E", "UTF8", "-N"]
    start = [programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o",
             f"-c listen_addresses= -c unix_socket_directories={folder} -F", "start"]  # fmt: skip
    try:
        subprocess.run([*as_user, *initdb], **run)
        subprocess.run([*as_user, *start], **run)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.fail(
            f"PostgreSQL is installed and does not start: {getattr(error, 'stderr', error)}"
        )

    def query(text: str) -> str:
        command = ["psql", "-h", str(folder), "-U", "test", "-d", "postgres", "-qX", "--csv",
                   "-v", "ON_ERROR_STOP=1", "-f", "-"]  # fmt: skip
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield query
    subprocess.run([*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)


@pytest.mark.slow
def test_postgresql_gives_the_labels_of_python(postgres, model, table):
    import io

    kinds = {"client": "text", "spent": "double precision", "order": "integer",
             "change": "double precision", "member": "boolean"}  # fmt: skip
    columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    rows = table.astype({"order": "Int64"}).to_csv(index=False)
    script = f"CREATE TABLE customers ({columns});\nCOPY customers FROM STDIN (FORMAT csv, HEADER);"
    answer = postgres(f"{script}\n{rows}\\.\n{write_query(model, 'postgres')}")
    found = pd.read_csv(io.StringIO(answer), true_values=["t"], false_values=["f"])
    assert_equal(found, assign_customers(model, table))

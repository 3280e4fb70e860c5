"""Tables of databases: read with their types, refused in three lines, written back whole."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import score as command
from customer_tables import database
from customer_tables.errors import UserError
from customer_tables.table import read_table
from runner.command import parse
from segmentation.scoring import assign_customers
from segmentation.stages import SERIES

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = "s3cr3t-wörd"
MAKE = """
CREATE TABLE customers (
    id text, orders integer, spent numeric(12, 2), share double precision, joined date,
    seen timestamp{zone}, remark text
);
INSERT INTO customers VALUES
    ('00123', 3, 12.50, 0.5, '2024-01-31', '2024-02-01 12:00:00{offset}', 'a: b%'),
    ('NA', NULL, 1000, NULL, NULL, NULL, NULL),
    ('É=1', 9007199254740993, 0.10, 1, '2024-02-29', '2024-02-01 00:30:00{offset}', '');
CREATE VIEW "Many Orders" AS SELECT * FROM customers WHERE orders > 3;
CREATE TABLE empty (id text, spent double precision);
"""


@pytest.fixture(params=["sqlite", "duckdb", pytest.param("postgresql", marks=pytest.mark.slow)])
def shop(request, tmp_path):
    """The address of a database with a small shop, and a function that asks it."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        server.ask("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
        text = MAKE.replace("orders integer", "orders bigint")
        server.ask(text.format(zone=" with time zone", offset="+02"))
        address = f"postgresql://test@/postgres?host={server.folder}"
        return address, lambda text: server.ask(f"{text};").splitlines()[1:]
    path = tmp_path / "my shop.db"
    if request.param == "sqlite":
        with sqlite3.connect(path) as made:
            made.executescript(MAKE.format(zone="", offset=""))

        def ask(text):
            with sqlite3.connect(path) as connection:
                return [",".join(map(str, row)) for row in connection.execute(text)]
    else:
        with duckdb.connect(str(path)) as made:
            text = MAKE.replace("orders integer", "orders bigint")
            made.execute(text.format(zone=" with time zone", offset="+02"))

        def ask(text):
            with duckdb.connect(str(path)) as connection:
                return [",".join(map(str, row)) for row in connection.sql(text).fetchall()]

    return f"{request.param}:///{path}", ask


def read(address, tmp_path, **what):
    target = tmp_path / "read.parquet"
    try:
        database.fetch(address, target, **what)
        return pd.read_parquet(target)
    finally:
        target.unlink(missing_ok=True)


@pytest.mark.parametrize("rows", [1, 2, 50_000])
def test_types_are_kept_in_parts_of_any_size(shop, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(database, "ROWS", rows)
    found = read(shop[0], tmp_path, table="customers")
    assert list(found["id"]) == ["00123", "NA", "É=1"]
    assert found["orders"].dropna().tolist()[0] == 3
    assert list(found["spent"].astype(float)) == [12.5, 1000, 0.1]
    assert found["share"].isna().tolist() == [False, True, False]
    assert pd.to_datetime(found["joined"]).dt.day.dropna().tolist() == [31, 29]
    assert found["remark"].fillna("none").tolist() == ["a: b%", "none", ""]
    hours = {"sqlite": 12}.get(shop[0].partition(":")[0], 10)  # two hours east of UTC
    assert pd.to_datetime(found["seen"])[0].hour == hours


def test_queries_and_views(shop, tmp_path):
    query = "SELECT id AS who, spent FROM customers WHERE remark LIKE 'a: %' AND ':x' = ':x'"
    assert read(shop[0], tmp_path, query=query).to_dict("list") == {
        "who": ["00123"],
        "spent": [12.5],
    }
    assert list(read(shop[0], tmp_path, table="Many Orders")["id"]) == ["É=1"]


@pytest.mark.parametrize("shop", ["sqlite", "duckdb"], indirect=True)
def test_a_database_given_as_a_file_is_refused_with_the_way_to_read_it(shop, tmp_path):
    scheme, _, path = shop[0].partition(":///")
    with pytest.raises(UserError) as refused:
        read_table(Path(path))
    found = re.fullmatch(r"--input (\w+):///FILE --table NAME reads it", refused.value.remedy)
    assert found[1] == scheme
    assert len(read(f"{found[1]}:///{path}", tmp_path, table="customers")) == 3


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"table": "custmers"}, "customers"),
        ({"table": "empty"}, "it has no rows"),
        ({"query": "SELECT * FROM customers WHERE orders < 0"}, "it has no rows"),
        ({"query": "SELEC 1"}, "SELEC"),
        ({"query": "DELETE FROM customers"}, ""),
        ({"query": "SELECT id, spent AS id FROM customers"}, "id"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_is_changed(shop, tmp_path, what, told):
    address, ask = shop
    if "AS id" in str(what) and address.startswith("duckdb"):
        pytest.skip("DuckDB numbers names that repeat")
    with pytest.raises(UserError) as caught:
        read(address, tmp_path, **what)
    assert told in str(caught.value) and len(str(caught.value).splitlines()) == 3
    assert ask("SELECT count(*) FROM customers") == ["3"]


@pytest.mark.slow
def test_a_server_refuses_or_goes_away(postgres, tmp_path, monkeypatch):
    folder = postgres.folder
    postgres.ask(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP ROLE IF EXISTS ann;"
        f"CREATE ROLE ann LOGIN PASSWORD '{HIDDEN}'; CREATE TABLE secret (a integer);"
        "CREATE TABLE public.open (id text, tags text[], spent numeric);"
        "INSERT INTO public.open VALUES ('1', '{x}', 'NaN'), ('2', NULL, 5);"
        "GRANT USAGE ON SCHEMA public TO ann; GRANT SELECT ON public.open TO ann;"
    )
    ann = f"postgresql://ann@/postgres?host={folder}"

    def refusal(address, **what):
        with pytest.raises(UserError) as caught:
            read(address, tmp_path, **what)
        assert HIDDEN not in str(caught.value) and len(str(caught.value).splitlines()) == 3
        return str(caught.value)

    assert database.VARIABLE in refusal(ann, table="open")
    monkeypatch.setenv(database.VARIABLE, "wrong")
    assert "check host, user and password" in refusal(ann, table="open")
    monkeypatch.setenv(database.VARIABLE, HIDDEN)
    found = read(ann, tmp_path, table="public.open")
    assert found["spent"].isna().tolist() == [True, False] and found["tags"][0] == "['x']"
    assert "permission denied" in refusal(ann, table="secret")
    refusal("postgresql://test@/postgres?host=" + str(folder), query="DROP TABLE secret")
    assert postgres.ask("SELECT count(*) FROM secret").split() == ["count", "0"]
    ended = "SELECT pg_terminate_backend(pg_backend_pid())"
    assert "connection" in refusal(ann, query=ended)
    assert "check host" in refusal("postgresql://ann@127.0.0.1:9/postgres", table="open")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--input", f"postgresql://ann:{HIDDEN}@h/shop", "--table", "a"], "holds a password"),
        (["--input", f"postgresql://h/shop?password={HIDDEN}", "--table", "a"], "holds a password"),
        (["--input", "sqlite:///shop.db"], "add --table NAME or --query SQL"),
        (["--input", "sqlite:///shop.db", "--table", "a", "--query", "b"], "one of them"),
        (["--input", "shop.csv", "--table", "a"], "read from a database"),
        (["--query", "SELECT 1"], "read from a database"),
    ],
)
def test_arguments_that_do_not_belong_together(argv, told):
    with pytest.raises(UserError) as caught:
        parse(argv, SERIES)
    assert told in str(caught.value) and HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["sqlite:///{}/none.db", "duckdb:///{}/none.db", "oracle://h/a"]
)
def test_a_database_that_is_not_there(tmp_path, address):
    with pytest.raises(UserError, match="no file 'none.db'|no driver for 'oracle'"):
        read(address.format(tmp_path), tmp_path, table="a")
    assert list(tmp_path.iterdir()) == []


def test_segments_are_written_back_whole_or_not_at_all(shop, holders, tmp_path, monkeypatch):
    address, ask = shop
    read_from = f"sqlite:///{tmp_path / 'holders.db'}"
    argv = f"--model {holders.path} --table holders --output-table scored".split()
    argv += ["--input", read_from, "--output", address]
    for table in (holders.table.assign(CUST_ID=range(len(holders.table))), holders.table):
        with sqlite3.connect(tmp_path / "holders.db") as made:
            table.to_sql("holders", made, index=False, if_exists="replace")
        assert command.main(argv) == 0
        scored = read(address, tmp_path, table="scored")["CUST_ID"]  # name and type, for a join
        assert sorted(scored) == sorted(table["CUST_ID"])
    expected = assign_customers(holders.model, holders.table)
    totals = "SELECT segment, count(*) FROM scored GROUP BY segment ORDER BY segment"
    counted = [f"{s},{n}" for s, n in expected["segment"].value_counts().sort_index().items()]
    assert ask(totals) == counted
    assert command.main(argv) == 0 and ask(totals) == counted
    argv[argv.index("scored")] = "customers"
    assert command.main(argv) == 2  # it holds something else
    assert ask("SELECT count(*) FROM customers") == ["3"]

    def breaks(frame, *args, **options):
        if options["if_exists"] == "append":
            raise OSError("the line is cut")
        return to_sql(frame, *args, **options)

    to_sql = pd.DataFrame.to_sql
    monkeypatch.setattr(pd.DataFrame, "to_sql", breaks)
    argv[argv.index("customers")] = "scored"
    if not address.startswith("duckdb"):  # there it is one statement
        with pytest.raises(OSError, match="cut"):
            command.main(argv)
    assert ask(totals) == counted


def test_a_password_in_the_address_ends_the_command(tmp_path):
    place = f"postgresql://ann:{HIDDEN}@h/shop"
    words = [sys.executable, ROOT / "scripts" / "run.py", "--input", place, "--table", "a"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 2 and HIDDEN not in done.stdout + done.stderr


def test_a_refused_table_leaves_three_lines_and_nothing_else(shop):
    address, _ = shop
    words = [sys.executable, ROOT / "scripts" / "run.py", "--input", address, "--table", "empty"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 3, done.stderr

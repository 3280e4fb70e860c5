"""Spark: the same customers, samples and segments as on this machine, or a short refusal."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from fitted import fit_model

from customer_tables.duckdb_files import Options, open_duckdb, open_file, rows_of
from customer_tables.errors import UserError
from customer_tables.source import Source
from customer_tables.storage import write_json
from customer_tables.table import read_table
from customer_tables.transactions import aggregate, aggregate_lines, create_lines
from runner import command as run_command
from runner import pipeline
from segmentation.dataset import load_dataset
from segmentation.scoring import assign_customers
from segmentation.sql import write_query
from spark_engine import command, series, session
from spark_engine.dialect import to_spark
from spark_engine.sampling import STRATA, allocate, draw_sample

SHOP = Source(
    grain="transaction", customer="Customer ID", time="When", quantity="Quantity", price="Price",
    order="Invoice", product="Code", category="Group", discount="Rate", coupon="Coupon",
    own_brand="Brand = Own",
)  # fmt: skip
SMALL = {"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "2g"}


def invoices(rows: int = 6000) -> pd.DataFrame:
    """Make lines with all that the rules know: returns, cancelled orders, gaps, odd identifiers."""
    rng = np.random.default_rng(8)
    order = np.sort(rng.integers(0, rows // 4, rows))
    at = pd.Timestamp("2023-01-01") + pd.to_timedelta(
        np.sort(rng.integers(0, 400 * 86400, rows // 4)), unit="s"
    )
    customer = rng.integers(100, 360, rows // 4)[order].astype(float)
    customer[rng.random(rows) < 0.03] = np.nan
    price = rng.integers(1, 5000, rows) / 100
    table = pd.DataFrame(
        {
            "Customer ID": pd.Series(customer).map(lambda c: f"{c:.1f}" if c == c else ""),
            "Invoice": [f"{'' if o % 23 else 'C'}{700000 + o}" for o in order],
            "When": at[order].strftime("%d/%m/%Y %H:%M"),
            "Quantity": np.where(rng.random(rows) < 0.04, -1, rng.integers(1, 12, rows)),
            "Price": [f"£{p:,.2f}" for p in price],
            "Code": rng.integers(0, 80, rows),
            "Group": rng.choice(["Fruit & Veg", "fruit veg", "Tea's", "null", "水果"], rows),
            "Rate": rng.choice([0, 0, 0.1, 0.25], rows),
            "Coupon": np.where(rng.random(rows) < 0.1, 1.5, 0),
            "Brand": rng.choice(["Own", "Other"], rows),
        }
    )
    table.loc[5, "When"] = "soon"
    table.loc[6, "Price"] = "?"
    table.loc[7, "Customer ID"] = "Ω 9 "
    return table


def assert_same_customers(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    found = found.sort_values("customer_id", ignore_index=True)
    assert list(found) == list(expected)
    assert found["customer_id"].tolist() == expected["customer_id"].tolist()
    gap = (found.drop(columns="customer_id") - expected.drop(columns="customer_id")).abs()
    scale = expected.drop(columns="customer_id").abs().clip(lower=1)
    assert (gap / scale).max().max() < 1e-9
    assert found.isna().equals(expected.isna())


# --- without Spark --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (r"SELECT regexp_full_match(x, 'C?\d+')", r"SELECT x RLIKE '\\A(?:C?\\d+)\\z'"),
        (r"SELECT regexp_replace(x, '^(\d{3,})\.0$', '\1')",
         r"SELECT REGEXP_REPLACE(x, '^(\\d{3,})\\.0\\z', '$1')"),
        (r"SELECT regexp_replace(x, '[\s$€£]', '', 'g')",
         r"SELECT REGEXP_REPLACE(x, '[\\s$€£]', '')"),
        ("SELECT isodow(x)", "SELECT WEEKDAY(x) + 1"),
        ("SELECT try_strptime(x, '%Y%m%d')", "SELECT coalesce(try_to_timestamp(x, 'yyyyMMdd'))"),
        ("SELECT CAST(x AS TIMESTAMP)", "SELECT CAST(x AS TIMESTAMP_NTZ)"),
    ],
)  # fmt: skip
def test_what_spark_computes_otherwise_is_settled(ours, theirs):
    assert to_spark(ours) == theirs


def test_what_has_no_translation_is_refused():
    with pytest.raises(ValueError, match="replaces every"):
        to_spark("SELECT regexp_replace(x, 'a', 'b')")
    with pytest.raises(ValueError, match="%j"):
        to_spark("SELECT try_strptime(x, '%Y-%j')")


def test_places_are_shared_out_in_proportion():
    rng = np.random.default_rng(3)
    for size in (1, 7, 100, 999):
        counts = rng.integers(0, 80, 25)
        counts[0] += 1000 - counts.sum() % 1000
        size = min(size, counts.sum())
        places = allocate(counts, size)
        assert places.sum() == size
        assert (places <= counts).all()
        assert (np.abs(places - size * counts / counts.sum()) < 1).all()


class Local:
    """DuckDB with a table of customers, as sampling sees an engine."""

    def __init__(self, everybody: pd.DataFrame) -> None:
        self._everybody = everybody

    def ask(self, query):
        everybody = self._everybody  # noqa: F841  (read by the query)
        return duckdb.sql(query).fetchall()

    def table(self, query):
        everybody = self._everybody  # noqa: F841  (read by the query)
        return duckdb.sql(query).df()


@pytest.fixture(scope="module")
def everybody():
    rng = np.random.default_rng(5)
    n = 20_000
    spent = np.round(rng.lognormal(4, 1.5, n), 2)
    recency = np.round(rng.exponential(60, n) / (1 + spent / 200))
    return pd.DataFrame(
        {"customer_id": [f"k{i}" for i in range(n)], "recency_days": recency, "spent": spent}
    )


def test_a_sample_repeats_and_has_the_shares_of_everybody(everybody):
    sample = draw_sample(Local(everybody), "everybody", 1000, 20)
    assert len(sample.table) == 1000
    shuffled = everybody.sample(frac=1, random_state=1)
    again = draw_sample(Local(shuffled), "everybody", 1000, 20)
    pd.testing.assert_frame_equal(again.table, sample.table)
    other = draw_sample(Local(everybody), "everybody", 1000, 21)
    assert len(set(other.table["customer_id"]) & set(sample.table["customer_id"])) < 200
    cells = sample.cells
    assert cells["customers"].sum() == 20_000
    assert (np.abs(cells["sample"] - cells["customers"] / 20) < 1).all()
    # In each cell as many as its share means: far closer than drawing at random would be.
    for name in STRATA:
        low, high = everybody[name].quantile([0.2, 0.8])
        for part in (everybody[name] <= low, everybody[name] > high):
            drawn = sample.table["customer_id"].isin(everybody.loc[part, "customer_id"]).mean()
            assert abs(drawn - part.mean()) < 0.02


def test_a_small_table_is_its_own_sample(everybody):
    few = everybody.head(30)
    sample = draw_sample(Local(few), "everybody", 100, 20)
    pd.testing.assert_frame_equal(
        sample.table, few.sort_values("customer_id", ignore_index=True), check_dtype=False
    )


def run(tmp_path, *more: str) -> int:
    arguments = ["customers", "--dataset", "retail", "--output", str(tmp_path / "everybody"),
                 "--sample", str(tmp_path / "sample.parquet"), *more]  # fmt: skip
    return command.main(Path("spark.py"), arguments)


@pytest.fixture
def closed_port():
    """Return a port of this machine at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_an_unreachable_master_is_a_short_refusal(tmp_path, monkeypatch, capsys, closed_port):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    for master in (f"spark://127.0.0.1:{closed_port}", f"k8s://https://127.0.0.1:{closed_port}"):
        assert run(tmp_path, "--master", master) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 3
        assert "master cannot be used" in said[0]
        assert master in said[1]
    for master in ("sprk://x:1", "local[", "somewhere"):
        assert run(tmp_path, "--master", master) == 2
        assert "no master of Spark" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_or_java_is_said_with_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    monkeypatch.setattr(session, "has_pyspark", lambda: False)
    assert run(tmp_path) == 2
    said = capsys.readouterr().err
    assert "--require-hashes" in said
    assert len(said.strip().splitlines()) == 3
    monkeypatch.setattr(session, "has_pyspark", lambda: True)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(tmp_path) == 2
    assert "Java is not installed" in capsys.readouterr().err
    monkeypatch.setattr(session, "java_version", lambda: 8)
    assert run(tmp_path) == 2
    assert "Java 8 is too old" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--sample-size", "0"], "the sample is empty"),
        (["--conf", "memory=2g"], "no setting of Spark"),
        (["--sample", "nowhere/s.parquet"], "folder does not exist"),
        (["--sample", "s.csv"], "a Parquet file"),
        (["--dataset", "mall"], "a row for each customer"),
        (["--dataset", "mal"], "mal"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_wrong_arguments(tmp_path, monkeypatch, capsys, more, what):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    monkeypatch.setattr(session, "check_installed", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path, *more) == 2
    said = capsys.readouterr().err
    assert what in said
    assert len(said.strip().splitlines()) <= 3


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--master", "local"], "--master is for Spark"),
        (["--engine", "spark"], "no purchases"),
        (["--engine", "spark", "--dataset", "mall"], "a row for each customer"),
        (["--engine", "spark", "--dataset", "retail", "--set", "kk=3"], "parameter 'kk'"),
        (["--engine", "spark", "--dataset", "retail", "--master", "mesos"], "no master of Spark"),
        (["--engine", "spark", "--dataset", "retail", "--sample-size", "-1"], "sample is empty"),
        (["--engine", "spark", "--from-manifest", "m.json"], "repeats a run on one table"),
        (["--engine", "sparc"], "sparc"),
    ],
)
def test_wrong_arguments_of_a_run(tmp_path, monkeypatch, capsys, arguments, what):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    results = ["--results", str(tmp_path / "r")]
    assert run_command.main(Path("run.py"), [*arguments, *results]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert len(said.strip().splitlines()) <= 3
    assert list(tmp_path.iterdir()) == []


# --- on Spark, in local mode ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def spark():
    with session.open_session("local[2]", SMALL) as opened:
        yield opened


@pytest.fixture
def engine(spark):
    from spark_engine.engine import Spark

    engine = Spark(spark, "the test")
    yield engine
    engine.release()


def on_spark(engine, path, source, products=None):
    """Aggregate on Spark what `aggregate` does here."""
    file = engine.open(f"file://{path}", "purchases_file")
    looked_up = engine.open(f"file://{products}", "products_file") if products else None
    query, changes = aggregate_lines(engine.ask, file, source, Options(), path.name, looked_up)
    return engine.table(query), [*file.changes, *changes]


@pytest.mark.slow
def test_a_query_that_fails_is_told_in_few_lines(engine, capfd):
    with pytest.raises(UserError, match="cannot be read") as told:
        engine.ask("SELECT nothing FROM range(3)")
    assert len(str(told.value).splitlines()) == 3
    assert capfd.readouterr().err == ""


def test_invoices_give_the_same_customers(engine, tmp_path):
    path = tmp_path / "invoices.csv"
    invoices().to_csv(path, index=False)
    expected = aggregate(path, SHOP)
    found, changes = on_spark(engine, path, SHOP)
    assert_same_customers(found, expected.table)
    assert changes == expected.changes
    assert {c.what for c in changes} > {"lines of cancelled orders", "returns: lines below zero"}


@pytest.mark.slow
def test_typed_invoices_give_the_same_customers(engine, tmp_path):
    """Parquet in two files of a folder, with times, numbers and gaps as such."""
    table = invoices()
    table["When"] = pd.to_datetime(table["When"], format="%d/%m/%Y %H:%M", errors="coerce")
    table["Price"] = pd.to_numeric(table["Price"].str.strip("£").str.replace(",", ""), "coerce")
    table["When"] = table["When"].astype("datetime64[us]")
    table.to_parquet(tmp_path / "all.parquet")
    (tmp_path / "parts").mkdir()
    table.head(2000).to_parquet(tmp_path / "parts" / "a.parquet")
    table.tail(-2000).to_parquet(tmp_path / "parts" / "b.parquet")
    expected = aggregate(tmp_path / "all.parquet", SHOP)
    found, changes = on_spark(engine, tmp_path / "parts", SHOP)
    assert_same_customers(found, expected.table)
    assert changes == expected.changes


@pytest.mark.slow
@pytest.mark.parametrize(
    "times",
    [
        ["31.12.2010", "02.01.2011"],
        ["20101231", "20110102"],
        ["2010-12-31T08:26:00+02:00", "2011-01-02 09:00", "2011/1/3 7:05", "09:00"],
        ["12/31/98 8:26 PM", "1/2/11 9:00 AM"],
        ["1-Dec-2010 8:26", "Feb 28, 2011 11:05 PM", "28th June 2011"],
        ["2016-02-28 23:59:59.5", "2016-03-01 00:00:00"],
    ],
)
def test_times_are_read_alike(engine, tmp_path, times):
    path = tmp_path / "lines.csv"
    path.write_text("c;t;a\n" + "".join(f"{i};{at};1,5\n" for i, at in enumerate(times)))
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    read = "SELECT customer, bought, amount FROM lines ORDER BY customer"
    file = engine.open(f"file://{path}", "purchases_file")
    create_lines(engine.ask, file, source, Options(), path.name)
    found = engine.ask(read)
    with open_duckdb(path.name) as connection:
        run = rows_of(connection)
        create_lines(run, open_file(connection, path), source, Options(), path.name)
        expected = run(read)
    assert found == expected
    assert sum(row[1] is not None for row in found) >= len(times) - 1


@pytest.mark.slow
def test_the_sample_is_that_of_duckdb(engine, spark, everybody, tmp_path):
    # As a file: rows handed over would need a Python of the same version among Spark's workers.
    everybody.to_parquet(tmp_path / "everybody.parquet")
    table = spark.read.parquet(str(tmp_path / "everybody.parquet"))
    table.repartition(5).createOrReplaceTempView("everybody")
    found = draw_sample(engine, "everybody", 1000, 20)
    expected = draw_sample(Local(everybody), "everybody", 1000, 20)
    pd.testing.assert_frame_equal(found.table, expected.table, check_dtype=False)
    pd.testing.assert_frame_equal(found.cells, expected.cells)


@pytest.fixture(scope="module")
def card_model():
    known = load_dataset("credit_card")
    return fit_model(known, read_table(known.source_path).table, 6), known.source_path


@pytest.mark.slow
def test_spark_gives_the_segments_of_python(spark, card_model, tmp_path):
    from spark_engine.engine import Spark
    from spark_engine.scores import score_on_spark

    model, source = card_model
    expected = assign_customers(model, read_table(source).table)
    scores = score_on_spark(Spark(spark, "x"), model, str(source), str(tmp_path / "scored"))
    found = pd.read_parquet(tmp_path / "scored").set_index("customer").sort_index()
    assert found.index.tolist() == expected.index.tolist()
    for column in ("segment", "second_choice", "segment_name"):
        assert (found[column] == expected[column]).all()
    assert (found["stranger"] == expected["stranger"]).all()
    for column in ("confidence", "distance"):
        assert (found[column] - expected[column]).abs().max() < 1e-9
    assert scores.customers == len(expected)
    assert scores.unscored == 0
    assert scores.sizes["customers"].tolist() == (
        expected["segment"].value_counts().sort_index().tolist()
    )
    assert scores.sizes["errors"].max() == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scored"]


@pytest.mark.slow
def test_bad_input_leaves_nothing(spark, card_model, tmp_path):
    from spark_engine.customers import Purchases, sum_up_on_spark
    from spark_engine.engine import Spark
    from spark_engine.scores import score_on_spark

    model, _ = card_model
    invoices(200).to_csv(tmp_path / "lines.csv", index=False)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 is all there is")
    out, before = str(tmp_path / "out"), sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="no column"):
        score_on_spark(Spark(spark, "x"), model, str(tmp_path / "lines.csv"), out)
    for place in ("nothing.csv", "bad.parquet", "lines.xlsx"):
        with pytest.raises(UserError) as caught:
            purchases = Purchases(str(tmp_path / place), SHOP)
            sum_up_on_spark(Spark(spark, place), purchases, out, 10, 1)
        assert len(str(caught.value).splitlines()) == 3
        assert len(str(caught.value)) < 700
    with pytest.raises(UserError, match="there already"):
        sum_up_on_spark(Spark(spark, "x"), Purchases("x.csv"), str(tmp_path), 10, 1)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_query_of_the_model_runs_without_this_project(spark, card_model):
    """The text alone, in a session with Spark's own settings for numbers and times."""
    model, source = card_model
    spark.read.csv(str(source), header=True, inferSchema=True).createOrReplaceTempView("holders")
    rows = spark.sql(write_query(model, "spark", table="holders",
                                 columns={"customer_id": "CUST_ID"})).count()  # fmt: skip
    assert rows == len(read_table(source).table)


def write_lines(tmp_path) -> Path:
    names = {"When": "InvoiceDate", "Code": "StockCode", "Price": "UnitPrice"}
    path = tmp_path / "lines.csv"
    invoices().rename(columns=names).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_the_command_from_the_shell(spark, tmp_path):
    """Customers, a sample and what its columns are; nothing else is left or said."""
    script = Path(__file__).resolve().parents[1] / "scripts" / "spark.py"
    write_lines(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, str(script), "customers", "--input", "lines.csv", "--output", "everybody",
         "--sample", "s.parquet", "--sample-size", "150", "--master", "local[1]",
         "--conf", "spark.sql.shuffle.partitions=2"],
        capture_output=True, text=True, env=os.environ | {"SEGMENTATION_NO_VENV": "1"},
        cwd=tmp_path, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "next: run.py --dataset s.toml --input s.parquet" in done.stdout
    assert "WARN" not in done.stdout + done.stderr
    assert len(pd.read_parquet(tmp_path / "s.parquet")) == 150
    assert load_dataset(str(tmp_path / "s.toml")).origin.customer == "Customer ID"
    made = {"everybody", "s.parquet", "s.toml"}
    assert {path.name for path in tmp_path.iterdir()} == before | made


@pytest.mark.slow
def test_a_run_on_spark_gives_everybody_a_segment(spark, tmp_path, monkeypatch, capsys):
    """The notebooks are left out: a model fitted on the sample stands for them."""
    lines, results = write_lines(tmp_path), tmp_path / "shop"

    @contextmanager
    def opened(master, settings):
        yield spark

    def notebooks(plan):
        sample = pd.read_parquet(plan.options.input)
        assert len(sample) == 150
        known = load_dataset(plan.options.dataset)
        write_json(plan.options.results / "model.json", fit_model(known, sample, 3))
        return 0

    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    monkeypatch.setattr(series, "open_session", opened)
    monkeypatch.setattr(pipeline, "run", notebooks)
    arguments = ["--engine", "spark", "--input", str(lines), "--results", str(results)]
    for _ in range(2):  # the second time in place of the first
        results.mkdir(exist_ok=True)
        assert run_command.main(Path("run.py"), [*arguments, "--sample-size", "150"]) == 0
        shutil.rmtree(results)
    folder = tmp_path / "shop_everybody"
    everybody = pd.read_parquet(folder / "customers")
    scored = pd.read_parquet(folder / "scored")
    assert set(scored["customer"]) == set(everybody["customer_id"])
    assert len(scored) == len(everybody) > 150
    assert scored["segment"].between(1, 3).all()
    assert f"{len(scored):,}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"lines.csv", "shop_everybody"}


@pytest.mark.slow
def test_the_retail_households_are_the_same(engine):
    """Every line of the year, by both engines."""
    known = load_dataset("retail")
    products = known.locate(known.origin.products)
    expected = aggregate(known.source_path, known.origin, products=products)
    found, changes = on_spark(engine, known.source_path, known.origin, products=products)
    assert_same_customers(found, expected.table)
    assert changes == expected.changes

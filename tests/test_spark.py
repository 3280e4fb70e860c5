"""Spark: the same customers, samples and segments as on this machine, or a short refusal."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from fitted import assert_scored, fit_model

import spark as command
from customer_tables.errors import UserError
from customer_tables.lines import open_lines
from customer_tables.source import Source
from customer_tables.storage import write_json
from customer_tables.transactions import aggregate, aggregate_lines, create_lines
from runner import command as run_command
from runner import pipeline
from segmentation.dataset import load_dataset
from spark_engine import series, session
from spark_engine.customers import Purchases, draw_sample, make_customers
from spark_engine.dialect import to_spark
from spark_engine.engine import Spark
from spark_engine.scores import score

SHOP = Source(
    grain="transaction",
    customer="Customer ID",
    time="When",
    quantity="Quantity",
    price="Price",
    order="Invoice",
    product="Code",
    category="Group",
    discount="Rate",
    coupon="Coupon",
    own_brand="Brand = Own",
)
SMALL = {"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "2g"}


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def invoices(rows: int = 6000) -> pd.DataFrame:
    """Make lines with all that the rules know: returns, cancelled orders, gaps, odd identifiers."""
    rng = np.random.default_rng(8)
    order = np.sort(rng.integers(0, rows // 4, rows))
    seconds = np.sort(rng.integers(0, 400 * 86400, rows // 4))
    at = pd.Timestamp("2023-01-01") + pd.to_timedelta(seconds, unit="s")
    customer = rng.integers(100, 360, rows // 4)[order].astype(float)
    customer[rng.random(rows) < 0.03] = np.nan
    table = pd.DataFrame(
        {
            "Customer ID": pd.Series(customer).map(lambda c: f"{c:.1f}" if c == c else ""),
            "Invoice": [f"{'' if o % 23 else 'C'}{700000 + o}" for o in order],
            "When": at[order].strftime("%d/%m/%Y %H:%M"),
            "Quantity": np.where(rng.random(rows) < 0.04, -1, rng.integers(1, 12, rows)),
            "Price": [f"£{p:,.2f}" for p in rng.integers(1, 500_000, rows) / 100],
            "Code": rng.integers(0, 80, rows),
            "Group": rng.choice(["Fruit & Veg", "fruit veg", "Tea's", "null", "水果"], rows),
            "Rate": rng.choice([0, 0, 0.1, 0.25], rows),
            "Coupon": np.where(rng.random(rows) < 0.1, 1.5, 0),
            "Brand": rng.choice(["Own", "Other"], rows),
        }
    )
    table.loc[5, "When"], table.loc[6, "Price"], table.loc[7, "Customer ID"] = "soon", "?", "Ω 9 "
    return table


# --- without Spark --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (r"regexp_full_match(x, 'C?\d+')", r"x RLIKE '\\A(?:C?\\d+)\\z'"),
        (
            r"regexp_replace(x, '^(\d{3,})\.0$', '\1')",
            r"REGEXP_REPLACE(x, '^(\\d{3,})\\.0\\z', '$1')",
        ),
        (r"regexp_replace(x, '[\s$€£]', '', 'g')", r"REGEXP_REPLACE(x, '[\\s$€£]', '')"),
        (
            r"regexp_replace(regexp_replace(x, '^(a)b', '\1'), ' ?c$', '')",
            r"REGEXP_REPLACE(REGEXP_REPLACE(x, '^(a)b', '$1'), ' ?c\\z', '')",
        ),
        ("isodow(x)", "WEEKDAY(x) + 1"),
        ("try_strptime(x, '%Y%m%d')", "coalesce(try_to_timestamp(x, 'yyyyMMdd'))"),
        ("try_strptime(x, '%Y%m')", "coalesce(try_to_timestamp(x, 'yyyyMM'))"),
        ("CAST(x AS TIMESTAMP)", "CAST(x AS TIMESTAMP_NTZ)"),
        ("regexp_replace(x, 'a', 'b')", "replaces every"),
        ("try_strptime(x, '%Y-%j')", "%j"),
    ],
)
def test_what_spark_computes_otherwise_is_settled_or_refused(ours, theirs):
    try:
        assert to_spark(f"SELECT {ours}") == f"SELECT {theirs}"
    except ValueError as refusal:
        assert theirs in str(refusal)


@pytest.fixture(scope="module")
def everybody():
    rng = np.random.default_rng(5)
    n = 20_000
    spent = np.round(rng.lognormal(4, 1.5, n), 2)
    recency = np.round(rng.exponential(60, n) / (1 + spent / 200))
    return pd.DataFrame(
        {"customer_id": [f"k{i}" for i in range(n)], "recency_days": recency, "spent": spent}
    )


def drawn(everybody: pd.DataFrame, size: int = 1000, seed: int = 20) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("everybody", everybody)
        table, total = draw_sample(lambda q: connection.execute(q).df(), "everybody", size, seed)
    assert total == len(everybody)
    return table


def test_a_sample_repeats_and_has_the_shares_of_everybody(everybody):
    sample = drawn(everybody)
    assert len(sample) == 1000
    pd.testing.assert_frame_equal(drawn(everybody.sample(frac=1, random_state=1)), sample)
    assert len(set(drawn(everybody, seed=21)["customer_id"]) & set(sample["customer_id"])) < 200
    for name in ("spent", "recency_days"):  # within five standard errors
        share = (sample[name] <= everybody[name].median()).mean()
        assert share == pytest.approx(
            (everybody[name] <= everybody[name].median()).mean(), abs=0.08
        )
    few = everybody.head(30)
    expected = few.sort_values("customer_id", ignore_index=True)
    pd.testing.assert_frame_equal(drawn(few, 100), expected, check_dtype=False)


def customers(*more: str) -> int:
    given = "customers --dataset retail --output everybody --sample sample.parquet"
    return command.main([*given.split(), *more])


def refusal(capsys) -> str:
    """Return a refusal, which is short and leaves nothing."""
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) <= 3
    assert list(Path().iterdir()) == []
    return said


def test_an_unreachable_master_is_a_short_refusal(capsys):
    with socket.socket() as held:  # a port at which nobody listens
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for master in (f"spark://127.0.0.1:{port}", f"k8s://https://127.0.0.1:{port}"):
            assert customers("--master", master) == 2
            said = refusal(capsys)
            assert "master cannot be used" in said and master in said


def test_a_missing_package_or_java_is_said_with_the_command(monkeypatch, capsys, tmp_path_factory):
    monkeypatch.setattr(session, "find_spec", lambda name: None)
    assert customers() == 2
    assert "--require-hashes" in refusal(capsys)
    monkeypatch.setattr(session, "find_spec", lambda name: name)
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    assert customers() == 2
    assert "Java is not installed" in refusal(capsys)
    (folder / "java").write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_1\"' >&2\n")
    (folder / "java").chmod(0o755)
    assert customers() == 2
    assert "Java 8 is too old" in refusal(capsys)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--sample-size", "0"], "the sample is empty"),
        (["--sample", "nowhere/s.parquet"], "folder does not exist"),
        (["--sample", "s.csv"], "a Parquet file"),
        (["--dataset", "mall"], "a row for each customer"),
        (["--colour", "red"], "--colour"),
        (["--master", "sprk://x:1"], "no master of Spark"),
        (["--dataset", ""], "no purchases"),
        (["run", "--dataset", "retail", "--set", "kk=3"], "parameter 'kk'"),
    ],
)
def test_wrong_arguments(monkeypatch, capsys, more, what):
    monkeypatch.setattr(session, "check_installed", lambda: None)
    if "run" in more:
        arguments = ["--engine", "spark", *more[1:], "--results", "r"]
        assert run_command.main(Path("run.py"), arguments) == 2
    else:
        assert customers(*more) == 2
    assert what in refusal(capsys)


# --- on Spark, in local mode ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def spark():
    with session.open_session("local[2]", SMALL) as opened:
        yield opened


@pytest.fixture
def engine(spark):
    yield Spark(spark, "the test")
    spark.catalog.clearCache()


def assert_same_customers(engine, path, source, products=None, whole=None) -> list[str]:
    """Aggregate by Spark and here; return what was changed."""
    with open_lines(whole or path, products=products) as lines:
        expected = aggregate(lines, source)
    file = engine.open(str(path), "purchases_file")
    if products:
        file = replace(file, catalogue=engine.open(str(products), "products_file"))
    query, changes = aggregate_lines(file, source)
    found = engine.table(query).sort_values("customer_id", ignore_index=True)
    assert found["customer_id"].tolist() == expected.table["customer_id"].tolist()
    # Relative to amounts, but near zero absolute.
    tolerance = {"rtol": 1e-9, "atol": 1e-9, "check_dtype": False}
    pd.testing.assert_frame_equal(found, expected.table, **tolerance)
    assert [*file.changes, *changes] == expected.changes
    return [change.what for change in changes]


def test_invoices_give_the_same_customers(engine, tmp_path):
    path = tmp_path / "invoices.csv"
    invoices().to_csv(path, index=False)
    changes = assert_same_customers(engine, path, SHOP)
    assert set(changes) > {"lines of orders called C", "returns: lines below zero, or refunds"}


@pytest.mark.slow
def test_whole_orders_on_their_first_lines_give_the_same_customers(engine, tmp_path):
    rng = np.random.default_rng(4)
    order = np.repeat(np.arange(400), rng.integers(1, 5, 400))
    first = ~pd.Series(order).duplicated()
    who = np.char.add(rng.integers(0, 90, 400).astype(str), "@a.example")
    who[::9] = np.char.upper(who[::9])
    who[::20] = "guest"
    table = pd.DataFrame({"who": who[order], "order": [f"A-{o}" for o in order]})
    table["what"] = np.arange(len(table)) % 7
    table["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(order, unit="D")
    table["at"] = table["at"].dt.strftime("%Y-%m-%dT10:00:00+02:00")
    table["total"] = pd.Series(np.round(10 + order / 7, 2)).where(first)
    table["status"] = pd.Series(np.where(order % 6, "paid", "cancelled")).where(first)
    table["note"] = np.where(order % 50 == 7, "Refund of order 12", "gift")
    table.to_csv(tmp_path / "orders.csv", index=False)
    names = {"customer": "who", "time": "at", "amount": "total", "order": "order"}
    source = Source(grain="transaction", status="status", product="what", **names)
    changes = assert_same_customers(engine, tmp_path / "orders.csv", source)
    assert {"lines of 'guest'", "capitals in e-mail addresses"} <= {*changes}
    assert "lines that say 'Refund of order 12' and the like" in changes
    assert {"status on one line of an order", "totals of orders on their lines"} <= {*changes}


@pytest.mark.slow
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+05:30"])
def test_typed_invoices_give_the_same_customers(engine, tmp_path, zone):
    """Parquet in two files of a folder, with times, numbers and gaps as such."""
    table = invoices()
    at = pd.to_datetime(table["When"], format="%d/%m/%Y %H:%M", errors="coerce")
    table["When"] = at.astype("datetime64[us]")
    if zone:
        table["When"] = table["When"].dt.tz_localize("UTC").dt.tz_convert(zone)
    table["Price"] = pd.to_numeric(table["Price"].str.strip("£").str.replace(",", ""), "coerce")
    table.to_parquet(tmp_path / "all.parquet")
    (tmp_path / "parts").mkdir()
    table.head(2000).to_parquet(tmp_path / "parts" / "a.parquet")
    table.tail(-2000).to_parquet(tmp_path / "parts" / "b.parquet")
    assert_same_customers(engine, tmp_path / "parts", SHOP, whole=tmp_path / "all.parquet")


@pytest.mark.slow
def test_the_retail_households_are_the_same(engine):
    known = load_dataset("retail")
    products = known.locate(known.origin.products)
    assert_same_customers(engine, known.source_path, known.origin, products)


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
        ["2024-Q1", "2024 Q4"],
        ["Q1 2024", "q4-2024"],
        ["Jan-23", "Feb-24"],
        ["January 2023", "Feb 2024"],
        ["202401", "202312"],
        ["2024.01.31.", "2024.02.29."],
        ["1704067200123456", "1704153600000000"],
    ],
)
def test_times_are_read_alike(engine, tmp_path, times):
    path = tmp_path / "lines.csv"
    path.write_text("c;t;a\n" + "".join(f"{i};{at};1,5\n" for i, at in enumerate(times)))
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    read = "SELECT customer, bought, amount FROM lines ORDER BY customer"
    file = engine.open(str(path), "purchases_file")
    create_lines(file, source)
    found = engine.ask(read)
    with open_lines(path) as lines:
        create_lines(lines, source)
        assert found == lines.run(read)
    assert sum(row[1] is not None for row in found) >= len(times) - 1


@pytest.mark.slow
def test_the_sample_is_that_of_duckdb(engine, spark, everybody):
    # As a file: rows handed over would need a Python of the same version among Spark's workers.
    everybody.to_parquet("everybody.parquet")
    table = spark.read.parquet(str(Path("everybody.parquet").absolute()))
    table.repartition(5).createOrReplaceTempView("everybody")
    found, _ = draw_sample(engine.table, "everybody", 1000, 20)
    pd.testing.assert_frame_equal(found, drawn(everybody), check_dtype=False)


@pytest.mark.slow
def test_spark_gives_the_segments_of_python(spark, holders, capsys):
    expected = holders.assigned
    score(spark, holders.path, str(holders.known.source_path), "scored")
    found = pd.read_parquet("scored").set_index("customer").sort_index()
    assert found.index.tolist() == expected.index.tolist()
    assert_scored(found, expected)
    said = capsys.readouterr().out
    sizes = expected["segment"].value_counts().sort_index()
    assert [int(n.replace(",", "")) for n in re.findall(r"Kind \d: ([\d,]+) ", said)] == [*sizes]
    assert f"{len(expected):,} " in said and "no segment" not in said and "apart" not in said
    assert [p.name for p in Path().iterdir()] == ["scored"]


@pytest.mark.slow
def test_bad_input_leaves_nothing(spark, holders, tmp_path, capfd):
    invoices(200).to_csv("lines.csv", index=False)
    Path("bad.parquet").write_bytes(b"PAR1 is all there is")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="no column"):
        score(spark, holders.path, "lines.csv", "out")
    for place in ("nothing.csv", "bad.parquet", "lines.xlsx"):
        with pytest.raises(UserError):
            make_customers(spark, Purchases(place, SHOP), "out", Path("s.parquet"), 10, 1)
    with pytest.raises(UserError, match="there already"):
        make_customers(spark, Purchases("x.csv"), str(tmp_path), Path("s.parquet"), 10, 1)
    assert sorted(tmp_path.iterdir()) == before
    assert "WARN" not in capfd.readouterr().err


@pytest.fixture
def lines() -> str:
    names = {"When": "InvoiceDate", "Code": "StockCode", "Price": "UnitPrice"}
    invoices().rename(columns=names).to_csv("lines.csv", index=False)
    return "lines.csv"


@pytest.mark.slow
def test_the_command_from_the_shell(spark, lines, tmp_path):
    """Customers, a sample and what its columns are; nothing else is left or said."""
    script = Path(__file__).resolve().parents[1] / "scripts" / "spark.py"
    words = f"customers --input {lines} --output everybody --sample s.parquet --sample-size 150"
    words += " --master local[1] --conf spark.sql.shuffle.partitions=2"
    settings = {"capture_output": True, "text": True, "cwd": tmp_path, "timeout": 900}
    done = subprocess.run([sys.executable, script, *words.split()], **settings)
    assert done.returncode == 0, done.stderr
    assert "next: run.py --dataset s.toml --input s.parquet" in done.stdout
    assert "WARN" not in done.stdout + done.stderr
    assert len(pd.read_parquet("s.parquet")) == 150
    assert load_dataset("s.toml").origin.customer == "Customer ID"
    assert {path.name for path in Path().iterdir()} == {lines, "everybody", "s.parquet", "s.toml"}


@pytest.mark.slow
def test_a_run_on_spark_gives_everybody_a_segment(spark, lines, tmp_path, monkeypatch, capsys):
    """The notebooks are left out: a model fitted on the sample stands for them."""

    @contextmanager
    def opened(master, settings):
        yield spark

    def notebooks(plan):
        sample = pd.read_parquet(plan.options.input)
        assert len(sample) == 150
        known = load_dataset(plan.options.dataset)
        write_json(plan.options.results / "model.json", fit_model(known, sample, 3))
        return 0

    monkeypatch.setattr(series, "open_session", opened)
    monkeypatch.setattr(pipeline, "run", notebooks)
    results, folder = tmp_path / "shop", tmp_path / "shop_everybody"
    arguments = ["--engine", "spark", "--input", lines, "--results", "shop", "--sample-size", "150"]
    for _ in range(2):  # the second time in place of the first
        results.mkdir()
        assert run_command.main(Path("run.py"), arguments) == 0
        shutil.rmtree(results)
    everybody, scored = (pd.read_parquet(folder / name) for name in ("customers", "scored"))
    assert set(scored["customer"]) == set(everybody["customer_id"])
    assert len(scored) == len(everybody) > 150
    assert scored["segment"].between(1, 3).all()
    assert f"{len(scored):,}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {lines, "shop_everybody"}
    (folder / "customers").rename(folder / "mine")
    assert run_command.main(Path("run.py"), arguments) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (folder / "mine").is_dir()

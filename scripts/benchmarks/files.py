"""Files of customers and of transaction lines: scored, aggregated, and clustered from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Entry, Equality, Goal, Result, Settings, equal_results
from benchmarks.runs import call
from runner.environment import ROOT

# --- scoring ------------------------------------------------------------------------------------

MODEL = "model.json"


def _write_customers(settings: Settings, folder: Path) -> None:
    """Fit a model to the embedded card holders, and write many who resemble them."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    from customer_tables.storage import write_json
    from customer_tables.table import read_table
    from segmentation.cleaning import check_types, clean, index_customers, select_columns
    from segmentation.dataset import load_dataset
    from segmentation.features import build_features, fit_preparation
    from segmentation.kmeans import fit_kmeans
    from segmentation.model import build_model

    known = load_dataset("credit_card")
    table = read_table(known.source_path).table
    cleaned = clean(table, known)
    features = build_features(cleaned.customers, known)
    preparation = fit_preparation(features, known.features_with("segment"))
    fit = fit_kmeans(preparation.transform(features).to_numpy(), 6, n_init=5)
    segments = [{"segment": s, "name": f"Kind {s}", "slug": f"s-{s}"} for s in range(1, 7)]
    as_read = index_customers(select_columns(table, known).customers, known).customers
    as_read = check_types(as_read, known).customers
    numeric = [c.name for c in known.columns if c.is_numeric and c.name in as_read]
    training = (features, as_read[numeric])
    model = build_model(known, cleaned.fills, preparation, fit.centres, segments, training)
    write_json(folder / MODEL, model)

    holders, rng = pd.read_csv(known.source_path), np.random.default_rng(1)
    money = [c for c in holders if holders[c].dtype == float and holders[c].max() > 12]
    writer = None
    for first in range(0, settings["rows"], 250_000):
        rows = min(250_000, settings["rows"] - first)
        part = holders.iloc[rng.integers(0, len(holders), rows)].reset_index(drop=True)
        part["CUST_ID"] = [f"N{number:09d}" for number in range(first, first + rows)]
        part[money] = (part[money] * rng.uniform(0.95, 1.05, (rows, len(money)))).round(2)
        batch = pa.Table.from_pandas(part, preserve_index=False)
        if writer is None:
            kind = pq.ParquetWriter if settings["format"] == "parquet" else csv.CSVWriter
            writer = kind(_input(settings, folder), batch.schema)
        writer.write_table(batch)
    writer.close()


def _input(settings: Settings, folder: Path) -> Path:
    return folder / f"customers.{settings['format']}"


def _score(folder: Path, settings: Settings) -> Result:
    output = folder / f"scored.{settings['format']}"
    source = ["--input", _input(settings, folder), "--output", output]
    call([ROOT / "scripts" / "score.py", "--model", folder / MODEL, *source])
    return {"lines": _count(output)}


_COPY = """
import sys, duckdb
source, output, form, number = sys.argv[1:]
connection = duckdb.connect()
names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM '{source}'").fetchall()]
everything = " + ".join(f"coalesce({name}, 0)" for name in names[1:])
kinds = " ".join(f"WHEN {kind} THEN 'Kind {kind}'" for kind in range(1, 6)) + " ELSE 'Kind 6' END"
connection.execute(f'''COPY (SELECT {names[0]} AS customer, segment,
    CASE segment {kinds} AS segment_name, second_choice,
    CASE second_choice {kinds} AS second_choice_name,
    {number.format(f"1 / ({everything})")} AS confidence,
    {number.format("BALANCE / 3")} AS distance, BALANCE > 1000 AS stranger
    FROM (SELECT *, CAST(PURCHASES_TRX AS BIGINT) % 6 + 1 AS segment,
          CAST(PURCHASES_TRX + 1 AS BIGINT) % 6 + 1 AS second_choice FROM '{source}'))
    TO '{output}' ({form})''')
"""


def _copy(folder: Path, settings: Settings) -> Result:
    """Read every column and write eight of the same kinds, the simplest that need them all.

    As in the list of score.py: six names, numbers rounded in CSV alone.
    """
    output = folder / f"copied.{settings['format']}"
    form, number = "FORMAT csv, HEADER", "round({}, 4)"
    if settings["format"] == "parquet":
        form, number = "FORMAT parquet", "{}"
    call(["-c", _COPY, _input(settings, folder), output, form, number])
    return {"lines": _count(output)}


def _count(path: Path) -> int:
    import duckdb

    return duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]


def _same_lines(results: Mapping[str, Result], settings: Settings) -> Equality:
    lines = {int(result["lines"]) for result in results.values()}
    return lines == {settings["rows"]}, f"{settings['rows']:,} customers in each list"


SCORING = Entry(
    name="scoring",
    title="Scoring customers",
    ways={"score.py": _score, "DuckDB reads and writes as many columns": _copy},
    sizes={
        name: tuple({"rows": rows, "format": form} for form in ("csv", "parquet"))
        for name, rows in (("full", 10_000_000), ("quick", 1_000_000), ("tiny", 2000))
    },
    prepare=_write_customers,
    equal=_same_lines,
    goals=(Goal("DuckDB reads and writes as many columns", 1 / 1.5),),
    rounds={"full": 3, "quick": 3, "tiny": 1},
)


# --- transaction lines --------------------------------------------------------------------------

LINES, GOODS = "lines", "products.parquet"
CUSTOMER, DAY = 400, 86_400  # lines a customer; seconds


def _write_lines(settings: Settings, folder: Path) -> None:
    """Write a year of transaction lines of a shop: baskets of about ten lines, prices in cents."""
    import duckdb

    lines, products = settings["lines"], 20_000
    source = f"""
        SELECT basket % {max(lines // CUSTOMER, 1)} AS customer_id, basket,
            TIMESTAMP '2024-01-01' + to_seconds(CAST(hash(basket, 1) % {365 * DAY} AS BIGINT))
                AS bought_at,
            CAST(hash(i, 2) % {products} AS BIGINT) AS product_id,
            CAST(hash(i, 3) % 2000 + 1 AS DOUBLE) / 100 AS amount,
            CAST(hash(i, 4) % 300 AS DOUBLE) / 100 AS discount,
            CASE WHEN hash(i, 5) % 40 = 0 THEN 0.5 ELSE 0.0 END AS coupon
        FROM (SELECT i, CAST(hash(i // 10, 6) % {max(lines // 10, 1) * 7} AS BIGINT) AS basket
              FROM range({lines}) AS numbers(i))"""
    goods = f"""
        SELECT i AS product_id, 'department ' || (hash(i, 7) % 25) AS department,
            CASE WHEN hash(i, 8) % 4 = 0 THEN 'Private' ELSE 'National' END AS brand
        FROM range({products}) AS numbers(i)"""
    options = "FORMAT parquet" if settings["format"] == "parquet" else "FORMAT csv, HEADER"
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"COPY ({source}) TO '{_lines(settings, folder)}' ({options})")
        connection.execute(f"COPY ({goods}) TO '{folder / GOODS}' (FORMAT parquet)")


def _lines(settings: Settings, folder: Path) -> Path:
    return folder / f"{LINES}.{settings['format']}"


def _load_lines(settings: Settings, folder: Path) -> tuple[Path, Path]:
    import pandas  # noqa: F401  (loaded by both)

    import customer_tables.transactions  # noqa: F401

    return _lines(settings, folder), folder / GOODS


def _summed_up(files: tuple[Path, Path], settings: Settings) -> Result:
    from customer_tables.source import Source
    from customer_tables.transactions import aggregate

    lines, products = files
    source = Source(
        grain="transaction",
        customer="customer_id",
        time="bought_at",
        amount="amount",
        order="basket",
        product="product_id",
        category="department",
        discount="discount",
        coupon="coupon",
        own_brand="brand = Private",
    )
    table = aggregate(lines, source, products=products).table
    return _as_result(table.assign(customer_id=table["customer_id"].astype("int64")))


def _by_pandas(files: tuple[Path, Path], settings: Settings) -> Result:
    """Compute the same features as one would write them: read, join, group, group again."""
    import pandas as pd

    path, products = files
    if settings["format"] == "parquet":
        lines = pd.read_parquet(path)
    else:
        lines = pd.read_csv(path, parse_dates=["bought_at"])
    lines = lines.merge(pd.read_parquet(products), on="product_id", how="left")
    lines["own"] = lines["amount"].where(lines["brand"] == "Private", 0.0)
    baskets = lines.groupby(["customer_id", "basket"], sort=False).agg(
        bought_at=("bought_at", "min"),
        amount=("amount", "sum"),
        lines=("amount", "size"),
        discount=("discount", "sum"),
        coupon=("coupon", "sum"),
        own=("own", "sum"),
    )
    baskets = baskets.reset_index()
    first, last = baskets["bought_at"].min(), baskets["bought_at"].max()
    at = baskets["bought_at"]
    baskets["month"] = at.dt.to_period("M")
    baskets["weekend"], baskets["evening"] = at.dt.day_of_week >= 5, at.dt.hour >= 17
    baskets["couponed"] = baskets["coupon"] > 0
    baskets["late"] = baskets["amount"].where(at >= first + (last - first) / 2, 0.0)
    by = baskets.groupby("customer_id")
    spent, day = by["amount"].sum(), last.normalize()
    orders, discount, late = by.size(), by["discount"].sum(), by["late"].sum()
    features = {
        "recency_days": (day - by["bought_at"].max().dt.normalize()).dt.days,
        "tenure_days": (day - by["bought_at"].min().dt.normalize()).dt.days,
        "orders": orders,
        "active_months": by["month"].nunique(),
        "spent": spent,
        "basket_value": spent / orders,
        "basket_lines": by["lines"].sum() / orders,
        "coupon_share": by["couponed"].mean(),
        "weekend_share": by["weekend"].mean(),
        "evening_share": by["evening"].mean(),
        "net_value": spent,
        "trend": (late - (spent - late)) / spent,
        "discount_share": discount / (discount + spent),
        "own_brand_share": by["own"].sum() / spent,
        "products": lines.groupby("customer_id")["product_id"].nunique(),
        "categories": lines.groupby("customer_id")["department"].nunique(),
    }
    goods = lines.pivot_table(
        index="customer_id", columns="department", values="amount", aggfunc="sum", fill_value=0.0
    )
    ranked = sorted(goods.columns, key=lambda name: (-goods[name].sum(), name))
    for name in ranked[:10]:
        features[f"spent_on_{name.replace(' ', '_')}"] = goods[name]
    features["spent_on_the_rest"] = goods[ranked[10:]].sum(axis=1)
    return _as_result(pd.DataFrame(features).reset_index())


def _as_result(table: Any) -> Result:
    table = table.sort_values("customer_id")
    columns = {name: table[name].to_numpy(np.float64) for name in sorted(table)}
    return {"names": sorted(table), **columns}


def _close(results: Mapping[str, Result], settings: Settings) -> Equality:
    """Compare to 1e-9: sums of floats depend on their order, those of decimals do not."""
    holds, text = equal_results(results, settings)
    count = len(next(iter(results.values()))["orders"])
    return holds, f"{text}, {count:,} customers"


TRANSACTIONS = Entry(
    name="transactions",
    title="Features from transaction lines",
    ways={"straight from the file": _summed_up, "pandas": _by_pandas},
    sizes={
        "full": (
            {"lines": 50_000_000, "format": "parquet"},
            {"lines": 20_000_000, "format": "csv"},
        ),
        "quick": ({"lines": 1_000_000, "format": "parquet"},),
        "tiny": ({"lines": 20_000, "format": "parquet"}, {"lines": 20_000, "format": "csv"}),
    },
    prepare=_write_lines,
    load=_load_lines,
    equal=_close,
    goals=(Goal("pandas", 5.0), Goal("pandas", 2.0, "peak_memory")),
    rounds={"full": 2, "quick": 3, "tiny": 1},
    pinned=("straight from the file",),
)


# --- K-Means on a file --------------------------------------------------------------------------

FILE, COLUMNS, GROUPS = "customers.parquet", 17, 12
BATCH = 250_000


def _write_features(settings: Settings, folder: Path) -> None:
    """Write customers around centres that overlap, in columns of different units."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(3)
    centres = rng.normal(0, 2, (GROUPS, COLUMNS))
    widths = rng.uniform(0.6, 1.4, (GROUPS, COLUMNS))
    shares = rng.dirichlet(np.full(GROUPS, 2.0))
    writer = None
    for first in range(0, settings["rows"], BATCH):
        rows = min(BATCH, settings["rows"] - first)
        kind = rng.choice(GROUPS, rows, p=shares)
        values = centres[kind] + rng.normal(size=(rows, COLUMNS)) * widths[kind]
        part = pa.table({f"x{j}": values[:, j] * 10 ** (j % 4) for j in range(COLUMNS)})
        writer = writer or pq.ParquetWriter(folder / FILE, part.schema)
        writer.write_table(part)
    writer.close()


def _streamed(folder: Path, settings: Settings) -> Result:
    from segmentation.streaming import fit_file

    fit = fit_file(folder / FILE, settings["k"])
    return {"inertia": fit.inertia, "sizes": np.sort(fit.sizes)}


def _by_spark(folder: Path, settings: Settings) -> Result:
    """Standardise and fit with Spark's defaults (k-means||, at most 20 steps), rows cached."""
    from pyspark import SparkContext
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import StandardScaler, VectorAssembler
    from pyspark.sql import SparkSession

    options = {
        "spark.driver.memory": settings["spark_memory"],
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(folder),
        "spark.driver.host": "127.0.0.1",
    }
    session = SparkSession.builder.master("local[*]").config(map=options).getOrCreate()
    try:
        rows = session.read.parquet(str(folder / FILE))
        vectors = VectorAssembler(inputCols=rows.columns, outputCol="raw").transform(rows)
        scaler = StandardScaler(inputCol="raw", outputCol="features", withMean=True)
        ready = scaler.fit(vectors).transform(vectors).select("features").cache()
        fitted = KMeans(k=settings["k"], seed=20).fit(ready)
        # Spark divides by n - 1: the same distances in units of n.
        inertia = fitted.summary.trainingCost * settings["rows"] / (settings["rows"] - 1)
        return {"inertia": inertia, "sizes": np.sort(fitted.summary.clusterSizes)}
    finally:
        session.stop()
        java = SparkContext._gateway.proc
        java.stdin.close()  # at which it ends
        java.wait()  # only then its processor time counts


def _no_worse(results: Mapping[str, Result], settings: Settings) -> Equality:
    ours, theirs = (float(result["inertia"]) for result in results.values())
    text = f"inertia {ours / theirs - 1:+.1e} against Spark's, relative"
    return ours <= theirs * (1 + 1e-6), text


BEYOND_MEMORY = Entry(
    name="beyond-memory",
    title="K-Means on a Parquet file of 17 columns",
    ways={
        "a sample's centres, then passes over the file": _streamed,
        "Spark in local mode": _by_spark,
    },
    sizes={
        "full": ({"rows": 10_000_000, "k": 8, "spark_memory": "6g"},),
        "quick": ({"rows": 500_000, "k": 8, "spark_memory": "2g"},),
        "tiny": ({"rows": 3000, "k": 3, "spark_memory": "1g"},),
    },
    prepare=_write_features,
    equal=_no_worse,
    goals=(Goal("Spark in local mode", 3.5), Goal("Spark in local mode", 4.0, "peak_memory")),
    rounds={"full": 2, "quick": 3, "tiny": 1},
    pinned=("a sample's centres, then passes over the file",),
    needs=("pyspark",),
)

ENTRIES = (SCORING, TRANSACTIONS, BEYOND_MEMORY)

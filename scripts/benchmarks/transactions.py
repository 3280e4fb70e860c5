"""Customers' features from lines of purchases: straight from the file, against pandas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Goal, Result, Settings

LINES, GOODS = "lines", "products.parquet"
CUSTOMER, DAY = 400, 86_400  # lines a customer; seconds


def _write(settings: Settings, folder: Path) -> None:
    """Write a year of purchases of a shop: baskets of about ten lines, prices in cents."""
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


def _load(settings: Settings, folder: Path) -> tuple[Path, Path]:
    import pandas  # noqa: F401  (loaded by both)

    import segmentation.transactions.summing  # noqa: F401

    return _lines(settings, folder), folder / GOODS


def _summed_up(files: tuple[Path, Path], settings: Settings) -> Result:
    from customer_tables.source import Source
    from segmentation.transactions import sum_up

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
    table = sum_up(lines, source, products=products).table
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
    baskets["weekend"], baskets["evening"] = at.dt.dayofweek >= 5, at.dt.hour >= 17
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
    from benchmarks.entry import equal_results

    found = equal_results(results, settings)
    count = len(next(iter(results.values()))["orders"])
    return Equality(found.holds, f"{found.text}, {count:,} customers")


TRANSACTIONS = Entry(
    name="transactions",
    title="Features from lines of purchases",
    contestants=(
        Contestant("straight from the file", _summed_up, ONE_THREAD),
        Contestant("pandas", _by_pandas),
    ),
    sizes={
        "full": (
            {"lines": 50_000_000, "format": "parquet"},
            {"lines": 20_000_000, "format": "csv"},
        ),
        "quick": ({"lines": 1_000_000, "format": "parquet"},),
        "tiny": ({"lines": 20_000, "format": "parquet"}, {"lines": 20_000, "format": "csv"}),
    },
    setup=_write,
    load=_load,
    compare=_close,
    goals=(Goal("pandas", 5.0), Goal("pandas", 2.0, "peak_memory")),
    rounds={"full": 2, "quick": 3, "tiny": 2},
)

ENTRIES = (TRANSACTIONS,)

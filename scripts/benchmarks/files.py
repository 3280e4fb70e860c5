"""Files of customers and of transaction lines: scored and aggregated."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Entry, Equality, Result, Settings, goal
from runner import ROOT

if TYPE_CHECKING:
    import pandas as pd

SCRIPTS = ROOT / "scripts"


def call(*command: object) -> None:
    """Run a program with the environment's Python; its last words are in the error if it fails."""
    arguments = [sys.executable, *map(str, command)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"{' '.join(arguments[:4])} … failed:\n{said}")


# --- scoring ------------------------------------------------------------------------------------

MODEL = "model.json"


def _write_customers(folder: Path, settings: Settings) -> None:
    """Fit a model to the embedded cardholders, and write many who resemble them."""
    import duckdb

    from customer_tables.storage import write_json
    from customer_tables.table import read_table
    from make_sample_data import MONEY
    from segmentation.cleaning import clean
    from segmentation.dataset import load_dataset
    from segmentation.features import build_features, fit_preparation
    from segmentation.kmeans import fit_kmeans
    from segmentation.model import build_model

    known = load_dataset("credit_card")
    cleaned = clean(read_table(known.source_path).table, known)
    features = build_features(cleaned.customers, known)
    preparation = fit_preparation(features, known.features_with("segment"))
    fit = fit_kmeans(preparation.transform(features).to_numpy(), 6, n_init=5)
    segments = [{"segment": s, "name": f"Kind {s}", "slug": f"s-{s}"} for s in range(1, 7)]
    training = (features, cleaned.customers.select_dtypes("number"))
    model = build_model(known, cleaned.fills, preparation, fit.centres, segments, training)
    write_json(folder / MODEL, model)
    factors = {name: f"0.95 + hash(i, {n}) % 1001 / 10010" for n, name in enumerate(MONEY)}
    changed = [f"round({name} * ({by}), 2) AS {name}" for name, by in factors.items()]
    duckdb.sql(f"""COPY (
        SELECT 'N' || lpad(CAST(i AS VARCHAR), 9, '0') AS CUST_ID,
            * EXCLUDE (i, CUST_ID, place) REPLACE ({", ".join(changed)})
        FROM range({settings["rows"]}) AS numbers(i)
        JOIN (SELECT *, row_number() OVER () - 1 AS place FROM '{known.source_path}') AS holders
            ON hash(i) % 8950 = place
        ) TO '{_customers(settings, folder)}'""")


def _customers(settings: Settings, folder: Path) -> Path:
    return folder / f"customers.{settings['format']}"


def _score(folder: Path, settings: Settings) -> Result:
    output = folder / f"scored.{settings['format']}"
    source = ("--input", _customers(settings, folder), "--output", output)
    call(SCRIPTS / "score.py", "--model", folder / MODEL, *source)
    return {"lines": _count_and_remove(output)}


def _copy(folder: Path, settings: Settings) -> Result:
    """Read every column and write eight of the same kinds, the simplest that need them all.

    As in the list of score.py: six names, numbers rounded in CSV alone.
    """
    import duckdb

    source, output = _customers(settings, folder), folder / f"copied.{settings['format']}"
    number = "round({}, 4)" if settings["format"] == "csv" else "{}"
    names = [row[0] for row in duckdb.execute(f"DESCRIBE SELECT * FROM '{source}'").fetchall()]
    everything = " + ".join(f"coalesce({name}, 0)" for name in names[1:])
    duckdb.sql(f"""COPY (
        SELECT {names[0]} AS customer, segment, 'Kind ' || segment AS segment_name, second_choice,
            'Kind ' || second_choice AS second_choice_name,
            {number.format(f"1 / ({everything})")} AS confidence,
            {number.format("BALANCE / 3")} AS distance, BALANCE > 1000 AS outlier
        FROM (SELECT *, CAST(PURCHASES_TRX AS BIGINT) % 6 + 1 AS segment,
                  CAST(PURCHASES_TRX + 1 AS BIGINT) % 6 + 1 AS second_choice FROM '{source}')
        ) TO '{output}'""")
    return {"lines": _count_and_remove(output)}


def _count_and_remove(path: Path) -> int:
    import duckdb

    lines = duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]
    path.unlink()
    return lines


def _same_lines(results: Mapping[str, Result], settings: Settings) -> Equality:
    lines = {result["lines"] for result in results.values()}
    return lines == {settings["rows"]}, f"{settings['rows']:,} customers in each list"


# --- transaction lines --------------------------------------------------------------------------

LINES, GOODS = "lines", "products.parquet"
CUSTOMER, DAY = 400, 86_400  # lines a customer; seconds


def _write_lines(folder: Path, settings: Settings) -> None:
    """Write a year of transaction lines of a shop: baskets of about ten lines, prices in cents."""
    import duckdb

    lines, products = settings["lines"], 20_000
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"""COPY (
            SELECT basket % {max(lines // CUSTOMER, 1)} AS customer_id, basket,
                TIMESTAMP '2024-01-01' + to_seconds(CAST(hash(basket, 1) % {365 * DAY} AS BIGINT))
                    AS bought_at,
                CAST(hash(i, 2) % {products} AS BIGINT) AS product_id,
                CAST(hash(i, 3) % 2000 + 1 AS DOUBLE) / 100 AS amount,
                CAST(hash(i, 4) % 300 AS DOUBLE) / 100 AS discount,
                CASE WHEN hash(i, 5) % 40 = 0 THEN 0.5 ELSE 0.0 END AS coupon
            FROM (SELECT i, CAST(hash(i // 10, 6) % {max(lines // 10, 1) * 7} AS BIGINT) AS basket
                  FROM range({lines}) AS numbers(i))
            ) TO '{folder / LINES}.{settings["format"]}'""")
        connection.execute(f"""COPY (
            SELECT i AS product_id, 'department ' || (hash(i, 7) % 25) AS department,
                CASE WHEN hash(i, 8) % 4 = 0 THEN 'Private' ELSE 'National' END AS brand
            FROM range({products}) AS numbers(i)) TO '{folder / GOODS}'""")


def _load_lines(folder: Path, settings: Settings) -> tuple[Path, Path]:
    import pandas  # noqa: F401  (loaded by both)

    import customer_tables.lines
    import customer_tables.transactions  # noqa: F401

    return folder / f"{LINES}.{settings['format']}", folder / GOODS


def _aggregated(files: tuple[Path, Path], settings: Settings) -> Result:
    from customer_tables.lines import open_lines
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
    with open_lines(lines, products=products) as opened:
        table = aggregate(opened, source).table.astype({"customer_id": "int64"})
    return dict(table.astype("float64").sort_values("customer_id").items())


def _by_pandas(files: tuple[Path, Path], settings: Settings) -> Result:
    import pandas as pd

    path, products = files
    if settings["format"] == "parquet":
        lines = pd.read_parquet(path)
    else:
        lines = pd.read_csv(path, parse_dates=["bought_at"])
    lines = lines.merge(pd.read_parquet(products), on="product_id", how="left")
    return dict(features_by_pandas(lines).reset_index().astype("float64").items())


def features_by_pandas(lines: pd.DataFrame) -> pd.DataFrame:
    """Compute the features of customers as one would write them: group, and group again."""
    import pandas as pd

    lines["own"] = lines["amount"].where(lines["brand"] == "Private", 0.0)
    sums = {name: (name, "sum") for name in ("amount", "discount", "coupon", "own")}
    baskets = lines.groupby(["customer_id", "basket"], sort=False).agg(
        bought_at=("bought_at", "min"), lines=("amount", "size"), **sums
    )
    at, day = baskets["bought_at"], baskets["bought_at"].max().normalize()
    middle = at.min() + (at.max() - at.min()) / 2
    baskets["month"] = at.dt.to_period("M")
    baskets["weekend"], baskets["evening"] = at.dt.day_of_week >= 5, at.dt.hour >= 17
    baskets["couponed"] = baskets["coupon"] > 0
    baskets["late"] = baskets["amount"].where(at >= middle, 0.0)
    by, buyers = baskets.groupby("customer_id"), lines.groupby("customer_id")
    total, orders = by[["amount", "discount", "late", "own", "lines"]].sum(), by.size()
    spent, shares = total["amount"], by[["couponed", "weekend", "evening"]].mean()
    features = {
        "recency_days": (day - by["bought_at"].max().dt.normalize()).dt.days,
        "tenure_days": (day - by["bought_at"].min().dt.normalize()).dt.days,
        "orders": orders,
        "active_months": by["month"].nunique(),
        "spent": spent,
        "basket_value": spent / orders,
        "basket_lines": total["lines"] / orders,
        "coupon_share": shares["couponed"],
        "weekend_share": shares["weekend"],
        "evening_share": shares["evening"],
        "net_value": spent,
        "trend": (2 * total["late"] - spent) / spent,
        "discount_share": total["discount"] / (total["discount"] + spent),
        "own_brand_share": total["own"] / spent,
        "products": buyers["product_id"].nunique(),
        "categories": buyers["department"].nunique(),
    }
    goods = lines.pivot_table(
        index="customer_id", columns="department", values="amount", aggfunc="sum", fill_value=0.0
    )
    ranked = sorted(goods.columns, key=lambda name: (-goods[name].sum(), name))
    features |= {f"spent_on_{name.replace(' ', '_')}": goods[name] for name in ranked[:10]}
    features["spent_on_the_rest"] = goods[ranked[10:]].sum(axis=1)
    return pd.DataFrame(features).sort_index()


def _of_lines(name: str, lines: int, form: str, least: float, why: str = "") -> Entry:
    return Entry(
        name=name,
        title="Features from transaction lines",
        ways={"straight from the file": _aggregated, "pandas": _by_pandas},
        full=({"lines": lines, "format": form},),
        quick=({"lines": 20_000, "format": form},),
        prepare=_write_lines,
        load=_load_lines,
        goals=(goal("pandas", least, why=why), goal("pandas", 2.0, "peak_memory")),
        rounds=2,
    )


ENTRIES = (
    Entry(
        name="scoring",
        title="Scoring customers",
        ways={"score.py": _score, "DuckDB reads and writes as many columns": _copy},
        full=tuple({"rows": 10_000_000, "format": form} for form in ("csv", "parquet")),
        quick=tuple({"rows": 2000, "format": form} for form in ("csv", "parquet")),
        prepare=_write_customers,
        equal=_same_lines,
        goals=(
            goal(
                "DuckDB reads and writes as many columns",
                1 / 1.5,
                why="of Parquet, reading, writing and numpy's sums alone take 1.65 times as long",
            ),
        ),
    ),
    _of_lines("transactions", 50_000_000, "parquet", least=5.0),
    _of_lines(
        "transactions-text",
        20_000_000,
        "csv",
        least=2.5,
        why="DuckDB alone, types declared, nothing checked, uses 3/4 of pandas' processor time",
    ),
)

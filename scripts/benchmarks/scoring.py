"""Scoring a file of customers, against DuckDB reading it and writing as many columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.entry import Contestant, Entry, Equality, Goal, Result, Settings
from benchmarks.series import ROOT, call

MODEL = "model.json"


def _write(settings: Settings, folder: Path) -> None:
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
    return {"lines": _lines(output)}


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
    return {"lines": _lines(output)}


def _lines(path: Path) -> int:
    import duckdb

    return duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]


def _same_lines(results: Mapping[str, Result], settings: Settings) -> Equality:
    lines = {int(result["lines"]) for result in results.values()}
    return Equality(lines == {settings["rows"]}, f"{settings['rows']:,} customers in each list")


SCORING = Entry(
    name="scoring",
    title="Scoring customers",
    contestants=(
        Contestant("score.py", _score),
        Contestant("DuckDB reads and writes as many columns", _copy),
    ),
    sizes={
        "full": (
            {"rows": 10_000_000, "format": "csv"},
            {"rows": 10_000_000, "format": "parquet"},
        ),
        "quick": ({"rows": 1_000_000, "format": "csv"}, {"rows": 1_000_000, "format": "parquet"}),
        "tiny": ({"rows": 2000, "format": "csv"}, {"rows": 2000, "format": "parquet"}),
    },
    setup=_write,
    compare=_same_lines,
    goals=(Goal("DuckDB reads and writes as many columns", 1 / 1.5),),
    rounds={"full": 3, "quick": 3, "tiny": 2},
)

ENTRIES = (SCORING,)

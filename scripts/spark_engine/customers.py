"""From transaction lines anywhere to customers, and to a sample of them for the notebooks."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from customer_tables.changes import Change
from customer_tables.description import describe_transactions
from customer_tables.errors import UserError
from customer_tables.line_kinds import currency_of, settle_line_kinds
from customer_tables.source import FOUND_OUT, Options, Source
from customer_tables.storage import write_atomically
from customer_tables.transaction_columns import recognise
from customer_tables.transactions import aggregate_lines
from runner.entry import writing
from segmentation.dataset import load_dataset
from segmentation.intake import name_of
from spark_engine.dialect import to_spark
from spark_engine.engine import Spark, new_folder

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Purchases:
    """What is read, and how.

    Attributes
    ----------
    place, products : str
        A file, folder or pattern; a path or a URL. No products: empty.
    source : Source or None
        What the columns are called; None where they are to be recognised.
    options : Options
        What the files leave open.
    """

    place: str
    source: Source | None = None
    products: str = ""
    options: Options = FOUND_OUT


@dataclass(frozen=True)
class Customers:
    """What came out: how many in all and in the sample, and the dataset.toml written beside it."""

    total: int
    drawn: int
    changes: list[Change]
    toml: Path | None

    def tell(self, place: Path | str, sample: Path, seed: int) -> None:
        """Say how many customers there are, what was left out, and where they are."""
        print(f"{self.total:,} customers: {place}")
        for change in self.changes:
            print(f"  {change.what}: {change.rows:,} ({change.action})")
        print(f"{self.drawn:,} of them drawn with seed {seed}: {sample}", flush=True)


def say(text: str) -> None:
    """Say on the terminal what is done next."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def find_purchases(dataset: str | None, place: str, options: Options) -> Purchases:
    """Return the purchases of a dataset, others of the same form, or some to be recognised.

    Raises
    ------
    UserError
        If there are none, or the dataset is one of customers.
    """
    if not dataset:
        if not place:
            raise UserError(
                "there are no purchases to aggregate",
                where="on the command line",
                remedy="give --dataset NAME or --input PLACE, or both",
            )
        return Purchases(place, options=options)
    known = load_dataset(dataset)
    origin = known.origin
    if origin.grain != "transaction":
        raise UserError(
            "the dataset has a row for each customer; there is nothing to aggregate",
            where="[source] in dataset.toml",
            remedy='grain = "transaction" there, or go on with scoring',
        )
    products = str(known.locate(origin.products)) if origin.products else ""
    return Purchases(place or str(known.source_path), origin, products, options)


def make_customers(
    session: SparkSession, purchases: Purchases, output: str, sample: Path, size: int, seed: int
) -> Customers:
    """Aggregate purchases to customers, write them, and write a sample of them on this machine.

    Where the columns were recognised, a dataset.toml is written beside the sample.

    Parameters
    ----------
    session : SparkSession
    purchases : Purchases
    output : str
        The folder of Parquet files to write; a path or a URL.
    sample : Path
    size, seed : int
        Of the sample; see `draw_sample`.

    Raises
    ------
    UserError
        If the purchases cannot be read or understood, or nothing can be written.
    """
    engine, options = Spark(session, purchases.place), purchases.options
    with new_folder(output) as folder:
        say(f"Reading {purchases.place}")
        file = engine.open(purchases.place, "purchases_file", options)
        if purchases.products:
            products = engine.open(purchases.products, "products_file")
            file = replace(file, catalogue=products)
        source = purchases.source or recognise(file.types)
        if source is None:
            raise UserError(
                "the columns of the purchases are not recognised",
                where=f"{engine.name}: {', '.join(file.types)[:300]}",
                remedy="describe them under [source] in a dataset.toml and give it as --dataset",
            )
        if purchases.source is None:
            source = settle_line_kinds(file, source)
        say("Aggregating to customers")
        query, changes = aggregate_lines(file, source)
        engine.write(to_spark(query), folder)
        session.catalog.clearCache()
        say("Drawing the sample")
        engine.open(folder, "everybody")
        table, total = draw_sample(engine.table, "everybody", size, seed)
    buffer, toml = io.BytesIO(), None
    table.to_parquet(buffer, index=False)
    with writing("the sample", sample, "choose another place"):
        write_atomically(sample, buffer.getvalue())
        if purchases.source is None:
            toml = sample.with_suffix(".toml")
            about: dict[str, str | int] = {
                "name": sample.name,
                "format": "parquet",
                "rows": len(table),
                "currency": currency_of(file, source),
            }
            text = describe_transactions(table, source, about, name_of(purchases.place))
            write_atomically(toml, text.encode())
    return Customers(total, len(table), [*file.changes, *changes], toml)


def draw_sample(
    query: Callable[[str], pd.DataFrame], place: str, size: int, seed: int
) -> tuple[pd.DataFrame, int]:
    """Draw customers whose identifiers hash lowest together with the seed.

    No order of rows, files or workers plays a part, so the sample is the same on any engine; every
    customer has the same chance, so it needs no weights.

    Parameters
    ----------
    query : callable
        Returns the rows of a query in DuckDB's dialect as a table.
    place : str
        What stands behind FROM, with a column customer_id.
    size, seed : int
        How many to draw, all where there are not more; another seed draws others.

    Returns
    -------
    DataFrame
        The customers drawn, with all columns, ordered by customer_id.
    int
        How many customers there are in all.
    """
    total = query(f"SELECT count(*) AS customers FROM {place}")["customers"].iloc[0]
    drawn_by = f"md5(concat('{int(seed)}:', customer_id))"
    table = query(f"SELECT * FROM {place} ORDER BY {drawn_by}, customer_id LIMIT {int(size)}")
    return table.sort_values("customer_id", ignore_index=True), int(total)


def check_sample(path: Path, size: int) -> None:
    """Refuse a sample that cannot be written, before the work begins."""
    if size < 1:
        remedy = "give a number from 1 on"
        raise UserError("the sample is empty", where="--sample-size", remedy=remedy)
    wrong = {
        "it is a folder": path.is_dir(),
        "its folder does not exist": not path.parent.is_dir(),
        "it has to be a Parquet file": path.suffix.lower() != ".parquet",
    }
    for reason in (reason for reason, holds in wrong.items() if holds):
        raise UserError(
            f"the sample cannot be written: {reason}",
            where=f"--sample {path}",
            remedy="give a file such as sample.parquet in a folder that exists",
        )

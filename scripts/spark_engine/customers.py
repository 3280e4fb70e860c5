"""From lines of purchases anywhere to customers, and to a sample of them for the notebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from customer_tables.changes import Change
from customer_tables.duckdb_files import Options
from customer_tables.errors import UserError
from customer_tables.source import Source
from customer_tables.transaction_columns import recognise
from customer_tables.transactions import aggregate_lines
from segmentation.dataset import Dataset
from spark_engine.engine import Spark
from spark_engine.places import new_folder, readable
from spark_engine.sampling import Sample, draw_sample


@dataclass(frozen=True)
class Purchases:
    """What is read, and how.

    Attributes
    ----------
    place : str
        A file, folder or pattern; a path or a URL.
    source : Source or None
        What the columns are called; None where they are to be recognised.
    products : str
        The columns of products; empty without.
    delimiter, encoding, decimal, date_order : str
        What the files leave open.
    """

    place: str
    source: Source | None = None
    products: str = ""
    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""
    date_order: str = ""


@dataclass(frozen=True)
class Summed:
    """What came out."""

    sample: Sample
    source: Source
    changes: list[Change]


def purchases_of(dataset: Dataset, place: str = "", **options: str) -> Purchases:
    """Return the purchases of a known dataset, or others of the same form.

    Raises
    ------
    UserError
        If the dataset is one of customers.
    """
    origin = dataset.origin
    if origin.grain != "transaction":
        raise UserError(
            "the dataset has a row for each customer; there is nothing to sum up",
            where="[source] in dataset.toml",
            remedy='grain = "transaction" there, or go on with scoring',
        )
    products = str(dataset.locate(origin.products)) if origin.products else ""
    return Purchases(place or str(dataset.source_path), origin, products, **options)


def sum_up_on_spark(
    engine: Spark,
    purchases: Purchases,
    output: str,
    size: int,
    seed: int,
    say: Callable[[str], None] = lambda text: None,
) -> Summed:
    """Sum purchases up to customers, write them, and draw a sample.

    Parameters
    ----------
    engine : Spark
    purchases : Purchases
    output : str
        The folder of Parquet files to write; a path or a URL.
    size, seed : int
        Of the sample; see `draw_sample`.
    say : callable, optional
        Told what is done next.

    Raises
    ------
    UserError
        If the purchases cannot be read or understood, or nothing can be written.
    """
    with new_folder(output) as folder:
        say(f"Reading {purchases.place}")
        how = {"delimiter": purchases.delimiter, "encoding": purchases.encoding}
        name = Path(purchases.place).name or purchases.place
        file = engine.open(readable(purchases.place), "purchases_file", **how)
        products = None
        if purchases.products:
            products = engine.open(readable(purchases.products), "products_file")
        source = purchases.source or recognise(file.types)
        if source is None:
            raise UserError(
                "the columns of the purchases are not recognised",
                where=f"{name}: {', '.join(file.types)[:300]}",
                remedy="describe them under [source] in a dataset.toml and give it as --dataset",
            )
        options = Options(decimal=purchases.decimal, date_order=purchases.date_order)
        say("Summing up to customers")
        query, changes = aggregate_lines(engine.ask, file, source, options, name, products)
        engine.write(query, folder)
        engine.release()
        say("Drawing the sample")
        engine.open(folder, "everybody")
        sample = draw_sample(engine, "everybody", size, seed)
    return Summed(sample, source, [*file.changes, *changes])

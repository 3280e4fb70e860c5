"""Everybody scored where they are, by the query that the model is written as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from customer_tables.errors import UserError
from segmentation.dataset import match_columns
from segmentation.model import dataset_of
from segmentation.sql import write_query
from spark_engine.engine import Spark
from spark_engine.places import new_folder, readable

LIMIT = 4.0  # standard errors of a share in a sample that chance seldom exceeds


@dataclass(frozen=True)
class Scores:
    """Who was scored.

    Attributes
    ----------
    sizes : DataFrame, shape (n_segments,)
        By segment from 1 on: name, customers, share; trained, its share in training; standard
        errors between the two, where the training is a sample of everybody.
    customers, unscored, strangers : int
        All; those whose features cannot be computed; those unlike any in training.
    """

    sizes: pd.DataFrame
    customers: int
    unscored: int
    strangers: int


def score_on_spark(engine: Spark, model: dict[str, Any], place: str, output: str) -> Scores:
    """Write the segment of every customer.

    Parameters
    ----------
    engine : Spark
    model : dict
        As `load_model` gives it.
    place, output : str
        The customers, and the folder of Parquet files to write; paths or URLs.

    Raises
    ------
    UserError
        If customers lack a column, or nothing can be read or written.
    """
    with new_folder(output) as folder:
        file = engine.open(readable(place), "everybody")
        query = write_query(
            model, "spark", table="everybody", columns=_columns(model, list(file.types), place)
        )
        engine.write_spark(query, folder)
        engine.open(folder, "scored")
        counted = engine.ask(
            "SELECT segment, count(*), count(*) FILTER (stranger) FROM scored GROUP BY segment"
        )
    return _summary(model, counted)


def _columns(model: dict[str, Any], header: list[str], place: str) -> dict[str, str]:
    """Return what the file calls the model's columns."""
    dataset = dataset_of(model)
    names = {column: name for name, column in match_columns(header, dataset).items()}
    missing = [c.name for c in dataset.columns if c.required and c.name not in names]
    if missing:
        raise UserError(
            f"the customers have no column {', '.join(map(repr, missing[:5]))}",
            where=f"{place}: {', '.join(header)[:300]}",
            remedy=f"the model needs it; it was fitted on the dataset {model['dataset']!r}",
        )
    return names


def _summary(model: dict[str, Any], counted: list[tuple]) -> Scores:
    customers = sum(row[1] for row in counted)
    by_segment = {row[0]: row[1] for row in counted}
    unscored = by_segment.pop(None, 0)
    known = max(customers - unscored, 1)
    trained = pd.Series(model["reference"]["segments"], dtype=float)
    sizes = pd.DataFrame(
        {
            "name": [entry["name"] for entry in model["segments"]],
            "customers": [by_segment.get(entry["segment"], 0) for entry in model["segments"]],
        },
        index=pd.Index([entry["segment"] for entry in model["segments"]], name="segment"),
    )
    sizes["share"] = sizes["customers"] / known
    sizes["trained"] = (trained / trained.sum()).to_numpy()
    error = (sizes["trained"] * (1 - sizes["trained"]) / trained.sum()) ** 0.5
    sizes["errors"] = ((sizes["share"] - sizes["trained"]).abs() / error).fillna(0.0)
    return Scores(sizes, customers, unscored, sum(row[2] for row in counted))

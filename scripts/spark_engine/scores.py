"""Score all customers where they are stored, by the model's query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer_tables.errors import UserError
from segmentation.dataset import match_columns
from segmentation.model import dataset_of, load_model
from segmentation.sql import write_query
from spark_engine.engine import Spark, new_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LIMIT = 4.0  # standard errors of a share in a sample that chance seldom exceeds


def score(session: SparkSession, path: Path, place: str, output: str) -> None:
    """Write every customer's segment, and print how large the segments are.

    Parameters
    ----------
    session : SparkSession
    path : Path
        The model.json of a run.
    place, output : str
        The customers, and the folder of Parquet files to write; paths or URLs.

    Raises
    ------
    UserError
        If customers lack a column, or nothing can be read or written.
    """
    model, engine = load_model(path), Spark(session, place)
    with new_folder(output) as folder:
        file = engine.open(place, "everybody")
        columns = _columns(model, list(file.types), place)
        engine.write(write_query(model, "spark", table="everybody", columns=columns), folder)
        engine.open(folder, "scored")
        counted = engine.ask(
            "SELECT segment, count(*), count(*) FILTER (outlier) FROM scored GROUP BY segment"
        )
    _tell(model, counted, output)


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


def _tell(model: dict[str, Any], counted: list[tuple], output: str) -> None:
    """Print how large the segments are among all customers, and in training."""
    customers, outliers = (sum(row[place] for row in counted) for place in (1, 2))
    by_segment = {row[0]: row[1] for row in counted}
    unscored = by_segment.pop(None, 0)
    print(f"{customers:,} {model['nouns']} scored: {output}")
    trained = model["reference"]["segments"]
    for segment, before in zip(model["segments"], trained, strict=True):
        count = by_segment.get(segment["segment"], 0)
        share, expected = count / max(customers - unscored, 1), before / sum(trained)
        error = (expected * (1 - expected) / sum(trained)) ** 0.5
        apart = abs(share - expected) / error if error else 0.0
        odd = f"  {apart:.0f} standard errors apart" if apart > LIMIT else ""
        print(
            f"  {segment['segment']} {segment['name']}: {count:,} ({share:.1%};"
            f" {expected:.1%} in training){odd}"
        )
    if unscored:
        print(f"{unscored:,} have no segment: a feature of theirs cannot be computed.")
    if outliers:
        where = "farther from their segment's centre than 99.9% of its training customers"
        print(f"{outliers:,} are {where} (column outlier).")

"""The fitted segmentation as plain numbers: model.json, and assigning customers by it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segmentation import cleaning
from segmentation.dataset import Column, Dataset, Feature, Rule
from segmentation.errors import InputError
from segmentation.features import Preparation, build_features
from segmentation.kmeans import distances
from segmentation.profiling import assignment_confidence
from segmentation.workspace import to_plain

VERSION = 1


def build_model(
    dataset: Dataset,
    fills: dict[str, float],
    preparation: Preparation,
    centres: np.ndarray,
    segments: list[dict[str, Any]],
) -> dict[str, Any]:
    """Collect all that assigning a customer needs.

    Parameters
    ----------
    fills : dict of str to float
        What fills a gap in each column.
    centres : ndarray, shape (k, n_features)
        In the standardised space of ``preparation``.
    segments : list of dict
        Number, name and slug of each segment, in the order of the centres.
    """
    content = {
        "version": VERSION,
        "dataset": dataset.name,
        "columns": [_plain_column(column) for column in dataset.columns],
        "rules": [asdict(rule) for rule in dataset.rules],
        "fills": fills,
        "features": [asdict(f) for f in dataset.features_with("segment")],
        "preparation": preparation.to_dict(),
        "assignment": "nearest centre, Euclidean distance in the prepared space",
        "centres": centres,
        "segments": segments,
    }
    content = to_plain(content)
    return content | {"checksum": checksum(content)}


def _plain_column(column: Column) -> dict[str, Any]:
    """Write a column with an unlimited end of its valid range as None."""
    limits = [None if math.isinf(limit) else limit for limit in column.valid]
    return asdict(column) | {"valid": limits}


def checksum(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a model's content without its checksum."""
    kept = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load_model(path: Path) -> dict[str, Any]:
    """Read a model.json and refuse one that is damaged or of another version.

    Raises
    ------
    InputError
        If the file is absent or no JSON, its checksum differs, or its version is unknown.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, computed, version = content["checksum"], checksum(content), content["version"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path.name} is no model: {error}", where=str(path), remedy="run the notebooks again"
        ) from None
    if found != computed:
        raise InputError(
            f"{path.name} was changed after it was written (its checksum differs)",
            where=str(path),
            remedy="run the notebooks again, or restore the file",
        )
    if version != VERSION:
        raise InputError(
            f"{path.name} has version {version}, and this program reads {VERSION}",
            where=str(path),
            remedy="run the notebooks again",
        )
    return content


def assign_customers(model: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """Clean new customers as the training table was and find their segments.

    Parameters
    ----------
    table : DataFrame
        As `read_table` gives it.

    Returns
    -------
    DataFrame, indexed by customer
        As `assignment_confidence`, with the segment's name.
    """
    dataset = _dataset_of(model)
    for step in (
        cleaning.select_columns, partial(cleaning.index_customers, fewest=1),
        cleaning.check_types, cleaning.apply_valid_ranges, cleaning.apply_rules,
    ):  # fmt: skip
        table = step(table, dataset).customers
    table = table.fillna(model["fills"])
    matrix = Preparation.from_dict(model["preparation"]).transform(build_features(table, dataset))
    found = assignment_confidence(distances(matrix.to_numpy(), np.array(model["centres"])))
    names = {entry["segment"]: entry["name"] for entry in model["segments"]}
    return found.set_axis(table.index).assign(segment_name=lambda t: t["segment"].map(names))


def _dataset_of(model: dict[str, Any]) -> Dataset:
    """Rebuild the part of the dataset that scoring needs from a model."""
    columns = []
    for entry in model["columns"]:
        low, high = entry["valid"]
        limits = (-math.inf if low is None else low, math.inf if high is None else high)
        columns.append(Column(**entry | {"valid": limits, "found_as": tuple(entry["found_as"])}))
    return Dataset(
        name=model["dataset"],
        folder=Path(),
        title=model["dataset"],
        columns=tuple(columns),
        rules=tuple(Rule(**rule) for rule in model["rules"]),
        features=tuple(Feature(**feature) for feature in model["features"]),
    )

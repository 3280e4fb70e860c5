"""The fitted segmentation as plain numbers: model.json."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastjsonschema
import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from customer_tables.storage import checksum, to_plain
from segmentation.assignment import OUTLIER_QUANTILE, assign, distances, outlier_distances
from segmentation.dataset import SUMMED_UP, Column, Dataset, Feature, Rule
from segmentation.features import Preparation
from segmentation.reference import describe_training

VERSION = 2
SCHEMA = Path(__file__).with_name("model.schema.json")


def build_model(
    dataset: Dataset,
    fills: dict[str, float],
    preparation: Preparation,
    centres: np.ndarray,
    segments: list[dict[str, Any]],
    training: tuple[pd.DataFrame, pd.DataFrame],
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
    training : tuple of DataFrame
        The training customers' features in real units, and their columns of numbers as they were
        read: what later periods are held against.
    """
    features, as_read = training
    names = [step.name for step in preparation.steps]
    matrix = preparation.transform(features).to_numpy()
    assigned = assign(distances(matrix, np.asarray(centres)).T)
    content = {
        "version": VERSION,
        "dataset": dataset.name,
        "title": dataset.title,
        "noun": dataset.noun,
        "nouns": dataset.nouns,
        "columns": [_plain_column(column) for column in dataset.columns],
        "rules": [asdict(rule) for rule in dataset.rules],
        "fills": fills,
        "features": [asdict(f) for f in dataset.features_with("segment")],
        "preparation": preparation.to_dict(),
        "assignment": "nearest centre, Euclidean distance in the prepared space",
        "centres": centres,
        "segments": segments,
        "strangers": {
            "quantile": OUTLIER_QUANTILE,
            "distances": outlier_distances(assigned, len(centres)),
        },
        "reference": describe_training(features, names, as_read, pd.Series(assigned["segment"])),
    }
    content = to_plain(content)
    return content | {"checksum": checksum(content)}


def _plain_column(column: Column) -> dict[str, Any]:
    """Write a column with an unlimited end of its valid range as None."""
    limits = [None if math.isinf(limit) else limit for limit in column.valid]
    return asdict(column) | {"valid": limits}


def load_model(path: Path) -> dict[str, Any]:
    """Read a model.json and refuse one that is damaged or of another version.

    Raises
    ------
    UserError
        If the file is absent or no JSON, its checksum differs, or its version is unknown.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, computed, version = content["checksum"], checksum(content), content["version"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refusal(path, f"is no model: {error}") from None
    if found != computed:
        problem = "was changed after it was written (its checksum differs)"
        raise _refusal(path, problem, "run the notebooks again, or restore the file")
    if version != VERSION:
        raise _refusal(path, f"has version {version}, and this program reads {VERSION}")
    try:
        fastjsonschema.validate(json.loads(SCHEMA.read_text(encoding="utf-8")), content)
        problem = _disagreement(content)
    except fastjsonschema.JsonSchemaValueException as error:
        problem = error.message[:200].replace("data", "model", 1)
    if problem:
        raise _refusal(path, f"is not as its schema says: {problem}")
    return content


def _refusal(path: Path, problem: str, remedy: str = "run the notebooks again") -> UserError:
    return UserError(f"{path.name} {problem}", where=str(path), remedy=remedy)


def _disagreement(content: dict[str, Any]) -> str:
    """Say where two parts of a model have different lengths or names; empty where none do."""
    steps = [step["name"] for step in content["preparation"]["steps"]]
    k, reference = len(content["segments"]), content["reference"]
    lengths = {
        "centres": len(content["centres"]),
        "strangers": len(content["strangers"]["distances"]),
        "reference.segments": len(reference["segments"]),
    }
    for name, length in lengths.items():
        if length != k:
            return f"{name} has {length} entries for {k} segments"
    if any(len(centre) != len(steps) for centre in content["centres"]):
        return f"a centre has not one number for each of {len(steps)} features"
    if not set(steps) <= {feature["name"] for feature in content["features"]}:
        return "preparation names a feature that has no formula"
    if [entry["name"] for entry in reference["features"]] != steps:
        return "reference and preparation name different features"
    for entry in reference["features"]:
        if len(entry["shares"]) != len(entry["edges"]) + 1:
            return f"the bins of {entry['name']!r} have not one share each"
    return ""


def dataset_of(model: dict[str, Any]) -> Dataset:
    """Rebuild the part of the dataset that scoring needs from a model."""
    summed_up = set(SUMMED_UP) <= {entry["name"] for entry in model["columns"]}
    columns = []
    for entry in model["columns"]:
        low, high = entry["valid"]
        limits = (-math.inf if low is None else low, math.inf if high is None else high)
        # What notebook 01 sums up has the identifier's name of all its tables.
        more = ["customer"] if summed_up and entry["kind"] == "id" else []
        columns.append(Column(**entry | {"valid": limits, "found_as": entry["found_as"] + more}))
    return Dataset(
        name=model["dataset"],
        title=model["dataset"],
        columns=tuple(columns),
        rules=tuple(Rule(**rule) for rule in model["rules"]),
        features=tuple(Feature(**feature) for feature in model["features"]),
    )

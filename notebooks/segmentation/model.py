"""The fitted segmentation as plain numbers: model.json."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastjsonschema
import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from customer_tables.storage import checksum, to_plain
from segmentation.assignment import OUTLIER_QUANTILE, assign, distances, outlier_distances
from segmentation.dataset import AGGREGATED, Column, Dataset, Feature, Rule
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.features import Preparation

VERSION = 3
BINS = 10  # of equally many training customers, as far as equal values allow
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

    The centres, shape (k, n_features), are in the standardised space of ``preparation``; `segments`
    have a number, name and slug each, in their order. `training` are the training customers'
    features in real units, and their columns of numbers as they were read: for comparison with
    later periods.
    """
    features, as_read = training
    matrix = preparation.transform(features).to_numpy()
    assigned = assign(distances(matrix, np.asarray(centres)).T)
    names = [step.name for step in preparation.steps]
    content = {
        "version": VERSION,
        "dataset": dataset.name,
        "title": dataset.title,
        "noun": dataset.noun,
        "nouns": dataset.nouns,
        "columns": [
            {key: entry for key, entry in asdict(c).items() if key not in ("role", "before")}
            | {"valid": [None if math.isinf(end) else end for end in c.valid]}
            | ({"before": str(c.before)} if c.before else {})
            for c in dataset.columns
        ],
        "rules": [asdict(rule) for rule in dataset.rules],
        "fills": fills,
        "features": [asdict(f) for f in dataset.features_with("segment")],
        "preparation": preparation.to_dict(),
        "assignment": "nearest centre, Euclidean distance in the prepared space",
        "centres": centres,
        "segments": segments,
        "outliers": {
            "quantile": OUTLIER_QUANTILE,
            "distances": outlier_distances(assigned, len(centres)),
        },
        "reference": describe_training(features, names, as_read, pd.Series(assigned["segment"])),
    }
    content = to_plain(content)
    return content | {"checksum": checksum(content)}


def load_model(path: Path) -> dict[str, Any]:
    """Read a model.json; UserError if it is no model, was changed or is of another version."""
    problem, remedy = "", "run the notebooks again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["checksum"] != checksum(content):
            problem = "was changed after it was written (its checksum differs)"
            remedy += ", or restore the file"
        elif content["version"] != VERSION:
            problem = f"has version {content['version']}, and this program reads {VERSION}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"is no model: {error}"
    if not problem:
        try:
            fastjsonschema.validate(json.loads(SCHEMA.read_text(encoding="utf-8")), content)
            disagreements = _disagreements(content)
        except fastjsonschema.JsonSchemaValueException as error:
            disagreements = [error.message[:200].replace("data", "model", 1)]
        problem = "".join(f"is not as its schema says: {text}" for text in disagreements[:1])
    if problem:
        raise UserError(f"{path.name} {problem}", where=str(path), remedy=remedy)
    return content


def _disagreements(content: dict[str, Any]) -> list[str]:
    """Say where parts of a model that belong together have different lengths or names."""
    steps = [step["name"] for step in content["preparation"]["steps"]]
    k, reference = len(content["segments"]), content["reference"]
    lengths = {
        "centres": len(content["centres"]),
        "outliers": len(content["outliers"]["distances"]),
        "reference.segments": len(reference["segments"]),
    }
    found = {f"{name} has {n} entries for {k} segments": n != k for name, n in lengths.items()}
    found[f"a centre has not one number for each of {len(steps)} features"] = any(
        len(centre) != len(steps) for centre in content["centres"]
    )
    formulas = {feature["name"] for feature in content["features"]}
    found["preparation names a feature that has no formula"] = not set(steps) <= formulas
    named = [entry["name"] for entry in reference["features"]]
    found["reference and preparation name different features"] = named != steps
    for entry in reference["features"]:
        bins_differ = len(entry["shares"]) != len(entry["edges"]) + 1
        found[f"the bins of {entry['name']!r} have not one share each"] = bins_differ
    return [text for text, differs in found.items() if differs]


def dataset_of(model: dict[str, Any]) -> Dataset:
    """Rebuild the part of the dataset that scoring needs from a model."""
    aggregated = set(AGGREGATED) <= {entry["name"] for entry in model["columns"]}
    columns = []
    for entry in model["columns"]:
        low, high = entry["valid"]
        limits = (-math.inf if low is None else low, math.inf if high is None else high)
        # What notebook 01 aggregates has the identifier's name of all its tables.
        more = ["customer"] if aggregated and entry["kind"] == "id" else []
        columns.append(Column(**entry | {"valid": limits, "found_as": entry["found_as"] + more}))
    return Dataset(
        name=model["dataset"],
        title=model["dataset"],
        columns=tuple(columns),
        rules=tuple(Rule(**rule) for rule in model["rules"]),
        features=tuple(Feature(**feature) for feature in model["features"]),
    )


# --- the training customers in a few numbers, for comparison with later periods -------------------


def describe_training(
    features: pd.DataFrame, names: list[str], as_read: pd.DataFrame, segments: pd.Series
) -> dict[str, Any]:
    """Count the training customers by segment and by bins of the named features, in real units.

    And how many values of each column of numbers are not zero, with their quartiles where they are
    enough: `as_read`, before ranges and rules touched them, because there a change of unit shows.
    """
    columns, bins = [], []
    for name, values in as_read.to_dict("series").items():
        values = values[np.isfinite(values) & (values != 0)].to_numpy(float)
        enough = len(values) >= MIN_GROUP_SIZE
        quartiles = np.quantile(values, [0.25, 0.5, 0.75]).tolist() if enough else None
        columns.append({"name": name, "values": len(values), "quartiles": quartiles})
    for name in names:
        values = features[name].to_numpy(float)
        edges = bin_edges(values)
        shares = bin_counts(values, edges) / len(values)
        bins.append({"name": name, "edges": edges.tolist(), "shares": shares.tolist()})
    sizes = segments.value_counts().sort_index().tolist()
    return {"customers": len(features), "segments": sizes, "features": bins, "columns": columns}


def bin_edges(values: np.ndarray) -> np.ndarray:
    """Return the inner edges of bins that hold about equally many values.

    A value that very many customers share, such as zero, has a bin of its own.
    """
    inner = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    return inner[inner < values.max()]  # the last bin must not be empty


def bin_counts(values: np.ndarray, edges: Sequence[float] | np.ndarray) -> np.ndarray:
    """Count values in bins; each bin holds its upper edge, and the last one has none."""
    above = [len(values) - np.count_nonzero(values <= edge) for edge in edges]
    return -np.diff([len(values), *above, 0])

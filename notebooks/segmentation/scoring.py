"""A fitted model applied to customers.

The steps are those of the notebooks: ranges, rules, gaps, formulas, transforms, distances. A
customer's result does not depend on the customers beside.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.changes import Change
from segmentation import cleaning
from segmentation.assignment import OUTLIER, assignment_confidence, distances
from segmentation.dataset import Column, Dataset
from segmentation.expressions import columns_of, evaluate, parse
from segmentation.features import Preparation, build_features
from segmentation.model import dataset_of
from segmentation.rules import Repair, fill_repair, range_repairs, rule_repairs


@dataclass(frozen=True)
class Scored:
    """What scoring finds out about customers.

    Attributes
    ----------
    assigned : DataFrame, indexed by customer
        As `segmentation.assignment.assign`, the segment's name, and ``outlier``: whether the
        customer is farther from the centre than nearly all of the segment in training.
    features : DataFrame, indexed by customer
        In real units.
    as_read : DataFrame, indexed by customer
        The columns of numbers before ranges and rules.
    changes : list of Change
        What cleaning did.
    """

    assigned: pd.DataFrame
    features: pd.DataFrame
    as_read: pd.DataFrame
    changes: list[Change]


class Scorer:
    """A model, as `segmentation.model.load_model` gives it, made ready."""

    def __init__(self, model: dict[str, Any]) -> None:
        self.model, self.dataset = model, dataset_of(model)
        self.names = {entry["segment"]: entry["name"] for entry in model["segments"]}
        self._repairs = sum(repairs_by_step(model, self.dataset).values(), start=[])
        self._preparation = Preparation.from_dict(model["preparation"])
        self._centres = np.array(model["centres"])
        self._limits = np.array(model["outliers"]["distances"])

    def score(self, typed: pd.DataFrame) -> Scored:
        """Score customers that are one row each, indexed, with numbers where numbers belong.

        Raises
        ------
        UserError
            If a feature is not finite for some customer.
        """
        cleaned = cleaning.repaired(typed, self._repairs)
        features = build_features(cleaned.customers, self.dataset)
        matrix = self._preparation.transform(features).to_numpy()
        assigned = assignment_confidence(distances(matrix, self._centres)).set_axis(typed.index)
        assigned["segment_name"] = assigned["segment"].map(self.names)
        limits = self._limits[assigned["segment"].to_numpy() - 1]
        own = {"nearest": assigned["distance"].to_numpy(), "limit": limits}
        assigned["outlier"] = evaluate(OUTLIER, own)
        numeric = [c.name for c in self.dataset.columns if c.is_numeric and c.name in typed]
        return Scored(assigned, features, typed[numeric], cleaned.changes)


def score_customers(model: dict[str, Any], table: pd.DataFrame) -> Scored:
    """Clean new customers, as `read_table` gives them, and find their segments."""
    scorer = Scorer(model)
    selected = cleaning.select_columns(table, scorer.dataset)
    indexed = cleaning.index_customers(selected.customers, scorer.dataset, least=1)
    typed = cleaning.check_types(indexed.customers, scorer.dataset)
    scored = scorer.score(typed.customers)
    changes = selected.changes + indexed.changes + typed.changes + scored.changes
    return replace(scored, changes=changes)


def assign_customers(model: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """Find the segments of new customers, as `score_customers`; return `Scored.assigned`."""
    return score_customers(model, table).assigned


# --- the same steps as formulas, for other programs -----------------------------------------------


def columns_read(dataset: Dataset) -> list[Column]:
    """Return the columns that assigning a customer reads: those of features and of fills."""
    formulas = [f.formula for f in dataset.features] + [r.when for r in dataset.rules if r.when]
    used = frozenset().union(*map(columns_of, formulas))
    return [column for column in dataset.columns if column.name in used]


def repairs_by_step(model: dict[str, Any], dataset: Dataset) -> dict[str, list[Repair]]:
    """Return all that cleaning does to a model's customers, by the steps in which it is done."""
    rules = {f"rule_{n}": [r] for n, r in enumerate(rule_repairs(dataset.rules), start=1)}
    fills = [fill_repair(name, fill) for name, fill in model["fills"].items()]
    return {"valid": range_repairs(dataset.columns)} | rules | {"complete": fills}


def preparing_steps(
    model: dict[str, Any], dataset: Dataset
) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield the steps from a customer's columns to standardised features, as `Scorer` takes them.

    Rules that change nothing are left out.

    Yields
    ------
    str, dict of str to ast.expr
        The step's name and the formulas of its columns over those of the step before: valid ranges,
        rules, gaps, features in real units and, last, the coordinates of the centres.
    """
    known = kept(column.name for column in columns_read(dataset))
    for name, repairs in repairs_by_step(model, dataset).items():
        changed = {r.column: r.formula for r in repairs if r.formula and r.column in known}
        if changed or not name.startswith("rule"):
            yield name, known | changed
    scaled = Preparation.from_dict(model["preparation"]).steps
    yield "features", {step.name: parse(dataset.feature(step.name).formula) for step in scaled}
    yield "scaled", {step.name: step.formula for step in scaled}


def kept(names: Iterable[str]) -> dict[str, ast.expr]:
    """Return the formulas of columns that a step leaves as they are."""
    return {name: ast.Name(name) for name in names}

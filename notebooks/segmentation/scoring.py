"""A fitted model applied to customers, a block of them at a time.

The steps are those of the notebooks: ranges, rules, gaps, formulas, transforms, distances. A
customer's result does not depend on the customers beside, nor on the size of the blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.changes import Change
from segmentation import cleaning
from segmentation.assignment import assign, block_distances
from segmentation.dataset import Dataset
from segmentation.expressions import evaluate
from segmentation.features import Preparation, count_non_finite, reject_non_finite
from segmentation.model import dataset_of
from segmentation.rules import fill_repair, range_repairs, rule_repairs

BLOCK = 16_384  # customers; their columns stay in the cache


@dataclass(frozen=True)
class Applied:
    """What a model says about n customers.

    Attributes
    ----------
    assigned : dict of str to ndarray, shape (n,)
        As `segmentation.assignment.assign`, and ``stranger``: whether the customer is an outlier,
        outside the range of the training customers.
    features : dict of str to ndarray, shape (n,)
        In real units; none where they were looked at block by block.
    changes : list of Change
        What ranges, rules and gaps made necessary.
    """

    assigned: dict[str, np.ndarray]
    features: dict[str, np.ndarray]
    changes: list[Change]


class Applier:
    """A model made ready.

    Parameters
    ----------
    model : dict
        As `segmentation.model.load_model` gives it.
    dataset : Dataset
        As `segmentation.model.dataset_of` gives it.
    """

    def __init__(self, model: dict[str, Any], dataset: Dataset) -> None:
        fills = [fill_repair(name, fill) for name, fill in model["fills"].items()]
        self._repairs = range_repairs(dataset.columns) + rule_repairs(dataset.rules) + fills
        self._features = dataset.features
        self._steps = Preparation.from_dict(model["preparation"]).steps
        self._centres = np.array(model["centres"])
        self._limits = np.array(model["strangers"]["distances"])

    def apply(
        self,
        columns: Mapping[str, np.ndarray],
        count: int,
        look: Callable[[dict[str, np.ndarray]], None] | None = None,
    ) -> Applied:
        """Find the segments of customers.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (count,)
            As they were read; numbers as float64.
        count : int
            How many customers there are.
        look : callable, optional
            Gets the features of a block of customers after the other, which then are not kept.

        Raises
        ------
        UserError
            If a feature is not finite for some customer.
        """
        assigned: dict[str, np.ndarray] = {}
        features: dict[str, np.ndarray] = {}
        repaired: Counter[int] = Counter()
        non_finite: Counter[str] = Counter()
        for first in range(0, max(count, 1), BLOCK):
            part = slice(first, min(first + BLOCK, count))
            block = {name: values[part] for name, values in columns.items()}
            for place, repair in enumerate(self._repairs):
                repaired[place] += repair.apply(block)
            found = {f.name: evaluate(f.formula, block).astype(float) for f in self._features}
            non_finite.update({name: count_non_finite(found[name]) for name in found})
            if not non_finite.total():  # else refused when all customers have been looked at
                _store(self._assign(found), part, assigned, count)
            if look:
                look(found)
            else:
                _store(found, part, features, count)
        for feature in self._features:
            reject_non_finite(feature, non_finite[feature.name])
        changes = [repair.change(repaired[place]) for place, repair in enumerate(self._repairs)]
        return Applied(assigned, features, [change for change in changes if change.rows])

    def _assign(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        matrix = np.stack([evaluate(step.formula, features) for step in self._steps])
        found = assign(block_distances(matrix, self._centres))
        return found | {"stranger": found["distance"] > self._limits[found["segment"] - 1]}


def _store(
    block: dict[str, np.ndarray], part: slice, whole: dict[str, np.ndarray], count: int
) -> None:
    """Write the columns of a block into their places."""
    for name, values in block.items():
        if name not in whole:
            whole[name] = np.empty(count, values.dtype)
        whole[name][part] = values


@dataclass(frozen=True)
class Scored:
    """What scoring finds out about customers.

    Attributes
    ----------
    assigned : DataFrame, indexed by customer
        As `Applied.assigned`, with the segment's name.
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


def assign_customers(model: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """Find the segments of new customers, as `score_customers`; return `Scored.assigned`."""
    return score_customers(model, table).assigned


def segments_again(model: dict[str, Any], customers: pd.DataFrame) -> pd.Series:
    """Find the segments of the training customers as those of new ones are found.

    Parameters
    ----------
    customers : DataFrame, indexed by customer
        Cleaned; what the model does to new customers leaves them as they are.

    Returns
    -------
    Series of int, indexed by customer
    """
    columns = {name: customers[name].to_numpy() for name in customers}
    applier = Applier(model, dataset_of(model))
    found = applier.apply(columns, len(customers), look=lambda features: None)  # keep none of them
    return pd.Series(found.assigned["segment"], customers.index, name="segment")


def score_customers(model: dict[str, Any], table: pd.DataFrame) -> Scored:
    """Clean new customers as the training table was, and find their segments.

    Parameters
    ----------
    table : DataFrame
        As `read_table` gives it.
    """
    dataset = dataset_of(model)
    selected = cleaning.select_columns(table, dataset)
    indexed = cleaning.index_customers(selected.customers, dataset, least=1)
    typed = cleaning.check_types(indexed.customers, dataset)
    scored = score_typed(model, dataset, typed.customers)
    changes = selected.changes + indexed.changes + typed.changes + scored.changes
    return replace(scored, changes=changes)


def score_typed(model: dict[str, Any], dataset: Dataset, typed: pd.DataFrame) -> Scored:
    """Score customers that are one row each, indexed, with numbers where numbers belong.

    Parameters
    ----------
    dataset : Dataset
        As `dataset_of` gives it.
    typed : DataFrame, indexed by customer
    """
    columns = {name: typed[name].to_numpy() for name in typed.columns}
    found = Applier(model, dataset).apply(columns, len(typed))
    names = {entry["segment"]: entry["name"] for entry in model["segments"]}
    assigned = pd.DataFrame(found.assigned, index=typed.index)
    assigned.insert(5, "segment_name", assigned["segment"].map(names))
    numeric = [c.name for c in dataset.columns if c.is_numeric and c.name in typed]
    features = pd.DataFrame(found.features, index=typed.index)
    return Scored(assigned, features, typed[numeric], found.changes)

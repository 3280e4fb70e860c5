"""A fitted model applied to columns of numbers, a block of customers at a time.

The steps are those of the notebooks: ranges, rules, gaps, formulas, transforms, distances. A
customer's result does not depend on the customers beside, nor on the size of the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from customer_tables.changes import Change
from segmentation import cleaning
from segmentation.assignment import distance_ratio, fill_distances, nearest_two
from segmentation.dataset import Dataset
from segmentation.expressions import evaluate_columns
from segmentation.features import LARGEST, Preparation, refuse_endless

BLOCK = 16_384  # customers; their columns stay in the cache


@dataclass(frozen=True)
class Applied:
    """What a model says about n customers.

    Attributes
    ----------
    segment, second_choice : ndarray of int64, shape (n,)
        From 1.
    distance, ratio : ndarray of float64, shape (n,)
        To the nearest centre, and as a part of that to the second nearest.
    stranger : ndarray of bool, shape (n,)
    features : dict of str to ndarray, shape (n,)
        In real units; none where they were looked at block by block.
    changes : list of Change
        What ranges, rules and gaps made necessary.
    """

    segment: np.ndarray
    second_choice: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray
    stranger: np.ndarray
    features: dict[str, np.ndarray]
    changes: list[Change] = field(default_factory=list)

    @property
    def confidence(self) -> np.ndarray:
        """1 at a centre, 0 on the border between two segments."""
        return 1 - self.ratio


@dataclass(frozen=True)
class Applier:
    """A model made ready.

    Parameters
    ----------
    model : dict
        As `segmentation.model.load_model` gives it.
    dataset : Dataset
        As `segmentation.model.dataset_of` gives it.
    """

    model: dict[str, Any]
    dataset: Dataset

    @cached_property
    def _preparation(self) -> Preparation:
        return Preparation.from_dict(self.model["preparation"])

    @cached_property
    def _centres(self) -> np.ndarray:
        return np.array(self.model["centres"])

    @cached_property
    def _limits(self) -> np.ndarray:
        return np.array(self.model["strangers"]["distances"])

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
        kept = count if look is None else min(count, BLOCK)
        features = {f.name: np.empty(kept) for f in self.dataset.features}
        whole = Applied(
            *(np.empty(count, np.int64) for _ in range(2)),
            *(np.empty(count) for _ in range(2)),
            np.empty(count, bool),
            features,
        )
        counts = _Counts()
        for first in range(0, count, BLOCK):
            part = slice(first, min(first + BLOCK, count))
            block = {name: values[part] for name, values in columns.items()}
            shown = part if look is None else slice(0, part.stop - part.start)
            found = {name: values[shown] for name, values in features.items()}
            self._apply_block(block, found, whole, part, counts)
            if look is not None:
                look(found)
        for name, rows in counts.endless.items():
            if rows:
                refuse_endless(self.dataset.feature(name), rows)
        whole.changes.extend(self._changes(counts))
        return whole if look is None else replace(whole, features={})

    def _apply_block(
        self,
        columns: dict[str, np.ndarray],
        features: dict[str, np.ndarray],
        whole: Applied,
        part: slice,
        counts: _Counts,
    ) -> None:
        """Fill features and the places of `whole` from columns, which are cleaned."""
        self._clean(columns, counts)
        size = part.stop - part.start
        for feature in self.dataset.features:
            values = features[feature.name]
            values[:] = evaluate_columns(feature.formula, columns)
            if not (-LARGEST < values.min() and values.max() < LARGEST):
                finite = np.abs(values) < LARGEST
                counts.add(counts.endless, feature.name, size - int(np.count_nonzero(finite)))
        if any(counts.endless.values()):
            return  # refused when all customers have been looked at
        matrix = np.empty((len(self._preparation.steps), size))
        for row, step in zip(matrix, self._preparation.steps, strict=True):
            row[:] = step.apply(features[step.name])
        found = np.empty((len(self._centres), size))
        fill_distances(matrix, self._centres, found)
        segment, near, second_choice, second = nearest_two(found)
        np.greater(near, self._limits[segment], out=whole.stranger[part])
        np.add(segment, 1, out=whole.segment[part])
        np.add(second_choice, 1, out=whole.second_choice[part])
        whole.distance[part], whole.ratio[part] = near, distance_ratio(near, second)

    def _clean(self, columns: dict[str, np.ndarray], counts: _Counts) -> None:
        """Handle ranges, rules and gaps of a block, in place of its columns."""
        for column in self.dataset.columns:
            if column.is_numeric and column.name in columns:
                columns[column.name], rows = cleaning.limit(columns[column.name], column)
                counts.add(counts.limited, column.name, rows)
        for number, rule in enumerate(self.dataset.rules):
            concerned = cleaning.concerned_rows(rule, columns)
            rows = int(np.count_nonzero(concerned))
            counts.add(counts.ruled, number, rows)
            if rows and rule.column:
                columns[rule.column] = np.where(concerned, rule.fill, columns[rule.column])
        for name, fill in self.model["fills"].items():
            if name in columns and columns[name].dtype == np.float64:
                gaps = np.isnan(columns[name])
                rows = int(np.count_nonzero(gaps))
                counts.add(counts.filled, name, rows)
                if rows:
                    columns[name] = np.where(gaps, fill, columns[name])

    def _changes(self, counts: _Counts) -> list[Change]:
        known = {column.name: column for column in self.dataset.columns}
        fills = self.model["fills"]
        ranged = [cleaning.limit_change(known[n], r) for n, r in counts.limited.items() if r]
        ruled = [
            cleaning.rule_change(self.dataset.rules[i], r) for i, r in counts.ruled.items() if r
        ]
        filled = [
            Change("missing value", name, rows, f"filled as in training, {fills[name]:,.2f}")
            for name, rows in counts.filled.items()
            if rows
        ]
        return ranged + ruled + filled


@dataclass(frozen=True)
class _Counts:
    """How many customers each step concerned."""

    limited: dict[str, int] = field(default_factory=dict)
    ruled: dict[int, int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    endless: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def add(counts: dict, key: str | int, rows: int) -> None:
        """Add rows to one of the counts."""
        counts[key] = counts.get(key, 0) + rows

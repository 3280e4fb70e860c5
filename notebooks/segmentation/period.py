"""A period in numbers that add up: what is known of the customers without keeping them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.reference import bin_counts
from segmentation.scoring import Scored

STEPS = 128  # of a power of two: values are counted to half a percent
LOWEST, HIGHEST = -40, 60  # powers of two between which they are counted


@dataclass
class Period:
    """Counts of scored customers, to be compared with those of the training.

    Attributes
    ----------
    model : dict
    segments : ndarray of int, shape (k,)
    strangers : ndarray of int, shape (k,)
    features : dict of str to ndarray
        Customers in each of the reference's bins.
    sizes : dict of str to ndarray
        For each column of numbers the values above zero, in steps of half a percent.
    """

    model: dict[str, Any]

    def __post_init__(self) -> None:
        """Begin with nobody."""
        k, reference = len(self.model["segments"]), self.model["reference"]
        self.segments, self.strangers = np.zeros(k, np.int64), np.zeros(k, np.int64)
        self.features = {
            entry["name"]: np.zeros(len(entry["shares"]), np.int64)
            for entry in reference["features"]
        }
        steps = (HIGHEST - LOWEST) * STEPS
        self.sizes = {entry["name"]: np.zeros(steps, np.int64) for entry in reference["columns"]}

    @property
    def customers(self) -> int:
        """How many customers have been counted."""
        return int(self.segments.sum())

    def add(self, scored: Scored) -> None:
        """Count some customers."""
        self.add_columns(
            scored.assigned["segment"].to_numpy(),
            scored.assigned["stranger"].to_numpy(),
            {name: scored.features[name].to_numpy() for name in scored.features},
            {name: scored.as_read[name].to_numpy() for name in scored.as_read},
        )

    def add_columns(
        self,
        segment: np.ndarray,
        stranger: np.ndarray,
        features: Mapping[str, np.ndarray],
        as_read: Mapping[str, np.ndarray],
    ) -> None:
        """Count some customers by their columns, shape (n,) each; segments from 1."""
        self.add_features(features)
        self.add_others(segment, stranger, as_read)

    def add_features(self, features: Mapping[str, np.ndarray]) -> None:
        """Count some customers by their features alone; the rest is for `add_others`."""
        for entry in self.model["reference"]["features"]:
            self.features[entry["name"]] += bin_counts(features[entry["name"]], entry["edges"])

    def add_others(
        self, segment: np.ndarray, stranger: np.ndarray, as_read: Mapping[str, np.ndarray]
    ) -> None:
        """Count some customers by all but their features."""
        k = len(self.segments)
        self.segments += np.bincount(segment - 1, minlength=k)
        self.strangers += np.bincount(segment[stranger] - 1, minlength=k)
        for name, counts in self.sizes.items():
            if name in as_read:
                counts += np.bincount(_steps(as_read[name]), minlength=len(counts))

    def merge(self, other: Period) -> None:
        """Add the counts of another part of the same period."""
        self.segments += other.segments
        self.strangers += other.strangers
        for name, counts in self.features.items():
            counts += other.features[name]
        for name, counts in self.sizes.items():
            counts += other.sizes[name]

    def shares_below(self, column: str, value: float) -> tuple[float, float]:
        """Return the shares of a column's values above zero that lie below a value, and up to it.

        What lies in the same step as the value counts as equal to it.
        """
        counts = self.sizes[column]
        (step,) = _steps(np.array([value]))
        below, equal = counts[:step].sum(), counts[step]
        return float(below / counts.sum()), float((below + equal) / counts.sum())

    def quartiles(self, column: str) -> np.ndarray | None:
        """Return the quartiles of a column's values above zero, to half a percent, if any."""
        counts = self.sizes[column]
        if not counts.sum():
            return None
        places = np.searchsorted(np.cumsum(counts) / counts.sum(), [0.25, 0.5, 0.75])
        return 2.0 ** ((places + 0.5) / STEPS + LOWEST)


def _steps(values: np.ndarray) -> np.ndarray:
    """Return the steps of values above zero, from 0; others have none, nor have gaps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = (np.log2(values) - LOWEST) * STEPS
    return steps[(steps >= 0) & (steps < (HIGHEST - LOWEST) * STEPS)].astype(np.int64)

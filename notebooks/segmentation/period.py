"""Totals of a period, from which drift is computed without keeping the customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.reference import bin_counts

if TYPE_CHECKING:  # scoring stands above, and only its result is named here
    from segmentation.scoring import Scored

STEPS = 128  # of a power of two: values are counted to half a percent
LOWEST, HIGHEST = -40, 60  # powers of two between which they are counted


class Period:
    """Counts of scored customers, to be compared with those of the training; none at first.

    Attributes
    ----------
    segments, outliers : ndarray of int, shape (k,)
    features : dict of str to ndarray
        Customers in each of the reference's bins.
    sizes : dict of str to ndarray
        For each column of numbers the values above zero, in steps of half a percent.
    """

    def __init__(self, model: dict[str, Any]) -> None:
        k, reference = len(model["segments"]), model["reference"]
        self._edges = {entry["name"]: entry["edges"] for entry in reference["features"]}
        self.segments, self.outliers = np.zeros(k, np.int64), np.zeros(k, np.int64)
        self.features = {n: np.zeros(len(e) + 1, np.int64) for n, e in self._edges.items()}
        steps = (HIGHEST - LOWEST) * STEPS
        self.sizes = {entry["name"]: np.zeros(steps, np.int64) for entry in reference["columns"]}

    @property
    def customers(self) -> int:
        """How many customers have been counted."""
        return int(self.segments.sum())

    def add(self, scored: Scored) -> Period:
        """Count some customers; return the period."""
        k, segment = len(self.segments), scored.assigned["segment"].to_numpy() - 1
        self.segments += np.bincount(segment, minlength=k)
        self.outliers += np.bincount(segment[scored.assigned["outlier"].to_numpy()], minlength=k)
        for name, edges in self._edges.items():
            self.features[name] += bin_counts(scored.features[name].to_numpy(), edges)
        for name in self.sizes.keys() & set(scored.as_read):
            steps = _steps(scored.as_read[name].to_numpy())
            self.sizes[name] += np.bincount(steps, minlength=len(self.sizes[name]))
        return self

    def merge(self, other: Period) -> None:
        """Add the counts of another part of the same period."""
        self.segments += other.segments
        self.outliers += other.outliers
        for mine, others in ((self.features, other.features), (self.sizes, other.sizes)):
            for name, counts in mine.items():
                counts += others[name]

    def shares_below(self, column: str, value: float) -> tuple[float, float]:
        """Return the shares of a column's values above zero that lie below a value, and up to it.

        What lies in the same step as the value counts as equal to it.
        """
        counts = self.sizes[column]
        (step,) = _steps(np.array([value]))
        below, equal = counts[:step].sum(), counts[step]
        return float(below / counts.sum()), float((below + equal) / counts.sum())

    def quartiles(self, column: str) -> np.ndarray:
        """Return the quartiles of a column that has values above zero, to half a percent."""
        counts = self.sizes[column]
        places = np.searchsorted(np.cumsum(counts) / counts.sum(), [0.25, 0.5, 0.75])
        return 2.0 ** ((places + 0.5) / STEPS + LOWEST)


def _steps(values: np.ndarray) -> np.ndarray:
    """Return the steps of values above zero, from 0; others have none, nor have gaps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = (np.log2(values) - LOWEST) * STEPS
    return steps[(steps >= 0) & (steps < (HIGHEST - LOWEST) * STEPS)].astype(np.int64)

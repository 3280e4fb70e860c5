"""A period in numbers that add up: what is known of the customers without keeping them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.model import Scored
from segmentation.reference import bin_counts

PER_DECADE = 100  # steps of the scale on which quartiles are found: 1.2 % wide
DECADES = (-12, 18)


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
        For each column of numbers the values above zero, on a logarithmic scale.
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
        steps = (DECADES[1] - DECADES[0]) * PER_DECADE
        self.sizes = {entry["name"]: np.zeros(steps, np.int64) for entry in reference["columns"]}

    @property
    def customers(self) -> int:
        """How many customers have been counted."""
        return int(self.segments.sum())

    def add(self, scored: Scored) -> None:
        """Count some customers."""
        segment = scored.assigned["segment"].to_numpy() - 1
        stranger = scored.assigned["stranger"].to_numpy()
        self.segments += np.bincount(segment, minlength=len(self.segments))
        self.strangers += np.bincount(segment[stranger], minlength=len(self.segments))
        for entry in self.model["reference"]["features"]:
            values = scored.features[entry["name"]].to_numpy()
            self.features[entry["name"]] += bin_counts(values, entry["edges"])
        for name, counts in self.sizes.items():
            if name in scored.as_read:
                values = scored.as_read[name].to_numpy()
                values = values[(values > 0) & np.isfinite(values)]
                place = np.floor((np.log10(values) - DECADES[0]) * PER_DECADE).astype(np.int64)
                counts += np.bincount(np.clip(place, 0, len(counts) - 1), minlength=len(counts))

    def quartiles(self, column: str) -> np.ndarray | None:
        """Return the quartiles of a column's values above zero, to 1.2 %; None without any."""
        counts = self.sizes[column]
        if not counts.sum():
            return None
        places = np.searchsorted(np.cumsum(counts) / counts.sum(), [0.25, 0.5, 0.75])
        return 10 ** ((places + 0.5) / PER_DECADE + DECADES[0])

"""Customers that stand in a file twice, found without keeping the file in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

PARTS = 256  # files that the identifiers are divided among: one is looked at at a time
ROW = np.dtype([("mark", "<u8"), ("place", "<i8")])


class Register:
    """Remember on disk which identifier stood in which place of a file.

    Sixteen bytes a customer; in memory never more than one of `PARTS` parts.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scoring-")
        self._files = [
            (Path(self._folder.name) / f"{part:03d}").open("w+b") for part in range(PARTS)
        ]

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
        self._folder.cleanup()

    def add(self, identifiers: pd.Index, first: int) -> None:
        """Note identifiers, the first of which stands in the place `first`."""
        rows = np.empty(len(identifiers), ROW)
        rows["mark"] = pd.util.hash_array(identifiers.to_numpy(dtype=object), categorize=False)
        rows["place"] = np.arange(first, first + len(identifiers))
        rows = rows[np.argsort(rows["mark"] >> np.uint64(56), kind="stable")]
        parts = rows["mark"] >> np.uint64(56)
        bounds = np.searchsorted(parts, np.arange(PARTS + 1, dtype=np.uint64))
        for part, file in enumerate(self._files):
            file.write(rows[bounds[part] : bounds[part + 1]].tobytes())

    def repeated(self) -> np.ndarray:
        """Return the places of identifiers that occur twice or more (or share a hash), sorted."""
        found = []
        for file in self._files:
            file.seek(0)
            rows = np.frombuffer(file.read(), ROW)
            _, inverse, counts = np.unique(rows["mark"], return_inverse=True, return_counts=True)
            found.append(rows["place"][counts[inverse] > 1])
        return np.sort(np.concatenate(found))

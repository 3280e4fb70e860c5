"""Customers that stand in a file twice, found without keeping the file in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

PARTS = 256  # files that the identifiers are divided among: one is looked at at a time
TOP = np.uint64(56)  # the highest eight bits of a mark say to which part it belongs
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

    def add(self, rows: np.ndarray) -> None:
        """Note identifiers, as `register_rows` gives them."""
        bounds = np.searchsorted(rows["mark"] >> TOP, np.arange(PARTS + 1, dtype=np.uint64))
        for part, file in enumerate(self._files):
            file.write(memoryview(rows[bounds[part] : bounds[part + 1]]))

    def repeated(self) -> np.ndarray:
        """Return the places of identifiers that occur twice or more (or share a hash), sorted."""
        found = []
        for file in self._files:
            file.seek(0)
            rows = np.frombuffer(file.read(), ROW)
            marks = np.sort(rows["mark"])
            if not (marks[1:] == marks[:-1]).any():
                continue
            _, inverse, counts = np.unique(rows["mark"], return_inverse=True, return_counts=True)
            found.append(rows["place"][counts[inverse] > 1])
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def register_rows(identifiers: pa.StringArray, first: int) -> np.ndarray:
    """Return marks and places of identifiers, grouped by part.

    Parameters
    ----------
    identifiers : pyarrow.StringArray, shape (n,)
        Without gaps.
    first : int
        The place of the first one in the file.

    Returns
    -------
    ndarray of ROW, shape (n,)
    """
    found = marks(identifiers)
    order = np.argsort((found >> TOP).astype(np.uint8), kind="stable")
    rows = np.empty(len(identifiers), ROW)
    rows["mark"], rows["place"] = found[order], order + first
    return rows


def marks(texts: pa.StringArray) -> np.ndarray:
    """Return a 64-bit hash of each text, eight bytes at a time (mixed as by splitmix64).

    Two texts may share one: what repeats has to be compared letter for letter.
    """
    bounds = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    data = texts.buffers()[2]
    letters = np.frombuffer(data, np.uint8)[: bounds[-1]] if data else np.empty(0, np.uint8)
    letters = np.concatenate([letters, np.zeros(8, np.uint8)])
    words = np.ndarray(len(letters) - 7, "<u8", letters, strides=(1,))  # one begins at each byte
    start, length = bounds[:-1].astype(np.int64), np.diff(bounds).astype(np.uint64)
    found = _mixed(length)
    for done in range(0, int(length.max(initial=0)), 8):
        rows = slice(None) if (length > done).all() else np.flatnonzero(length > done)
        unused = 64 - 8 * np.minimum(length[rows] - np.uint64(done), 8)
        word = words[start[rows] + done] << unused  # what follows the text is shifted out
        found[rows] = _mixed(found[rows] ^ word)
    return found


def _mixed(values: np.ndarray) -> np.ndarray:
    """Spread every bit of 64-bit numbers over all others (Steele, Lea & Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

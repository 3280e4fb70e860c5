"""Customers that stand in a file twice, found without keeping the file in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.parallel import parallel_map, read_ahead

PARTS = 256  # files that the identifiers are divided among: one is looked at at a time
TOP = np.uint64(56)  # the highest eight bits of a mark say to which part it belongs
ROW = np.dtype([("mark", "<u8"), ("place", "<i8")])
SCHEMA = pa.schema([("identifier", pa.string())])


class Register:
    """Remember on disk which identifier stood in which place of a file.

    Where each is greater than the one before, none repeats. Otherwise they are divided among
    `PARTS` files, with sixteen bytes for each; in memory is never more than one of these parts.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scoring-")
        self._path = Path(self._folder.name) / "identifiers"
        self._file = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_stream(self._file, SCHEMA)
        self._ascending, self._last = True, None

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._file.close()
        self._folder.cleanup()

    def add(self, identifiers: pa.StringArray, ascending: bool) -> None:
        """Note the identifiers that come next in the file.

        Parameters
        ----------
        identifiers : pyarrow.StringArray
            Without gaps.
        ascending : bool
            What `is_ascending` says about them.
        """
        if not len(identifiers):
            return
        follows = self._last is None or self._last < identifiers[0].as_py()
        self._ascending = self._ascending and ascending and follows
        self._last = identifiers[-1].as_py()
        self._writer.write_batch(pa.record_batch([identifiers], schema=SCHEMA))

    def repeated(self) -> np.ndarray:
        """Return the places of identifiers that occur twice or more (or share a hash), sorted."""
        if self._ascending:
            return np.empty(0, np.int64)
        self._writer.close()
        self._file.flush()
        with ExitStack() as files:
            parts = [
                files.enter_context(self._path.with_name(f"{part:03d}").open("w+b"))
                for part in range(PARTS)
            ]
            noted = read_ahead(self._noted())
            for rows in parallel_map(lambda part: register_rows(*part), noted):
                bounds = np.searchsorted(rows["mark"] >> TOP, np.arange(PARTS + 1, dtype=np.uint64))
                for part, file in enumerate(parts):
                    file.write(memoryview(rows[bounds[part] : bounds[part + 1]]))
            found = [place for file in parts for place in _repeated(file)]
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)

    def _noted(self) -> Iterator[tuple[pa.StringArray, int]]:
        first = 0
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield batch.column(0), first
                first += batch.num_rows


def _repeated(file: BinaryIO) -> Iterator[np.ndarray]:
    """Yield the places of what repeats in one part, if something does."""
    file.seek(0)
    rows = np.frombuffer(file.read(), ROW)
    marks = np.sort(rows["mark"])
    if (marks[1:] == marks[:-1]).any():
        _, inverse, counts = np.unique(rows["mark"], return_inverse=True, return_counts=True)
        yield rows["place"][counts[inverse] > 1]


def is_ascending(texts: pa.StringArray) -> bool:
    """Whether each text is greater than the one before, letter by letter as Python compares."""
    return pc.all(pc.less(texts[:-1], texts[1:])).as_py() is not False


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

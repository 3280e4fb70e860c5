"""K-Means on more customers than fit into memory, straight from a Parquet file.

A seeded sample of the customers finds the centres, with as many initialisations as a small table
allows; Lloyd's steps (1982) over the whole file, a few blocks in memory at a time, refine them
(Bradley & Fayyad 1998). Sums are taken over fixed blocks in the order of the file: centres and
labels are the same, to the last bit, on one core and on many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.preprocessing import StandardScaler

from customer_tables.errors import UserError
from segmentation.kmeans import BLOCK, assign, descend, fit_kmeans
from segmentation.parallel import parallel_map

SAMPLE = 20_000  # customers that find the first centres


@dataclass(frozen=True)
class FileFit:
    """A K-Means solution on the rows of a file.

    Attributes
    ----------
    columns : tuple of str
    means, deviations : ndarray of float64, shape (d,)
        Of the columns, over all customers; 0 and 1 where they were not standardised.
    centres : ndarray of float64, shape (k, d)
        Of the standardised columns.
    sizes : ndarray of int, shape (k,)
    inertia : float
        Sum of squared distances of all customers to the nearest of `centres`.
    inertias : ndarray of float64
        That of each pass over the file, the sample's centres first.
    settled : bool
        Whether the centres came to rest, as `fit_file` says, before the passes ran out.
    """

    columns: tuple[str, ...]
    means: np.ndarray
    deviations: np.ndarray
    centres: np.ndarray
    sizes: np.ndarray
    inertia: float
    inertias: np.ndarray
    settled: bool


def fit_file(
    path: Path,
    k: int,
    *,
    columns: Sequence[str] | None = None,
    standardise: bool = True,
    n_init: int = 20,
    seed: int = 20,
    tolerance: float = 1e-3,
    passes: int = 100,
) -> FileFit:
    """Fit K-Means to the rows of a Parquet file, with the same memory for any number of them.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of numbers; by default all.
    standardise : bool
        Take columns in units of their deviations from their means over all rows.
    n_init : int
        Initialisations on a sample; its size is `SAMPLE`.
    tolerance : float
        The passes end when Lloyd's step would move no centre farther than this, in units of the
        columns' mean deviation.
    passes : int
        Maximum number.

    Raises
    ------
    UserError
        If the file cannot be read, a column is missing, holds no numbers, gaps or infinite values,
        or is the same for all customers, or there are fewer rows than segments.
    """
    names, rows = _examine(path, columns)
    what = f"{rows} customers cannot be divided into {k} segments"
    _check(rows >= k, path.name, what, "take fewer segments, or bring a larger table")
    sample, means, deviations = _look(path, names, rows, seed, standardise)
    if not standardise:
        tolerance *= float(sample.std(axis=0).mean())
    centres, step, inertias = descend(
        lambda: ((block - means) / deviations for block in _blocks(path, names)),
        fit_kmeans(sample, k, n_init=n_init, seed=seed).centres,
        passes=passes,
        tolerance=tolerance,
    )
    return FileFit(
        columns=tuple(names),
        means=means,
        deviations=deviations,
        centres=centres,
        sizes=step.sizes,
        inertia=step.inertia,
        inertias=inertias,
        settled=step.farthest(centres) <= tolerance,
    )


def label_file(path: Path, fit: FileFit) -> Iterator[np.ndarray]:
    """Yield the segments of a file's rows, 0 to k - 1, in the order of the file, in parts.

    Raises
    ------
    UserError
        As `fit_file`.
    """
    names, _ = _examine(path, fit.columns)

    def label(block: np.ndarray) -> np.ndarray:
        return assign((block - fit.means) / fit.deviations, fit.centres)

    yield from parallel_map(label, _blocks(path, names))


def _check(condition: bool, where: str, what: str, remedy: str) -> None:
    if not condition:
        raise UserError(what, where=where, remedy=remedy)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"the Parquet file cannot be read: {str(error)[:200]}",
            where=str(path),
            remedy="check the path, or write the file again",
        ) from None


def _examine(path: Path, columns: Sequence[str] | None) -> tuple[list[str], int]:
    """Return the columns to take, each there once and of numbers, and the number of rows."""
    with _open(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    names = list(columns) if columns else schema.names
    for name in names:
        found = schema.get_all_field_indices(name)
        where = f"{path.name}: {', '.join(schema.names)[:300]}"
        what = f"the file has {len(found) or 'no'} columns called {name!r}"
        _check(len(found) == 1, where, what, "correct the name")
        kind = schema.field(found[0]).type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        what = f"the column {name!r} holds no numbers ({kind})"
        _check(numeric, path.name, what, "name the columns of numbers, without the identifier")
    return names, rows


def _blocks(path: Path, names: Sequence[str]) -> Iterator[np.ndarray]:
    """Read a file in blocks, shape (rows, d) each, the same at every call."""
    with _open(path) as file:
        places = [file.schema_arrow.get_field_index(name) for name in names]
        for batch in file.iter_batches(BLOCK):
            columns = [batch.column(place).to_numpy(zero_copy_only=False) for place in places]
            block = np.column_stack(columns).astype(np.float64, copy=False)
            finite = np.isfinite(block).all(axis=0)
            what = f"the column {names[int(finite.argmin())]!r} has gaps or infinite values"
            _check(bool(finite.all()), path.name, what, "fill or leave out the gaps before")
            if batch.num_rows:
                yield block


def _look(
    path: Path, names: Sequence[str], rows: int, seed: int, standardise: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a file once: a sample of its rows, standardised, and means and deviations of all."""
    chosen, taken, first = np.arange(rows), [], 0
    if rows > SAMPLE:
        random = np.random.default_rng(seed)
        chosen = np.sort(random.choice(rows, SAMPLE, replace=False, shuffle=False))
    scaler = StandardScaler()
    for block in _blocks(path, names):
        scaler.partial_fit(block)
        start, stop = np.searchsorted(chosen, [first, first + len(block)])
        taken.append(block[chosen[start:stop] - first])
        first += len(block)
    means, deviations = scaler.mean_, np.sqrt(scaler.var_)
    if not standardise:
        means, deviations = np.zeros(len(names)), np.ones(len(names))
    same = deviations <= 1e-12 * np.maximum(1.0, np.abs(means))
    what = f"the column {names[int(same.argmax())]!r} is the same for every customer"
    _check(not same.any(), path.name, what, "leave it out of columns")
    return (np.concatenate(taken) - means) / deviations, means, deviations

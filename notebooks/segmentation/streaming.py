"""K-Means on more customers than fit into memory, straight from a Parquet file.

A seeded sample of the customers finds the centres, with as many starts as a small table allows;
then Lloyd's steps (1982) over the whole file, a few blocks in memory at a time, refine them
(Bradley & Fayyad 1998). Between two passes over the file, steps on the sample go where those of
everybody would lead: what the sample's step lacks of everybody's, which the last pass has told, is
added to each (the full approximation scheme of multigrid methods, Brandt 1977). So a handful of
passes reach what takes Lloyd's steps alone dozens. Means and sums are taken over fixed blocks in
the order of the file, so centres and labels are the same, to the last bit, on one core and on many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from customer_tables.errors import UserError
from segmentation.kmeans import fit_kmeans, lloyd_part, lloyd_step
from segmentation.ordered import in_order, read_ahead

BLOCK = 65_536  # rows that are read at a time
SMALL, LARGE = 20_000, 500_000  # customers of the sample: for many starts, and for its steps
STEPS = 300  # on the sample between two passes, at most


@dataclass(frozen=True)
class FileFit:
    """A K-Means solution on the rows of a file.

    Attributes
    ----------
    k, customers : int
    columns : tuple of str
    means, deviations : ndarray of float64, shape (d,)
        Of the columns, over all customers; 0 and 1 where they were not standardised.
    centres : ndarray of float64, shape (k, d)
        Of the standardised columns.
    sizes : ndarray of int, shape (k,)
    inertia : float
        Sum of squared distances of all customers to the nearest of `centres`.
    inertias : ndarray of float64
        That of each pass over the file that lowered it, the sample's centres first.
    settled : bool
        Whether the centres came to rest, as `fit_file` says, before the passes ran out.
    """

    k: int
    customers: int
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
    tolerance: float = 1e-4,
    passes: int = 100,
    workers: int | None = None,
) -> FileFit:
    """Fit K-Means to the rows of a Parquet file, with the same memory for any number of them.

    Parameters
    ----------
    path : Path
    k : int
    columns : sequence of str, optional
        Columns of numbers; by default all.
    standardise : bool
        Take columns in units of their deviations from their means over all rows.
    n_init : int
        Random starts on a sample; its size is `SMALL`.
    seed : int
    tolerance : float
        The passes end when Lloyd's step would move no centre farther than this, in units of the
        columns' mean deviation.
    passes : int
        At most so many.
    workers : int, optional
        Threads; by default one per core. The result is the same for all.

    Raises
    ------
    UserError
        If the file cannot be read, a column is missing, holds no numbers, gaps or infinite values,
        or is the same for everybody, or there are fewer rows than segments.
    """
    with threadpool_limits(1, user_api="blas"), _open(path) as file:
        names = _columns(file, path, columns)
        rows = file.metadata.num_rows
        if rows < k:
            raise UserError(
                f"{rows} customers cannot be divided into {k} segments",
                where=path.name,
                remedy="take fewer segments, or bring a larger table",
            )
    blocks = partial(_blocks, path, names)
    sample, means, deviations = _look(blocks, rows, seed, workers)
    if not standardise:
        means, deviations = np.zeros(len(names)), np.ones(len(names))
    elif not (deviations > 1e-12 * np.maximum(1.0, np.abs(means))).all():
        same = names[int(np.argmin(deviations))]
        raise UserError(
            f"the column {same!r} is the same for every customer",
            where=path.name,
            remedy="leave it out of columns",
        )
    scale = (means[:, None], deviations[:, None])
    sample = ((sample - scale[0]) / scale[1]).T
    tolerance *= 1.0 if standardise else float(np.mean(sample.std(axis=0)))
    few = sample[_drawn(len(sample), SMALL, seed)]
    centres = fit_kmeans(few, k, n_init=n_init, seed=seed, workers=workers).centres
    centres = _follow(sample, centres, 0.0, tolerance, workers)
    inertias, best, settled, alone = [], None, False, False
    for _ in range(passes):
        sums, sizes, inertia = _pass(blocks, scale, centres, workers)
        if best and not alone and inertia >= best[2]:  # the sample led astray: on without it
            centres, alone = best[3], True
            continue
        moved = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
        best = (centres, sizes, inertia, moved)
        inertias.append(inertia)
        settled = _farthest(centres, moved) <= tolerance
        if settled:
            break
        if alone:
            centres = moved
        else:
            lacking = moved - lloyd_step(sample, centres, workers)
            centres = _follow(sample, moved, lacking, tolerance, workers)
    centres, sizes, inertia, _ = best
    return FileFit(
        k, rows, tuple(names), means, deviations, centres, sizes, inertia, np.array(inertias),
        settled,
    )  # fmt: skip


def label_file(path: Path, fit: FileFit, *, workers: int | None = None) -> Iterator[np.ndarray]:
    """Yield the segments of a file's rows, 0 to k - 1, in the order of the file, in parts.

    Raises
    ------
    UserError
        As `fit_file`.
    """
    with _open(path) as file:
        _columns(file, path, fit.columns)
    scale = (fit.means[:, None], fit.deviations[:, None])

    def label(block: np.ndarray) -> np.ndarray:
        return lloyd_part((block - scale[0]) / scale[1], fit.centres)[0]

    with threadpool_limits(1, user_api="blas"):
        yield from in_order(label, read_ahead(_blocks(path, fit.columns)), workers)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"the Parquet file cannot be read: {str(error)[:200]}",
            where=str(path),
            remedy="check the path, or write the file again",
        ) from None


def _columns(file: pq.ParquetFile, path: Path, columns: Sequence[str] | None) -> list[str]:
    schema = file.schema_arrow
    names = list(columns) if columns else schema.names
    for name in names:
        found = schema.get_all_field_indices(name)
        if len(found) != 1:
            raise UserError(
                f"the file has {len(found) or 'no'} columns called {name!r}",
                where=f"{path.name}: {', '.join(schema.names)[:300]}",
                remedy="correct the name",
            )
        kind = schema.field(found[0]).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise UserError(
                f"the column {name!r} holds no numbers ({kind})",
                where=path.name,
                remedy="name the columns of numbers, without the identifier",
            )
    return names


def _blocks(path: Path, names: Sequence[str]) -> Iterator[np.ndarray]:
    """Read a file in blocks, shape (d, n) each, the same at every call."""
    with _open(path) as file:
        places = [file.schema_arrow.get_field_index(name) for name in names]
        for batch in file.iter_batches(BLOCK):
            block = np.empty((len(names), batch.num_rows))
            for row, place in zip(block, places, strict=True):
                row[:] = batch.column(place).to_numpy(zero_copy_only=False)
            if not np.isfinite(block.sum()) and not (finite := np.isfinite(block)).all():
                bad = names[int(np.argmin(finite.all(axis=1)))]
                raise UserError(
                    f"the column {bad!r} has gaps or infinite values",
                    where=path.name,
                    remedy="fill or leave out the gaps before",
                )
            if batch.num_rows:
                yield block


def _drawn(rows: int, size: int, seed: int) -> np.ndarray:
    """Draw rows without repeats, in ascending order; all where there are no more."""
    if rows <= size:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size, replace=False, shuffle=False))


def _look(
    blocks, rows: int, seed: int, workers: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a file once: a sample of its rows, shape (d, size), and means and deviations of all.

    Moments of blocks are merged in the order of the file (Chan, Golub & LeVeque 1983).
    """
    chosen, taken, first = _drawn(rows, LARGE, seed), [], 0
    count, means, squares = 0, 0.0, 0.0
    for block, mean, square in in_order(_moments, read_ahead(blocks()), workers):
        size = block.shape[1]
        here = slice(*np.searchsorted(chosen, [first, first + size]))
        taken.append(block[:, chosen[here] - first])
        gap = mean - means
        squares = squares + square + np.square(gap) * (count * size / (count + size))
        means = means + gap * (size / (count + size))
        count, first = count + size, first + size
    return np.concatenate(taken, axis=1), means, np.sqrt(squares / count)


def _moments(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = block.mean(axis=1)
    return block, mean, np.square(block - mean[:, None]).sum(axis=1)


def _follow(
    sample: np.ndarray,
    centres: np.ndarray,
    lacking: np.ndarray | float,
    tolerance: float,
    workers: int | None,
) -> np.ndarray:
    """Take Lloyd's steps on a sample, each with what it lacks of everybody's, until they rest."""
    for _ in range(STEPS):
        before, centres = centres, lloyd_step(sample, centres, workers) + lacking
        if _farthest(before, centres) <= tolerance / 4:
            break
    return centres


def _farthest(centres: np.ndarray, moved: np.ndarray) -> float:
    """Return how far the centre went that went farthest."""
    return float(np.sqrt(np.square(moved - centres).sum(axis=1).max()))


def _pass(
    blocks, scale: tuple[np.ndarray, np.ndarray], centres: np.ndarray, workers: int | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Do one of Lloyd's steps over a file: sums, shape (k, d), and sizes of segments; inertia."""

    def part(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        np.subtract(block, scale[0], out=block)
        np.divide(block, scale[1], out=block)
        return lloyd_part(block, centres)[1:]

    sums, sizes, inertia = np.zeros(centres.shape), np.zeros(len(centres), np.int64), 0.0
    for block_sums, block_sizes, squares in in_order(part, read_ahead(blocks()), workers):
        sums += block_sums
        sizes += block_sizes
        inertia += squares
    return sums, sizes, inertia

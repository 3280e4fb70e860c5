"""A stratified sample of customers, for steps that would take too long on all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from segmentation.parallel import parallel_map

COMPARISONS = 10**9  # distances between two customers that take some seconds
BLOCK = 65_536  # customers a block: fixed, so that sums do not depend on the number of cores


@dataclass(frozen=True)
class Sample:
    """Some of the customers, one drawn from each stratum, or all."""

    rows: np.ndarray  # positions of the customers drawn, ascending, shape (m,)
    strata: np.ndarray  # of each, numbered along the first principal component
    customers: int  # in all

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def complete(self) -> bool:
        """Whether all were drawn."""
        return len(self.rows) == self.customers

    def narrowed(self, matrix: np.ndarray, size: int, *, seed: int = 20) -> Sample:
        """Return a stratified sample of the customers drawn, whose features are `matrix`."""
        fewer = stratified(matrix, size, seed=seed)
        return Sample(self.rows[fewer.rows], fewer.strata, self.customers)

    def standard_error(self, values: np.ndarray) -> float:
        """Return the standard error of the mean of values of the customers drawn; NaN are left out.

        One customer a stratum leaves no spread within strata. Differences between neighbouring
        strata take its place, which are a little larger (Wolter 2007, *Introduction to Variance
        Estimation*, section 8.2.2, estimator 2).
        """
        along = np.asarray(values, dtype=float)[np.argsort(self.strata)]
        along = along[np.isfinite(along)]
        if self.complete or len(along) < 2:
            return 0.0 if self.complete else float("nan")
        variance = np.square(np.diff(along)).mean() / 2
        left_out = 1 - len(self.rows) / self.customers
        return float(np.sqrt(left_out * variance / len(along)))


def stratified(matrix: np.ndarray, size: int, *, seed: int = 20) -> Sample:
    """Draw customers evenly from all regions of the space.

    Everybody is sorted along the first principal component and cut into as many strata of equal
    size as there are places; each stratum sends one customer, drawn at random (stratified random
    sampling with one unit a stratum, Cochran 1977, *Sampling Techniques*, chapters 5 and 5A). So
    every customer has the same chance, up to one part in the size of a stratum, and means are at
    least about as exact as those of a simple random sample. Of `size` customers or fewer, all are
    taken.
    """
    customers = len(matrix)
    if customers <= size:
        rows = np.arange(customers)
        return Sample(rows, rows, customers)
    order = np.argsort(_first_component(matrix), kind="stable")
    edges = np.arange(size + 1) * customers // size
    drawn = edges[:-1] + np.random.default_rng(seed).integers(0, np.diff(edges))
    rows = order[drawn]
    ascending = np.argsort(rows)
    return Sample(rows[ascending], ascending, customers)


def _first_component(matrix: np.ndarray) -> np.ndarray:
    """Return each customer's score on the first principal component, shape (n,)."""
    mean = matrix.mean(axis=0)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(matrix), BLOCK)]

    def products(block: slice) -> np.ndarray:
        part = matrix[block] - mean
        return part.T @ part

    axis = np.linalg.eigh(sum(parallel_map(products, blocks)))[1][:, -1]
    axis = axis * np.sign(axis[np.abs(axis).argmax()])  # a component's direction is arbitrary
    return np.concatenate(list(parallel_map(lambda block: (matrix[block] - mean) @ axis, blocks)))


def rows_against(customers: int) -> int:
    """Return how many customers can be compared with all in some seconds."""
    return max(1, min(customers, COMPARISONS // customers))


def estimates(
    sample: Sample, values: Mapping[str, np.ndarray], truth: Mapping[str, float]
) -> pd.DataFrame:
    """Compare means over a sample with those of all customers, as far as they are known.

    `values` are of each customer drawn, `truth` the same means over all; the difference is in
    standard errors.
    """
    rows = {
        name: {
            "customers": len(sample),
            "estimate": float(np.nanmean(known)),
            "standard_error": sample.standard_error(known),
            "everybody": truth.get(name, np.nan),
        }
        for name, known in values.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")
    off = table["estimate"] - table["everybody"]
    return table.assign(difference=off / table["standard_error"].where(lambda error: error > 0))

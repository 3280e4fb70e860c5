"""Separation: the density of customers between segments."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.ndimage import gaussian_filter1d

FEW_VALUES = 10  # a column with so few different values is a scale, not an amount
ATOM = 0.02  # share of customers tied at the end of an amount, such as its zeros
SWEEPS = 3  # of the regressions, each on the values that the others arrived at
BINS = 512
MIN_MEMBERS = 10  # members that a density estimate needs


def without_ends(matrix: np.ndarray, *, seed: int = 20) -> np.ndarray:
    """Take out of each column who does and who does not, and leave how much.

    Zeros of an amount, and shares of 0 or 1, leave a gap beside the other values that says only
    that some do and others do not. Customers tied at either end of a column get a value drawn from
    the other customers' (hot-deck imputation, Little & Rubin 2019, section 4.3). Values are then
    spread evenly between their neighbours, so that a scale of whole numbers has no gaps either, in
    the order that a regression on the other columns suggests, its residuals shuffled: counts that
    rise together would keep their gaps if each were spread by itself. A category written as columns
    of yes and no, of which each customer has exactly one, becomes a single column, so there are
    fewer columns than in the matrix then.
    """
    rng = np.random.default_rng(seed)
    stepped = _categories_joined(np.array(matrix, dtype=np.float64))
    filled, tied = stepped.copy(), np.column_stack([_at_an_end(c) for c in stepped.T])
    for column, end in zip(filled.T, tied.T, strict=True):
        column[end] = rng.choice(column[~end], end.sum())
    stepped, inner = filled.copy(), np.logical_not(tied.any(axis=1))
    for j in [*range(stepped.shape[1])] * SWEEPS:
        others = np.column_stack([np.ones(len(filled)), np.delete(filled, j, axis=1)])[inner]
        expected = others @ np.linalg.lstsq(others, filled[inner, j])[0]
        residuals = rng.permutation(filled[inner, j] - expected)
        filled[:, j] = _spread_ties(stepped[:, j], inner, expected + residuals, rng)
    return filled


def _at_an_end(column: np.ndarray) -> np.ndarray:
    """Mark the customers tied at either end of an amount."""
    values, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    ends = np.isin(place, [0, len(values) - 1]) & (counts[place] >= ATOM * len(column))
    return ends & (len(values) > FEW_VALUES)


def _categories_joined(matrix: np.ndarray) -> np.ndarray:
    """Put a scale of as much variance in place of columns that are the levels of one category."""
    two_values = [j for j, column in enumerate(matrix.T) if len(np.unique(column)) == 2]
    yes = matrix == matrix.max(axis=0)
    scales, joined = [], set()
    for j in two_values:
        levels: list[int] = []
        for other in two_values[two_values.index(j) :]:
            if other not in joined and not (yes[:, levels].any(axis=1) & yes[:, other]).any():
                levels.append(other)
        if len(levels) > 1 and yes[:, levels].any(axis=1).all():
            level = yes[:, levels].argmax(axis=1)
            scales.append(level * np.sqrt(matrix[:, levels].var(axis=0).sum() / level.var()))
            joined.update(levels)
    kept = [j for j in range(matrix.shape[1]) if j not in joined]
    return np.column_stack([matrix[:, kept], *scales])


def _spread_ties(
    column: np.ndarray, inner: np.ndarray, ordered_by: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Move each value by less than half of the way to its neighbours among the values.

    Customers with a value that was drawn for them say nothing of an order, and are spread at
    random; ``inner`` are the others, ``ordered_by`` is theirs.
    """
    values, place = np.unique(column, return_inverse=True)
    if len(values) < 2:
        return column
    middles = (values[1:] + values[:-1]) / 2
    ends = [[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]]
    edges, within = np.concatenate(ends), rng.random(len(column))
    order = np.lexsort((ordered_by, place[inner]))
    counts = np.bincount(place[inner], minlength=len(values))
    steps = place[inner][order]
    ranks = np.arange(inner.sum()) - (counts.cumsum() - counts)[steps]
    within[np.flatnonzero(inner)[order]] = (ranks + 0.5) / counts[steps]
    return edges[place] + within * np.diff(edges)[place]


def valley(below: np.ndarray, above: np.ndarray) -> float:
    """Return the lowest density between two groups on a line, as a share of their lower peak.

    0 where no customer lies between the peaks, 1 where the density does not fall at all. The mean
    of the first group is the lower one; the bandwidth is Silverman's (1986) for the smaller group.
    """
    both = np.concatenate([below, above])
    small = min(below, above, key=len)
    quartiles = np.subtract(*np.percentile(small, [75, 25])) / 1.34
    width = 0.9 * min(small.std(), quartiles or np.inf) * len(small) ** -0.2
    low, high = np.quantile(both, [0.002, 0.998])
    if not width or high <= low:
        return float(below.max() >= above.min())
    edges = np.linspace(low, high, BINS + 1)
    sigma = width / (edges[1] - edges[0])
    first, second = (
        gaussian_filter1d(np.histogram(part, edges)[0].astype(float), sigma, mode="constant")
        for part in (below, above)
    )
    left, right = first.argmax(), second.argmax()
    if left >= right:
        return 1.0
    density = first + second
    return float(density[left : right + 1].min() / min(density[left], density[right]))


def valleys(matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the valley of density between each pair of segments, numbered from 0, shape (k, k).

    Each pair is projected on the line between its centres and on its linear discriminant (Fisher
    1936); the deeper valley counts. NaN beside a segment of fewer than `MIN_MEMBERS` members.
    """
    k = int(labels.max()) + 1
    parts = [matrix[labels == segment] for segment in range(k)]
    means = [part.mean(axis=0) for part in parts]
    spreads = [(part - mean).T @ (part - mean) for part, mean in zip(parts, means, strict=True)]
    depths = np.ones((k, k))
    for i, j in combinations(range(k), 2):
        depths[i, j] = depths[j, i] = np.nan
        if min(len(parts[i]), len(parts[j])) >= MIN_MEMBERS:
            within = (spreads[i] + spreads[j]) / (len(parts[i]) + len(parts[j]))
            ridge = 1e-6 * np.trace(within) / len(within) + 1e-12
            step = means[j] - means[i]
            lines = [step, np.linalg.solve(within + ridge * np.eye(len(step)), step)]
            depths[i, j] = depths[j, i] = min(valley(parts[i] @ w, parts[j] @ w) for w in lines)
    return depths


def least_apart(matrix: np.ndarray, labels: np.ndarray) -> float:
    """Return the shallowest valley between any two segments; NaN as in `valleys`."""
    depths = valleys(matrix, labels)
    return float(depths[np.triu_indices(len(depths), 1)].max())

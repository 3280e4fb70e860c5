"""Whether whole numbers are codes, by how often each of them stands in a column."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2, chisquare
from sklearn.isotonic import isotonic_regression

FEWEST = 3  # codes; two are taken for yes and no
MOST_FLAT = 50  # numbers that may be equally often; more have to be so beyond chance
REPEATED = 5  # times that a number stands there on average, at least, where its frequency says much
MOST_BINS = 300  # one for each number, where next to all numbers are there
BINS = 12  # where there are gaps: amounts are rounded
DENSE = 0.9  # share of the numbers that are there, at least, where there are no gaps
HEAPED = 0.5  # share of round numbers from which they are amounts
BY_CHANCE = 0.05  # probability from which equal frequencies are believed
AGAINST = 0.001  # probability below which chance is not
MOVED = 0.1  # share of the rows that other peaks hold, at least


def are_numbered(values: pd.Series) -> bool:
    """Whether whole numbers repeat less often than drawn ones would: they were given one by one.

    Of n numbers drawn from R ones, about n(n - 1) / 2R pairs are equal, if each is drawn equally
    often, and more otherwise (the birthday problem).
    """
    count, width = len(values), float(values.max() - values.min() + 1)
    expected = count - width * -np.expm1(-count / width)  # numbers that stood there before
    repeated = count - values.nunique()
    return bool(expected >= 10 and repeated < 0.5 * (expected - 3 * np.sqrt(expected)))


def are_named(values: pd.Series) -> bool:
    """Whether whole numbers are equally often, or have several peaks, as codes of groups have.

    Of what is counted or measured most is near one number, and less the farther from it, but for
    those who have none of it.
    """
    values = values[values != 0]  # of those who have none there may be any number
    counts = values.value_counts()
    if not FEWEST <= len(counts) <= len(values) / REPEATED:
        return False
    if (values % 5 == 0).mean() > HEAPED:
        return False
    flat = chisquare(counts).pvalue
    if flat > (BY_CHANCE if len(counts) <= MOST_FLAT else 1 - AGAINST):
        return True
    width = int(values.max() - values.min() + 1)
    dense = len(counts) >= DENSE * width and width <= MOST_BINS
    found, _ = np.histogram(values, bins=width if dense else min(width, BINS))
    hill = _one_peak(found.astype(float))
    odds = ((found - hill) ** 2 / np.maximum(hill, 1)).sum()
    moved = np.abs(found - hill).sum() / 2
    return bool(moved > MOVED * len(values) and chi2.sf(odds, len(found) - 1) < AGAINST)


def _one_peak(counts: np.ndarray) -> np.ndarray:
    """Return the nearest frequencies, by least squares, that rise to one number and then fall."""
    hills = []
    for peak in range(1, len(counts)):
        rise = isotonic_regression(counts[:peak])
        fall = isotonic_regression(counts[peak:], increasing=False)
        hills.append(np.concatenate([rise, fall]))
    return min(hills, key=lambda hill: float(((counts - hill) ** 2).sum()))

"""The training customers in a few numbers, for comparison with later periods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from segmentation.disclosure import MIN_GROUP_SIZE

BINS = 10  # of equally many training customers, as far as equal values allow


def describe_training(
    features: pd.DataFrame, names: list[str], as_read: pd.DataFrame, segments: pd.Series
) -> dict[str, Any]:
    """Describe the training customers for comparisons with later periods.

    Parameters
    ----------
    features : DataFrame, shape (n_customers, n_features)
        In real units.
    names : list of str
        The features that are described.
    as_read : DataFrame, shape (n_customers, n_columns)
        The columns of numbers before ranges and rules touched them: there a change of unit shows.
    segments : Series of int, shape (n_customers,)
        From 1 to k.

    Returns
    -------
    dict
        customers; segments: customers in each; features: edges and shares of each feature's bins;
        columns: how many values other than zero, and their quartiles where they are enough.
    """
    columns, bins = [], []
    for name, values in as_read.to_dict("series").items():
        values = values[np.isfinite(values) & (values != 0)].to_numpy(float)
        enough = len(values) >= MIN_GROUP_SIZE
        quartiles = np.quantile(values, [0.25, 0.5, 0.75]).tolist() if enough else None
        columns.append({"name": name, "values": len(values), "quartiles": quartiles})
    for name in names:
        values = features[name].to_numpy(float)
        edges = bin_edges(values)
        shares = bin_counts(values, edges) / len(values)
        bins.append({"name": name, "edges": edges.tolist(), "shares": shares.tolist()})
    sizes = segments.value_counts().sort_index().tolist()
    return {"customers": len(features), "segments": sizes, "features": bins, "columns": columns}


def bin_edges(values: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the inner edges of bins that hold about equally many values.

    A value that very many customers share, such as zero, has a bin of its own.
    """
    inner = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf"))
    return inner[inner < values.max()]  # the last bin must not be empty


def bin_counts(values: np.ndarray, edges: Sequence[float] | np.ndarray) -> np.ndarray:
    """Count values in bins; each bin holds its upper edge, and the last one has none."""
    above = [len(values) - np.count_nonzero(values <= edge) for edge in edges]
    return -np.diff([len(values), *above, 0])

"""The figures that public analyses of the credit-card table quote, by the same settings."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from customer_tables.table import read_table
from segmentation.alternatives import textbook_silhouettes
from segmentation.cleaning import check_types, select_columns
from segmentation.dataset import load_dataset

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"
# Public notebooks on the table: 17 columns, gaps filled with the median, ten initialisations,
# k from 2 to 10; "log" takes log1p of amounts and counts first. PCA: cumulative share of variance.
SILHOUETTES = {
    "z-scores": [0.210, 0.251, 0.198, 0.193, 0.203, 0.208, 0.222, 0.226, 0.220],
    "log, z-scores": [0.251, 0.224, 0.217, 0.218, 0.217, 0.220, 0.210, 0.181, 0.182],
}
VARIANCE = {
    "z-scores": [0.273, 0.476, 0.564, 0.639, 0.701, 0.759, 0.808, 0.851],
    "log, z-scores": [0.339, 0.558, 0.652, 0.726, 0.792, 0.842, 0.883, 0.915],
}


@pytest.mark.skipif(not REAL.is_file(), reason="needs the public tables beside the project")
def test_published_figures_are_met():
    known = load_dataset("credit_card")
    table = check_types(select_columns(read_table(REAL).table, known).customers, known).customers
    table = table[[column.name for column in known.columns if column.is_numeric]]
    table = table.fillna(table.median())
    heavy = [c.name for c in known.columns if c.kind in ("money", "count")]
    spaces = {"z-scores": table, "log, z-scores": table.assign(**np.log1p(table[heavy]))}
    found = textbook_silhouettes(spaces, range(2, 11))
    for name, space in spaces.items():
        assert found[name].tolist() == pytest.approx(SILHOUETTES[name], abs=0.005)
        ratios = PCA(8).fit(StandardScaler().fit_transform(space)).explained_variance_ratio_
        assert ratios.cumsum() == pytest.approx(VARIANCE[name], abs=0.001)

"""Figures that public analyses of the card holders quote, recomputed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from runner.errors import USER_ERROR

# Public notebooks on the table (17 columns, gaps filled with the median, ten starts), k = 2 to 10;
# "log" takes log1p of amounts and counts first. PCA: cumulative share of variance.
SILHOUETTE = {
    "z-scores": (0.210, 0.251, 0.198, 0.193, 0.203, 0.208, 0.222, 0.226, 0.220),
    "0 to 1": (0.387, 0.372, 0.322, 0.319, 0.334, 0.337, 0.317, 0.334, 0.342),
    "log, z-scores": (0.251, 0.224, 0.217, 0.218, 0.217, 0.220, 0.210, 0.181, 0.182),
}
INERTIA = {
    "z-scores": (127785, 111975, 99062, 91490, 84827, 79856, 74485, 69829, 66466),
    "log, z-scores": (113332, 95645, 86547, 77933, 71656, 67973, 64555, 61500, 58828),
}
VARIANCE = {
    "z-scores": (0.273, 0.476, 0.564, 0.639, 0.701, 0.759, 0.808, 0.851),
    "log, z-scores": (0.339, 0.558, 0.652, 0.726, 0.792, 0.842, 0.883, 0.915),
}
KS = range(2, 11)
STARTS, SEED = 10, 42


def reproduce(table: pd.DataFrame) -> pd.DataFrame:
    """Recompute the published figures.

    Parameters
    ----------
    table : DataFrame, shape (n_customers, 17)
        The columns of numbers, cleaned of nothing; gaps are filled with the median.

    Returns
    -------
    DataFrame
        space, figure, at (k or number of components), ours, theirs, difference.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    from segmentation.silhouette import mean, silhouettes

    rows = []
    for name, scores in spaces(table).items():
        with threadpool_limits(1):
            fits = {k: KMeans(k, n_init=STARTS, random_state=SEED).fit(scores) for k in KS}
        profiles = silhouettes(scores, {k: fit.labels_ for k, fit in fits.items()})
        ours = {k: mean(profile) for k, profile in profiles.items()}
        rows += _beside(name, "silhouette", ours, dict(zip(KS, SILHOUETTE[name], strict=True)))
        if name in INERTIA:
            ours = {k: fit.inertia_ for k, fit in fits.items()}
            rows += _beside(name, "inertia", ours, dict(zip(KS, INERTIA[name], strict=True)))
            variances = np.linalg.svd(scores - scores.mean(axis=0), compute_uv=False) ** 2
            ours = dict(enumerate((variances / variances.sum()).cumsum(), start=1))
            theirs = dict(enumerate(VARIANCE[name], start=1))
            rows += _beside(name, "cumulative variance", ours, theirs)
    columns = ["space", "figure", "at", "ours", "theirs", "difference"]
    return pd.DataFrame(rows, columns=columns)


def spaces(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Scale the table in the ways that public analyses do, gaps filled with the median."""
    filled = table.fillna(table.median())
    shares = [
        name for name in filled if "frequency" in name or name in ("prc_full_payment", "tenure")
    ]
    heavy = filled.columns.difference(shares)
    logged = filled.assign(**np.log1p(filled[heavy]))
    return {
        "z-scores": _standardised(filled),
        "0 to 1": ((filled - filled.min()) / (filled.max() - filled.min())).to_numpy(),
        "log, z-scores": _standardised(logged[filled.columns]),
    }


def _standardised(table: pd.DataFrame) -> np.ndarray:
    return ((table - table.mean()) / table.std(ddof=0)).to_numpy()


def _beside(space: str, figure: str, ours: dict, theirs: dict) -> list[tuple]:
    return [(space, figure, at, ours[at], value, ours[at] - value) for at, value in theirs.items()]


def artefacts(table: pd.DataFrame) -> pd.DataFrame:
    """Show what is behind the silhouettes near .8 that are quoted for this table.

    Returns
    -------
    DataFrame
        method, customers, segments, silhouette, sizes: a high silhouette with one mass and a
        handful of customers.
    """
    from segmentation.alternatives import cut, linkage_tree
    from segmentation.silhouette import mean, silhouettes

    complete_rows = table.dropna()
    cases = (
        ("average linkage", table.fillna(table.median()), 2),
        ("complete linkage, rows with gaps dropped", complete_rows, 3),
    )
    rows = []
    for method, data, k in cases:
        scores = _standardised(data)
        labels = cut(linkage_tree(scores, method.split()[0]), k)
        sizes = ", ".join(f"{n:,}" for n in sorted(np.bincount(labels), reverse=True))
        value = mean(silhouettes(scores, {k: labels})[k])
        rows.append((method, len(scores), k, value, sizes))
    return pd.DataFrame(rows, columns=["method", "customers", "segments", "silhouette", "sizes"])


def main(arguments: list[str]) -> int:
    """Print the comparison; return 0, or 2 where the table is not the public one."""
    parser = argparse.ArgumentParser(
        prog="reproduce_published.py",
        description="Recompute published figures on the real card-holder table.",
    )
    parser.add_argument("--input", type=Path, required=True, metavar="FILE",
                        help='the public table, "CC GENERAL.csv"')  # fmt: skip
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "notebooks"))
    from customer_tables.errors import UserError

    try:
        table = read_public_table(options.input)
    except UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    found = reproduce(table)
    with pd.option_context("display.width", 120, "display.max_rows", None):
        print(found.to_string(index=False, float_format=lambda value: f"{value:,.3f}"))
        relative = (found["difference"] / found["theirs"]).abs().groupby(found["figure"]).max()
        print("\nLargest relative difference:")
        print(relative.to_string(float_format=lambda value: f"{value:.2%}"))
        print("\nSilhouettes near .8 are quoted for this table, too. Their settings are not all")
        print("published; these two are of the same kind, and the sizes say what they mean:")
        shown = artefacts(table)
        print(shown.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
        print("\nOne mass and a few isolated customers is no segmentation. Notebook 04 marks such")
        print("rows as degenerate, whatever their silhouette.")
    return 0


def read_public_table(path: Path) -> pd.DataFrame:
    """Read the 17 columns of numbers of the public table.

    Raises
    ------
    UserError
        If the file cannot be read or is another table.
    """
    from customer_tables.errors import UserError
    from customer_tables.table import read_table
    from segmentation.cleaning import check_types, select_columns
    from segmentation.dataset import load_dataset

    if not path.is_file():
        raise UserError(f"there is no file {path.name!r}", where=str(path), remedy="check the path")
    dataset = load_dataset("credit_card")
    table = check_types(
        select_columns(read_table(path).table, dataset).customers, dataset
    ).customers
    return table[[column.name for column in dataset.columns if column.is_numeric]]

"""Measure how far the generated card holders resemble the public table.

    python scripts/check_fidelity.py data/credit_card/customers.csv "CC GENERAL.csv"

Prints one line for each measure with its limit and exits with 1 when a limit is broken. What is
compared: each column's distribution, share of zeros and mean, all rank correlations, the counts of
the known flaws, the number of segments that notebook 04 decides on, and the segments themselves.
Segments are compared in two spaces: that of the notebooks and one of other features, so that the
resemblance does not hang on one list.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.stats import ks_2samp
from sklearn.metrics import adjusted_rand_score

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
if str(NOTEBOOKS) not in sys.path:  # so that the script runs from any folder
    sys.path.insert(0, str(NOTEBOOKS))

from segmentation.cleaning import clean  # noqa: E402
from segmentation.dataset import load_dataset  # noqa: E402
from segmentation.features import apply_transform, build_features  # noqa: E402
from segmentation.kmeans import KMeansFit, assign, fit_kmeans, scan_kmeans  # noqa: E402
from segmentation.selection import choose_k  # noqa: E402
from segmentation.stability import bootstrap_agreement  # noqa: E402

KS_LIMIT = 0.08
ZERO_LIMIT = 0.02
CORRELATION_LIMIT = 0.12
MEAN_CORRELATION_LIMIT = 0.04
MEAN_LIMIT = 0.06  # relative; quantiles alone say little about those who spend most
SIZE_LIMIT = 0.03  # of all customers, between a segment and its counterpart
CENTRE_LIMIT = 0.3  # root mean square over the features, in real standard deviations
AGREEMENT_LIMIT = 0.8  # ARI of both tables' centres on the real customers
K_RANGE = range(3, 9)  # where notebook 04's rule looks
STARTS, SEED = 30, 20  # as in notebook 04


@dataclass(frozen=True)
class Measure:
    """One comparison: what was measured, the value, its limit and whether it is kept."""

    name: str
    value: float
    limit: str
    kept: bool


def at_most(name: str, value: float, limit: float) -> Measure:
    """Build a measure that must not exceed its limit."""
    return Measure(name, float(value), f"<= {limit:g}", bool(value <= limit))


def at_least(name: str, value: float, limit: float) -> Measure:
    """Build a measure that must reach its limit."""
    return Measure(name, float(value), f">= {limit:g}", bool(value >= limit))


def equal(name: str, value: float, expected: float) -> Measure:
    """Build a measure that must be exactly as in the public table."""
    return Measure(name, float(value), f"== {expected:g}", bool(value == expected))


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without its identifier."""
    return table.drop(columns="CUST_ID")


def compare_columns(generated: pd.DataFrame, real: pd.DataFrame) -> list[Measure]:
    """Kolmogorov-Smirnov distance, share of zeros and mean of each column."""
    measures = []
    for name in numbers(real):
        a, b = generated[name].dropna(), real[name].dropna()
        measures += [
            at_most(f"{name}: KS distance", ks_2samp(a, b, method="asymp").statistic, KS_LIMIT),
            at_most(f"{name}: zeros", abs((a == 0).mean() - (b == 0).mean()), ZERO_LIMIT),
            at_most(f"{name}: mean", abs(a.mean() / b.mean() - 1), MEAN_LIMIT),
        ]
    return measures


def compare_correlations(generated: pd.DataFrame, real: pd.DataFrame) -> list[Measure]:
    """Compare the Spearman correlations of all pairs of columns."""
    pairs = np.triu_indices(numbers(real).shape[1], k=1)
    a, b = (numbers(table).corr("spearman").to_numpy()[pairs] for table in (generated, real))
    gap = np.abs(a - b)
    return [
        at_most("correlations: largest difference", gap.max(), CORRELATION_LIMIT),
        at_most("correlations: mean difference", gap.mean(), MEAN_CORRELATION_LIMIT),
    ]


def count_flaws(table: pd.DataFrame) -> dict[str, int]:
    """Count the public table's known flaws in a table."""
    unpaid = table["PAYMENTS"] == 0
    parts = table["ONEOFF_PURCHASES"] + table["INSTALLMENTS_PURCHASES"]
    gap = (parts - table["PURCHASES"]).abs()
    return {
        "minimum payments missing": int(table["MINIMUM_PAYMENTS"].isna().sum()),
        "no payments": int(unpaid.sum()),
        "no payments, minimum missing": int(table.loc[unpaid, "MINIMUM_PAYMENTS"].isna().sum()),
        "credit limit missing": int(table["CREDIT_LIMIT"].isna().sum()),
        "cash-advance frequency above 1": int((table["CASH_ADVANCE_FREQUENCY"] > 1).sum()),
        "parts differ from purchases by over 1 %": int((gap > 0.01 * table["PURCHASES"]).sum()),
    }


def compare_flaws(generated: pd.DataFrame, real: pd.DataFrame) -> list[Measure]:
    """Compare the counts of the flaws, which must be the same."""
    expected = count_flaws(real)
    return [equal(f"flaw: {name}", n, expected[name]) for name, n in count_flaws(generated).items()]


def notebook_features(table: pd.DataFrame) -> pd.DataFrame:
    """Return the transformed features that segment in the notebooks, not yet standardised."""
    dataset = load_dataset("credit_card")
    built = build_features(clean(table, dataset).customers, dataset)
    chosen = dataset.features_with("segment")
    return pd.DataFrame({f.name: apply_transform(built[f.name], f.transform) for f in chosen})


def total_features(table: pd.DataFrame) -> pd.DataFrame:
    """Return other features: totals, transactions, the limit; nothing per month."""
    limit = table["CREDIT_LIMIT"].fillna(table["CREDIT_LIMIT"].median())
    logged = table[["ONEOFF_PURCHASES", "INSTALLMENTS_PURCHASES", "CASH_ADVANCE", "BALANCE",
                    "PAYMENTS", "PURCHASES_TRX", "CASH_ADVANCE_TRX"]]  # fmt: skip
    logged = np.log1p(logged.assign(limit=limit, use=table["BALANCE"] / limit))
    return logged.join(table[["PRC_FULL_PAYMENT", "BALANCE_FREQUENCY"]])


FEATURES = {"notebooks": notebook_features, "totals": total_features}


def standardised(table: pd.DataFrame, like: pd.DataFrame) -> np.ndarray:
    """Standardise features by the mean and deviation of (another) table's."""
    return ((table - like.mean()) / like.std(ddof=0)).to_numpy()


def decide(matrix: np.ndarray, pairs: int) -> tuple[int, pd.Series]:
    """Return notebook 04's decision on k, and the stability of each k."""
    fits = scan_kmeans(matrix, K_RANGE, n_init=STARTS, seed=SEED)
    agreement = bootstrap_agreement(matrix, K_RANGE, pairs=pairs, seed=SEED)
    scan = pd.DataFrame(
        {
            "stability": {k: agreement[k].mean() for k in K_RANGE},
            "smallest_share": {k: np.bincount(fits[k].labels).min() / len(matrix) for k in fits},
            "inertia": {k: fits[k].inertia for k in fits},
        }
    )
    return choose_k(scan.assign(silhouette=0.0)).k, scan["stability"]


def compare_decision(name: str, ours: np.ndarray, theirs: np.ndarray, pairs: int) -> list[Measure]:
    """Compare what the rule decides on each table."""
    found, our_stability = decide(ours, pairs)
    expected, their_stability = decide(theirs, pairs)
    stability = [
        Measure(f"{name}, k = {k}: stability", value, f"real {their_stability[k]:.3f}", True)
        for k, value in our_stability.items()
    ]
    return [*stability, equal(f"{name}: segments by the rule", found, expected)]


def compare_segments(name: str, ours: np.ndarray, theirs: np.ndarray, k: int) -> list[Measure]:
    """Match the segments of both tables one to one and measure how far apart they are.

    Both matrices are in the real table's standardisation.
    """
    fits: list[KMeansFit] = [
        fit_kmeans(matrix, k, n_init=STARTS, seed=SEED) for matrix in (ours, theirs)
    ]
    gap = fits[0].centres[:, None] - fits[1].centres[None]
    distance = np.sqrt((gap**2).mean(axis=2))
    rows, columns = linear_sum_assignment(distance)
    a, b = (np.bincount(fit.labels) / len(fit.labels) for fit in fits)
    agreement = adjusted_rand_score(assign(theirs, fits[0].centres), fits[1].labels)
    return [
        at_most(f"{name}, k = {k}: centres", distance[rows, columns].max(), CENTRE_LIMIT),
        at_most(f"{name}, k = {k}: sizes", np.abs(a[rows] - b[columns]).max(), SIZE_LIMIT),
        at_least(f"{name}, k = {k}: ARI on real customers", agreement, AGREEMENT_LIMIT),
    ]


def compare(
    generated: pd.DataFrame, real: pd.DataFrame, pairs: int = 20, ks: tuple[int, ...] = (5, 6)
) -> list[Measure]:
    """Make all comparisons; with ``pairs=0`` leave out the slow one, of the rule's decision."""
    measures = compare_columns(generated, real)
    measures += compare_correlations(generated, real)
    measures += compare_flaws(generated, real)
    for name, features in FEATURES.items():
        ours, theirs = features(generated), features(real)
        if pairs:  # each table in its own standardisation, as a user's run would be
            measures += compare_decision(
                name, standardised(ours, ours), standardised(theirs, theirs), pairs
            )
        for k in ks:
            measures += compare_segments(
                name, standardised(ours, theirs), standardised(theirs, theirs), k
            )
    return measures


def as_text(measures: list[Measure]) -> str:
    """Lay the measures out as a table."""
    width = max(len(measure.name) for measure in measures)
    return "\n".join(
        f"{measure.name:{width}}  {measure.value:9.4f}  {measure.limit:12}"
        f"{'' if measure.kept else '  BROKEN'}"
        for measure in measures
    )


def main(arguments: list[str] | None = None) -> int:
    """Compare two files and report."""
    parser = argparse.ArgumentParser(description="Compare generated card holders with real ones.")
    parser.add_argument("generated", type=Path)
    parser.add_argument("real", type=Path, help='the public table, "CC GENERAL.csv"')
    parser.add_argument("--pairs", type=int, default=20, help="bootstrap pairs for each k; 0: none")
    options = parser.parse_args(arguments)
    generated, real = pd.read_csv(options.generated), pd.read_csv(options.real)
    measures = compare(generated, real, options.pairs)
    broken = sum(not measure.kept for measure in measures)
    print(as_text(measures))
    print(f"{broken} limits broken" if broken else "all limits kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

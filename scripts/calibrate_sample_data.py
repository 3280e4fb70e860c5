"""Compute the figures behind the generated card holders from the public table.

Reads "CC GENERAL.csv" (Kaggle, arjunbhasin2013/ccdata, CC0) and writes
``data/credit_card/generator.toml``: for each behavioural cell its size, quantiles to three digits,
shares to a thousandth and correlations to a hundredth. No row and no extreme value of the table
goes into the file, and no cell holds fewer than `SMALLEST_CELL` customers.

    python scripts/calibrate_sample_data.py "CC GENERAL.csv"
    python scripts/make_sample_data.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from make_sample_data import (
    AMOUNTS,
    DRAWN,
    KNOTS,
    LEVELS,
    PARAMETERS,
    Uniform,
    draw_cell,
    existing,
)

SEED = 2  # of the card holders; see data/README.md on how it was chosen
SMALLEST_CELL = 100
FEWEST = 30  # customers with a quantity, below which a cell does without it
STEPS, TRIAL, TRIAL_SEED = 6, 10_000, 20  # rounds of adjusting correlations, draws in each

REACH = 0.25  # how far a correlation may be moved: some cannot be met whatever is done

FLAWS = {  # as counted in the public table
    "missing_minimum_payments": 313,
    "missing_credit_limit": 1,
    "cash_advance_frequency_above_1": 8,
    "purchases_not_the_sum_of_parts": 19,
}
HEADER = """
# Figures of the public table "Credit Card Dataset for Clustering" (Kaggle, arjunbhasin2013/ccdata,
# file "CC GENERAL.csv", CC0), from which scripts/make_sample_data.py draws the card holders here.
# Written by scripts/calibrate_sample_data.py; not meant to be edited by hand.
#
# Each cell is a kind of card holder: the group it belongs to, the condition that defines it (the
# first cell that fits counts), how many there are, and then, of these customers,
# - amounts: the share of zeros and the quantiles of the rest at 0, 2, 5, 10, 20, ..., 90, 95 and
#   100 %, three digits (the outer two follow the mean of a twentieth, not one customer);
# - tenure (6 to 12 months), balance_months (1 to 11 elevenths of the time), one_off_months,
#   instalment_months, cash_months (1 to 12 twelfths), extra_months (0 to 4), full (0 to 12
#   twelfths): thousandths of the customers at each value;
# - correlations of the normal scores behind these quantities, in hundredths, below the diagonal.
# What each quantity means is said in scripts/make_sample_data.py.
"""

# Cells in the order in which they are tried: a customer belongs to the first that fits. Names in
# the conditions are the quantities drawn (see `quantities`).
DORMANT = "balance_share < 0.5"
CASH = "cash > 0"
BOTH = "one_off > 0 and instalment > 0"
CELLS = [
    ("nearly dormant", "with cash advances", f"{DORMANT} and {CASH}"),
    ("nearly dormant", "with instalments", f"{DORMANT} and instalment > 0"),
    ("nearly dormant", "other", DORMANT),
    ("cash-only revolvers", "some months in full", f"{CASH} and purchases == 0 and full > 0"),
    ("cash-only revolvers", "low use", f"{CASH} and purchases == 0 and use < 0.4"),
    ("cash-only revolvers", "high use", f"{CASH} and purchases == 0"),
    ("purchase-and-cash revolvers", "one or two purchases, low use",
     f"{CASH} and trx <= 2 and use < 0.4"),
    ("purchase-and-cash revolvers", "one or two purchases, high use", f"{CASH} and trx <= 2"),
    ("purchase-and-cash revolvers", "both kinds, some months in full",
     f"{CASH} and {BOTH} and full > 0"),
    ("purchase-and-cash revolvers", "both kinds, low use", f"{CASH} and {BOTH} and use < 0.4"),
    ("purchase-and-cash revolvers", "both kinds, high use", f"{CASH} and {BOTH}"),
    ("purchase-and-cash revolvers", "one kind, some months in full", f"{CASH} and full > 0"),
    ("purchase-and-cash revolvers", "instalments", f"{CASH} and instalment > 0"),
    ("purchase-and-cash revolvers", "one-off", CASH),
    ("all-round buyers", "paid in full", f"{BOTH} and full >= 5"),
    ("all-round buyers", "some months in full", f"{BOTH} and full > 0"),
    ("all-round buyers", "low use", f"{BOTH} and use < 0.2"),
    ("purchase revolvers", "both kinds, high use", BOTH),
    ("instalment shoppers", "paid in full", "instalment > 0 and full >= 5"),
    ("instalment shoppers", "some months in full", "instalment > 0 and full > 0"),
    ("instalment shoppers", "low use", "instalment > 0 and use < 0.2"),
    ("purchase revolvers", "instalments, high use", "instalment > 0"),
    ("one-off buyers", "paid in full", "full >= 5"),
    ("one-off buyers", "low use", "use < 0.2"),
    ("one-off buyers", "high use", "use >= 0.2"),
]  # fmt: skip


def quantities(real: pd.DataFrame) -> pd.DataFrame:
    """Restate the public table in the quantities that the generator draws."""
    tenure, limit = real["TENURE"], real["CREDIT_LIMIT"].fillna(real["CREDIT_LIMIT"].median())
    statements = tenure.where(tenure < 12, 11)
    one_off_months = (real["ONEOFF_PURCHASES_FREQUENCY"] * tenure).round()
    instalment_months = (real["PURCHASES_INSTALLMENTS_FREQUENCY"] * tenure).round()
    purchase_months = (real["PURCHASES_FREQUENCY"] * tenure).round()
    cash_months = (real["CASH_ADVANCE_FREQUENCY"] * tenure).round()
    extra = purchase_months - np.maximum(one_off_months, instalment_months)
    full = (real["PRC_FULL_PAYMENT"] * 12).round().clip(upper=11)
    full = full.where(real["PRC_FULL_PAYMENT"] < 1, 12).where(real["PRC_FULL_PAYMENT"] > 0, 0)
    full = full.where((full > 0) | (real["PRC_FULL_PAYMENT"] == 0), 1)

    def in_parts(share: pd.Series, parts: int) -> pd.Series:
        return (share * parts).round().clip(1, parts).where(share > 0, 0)

    balance_months = (real["BALANCE_FREQUENCY"] * statements).round() / statements
    return pd.DataFrame(
        {
            "tenure": tenure,
            "limit": limit,
            "use": real["BALANCE"] / limit,
            "balance_months": in_parts(balance_months, 11),
            "one_off": real["ONEOFF_PURCHASES"],
            "one_off_months": in_parts(real["ONEOFF_PURCHASES_FREQUENCY"], 12),
            "instalment": real["INSTALLMENTS_PURCHASES"],
            "instalment_months": in_parts(real["PURCHASES_INSTALLMENTS_FREQUENCY"], 12),
            "extra_months": extra.clip(0, 4),
            "ticket": (real["PURCHASES_TRX"] / purchase_months.clip(lower=1)).clip(lower=1),
            "cash": real["CASH_ADVANCE"],
            "cash_months": in_parts(real["CASH_ADVANCE_FREQUENCY"], 12),
            "cash_ticket": real["CASH_ADVANCE_TRX"] / cash_months.clip(lower=1),
            "payments": real["PAYMENTS"],
            "full": full,
            "cover": real["PAYMENTS"] / real["MINIMUM_PAYMENTS"],
            "minimum": real["MINIMUM_PAYMENTS"],
            # Only for the cells' conditions:
            "purchases": real["ONEOFF_PURCHASES"] + real["INSTALLMENTS_PURCHASES"],
            "trx": real["PURCHASES_TRX"],
            "balance_share": real["BALANCE_FREQUENCY"],
        }
    )


def divide(customers: pd.DataFrame) -> list[tuple[str, str, str, pd.DataFrame]]:
    """Return group, cell, condition and customers of each cell."""
    left, divided = customers, []
    for group, name, condition in CELLS:
        inside = left.eval(condition)
        divided.append((group, name, condition, left[inside]))
        left = left[~inside]
    return divided


def three_digits(value: float) -> float:
    """Round to three significant digits."""
    return float(f"{value:.3g}")


def knots(values: pd.Series) -> dict:
    """Summarise an amount: its share of zeros and the quantiles of the rest."""
    values = values.dropna()
    positive = values[values > 0]
    found = positive.quantile(KNOTS).to_numpy(copy=True)
    # The ends are set by the mean logarithm of the outer twentieths, not by a single customer.
    logs = np.log(positive)
    top = 2 * logs[positive >= found[-2]].mean() - np.log(found[-2])
    bottom = 2 * logs[positive <= found[2]].mean() - np.log(found[2])
    found[-1], found[0] = np.exp(top), min(np.exp(bottom), found[1])
    return {
        "zero": round(float((values == 0).mean()), 4),
        "knots": [three_digits(value) for value in np.maximum.accumulate(found)],
    }


def shares(values: pd.Series, possible: range) -> list[int]:
    """Summarise a quantity with few values: thousandths of customers at each."""
    counted = values.value_counts(normalize=True).reindex(possible, fill_value=0)
    return (counted * 1000).round().astype(int).tolist()


def rank_correlations(cell: pd.DataFrame) -> np.ndarray:
    """Spearman correlations, each over the customers for whom both quantities exist."""
    seen = pd.DataFrame({name: cell[name].where(existing(cell, name)) for name in DRAWN})
    return seen.corr("spearman", min_periods=30).fillna(0).to_numpy()


def normal_correlations(figures: dict, wanted: np.ndarray) -> np.ndarray:
    """Find the correlations of normal scores that give the wanted rank correlations.

    Values that many customers share weaken a rank correlation; the scores' correlations are
    raised step by step until what the generator draws has what is wanted.
    """
    first = 2 * np.sin(np.pi / 6 * wanted)  # exact where no values are shared
    low, high = np.maximum(first - REACH, -0.95), np.minimum(first + REACH, 0.95)
    scores = first
    for _ in range(STEPS):
        trial = draw_cell({**figures, "correlations": in_hundredths(scores)}, Uniform(TRIAL_SEED))
        scores = np.clip(scores + 0.8 * (wanted - rank_correlations(trial)), low, high)
    return scores


def in_hundredths(correlations: np.ndarray) -> dict[str, list[int]]:
    """Fold a correlation matrix into rows below the diagonal."""
    rows = np.rint(100 * correlations).astype(int)
    return {name: rows[i, :i].tolist() for i, name in enumerate(DRAWN) if i}


def summarise(cell: pd.DataFrame) -> dict:
    """Compute all figures of one cell."""
    figures: dict = {"minimum": knots(cell["minimum"])}
    for name in DRAWN:
        values = cell.loc[existing(cell, name), name]
        if (values > 0).sum() >= FEWEST or name == "extra_months" and len(values) >= FEWEST:
            figures[name] = knots(values) if name in AMOUNTS else shares(values, LEVELS[name])
    trial = {**figures, "customers": TRIAL, "group": ""}
    correlations = normal_correlations(trial, rank_correlations(cell))
    return {**figures, "correlations": in_hundredths(correlations)}


def as_toml(cells: list[tuple[str, str, str, pd.DataFrame]]) -> str:
    """Write the figures of all cells, one quantity a line."""
    lines = [HEADER.strip(), "", f"seed = {SEED}", "", "[flaws]"]
    lines += [f"{name} = {count}" for name, count in FLAWS.items()]
    for group, name, condition, cell in cells:
        lines += ["", "[[cell]]", f'group = "{group}"', f'name = "{name}"']
        lines += [f'condition = "{condition}"', f"customers = {len(cell)}"]
        figures = summarise(cell)
        correlations = figures.pop("correlations")
        for quantity, figure in figures.items():
            if quantity in AMOUNTS:
                row = ", ".join(f"{value:g}" for value in figure["knots"])
                figure = f"{{ zero = {figure['zero']:g}, knots = [{row}] }}"
            lines.append(f"{quantity} = {figure}")
        lines.append("[cell.correlations]")
        lines += [f"{quantity} = {row}" for quantity, row in correlations.items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Read the public table and rewrite generator.toml."""
    parser = argparse.ArgumentParser(description="Compute the generator's figures.")
    parser.add_argument("table", type=Path, help='the public table, "CC GENERAL.csv"')
    parser.add_argument("--to", type=Path, default=PARAMETERS, help="the file to write")
    options = parser.parse_args(arguments)
    cells = divide(quantities(pd.read_csv(options.table)))
    small = [f"{group}, {name}" for group, name, _, cell in cells if len(cell) < SMALLEST_CELL]
    if small:
        print(f"cells with fewer than {SMALLEST_CELL} customers: {'; '.join(small)}")
        return 1
    options.to.write_text(as_toml(cells), encoding="utf-8", newline="\n")
    print(f"wrote {options.to}: {len(cells)} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Compute the figures behind the generated cardholders from the public table.

Reads "CC GENERAL.csv" (Kaggle, arjunbhasin2013/ccdata, CC0) and writes the figures in
``data/credit_card/generator.toml`` anew: for each behavioural cell, whose condition stands there,
its size, quantiles to three digits, shares to a thousandth and correlations to a hundredth. No row
and no extreme value of the table goes into the file, and no cell holds fewer than `SMALLEST_CELL`
customers.

    python scripts/calibrate_sample_data.py "CC GENERAL.csv"
    python scripts/make_sample_data.py
"""

from __future__ import annotations

import argparse
import sys
import tomllib
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

SMALLEST_CELL = 100
FEWEST = 30  # customers with a quantity, below which a cell does without it
STEPS, TRIAL, TRIAL_SEED = 6, 10_000, 20  # rounds of adjusting correlations, draws in each
REACH = 0.25  # how far a correlation may be moved: some cannot be met whatever is done


def quantities(real: pd.DataFrame) -> pd.DataFrame:
    """Restate the public table in the quantities that the generator draws."""
    tenure, limit = real["TENURE"], real["CREDIT_LIMIT"].fillna(real["CREDIT_LIMIT"].median())
    statements = tenure.where(tenure < 12, 11)
    one_off, instalment, cash, purchases = (
        (real[f"{name}_FREQUENCY"] * tenure).round()
        for name in ("ONEOFF_PURCHASES", "PURCHASES_INSTALLMENTS", "CASH_ADVANCE", "PURCHASES")
    )
    full = in_parts(real["PRC_FULL_PAYMENT"], 12).clip(upper=11)
    balance = (real["BALANCE_FREQUENCY"] * statements).round() / statements
    return pd.DataFrame(
        {
            "tenure": tenure,
            "limit": limit,
            "use": real["BALANCE"] / limit,
            "balance_months": in_parts(balance, 11),
            "one_off": real["ONEOFF_PURCHASES"],
            "one_off_months": in_parts(real["ONEOFF_PURCHASES_FREQUENCY"], 12),
            "instalment": real["INSTALLMENTS_PURCHASES"],
            "instalment_months": in_parts(real["PURCHASES_INSTALLMENTS_FREQUENCY"], 12),
            "extra_months": (purchases - np.maximum(one_off, instalment)).clip(0, 4),
            "ticket": (real["PURCHASES_TRX"] / purchases.clip(lower=1)).clip(lower=1),
            "cash": real["CASH_ADVANCE"],
            "cash_months": in_parts(real["CASH_ADVANCE_FREQUENCY"], 12),
            "cash_ticket": real["CASH_ADVANCE_TRX"] / cash.clip(lower=1),
            "payments": real["PAYMENTS"],
            "full": full.where(real["PRC_FULL_PAYMENT"] < 1, 12),
            "cover": real["PAYMENTS"] / real["MINIMUM_PAYMENTS"],
            "minimum": real["MINIMUM_PAYMENTS"],
            # Only for the cells' conditions:
            "purchases": real["ONEOFF_PURCHASES"] + real["INSTALLMENTS_PURCHASES"],
            "trx": real["PURCHASES_TRX"],
            "balance_share": real["BALANCE_FREQUENCY"],
        }
    )


def in_parts(share: pd.Series, parts: int) -> pd.Series:
    """Count a share in a number of parts: at least one where there is any."""
    return (share * parts).round().clip(1, parts).where(share > 0, 0)


def knots(values: pd.Series) -> str:
    """Summarise an amount: its share of zeros and the quantiles of the rest."""
    positive = values[values > 0]
    found = positive.quantile(KNOTS).to_numpy(copy=True)
    # The ends are set by the mean logarithm of the outer twentieths, not by a single customer.
    logs = np.log(positive)
    top = 2 * logs[positive >= found[-2]].mean() - np.log(found[-2])
    bottom = 2 * logs[positive <= found[2]].mean() - np.log(found[2])
    found[-1], found[0] = np.exp(top), min(np.exp(bottom), found[1])
    listed = ", ".join(f"{float(f'{value:.3g}'):g}" for value in np.maximum.accumulate(found))
    zero = round(float((values.dropna() == 0).mean()), 4)
    return f"{{ zero = {zero:g}, knots = [{listed}] }}"


def shares(values: pd.Series, possible: range) -> str:
    """Summarise a quantity with few values: thousandths of customers at each."""
    counted = values.value_counts(normalize=True).reindex(possible, fill_value=0)
    return str((counted * 1000).round().astype(int).tolist())


def rank_correlations(cell: pd.DataFrame) -> np.ndarray:
    """Spearman correlations, each over the customers for whom both quantities exist."""
    seen = pd.DataFrame({name: cell[name].where(existing(cell, name)) for name in DRAWN})
    return seen.corr("spearman", min_periods=30).fillna(0).to_numpy()


def correlations(figures: str, cell: pd.DataFrame) -> str:
    """Find the correlations of normal scores that give a cell's rank correlations.

    Values that many customers share weaken a rank correlation; the scores' correlations are
    raised step by step until what the generator draws has what is wanted.
    """
    trial = tomllib.loads(figures) | {"customers": TRIAL, "group": ""}
    wanted = rank_correlations(cell)
    first = 2 * np.sin(np.pi / 6 * wanted)  # exact where no values are shared
    low, high = np.maximum(first - REACH, -0.95), np.minimum(first + REACH, 0.95)
    scores = first
    for step in range(STEPS + 1):
        rows = np.rint(100 * scores).astype(int)
        trial["correlations"] = {name: rows[i, :i].tolist() for i, name in enumerate(DRAWN) if i}
        if step < STEPS:
            drawn = rank_correlations(draw_cell(trial, Uniform(TRIAL_SEED)))
            scores = np.clip(scores + 0.8 * (wanted - drawn), low, high)
    return "".join(f"{name} = {row}\n" for name, row in trial["correlations"].items())


def summarise(cell: pd.DataFrame) -> str:
    """Write all figures of one cell, one quantity a line."""
    figures = f"minimum = {knots(cell['minimum'])}\n"
    for name in DRAWN:
        values = cell.loc[existing(cell, name), name]
        if (values > 0).sum() >= FEWEST or name == "extra_months" and len(values) >= FEWEST:
            entry = knots(values) if name in AMOUNTS else shares(values, LEVELS[name])
            figures += f"{name} = {entry}\n"
    return f"{figures}[cell.correlations]\n{correlations(figures, cell)}"


def main(arguments: list[str] | None = None) -> int:
    """Read the public table and rewrite generator.toml."""
    parser = argparse.ArgumentParser(description="Compute the generator's figures.")
    parser.add_argument("table", type=Path, help='the public table, "CC GENERAL.csv"')
    parser.add_argument("--to", type=Path, default=PARAMETERS, help="the file to write")
    options = parser.parse_args(arguments)
    before = PARAMETERS.read_text("utf-8")
    left, texts = quantities(pd.read_csv(options.table)), [before.partition("[[cell]]")[0]]
    for cell in tomllib.loads(before)["cell"]:  # a customer belongs to the first that fits
        inside = left.eval(cell["condition"])
        if inside.sum() < SMALLEST_CELL:
            print(f"{cell['group']}, {cell['name']}: fewer than {SMALLEST_CELL} customers")
            return 1
        named = "".join(f'{key} = "{cell[key]}"\n' for key in ("group", "name", "condition"))
        texts.append(f"{named}customers = {inside.sum()}\n{summarise(left[inside])}")
        left = left[~inside]
    options.to.write_text("\n[[cell]]\n".join([texts[0].rstrip() + "\n", *texts[1:]]), "utf-8")
    print(f"wrote {options.to}: {len(texts) - 1} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Generate the embedded tables: the credit-card portfolio, and the visitors of a mall.

The table of cardholders in ``data/credit_card`` is made up by this script. It has the columns of
the public table "Credit Card Dataset for Clustering" (Kaggle, arjunbhasin2013/ccdata, CC0) and
follows that table's figures, but holds none of its rows. What is known about the public table is
written in ``data/credit_card/generator.toml``: customers in some twenty behavioural cells, for
each cell a dozen quantiles a column and the correlations between the columns.

How one cell is drawn (a Gaussian copula):

1. correlated normal scores, one for each column and customer;
2. each column's scores become ranks, and the ranks become evenly spread probabilities, so a cell
   meets its quantiles and its share of zeros almost exactly, whatever the seed;
3. the probabilities are looked up in the quantiles (amounts) or shares (months, counts).

The public table's flaws are then put in, because a cleaning notebook has to meet them.

The visitors in ``data/mall`` are much simpler: five groups, each with independent quantiles of
age, income and spending score.

    python scripts/make_sample_data.py    # writes customers.csv and truth.csv
    python scripts/make_sample_data.py --dataset mall
    python scripts/make_sample_data.py --rows 1000000 --folder FOLDER    # for trials of size
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

DATA = Path(__file__).resolve().parents[1] / "data"
FOLDER = DATA / "credit_card"
PARAMETERS = FOLDER / "generator.toml"

# What is drawn for each customer, in the order of the correlations in generator.toml. The second
# entry names what must be positive for this one to exist: only those who take cash advances take
# them in some number of months ("purchases" and "free" months are worked out, see `existing`).
DRAWN = {
    "tenure": None,  # months of membership, 6 to 12
    "limit": None,  # credit limit
    "use": None,  # balance / credit limit
    "balance_months": "use",  # elevenths of the time with a balance
    "one_off": None,  # amount of one-off purchases
    "one_off_months": "one_off",  # twelfths of the time with one-off purchases
    "instalment": None,  # amount of purchases in instalments
    "instalment_months": "instalment",  # twelfths of the time with instalments
    "extra_months": "free",  # months with purchases beyond the larger of the two above
    "ticket": "purchases",  # purchase transactions per month with purchases
    "cash": None,  # amount of cash advances
    "cash_months": "cash",  # twelfths of the time with cash advances
    "cash_ticket": "cash",  # cash advances per month with cash advances
    "payments": None,  # amount paid
    "full": "payments",  # twelfths of the months paid in full
    # Payments / minimum payments. It says who has which minimum; the amount comes from the
    # quantiles of the minimum payments themselves.
    "cover": "payments",
}
LEVELS = {  # quantities with few values: what the shares in generator.toml stand for
    "tenure": range(6, 13),
    "balance_months": range(1, 12),
    "one_off_months": range(1, 13),
    "instalment_months": range(1, 13),
    "extra_months": range(5),
    "cash_months": range(1, 13),
    "full": range(13),
}
AMOUNTS = [name for name in DRAWN if name not in LEVELS]
# Probabilities of the knots of an amount's quantile function. The last knot is no customer's
# value: it is set so that the mean logarithm of the top twentieth comes out right.
KNOTS = (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)
MONEY = (
    *("BALANCE", "PURCHASES", "ONEOFF_PURCHASES", "INSTALLMENTS_PURCHASES", "CASH_ADVANCE"),
    *("CREDIT_LIMIT", "PAYMENTS", "MINIMUM_PAYMENTS"),
)
MALL_KNOTS = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)  # of a group of visitors


class Uniform:
    """Uniform numbers that stay the same across numpy's versions.

    numpy guarantees the raw stream of a bit generator, not that of ``Generator``'s methods.
    """

    def __init__(self, seed: int) -> None:
        self._raw = np.random.PCG64(seed)

    def draw(self, *shape: int) -> np.ndarray:
        """Return numbers strictly between 0 and 1 in an array of the given shape."""
        raw = self._raw.random_raw(int(np.prod(shape)))
        return (((raw >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53).reshape(shape)


def even_ranks(scores: np.ndarray) -> np.ndarray:
    """Turn scores into evenly spread probabilities (rank - 1/2) / n."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(len(scores)) + 0.5
    return ranks / max(len(scores), 1)


def root(correlation: np.ndarray) -> np.ndarray:
    """Return the symmetric square root of a correlation matrix.

    Correlations that were rounded may leave the matrix a little short of positive definite, so
    small eigenvalues are raised. The symmetric root is unique, unlike the eigenvectors.
    """
    values, vectors = np.linalg.eigh(correlation)
    mended = (vectors * np.maximum(values, 0.01)) @ vectors.T
    scale = np.sqrt(np.diag(mended))
    values, vectors = np.linalg.eigh(mended / np.outer(scale, scale))
    return (vectors * np.sqrt(values)) @ vectors.T


def correlation_matrix(cell: dict) -> np.ndarray:
    """Unfold a cell's correlations, stored as rows of hundredths below the diagonal."""
    matrix = np.eye(len(DRAWN))
    for i, name in enumerate(DRAWN):
        row = np.array(cell["correlations"].get(name, [0] * i)) / 100
        matrix[i, :i] = matrix[:i, i] = row
    return matrix


def quantiles(probability: np.ndarray, figures: dict) -> np.ndarray:
    """Look amounts up: a share of zeros, then knots joined on a logarithmic scale."""
    positive = (probability - figures["zero"]) / (1 - figures["zero"])
    amounts = np.exp(np.interp(positive, KNOTS, np.log(figures["knots"])))
    # Rounded here, before anything is built on it, so that no last bit reaches the file.
    return np.where(positive > 0, np.round(amounts, 6), 0.0)


def levels(probability: np.ndarray, values: range, shares: list[int]) -> np.ndarray:
    """Look values of a quantity with few levels up in its shares (in thousandths)."""
    edges = np.cumsum(shares) / np.sum(shares)
    return np.array(values)[np.searchsorted(edges[:-1], probability)]


def existing(customers: pd.DataFrame | dict, name: str) -> np.ndarray:
    """Say for which customers a quantity exists, by what has been drawn before it."""
    needed = DRAWN[name]
    if needed is None:
        return np.ones(len(customers["tenure"]), dtype=bool)
    if needed in DRAWN:
        return np.asarray(customers[needed] > 0)
    buys = np.asarray(customers["one_off"] + customers["instalment"] > 0)
    if needed == "purchases":
        return buys
    months = np.maximum(customers["one_off_months"], customers["instalment_months"])
    return buys & np.asarray(months < 12)  # "free": there are months left


def draw_cell(cell: dict, uniform: Uniform) -> pd.DataFrame:
    """Draw the customers of one cell: one column for each of `DRAWN`, and the group."""
    count = cell["customers"]
    scores = ndtri(uniform.draw(count, len(DRAWN))) @ root(correlation_matrix(cell))
    drawn = {name: np.zeros(count) for name in DRAWN}
    for column, name in zip(scores.T, DRAWN, strict=True):
        exists = existing(drawn, name)
        if name not in cell or not exists.any():
            continue
        probability = even_ranks(column[exists])
        drawn[name][exists] = (
            levels(probability, LEVELS[name], cell[name])
            if name in LEVELS
            else quantiles(probability, cell[name])
        )
    due = drawn["payments"] / np.where(drawn["cover"] > 0, drawn["cover"], 1)
    pays = due > 0
    due[pays] = quantiles(even_ranks(due[pays]), cell["minimum"])
    return pd.DataFrame(drawn).assign(minimum=due, group=cell["group"])


def round_limit(limit: np.ndarray) -> np.ndarray:
    """Move limits to the nearest sum that banks like to grant."""
    small = [50, 150, 300, *range(400, 1001, 100), 1200, *range(1400, 1801, 100)]
    large = [2000, 2200, 2500, 2700, *range(3000, 13001, 500), *range(14000, 30001, 1000)]
    usual = np.array(small + large, dtype=float)
    return usual[np.searchsorted((usual[1:] + usual[:-1]) / 2, limit)]


def months(twelfths: np.ndarray, tenure: np.ndarray, scale: float = 12) -> np.ndarray:
    """Whole months out of the tenure; an active customer was so in one month at least."""
    whole = np.floor(twelfths * tenure / scale + 0.5)
    return np.where(twelfths > 0, np.clip(whole, 1, tenure), 0)


def build_columns(drawn: pd.DataFrame) -> pd.DataFrame:
    """Turn what was drawn into the columns of the public table, consistent with one another."""
    d = {name: drawn[name].to_numpy(dtype=float) for name in DRAWN}
    tenure, limit = d["tenure"], round_limit(d["limit"])
    # With a full year of membership the public table counts balances over eleven months.
    statements = np.where(tenure == 12, 11, tenure)
    with_balance = months(d["balance_months"], statements, scale=11)
    one_off_months = months(d["one_off_months"], tenure)
    instalment_months = months(d["instalment_months"], tenure)
    cash_months = months(d["cash_months"], tenure)
    one_off, instalment = np.round(d["one_off"], 2), np.round(d["instalment"], 2)
    purchase_months = np.maximum(one_off_months, instalment_months) + d["extra_months"]
    purchase_months = np.minimum(purchase_months, tenure)
    billed = np.maximum(np.floor(with_balance * tenure / statements + 0.5), 1)
    in_full = np.clip(np.floor(d["full"] * billed / 12 + 0.5), 1, np.maximum(billed - 1, 1))
    in_full = np.where(d["full"] == 12, billed, np.where(d["full"] == 0, 0, in_full))
    return pd.DataFrame(
        {
            "BALANCE": np.round(d["use"] * limit, 2),
            "BALANCE_FREQUENCY": with_balance / statements,
            "PURCHASES": np.round(one_off + instalment, 2),
            "ONEOFF_PURCHASES": one_off,
            "INSTALLMENTS_PURCHASES": instalment,
            "CASH_ADVANCE": d["cash"],
            "PURCHASES_FREQUENCY": purchase_months / tenure,
            "ONEOFF_PURCHASES_FREQUENCY": one_off_months / tenure,
            "PURCHASES_INSTALLMENTS_FREQUENCY": instalment_months / tenure,
            "CASH_ADVANCE_FREQUENCY": cash_months / tenure,
            "CASH_ADVANCE_TRX": np.floor(cash_months * d["cash_ticket"] + 0.5),
            "PURCHASES_TRX": np.floor(purchase_months * d["ticket"] + 0.5),
            "CREDIT_LIMIT": limit,
            "PAYMENTS": d["payments"],
            "MINIMUM_PAYMENTS": drawn["minimum"].to_numpy(),
            "PRC_FULL_PAYMENT": in_full / billed,
            "TENURE": tenure,
            "group": drawn["group"].to_numpy(),
        }
    )


def pick(eligible: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the `count` eligible customers that come first in `order`."""
    candidates = np.flatnonzero(eligible)
    return candidates[np.argsort(order[candidates], kind="stable")[:count]]


def put_flaws_in(customers: pd.DataFrame, flaws: dict, uniform: Uniform) -> pd.DataFrame:
    """Add the public table's known flaws, in the numbers that generator.toml states."""
    table = customers.copy()
    chance = uniform.draw(len(table), 4).T
    no_full = (table["PRC_FULL_PAYMENT"] == 0).to_numpy()
    pays = (table["PAYMENTS"] > 0).to_numpy()

    # Without payments there is no minimum payment; the others without one owe very little.
    owed = (table["BALANCE"] * chance[0] ** 2).round(6).to_numpy()
    others = flaws["missing_minimum_payments"] - int((~pays).sum())
    missing = pick(pays & no_full, owed, others)
    table.loc[~pays, "MINIMUM_PAYMENTS"] = np.nan
    table.loc[missing, "MINIMUM_PAYMENTS"] = np.nan

    only_cash = (table["PURCHASES"] == 0) & (table["CASH_ADVANCE_TRX"] == 1)
    short = (only_cash & (table["TENURE"] == 6)).to_numpy() & pays & no_full
    table.loc[pick(short, chance[1], flaws["missing_credit_limit"]), "CREDIT_LIMIT"] = np.nan

    # Months with a cash advance counted over more months than the membership has lasted.
    new = ((table["TENURE"] < 12) & (table["CASH_ADVANCE_TRX"] >= 9)).to_numpy()
    months_left = (table["TENURE"] * (1 - table["CASH_ADVANCE_FREQUENCY"])).round().to_numpy()
    above = pick(new, months_left + chance[2], flaws["cash_advance_frequency_above_1"])
    excess = 1 + np.floor(chance[2][above] * 1.5)
    table.loc[above, "CASH_ADVANCE_FREQUENCY"] = 1 + excess / table.loc[above, "TENURE"]

    # Refunds: purchases that are less than their two parts.
    instalment_buyers = (table["INSTALLMENTS_PURCHASES"] > 50).to_numpy()
    refunded = pick(instalment_buyers, chance[3], flaws["purchases_not_the_sum_of_parts"])
    kept = 0.95 - 0.6 * chance[0][refunded]
    table.loc[refunded, "PURCHASES"] *= kept
    return table


def make_customers(parameters: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Generate the cardholders, as the public table has them, and the group of each."""
    uniform = Uniform(parameters["seed"])
    drawn = [draw_cell(cell, uniform) for cell in parameters["cell"]]
    table = build_columns(pd.concat(drawn, ignore_index=True))
    shuffled = np.argsort(uniform.draw(len(table)), kind="stable")
    table = put_flaws_in(table.iloc[shuffled].reset_index(drop=True), parameters["flaws"], uniform)
    table.insert(0, "CUST_ID", [f"C{10001 + i}" for i in range(len(table))])
    return table.drop(columns="group"), table[["CUST_ID", "group"]]


def resize(parameters: dict, rows: int) -> dict:
    """Return the parameters of a table with this number of cardholders, for trials of size.

    Cells and flaws keep their shares, as far as whole customers allow.
    """
    cells = parameters["cell"]
    before = sum(cell["customers"] for cell in cells)
    ends = np.cumsum([cell["customers"] for cell in cells]) * rows // before
    sizes = np.diff(ends, prepend=0).tolist()
    flaws = {name: count * rows // before for name, count in parameters["flaws"].items()}
    resized = [cell | {"customers": size} for cell, size in zip(cells, sizes, strict=True) if size]
    return parameters | {"cell": resized, "flaws": flaws}


def make_mall_customers(parameters: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Generate the visitors of a mall, as the public table has them, and the group of each."""
    spellings = {"age": "Age", "income": "Annual Income (k$)", "score": "Spending Score (1-100)"}
    uniform, groups = Uniform(parameters["seed"]), []
    for group in parameters["group"]:
        chance = uniform.draw(4, group["customers"])
        women = even_ranks(chance[3]) < group["women"]
        columns = {"Gender": np.where(women, "Female", "Male")}
        for (name, column), scores in zip(spellings.items(), chance, strict=False):
            drawn = np.interp(even_ranks(scores), MALL_KNOTS, group[name])
            columns[column] = np.round(drawn).astype(int)
        groups.append(pd.DataFrame(columns).assign(group=group["name"]))
    table = pd.concat(groups).sort_values(spellings["income"], kind="stable", ignore_index=True)
    table.insert(0, "CustomerID", [str(place) for place in range(1, len(table) + 1)])
    return table.drop(columns="group"), table[["CustomerID", "group"]]


def as_csv(table: pd.DataFrame) -> bytes:
    """Write a table as CSV: cents for money, six decimals for shares, LF line ends everywhere."""

    def text(value: object, decimals: int) -> str:
        return "" if pd.isna(value) else f"{value:.{decimals}f}".rstrip("0").rstrip(".")

    written = table.astype("str")
    for name in table.select_dtypes("number"):
        written[name] = table[name].map(lambda value, d=2 if name in MONEY else 6: text(value, d))
    return written.to_csv(index=False, lineterminator="\n").encode("ascii")


MAKERS = {"credit_card": make_customers, "mall": make_mall_customers}


def build(dataset: str = "credit_card", rows: int | None = None) -> dict[str, bytes]:
    """Return the two files' names and bytes; with another number of cardholders if given."""
    parameters = tomllib.loads((DATA / dataset / "generator.toml").read_text("utf-8"))
    customers, truth = MAKERS[dataset](resize(parameters, rows) if rows else parameters)
    return {"customers.csv": as_csv(customers), "truth.csv": as_csv(truth)}


def main(arguments: list[str] | None = None) -> int:
    """Write the two files."""
    parser = argparse.ArgumentParser(description="Generate the embedded tables.")
    add = parser.add_argument
    add("--dataset", choices=MAKERS, default="credit_card", help="which table")
    add("--folder", type=Path, help="where the files are (default: its data folder)")
    add("--rows", type=int, help="another number of cardholders, for trials; needs --folder")
    options = parser.parse_args(arguments)
    if options.rows and (not options.folder or options.dataset != "credit_card"):
        parser.error("--rows is for cardholders, and needs a --folder of its own")
    options.folder = options.folder or DATA / options.dataset
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, content in build(options.dataset, options.rows).items():
        (options.folder / name).write_bytes(content)
        print(f"wrote {options.folder / name} ({len(content):,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

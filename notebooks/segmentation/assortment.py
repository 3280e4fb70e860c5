"""What each segment buys, compared with all customers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation.claims import Claim, stated
from segmentation.dataset import Dataset

PREFIX = "spent_on_"
EVERYBODY = "everybody"
CLEARLY_MORE = 1.1  # times the share among everybody from which more is worth a word


def goods_of(dataset: Dataset) -> dict[str, str]:
    """Return the columns of money spent on kinds of goods, and what the goods are called."""
    columns = [column for column in dataset.columns if column.name.startswith(PREFIX)]
    named = {column.name: column.label.removeprefix("Spent on ") for column in columns}
    return {name: label[:1].upper() + label[1:] for name, label in named.items()}


def spending_shares(
    customers: pd.DataFrame, labels: pd.Series, names: dict[int, str], titles: dict[str, str]
) -> pd.DataFrame:
    """Divide each segment's spending among the kinds of goods, as `goods_of` calls them.

    Each row sums to 1; the last row is everybody, the columns are in its order.
    """
    sums = customers[list(titles)].clip(lower=0).groupby(labels).sum().rename(index=names)
    sums.loc[EVERYBODY] = sums.sum()
    shares = sums.div(sums.sum(axis=1).where(lambda total: total > 0, 1.0), axis=0)
    order = shares.loc[EVERYBODY].sort_values(ascending=False, kind="stable").index
    return shares[order].rename(columns=titles).rename_axis("segment")


def against_everybody(shares: pd.DataFrame) -> pd.DataFrame:
    """Return each share as a multiple of the share among everybody (1 is the same)."""
    everybody = shares.loc[EVERYBODY]
    return shares.drop(EVERYBODY) / everybody.where(everybody > 0)


def share_errors(
    customers: pd.DataFrame, labels: pd.Series, names: dict[int, str], titles: dict[str, str]
) -> pd.DataFrame:
    """Return the standard errors of `spending_shares`, by segment (Cochran 1977, eq. 2.39)."""
    spent = customers[list(titles)].clip(lower=0).rename(columns=titles)
    total, segments = spent.sum(axis=1), labels.map(names)
    shares = spent.groupby(segments).sum().div(total.groupby(segments).sum(), axis=0)
    residuals = spent - shares.loc[segments].mul(total.to_numpy(), axis=0).to_numpy()
    squares = (residuals**2).groupby(segments).sum()
    return np.sqrt(squares).div(total.groupby(segments).sum(), axis=0)


def buys_more(shares: pd.DataFrame, errors: pd.DataFrame) -> dict[str, list[Claim]]:
    """List up to three goods that each segment buys clearly more of than everybody, most first.

    The 95% interval of its share lies above that of everybody.
    """
    multiples, low = against_everybody(shares), (shares - 1.96 * errors)[list(shares)]
    return {
        str(segment): [
            stated("{goods} ({times:.1f} times)", goods=goods, times=multiple)
            for goods, multiple in row[low.loc[segment] > shares.loc[EVERYBODY]].nlargest(3).items()
            if multiple >= CLEARLY_MORE
        ]
        for segment, row in multiples.iterrows()
    }

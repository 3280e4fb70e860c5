"""What each segment buys, compared with all customers."""

from __future__ import annotations

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


def buys_more(multiples: pd.DataFrame, most: int = 3) -> dict[str, list[Claim]]:
    """List the goods that each segment buys clearly more of than everybody, most first."""
    return {
        str(segment): [
            stated("{goods} ({times:.1f} times)", goods=goods, times=multiple)
            for goods, multiple in row.nlargest(most).items()
            if multiple >= CLEARLY_MORE
        ]
        for segment, row in multiples.iterrows()
    }

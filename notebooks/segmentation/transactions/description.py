"""The dataset.toml of customers who were summed up from lines of purchases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pandas as pd

from customer_tables.errors import UserError
from customer_tables.source import Source
from segmentation.guessing.columns import Guess
from segmentation.guessing.text import spell, write_dataset

# Name in the table: label, kind, unit, role, transform, reason.
MEANINGS = {
    "customer_id": ("Customer", "id", "", "id", "none", "tells customers apart"),
    "recency_days": (
        *("Days since the last purchase", "number", "days", "segment", "log1p"),
        "how recently, counted back from the last purchase in the file",
    ),
    "orders": ("Orders", "count", "", "segment", "log1p", "how often"),
    "spent": ("Spent", "money", "", "segment", "log1p", "how much, before returns"),
    "net_value": (
        *("Value net of returns", "money", "", "describe", "log1p"),
        "what a customer is worth; nearly the same as what was spent",
    ),
    "tenure_days": (
        *("Days since the first purchase", "number", "days", "describe", "none"),
        "how long a customer is known in this file",
    ),
    "active_months": ("Months with purchases", "months", "", "describe", "none", "how steadily"),
    "basket_value": (
        *("Value of an order", "money", "", "describe", "log1p"),
        "what was spent, divided by orders",
    ),
    "basket_lines": ("Lines in an order", "number", "", "describe", "log1p", "size of a basket"),
    "products": ("Different products", "count", "", "describe", "log1p", "variety"),
    "categories": ("Different categories", "count", "", "describe", "none", "variety"),
    "discount_share": ("Discount", "share", "", "describe", "none", "share of the full price"),
    "coupon_share": ("Orders with a coupon", "share", "", "describe", "none", "share of orders"),
    "own_brand_share": ("Own brands", "share", "", "describe", "none", "share of what was spent"),
    "returns_share": ("Returned", "share", "", "describe", "none", "share of what was spent"),
    "weekend_share": ("Orders at weekends", "share", "", "describe", "none", "share of orders"),
    "evening_share": ("Orders after 17:00", "share", "", "describe", "none", "share of orders"),
    "trend": (
        *("Trend between the halves", "number", "", "describe", "none"),
        "spent in the second half of the period less the first, over both: -1 to 1",
    ),
}
RFM = {"recency": "recency_days", "frequency": "orders", "monetary": "spent"}
ARCHETYPES = (
    (
        "Frequent shoppers",
        {"recency_days": -0.8, "orders": 1.2, "spent": 1.0},
        "buy often, recently and much",
        "Keep them: rewards for loyalty, first access to what is new; no needless discounts.",
        "orders per month and share still buying after half a year, against a control group",
    ),
    (
        "Lapsing customers",
        {"recency_days": 1.0, "orders": -0.7, "spent": -0.7},
        "have not bought for long, and never bought often",
        "Ask once what would bring them back, with an offer that ends; then save the contact.",
        "share who buy again within two months, and its cost, against a control group",
    ),
    (
        "Slipping customers",
        {"recency_days": 0.9, "orders": 0.3, "spent": 0.5},
        "bought no less than others, but not for some time",
        "Remind them before they are gone: what they bought, and what is new beside it.",
        "share who buy again within two months, against a control group",
    ),
    (
        "Recent customers",
        {"recency_days": -1.0, "orders": -0.1, "spent": 0.0},
        "bought lately, not far from the average in number and amount",
        "Use the moment: what goes with the last purchase, within days of it.",
        "orders within the next two months, against a control group",
    ),
    (
        "New or rare customers",
        {"recency_days": -0.7, "orders": -0.8, "spent": -0.8},
        "bought lately, but seldom and little so far",
        "Win the second order: a welcome, a reminder of what goes with the first purchase.",
        "share with a second order within two months, against a control group",
    ),
)


def describe_transactions(
    table: pd.DataFrame,
    source: Source,
    about: dict[str, str | int],
    name: str,
    people: Sequence[Guess] = (),
) -> str:
    """Write the dataset.toml of summed-up customers.

    Parameters
    ----------
    table : DataFrame
        From `sum_up`, with the columns of people joined.
    source : Source
        What the file's columns are called.
    about : dict
        Where the lines came from, as in `Reading.source`.
    name : str
        The dataset's name.
    people : sequence of Guess
        What the columns of people were taken for.

    Raises
    ------
    UserError
        If customers differ in one of recency, orders and spending at most.
    """
    guesses = [_guess(column, table[column]) for column in table if column in MEANINGS]
    goods = [c for c in table if c.startswith("spent_on_") and table[c].any()]
    guesses += [_bought(column) for column in goods]
    constant = {c for c in table if c in MEANINGS and table[c].nunique() < 2}
    guesses = [g for g in guesses if g.source not in constant]
    if sum(guess.role == "segment" for guess in guesses) < 2:
        raise UserError(
            "nearly all customers bought on the same day, equally often or equally much",
            where=f"{about['name']}: at most one of recency, orders and spending differs",
            remedy="bring purchases of a longer time, or one row a customer with more columns",
        )
    questions = [("more than one order", "orders > 1")] if "orders" not in constant else []
    return write_dataset(
        name, about, [*guesses, *people], "net_value", questions, _more(source, constant)
    )


def _guess(column: str, values: pd.Series) -> Guess:
    label, kind, unit, role, transform, why = MEANINGS[column]
    if transform == "log1p" and values.min() < 0:
        transform = "yeo-johnson"
    return Guess(column, column, label, kind, role, why, unit, transform)


def _bought(column: str) -> Guess:
    what = column.removeprefix("spent_on_").replace("__", " ").replace("_", " ")
    why = "what was bought: describes"
    return Guess(column, column, f"Spent on {what}", "money", "describe", why, "", "log1p")


def _more(source: Source, constant: set[str]) -> str:
    """Write the tables that only transactions have."""
    given = [(f.name, getattr(source, f.name)) for f in fields(source)]
    lines = ["\n[source] # the columns of the file of purchases\n"]
    lines += [f"{key} = {spell(value)}\n" for key, value in given if value]
    if not constant & set(RFM.values()):
        lines.append("\n[rfm] # the features behind the table of scores\n")
        lines += [f'{part} = "{feature}"\n' for part, feature in RFM.items()]
    for name, pattern, summary, advice, measure in ARCHETYPES:
        directions = ", ".join(f"{key} = {value}" for key, value in pattern.items())
        if not constant & set(pattern):
            lines.append(
                f'\n[[archetypes]]\nname = "{name}"\npattern = {{ {directions} }}\n'
                f'summary = "{summary}"\nadvice = "{advice}"\nmeasure = "{measure}"\n'
            )
    return "".join(lines)

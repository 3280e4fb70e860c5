"""Where customers come from: what [source] in a dataset.toml says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Source:
    """Where customers come from, and for transaction lines what their columns are called.

    Parts of an amount are joined by a plus: ``coupon = "coupon_disc + coupon_match_disc"``.
    """

    __pydantic_config__ = {"extra": "forbid"}  # for who reads it from a dataset.toml

    grain: Literal["customer", "transaction"] = "customer"  # what a row of the file is
    package: str = ""  # an installed package that the files lie in; empty: beside dataset.toml
    products: str = ""  # a file with the columns of products, joined by `product`
    demographics: str = ""  # a file of who the customers are, joined by `customer`
    customer: str = ""
    time: str = ""
    amount: str = ""  # paid for the line; empty: quantity times price
    quantity: str = ""
    price: str = ""
    order: str = ""  # empty: what a customer buys on one day
    product: str = ""
    category: str = ""
    discount: str = ""
    coupon: str = ""
    own_brand: str = ""  # as "brand = Private"
    describe: str = ""  # columns that say who a customer is, the same in all of their lines

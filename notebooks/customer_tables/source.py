"""Where customers come from, and how their file is written, as far as the user says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from customer_tables.errors import UserError
from customer_tables.text import did_you_mean

SPELT = {  # how options may be spelt, in small letters, and what they stand for
    "decimal": {".": ".", ",": ",", "point": ".", "comma": ","},
    "date_order": {"dmy": "dmy", "mdy": "mdy", "d/m/y": "dmy", "m/d/y": "mdy"},
}


@dataclass(frozen=True)
class Options:
    """What the user said about how a file is written; empty where it is to be found out.

    Raises
    ------
    UserError
        If an option has a spelling that stands for nothing.
    """

    delimiter: str = ""  # one character, or "comma", "semicolon", "tab", "pipe", "spaces"
    encoding: str = ""  # else by its byte-order mark, UTF-8, then Windows-1252
    decimal: str = ""  # "." or ",", "point" or "comma"; else found out for each column
    sheet: str = ""  # name or place (from 1) of a workbook's sheet; needed if several have content
    date_order: str = ""  # "dmy" or "mdy", for dates like 03/04/2024

    def __post_init__(self) -> None:
        for name, known in SPELT.items():
            given = getattr(self, name)
            if given and given.lower() not in known:
                remedy = "give one of " + ", ".join(sorted(set(known.values())))
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{given!r} is not possible here", option, remedy)
            object.__setattr__(self, name, known.get(given.lower(), ""))


FOUND_OUT = Options()


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
    status: str = ""  # columns that say what a line is: a sale, a refund, a cancelled order ...
    currency: str = ""  # a column that names the currency of the amount
    # What cells of these columns mean that no list of words knows; or columns to ignore.
    purchase: tuple[str, ...] = ()
    refund: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


MARK = "+"  # between names of columns


def summands(named: str) -> list[str]:
    """Return the columns that a part of [source] names, with a plus between them."""
    return [name for name in map(str.strip, named.split(MARK)) if name]


Roles = Mapping[str, tuple[str, ...]]  # by role, the columns, or cells, that were given for it


def with_roles(roles: Roles, text: str) -> str:
    """Write roles as `parse_roles` reads them; those of a text of that kind go before them."""
    settled = dict(roles) | parse_roles(text)
    return "\n".join(f"{role}={column}" for role, columns in settled.items() for column in columns)


def answer(**roles: Sequence[str]) -> dict[str, str]:
    """Return the settings that give roles to columns or cells, as the answer of a `UserError`."""
    if not (roles and all(roles.values())):  # there is none to offer
        return {}
    return {"roles": with_roles({role: (*given,) for role, given in roles.items()}, "")}


def unknown_role(role: str, known: Iterable[str]) -> UserError:
    """Return the error that a table has no such role."""
    remedy = did_you_mean(role, known, f"known: {', '.join(known)[:300]}")
    return UserError(f"this table has no role {role[:80]!r}", f"--role {role[:80]}=...", remedy)


def parse_roles(text: str) -> dict[str, tuple[str, ...]]:
    """Read roles as --role gives them, one a line: ``customer=CUSTOMERNAME``.

    Raises
    ------
    UserError
        If a line names no role or nothing for it.
    """
    roles: dict[str, tuple[str, ...]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        role, _, given = (part.strip() for part in line.partition("="))
        if not role or not given:
            remedy = "write ROLE=COLUMN, such as --role customer=CUSTOMERNAME"
            raise UserError(f"{line[:80]!r} gives no role to a column", "--role", remedy)
        roles[role] = (*roles.get(role, ()), given)
    return roles

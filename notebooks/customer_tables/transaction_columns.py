"""Which columns of a file of transactions are what: by their names, and by what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from customer_tables.duckdb_files import (
    FOUND_OUT,
    Options,
    Relation,
    open_duckdb,
    open_file,
    quoted,
    rows_of,
)
from customer_tables.errors import UserError
from customer_tables.names import split_name
from customer_tables.source import Source

SAMPLE_ROWS = 200_000
MOST_DISTINCT = 0.8  # customers a row up to which several rows share a customer
ENOUGH = 30  # customers with more than one order, by whom a column is judged
CONSTANT = 0.95  # share of them in whose lines it says the same
MARK = "+"  # between names, as everywhere in [source]

WHO = "customer|cust|client|household|hh|member|user|shopper|buyer|consumer|visitor"
SALE = "invoice|order|basket|transaction|trans|receipt|ticket|bill|purchase|sale|sales"
# For each part, patterns over a column's name in lower-case words; the earlier pattern wins.
# The last line of a part is German and French.
PARTS: dict[str, tuple[str, ...]] = {
    "customer": (
        rf"({WHO})( (id|no|nr|number|key|code))",
        rf"({WHO})",
        r"(loyalty )?(card|account)( (id|no|nr|number|key))",
        r"kunden? ?(nummer|nr|id)|kunde|(n|id|num[ée]ro|code) ?(du )?client",
    ),
    "time": (
        rf"({SALE}) ?(date ?time|time ?stamp|date|time|day|dt)( time)?",
        r"date ?time|time ?stamp|date|created( at)?|purchased( (at|on))?",
        r"(rechnungs|bestell|kauf|bon)?datum|date (de )?(la )?(facture|commande|achat)",
    ),
    "amount": (
        r"(line|total|net|gross|sales|order|purchase|transaction|trans) ?(amount|amt|value|sales)",
        r"(total|line) (price|spent|spend|cost)|amount( (paid|spent))?|revenue|turnover",
        r"sales|spent",
        r"(gesamt|netto|brutto)?(betrag|umsatz|preis)|montant( total)?|chiffre d affaires",
    ),
    "quantity": (r"quantity|qty|units|number of (items|units)|items", r"menge|anzahl|quantit[ée]"),
    "price": (
        r"(unit|item) ?price|price( (each|per unit))?",
        r"(einzel|stück|stueck)preis|prix( unitaire)?",
    ),
    "order": (
        rf"({SALE}) ?(no|nr|number|id|key|code)",
        r"invoice|receipt|basket|order",
        r"(rechnungs|bestell|auftrags|beleg|bon) ?(nummer|nr)|(n|num[ée]ro|code) ?(de )?(la )?"
        r"(facture|commande)",
    ),
    "product": (
        r"(stock|product|item|article) ?(code|id|no|nr|number|key)",
        r"sku|upc|ean|product|article|item|product name|item name",
        r"artikel ?(nummer|nr)?|produkt|produit|(code|n|r[ée]f[ée]rence) ?(produit|article)",
    ),
    "category": (
        r"(product |item |main )?(category|department|product line)( name)?",
        r"(product |item )?(group|family|section|type)",
        r"(waren|produkt|artikel)gruppe|kategorie|cat[ée]gorie|rayon",
    ),
    "discount": (r"(.+ )?(discount|disc|markdown)( (amount|value))?",),
    "coupon": (r"coupons?( (amount|value|discount|disc))?",),
}


def recognise(names: Iterable[str]) -> Source | None:
    """Tell which columns of a header hold customer, time, amount and so on.

    Returns
    -------
    Source or None
        None where a customer, a time, or an amount (or quantity and price) is missing.
    """
    words = {str(name): split_name(str(name)) for name in names}
    found: dict[str, str] = {}
    for part, patterns in PARTS.items():
        free = [name for name in words if name not in found.values()]
        hits = (n for p in patterns for n in free if re.fullmatch(p, words[n]))
        if hit := next(hits, None):
            found[part] = hit
    worth = "amount" in found or {"quantity", "price"} <= set(found)
    if not ({"customer", "time"} <= set(found) and worth):
        return None
    return Source(grain="transaction", **found)


def summands(named: str) -> list[str]:
    """Return the columns that a part of [source] names, with a plus between them."""
    return [name for name in map(str.strip, named.split(MARK)) if name]


def find_transactions(path: Path, options: Options = FOUND_OUT) -> Source | None:
    """Tell whether a file holds transaction lines: by its names, and repeated customers.

    Returns
    -------
    Source or None
        None where a row is a customer, or the file is for `read_table` to explain.
    """
    with suppress(UserError), open_duckdb(path.name) as connection:
        file, run = open_file(connection, path, options), rows_of(connection)
        if source := recognise(file.types):
            who = quoted(source.customer)
            for part in _first_and_all(file, who):  # all only where the first leave a doubt
                query = f"SELECT count({who}), approx_count_distinct({who}) FROM {part}"
                rows, customers = run(query)[0]
                if customers < MOST_DISTINCT * rows:
                    return source
    return None


def _first_and_all(file: Relation, columns: str = "*") -> tuple[str, str]:
    return f"(SELECT {columns} FROM {file.sql} LIMIT {SAMPLE_ROWS})", file.sql


def find_descriptors(path: Path, source: Source, options: Options = FOUND_OUT) -> Source:
    """Add the columns that say the same in all lines of a customer, judged by the first of them.

    What changes from order to order, such as a way of delivery, is told from it by customers with
    several orders.
    """
    used = {getattr(source, field.name) for field in fields(source)}
    with open_duckdb(path.name) as connection:
        file, run = open_file(connection, path, options), rows_of(connection)
        free = [c for c in file.types if c not in used and MARK not in c and c.strip()]
        who, when = quoted(source.customer), quoted(source.order or source.time)
        ends = "".join(f", min({quoted(c)}), max({quoted(c)})" for c in free)
        names = "".join(f", low{i}, high{i}" for i in range(len(free)))
        same = "".join(
            f", avg(CAST(low{i} IS NOT DISTINCT FROM high{i} AS INTEGER)), "
            f"approx_count_distinct(low{i})"
            for i in range(len(free))
        )
        judged: list = []
        for part in _first_and_all(file):  # all only where the first tell too little
            several = (
                f"SELECT {who}{ends} FROM {part} WHERE {who} IS NOT NULL "
                f"GROUP BY {who} HAVING min({when}) <> max({when})"
            )
            customers, *judged = run(f"SELECT count(*){same} FROM ({several}) AS t(who{names})")[0]
            if customers >= ENOUGH:
                break
        else:
            return source
    pairs = zip(free, judged[::2], judged[1::2], strict=True)
    found = [name for name, constant, values in pairs if constant >= CONSTANT and values > 1]
    return replace(source, describe=f" {MARK} ".join(found))

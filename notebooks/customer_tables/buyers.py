"""Who bought, where the customer's cell does not say it plainly.

E-mail addresses are written in capitals and small letters alike, and shops write a word for buyers
whom they do not know: guests, walk-in customers, sales for cash.
"""

from __future__ import annotations

import re
from dataclasses import replace

from customer_tables.changes import Change
from customer_tables.duckdb_files import Lines, literal, quoted
from customer_tables.errors import UserError
from customer_tables.names import split_name
from customer_tables.source import Source

SAMPLE = 20_000  # lines that show it
TWICE = 0.05  # share of the customers from which two spellings are of one, and no chance
MANY = 0.1  # share of the lines from which one customer may be everybody who is not known
UNKNOWN = re.compile(
    r"(guest|anonymous|walk ?in|cash|unknown|unregistered)"
    r"( (customer|client|user|sale|checkout)s?)?|"
    r"(no|default|pos|counter|one ?time) (customer|client|user|buyer|sale)s?|"
    r"gast(bestellung)?|gäste|laufkund(e|en|schaft)|barverk[aä]uf(e)?|unbekannt(er kunde)?|"
    r"(client )?(invité|anonyme|comptoir|(de )?passage|inconnu|divers)|"
    r"(cliente )?(invitado|mostrador|contado|desconocido|gen[eé]rico|vari(o|os)?|ospite)|"
    r"p[uú]blico (en )?general|consumidor final|"
    r"(onbekend(e klant)?|contant)|gość|klient (detaliczny|anonimowy)|"
    r"misafir|гость|散客|游客|ゲスト"
)


def plain_buyers(lines: Lines, source: Source) -> tuple[Lines, list[Change]]:
    """Write each customer in one way, and none where the cell is a word for unknown buyers.

    One customer with a large part of all lines is noted, as that may be everybody without a name.
    """
    if source.customer not in lines.types:
        return lines, []
    cell = quoted(source.customer)
    text = f"trim(CAST({cell} AS VARCHAR))"
    some = f"(SELECT {text} AS who FROM {lines.sql} LIMIT {SAMPLE}) AS some_lines"
    most = lines.run(
        f"SELECT who, count(*) FROM {some} WHERE who <> '' GROUP BY who ORDER BY 2 DESC, 1 LIMIT 9"
    )
    total, mails, capitals, different, in_small, bare = lines.run(
        "SELECT count(*), count(*) FILTER (contains(who, '@')), "
        "count(*) FILTER (contains(who, '@') AND lower(who) <> who), count(DISTINCT who), "
        f"count(DISTINCT lower(who)), count(DISTINCT ltrim(who, '0')) FROM {some}"
    )[0]
    if different - bare > max(2, TWICE * different):
        raise _with_and_without_zeros(lines, source.customer, text)
    unknown = [
        who for who, _ in most if UNKNOWN.fullmatch(" ".join(re.split(r"[\W_]+", who.lower())))
    ]
    (_, first), (_, second) = (*most, ("", 0), ("", 0))[:2]
    if first >= max(MANY * total, 5 * second) and re.fullmatch("0+|-1", most[0][0]):
        unknown.append(most[0][0])
    changes, settled = [], cell
    if unknown:
        is_unknown = " OR ".join(f"{text} = {literal(who)}" for who in unknown)
        rows = lines.ask("count(*)", f"WHERE {is_unknown}")[0][0]
        what = f"lines of {' and '.join(map(repr, unknown))}"
        action = "taken for no customer"
        for mail in (c for c in lines.types if re.search(r"\be ?mail\b", split_name(c))):
            filled = f"({is_unknown}) AND contains(CAST({quoted(mail)} AS VARCHAR), '@')"
            if lines.ask("count(*)", f"WHERE {filled}")[0][0]:
                action += f'; --role customer="{mail}" tells them apart'
                break
        changes.append(Change(what, source.customer, rows, action))
        settled = f"CASE WHEN {is_unknown} THEN NULL ELSE {settled} END"
    if capitals and 2 * mails > total:
        changed = f"contains({text}, '@') AND lower({text}) <> {text}"
        rows = lines.ask("count(*)", f"WHERE {changed}")[0][0]
        what = "capitals in e-mail addresses"
        changes.append(Change(what, source.customer, rows, "written in small letters"))
        settled = f"CASE WHEN {changed} THEN lower({text}) ELSE {settled} END"
    elif different - in_small > max(2, TWICE * different):
        one = f"min({text}) OVER (PARTITION BY lower({text}))"
        what, action = "customers in capitals and small letters", "taken for one"
        changes.append(Change(what, source.customer, different - in_small, action))
        settled = one if settled == cell else f"CASE WHEN {is_unknown} THEN NULL ELSE {one} END"
    elif different > in_small:
        what, action = "customers in capitals and small letters", "kept apart: too few to be sure"
        changes.append(Change(what, source.customer, different - in_small, action))
    if different > bare:
        what, action = "customers with and without zeros", "kept apart: too few to be sure"
        changes.append(Change(what, source.customer, different - bare, action))
    first, second, *_ = *(count for who, count in most if who not in unknown), 0, 0
    if first >= max(MANY * total, 5 * second) and second:
        what, action = "lines of one customer", "kept: check that it is no account of many"
        changes.append(Change(what, source.customer, first, action))
    if settled == cell:
        return lines, changes
    listed = (f"{settled} AS {cell}" if quoted(c) == cell else quoted(c) for c in lines.types)
    return replace(lines, sql=f"(SELECT {', '.join(listed)} FROM {lines.sql})"), changes


def _with_and_without_zeros(lines: Lines, column: str, text: str) -> UserError:
    """Say that customers stand with zeros in front and without: one customer, or two."""
    some = f"(SELECT {text} AS who FROM {lines.sql} LIMIT {SAMPLE}) AS some_lines"
    several = f"SELECT min(who) AS one, max(who) AS other FROM {some} GROUP BY ltrim(who, '0')"
    count, one, other = lines.run(
        f"SELECT count(*) OVER (), one, other FROM ({several}) AS pairs WHERE one <> other "
        "ORDER BY one LIMIT 1"
    )[0]
    return UserError(
        f"{count:,} customers stand with zeros in front and without, such as {one[:30]!r} and "
        f"{other[:30]!r}",
        where=f"{lines.name}, column {column!r}{lines.line_of(one)}{lines.line_of(other)}",
        remedy="write each customer in one way, with the zeros or without",
    )

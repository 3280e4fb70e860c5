"""Guessing what a table of customers is: the parts that its columns play, and why.

`infer_dataset` gives the text of a dataset.toml in which every guess has its reason beside it,
ready to be edited. The guesses follow stated rules over names, kinds and values; nothing is
learnt. One column is guessed in `guessing` by the words in `vocabulary`; here is
what takes all columns: the identifier, the value, the columns that say the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import permutations
from types import MappingProxyType

import numpy as np
import pandas as pd
import tomlkit

from customer_tables import vocabulary
from customer_tables.changes import Reading
from customer_tables.codes import are_named, are_numbered
from customer_tables.description import dataset_toml
from customer_tables.errors import UserError
from customer_tables.guessing import (
    EMAIL,
    PHONE,
    PHONES,
    SENSITIVE,
    YEARS,
    Guess,
    free_name,
    guess_column,
    measures_time,
    names_groups,
    spell_out,
)
from customer_tables.line_kinds import CURRENCY
from customer_tables.names import full_name, split_name
from customer_tables.numbers import CURRENCIES
from customer_tables.roles import archetypes, count_days, give_roles
from customer_tables.source import Roles, answer, unknown_role
from customer_tables.table import with_full_names
from customer_tables.text import joined
from customer_tables.transaction_columns import (
    NO_AMOUNT,
    NO_CODE,
    NO_ROLES,
    PARTS,
    find_column,
)
from customer_tables.unit import refuse_periods

SAMPLE_ROWS = 20_000
NEAR_DUPLICATE = 0.95  # correlation from which two columns would count twice in a distance
FEWER_ROWS = 2_000  # on which ranks are compared
MONOTONE = 0.9995  # rank correlation from which one column is a function of another
EXACT = 1e-4  # part of a column's spread that may be left when it is a sum of others
AMOUNTS = ("money", "count", "number")
FEW_PRODUCTS = 3  # columns of yes and no from which their number says how much customers have
FEWEST_PARTS = 3  # of a total
SUMMED_ROWS = 200  # on which it is tried first, as most are refuted by them
CENT = 0.01
NO_ANSWER = re.compile(r"(\d)\1{2,}|10{4,}")  # 999, 5555, 10000
FAR_ABOVE = 20  # times that this is above the next highest value, at least
FEWEST_ANSWERS = 10  # customers whose answer is missing in two columns
FEW_CODES = 20  # rows from which distinct codes tell customers apart
MANY_CODES = 300  # the same for numbers that may be anything
MOST_WORDS = 6  # of a name; remarks have more
SPACED = r"[\s@]|^$"  # names, addresses and texts have spaces
NO_GIVEN: Mapping[str, str] = MappingProxyType({})
RFM = {"R": "Recency", "F": "Frequency", "M": "Monetary"}  # where there are all three
AGO = re.compile(r"\b(since|ago|seit|depuis|hace|fa|geleden)\b")  # of those who never did: longest
MOST_SUMMED = 60  # columns up to which sums are looked for
CUSTOMERS = re.compile("|".join(PARTS["customer"]))
AMOUNT = re.compile("|".join((*PARTS["amount"], *PARTS["quantity"])))
ONE_WORD = "codes, as each stands for one word of"
MOST_SCALE = 10  # of answers; several questions have the same
FEWEST = 3  # of these
NO_CODES = NO_CODE | NO_AMOUNT | vocabulary.NO_MONEY  # words of numbers that are no codes


def infer_dataset(reading: Reading, name: str, roles: Roles = NO_ROLES) -> str:
    """Guess what a table is, and write it down as a dataset.toml with a comment on every guess.

    Parameters
    ----------
    reading : Reading
        The table as `read_table` gives it.
    name : str
        The dataset's name.
    roles : mapping of str to tuple of str, optional
        Columns by the roles that the user gave them: customer, segment, describe, ignore, or what
        they say of customers (value, recency ...; archetypes.toml lists these).

    Raises
    ------
    UserError
        If a role or its column is unknown, amounts are in several currencies, or fewer than two
        columns of numbers are left to segment on.
    """
    given = _given_roles(reading, roles)
    total_of_gaps, gaps = _gaps_in_sum(reading.table, reading.kinds)
    reading = replace(reading, table=reading.table.fillna(dict.fromkeys(gaps, 0)))
    _refuse_currencies(reading, given)
    limits = _limits_of_answers(reading)
    asked = {c: reading.table[c].where(reading.table[c].between(*limits[c])) for c in limits}
    reading = replace(reading, table=reading.table.assign(**asked))
    guesses, table = count_days(guess_columns(reading, given), reading.table, given)
    guesses = [
        replace(g, valid=limits[g.source], outside="missing") if g.source in limits else g
        for g in guesses
    ]
    if set(RFM) <= {guess.label for guess in guesses}:
        guesses = [replace(guess, label=RFM.get(guess.label, guess.label)) for guess in guesses]
    guesses = _as_given(guesses, given)
    value, total = _guess_value(guesses, table)
    named = (guess.name for guess in guesses if given.get(guess.source) == "value")
    value, total = next(((name, []) for name in named), (value, total))
    guesses = _without_sums(guesses, table, value)
    guesses = _without_near_duplicates(guesses, table, keep=value)
    guesses = _without_transforms(guesses, table)
    guesses = _as_given(_without_codes(guesses, table, given), given)
    guesses = _with_enough(guesses, str(reading.source["name"]), table)
    guesses = [replace(guess, label=spell_out(guess.label)) for guess in guesses]
    guesses = give_roles([*guesses, *total], table, value, given)
    guesses += _count_products(guesses, table)
    questions = _guess_questions(guesses, table)
    more = [*_structural_gaps(guesses, table), *archetypes(guesses, table)]
    more = [*_zeros_in_sum(guesses, total_of_gaps, gaps), *more]
    return dataset_toml(name, reading.source, guesses, value, questions, more)


def identified(reading: Reading, roles: Roles) -> Reading:
    """Add a column of first and last names together, if only these tell customers apart.

    Raises
    ------
    UserError
        If rows are periods rather than customers.
    """
    if not roles:
        refuse_periods(reading)
    name = full_name(reading.table)
    if not name or "customer" in roles or _choose_identifier(reading):
        return reading
    named = with_full_names(reading, name)
    return named if named.table[name].notna().all() and named.table[name].is_unique else reading


def _given_roles(reading: Reading, roles: Roles) -> dict[str, str]:
    """Return the role that the user gave to each column of the file."""
    if unknown := roles.keys() - vocabulary.OF_CUSTOMERS:
        raise unknown_role(min(unknown), sorted(vocabulary.OF_CUSTOMERS))
    names = [str(column) for column in reading.table]
    return {find_column(names, c, role): role for role, cs in roles.items() for c in cs}


def _as_given(guesses: list[Guess], given: dict[str, str]) -> list[Guess]:
    """Give columns the part that the user named."""
    parts = {"segment": "segment", "describe": "describe", "ignore": "dropped"}
    settled = []
    for guess in guesses:
        role = given.get(guess.source, "")
        part = parts.get(role, guess.role)
        if role == "segment":
            guess = _as_numbers(guess)
        if (role == "segment" or role in vocabulary.ROLES) and not guess.is_numeric:
            raise UserError(
                f"the column {guess.source!r} holds no numbers ({guess.why})",
                where=f"--role {role}={guess.source}",
                remedy="name a column of numbers",
            )
        settled.append(replace(guess, role=part, why="as --role says") if role in parts else guess)
    return settled


def _refuse_currencies(reading: Reading, given: Collection[str]) -> None:
    """Refuse amounts of which a column says that they are in several currencies."""
    called = [c for c in reading.table if CURRENCY.fullmatch(split_name(c)) and c not in given]
    for column in (c for c in called if reading.kinds[c] in ("text", "id")):
        texts = reading.table[column].dropna().str.strip()
        signs = texts.map(lambda text: CURRENCIES.get(text.lower(), text.upper())).value_counts()
        if len(signs) < 2 or not signs.index.str.fullmatch(r"[A-Z]{3}|\W+|.*[$€£¥].*").all():
            continue
        listed = joined([f"{sign} ({count:,} rows)" for sign, count in signs.items()])
        raise UserError(
            f"the amounts are in {len(signs)} currencies: {listed[:300]}",
            where=f"{reading.source['name']}, column {column!r}",
            remedy="turn them into one currency, or bring the rows of one alone; "
            f'if they are in one already, --role ignore="{column}"',
            answer=answer(ignore=[column]),
        )


def _structural_gaps(guesses: list[Guess], table: pd.DataFrame) -> list[str]:
    """Return rules for columns that are empty exactly where another one is 0: nothing so far.

    That is 0, and the longest time of all where a column says how long ago something was.
    """
    numeric = [g for g in guesses if g.is_numeric and g.source and g.role != "dropped"]
    zeros = {g: (table[g.source] == 0).to_numpy() for g in numeric if g.kind != "share"}
    rules = []
    for guess in numeric:
        gaps = table[guess.source].isna().to_numpy()
        other = next((o for o, zero in zeros.items() if gaps.any() and (zero == gaps).all()), None)
        if other:
            why = f"{guess.label} is empty exactly where {other.label.lower()} is 0"
            rule: dict[str, str | int] = {"name": f"no {guess.label.lower()} so far", "why": why}
            ago = guess.before or guess.plays == "recency" or AGO.search(guess.label.lower())
            longest = int(table[guess.source].max()) if ago else 0
            rule |= {"when": f"{other.name} == 0", "column": guess.name, "fill": longest}
            rules.append(tomlkit.dumps({"rules": [rule]}))
    return rules


def _gaps_in_sum(table: pd.DataFrame, kinds: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a total, and those columns before it in whose gaps it counts 0."""
    columns, gappy = list(table), table.isna().any()
    some = {column: table[column].iloc[:SUMMED_ROWS].to_numpy() for column in table}
    for place, total in enumerate(columns):
        parts: list[str] = []
        left = some[total]
        while len(parts) < min(place, MOST_SUMMED) and kinds[total] in ("number", "money"):
            column = columns[place - len(parts) - 1]
            if kinds[column] not in ("number", "money"):
                break
            parts.append(column)
            left = left - np.nan_to_num(some[column])
            if np.abs(left).max() < CENT and len(parts) >= FEWEST_PARTS and gappy[parts].any():
                if np.allclose(table[parts].sum(axis=1), table[total], rtol=1e-6, atol=CENT):
                    return total, [part for part in parts if gappy[part]]
    return "", []


def _limits_of_answers(reading: Reading) -> dict[str, tuple[float, float]]:
    """Return the ends of numbers whose lowest or highest stands for no answer.

    It is there in the rows in which another column is empty, and in no others; or it is 99999 or
    10000 and the like, far above all others.
    """
    table = reading.table
    empty = {frozenset(np.flatnonzero(gaps)) for _, gaps in table.isna().items() if gaps.any()}
    limits = {}
    for column in (c for c in table if reading.kinds[c] in ("number", "money")):
        values = table[column]
        low, high = values.min(), values.max()
        ends = {low: values[values > low].min(), high: values[values < high].max()}
        for end, next_to in ends.items() if low < high else ():
            rows = np.flatnonzero(values == end)
            silent = len(rows) >= FEWEST_ANSWERS and end != 0 and frozenset(rows) in empty
            digits = NO_ANSWER.fullmatch(str(int(end))) and next_to >= 0
            digits = digits and end >= FAR_ABOVE * max(next_to, 1)
            if (digits or silent) and values.nunique() >= (FEWEST if digits else FEW_CODES):
                between = float(end + next_to) / 2
                limits[column] = (between, np.inf) if end < next_to else (-np.inf, between)
    return limits


def _zeros_in_sum(guesses: list[Guess], total: str, gaps: list[str]) -> list[str]:
    """Return rules that write 0 into those gaps."""
    whole = next((g for g in guesses if g.source == total and g.role != "dropped"), None)
    rules = [
        {
            "name": f"no {guess.label.lower()}",
            "why": f"{whole.label} is the sum of all with 0 there",
            "when": f"abs({whole.name}) >= 0",
            "column": guess.name,
            "fill": 0,
        }
        for guess in guesses
        if whole and guess.source in gaps and guess.role != "dropped"
    ]
    return [tomlkit.dumps({"rules": [rule]}) for rule in rules]


def guess_columns(reading: Reading, given: Mapping[str, str] = NO_GIVEN) -> list[Guess]:
    """Guess each column's kind, transform and role, each by itself but for the identifier."""
    named = (column for column, role in given.items() if role == "customer")
    identifier = next(named, None) or _choose_identifier(reading, given)
    guesses: list[Guess] = []
    for place, source in enumerate(reading.table, 1):
        guess = guess_column(source, reading, source == identifier)
        name = free_name(guess.name or f"column_{place}", [other.name for other in guesses])
        guess = replace(guess, name=name)
        if source == identifier and source not in given and reading.kinds[source] == "text":
            guess = replace(guess, why="tells customers apart: another text in every row")
        if guess.kind == "id" and guess.role == "dropped" and identifier:
            values = reading.table[source].dropna()
            again = int(values.duplicated(keep=False).sum())
            of_customers = vocabulary.CUSTOMER_WORDS.search(split_name(source))
            if of_customers and 0 < again < len(values) and reading.table[identifier].is_unique:
                why = f"{again:,} rows share their identifier with another"
                guess = replace(guess, why=f"{why}; {identifier} tells rows apart")
        guesses.append(guess)
    return guesses


def _choose_identifier(reading: Reading, given: Collection[str] = ()) -> str | None:
    """Return the column that tells customers apart: unique, and called after customers."""
    table, kinds = reading.table.drop(columns=[*given]), reading.kinds  # those are something else

    def rank(column: str) -> tuple[bool, ...]:
        words, distinct = split_name(column), table[column].nunique()
        of_customers = vocabulary.CUSTOMER_WORDS.search(words) or CUSTOMERS.fullmatch(words)
        # Far from unique, yet called after customers: one customer has several rows.
        main = of_customers and distinct < 0.9 * len(table)
        unique = distinct == len(table)
        no_record = not vocabulary.RECORD_WORDS.search(words)
        return bool(main or unique), bool(of_customers), unique, kinds[column] == "id", no_record

    found = [c for c in table if kinds[c] == "id" or _holds_customers(table[c], kinds[c])]
    found = [c for c in found if table[c].notna().mean() > 0.5]
    found = [c for c in found if not vocabulary.NO_CUSTOMER.search(split_name(c))]
    codes = [c for c in found if re.search("^code .| code$", split_name(c))]
    found = [c for c in found if c not in codes or table[c].is_unique or rank(c)[1]]
    found = [c for c in found if rank(c)[1] or not names_groups(table[c])]
    people = [c for c in found if rank(c)[1] or split_name(c) == "id"]
    # Beside these, a number of the rows only hides that they repeat.
    numbers = [c for c in found if people and c not in people and _counts_rows(table[c])]
    best = max((c for c in found if c not in numbers), key=rank, default=None)
    if best and vocabulary.RECORD_WORDS.search(split_name(best)) and _counts_rows(table[best]):
        return _find_codes(table[[c for c in table if kinds[c] == "text"]], kinds) or best
    if best and (numbers or any(rank(best)[:2])):
        return best
    return _find_codes(table, kinds) or _find_names(table, kinds) or best


def _holds_customers(values: pd.Series, kind: str) -> bool:
    """Whether texts or whole numbers, called as customers are in transactions, are of many."""
    words, known = split_name(str(values.name)), values.dropna()
    named = CUSTOMERS.fullmatch(words) and not vocabulary.PERSONAL.fullmatch(words)
    if not named or kind not in ("number", "text") or known.nunique() <= len(values) / 10:
        return False
    return kind == "text" or bool((known == known.round()).all() and known.min() >= 0)


def _counts_rows(values: pd.Series) -> bool:
    """Whether values are 0, 1, 2 ... or 1, 2, 3 ... from the first row to the last."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy()
    return numbers[0] in (0, 1) and bool((numbers == numbers[0] + np.arange(len(numbers))).all())


def _find_codes(table: pd.DataFrame, kinds: Mapping[str, str]) -> str | None:
    """Return a column of distinct codes, one a row, whatever its name and script.

    A text column, or one of whole numbers whose name is of no amount: running ones but for those
    that count the rows; the first column where they have equally many digits, or no other has
    distinct ones; any other where they are spread evenly and have six digits or more, or no other
    column of many rows has distinct ones.
    """
    if len(table) < FEW_CODES:
        return None
    different = [c for c in table if table[c].notna().all() and table[c].is_unique]
    wholes = [c for c in different if kinds[c] == "number" and (table[c] % 1 == 0).all()]
    for column in different:
        values, name = table[column], split_name(column)
        texts = (values.astype("int64") if column in wholes else values).astype("str")
        outlines = texts.str.replace(r"[^\W\d_]", "A", regex=True).replace(r"\d", "9", regex=True)
        first = outlines.iloc[0]
        alike = (outlines == first).all() and "A" in first and "@" not in first  # "K 001"
        is_code = alike or not texts.str.contains(SPACED).any()
        is_code &= texts.str.contains(r"\d").all()
        other = vocabulary.PERSONAL.fullmatch(name) or vocabulary.NO_CUSTOMER.search(name)
        if kinds[column] in ("text", "id") and is_code and not other:
            return column
        if column not in wholes or set(name.split()) & NO_CODES or measures_time(name):
            continue
        run = values.max() - values.min() == len(values) - 1
        if run and not values.between(*YEARS).all():
            if not _counts_rows(values) and not _counts_rows(values[::-1]):
                return column
        digits = texts.str.fullmatch(r"[1-9]\d{3,}").all() and (outlines == first).all()
        alone = len(wholes) == 1 and not run and values.min() >= 0
        alone &= (values % 10 == 0).mean() < 0.5
        if column == table.columns[0] and (digits or alone):
            return column
        many = (digits and len(first) >= 6) or (alone and len(values) >= MANY_CODES)
        if many and _spread_evenly(values):
            return column
    return None


def _find_names(table: pd.DataFrame, kinds: Mapping[str, str]) -> str | None:
    """Return the column of e-mail addresses or telephone numbers, or the only one of names.

    Each row has another.
    """
    if len(table) < FEW_CODES:
        return None
    texts = {c: table[c].astype("str") for c in table if kinds[c] in ("text", "id")}
    unique = [c for c in texts if table[c].notna().all() and table[c].is_unique]
    addresses = [c for c in unique if texts[c].str.fullmatch(EMAIL).all()]
    calls = [c for c in unique if PHONES.search(split_name(c)) and texts[c].str.match(PHONE).all()]
    names = [
        column
        for column in unique
        if kinds[column] == "text"
        and not vocabulary.NO_CUSTOMER.search(split_name(column))
        and texts[column].str.contains(r"[^\W\d_]").all()
        and texts[column].str.split().str.len().max() <= MOST_WORDS
    ]
    return next(iter(addresses or calls or (names if len(names) == 1 else ())), None)


def _spread_evenly(values: pd.Series) -> bool:
    """Whether numbers are as far from evenly spread ones as chance allows: amounts are not."""
    ranks = np.sort((values - values.min()) / (values.max() - values.min()))
    return np.abs(ranks - np.linspace(0, 1, len(ranks))).max() <= 1.36 / np.sqrt(len(ranks))


def _guess_value(guesses: list[Guess], table: pd.DataFrame) -> tuple[str, list[Guess]]:
    """Return the name of the column that measures a customer's value, or of a sum for it."""
    numeric = [g for g in guesses if g.is_numeric and g.role in ("segment", "describe")]
    if any(vocabulary.LENDING.search(guess.label.lower()) for guess in guesses):
        numeric = [guess for guess in numeric if guess.label.lower() != "amount"]  # of a loan
    found, parts = _find_value(numeric, vocabulary.VALUES, table), _find_parts(numeric, table)
    if found and not (parts and found in {part.name for part in parts}):
        return found, []
    whole = _find_value(numeric, vocabulary.PARTIAL_VALUES, table)
    wholes = "|".join(vocabulary.PARTIAL_VALUES)
    if not parts or whole and not all(re.fullmatch(wholes, g.label.lower()) for g in parts):
        return whole, []
    total = Guess(
        source="",
        name=free_name("total_amount", [guess.name for guess in guesses]),
        label="Total amount",
        kind="money",
        role="describe",
        why=f"the sum of {len(parts)} amounts; they segment one by one",
        unit=parts[0].unit,
        transform="log1p" if all(part.transform == "log1p" for part in parts) else "none",
        formula=" + ".join(part.name for part in parts),
    )
    return total.name, [total]


def _count_products(guesses: list[Guess], table: pd.DataFrame) -> list[Guess]:
    """Count the products and services of each customer that columns of yes and no tell of."""
    words = {guess: set(guess.label.lower().split()) for guess in guesses if guess.source in table}
    held = [
        guess
        for guess, said in words.items()
        if said & vocabulary.PRODUCTS and not said & vocabulary.NO_PRODUCT
        if guess.role in ("describe", "segment") and table[guess.source].isin([0, 1]).all()
    ]
    if len(held) < FEW_PRODUCTS or any(guess.plays == "breadth" for guess in guesses):
        return []
    names = ", ".join(guess.label.lower() for guess in held)
    return [
        Guess(
            source="",
            name=free_name("products", [guess.name for guess in guesses]),
            label="Number of products and services",
            kind="count",
            role="describe",
            why=f"role breadth, likely by their names: how many are yes of {names}",
            formula=" + ".join(guess.name for guess in held),
            plays="breadth",
        )
    ]


def _find_value(numeric: list[Guess], patterns: tuple[str, ...], table: pd.DataFrame) -> str:
    """Return the column whose name says that it measures what a customer is worth.

    Of several of one pattern it is the whole: the one that is nowhere below another, or the first.
    """
    for pattern in patterns:
        alike = []
        for guess in numeric:
            words = guess.label.lower()
            other = set(words.split()) & (
                vocabulary.SCORES | {"limit", "claim", "claims"}
            ) or measures_time(words)
            if guess.kind in ("money", "number") and not other and re.fullmatch(pattern, words):
                alike.append(guess)
        if alike:
            most = table[[guess.source for guess in alike]].max(axis=1)
            whole = (g for g in alike if not (table[g.source] < most).any())
            return next(whole, alike[0]).name
    return ""


def _find_parts(numeric: list[Guess], table: pd.DataFrame) -> list[Guess]:
    """Return three or more amounts whose sum is what a customer spends: MntWines, MntFish ...

    None of them is the whole of another, as the spending of a year is of its last month's.
    """

    def apart(family: list[Guess]) -> bool:
        amounts = table[[g.source for g in family]].to_numpy(dtype=float)
        return not any(
            (low <= high).all() for low, high in permutations(np.nan_to_num(amounts).T, 2)
        )

    money = [g for g in numeric if g.kind == "money" and g.role == "segment" and g.valid]
    words = {g.name: g.name.split("_") for g in money}
    families = [
        [g for g in money if word in (words[g.name][0], words[g.name][-1])]
        for word in sorted(vocabulary.SPENDING)
    ]
    families.append([g for g in money if set(words[g.name]) & vocabulary.GOODS])
    alike = (f for f in families if len(f) >= 3 and len({g.unit for g in f}) == 1 and apart(f))
    return next(alike, [])


def _without_codes(
    guesses: list[Guess], table: pd.DataFrame, given: Collection[str]
) -> list[Guess]:
    """Leave out whole numbers that are as frequent as codes are, where enough others segment."""
    numbers = [g for g in guesses if g.role == "segment" and g.kind in ("count", "number")]
    ends = {g: (table[g.source].min(), table[g.source].max()) for g in numbers}
    scales = {
        e for e in ends.values() if e[1] <= MOST_SCALE and [*ends.values()].count(e) >= FEWEST
    }
    words_of = [g.source for g in guesses if g.kind == "category" and g.role == "describe"]
    words_of = [c for c in words_of if table[c].nunique() >= FEWEST]
    settled = {}
    for guess in (g for g in numbers if g.source not in given and not g.unit):
        values, words = table[guess.source].dropna(), spell_out(guess.label).lower().split()
        amount = " ".join(word for word in words if word not in vocabulary.NUMBER_OF)
        if (values % 1 != 0).any() or measures_time(amount):
            continue
        why = ""
        if same := next((c for c in words_of if _are_one(table[[guess.source, c]])), ""):
            why = f"{ONE_WORD} {same}"
        elif are_numbered(values) and not _says_what(amount):
            why = "numbers given one by one, as they repeat less than by chance"
        elif ends[guess] not in scales and are_named(values) and not _says_what(" ".join(words)):
            why = "codes, by how often each number is there"
        if why and not _has_function(table, guess.source):
            answer = f'amounts: --role segment="{guess.source}"'
            settled[guess] = replace(guess, role="dropped", why=f"perhaps {why} ({answer})")
    left = sum(guess.role == "segment" and guess not in settled for guess in guesses)
    if left < 2:  # what is no more than likely stays
        settled = {g: new for g, new in settled.items() if ONE_WORD in new.why}
    return [settled.get(g, g) for g in guesses]


def _are_one(pairs: pd.DataFrame) -> bool:
    """Whether each value of a column stands beside one value of another, and the reverse."""
    one, other = pairs
    return len(pairs.drop_duplicates().dropna()) == pairs[one].nunique() == pairs[other].nunique()


def _has_function(table: pd.DataFrame, column: str) -> bool:
    """Whether another column is the logarithm or square of this one, as of amounts alone."""
    ranks = table.select_dtypes("number").iloc[:FEWER_ROWS].rank()
    return bool((ranks.drop(columns=column).corrwith(ranks[column]).abs() > MONOTONE).any())


def _says_what(label: str) -> bool:
    """Whether a column's name, in full words, says what its numbers are."""
    known = vocabulary.MEANT & set(label.split()) or vocabulary.NAMED.fullmatch(label)
    return bool(known or AMOUNT.fullmatch(label))


def _without_sums(guesses: list[Guess], table: pd.DataFrame, value: str) -> list[Guess]:
    """Leave out columns that are sums or differences of others, which would count twice.

    Each column is regressed on those before it; the one that measures a customer's value comes
    last, so that its parts segment and it describes.
    """
    chosen = [g for g in guesses if g.role == "segment" and g.kind in AMOUNTS]
    chosen = sorted(chosen, key=lambda g: g.name == value)
    rows = table[[g.source for g in chosen]].dropna().to_numpy(dtype=float)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), 2000)).astype(int)]
    if not 3 <= len(chosen) <= MOST_SUMMED or len(rows) < 3 * len(chosen):
        return guesses
    spread = rows.std(axis=0)
    scaled = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    settled = {guess.name: guess for guess in guesses}
    kept: list[int] = []
    for place, guess in enumerate(chosen):
        if kept and spread[place] > 0:
            weights, *_ = np.linalg.lstsq(scaled[:, kept], scaled[:, place], rcond=None)
            if (scaled[:, place] - scaled[:, kept] @ weights).std() < EXACT:
                raw = weights * spread[place] / spread[kept]
                parts = [chosen[k] for k, w in zip(kept, raw, strict=True) if abs(w) > 0.01]
                labels = ", ".join(spell_out(part.label).lower() for part in parts[:8])
                role = "describe" if guess.name == value else "left out"
                why = f"follows from {labels}: it would count twice"
                settled[guess.name] = replace(guess, role=role, why=why)
                continue
        kept.append(place)
    return list(settled.values())


def _without_near_duplicates(guesses: list[Guess], table: pd.DataFrame, keep: str) -> list[Guess]:
    """Leave out columns that say the same as an earlier one, or as one that is sensitive."""
    rows = np.linspace(0, len(table) - 1, min(len(table), SAMPLE_ROWS)).astype(int)
    earlier: dict[str, np.ndarray] = {}
    settled = {guess.name: guess for guess in guesses}
    sensitive = {guess.name for guess in guesses if guess.is_numeric and guess.why == SENSITIVE}
    for guess in sorted(guesses, key=lambda g: (g.name not in sensitive, g.name != keep)):
        if guess.role != "segment" and guess.name not in sensitive:
            continue
        values = table[guess.source].to_numpy(dtype=float)[rows]
        values = np.where(np.isnan(values), np.nanmedian(values), values)
        values = np.log1p(values) if guess.transform == "log1p" else values
        if np.std(values) == 0:
            continue
        likeness = {name: np.corrcoef(values, other)[0, 1] for name, other in earlier.items()}
        twin = max(likeness, key=lambda name: abs(likeness[name]), default="")
        if twin and guess.role == "segment" and abs(r := likeness[twin]) > NEAR_DUPLICATE:
            cost = "it is as sensitive" if twin in sensitive else "it would count twice"
            why = f"says nearly the same as {twin} (correlation {r:.2f}): {cost}"
            settled[guess.name] = replace(guess, role="left out", why=why)
        else:
            earlier[guess.name] = values
    return list(settled.values())


def _without_transforms(guesses: list[Guess], table: pd.DataFrame) -> list[Guess]:
    """Leave out columns that rise or fall as another one does: its logarithm, its square.

    What describes goes before what segments, then what stands first.
    """
    parts = ("describe", "segment")
    numeric = [g for g in guesses if g.role in parts and g.is_numeric and g.source in table]
    numeric.sort(key=lambda g: parts.index(g.role))
    rows = np.linspace(0, len(table) - 1, min(len(table), FEWER_ROWS)).astype(int)
    likeness = table[[g.source for g in numeric]].iloc[rows].rank().corr().abs().to_numpy()
    settled = {guess.name: guess for guess in guesses}
    for place, guess in enumerate(numeric):
        twins = np.flatnonzero(likeness[place, :place] > MONOTONE)
        if guess.role == "segment" and len(twins):
            twin = numeric[twins[0]]
            why = f"rises or falls exactly as {twin.name}: it would count twice"
            if twin.role == "describe":
                why = f"rises or falls exactly as {twin.name}, which describes"
            settled[guess.name] = replace(guess, role="left out", why=why)
    return list(settled.values())


def _with_enough(guesses: list[Guess], file: str, table: pd.DataFrame) -> list[Guess]:
    """Let descriptors segment where behaviour has fewer than two columns.

    Raises
    ------
    UserError
        If even so there are fewer than two columns of numbers, or of yes and no.
    """
    segment = [g for g in guesses if g.role == "segment"]
    if len(segment) >= 2:
        return guesses
    describe = [g for g in guesses if g.role == "describe"]
    numbers = [g for g in describe if g.is_numeric]
    income = [g for g in numbers if set(g.name.split("_")) & vocabulary.INCOME]
    answers = numbers + [g for g in describe if g.kind == "yes_no" and g.why != SENSITIVE]
    enough = (some for some in (income, numbers, answers) if len(segment) + len(some) >= 2)
    if not (spare := next(enough, [])):
        kinds = ", ".join(f"{g.source}: {g.why}" for g in guesses if g.role != "segment")
        bought = _as_lines(guesses, table)
        whose = bought.get("customer", "COLUMN")
        options = " ".join(f'--role {part}="{name}"' for part, name in bought.items())
        few = f"only {len(segment) + len(answers)} column(s) of numbers can segment these customers"
        more = (
            "add columns of behaviour (amounts, counts, frequencies), or write each category as a "
            "column of yes and no"
        )
        raise UserError(
            f"a row may be no customer but a purchase: {few}" if bought else few,
            where=f"{file} ({kinds[:300]})",
            remedy=f"say whose purchases: {options}; else {more}" if bought else more,
            answer=answer(**{part: [name] * (whose != "COLUMN") for part, name in bought.items()}),
        )
    why = "describes as a rule; segments here because there is too little behaviour"
    return [replace(_as_numbers(g), role="segment", why=why) if g in spare else g for g in guesses]


def _as_lines(guesses: list[Guess], table: pd.DataFrame) -> dict[str, str]:
    """Return whose, when and for how much rows may be purchases; nothing where they have none."""
    several = table.nunique().between(FEW_CODES, len(table) - 1)
    words = [g.source for g in guesses if not g.is_numeric and g.kind != "date"]
    words = [column for column in words if several[column]]
    found = {"customer": words[0] if len(words) == 1 else "COLUMN"}
    for part, kind in {"time": "date", "amount": "segment"}.items():
        found[part] = next((g.source for g in guesses if kind in (g.kind, g.role)), "")
    return found if all(found.values()) else {}


def _as_numbers(guess: Guess) -> Guess:
    """Take yes and no for 1 and 0, so that their mean is the share of yes."""
    return replace(guess, kind="share", valid=(0.0, 1.0)) if guess.kind == "yes_no" else guess


def _guess_questions(guesses: list[Guess], table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return yes/no questions (name, condition) about amounts that many customers lack.

    Where few customers lack anything, the questions are about more than the median.
    """
    segment = [g for g in guesses if g.role == "segment"]
    zeros = [
        (abs(float((table[g.source] == 0).mean()) - 0.5), g.label.lower(), f"{g.name} > 0")
        for g in segment
        if g.kind in AMOUNTS or table[g.source].nunique() == 2
    ]
    if found := sorted(question for question in zeros if question[0] <= 0.4):
        return [(label, condition) for _, label, condition in found[:3]]
    medians = [(g, table[g.source].median()) for g in segment[:3]]
    return [
        (f"{g.label.lower()} above {median:g}", f"{g.name} > {median:g}") for g, median in medians
    ]

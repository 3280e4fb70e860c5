"""Roles of columns, and the known kinds of customers that a table with such roles can have.

Both are data: archetypes.toml, beside this file, says which names play a role, when a segment has
much or little of it, and what to do with customers of each kind. Here its roles are given to the
columns of a table, and its entries written with these columns in place of the roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import tomlkit

from customer_tables.guessing import NUMERIC, Guess, free_name, guess_transform, spell_out
from customer_tables.header import has_word
from customer_tables.names import simplify_name, split_name
from customer_tables.text import YEAR, lower_first, sentence_case
from customer_tables.vocabulary import LIBRARY, ROLES, SENSITIVE

DATED = {
    "joined": "tenure",
    "last_active": "recency",
}  # what days before a day say in place of dates
NEVER = ("1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1970-01-01", "2099-12-31")
FAR = pd.Timedelta(3 * 365, "D")  # ahead of three quarters of the dates, at least
SURE = "certain by its name"
PARTS = ("segment", "describe", "left out")  # of columns that may play a role, the best first
CLEARLY = (("high", "> 1.25"), ("low", "< 0.8"))  # than all
SIDES = {1: "high", 0: "middle", -1: "low"}
# How far both quartiles lie from the median, at least, where amounts are compared by factors.
SPREADS = {"level": 1.5, "close": 1.2}
YEARLY = {"day": 365, "week": 52, "month": 12, "year": 1}
NEWEST = 3  # times that the longest tenure is longer than a newcomer's, at least
MOST = {"year": 20, "month": 130}  # of a tenure without a unit, which may be as long as that
NAMES = re.compile(rf"\b({'|'.join(ROLES)})\b")
LABELS = re.compile(rf"<({'|'.join(ROLES)})>")
NOTHING = "(?!)"
JOINED = re.compile(r"(?<!\*) (?!\.\*)")  # monthlycharges is found as monthly charges is
SEVERAL = ("part", "use", "flag")  # roles that several columns play, each by itself
MOST_USES = 12  # columns
NO_USE = re.compile(ROLES["use"]["unless"])
COUNTED = re.compile(
    "^(total )?(number|amount|count) (of )?|^total (?=.*(calls|minutes|lines)$)|(?<=s) count(?= |$)"
)
WINDOW = re.compile(  # "tickets 90d", in names
    r" ((in|over) )?(the )?((last|past) )?\d+ ?(d|days?|w|weeks?|m|mo|mon|mths?|months?|y|years?)$"
)
NOT_COUNTED = (  # in names, before the label of an amount
    (r"\bmore (<\w+>) than average", r"above-average \1"),
    (r"\bfewer (<\w+>) than average", r"below-average \1"),
    (r"\bmost (?=<)", "highest "),
    (r"\bfewest (?=<)", "lowest "),
    (r"\bmany (?=<)", "high "),
    (r"\bfew (?=<)", "low "),
)
PLURAL = re.compile(r"[a-z]{2}(?<![sui])s\b")
SUMMED = re.compile(
    r"\b(total|amount|of|on|charges?|spen[dt]|spending|sales|revenue|purchases)\b ?"
)


@dataclass(frozen=True)
class Player:
    """A column that plays a role, and how amounts of it are compared."""

    name: str
    label: str
    short: str  # the label without "number of" and the like
    family: str  # of clauses
    sign: int = 1  # -1 where much of the column is little of the role
    counted: bool = False  # whether the label is the plural of what is counted
    limits: tuple[tuple[str, str], ...] = ()  # side, and what has to hold in years

    def clause(self, sign: int, *, relative: bool = False) -> dict[str, str]:
        """Return when a segment has much (1), little (-1) or the average (0), and the words.

        With ``relative``, when it has so compared with all, but not in years.
        """
        side = SIDES[sign * self.sign]
        found = LIBRARY["clauses"][self.family].get(side, {})
        limit = dict(self.limits).get(side, "")
        if not found or (relative and not limit):
            return {}
        if limit:
            limit = f" and not {limit}" if relative else f" and {limit}"
        own = {key: re.sub(r"(?<!<)\bx\b", self.name, text) for key, text in found.items()}
        limit = re.sub(r"\bx\b", self.name, limit)
        text, label = own["text"], self.label
        if self.counted:  # "a median number of orders of 3", and "a median balance of 3"
            text = re.sub("(median|average) <x> of", r"\1 number of <x> of", text)
            label = COUNTED.sub("", label).removeprefix("total ")
        text = text.replace("<x>", label).replace("average average", "average")
        return {"when": own["when"] + limit, "text": text}


def count_days(
    guesses: Sequence[Guess], table: pd.DataFrame, given: Mapping[str, str]
) -> tuple[list[Guess], pd.DataFrame]:
    """Take dates on which customers came or were last active for days before one day.

    That is the newest of these dates, or a later one that the table states in every row. Returns
    the guesses, and the table with days in the place of such dates.
    """
    found = {}
    for guess in (guess for guess in guesses if guess.kind == "date" and guess.role == "describe"):
        label = spell_out(guess.label).lower()
        named = (role for role in DATED if re.fullmatch(ROLES[role]["certain"], label))
        role = given.get(guess.source, "") or next(named, "")
        if role in (*DATED, *DATED.values()):
            event = " ".join(re.sub(r"\b(date|day|time|at|on|of|the)\b", "", label).split())
            label = "Days as customer" if event == "customer" else f"Days since {event or label}"
            found[guess.source] = replace(guess, label=label, plays=DATED.get(role, role))
    if not found:
        return list(guesses), table
    dates = table[table.columns[table.dtypes.map(pd.api.types.is_datetime64_dtype)]]
    near = dates[list(found)].apply(_without_far)
    newest, first, last = near.max().max(), dates.min(), dates.max()
    day = max([newest, *last[(first == last) & dates.notna().all() & (last >= newest)]])
    for source, guess in found.items():
        days = (day.normalize() - table[source].dt.normalize()).dt.days.astype(float)
        table, there = table.assign(**{source: days}), near[source].notna()
        odd = not there.equals(table[source].notna())
        limits = (float(-FAR.days), float(days[there].max()))
        new = replace(
            guess,
            name=free_name(simplify_name(guess.label), [other.name for other in guesses]),
            kind="number",
            unit="days",
            role="segment",
            transform=guess_transform("number", days)[0],
            before=day.date(),
            valid=limits if odd else None,
            outside="missing" if odd else "",
            why=f"days before {day.date()}, the last day that the table knows",
            plays_why="as --role says" if source in given else SURE,
        )
        guesses = [new if other.source == source else other for other in guesses]
    return list(guesses), table


def _without_far(days: pd.Series) -> pd.Series:
    """Take out dates that stand for "never", such as 1900-01-01, and typing errors far ahead."""
    days = days.mask(days.isin(pd.to_datetime(NEVER)))
    low, high = days.quantile([0.25, 0.75])
    return days.mask(days > high + max(FAR, 3 * (high - low)))


def give_roles(
    guesses: Sequence[Guess], table: pd.DataFrame, value: str, given: Mapping[str, str]
) -> list[Guess]:
    """Give each role to the column that plays it: as the user says, or by its name and kind."""
    settled = {guess.name: guess for guess in guesses}

    def give(name: str, role: str, why: str) -> None:
        settled[name] = replace(settled[name], plays=role, plays_why=why)

    for guess in guesses:
        if guess.name == value:
            give(value, "value", "measures the value")
            for name in filter(None, guess.formula.split(" + ")):
                give(name, "part", "a part of the value")
        elif guess.plays:
            continue
        elif (role := given.get(guess.source, "")) in ROLES:
            give(guess.name, role, "as --role says")
    labels = [guess.label.lower() for guess in guesses]
    for role, entry in ROLES.items():
        unless = re.compile(entry.get("unless", NOTHING))
        if role in {g.plays for g in settled.values()} or any(map(unless.fullmatch, labels)):
            continue
        free = [g for g in settled.values() if g.role in PARTS and not g.plays]
        free = [g for g in free if g.kind in entry.get("kinds", NUMERIC)]
        but_not = re.compile(entry.get("but_not", NOTHING))
        free = [g for g in free if not but_not.search(g.label.lower())]
        free = [g for g in free if _fits(table, g, entry)]
        if role in DATED:  # other numbers can be days ago, or amounts
            free = [g for g in free if g.unit == YEAR]
        alone = entry.get("beside", role) not in {role, *(g.plays for g in settled.values())}
        for sure in ("certain",) if alone else ("certain", "likely"):
            words = re.compile(JOINED.sub(" ?", entry.get(sure, NOTHING)))
            found = [guess for guess in free if words.fullmatch(guess.label.lower())]
            if found:
                best = min(found, key=lambda g: PARTS.index(g.role))
                give(best.name, role, f"{sure} by its name")
                break
    playing = {guess.plays: guess for guess in settled.values() if guess.source in table}
    if {"recency", "frequency"} <= playing.keys() and not given:
        recency, repeats = (table[playing[role].source] for role in ("recency", "frequency"))
        once = repeats == 0  # repeat purchases: the first and the last are the same day
        if once.any() and (recency[once] == 0).all() and (recency[~once] > 0).any():
            give(playing["recency"].name, "last_active", "0 without repeats: from the first on")
    return list(settled.values())


def _fits(table: pd.DataFrame, guess: Guess, role: Mapping[str, Any]) -> bool:
    """Whether the values of a column are such as its role has: no interest is above 100%."""
    if guess.source not in table or not guess.is_numeric:
        return True
    low, high = table[guess.source].min(), table[guess.source].max()
    return role.get("below_zero", low < 0) == (low < 0) and high <= role.get("most", high)


def archetypes(guesses: Sequence[Guess], table: pd.DataFrame) -> Iterator[str]:
    """Write the library's archetypes for the roles of a table, as TOML, one at a time."""
    columns = {guess.name: table[guess.source] for guess in guesses if guess.source in table}
    players: dict[str, list[Player]] = {}
    for guess in guesses:
        if guess.plays and guess.is_numeric:
            summed = [columns[name] for name in guess.formula.split(" + ") if name]
            values = pd.concat(summed, axis=1).sum(axis=1) if summed else columns[guess.name]
            players.setdefault(guess.plays, []).append(_player(guess, values))
    for role, entry in ROLES.items():
        if role in players and (other := entry.get("stands_for", "")):
            sign = -1 if entry.get("opposite") else 1
            players.setdefault(other, [replace(players[role][0], sign=sign)])
    counts = {guess.name for guess in guesses if guess.kind == "count"}
    for role in ROLES.keys() & players.keys():
        times = players.get(ROLES[role].get("per", ""), [])
        if {player.name for player in (*players[role], *times)} <= counts and times:
            each = f"(ratio(x, {times[0].name}))"
            limits = tuple((side, f"mean{each} {sign} * mean_all{each}") for side, sign in CLEARLY)
            players[role] = [replace(players[role][0], limits=limits)]
    free = [g for g in guesses if g.role == "segment" and g.is_numeric and not g.plays]
    free = [g for g in free if not NO_USE.fullmatch(g.label.lower()) and has_word(g.label)]
    free = [g for g in free if not SENSITIVE & {*split_name(g.source).split()}]  # given, not used
    for guess in free[:MOST_USES]:
        values = columns[guess.name]
        role = "flag" if values.dropna().isin([0, 1]).all() else "use"
        players.setdefault(role, []).append(_player(guess, values))
    written: set[str] = set()
    for entry in LIBRARY["archetypes"]:
        several = next((role for role in SEVERAL if role in entry["pattern"]), "")
        for one in players.get(several, [None]):
            cast = {role: found[0] for role, found in players.items()} | {several: one}
            made = _instance(entry, {role: player for role, player in cast.items() if player})
            if made and made["name"] not in written:
                written.add(made["name"])
                yield tomlkit.dumps({"archetypes": [made]})


def _player(guess: Guess, values: pd.Series) -> Player:
    """Say how amounts of a column are compared, by how its values spread."""
    low, middle, high = values.astype(float).quantile([0.25, 0.5, 0.75])
    far = (name for name, by in SPREADS.items() if low <= middle / by and high >= middle * by)
    family = next(far, "narrow")
    if guess.unit == YEAR:
        family = "calendar"
    elif values.dropna().isin([0, 1]).all():
        family = "flag"
    elif middle <= 0:
        family = "rare" if values.min() >= 0 else "narrow"
    label = lower_first(guess.label).removeprefix("has ")
    short = (SUMMED if guess.plays == "part" else COUNTED).sub("", label).strip()
    short = WINDOW.sub("", short)
    counted = guess.kind == "count" and bool(PLURAL.search(short))
    short = short.removeprefix("total ") if counted else short
    named = any(map(str.isalpha, short)) and (counted or guess.kind != "count")
    short = short if named else label
    return Player(guess.name, label, short, family, counted=counted, limits=_limits(guess, values))


def _limits(guess: Guess, values: pd.Series) -> tuple[tuple[str, str], ...]:
    """Say what has to hold beside a comparison with all: in years, where the unit is known."""
    role = ROLES.get(guess.plays, {})
    if "from" in role and values.min() >= 1:
        return (("high", f"median(x) >= {role['from']}"),)
    if not (years := role.get("years")):
        return ()
    if guess.unit == YEAR:
        low, high = (int(values.max()) - number for number in reversed(years))
    else:
        words = f"{guess.source} {guess.label} {guess.unit}".lower()
        named = [unit for unit in YEARLY if unit in words]
        unnamed = [
            u for u, most in MOST.items() if guess.plays == "tenure" and values.max() <= most
        ]
        unit = next(iter(named + unnamed), "")
        if unit:
            low, high = (round(number * YEARLY[unit]) for number in years)
            low = min(low, int(values.max() / NEWEST)) if guess.plays != "recency" else low
        elif guess.plays == "tenure":  # no median is new or of long standing without a unit
            low, high = int(values.min()) - 1, int(values.max()) + 1
        else:
            return ()
    return ("low", f"(median(x) <= {low})"), ("high", f"(median(x) >= {high})")


def _instance(entry: Mapping[str, Any], cast: Mapping[str, Player]) -> dict[str, Any]:
    """Put columns in the place of the roles of an archetype; nothing where the table lacks one."""
    pattern = {role: sign for role, sign in entry["pattern"].items() if sign} or entry["pattern"]
    if not pattern.keys() <= cast.keys():
        return {}

    def conditions(signs: Mapping[str, int]) -> list[str]:
        return [cast[role].clause(sign)["when"] for role, sign in signs.items()]

    def in_columns(text: str) -> str:
        return NAMES.sub(lambda role: cast[role[0]].name, text)

    def in_words(text: str) -> str:
        return LABELS.sub(lambda role: cast[role[1]].short, text)

    relative = entry.get("relative", False)
    clauses = [cast[role].clause(sign, relative=relative) for role, sign in pattern.items()]
    if not all(clauses):
        return {}
    own = [clause["when"] for clause in clauses] + [in_columns(entry.get("when", ""))]
    when = " and ".join(filter(None, own))
    signs = {cast[role]: sign for role, sign in entry["pattern"].items() if role in cast}
    name = entry["name"]
    if not all(cast[role].counted for role in LABELS.findall(name)):
        for counted, measured in NOT_COUNTED:
            name = re.sub(counted, measured, name)
    made: dict[str, Any] = {"name": sentence_case(in_words(name))}
    made["pattern"] = _inline({player.name: sign * player.sign for player, sign in signs.items()})
    made |= {"when": when, "summary": _listed(clauses)}
    for key in ("advice", "avoid"):
        texts = [(text["text"], text.get("given", {})) for text in entry.get(key, ())]
        phrases = [
            {"text": in_words(text), "when": " and ".join([when, *conditions(more)])}
            for text, more in texts
            if more.keys() <= cast.keys()
        ]
        if phrases:
            made[key] = _listed(phrases)
    made["measure"] = in_words(entry["measure"])
    if "leave_out" in entry:
        made["leave_out"] = in_columns(entry["leave_out"])
    if "general" in entry:
        made["general"] = entry["general"]
    return made


def _inline(entries: Mapping[str, Any]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    table.update(entries)
    return table


def _listed(phrases: Sequence[Mapping[str, str]]) -> tomlkit.items.Array:
    array = tomlkit.array()
    array.extend(map(_inline, phrases))
    return array.multiline(True)

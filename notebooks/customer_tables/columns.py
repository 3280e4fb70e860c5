"""What each column holds: the order of the rules, and the choices that need the whole file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.column import Column, Ways, tolerated
from customer_tables.dates import (
    ORDERS,
    PARTS_OF_TIMES,
    SWAPPED,
    UNOPENED,
    as_dates,
    parse_dates,
    read_dates,
    words_of_times,
)
from customer_tables.errors import UserError
from customer_tables.names import (
    MOMENTS,
    is_date_name,
    is_identifier_name,
    minor_unit,
    normalise,
    split_name,
)
from customer_tables.numbers import (
    CURRENCIES,
    INFINITE,
    MARKS,
    SIGNS,
    TIMED,
    is_in_percent,
    parse_numbers,
    read_numbers,
    read_values,
)
from customer_tables.rows import Raw
from customer_tables.vocabulary import COUNT, INCOME, MEAN, MONEY, SCORES
from customer_tables.words import (
    NO_ANSWER,
    NOT_A_NUMBER,
    check_first,
    looks_coded,
    read_codes,
    read_empty,
    read_identifiers,
    read_rounded,
    read_text,
    read_yes_no,
    spell_typed,
)

AVERAGE = re.compile(rf"\b({MEAN})\b")
AMOUNTS = MONEY | COUNT | SCORES | INCOME
UNIT_IN_BRACKETS = re.compile(
    r"[(\[]\s*(?:in\s+)?(k|m|mio\.?|tsd\.?|'?000s?)?\s*([^()\[\]]{1,5}?)\s*[)\]]\s*$"
)
CODE = r"\p{L}\d|\d\p{L}|\d[+<>]|[<>]\s*\d|\d\s*(-|to|–)\s*[^\d]{0,2}\d"
BEHIND = rf"^(?P<number>(?:(?i:{SIGNS})\s*)?[-+(]?\d(?:[\d.,' \x{{a0}}\x{{202f}}]*[\d.,'])?)(?:"
BEHIND += r"(?P<word> \p{L}{2,}\.?| ?[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]{1,2}\.?)|"
BEHIND += r"(?P<of> ?/ ?\d+| \p{L}{1,3} \d+)|(?P<other>\s*[^\d\s]\D{0,11}))$"
NO_UNIT = frozenset("月日号號番")  # behind numbers: parts of dates, codes
MARKED = r"^_*([-+]?\d[\d.,]*)[_*†‡]+$"  # with a footnote, or dirt
PEOPLE = frozenset({"household", "hh", "person"})  # that are counted, or one of which is meant
DURATION = r"^(?P<h>\d{1,4}):(?P<m>[0-5]\d):(?P<s>[0-5]\d)$"
CLOCKS = frozenset("time hour clock start end at login logout uhrzeit heure hora ora".split())
LASTING = frozenset(
    "duration length talk spent session watch handle handling wait waiting usage total avg average "
    "mean on online".split()
)
FEWEST_POINTS = 3  # of a scale
ENDS_OF_SCALES = (5, 7, 10)
MOST_NO_POINTS = 3  # different words for "no answer" beside the points of a scale
FEWEST_BEHIND = {"word": 1, "of": FEWEST_POINTS, "other": 10}  # numbers before the same text
TWO_PARTS = r"^(?P<many>\d{1,4})\s*(?P<unit>\p{L}+)\.?"
TWO_PARTS += r"(?:,?\s*(?P<few>\d{1,2})\s*(?P<part>\p{L}+)\.?)?$"
NONE_OF_IT = (
    r"^(none|never|nothing|zero|nil|no|not at all|kein\w*|nie|niemals|null|nichts|aucune?|jamais|"
    r"rien|z[ée]ro|non|ningun[oa]|nunca|nada|cero|nessun[oa]?|mai|niente|nenhum[a]?|geen|nooit|"
    r"nul|niets|żaden|brak|nigdy|zero|yok|hiç|hayır|なし|ない|無|нет|никогда|more|mehr|plus|max)$"
)
LABELLED = r"^(\d{1,2})\s*[-–=:.)(]\s*\p{L}\D*$"
SURE_POINT = r"\.(\d{0,2}|\d{4,})([eE].*)?$|^[-+]?(0\d*)?\.|\d{4,}\."  # a decimal mark for certain


@dataclass
class _Open:
    """A column of numbers or dates that waits for how the whole file writes them."""

    column: Column
    found: Any  # Numbers or Dates
    missing: np.ndarray

    def __post_init__(self) -> None:
        self.is_date = hasattr(self.found, "form")
        self.ways: Ways = ORDERS if self.is_date else MARKS
        self.read: Callable[..., Column] = read_dates if self.is_date else read_numbers
        self.shown = {way: texts & ~self.missing for way, texts in self.found.proof().items()}

    def close(self, given: dict[str, str], settled: dict[str, str], lenient: bool) -> Column:
        """Read the column; what the user said outweighs what its cells prove.

        Dates that cannot be read for certain stay text, with the reason, where that is allowed.
        """
        option, column = self.ways.option, self.column
        if self.is_date and (swapped := self.found.swapped())[0].any():
            both = " and ".join(map(column.quote, swapped))
            raise column.refusal(f"dates in two ways, {both}: {SWAPPED}", swapped[0], UNOPENED)
        try:
            way = self.ways.settle(column, self.shown, given[option], settled[option])
            return self.read(column, self.found, self.missing, way)
        except UserError as error:
            if not (lenient and self.is_date):
                raise
            column.changes.clear()
            column.why = "dates that cannot be read for certain: "
            column.why += f"{error.what.partition(': ')[2]}; {error.remedy}"
            return column.done(column.texts.take(pa.array(column.codes)).to_pandas(), "text")


def read_columns(
    raw: Raw,
    given: dict[str, str],
    delimiter: str,
    text_columns: frozenset[str],
    lenient: bool = False,
) -> tuple[list[Column], str]:
    """Turn columns of text into numbers, dates, truth values and text; tell the decimal mark.

    The cells of each column go once that is understood. What the user said about marks and dates
    is given, empty where nothing; text columns are known by their normalised names. Where it is
    lenient, dates that cannot be read for certain are left as text, with the reason.

    Raises
    ------
    UserError
        If a column can be read in two ways, or looks like one of numbers or dates and holds
        other things.
    """
    drafts: list[Column | _Open] = []
    proof: set[str] = set()
    for place, name in enumerate(raw.names):
        cells, raw.columns[place] = raw.columns[place], None  # the text may go once it is read
        column = Column(name, raw.file, raw.word, raw.lines)
        keep = normalise(name) in text_columns
        draft = _draft(cells, column, given["decimal"], keep, place == 0, proof)
        if isinstance(draft, _Open):
            proof |= {way for way in draft.ways.ways if draft.shown[way].any()}
        drafts.append(draft)
    settled = {}
    for ways in (MARKS, ORDERS):
        proven = proof & set(ways.ways)
        settled[ways.option] = given[ways.option] or (proven.pop() if len(proven) == 1 else "")
    # Between commas a decimal comma needs quotes, so who writes such files writes points.
    if not proof & set(MARKS.ways) and delimiter == ",":
        settled["decimal"] = settled["decimal"] or "."
    columns = [d.close(given, settled, lenient) if isinstance(d, _Open) else d for d in drafts]
    for place, column in enumerate(columns):
        if not column.unit and column.kind == "number":
            column.unit = raw.units.get(column.name, "") or unit_in_name(column.name)
            column.kind = {"": "number", "%": "share"}.get(column.unit, "money")
        if not column.unit and column.kind == "number":
            if is_in_percent(column.name) and (np.abs(column.values) > 1).any():
                column.unit = "%"  # and no share of one, as the numbers stay as they are
            elif place and not set(split_name(column.name).split()) & AMOUNTS:
                as_dates(column, False)
    return columns, settled["decimal"] or "."


def _draft(
    cells: pa.ChunkedArray, column: Column, decimal: str, keep: bool, first: bool, proof: set[str]
) -> Column | _Open:
    """Read a column as far as that goes without the others; add to `proof` what it proves."""
    named = is_identifier_name(column.name) and not _is_group(column.name, cells)
    if not pa.types.is_string(cells.type):
        if not (keep or named):
            return _read_typed(cells, column)
        cells = spell_typed(cells, column)
    trimmed = pc.utf8_trim_whitespace(cells)
    if keep or named:
        return read_identifiers(column.hold(trimmed), "id" if named else "text")
    if first:
        check_first(trimmed, column)
    if (rounded := read_rounded(trimmed, column)) is not None:
        return rounded
    if why := looks_coded(trimmed):
        return read_codes(column.hold(trimmed), why)
    plain = _read_plain(trimmed, column, decimal, proof)
    return plain or _read_texts(cells, column.hold(trimmed))


def _is_group(name: str, cells: pa.ChunkedArray) -> bool:
    """Whether a column has two short values in many rows, or a few that may be a size."""
    most = max(2, min(20, len(cells) // 10)) if split_name(name) in PEOPLE else 2
    if len(cells) <= 10 or pc.count_distinct(cells).as_py() > most:
        return False
    return (pc.max(pc.utf8_length(pc.cast(cells, pa.string()))).as_py() or 0) <= 5


def _read_typed(cells: pa.ChunkedArray, column: Column) -> Column:
    """Read cells that are numbers, truth values or timestamps already."""
    if cells.null_count == len(cells):
        return read_empty(column)
    if pa.types.is_timestamp(cells.type):
        return column.done(cells.to_pandas().astype("datetime64[us]"), "date")
    if pa.types.is_boolean(cells.type):
        whole = cells.null_count == 0
        values = cells.to_numpy() if whole else pc.cast(cells, pa.float64()).to_numpy()
        return column.done(values, "yes_no")
    read_values(column, cells.to_numpy())
    dated = is_date_name(column.name)
    if column.kind == "number" and (dated or MOMENTS.fullmatch(split_name(column.name))):
        return as_dates(column, dated)
    return column


def _read_plain(
    trimmed: pa.ChunkedArray, column: Column, decimal: str, proof: set[str]
) -> Column | None:
    """Read a column of plain numbers or ISO dates and nothing else, at full speed."""
    filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    if filled.null_count == len(filled):
        return read_empty(column)
    if re.match(r"\d{4}-", pc.drop_null(filled)[0].as_py()):
        stamps = _cast(filled, pa.timestamp("us"))
        return None if stamps is None else _read_typed(stamps, column)
    values, pointed = _cast(filled, pa.int64()), False
    if values is None and decimal != ",":
        values = _cast(filled, pa.float64())
        pointed = values is not None and _finds(filled, r"\.")
        if pointed and not _finds(filled, SURE_POINT):
            return None
    # A cast takes nan, inf and 0x1F for numbers, too.
    if values is None or _finds(filled, "[nxNX]"):
        return None
    proof |= {"."} if pointed else set()
    return _read_typed(values, column)


def _cast(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None


def _finds(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _read_texts(cells: pa.ChunkedArray, column: Column) -> Column | _Open:
    """Read a column by its distinct texts: yes and no, dates, numbers, or words."""
    _dashes_as_zeros(column)
    missing = column.among(NOT_A_NUMBER) | column.matches(NO_ANSWER)
    present = column.rows(~missing)
    if (answers := read_yes_no(column, missing)) is not None:
        return answers
    if not present:
        column.note_missing(missing)
        return read_empty(column)
    dates = parse_dates(column.texts)
    if column.rows(dates.valid & ~missing) >= 0.5 * present:
        return _Open(column, dates, missing)
    missing |= _no_points(column, missing)
    _take_off_labels(column, missing)
    _take_off_arrows(column)
    _as_seconds(column, missing)
    _as_smaller_units(column, missing)
    _take_off_marks(column, missing)
    _take_off_tail(column, missing)
    numbers = parse_numbers(column.texts)
    numeric = column.rows(numbers.valid & ~missing)
    odd = ~(missing | numbers.valid | column.among(INFINITE))
    if numeric >= 0.5 * present and not _are_codes(column, odd, present):
        return _Open(column, numbers, missing)
    if numeric >= 0.1 * present:
        column.note("numbers among words", numbers.valid, "kept as text")
    return read_text(column, cells)


def _dashes_as_zeros(column: Column) -> None:
    """Write a dash as 0 where amounts or counts have no 0 otherwise, as accounts do.

    Beside other words for missing it is one of them. Of incomes, scores, ages and averages it may
    be, and of whole numbers whose name says nothing.
    """
    dashes = column.matches(rf"^(?i:({SIGNS})?)\s*[-–—]\s*(?i:({SIGNS})?)$")
    words = set(split_name(column.name).split())
    if not dashes.any() or words & (INCOME | SCORES | TIMED) or AVERAGE.search(column.name.lower()):
        return
    others = ~dashes & ~column.empty
    numbers = others.any() and parse_numbers(column.texts).valid[others].all()
    zero = column.matches(r"^\D*0+([.,]0*)?\D*$").any()
    exact = (column.matches(r"\d[.,]\d{1,2}\D*$") & others).any()
    if numbers and not zero and (exact or words & (COUNT | MONEY)):
        column.note("a dash among amounts or counts without any 0", dashes, "read as 0")
        column.texts = pc.if_else(pa.array(dashes), "0", column.texts)


def _no_points(column: Column, missing: np.ndarray) -> np.ndarray:
    """Mark the one word, in any language, that stands beside the points of a scale from 1 on.

    Those who chose it gave no point. A word for zero would be a point: such a column stays words.
    Where there are two or three, the scale has both its ends: none of them is the name of one.
    """
    points, words = column.matches(r"^(10|[1-9])$"), column.matches(r"^\p{L}\D*$") & ~missing
    scale = set(column.texts.filter(pa.array(points)).to_pylist())
    most = MOST_NO_POINTS if "1" in scale and max(map(int, scale)) in ENDS_OF_SCALES else 1
    found = len(scale) >= FEWEST_POINTS and words.sum() <= most and (points | words | missing).all()
    return words & found & ~column.matches(NONE_OF_IT)


def _take_off_labels(column: Column, missing: np.ndarray) -> None:
    """Take the labels off the points of a scale that has some: "1 - never", 2, 3, "4 - always"."""
    bare, labelled = column.matches(r"^\d{1,2}$"), column.matches(LABELLED)
    if bare.any() and labelled.any() and (bare | labelled | missing).all():
        column.note("labels beside the points of a scale", labelled, "taken off")
        column.texts = pc.replace_substring_regex(column.texts, LABELLED, r"\1")


def _take_off_arrows(column: Column) -> None:
    """Write ▼ before numbers as a minus sign where others have ▲, which alone may be a minus."""
    arrows = column.matches(r"^[▲▼]\s*\d")
    if column.matches(r"^▲\s*\d").any() and column.matches(r"^▼\s*\d").any():
        column.note("▲ and ▼ before numbers", arrows, "read as plus and minus")
        signed = pc.replace_substring_regex(column.texts, r"^▼\s*", "-")
        signed = pc.replace_substring_regex(signed, r"^▲\s*", "")
        column.texts = pc.if_else(pa.array(arrows), signed, column.texts)


def _take_off_marks(column: Column, missing: np.ndarray) -> None:
    """Take marks of footnotes, and dirt, off some of a column's numbers: "12.50*", "809.98_"."""
    marked = column.matches(MARKED)
    others = ~marked & ~missing
    if marked.any() and 2 * (parse_numbers(column.texts).valid & others).sum() > others.sum():
        column.note("marks behind numbers", marked, "taken off")
        column.texts = pc.replace_substring_regex(column.texts, MARKED, r"\1")


def _take_off_tail(column: Column, missing: np.ndarray) -> None:
    """Take off what stands behind the number of every cell: "12 Stück", "$8.32/mo", "61 / 100".

    Raises
    ------
    UserError
        If it is CR behind some and DR behind others, as book-keepers write which way they go.
    """
    texts = column.texts.filter(pa.array(~missing))
    found = pc.extract_regex(texts, BEHIND)
    if not len(texts) or found.null_count or parse_numbers(texts).valid.any():
        return
    ends = {part: set(pc.struct_field(found, part).to_pylist()) for part in FEWEST_BEHIND}
    tails = {tail.strip().lower().rstrip(".") for part in ends.values() for tail in part} - {""}
    if tails == {"cr", "dr"}:
        what = "some amounts end with CR and others with DR"
        remedy = "write those of one kind with a minus sign, and all without these letters"
        raise column.refusal(what, column.matches("dr$"), remedy)
    fewest = min(FEWEST_BEHIND[part] for part, spelt in ends.items() if spelt != {""})
    if len(tails) == 1 and tails.isdisjoint(NO_UNIT) and len(texts) >= fewest:
        column.note(f"{tails.pop()} behind all numbers", ~missing, "taken off")
        bare = pc.replace_substring_regex(column.texts, BEHIND, r"\1")
        column.texts = pc.if_else(pa.array(missing), column.texts, bare)


def _as_smaller_units(column: Column, missing: np.ndarray) -> None:
    """Write durations of two parts as one number: 45h 48m in minutes, 7 years in months."""
    found = pc.extract_regex(pc.utf8_lower(column.texts.filter(pa.array(~missing))), TWO_PARTS)
    if found.null_count or not len(found):
        return
    parts = pd.DataFrame({g.name: pc.struct_field(found, g.name).to_pylist() for g in found.type})
    two, words = parts["part"] != "", words_of_times()
    for unit, (part, times) in PARTS_OF_TIMES.items() if two.any() else ():
        whole = parts["unit"].isin(words[unit])
        alone = ~two & ~whole & parts["unit"].isin(words[part])
        if (whole | alone).all() and parts.loc[two, "part"].isin(words[part]).all():
            many, few = parts["many"].astype(int), parts["few"].where(two, "0").astype(int)
            total = (many.where(alone, many * times) + few).astype(str)
            column.note("durations of two parts", ~missing, f"read as {part}s")
            written = pa.array(total, pa.string())
            column.texts = pc.replace_with_mask(column.texts, pa.array(~missing), written)
            return


def _as_seconds(column: Column, missing: np.ndarray) -> None:
    """Write durations such as 1:23:45 as seconds, but for what the name says is a time of day."""
    lasting, words = column.matches(DURATION), set(split_name(column.name).split())
    if column.rows(lasting) < column.rows(~missing) or (words & CLOCKS and not words & LASTING):
        return
    parts = pc.extract_regex(column.texts, DURATION)
    times = (pc.cast(pc.struct_field(parts, part), pa.int64()) for part in ("h", "m", "s"))
    hours, minutes, seconds = (pc.fill_null(part, 0) for part in times)
    whole = pc.add(pc.multiply(pc.add(pc.multiply(hours, 60), minutes), 60), seconds)
    column.note("durations such as 1:23:45", lasting, "read as seconds")
    column.texts = pc.if_else(pa.array(lasting), pc.cast(whole, pa.string()), column.texts)


def _are_codes(column: Column, odd: np.ndarray, present: int) -> bool:
    """Whether a column of digits holds codes or a few categories: 85123A, 3+, "ground"."""
    count = column.rows(odd)
    if count <= tolerated(present):
        return False
    few = len(column.texts) <= min(20, present / 5)
    return few or column.rows(odd & column.matches(CODE)) >= 0.5 * count


def unit_in_name(name: str) -> str:
    """Return the currency that a name ends with, "k$" from "Annual Income (k$)", or its cents."""
    bracket = UNIT_IN_BRACKETS.search(name)
    if bracket and bracket.group(2).lower() in CURRENCIES:
        return (bracket.group(1) or "") + CURRENCIES[bracket.group(2).lower()]
    last = split_name(name).rpartition(" ")[2]
    known = last in ("usd", "eur", "gbp", "inr", "chf", "jpy")
    return minor_unit(name) or (CURRENCIES[last] if known else "")

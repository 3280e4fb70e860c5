"""Rows of cells from a text file: its encoding, its delimiter, its quotes."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

from customer_tables.errors import UserError
from segmentation.reading.changes import Change

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SAMPLE_ROWS = 200
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ENCODING_REMEDY = "say which it is with --encoding (utf-8, cp1251, shift_jis, latin-1 ...)"

csv.field_size_limit(10_000_000)  # one long comment is no error


def settle_encoding(data: bytes, name: str, given: str | None) -> tuple[str, list[Change]]:
    """Find the encoding that reads the whole file: its mark, UTF-8, then Windows-1252.

    Raises
    ------
    UserError
        If the given encoding is unknown or does not fit, or none fits.
    """
    encoding = given or next((e for mark, e in MARKS if data.startswith(mark)), "")
    changes = []
    if not encoding and (half := _utf16_without_mark(data)):
        encoding = half
        changes.append(Change("UTF-16 without a byte-order mark", action=f"read as {half}"))
    if encoding:
        _check_decodes(data, name, encoding)
    elif _decodes(data, "utf-8"):
        encoding = "utf-8"
    else:
        encoding = "cp1252"
        changes.append(_read_as_cp1252(data, name))
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    if not wide and (place := data.find(b"\0")) >= 0:
        raise UserError(
            "the file contains NUL bytes: it is damaged, or no text at all",
            where=f"{name}, line {_line_of(data, place)}",
            remedy="export it again, or give its true encoding with --encoding (utf-16-le ...)",
        )
    return encoding, changes


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _line_of(data: bytes, place: int) -> int:
    before = data[:place]
    return 1 + (before.count(b"\n") or before.count(b"\r"))


def _check_decodes(data: bytes, name: str, encoding: str) -> None:
    try:
        codecs.lookup(encoding)
        data.decode(encoding)
    except LookupError:
        raise UserError(
            f"there is no encoding {encoding[:40]!r}",
            where="--encoding",
            remedy="common ones: utf-8, utf-16, cp1252, latin-1, cp1251, shift_jis",
        ) from None
    except UnicodeError as error:
        line = _line_of(data, getattr(error, "start", 0))
        raise UserError(
            f"the file is not {encoding}",
            where=f"{name}, line {line}",
            remedy="leave --encoding out, or give another one",
        ) from None


def _utf16_without_mark(data: bytes) -> str:
    """Tell UTF-16 by its zeros at every second place, as Latin text has them."""
    sample = data[:2000]
    half = len(sample) // 2
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    if half >= 4 and max(odd, even) >= 0.9 * half and min(odd, even) == 0:
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _read_as_cp1252(data: bytes, name: str) -> Change:
    """Describe a Windows-1252 reading, unless the text would come out as nonsense."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise UserError(
            "the text is neither UTF-8 nor Windows-1252",
            where=f"{name}, line {_line_of(data, error.start)}",
            remedy=ENCODING_REMEDY,
        ) from None
    # Western words have an accent here and there; runs of them are another alphabet.
    foreign = re.findall(r"[^\x00-\x7f]", text)
    in_runs = sum(len(run) for run in re.findall(r"[^\x00-\x7f]{3,}", text))
    if in_runs > 0.5 * len(foreign) and len(foreign) >= 8:
        sample = re.search(r"[^\x00-\x7f]{3,}", text)
        raise UserError(
            f"the text is not UTF-8, and reads as {sample.group()[:12]!r} in Windows-1252",
            where=f"{name}, line {1 + text.count(chr(10), 0, sample.start())}",
            remedy=ENCODING_REMEDY,
        )
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if not line.isascii()]
    words = ((i, re.search(r"\w*[^\x00-\x7f]+\w*", line)) for i, line in lines[:3])
    return Change(
        "text that is not UTF-8",
        rows=len(lines),
        action="read as Windows-1252 (cp1252); check the accents, --encoding sets another",
        examples=tuple(f"line {i}: {word.group()!r}" for i, word in words),
    )


def settle_delimiter(
    data: bytes, name: str, encoding: str, given: str | None
) -> tuple[str, bool, list[Change]]:
    """Find the delimiter: the one that cuts the lines into equally many cells.

    Returns
    -------
    delimiter : str
    announced : bool
        Whether the first line is Excel's ``sep=;`` and not part of the table.
    changes : list of Change

    Raises
    ------
    UserError
        If two delimiters fit equally well, or the given one does not occur.
    """
    text = _sample_text(data, encoding)
    announced = re.match(r"sep=(.)\r?\n", text, re.IGNORECASE)
    changes = []
    if announced:
        text = text[announced.end() :]
        changes.append(Change("a line that announces the delimiter", rows=1, action="skipped"))
    if given:
        delimiter = _spell_delimiter(given)
        if delimiter not in text:
            raise UserError(
                f"the delimiter {given!r} does not occur in the file",
                where=name,
                remedy="leave --delimiter out, or give another one",
            )
    else:
        delimiter = announced.group(1) if announced else _guess_delimiter(text, name)
    return delimiter, bool(announced), changes


def _sample_text(data: bytes, encoding: str) -> str:
    start = data[:262_144]
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start)
    if len(start) == len(data):
        return text
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text  # whole lines only


def _spell_delimiter(given: str) -> str:
    spelled = {word: mark for mark, word in DELIMITERS.items()} | {r"\t": "\t"}
    mark = spelled.get(given.lower(), given)
    if len(mark) != 1 or mark in '"\r\n' or mark.isalnum():
        raise UserError(
            f"{given!r} is no delimiter",
            where="--delimiter",
            remedy="give one character, or comma, semicolon, tab, pipe",
        )
    return mark


def _guess_delimiter(text: str, name: str) -> str:
    scores = {}
    for mark in DELIMITERS:
        widths = [len(row) for row in _sample_rows(text, mark)]
        # A preamble or an odd line may differ; most lines agree on the right delimiter.
        width, count = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
        if width > 1 and count >= 0.5 * len(widths):
            scores[mark] = (count / len(widths), width)
    if not scores:
        _check_other_delimiters(text, name)
        return ","
    best = max(scores.values())
    winners = [mark for mark, score in scores.items() if score == best]
    if len(winners) > 1:
        names = " or ".join(DELIMITERS[mark] for mark in winners)
        raise UserError(
            f"the cells could be divided by {names}: both fit equally well",
            where=name,
            remedy="say which with --delimiter "
            + " or --delimiter ".join(DELIMITERS[mark] for mark in winners),
        )
    return winners[0]


def _check_other_delimiters(text: str, name: str) -> None:
    """Refuse lines that seem to be cut into cells by a mark that we do not expect."""
    lines = [line.strip() for line in text.splitlines()[:SAMPLE_ROWS] if line.strip()]
    for mark, spelt in ((" ", "spaces"), (":", "colons"), ("^", "carets"), ("~", "tildes")):
        counts = {line.count(mark) for line in lines}
        if len(lines) > 2 and len(counts) == 1 and counts.pop() > 1:
            raise UserError(
                f"the cells seem to be divided by {spelt}",
                where=name,
                remedy=f"give --delimiter '{mark}' if so; or save the file as CSV",
            )


def _sample_rows(text: str, delimiter: str) -> list[list[str]]:
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a broken quote is told with its line when the rows are read in earnest
    return rows or [[]]


def read_rows(
    data: bytes, name: str, encoding: str, delimiter: str, skip_first: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's first line number and its cells; blank lines are empty rows.

    Raises
    ------
    UserError
        If a quotation mark is not closed, or closed and followed by text.
    """
    stream = io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="")
    skipped = int(skip_first)
    if skip_first:
        stream.readline()
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1 + skipped
    try:
        for row in reader:
            if reader.line_num + skipped > line:
                _check_swallowed(row, delimiter, name, line)
            yield line, row
            line = reader.line_num + skipped + 1
    except csv.Error:
        raise _unclosed(name, line) from None


def _unclosed(name: str, line: int) -> UserError:
    return UserError(
        "a quotation mark is not closed, or text follows a closing one",
        where=f"{name}, in the row that starts at line {line}",
        remedy='close the quotation mark; double (" -> "") those that belong to the text',
    )


def _check_swallowed(row: list[str], delimiter: str, name: str, line: int) -> None:
    """Refuse a cell of several lines, one of which has the delimiters of a whole row."""
    needed = max(2, len(row) - 1)
    for cell in row:
        lines = re.split(r"\r\n|\r|\n", cell)[1:]
        if any(part.count(delimiter) >= needed for part in lines):
            raise _unclosed(name, line)

"""What kind of file this is and how it is written: told by its content, never by its name.

Needs the standard library only, so that whatever has to look at a table can ask here first.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, cast

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.text import did_you_mean

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0"  # an old .xls workbook, or an encrypted one

# How files begin that hold no table we can read: what they are, and the way out.
AS_CSV, AS_PARQUET = "export the table as CSV", "save it as Parquet or CSV"
UNPACK = "unpack it first"
FOREIGN = (
    (b"%PDF", "a PDF document", AS_CSV),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (b"7z\xbc\xaf", "a 7-zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", "export the table again"),
    (b"SQLite format 3", "an SQLite database", "--input sqlite:///FILE --table NAME reads it"),
    (b"ARROW1", "a Feather (Arrow) file", AS_PARQUET),
    (b"\x89HDF", "an HDF5 file", AS_PARQUET),
    (b"\x89PNG", "a PNG image", AS_CSV),
    (b"\xff\xd8\xff", "a JPEG image", AS_CSV),
    (b"$FL2", "an SPSS file", "save it as CSV"),
    (b"<stata_dta>", "a Stata file", "save it as CSV"),
    (b"{\\rtf", "a rich-text document", "save the table as CSV"),
    (GZIP, "gzip within gzip", "unpack it once"),
)
TEXTS = (  # the same of texts, by patterns; the first that fits
    (
        re.compile(
            rb"<(?!.*type=.?password).*(<table\b|office:(excel|spreadsheet))",
            re.IGNORECASE | re.DOTALL,
        ),
        "a table as a web page or XML, as some programs save under .xls",
        "open it in a spreadsheet program and save it as .xlsx or CSV",
    ),
    (
        re.compile(rb"<(!doctype|html|head|body|table|script|\?xml|!--)", re.IGNORECASE),
        "a web page or XML (a login page?), not a table",
        "open the address in a browser, log in, and download the table itself",
    ),
    (
        re.compile(rb".{1,8}DUCK", re.DOTALL),
        "a DuckDB database",
        "--input duckdb:///FILE --table NAME reads it",
    ),
    (re.compile(rb"[\[{]\s*[\[{]|\{\s*[\"}]"), "JSON, not a table", AS_CSV + " or Parquet"),
)
WORKBOOKS = {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}  # of .xlsx, .xlsb, .ods

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
UNEXPECTED = {":": "colons", "^": "carets", "~": "tildes"}
# In the place of a delimiter: cells are apart by any number of spaces, or by two and more.
RUNS, WIDE = "spaces", "wide spaces"
SAMPLE_ROWS = 200
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What zł and Kč behind numbers become in Windows-1252.
CP1250_MONEY = re.compile(r"\d\s*(z³|Kè)(?!\w)")
NO_UTF_8 = "text that is not UTF-8"
ENCODING_REMEDY = (
    "say which it is with --encoding (cp1250, cp1251, cp1253, "
    "cp1254, cp1255, cp874, shift_jis, gb18030, big5, cp949)"
)
HEAD = 1 << 18  # bytes of a text by which its delimiter is judged
PIECE = 1 << 20  # bytes decoded at a time


@dataclass(frozen=True)
class Dialect:
    """How a text is written, and what was noticed about that."""

    encoding: str
    delimiter: str
    announced: bool  # whether the first line is Excel's ``sep=;`` and no part of the table
    changes: list[Change]


def load_content(path: Path) -> tuple[bytes, str, str]:
    """Read a file, unpack gzip or a ZIP archive of one file, and tell its format by content.

    Returns its bytes, its format as `format_of` does, and "gzip", "zip" or nothing.

    Raises
    ------
    UserError
        If there is no such file, it is empty or damaged, or it is something else than a table.
    """
    with unpacked(path) as (file, packed):
        data = file.read()
    if not data.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise UserError("the file is empty", str(path), "export the table again")
    form = format_of(data, path.name)
    if form == "parquet" and not data.endswith(PARQUET):
        raise UserError("the Parquet file is cut off", path.name, "download or write it again")
    return data, form, packed


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """Open a file, or what is packed in it, to be read in pieces; tell whether by gzip or zip.

    Raises
    ------
    UserError
        If there is no such file, or what it is packed in is damaged.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if member := _packed_table(file, path.name) if start == ZIP else "":
                with zipfile.ZipFile(file) as archive, archive.open(member) as inner:
                    yield inner, "zip"
                return
            file.seek(0)
            if start.startswith(GZIP):
                with gzip.open(file) as stream:
                    yield cast(IO[bytes], stream), "gzip"
            else:
                yield file, ""
    except (EOFError, zlib.error, gzip.BadGzipFile):
        what = "the gzip file is damaged or cut off"
        raise UserError(what, path.name, "download or pack it again") from None
    except OSError as error:
        raise _unopened(path, error) from None


def _packed_table(file: IO[bytes], name: str) -> str:
    """Return the name of the one file in a ZIP archive; nothing for a workbook.

    Raises
    ------
    UserError
        If the archive is damaged or encrypted, or holds several files.
    """
    try:
        entries = zipfile.ZipFile(file).infolist()
    except zipfile.BadZipFile:
        what = "the workbook or ZIP archive is damaged or cut off"
        raise UserError(what, name, "download or save it again") from None
    names = [entry.filename for entry in entries]
    if WORKBOOKS & set(names):
        return ""
    hidden = re.compile(r"(^|/)(\.|__MACOSX/)|/$")
    tables = [entry for entry in entries if not hidden.search(entry.filename)]
    if len(tables) != 1:
        what = f"the file is a ZIP archive of {len(tables)} files ({', '.join(names[:3])})"
        raise UserError(what, name, "unpack it and give the table in it")
    if tables[0].flag_bits & 1:
        raise UserError("the ZIP archive needs a password", name, "unpack it first")
    return tables[0].filename


def _unopened(path: Path, error: OSError) -> UserError:
    """Say why a file cannot be opened, with the nearest name where there is none of that name."""
    if isinstance(error, FileNotFoundError):
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        what = "there is no such file"
        remedy = did_you_mean(path.name, near, "check the path")
    elif isinstance(error, IsADirectoryError):
        what, remedy = "this is a folder, not a file", "give the file in it"
    else:
        what = f"the file cannot be opened ({error.strerror})"
        remedy = "check the path and your right to read it"
    return UserError(what, str(path), remedy)


def format_of(start: bytes, name: str) -> str:
    """Return "text", "json", "excel" or "parquet" by how a file begins, or say what else it is."""
    if start.startswith(PARQUET):
        return "parquet"
    if _has_objects(start[:HEAD]):
        return "json"
    if start.startswith((OLE, ZIP)):
        return "excel"
    foreign = [(what, remedy) for magic, what, remedy in FOREIGN if start.startswith(magic)]
    text = start[:HEAD].removeprefix(codecs.BOM_UTF8).lstrip()
    foreign += [(what, remedy) for pattern, what, remedy in TEXTS if pattern.match(text)]
    for what, remedy in foreign:
        raise UserError(f"the file is {what}", name, remedy)
    return "text"


def _has_objects(start: bytes) -> bool:
    """Whether a text is an array of JSON objects, or begins with a line that is one."""
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip().startswith(b"{")
    line = text.partition(b"\n")[0]
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def sniff(data: bytes, name: str, encoding: str = "", delimiter: str = "") -> Dialect:
    """Find out how a text is written, as far as the user did not say it.

    Raises
    ------
    UserError
        If that is not certain, or what the user said does not fit.
    """
    encoding, noticed = settle_encoding(io.BytesIO(data), name, encoding)
    delimiter, announced, seen = settle_delimiter(data, name, encoding, delimiter)
    return Dialect(encoding, delimiter, announced, noticed + seen)


def settle_encoding(file: IO[bytes], name: str, given: str = "") -> tuple[str, list[Change]]:
    """Find the encoding that reads a whole file, in pieces: its mark, UTF-8, then Windows-1252.

    Raises
    ------
    UserError
        If there is none, or the given one does not fit.
    """
    start = file.read(PIECE)
    encoding = given or next((e for mark, e in MARKS.items() if start.startswith(mark)), "")
    changes = []
    if not encoding and (half := _utf16_without_mark(start)):
        encoding = half
        changes.append(Change("UTF-16 without a byte-order mark", action=f"read as {half}"))
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    if wide and encoding[-2:].lower() not in ("le", "be") and not start.startswith(tuple(MARKS)):
        encoding += "-le"  # read so without a mark, which only a whole text may go without
    before, piece, rest = 0, start, b""
    try:
        "a".encode(encoding or "utf-8")  # not all that codecs know is of text
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
        while piece:
            if encoding or rest or not piece.isascii():
                decoder.decode(piece)
                rest = decoder.getstate()[0]
            if not wide and (place := piece.find(b"\0")) >= 0:
                raise _damaged(name, _line_at(file, before + place))
            before, piece = before + len(piece), file.read(PIECE)
        decoder.decode(b"", final=True)
    except LookupError:
        raise UserError(
            f"there is no encoding {encoding[:40]!r}",
            where="--encoding",
            remedy="common ones: utf-8, utf-16, cp1252, latin-1, cp1251, shift_jis",
        ) from None
    except UnicodeError as error:
        if encoding:
            raise UserError(
                f"the file is not {encoding}",
                where=f"{name}, line {_line_at(file, before + getattr(error, 'start', 0))}",
                remedy="leave --encoding out, or give another one",
            ) from None
        file.seek(0)
        encoding = "cp1252"
        changes.append(_read_as_cp1252(file, name))
    return encoding or "utf-8", changes


def _damaged(name: str, line: int) -> UserError:
    return UserError(
        "the file contains NUL bytes: it is damaged, or no text at all",
        where=f"{name}, line {line}",
        remedy="export it again, or give its true encoding with --encoding (utf-16-le ...)",
    )


def _line_at(file: IO[bytes], place: int) -> int:
    file.seek(0)
    sizes = [*[PIECE] * (place // PIECE), place % PIECE]
    return 1 + sum(piece.count(b"\n") or piece.count(b"\r") for piece in map(file.read, sizes))


def _utf16_without_mark(data: bytes) -> str:
    """Tell UTF-16 by its zeros at every second place, as Latin text has them."""
    sample = data[:2000]
    half = len(sample) // 2
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    if half >= 4 and max(odd, even) >= 0.9 * half and min(odd, even) == 0:
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _read_as_cp1252(file: Iterable[bytes], name: str) -> Change:
    """Describe a Windows-1252 reading, unless the text would come out as nonsense."""
    rows = letters = foreign = 0
    nonsense, examples = ("", 0), []
    for number, line in enumerate(chain.from_iterable(map(bytes.splitlines, file)), 1):
        if b"\0" in line:
            raise _damaged(name, number)
        if line.isascii():
            continue
        try:
            text = line.decode("cp1252")
        except UnicodeDecodeError:
            what = "the text is neither UTF-8 nor Windows-1252"
            raise UserError(what, f"{name}, line {number}", ENCODING_REMEDY) from None
        if money := CP1250_MONEY.search(text):
            what = f"the text is not UTF-8, and reads as {money[0]!r} in Windows-1252"
            raise UserError(what, f"{name}, line {number}", "read it with --encoding cp1250")
        # Western words have an accent here and there; runs of them are another alphabet.
        # So is a sign within a word: Spó³ka.
        runs = re.findall(r"[^\x00-\x7f]{3,}|[^\W\d_]+[³¹¿¶¼¾](?:[^\W\d_]+[³¹¿¶¼¾]?)+", text)
        nonsense = nonsense if nonsense[0] or not runs else (runs[0], number)
        rows, foreign = rows + 1, foreign + sum(map(len, runs))
        letters += len(re.findall(r"[^\x00-\x7f]", text))
        if rows <= 3:
            (word, *_) = re.findall(r"\w*[^\x00-\x7f]+\w*", text)
            examples.append(f"line {number}: {word!r}")
    if foreign > 0.5 * letters and letters >= 8:
        what = f"the text is not UTF-8, and reads as {nonsense[0][:12]!r} in Windows-1252"
        raise UserError(what, f"{name}, line {nonsense[1]}", ENCODING_REMEDY)
    return Change(
        NO_UTF_8,
        rows=rows,
        action="read as Windows-1252 (cp1252); check the accents, --encoding sets another",
        examples=tuple(examples),
    )


def settle_delimiter(
    data: bytes, name: str, encoding: str, given: str
) -> tuple[str, bool, list[Change]]:
    """Find the delimiter of a file, or of its beginning, unless the user gave it.

    Returns it with whether the first line announces it, and what was noticed, as in `Dialect`.

    Raises
    ------
    UserError
        If two delimiters fit equally well, or the given one does not occur.
    """
    start = data[:HEAD]
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(start)
    except (LookupError, UnicodeError):
        remedy = "leave --encoding out, or give another one"
        raise UserError(f"the file is not {encoding[:40]}", name, remedy) from None
    if len(start) < len(data):  # whole lines only
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    announced = re.match(r"sep=(.)\r?\n", text, re.IGNORECASE)
    changes = []
    if announced:
        text = text[announced.end() :]
        changes.append(Change("a line that announces the delimiter", rows=1, action="skipped"))
    if given:
        delimiter = _spell_delimiter(given)
        if delimiter == RUNS:
            lines = _some_lines(text)
            wide = len(split_spaces(next(iter(lines), ""), WIDE)) > 2
            delimiter = _guess_spaces(text) or (WIDE if wide else RUNS)
            _refuse_uneven(lines, delimiter, name)
        elif delimiter not in text:
            what = f"the delimiter {given!r} does not occur in the file"
            raise UserError(what, name, "leave --delimiter out, or give another one")
    else:
        delimiter = announced.group(1) if announced else _guess_delimiter(text, name)
    return delimiter, bool(announced), changes


def _spell_delimiter(given: str) -> str:
    spelled = {word: mark for mark, word in DELIMITERS.items()} | {r"\t": "\t"}
    mark = (spelled | dict.fromkeys((" ", "space", RUNS), RUNS)).get(given.lower(), given)
    if mark != RUNS and (len(mark) != 1 or mark in '"\r\n' or mark.isalnum()):
        remedy = "give one character, or comma, semicolon, tab, pipe, spaces"
        raise UserError(f"{given!r} is no delimiter", "--delimiter", remedy)
    return mark


def _guess_delimiter(text: str, name: str) -> str:
    scores = {}
    for mark in DELIMITERS:
        widths = [len(row) for row in _sample_rows(text, mark)] or [0]
        # A preamble or an odd line may differ; most lines agree on the right delimiter.
        width, count = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
        if width > 1 and count >= 0.5 * len(widths):
            scores[mark] = (count / len(widths), width)
    spaces = _guess_spaces(text)
    if spaces and max(scores.values(), default=(0, 0))[0] < 1:  # decimal commas between spaces
        return spaces
    winners = [mark for mark, score in scores.items() if score == max(scores.values())]
    if len(winners) > 1:
        names = [DELIMITERS[mark] for mark in winners]
        what = f"the cells could be divided by {' or '.join(names)}: both fit equally well"
        remedy = "say which with --delimiter " + " or --delimiter ".join(names)
        raise UserError(what, name, remedy)
    if winners:
        return winners[0]
    lines = _some_lines(text)
    if len(lines) > 2 and len(split_spaces(lines[0], WIDE)) > 2:
        _refuse_uneven(lines, WIDE, name)
    for mark, spelt in UNEXPECTED.items():
        counts = {line.count(mark) for line in lines}
        if len(lines) > 2 and len(counts) == 1 and counts.pop() > 1:
            what = f"the cells seem to be divided by {spelt}"
            remedy = f"give --delimiter '{mark}' if so; or save the file as CSV"
            raise UserError(what, name, remedy)
    return ","


def _guess_spaces(text: str) -> str:
    """Return how cells are apart by spaces, where all lines have equally many; wide ones first."""
    lines = _some_lines(text)
    for spaces in (WIDE, RUNS) if len(lines) > 2 else ():
        counts = {len(split_spaces(line, spaces)) for line in lines}
        if len(counts) == 1 and counts.pop() > 1:
            return spaces
    return ""


def _some_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()[:SAMPLE_ROWS] if line.strip()]


def _refuse_uneven(lines: list[str], spaces: str, name: str) -> None:
    """Refuse lines with fewer cells than most: nothing says which of them lack."""
    counts = [len(split_spaces(line, spaces)) for line in lines]
    usual = Counter(counts).most_common(1)[0][0] if counts else 0
    short = next((i for i, count in enumerate(counts) if 1 < count < usual), None)
    if short is not None:
        raise UserError(
            f"the cells seem to be apart by spaces, and not all lines have {usual} of them",
            where=f"{name}: {lines[short][:60]!r} has {counts[short]}",
            remedy="fill the empty cells, put two spaces or more between cells, or save it as CSV",
        )


def split_spaces(line: str, spaces: str) -> list[str]:
    """Divide a line at any spaces, or only at two and more."""
    return re.split(r"\s{2,}", line.strip()) if spaces == WIDE else line.split()


def _sample_rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the first rows of a text that hold something."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        yield from islice(filter(None, reader), SAMPLE_ROWS)
    except csv.Error:
        return  # a broken quote is reported with its line when the rows are read in earnest


def first_rows(path: Path, count: int = 20) -> list[list[str]]:
    """Return the first rows of a table as text: enough to find its header, whatever its format.

    There are none where the file cannot be read; reading it in earnest says why.
    """
    try:
        with unpacked(path) as (file, _):
            data = file.read(HEAD)
            form = format_of(data, path.name)
            data += file.read() if form in ("parquet", "excel") else b""
        if form == "parquet":
            import pyarrow.parquet

            return [pyarrow.parquet.read_schema(io.BytesIO(data)).names]
        if form == "excel":
            import python_calamine

            book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
            sheet = book.get_sheet_by_index(0)
            return [[str(cell) for cell in row] for row in sheet.to_python(nrows=count)]
        if form == "json":
            text = data.decode()
            return [list(json.JSONDecoder().raw_decode(text, text.index("{"))[0])]
        if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            data = data[: data.rfind(b"\n") + 1] or data  # a line may have been cut in a letter
        found = sniff(data, path.name)
        text = data.decode(found.encoding)
        if found.delimiter in (RUNS, WIDE):
            lines = text.splitlines()[:count]
            return [split_spaces(line, found.delimiter) for line in lines]
        return list(islice(_sample_rows(text, found.delimiter), count))
    except Exception:
        return []

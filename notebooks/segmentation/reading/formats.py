"""What kind of file this is: told from its first bytes, never from its name."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from customer_tables.errors import UserError
from segmentation.reading.memory import require_memory

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
SAVE_AS = "save it as .xlsx or CSV and give that file"

# First bytes of files that hold no table we can read: what they are, and the way out.
FOREIGN = (
    (
        *(b"\xd0\xcf\x11\xe0", "an old .xls or a password-protected Excel workbook"),
        "open it in Excel or LibreOffice, save it as .xlsx or CSV without a password",
    ),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"7z\xbc\xaf", "a 7-zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"PK\x05\x06", "an empty ZIP archive", "export the table again"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV or Parquet"),
    (b"ARROW1", "a Feather (Arrow) file", "save it as Parquet or CSV"),
    (b"\x89HDF", "an HDF5 file", "save it as Parquet or CSV"),
    (b"\x89PNG", "a PNG image", "export the table as CSV"),
    (b"\xff\xd8\xff", "a JPEG image", "export the table as CSV"),
    (b"$FL2", "an SPSS file", "save it as CSV"),
    (b"<stata_dta>", "a Stata file", "save it as CSV"),
    (b"{\\rtf", "a rich-text document", "save the table as CSV"),
)
MARKUP = re.compile(rb"<(!doctype|html|head|body|table|script|\?xml|!--)", re.IGNORECASE)
JSON = re.compile(rb"[\[{]\s*[\[{]|\{\s*[\"}]")


@dataclass(frozen=True)
class Content:
    """The bytes of a file (unpacked), what they are, and where they came from."""

    name: str
    data: bytes
    format: str  # "text", "excel" or "parquet"
    compression: str
    sha256: str


def load_content(path: str | Path) -> Content:
    """Read a file, unpack gzip, and tell its format by content.

    Raises
    ------
    UserError
        If there is no such file, it is empty or damaged, it is something else than a table, or
        this machine cannot hold it.
    """
    path = Path(path)
    if path.is_file():
        require_memory(path)
    data = _read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    compression = ""
    if data.startswith(GZIP):
        data, compression = _unpack(data, path.name), "gzip"
    if not data.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise UserError("the file is empty", where=str(path), remedy="export the table again")
    return Content(path.name, data, _recognise(data, path.name), compression, sha256)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        close = get_close_matches(path.name, near, 1)
        raise UserError(
            "there is no such file",
            where=str(path),
            remedy=f"did you mean {close[0]!r}?" if close else "check the path",
        ) from None
    except IsADirectoryError:
        raise UserError(
            "this is a folder, not a file", where=str(path), remedy="give the file in it"
        ) from None
    except OSError as error:
        raise UserError(
            f"the file cannot be opened ({error.strerror})",
            where=str(path),
            remedy="check the path and your right to read it",
        ) from None


def _unpack(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(
            "the gzip file is damaged or cut off", where=name, remedy="download or pack it again"
        ) from None


def _recognise(data: bytes, name: str) -> str:
    """Return "text", "excel" or "parquet", or say what else the file is."""
    if data.startswith(PARQUET):
        if not data.endswith(PARQUET):
            raise UserError(
                "the Parquet file is cut off", where=name, remedy="download or write it again"
            )
        return "parquet"
    if data.startswith(ZIP):
        return _recognise_zip(data, name)
    foreign = [(what, remedy) for magic, what, remedy in FOREIGN if data.startswith(magic)]
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if MARKUP.match(start):
        remedy = "open the address in a browser, log in, and download the table itself"
        foreign.append(("a web page or XML (a login page?), not a table", remedy))
    if JSON.match(start):
        foreign.append(("JSON, not a table", "export the table as CSV or Parquet"))
    if data.startswith(GZIP):
        foreign.append(("gzip within gzip", "unpack it once"))
    if foreign:
        what, remedy = foreign[0]
        raise UserError(f"the file is {what}", where=name, remedy=remedy)
    return "text"


def _recognise_zip(data: bytes, name: str) -> str:
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except zipfile.BadZipFile:
        raise UserError(
            "the workbook or ZIP archive is damaged or cut off",
            where=name,
            remedy="download or save it again",
        ) from None
    if "xl/workbook.xml" in members:
        return "excel"
    if "xl/workbook.bin" in members:
        raise UserError("this is a binary Excel workbook (.xlsb)", where=name, remedy=SAVE_AS)
    if "content.xml" in members:
        raise UserError("this is an OpenDocument spreadsheet", where=name, remedy=SAVE_AS)
    raise UserError(
        f"the file is a ZIP archive ({', '.join(members[:3])})",
        where=name,
        remedy="unpack it and give the table in it",
    )

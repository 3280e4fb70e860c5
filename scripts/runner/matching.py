"""Which dataset a table belongs to, judged by the names of its columns."""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError

# From which share of a dataset's columns on, and of how many, a table without the others is taken
# for that dataset with columns missing rather than for another table.
_RESEMBLES, _TELLING = 0.8, 8


def match_table(table: Path, folder: Path) -> str:
    """Return the dataset under data/ whose columns a table has, or "auto" where none resembles it.

    Parameters
    ----------
    table : pathlib.Path
    folder : pathlib.Path
        The folder of the notebooks, in which the analysis package lies.

    Raises
    ------
    UserError
        If the table lacks columns of the dataset that it resembles.
    """
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    from segmentation import dataset as definitions

    rows = first_rows(table)
    try:
        found = (definitions.match_dataset(row) for row in rows)
        exact = next((name for name in found if name), None)
    except UserError as error:
        raise UserError(*str(error).splitlines()) from None
    if exact:
        return exact
    share, name, missing, strange = _closest(rows, definitions)
    if missing and share >= _RESEMBLES:
        fit = "fit" if len(strange) > 1 else "fits"
        unknown = f", in which {_listed(strange)} {fit} nothing" if strange else ""
        raise UserError(
            f"{table.name} lacks {_listed(missing)} of the dataset {name!r}",
            where=f"header of {table.name}{unknown}",
            remedy="add or rename what is missing, or say with --dataset what the table is "
            "(--dataset auto guesses everything)",
        )
    return "auto"


def _closest(rows: list[list[str]], definitions: Any) -> tuple[float, str, list[str], list[str]]:
    """Return the dataset that comes closest: the share of its columns that is there, and the rest.

    Returns
    -------
    tuple
        Share, name of the dataset, names of the missing columns, and of the file's that fit none.
    """
    best: tuple[float, str, list[str], list[str]] = (0.0, "", [], [])
    for path in sorted(definitions.DATA_FOLDER.glob("*/dataset.toml")):
        dataset = definitions.load_dataset(path)
        needed = [c.name for c in dataset.columns if c.required and c.kind != "id"]
        for row in rows:
            try:
                matched = definitions.match_columns(row, dataset)
            except UserError:
                continue
            found, strange = set(matched.values()), [cell for cell in row if cell not in matched]
            missing = [name for name in needed if name not in found]
            if len(needed) < _TELLING:
                continue
            share = 1 - len(missing) / max(len(needed), 1)
            best = max(best, (share, path.parent.name, missing, strange))
    return best


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"


def first_rows(path: Path, count: int = 20) -> list[list[str]]:
    """Return the first rows of a table as text: enough to find its header, whatever its format."""
    try:
        head = _head(path, 4)
        if head == b"PAR1":
            import pyarrow.parquet

            return [pyarrow.parquet.read_schema(path).names]
        if head[:2] == b"PK":
            import openpyxl

            sheet = openpyxl.load_workbook(path, read_only=True).worksheets[0]
            rows = sheet.iter_rows(max_row=count, values_only=True)
            return [["" if cell is None else str(cell) for cell in row] for row in rows]
        return _text_rows(_head(path, 1 << 16, packed=head[:2] == b"\x1f\x8b"), count)
    except Exception:
        # The first notebook reads the table again and says precisely what is wrong with it.
        return []


def _head(path: Path, size: int, *, packed: bool = False) -> bytes:
    with (gzip.open if packed else open)(path, "rb") as file:
        return file.read(size)


def _text_rows(data: bytes, count: int) -> list[list[str]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data[: len(data) // 2 * 2].decode("utf-16", errors="replace")
    else:
        data = data[: data.rfind(b"\n") + 1] or data  # a line may have been cut in a letter
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    lines = text.splitlines()[:count]
    try:
        dialect: Any = csv.Sniffer().sniff("\n".join(lines), delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    return [row for row in csv.reader(lines, dialect) if row]

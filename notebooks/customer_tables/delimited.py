"""Rows of cells from a text file whose encoding and delimiter are known."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from customer_tables.errors import UserError

csv.field_size_limit(10_000_000)  # one long comment is no error


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

"""Rows of cells from an Excel workbook, as text that says exactly what the cells hold."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.raw import Raw
from customer_tables.structure import assemble

SAVE_AGAIN = "open it in Excel, save it again as .xlsx or CSV"
CURRENCY = re.compile(r"\[\$([^\]-]{1,4})[^\]]*\]|\"?([$€£¥₹])\"?")


def read_workbook(data: bytes, file: str, sheet: str | int | None) -> tuple[Raw, str]:
    """Read one sheet of a workbook; return its columns as text, and its name.

    Raises
    ------
    UserError
        If the workbook is damaged, the sheet is unknown or has to be chosen, or the cells hold
        formulas whose results were never stored.
    """
    book = _open(data, file)
    chosen = _choose_sheet(book, file, sheet)
    _check_formulas(data, file, chosen.title, chosen)
    units: dict[int, str] = {}
    rows = _read_cells(chosen, units)
    raw = assemble(rows, f"{file}, sheet {chosen.title!r}", sheet=True)
    return _with_units(raw, units), chosen.title


def _open(data: bytes, file: str, **options):
    import openpyxl  # a fifth of the time that reading another file takes to start

    try:
        with warnings.catch_warnings():
            # openpyxl tells of styles and validations that it leaves out; we only want values.
            warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
            return openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, **{"data_only": True, **options}
            )
    except Exception as error:  # openpyxl raises whatever its parsers meet
        raise UserError(
            f"the workbook cannot be read ({type(error).__name__})", where=file, remedy=SAVE_AGAIN
        ) from None


def _choose_sheet(book, file: str, wanted: str | int | None):
    sheets = [s for s in book.worksheets if hasattr(s, "iter_rows")]
    titles = [s.title for s in sheets]
    if wanted is not None:
        by_name = {title.casefold(): s for title, s in zip(titles, sheets, strict=True)}
        by_place = {str(i): s for i, s in enumerate(sheets, 1)}
        found = by_name.get(str(wanted).casefold()) or by_place.get(str(wanted))
        if found is None:
            raise UserError(
                f"there is no sheet {str(wanted)!r}",
                where=f"{file}, sheets: {', '.join(titles)}",
                remedy="give one of these names, or its place (1 is the first), with --sheet",
            )
        return found
    filled = [s for s in sheets if s.sheet_state == "visible" and _holds_cells(s)]
    if not filled:
        raise UserError("the workbook is empty", where=file, remedy="give another file or --sheet")
    if len(filled) > 1:
        raise UserError(
            f"the workbook has {len(filled)} sheets with content",
            where=f"{file}: {', '.join(s.title for s in filled)}",
            remedy=f"say which with --sheet, as in --sheet {filled[0].title!r}",
        )
    return filled[0]


def _holds_cells(sheet) -> bool:
    sheet.reset_dimensions()  # what the file says about its size is often wrong
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _check_formulas(data: bytes, file: str, title: str, values) -> None:
    """Refuse formulas that no spreadsheet program has computed: they would read as empty."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [n for n in archive.namelist() if n.startswith("xl/worksheets/")]
        if not any(b"<f" in archive.read(n) for n in sheets):
            return
    formulas = _open(data, file, data_only=False)[title]
    formulas.reset_dimensions()
    values.reset_dimensions()
    pairs = zip(
        formulas.iter_rows(values_only=True), values.iter_rows(values_only=True), strict=False
    )
    for number, (written, stored) in enumerate(pairs, 1):
        for formula, value in zip(written, stored, strict=False):
            if value is None and isinstance(formula, str) and formula.startswith("="):
                raise UserError(
                    f"the formula {formula[:40]!r} has no stored result",
                    where=f"{file}, sheet {title!r}, row {number}",
                    remedy=SAVE_AGAIN + ": that computes the formulas",
                )


def _read_cells(sheet, units: dict[int, str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's number and its cells as text; note the units that cell formats show."""
    sheet.reset_dimensions()
    looked_at = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        cells = [_spell(cell.value) for cell in row]
        if looked_at < 50 and any(type(cell.value) in (int, float) for cell in row):
            looked_at += 1
            for place, cell in enumerate(row):
                if type(cell.value) in (int, float) and place not in units:
                    units[place] = _unit_of(cell.number_format or "")
        while cells and not cells[-1]:
            cells.pop()
        yield number, cells


def _unit_of(number_format: str) -> str:
    if "%" in number_format:
        return "%"
    found = CURRENCY.search(number_format)
    return (found.group(1) or found.group(2)) if found else ""


def _spell(value) -> str:
    """Write a cell's value as text from which it can be read back without doubt."""
    if value is None:
        return ""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        text = repr(value)
        # 1.234 could be a thousand and more in a text; a further 0 settles that it is not.
        return text + "0" if re.search(r"\.\d{3}$", text) else text
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**15:
        return f"{value:.14E}"  # a workbook keeps 15 digits: the others are made up
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    return str(value)


def _with_units(raw: Raw, units: dict[int, str]) -> Raw:
    named = zip(raw.names, raw.places, strict=True)
    found = {name: units[place] for name, place in named if units.get(place)}
    changes = [
        Change("cells shown as percentages", name, action="kept as shares: 0.12 for 12 %")
        for name, unit in found.items()
        if unit == "%"
    ]
    return replace(raw, changes=raw.changes + changes, units=found)

"""Rows of cells from a workbook, as text that says exactly what the cells hold."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.rows import Raw, assemble
from customer_tables.sniff import OLE

SAVE_AGAIN = "open it in Excel, save it again as .xlsx or CSV"
CURRENCY = re.compile(r"\[\$([^\]-]{1,4})[^\]]*\]|\"?([$€£¥₹])\"?")
LOOKED_AT = 50  # rows with numbers by which the units that cell formats show are recognised

Errors = dict[int, dict[int, str]]  # cells such as #N/A, by row and column


def read_workbook(data: bytes, file: str, sheet: str | int | None) -> tuple[Raw, str]:
    """Read a sheet of an .xlsx, .xls, .xlsb or .ods workbook; return its columns and its name.

    Raises
    ------
    UserError
        If the workbook is damaged, the sheet is unknown or has to be chosen, or the cells hold
        formulas whose results were never stored.
    """
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except Exception as error:
        raise _unreadable(data, file, error) from None
    title = _choose_sheet(book, file, sheet)
    units, errors = _read_details(data, file, title)
    filled: list[int] = []
    rows = _spell_rows(book.get_sheet_by_name(title), errors, filled)
    raw = assemble(rows, f"{file}, sheet {title!r}", sheet=True)
    raw.note("merged cells", [row for row in filled if row in set(raw.lines)], "filled down")
    raw.units = {name: units.get(i, "") for name, i in zip(raw.names, raw.places, strict=True)}
    action = "kept as shares: 0.12 for 12 %"
    shares = [name for name, unit in raw.units.items() if unit == "%"]
    raw.changes += [Change("cells shown as percentages", name, action=action) for name in shares]
    return raw, title


def _unreadable(data: bytes, file: str, error: Exception) -> UserError:
    if data.startswith(OLE):
        what = "the file is an old .xls or a password-protected Excel workbook"
        remedy = "open it in Excel or LibreOffice, save it as .xlsx or CSV without a password"
        return UserError(what, file, remedy)
    what = f"the workbook cannot be read ({type(error).__name__})"
    return UserError(what, file, SAVE_AGAIN)


def _choose_sheet(book: Any, file: str, wanted: str | int | None) -> str:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [about for about in book.sheets_metadata if about.typ == SheetTypeEnum.WorkSheet]
    titles = [about.name for about in sheets]
    if wanted is not None:
        known = {str(place): title for place, title in enumerate(titles, 1)}
        known |= {title.casefold(): title for title in titles}
        if str(wanted).casefold() not in known:
            raise UserError(
                f"there is no sheet {str(wanted)!r}",
                where=f"{file}, sheets: {', '.join(titles)}",
                remedy="give one of these names, or its place (1 is the first), with --sheet",
            )
        return known[str(wanted).casefold()]
    visible = (about.name for about in sheets if about.visible == SheetVisibleEnum.Visible)
    filled = [title for title in visible if book.get_sheet_by_name(title).start is not None]
    if not filled:
        raise UserError("the workbook is empty", file, "give another file or --sheet")
    if len(filled) > 1:
        shapes = {title: book.get_sheet_by_name(title) for title in filled}
        sizes = {t: (sheet.width > 1, sheet.height * sheet.width) for t, sheet in shapes.items()}
        filled.sort(key=lambda title: sizes[title], reverse=True)  # the likeliest table first
        head = shapes[filled[0]].to_python(nrows=1)
        alike = [title for title in filled if shapes[title].to_python(nrows=1) == head]
        parts = f"copy the rows of {', '.join(alike)} into one sheet where they are parts of one "
        parts += "table; else "
        raise UserError(
            f"the workbook has {len(filled)} sheets with content",
            where=f"{file}: {', '.join(filled)}",
            remedy=f"{parts if len(alike) > 1 else ''}say which with --sheet, as in "
            f"--sheet {filled[0]!r}",
        )
    return filled[0]


def _read_details(data: bytes, file: str, title: str) -> tuple[dict[int, str], Errors]:
    """Return what only openpyxl tells of an .xlsx: units of columns, and cells such as #N/A.

    Raises
    ------
    UserError
        If formulas were never computed: they would read as empty.
    """
    units: dict[int, str] = {}
    errors: Errors = {}
    if data.startswith(OLE):
        return units, errors
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n for n in archive.namelist() if re.match(r"xl/worksheets/.*\.xml", n)]
        sheets = [archive.read(name) for name in names]
    if not sheets:
        return units, errors
    stored = _open(data, file, title, data_only=True)
    if any(b"<f" in sheet for sheet in sheets):
        _check_formulas(_open(data, file, title, data_only=False), stored, file, title)
    wrong = any(b't="e"' in sheet for sheet in sheets)
    looked_at = 0
    for number, row in enumerate(stored.iter_rows(), 1):
        if looked_at == LOOKED_AT and not wrong:
            break
        numeric = {i: cell for i, cell in enumerate(row) if type(cell.value) in (int, float)}
        if wrong:
            errors[number] = {i: cell.value for i, cell in enumerate(row) if cell.data_type == "e"}
        if numeric and looked_at < LOOKED_AT:
            looked_at += 1
            shown = {place: _unit_of(cell.number_format or "") for place, cell in numeric.items()}
            units = shown | units  # the first number of a column tells its unit
    return units, errors


def _open(data: bytes, file: str, title: str, *, data_only: bool) -> Any:
    import openpyxl

    try:
        with warnings.catch_warnings():
            # openpyxl tells of styles and validations that it leaves out; we only want values.
            warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=data_only)
            sheet = book[title]
    except Exception as error:  # openpyxl raises whatever its parsers meet
        raise _unreadable(data, file, error) from None
    sheet.reset_dimensions()  # what the file says about its size is often wrong
    return sheet


def _check_formulas(formulas: Any, stored: Any, file: str, title: str) -> None:
    sheets = (sheet.iter_rows(values_only=True) for sheet in (formulas, stored))
    for number, (written, values) in enumerate(zip(*sheets, strict=False), 1):
        for formula, value in zip(written, values, strict=False):
            if value is None and isinstance(formula, str) and formula.startswith("="):
                raise UserError(
                    f"the formula {formula[:40]!r} has no stored result",
                    where=f"{file}, sheet {title!r}, row {number}",
                    remedy=SAVE_AGAIN + ": that computes the formulas",
                )


def _unit_of(number_format: str) -> str:
    if "%" in number_format:
        return "%"
    found = CURRENCY.search(number_format)
    return (found.group(1) or found.group(2)) if found else ""


def _spell_rows(sheet: Any, errors: Errors, filled: list[int]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's number and its cells as text, without empty ones at its end.

    Cells that are merged over several rows hold their text in each; the rows go into `filled`.
    """
    above, before = sheet.start or (0, 0)
    tops = {
        (row, column): (top, column)
        for (top, column), (bottom, _) in sheet.merged_cell_ranges or ()
        for row in range(top + 1, bottom + 1)
    }
    merged = dict.fromkeys(tops.values(), "")
    for number, row in enumerate(sheet.iter_rows(), above + 1):
        cells = [""] * before + [_spell(value) for value in row]
        for place, text in errors.get(number, {}).items():
            cells[place] = text
        for place in range(len(cells)) if merged else ():
            at = (number - 1, place)
            if at in merged:
                merged[at] = cells[place]
            elif at in tops and not cells[place]:
                cells[place] = merged[tops[at]]
                filled.append(number)
        while cells and not cells[-1]:
            cells.pop()
        yield number, cells


def _spell(value: Any) -> str:
    """Write a cell's value as text from which it can be read back without doubt."""
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 1e15:
        return f"{value:.14E}"  # a workbook keeps 15 digits: the others are made up
    if value == int(value):
        return str(int(value))
    text = repr(value)
    # 1.234 could be a thousand and more in a text; a further 0 settles that it is not.
    return text + "0" if re.search(r"\.\d{3}$", text) else text

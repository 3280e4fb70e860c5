"""What a reader sees: numbers, sentences and tables, escaped at the source.

Texts that come from a user's file (column names, category values) are never trusted: they pass
through `escape`, and sentences are written as templates whose values are escaped on the way in.
"""

from __future__ import annotations

import html
import math
import re
import string
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.text import legible, number, printable

MARKUP = re.compile(r"[&<>\"'\\`*_{}\[\]()#+\-.!|~$^:@=]")  # of HTML, Markdown and its links
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# How columns are written wherever they come up; others are rounded by `number`.
COLUMN_FORMATS = {
    "ARI": ".2f",
    "correlation": ".2f",
    "davies_bouldin": ".2f",
    "eps": ".2f",
    "gap": ".3f",
    "macro_silhouette": ".3f",
    "match": ".2f",
    "null_silhouette": ".3f",
    "purity": ".0%",
    "silhouette": ".3f",
    "silhouette_error": ".4f",
    "stability": ".2f",
    "stability_spread": ".2f",
    "starts_near_best": ".0%",
    "worst_jaccard": ".2f",
    "worst_start": ".2%",
}
SHARE_FORMAT = ".1%"  # of columns that carry the word, such as smallest_share
LONGEST_SENTENCE = 600
SHORT_NAME = 28  # letters of a row's name that stay on one line where there is room
# What counts as a number in a cell: 1,243, −0.5, $12, 45%, 3.2e-5, 12 months; and as no value.
NUMERIC = re.compile(r"[-+−±$£€¥~<≤≥]*\s*\d[\d,.\s]*(?:e[-+]?\d+)?\s*[%×a-zA-Z²³]{0,9}\Z")
NOTHING = ("", "-", "–", "—", "nan", "None", "<NA>")


def escape(text: object) -> str:
    """Escape a text for HTML inside Markdown, so that nothing in it is markup of either."""
    visible = printable(text, LONGEST_SENTENCE)
    return MARKUP.sub(lambda mark: NAMED.get(mark.group()) or f"&#{ord(mark.group())};", visible)


def spreadsheet_safe(texts: pd.Series) -> pd.Series:
    """Prefix texts that a spreadsheet would run as a formula with an apostrophe.

    Texts that are plain numbers stay as they are.
    """
    texts = texts.astype("str")
    risky = texts.str.startswith(FORMULA_STARTS) & pd.to_numeric(texts, errors="coerce").isna()
    return texts.mask(risky, "'" + texts)


def safe_table(table: pd.DataFrame) -> pd.DataFrame:
    """Make the texts, the index and the column names of a table safe to open and to print.

    Formulas are disarmed; what would act on a terminal that shows the file becomes a space.
    """

    def line(text: str) -> str:
        return re.sub(r"[\t\n]", " ", legible(text))

    def safe(values: pd.Series) -> pd.Series:
        texts = values.map(lambda value: isinstance(value, str))
        if not texts.any():
            return values
        return values.mask(texts, spreadsheet_safe(values).map(line, na_action="ignore"))

    names = safe(table.columns.to_series()).to_list()
    index = pd.Index(safe(table.index.to_series()), name=table.index.name)
    return table.apply(safe).set_axis(names, axis=1).set_axis(index)


class _Template(string.Formatter):
    """Format like ``str.format``, with text escaped and whole numbers grouped in thousands."""

    def format_field(self, value: object, spec: str) -> str:
        if isinstance(value, str):
            return escape(value)
        if value is None:
            return "–"
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and not spec:
            spec = ","
        if isinstance(value, (float, np.floating)):
            rounded = not spec or not math.isfinite(value)
            return number(float(value)) if rounded else format(float(value), spec)
        text = format(value, spec)
        return text if isinstance(value, (int, np.integer)) else escape(text)


def sentence(template: str, **values: object) -> str:
    """Fill a trusted Markdown template with untrusted values.

    A template may reach into what it is given, as in ``{choice.reason}`` or ``{sizes[share]:.0%}``.

    Examples
    --------
    >>> sentence("**{share:.0%}** of {n} {who}", share=0.5, n=1200, who="<b>customers</b>")
    '**50%** of 1,200 &lt;b&gt;customers&lt;/b&gt;'
    """
    return _Template().vformat(template, (), values)


def quoted_numbers(template: str, **values: object) -> dict[str, Any]:
    """Return every number that a sentence quotes, unrounded, by the field that quotes it.

    Examples
    --------
    >>> quoted_numbers("{share:.0%} of {who}", share=0.512, who="customers")
    {'share': 0.512}
    """
    formatter = _Template()
    fields = [field for _, field, _, _ in formatter.parse(template) if field]
    found = {field: formatter.get_field(field, (), values)[0] for field in fields}
    return {field: value for field, value in found.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def column_format(column: str, formats: Mapping[str, str] | str | None = None) -> str:
    """Return the format specification for the numbers of a column; empty: rounded for reading."""
    if isinstance(formats, str):
        return formats
    if formats and column in formats:
        return formats[column]
    return COLUMN_FORMATS.get(column, SHARE_FORMAT if "share" in column.split("_") else "")


def html_table(
    table: pd.DataFrame, caption: str, formats: Mapping[str, str] | str | None = None
) -> str:
    """Write a table as HTML with a caption, formatted numbers and every text escaped.

    The markup is that of a page: the table scrolls by keyboard, columns of numbers stand right.

    Parameters
    ----------
    table : DataFrame
    caption : str
        A sentence that lets the table be read alone.
    formats : mapping of str to str, or str, optional
        A format specification, such as ``".2f"`` or ``".0%"``, for single columns or for all that
        hold fractions; by default as `COLUMN_FORMATS` says, and the rest rounded by `number`.
    """
    names = ["", *table.columns]
    specs = [column_format(str(name), formats) for name in names]
    rows = [
        [_cell_text(value, spec) for value, spec in zip(values, specs, strict=True)]
        for values in table.itertuples(name=None)
    ]
    numeric = [_are_numbers(column) for column in zip(*rows, strict=True)] or [False] * len(names)
    names[0] = table.index.name or "row"
    heads = [printable(name).replace("_", " ") for name in names]

    def line(cells: list[str], tags: list[str], scopes: list[str]) -> str:
        parts = zip(cells, tags, scopes, numeric, strict=True)
        return f"<tr>{''.join(_table_cell(*part) for part in parts)}</tr>"

    width = len(names)
    head = line(heads, ["th"] * width, ["col"] * width)
    tags, scopes = ["th", *["td"] * (width - 1)], ["row", *[""] * (width - 1)]
    body = "".join(line(cells, tags, scopes) for cells in rows)
    title = html.escape(printable(caption, LONGEST_SENTENCE))
    # On paper nothing scrolls: the more columns, the smaller the type.
    size = "" if width <= 7 else " wide" if width <= 12 else " widest"
    return (
        f'<div class="scroll table" role="region" aria-label="Table: {title}" tabindex="0">'
        f'<table class="dataframe{size}"><caption>{title}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table></div>"
    )


def _cell_text(value: object, spec: str) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return number(int(value))
    if isinstance(value, (float, np.floating)):
        return (
            "–"
            if not math.isfinite(value)
            else format(value, spec)
            if spec
            else number(float(value))
        )
    return "–" if value is None or value is pd.NaT or value is pd.NA else printable(value, 400)


def _are_numbers(texts: tuple[str, ...]) -> bool:
    filled = [text for text in texts if text not in NOTHING]
    return bool(filled) and all(NUMERIC.match(text) for text in filled)


def _table_cell(text: str, tag: str, scope: str, is_number: bool) -> str:
    classes = ["sentence"] if tag == "td" and len(text) > SHORT_NAME else []
    classes += ["short"] if scope == "row" and len(text) <= SHORT_NAME else []
    classes += ["number"] if is_number else []
    attributes = f' scope="{scope}"' if scope else ""
    attributes += f' class="{" ".join(classes)}"' if classes else ""
    return f"<{tag}{attributes}>{html.escape(text)}</{tag}>"

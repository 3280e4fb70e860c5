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
    "initialisations_near_best": ".0%",
    "worst_jaccard": ".2f",
    "worst_initialisation": ".2%",
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

    def safe(values: pd.Series) -> pd.Series:
        texts = values.map(lambda value: isinstance(value, str))
        if not texts.any():
            return values
        shown = spreadsheet_safe(values).map(legible, na_action="ignore")
        return values.mask(texts, shown.str.replace(r"[\t\n]", " ", regex=True))

    names = safe(table.columns.to_series()).to_list()
    index = pd.Index(safe(table.index.to_series()), name=table.index.name)
    return table.apply(safe).set_axis(names, axis=1).set_axis(index)


class _Template(string.Formatter):
    """Format like ``str.format``, with text escaped and whole numbers grouped in thousands."""

    def format_field(self, value: object, spec: str) -> str:
        if value is None:
            return "–"
        if isinstance(value, (float, np.floating)) and not (spec and math.isfinite(value)):
            return number(float(value))
        if _is_number(value):
            return format(value, spec or ",")
        return escape(format(value, spec))


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


HEAD, ROW, CELL = 'th scope="col"', 'th scope="row"', "td"


def html_table(
    table: pd.DataFrame, caption: str, formats: Mapping[str, str] | str | None = None
) -> str:
    """Write a table as HTML with a caption, formatted numbers and every text escaped.

    The markup is that of a page: the table scrolls by keyboard, columns of numbers stand right.

    Parameters
    ----------
    caption : str
        A sentence that lets the table be read alone.
    formats : mapping of str to str, or str, optional
        A format specification, such as ``".2f"`` or ``".0%"``, for single columns or for all that
        hold fractions; by default as `COLUMN_FORMATS` says, and the rest rounded by `number`.
    """
    names = ["", *map(str, table.columns)]
    known = dict(formats) if isinstance(formats, Mapping) else {}
    shares = {name: SHARE_FORMAT for name in names if "share" in name.split("_")}
    specs = [
        formats if isinstance(formats, str) else (shares | COLUMN_FORMATS | known).get(name, "")
        for name in names
    ]
    rows = [
        [_cell_text(value, spec) for value, spec in zip(values, specs, strict=True)]
        for values in table.itertuples(name=None)
    ]
    filled = [[text for text in column if text not in NOTHING] for column in zip(*rows)]  # noqa: B905
    numeric = [bool(texts) and all(map(NUMERIC.match, texts)) for texts in filled]

    def line(texts: list[str], *tags: str) -> str:
        parts = zip(texts, tags, numeric or [False] * len(texts), strict=True)
        return f"<tr>{''.join(_table_cell(*part) for part in parts)}</tr>"

    width = len(names)
    names[0] = str(table.index.name or "row")
    head = line([printable(name).replace("_", " ") for name in names], *[HEAD] * width)
    body = "".join(line(cells, ROW, *[CELL] * (width - 1)) for cells in rows)
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
    if isinstance(value, (float, np.floating)) and spec and math.isfinite(value):
        return format(value, spec)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return number(float(value))
    return "–" if value is None or value is pd.NaT or value is pd.NA else printable(value, 400)


def _table_cell(text: str, tag: str, is_number: bool) -> str:
    is_long = len(text) > SHORT_NAME
    words = ["sentence"] if is_long and tag == CELL else []
    words += ["short"] if not is_long and tag == ROW else []
    words += ["number"] if is_number else []
    attribute = f' class="{" ".join(words)}"' if words else ""
    return f"<{tag}{attribute}>{html.escape(text)}</{tag[:2]}>"

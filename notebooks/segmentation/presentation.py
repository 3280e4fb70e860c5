"""What a reader sees: numbers, sentences and tables, escaped at the source.

Texts that come from a user's file (column names, category values) are never trusted: they pass
through `escape`, and sentences are written as templates whose values are escaped on the way in.
"""

from __future__ import annotations

import html
import math
import re
import string
import unicodedata
from collections.abc import Mapping

import numpy as np
import pandas as pd

MARKDOWN_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$^])")
LONGEST_TEXT = 120
LONGEST_SENTENCE = 600


def plain(text: object, longest: int = LONGEST_TEXT) -> str:
    """Make a text from a file safe to lay out: no control or direction marks, and not endless."""
    visible = "".join(
        " " if unicodedata.category(c).startswith(("C", "Z")) else c for c in str(text)
    )
    visible = " ".join(visible.split())
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def escape(text: object) -> str:
    """Escape a text for HTML inside Markdown, so that nothing in it is markup of either."""
    return MARKDOWN_MARKS.sub(
        lambda mark: f"&#{ord(mark.group())};", html.escape(plain(text, LONGEST_SENTENCE))
    )


class _Template(string.Formatter):
    """Format like ``str.format``, with text escaped and whole numbers grouped in thousands."""

    def format_field(self, value: object, spec: str) -> str:
        if isinstance(value, str):
            return escape(value)
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and not spec:
            spec = ","
        if isinstance(value, (float, np.floating)):
            return number(value) if not spec else format(float(value), spec)
        return format(value, spec)


def sentence(template: str, **values: object) -> str:
    """Fill a trusted Markdown template with untrusted values.

    Examples
    --------
    >>> sentence("**{share:.0%}** of {n} {who}", share=0.5, n=1200, who="<b>customers</b>")
    '**50%** of 1,200 &lt;b&gt;customers&lt;/b&gt;'
    """
    return _Template().vformat(template, (), values)


def number(value: float) -> str:
    """Round a number sensibly for reading: 1,243 rather than 1243.4872, 0.37, 12.4."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    size = abs(value)
    if size >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.2f}" if size >= 0.095 or size == 0 else f"{value:.2g}"


def share(value: float) -> str:
    """Write a share in whole percent; what would round to nothing says so."""
    if value is None or not math.isfinite(value):
        return "–"
    return "under 1%" if 0 < value < 0.005 else f"{value:.0%}"


def quantity(value: float, kind: str, unit: str = "") -> str:
    """Write a number with its unit: a share in percent, an amount with what it is counted in."""
    if kind == "share" and not unit:
        return share(value)
    return f"{number(value)} {unit}".strip()


def joined(words: list[str], last: str = "and") -> str:
    """Join words as a sentence does: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun in the right number: 1 segment, 6 segments."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def html_table(table: pd.DataFrame, caption: str, formats: Mapping[str, str] | None = None) -> str:
    """Write a table as HTML with a caption, formatted numbers and every text escaped.

    Parameters
    ----------
    table : DataFrame
    caption : str
        A sentence that lets the table be read alone.
    formats : mapping of str to str, optional
        A format specification for each column that needs one, such as ``".2f"`` or ``".0%"``;
        other numbers are rounded by `number`.
    """
    formats = formats or {}

    def cell(column: object, value: object) -> str:
        if isinstance(value, (bool, np.bool_)):
            return "yes" if value else "no"
        if isinstance(value, (int, float, np.integer, np.floating)):
            if isinstance(value, (float, np.floating)) and not math.isfinite(value):
                return "–"
            spec = formats.get(str(column))
            return format(value, spec) if spec else number(value)
        return "–" if value is None or value is pd.NaT else html.escape(plain(value, 400))

    def row(cells: list[str], index: str, tag: str) -> str:
        head = f'<th scope="{"col" if tag == "th" else "row"}">{index}</th>'
        scope = ' scope="col"' if tag == "th" else ""
        body = "".join(f"<{tag}{scope}>{text}</{tag}>" for text in cells)
        return f"<tr>{head}{body}</tr>"

    names = [html.escape(plain(name).replace("_", " ")) for name in table.columns]
    index = html.escape(plain(table.index.name or "row").replace("_", " "))
    lines = [
        row([cell(c, v) for c, v in zip(table.columns, values, strict=True)], cell("", key), "td")
        for key, *values in table.itertuples(name=None)
    ]
    return (
        f'<div class="table-scroll"><table class="dataframe"><caption>{html.escape(caption)}'
        f"</caption><thead>{row(names, index, 'th')}</thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )

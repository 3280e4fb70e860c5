"""What a reader sees: numbers, sentences and tables, escaped at the source.

Texts that come from a user's file (column names, category values) are never trusted: they pass
through `escape`, and sentences are written as templates whose values are escaped on the way in.
"""

from __future__ import annotations

import html
import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.text import legible, number, printable, share

MARKUP = re.compile(r"[&<>\"'\\`*_{}\[\]()#+\-.!|~$^:@=]")  # of HTML, Markdown and its links
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# How columns are headed and written wherever they come up; others by their name and `number`.
COLUMN_LABELS = {
    "apart_jaccard": "lowest Jaccard similarity, groups refitted",
    "ari": "ARI with the segments",
    "ari_between": "ARI between trainings",
    "calinski_harabasz": "Calinski–Harabasz index",
    "davies_bouldin": "Davies–Bouldin index",
    "initialisations_near_best": "initialisations near the best",
    "macro_silhouette": "silhouette, mean of segments",
    "rows": "customers",
    "share_near_boundary": "share near a boundary",
    "silhouette_error": "standard error of the silhouette",
    "stability": "stability (ARI)",
    "stability_spread": "spread of the stability",
    "valley": "valley of density",
    "valley_with_ends": "valley, ends as they are",
    "worst_jaccard": "lowest Jaccard similarity",
    "worst_initialisation": "worst initialisation above the best",
}
COLUMN_FORMATS = {
    "ARI": ".2f",
    "ari_between": ".2f",
    "correlation": ".2f",
    "davies_bouldin": ".2f",
    "gap": ".3f",
    "macro_silhouette": ".3f",
    "match": ".2f",
    "silhouette": ".3f",
    "silhouette_error": ".4f",
    "stability": ".2f",
    "stability_spread": ".2f",
    "initialisations_near_best": "%",
    "valley": ".2f",
    "valley_with_ends": ".2f",
    "worst_initialisation": "%",
    "worst_jaccard": ".2f",
}
SHARE_FORMAT = "%"  # of columns that carry the word, such as smallest_share
MANY_COLUMNS = 8  # beyond this many, a table that has fewer rows is shown turned
LONGEST_SENTENCE = 600
SHORT_NAME = 28  # letters of a row's name that stay on one line where there is room
# What counts as a number in a cell: 1,243, −0.5, $12, 45%, 3.2e-5, 12 months; and as neither.
NUMERIC = re.compile(
    r"(?:under |over )?[-+−±$£€¥~<≤≥]*\s*\d[\d,.\s]*(?:e[-+]?\d+)?\s*[%×a-zA-Z²³]{0,9}\Z"
)
NAMES = "mathjax_ignore"  # class of HTML in which JupyterLab takes $x$ for a name, not mathematics
NOTHING = ("", "-", "–", "—", "nan", "None", "<NA>", "yes", "no")


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
    """Format like ``str.format``, with text as `write` has it and whole numbers in thousands."""

    def __init__(self, write: Callable[[str], str]) -> None:
        self.write = write

    def format_field(self, value: object, spec: str) -> str:
        if value is None:
            return "–"
        if isinstance(value, (float, np.floating)):
            plain = not (spec and math.isfinite(value))
            return number(float(value)) if plain else _formatted(float(value), spec)
        if is_number(value):
            return format(value, spec or ",")
        return self.write(format(value, spec))


def sentence(template: str, **values: object) -> str:
    """Fill a trusted Markdown template with untrusted values.

    A template may reach into what it is given, as in ``{choice.reason}`` or ``{sizes[share]:.0%}``.

    Examples
    --------
    >>> sentence("**{share:.0%}** of {n} {who}", share=0.5, n=1200, who="<b>customers</b>")
    '**50%** of 1,200 &lt;b&gt;customers&lt;/b&gt;'
    """
    return _Template(escape).vformat(template, (), values)


def plain(template: str, **values: object) -> str:
    """Fill a template like `sentence`, for where nothing is markup."""
    return _Template(str).vformat(template, (), values)


def fields(template: str, **values: object) -> dict[str, Any]:
    """Return what each field of a template stands for.

    Examples
    --------
    >>> fields("{share:.0%} of {who}", share=0.512, who="customers")
    {'share': 0.512, 'who': 'customers'}
    """
    formatter = _Template(str)
    named = [field for _, field, _, _ in formatter.parse(template) if field]
    return {field: formatter.get_field(field, (), values)[0] for field in named}


def is_number(value: object) -> bool:
    """Whether a value is a number, and no answer of yes or no."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


HEAD, ROW, CELL = 'th scope="col"', 'th scope="row"', "td"


def html_table(
    table: pd.DataFrame, caption: str, formats: Mapping[str, str] | str | None = None
) -> str:
    """Write a table as HTML with a caption, formatted numbers and every text escaped.

    The markup is that of a page: the table scrolls by keyboard, columns of numbers stand right. A
    table of many columns and fewer rows is turned, so that it is as wide as it has rows; so is one
    of a single column of numbers, or of few columns over a short scale, such as k. Where rows have
    no names, the first column names them.

    Parameters
    ----------
    caption : str
        A sentence that lets the table be read alone.
    formats : mapping of str to str, or str, optional
        A format specification, such as ``".2f"``, or ``"%"`` for shares of one, for single columns
        or for all that hold fractions; by default as `COLUMN_FORMATS` says, and the rest rounded
        by `number`.
    """
    if table.index.name is None and isinstance(table.index, pd.RangeIndex) and table.shape[1] > 1:
        table = table.set_index(table.columns[0])  # numbers of rows say nothing to a reader
    names = [str(table.index.name or "row"), *map(str, table.columns)]
    specs = _column_specs(names, formats)
    rows = [list(map(_cell_text, values, specs)) for values in table.itertuples(name=None)]
    columns = [[_heading(name), *(row[at] for row in rows)] for at, name in enumerate(names)]
    turned = _reads_better_turned(columns)
    lines = columns if turned else [*zip(*columns, strict=True)]
    width = len(lines[0])
    # A column of a turned table may hold a few words among its numbers.
    numeric = [_is_numeric(texts, 0.5 if turned else 1.0) for texts in zip(*lines[1:], strict=True)]
    numeric = numeric or [False] * width

    def line(texts: Sequence[str], *tags: str) -> str:
        parts = zip(texts, tags, numeric, strict=True)
        return f"<tr>{''.join(_table_cell(*part) for part in parts)}</tr>"

    head = line(lines[0], *[HEAD] * width)
    body = "".join(line(texts, ROW, *[CELL] * (width - 1)) for texts in lines[1:])
    title = html.escape(printable(caption, LONGEST_SENTENCE))
    # On paper nothing scrolls: the more columns, the smaller the type.
    size = "" if width <= 7 else " wide" if width <= 12 else " widest"
    return (
        f'<div class="scroll table {NAMES}" role="region" aria-label="Table: {title}" tabindex="0">'
        f'<table class="dataframe{size}"><caption>{title}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table></div>"
    )


def table_link(file: str, caption: str) -> str:
    """Write where the numbers of a table are, as seen from the folder of the notebooks' pages."""
    title = html.escape(printable(caption, LONGEST_SENTENCE))
    link = f'<a href="../tables/{html.escape(file)}">{title}</a>'
    return f'<p class="numbers {NAMES}">Numbers: {link}</p>'


def figure(picture: str, about: Mapping[str, Any]) -> str:
    """Write a figure for a window, with its caption and its alternative text.

    It takes the width there is, up to what its dots allow. `picture` is a PNG in base64.
    """
    alt, caption = (html.escape(str(about[name])) for name in ("alt", "caption"))
    look = f"width: 100%; max-width: {2 * about['width']}px; height: auto"
    return (
        f'<figure class="{NAMES}" style="margin: 0"><img src="data:image/png;base64,{picture}" '
        f'alt="{alt}" style="{look}"><figcaption>{caption}</figcaption></figure>'
    )


def _heading(name: str) -> str:
    """Return what readers of a table see in place of a column's name."""
    label = printable(COLUMN_LABELS.get(name, name)).replace("_", " ")
    return re.sub(r"\b(ari|r2)\b", lambda word: {"ari": "ARI", "r2": "R²"}[word.group()], label)


def _is_numeric(texts: Sequence[str], part: float) -> bool:
    """Whether at least a part of the texts that are not empty are numbers."""
    filled = [text for text in texts if text not in NOTHING]
    return bool(filled) and sum(map(bool, map(NUMERIC.match, filled))) >= part * len(filled)


def _column_specs(names: list[str], formats: Mapping[str, str] | str | None) -> list[str]:
    """Return the format of each column, the index first."""
    if isinstance(formats, str):
        return [formats] * len(names)
    shares = {name: SHARE_FORMAT for name in names if "share" in re.split(r"[_ ]", name)}
    known = shares | COLUMN_FORMATS | dict(formats or {})
    return [known.get(name, "") for name in names]


def _reads_better_turned(columns: list[list[str]]) -> bool:
    """Whether a table, each column with its heading, fits a page better on its side."""
    rows, others = len(columns[0]) - 1, len(columns) - 1
    if others > MANY_COLUMNS:
        return 0 < rows < others
    if any(len(text) > 12 for column in columns[1:] for text in column[1:]):
        return False  # sentences and names need the width of a column
    short = all(len(text) <= 3 for text in columns[0][1:])
    return (others == 1 and 3 < rows <= MANY_COLUMNS) or (others <= 3 < rows <= 12 and short)


def _cell_text(value: object, spec: str) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)) and spec and math.isfinite(value):
        return _formatted(float(value), spec)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return number(float(value))
    return "–" if value is None or value is pd.NaT or value is pd.NA else printable(value, 400)


def _formatted(value: float, spec: str) -> str:
    """Write a number as a specification asks, shares of one and signs as everywhere else."""
    if spec.endswith("%") and spec[0] not in "+ ":
        return share(value)
    spec = re.sub(r"^[+ -]?", r"\g<0>z", spec)  # no negative zero
    return format(value, spec).replace("-", "−")


def _table_cell(text: str, tag: str, is_number: bool) -> str:
    is_long = len(text) > SHORT_NAME
    classes = ["sentence"] if is_long and tag == CELL else []
    classes += ["short"] if not is_long and tag == ROW else []
    classes += ["number"] if is_number else []
    attribute = f' class="{" ".join(classes)}"' if classes else ""
    # JupyterLab would set texts right; a page has the stylesheet, and drops this.
    attribute += "" if is_number else ' style="text-align: left"'
    return f"<{tag}{attribute}>{html.escape(text)}</{tag[:2]}>"

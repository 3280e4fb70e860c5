"""What a reader sees: numbers rounded, texts escaped, nothing that acts."""

import mistune
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from conftest import HOSTILE_TEXTS

from customer_tables.text import printable
from segmentation.presentation import html_table, safe_table, sentence, spreadsheet_safe


def rendered(markdown):
    """Render as a notebook page does: Markdown with tables, links and raw HTML."""
    render = mistune.create_markdown(
        escape=False, plugins=["strikethrough", "table", "url", "task_lists", "def_list"]
    )
    return BeautifulSoup(render(markdown), "html.parser")


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [*HOSTILE_TEXTS, "it's", "1. a", "- a", "> a", "===", "# a", "a | b", "~~a~~", "&lt;"]
)
@pytest.mark.parametrize("template", ["{x}", "**{x}**", "- {x}", "{x} is {x}."])
def test_values_are_text_and_nothing_else(template, text):
    page = rendered(sentence(template, x=text))
    assert {tag.name for tag in page.find_all()} <= {"p", "strong", "ul", "li"}
    shown = printable(text, 600)
    assert " ".join(page.get_text().split()) == template.replace("- ", "").replace("*", "").format(
        x=shown
    )


def test_templates_format_numbers():
    values = {"n": 1200, "m": np.int64(3), "s": 0.5, "f": np.float64(1234.5)}
    values |= {"none": None, "gap": np.nan, "yes": True}
    text = sentence("{n} of {m}, {s:.0%}, {f}, {none}, {gap:.1%}, {yes}", **values)
    assert text == "1,200 of 3, 50%, 1,234, –, –, True"


@pytest.mark.parametrize(
    "value",
    [["<b>"], {"<b>": 1}, pd.Series(["<b>"]), type("T", (), {"__str__": lambda s: "<b>"})()],
)
def test_other_values_are_escaped_too(value):
    assert "<b>" not in sentence("{x}", x=value)
    assert "<b>" not in sentence("{x!s}", x=value)


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_tables_hold_texts_and_nothing_else(text):
    table = pd.DataFrame({text: [text], "n": [1.5]}, index=pd.Index([text], name=text))
    page = BeautifulSoup(html_table(table, text), "html.parser")
    assert {tag.name for tag in page.find_all()} == set(
        "div table caption thead tbody tr th td".split()
    )
    assert {key for tag in page.find_all() for key in tag.attrs} <= set(
        "class scope role aria-label tabindex".split()
    )
    name, cell = printable(text).replace("_", " "), printable(text, 400)
    assert [th.get_text() for th in page.find_all("th")] == [name, name, "n", cell]
    assert page.td.get_text() == cell


def test_cells_are_formatted_and_every_header_cell_is_named():
    row = {"a_share": 0.25, "x": 1234.5, "ok": True, "gap": np.nan, "none": None, "na": pd.NA}
    page = BeautifulSoup(html_table(pd.DataFrame([row]), "c", {"a_share": ".0%"}), "html.parser")
    assert [td.get_text() for td in page.find_all("td")] == ["25%", "1,234", "yes", "–", "–", "–"]
    heads = [th.get_text() for th in page.thead.find_all("th")]
    assert heads == ["row", "a share", *list(row)[1:]]
    assert page.caption.get_text() == "c"


# --- lists for a spreadsheet ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "-x", "+"]
)
def test_formulas_are_disarmed(text):
    assert spreadsheet_safe(pd.Series([text])).tolist() == ["'" + text]


@pytest.mark.parametrize("text", ["-5", "+4.5", "-1e3", "abc", "a=b", "", "00123", " x"])
def test_other_texts_stay(text):
    assert spreadsheet_safe(pd.Series([text])).tolist() == [text]


def test_a_table_is_safe_in_cells_index_and_names():
    table = pd.DataFrame(
        {"=a": ["=b", None, "c"], "n": [-1.5, 2, np.nan], "f": [True, False, True]},
        index=pd.Index(["@x", "-3", "z"], name="id"),
    )
    safe = safe_table(table)
    assert list(safe) == ["'=a", "n", "f"] and list(safe.index) == ["'@x", "-3", "z"]
    assert safe.index.name == "id"
    assert safe["'=a"].fillna("gap").tolist() == ["'=b", "gap", "c"]
    assert safe["n"].tolist()[:2] == [-1.5, 2] and safe["f"].tolist() == [True, False, True]
    harmless = pd.DataFrame({"a": ["x"], "b": [1]})
    pd.testing.assert_frame_equal(safe_table(harmless), harmless)
    assert safe_table(pd.DataFrame({"a": [], "b": []})).empty


def test_a_table_commands_no_terminal():
    table = pd.DataFrame({"a\x1b[2J": ["b\u202ec\n", "\t=1"], "n": [1, 2]}, index=["x\x07", "y"])
    safe = safe_table(table)
    assert list(safe) == ["a [2J", "n"]
    assert list(safe.index) == ["x ", "y"]
    assert safe["a [2J"].tolist() == ["b c ", "' =1"]

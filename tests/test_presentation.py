"""What a reader sees: numbers rounded, texts escaped, nothing that acts."""

import html
import unicodedata

import mistune
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from conftest import HOSTILE_TEXTS

from segmentation.presentation import (
    answer_or_quantity,
    counted,
    escape,
    html_table,
    joined,
    number,
    plain,
    quantity,
    safe_table,
    sentence,
    share,
    spreadsheet_safe,
)


def rendered(markdown):
    """Render as a notebook page does: Markdown with tables, links and raw HTML."""
    render = mistune.create_markdown(
        escape=False, plugins=["strikethrough", "table", "url", "task_lists", "def_list"]
    )
    return BeautifulSoup(render(markdown), "html.parser")


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(1243.4872, "1,243"), (0.3712, "0.37"), (12.44, "12.4"), (3.14159, "3.14"),
     (1234567, "1,234,567"),
     (5.0, "5"), (0, "0"), (0.0123, "0.012"), (0.095, "0.10"), (-2741.2, "-2,741"), (-0.5, "-0.50"),
     (100, "100"), (99.96, "100.0"), (np.int64(7), "7"), (np.float32(0.25), "0.25"),
     (np.nan, "–"), (np.float32("nan"), "–"), (np.inf, "–"), (None, "–")],
)  # fmt: skip
def test_numbers_are_rounded_for_reading(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0%"), (0.004, "under 1%"), (0.005, "under 1%"), (0.0051, "1%"), (0.5, "50%"),
     (0.994, "99%"), (0.995, "over 99%"), (0.9999, "over 99%"), (1, "100%"), (1.2, "120%"),
     (-0.001, "0%"), (-0.2, "-20%"), (np.nan, "–"), (None, "–")],
)  # fmt: skip
def test_shares_do_not_claim_too_much(value, text):
    assert share(value) == text


def test_quantities_have_their_unit():
    assert quantity(0.25, "share") == "25%"
    assert quantity(0.25, "share", "of months") == "0.25 of months"
    assert quantity(1500.4, "money", "EUR") == "1,500 EUR"
    assert quantity(3, "count") == "3"


def test_lists_and_counts():
    assert [joined([]), joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c"]  # fmt: skip
    assert joined(["a", "b"], "or") == "a or b"
    assert [counted(1, "segment"), counted(1200, "segment"), counted(2, "cross", "crosses")] == [
        "1 segment", "1,200 segments", "2 crosses"]  # fmt: skip


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_plain_text_has_no_control_characters_and_an_end(text):
    shown = plain(text)
    assert len(shown) <= 120
    assert not any(unicodedata.category(c).startswith("C") for c in shown)
    assert shown == plain(shown)


def test_plain_text_stays_itself():
    assert plain("Café, 东京 – 50 €") == "Café, 东京 – 50 €"
    assert plain("  a \n b\t\tc ") == "a b c"
    assert plain("abcdef", 4) == "abc…"


@pytest.mark.parametrize(
    "text", [*HOSTILE_TEXTS, "1. a", "- a", "> a", "===", "# a", "a | b", "~~a~~", "&lt;"]
)
@pytest.mark.parametrize("template", ["{x}", "**{x}**", "- {x}", "{x} is {x}."])
def test_values_are_text_and_nothing_else(template, text):
    page = rendered(sentence(template, x=text))
    assert {tag.name for tag in page.find_all()} <= {"p", "strong", "ul", "li"}
    shown = plain(text, 600)
    assert " ".join(page.get_text().split()) == template.replace("- ", "").replace("*", "").format(
        x=shown
    )


def test_an_apostrophe_is_an_apostrophe():
    assert html.unescape(escape("it's")) == "it's"
    assert rendered(sentence("{x}", x="it's")).get_text().strip() == "it's"


def test_templates_format_numbers():
    text = sentence("{n} of {m}, {s:.0%}, {f}, {none}, {gap:.1%}, {yes}", n=1200, m=np.int64(3),
                    s=0.5, f=np.float64(1234.5), none=None, gap=np.nan, yes=True)  # fmt: skip
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
    assert {tag.name for tag in page.find_all()} == {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td"}  # fmt: skip
    assert {key for tag in page.find_all() for key in tag.attrs} <= {
        "class", "scope", "role", "aria-label", "tabindex"}  # fmt: skip
    shown = plain(text).replace("_", " ")
    assert [th.get_text() for th in page.find_all("th")] == [shown, shown, "n", plain(text, 400)]
    assert page.td.get_text() == plain(text, 400)


def test_cells_are_formatted():
    table = pd.DataFrame(
        {
            "share": [0.25],
            "x": [1234.5],
            "ok": [True],
            "gap": [np.nan],
            "none": [None],
            "na": [pd.NA],
        }
    )
    page = BeautifulSoup(html_table(table, "c", {"share": ".0%"}), "html.parser")
    assert [td.get_text() for td in page.find_all("td")] == ["25%", "1,234", "yes", "–", "–", "–"]


def test_every_header_cell_is_named():
    page = BeautifulSoup(html_table(pd.DataFrame({"a_b": [1]}), "c"), "html.parser")
    assert [th.get_text() for th in page.thead.find_all("th")] == ["row", "a b"]
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
    assert list(safe) == ["'=a", "n", "f"]
    assert list(safe.index) == ["'@x", "-3", "z"]
    assert safe.index.name == "id"
    assert safe["'=a"].tolist()[::2] == ["'=b", "c"]
    assert safe["'=a"].isna().tolist() == [False, True, False]
    pd.testing.assert_series_equal(
        safe["n"].reset_index(drop=True), table["n"].reset_index(drop=True)
    )
    harmless = pd.DataFrame({"a": ["x"], "b": [1]})
    pd.testing.assert_frame_equal(safe_table(harmless), harmless)
    assert safe_table(pd.DataFrame({"a": [], "b": []})).empty


def test_a_table_commands_no_terminal():
    table = pd.DataFrame({"a\x1b[2J": ["b\u202ec\n", "\t=1"], "n": [1, 2]}, index=["x\x07", "y"])
    safe = safe_table(table)
    assert list(safe) == ["a [2J", "n"]
    assert list(safe.index) == ["x ", "y"]
    assert safe["a [2J"].tolist() == ["b c ", "' =1"]


def test_years_and_answers_of_one_customer():
    assert quantity(1968.0, "number", "year") == "1968"
    assert quantity(float("nan"), "number", "year") == "–"
    assert answer_or_quantity(1.0, "yes_no") == "yes"
    assert answer_or_quantity(0.25, "share") == "25%"

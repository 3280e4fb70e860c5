"""What a reader sees: numbers rounded, texts escaped, nothing that acts."""

import mistune
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from planted import TEXTS as HOSTILE_TEXTS

from customer_tables.text import printable
from segmentation.presentation import (
    figure,
    html_table,
    safe_table,
    sentence,
    spreadsheet_safe,
    table_link,
)


def rendered(markdown):
    """Render as a notebook page does: Markdown with tables, links and raw HTML."""
    render = mistune.create_markdown(
        escape=False, plugins=["strikethrough", "table", "url", "task_lists", "def_list"]
    )
    return BeautifulSoup(render(markdown), "html.parser")


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


@pytest.mark.parametrize(
    "markup",
    [
        html_table(pd.DataFrame({"$x^2$": ["$y$"]}, index=["$z$"]), "$c$"),
        table_link("x.csv", "$c$"),
        figure("", {"alt": "$a$", "caption": "$c$", "width": 1}),
    ],
)
def test_a_name_between_dollars_is_no_mathematics_in_jupyterlab(markup):
    (root,) = BeautifulSoup(markup, "html.parser").find_all(recursive=False)
    assert "mathjax_ignore" in root["class"]


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


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_tables_hold_texts_and_nothing_else(text):
    table = pd.DataFrame({text: [text], "n": [1.5]}, index=pd.Index([text], name=text))
    page = BeautifulSoup(html_table(table, text), "html.parser")
    assert {tag.name for tag in page.find_all()} == set(
        "div table caption thead tbody tr th td".split()
    )
    assert {key for tag in page.find_all() for key in tag.attrs} <= set(
        "class scope role aria-label tabindex style".split()
    )
    name, cell = printable(text).replace("_", " "), printable(text, 400)
    assert [th.get_text() for th in page.find_all("th")] == [name, name, "n", cell]
    assert page.td.get_text() == cell


def grid(table, formats=None):
    """The texts of a table as it is shown, row by row, its headings first."""
    page = BeautifulSoup(html_table(table, "What it holds", formats), "html.parser")
    assert page.caption.get_text() == "What it holds"
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in page.find_all("tr")]


def test_rows_without_names_are_named_by_their_first_column():
    row = {"what": "cards", "a_share": 0.25, "ok": True, "gap": np.nan, "none": None, "na": pd.NA}
    assert grid(pd.DataFrame([row])) == [
        ["what", "a share", "ok", "gap", "none", "na"],
        ["cards", "25%", "yes", "–", "–", "–"],
    ]


@pytest.mark.parametrize(
    ("value", "column", "spec", "text"),
    [
        (0.452, "x", ".0%", "45%"),
        (0.003, "x", ".0%", "0.3%"),
        (0.0, "share of cards", None, "0%"),
        (0.9996, "largest_share", None, "over 99.9%"),
        (-0.031, "x", "+.2f", "−0.03"),
        (-0.001, "x", ".2f", "0.00"),
        (0.12, "x", "+.0%", "+12%"),
        (1243.4872, "x", None, "1,243"),
        (0.9876, "silhouette", None, "0.988"),
    ],
)
def test_numbers_are_written_in_one_way_in_tables_and_in_sentences(value, column, spec, text):
    table = pd.DataFrame({column: [value]}, index=["a"])
    assert grid(table, {column: spec} if spec else None)[1][1] == text
    if spec:
        assert sentence(f"{{x:{spec}}}", x=value) == text


def test_no_heading_is_the_name_of_a_variable():
    names = ["worst_jaccard", "davies_bouldin", "value_total", "ari_lowest", "held_out_r2"]
    shown = grid(pd.DataFrame(1.5, index=["a"], columns=names))[0][1:]
    assert shown[:2] == ["lowest Jaccard similarity", "Davies–Bouldin index"]
    assert shown[2:] == ["value total", "ARI lowest", "held out R²"]


@pytest.mark.parametrize(
    ("index", "columns", "turned"),
    [
        (["High spenders", "Others"], 8, False),
        (["High spenders", "Others"], 9, True),  # more columns than a page holds
        ([f"feature {n}" for n in range(20)], 12, False),  # turned it were wider still
        ([3, 4, 5, 6], 2, True),  # over k
        (["High spenders", "Others", "Instalments", "Cash"], 2, False),
        ([3, 4, 5, 6], 4, False),
        (["High spenders", "Others", "Instalments", "Cash"], 1, True),  # one row in place of four
    ],
)
def test_a_wide_table_is_turned_and_says_the_same(index, columns, turned):
    names = [f"c{n}" for n in range(columns)]
    values = np.arange(len(index) * columns).reshape(len(index), columns) + 0.5
    table = pd.DataFrame(values, index=pd.Index(index, name="k"), columns=names)
    shown = grid(table, ".2f")
    assert shown[0] == ["k", *(map(str, index) if turned else names)]
    wanted = table.T if turned else table
    assert [row[0] for row in shown[1:]] == [str(name) for name in wanted.index]
    assert [row[1:] for row in shown[1:]] == [
        [f"{v:.2f}" for v in row] for row in wanted.to_numpy()
    ]


def test_a_column_of_sentences_stays_a_column():
    why = pd.DataFrame({"why": ["because it is so " * 9] * 5}, index=[f"row {n}" for n in range(5)])
    assert [len(row) for row in grid(why)] == [2] * 6
    names = pd.DataFrame({"n": 1, "name": "Occasional one-off buyers"}, index=[1, 2, 3, 4])
    assert [len(row) for row in grid(names)] == [3] * 5


def test_numbers_stand_right_and_texts_left_with_and_without_a_stylesheet():
    table = pd.DataFrame({"n": [1, 2], "word": ["a", "b"]}, index=["x", "y"])
    page = BeautifulSoup(html_table(table, "c"), "html.parser")
    for row in page.find_all("tr"):
        name, number, word = row.find_all(["th", "td"])
        assert number["class"] == ["number"] and not number.get("style")
        assert name["style"] == word["style"] == "text-align: left"
    wide = pd.DataFrame({f"c{n}": [1.5] for n in range(9)}, index=["x"]).assign(word="a", ok=True)
    page = BeautifulSoup(html_table(wide, "c"), "html.parser")
    assert {*map(str, (cell["class"] for cell in page.find_all("td")))} == {"['number']"}


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "-x", "+"], "'"),
        (["-5", "+4.5", "-1e3", "abc", "a=b", "", "00123", " x"], ""),
    ],
)
def test_formulas_are_disarmed_and_other_texts_stay(texts, mark):
    assert spreadsheet_safe(pd.Series(texts)).tolist() == [mark + text for text in texts]


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

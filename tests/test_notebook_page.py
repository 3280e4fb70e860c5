"""Notebook pages: structure, safety, links, pictures, settings, the same bytes twice."""

from __future__ import annotations

import base64
import re

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sample_run import ACTIVE, HOSTILE, assert_inert, context, png

from runner import notebook_page, pages
from segmentation.presentation import html_table, table_link

PICTURE = base64.b64encode(png()).decode()
ABOUT = {"alt": "Stability falls.", "caption": "Agreement.", "file": "../figures/04_decision.png"}
DECLARED = 'k: int = 0  # 0: by the rule\nseed: int = 20\nresults_dir: str = ""'
INJECTED = "k = 5\nresults_dir = '/tmp/a1b2/results'\ndataset = '/tmp/a1b2/cards'"
SCORES = pd.DataFrame({"inertia": [64555.0, 12.5]}, index=pd.Index([5, 6], name="k"))


def shown(data, metadata=None):
    return new_output("display_data", data=data, metadata=metadata or {})


def code(*outputs, source="x", tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def notebook():
    """An executed notebook with everything that a page has to lay out."""
    cells = [
        new_markdown_cell("# How many kinds?\n\nCosts between $2,740 and $1,003."),
        code(source=DECLARED, tags=["parameters"]),
        code(source=INJECTED, tags=["injected-parameters"]),
        new_markdown_cell("## The scan over k\n\n| k | agreement |\n|---|---|\n| 5 | 0.90 |"),
        code(
            shown({"image/png": PICTURE, "text/plain": "Figure"}, {"image/png": ABOUT}),
            new_output("stream", name="stdout", text="fitted 6 segments\n" + "wide " * 60),
            new_output("stream", name="stderr", text="a warning for the log"),
            source="fit = KMeans(6)\n# many starts\nfit",
        ),
        new_markdown_cell("### Numbers"),
        code(shown({"text/html": html_table(SCORES, "Every score by k"), "text/plain": "x"})),
        new_markdown_cell("## Numbers\n\nThe same heading. [Up](#The-scan-over-k)"),
    ]
    return new_notebook(cells=cells, metadata={"title": "How many kinds of customers?"})


def render(folder, built, **changes):
    for place, cell in enumerate(built.cells):
        cell["id"] = f"c{place}"
    executed = folder / "04_kmeans.ipynb"
    nbformat.write(built, executed)
    page = executed.with_suffix(".html")
    notebook_page.render_notebook(executed, page, context=context(**changes))
    return page.read_text(encoding="utf-8")


def render_cells(folder, *cells, **changes):
    return assert_inert(render(folder, new_notebook(cells=list(cells)), **changes))


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return render(tmp_path_factory.mktemp("page"), notebook())


@pytest.fixture(scope="module")
def page(html):
    return assert_inert(html)


# --- structure ---------------------------------------------------------------------------------


def test_title_language_one_main_heading_and_the_same_bytes(page, html, tmp_path):
    assert render(tmp_path, notebook()) == html
    assert page.html["lang"] == "en"
    assert page.title.text == "How many kinds of customers? – Credit-card customers"
    assert [h.text for h in page.find_all("h1")] == ["How many kinds?"]
    bare = render_cells(tmp_path, new_markdown_cell("Words."))
    assert bare.h1.text == "K-Means" and not bare.select(".toc, .notices")


def test_one_switch_a_section_and_one_for_the_page(page, html):
    switches = [" ".join(each.text.split()) for each in page.select("details.code summary")]
    assert switches == [
        "Method and code of this page 7 lines",
        "Method and code: The scan over k 3 lines",
        "Method and code: Numbers 1 line",
    ]
    assert not page.select("details[open]")
    sections = page.select("main > .part")
    assert [len(section.select(":scope > details.code")) for section in sections] == [1, 1, 1, 0]


def test_the_injected_cell_is_a_table_of_settings(page, html):
    assert (
        page.select_one(".settings summary").text == "Settings of this run k = 5, dataset = cards"
    )
    settings = {d.dt.text: d.dd.text for d in page.select(".settings dl > div")}
    assert settings == {
        "k": "5 (default 0) 0: by the rule",
        "seed": "20",
        "dataset": "cards (default none)",
    }
    assert len(page.select(".settings .changed")) == 2
    assert "/tmp/a1b2" not in html


RESULT = shown({"text/plain": "a result"})
LINK = shown({"text/html": table_link("04_scan.csv", "Every statistic"), "text/plain": "x"})


@pytest.mark.parametrize(
    ("cells", "folded"),
    [
        (["## Scan\n\nWhat it is.", RESULT], []),
        (["## Scan\n\nWhat it is.", None], ["What it is."]),  # a section that is all method
        (["## Scan\n\nWhat it is.", None, "Look here.", RESULT], []),
        (["## Scan\n\nWhat.", RESULT, "Prepare.", None, None, "Look.", RESULT], ["Prepare."]),
        (["## Scan\n\nWhat.", RESULT, "It shows much.", "Prepare.", None], ["Prepare."]),
        (["## Scan\n\nWhat.", RESULT, "Twice.", None, RESULT, "Limits."], []),
        (["Limits.\n\n## Outputs\n\nChecks.", None], ["Checks."]),
        (["## Scan\n\nWhat.", RESULT, "The numbers:", LINK], ["The numbers:"]),
        (["# Title\n\nThe question.", None], []),  # what a page begins with is always shown
        (["# Title\n\nAsks.\n\nReads.\n\nWrites.", None], ["Reads.", "Writes."]),
        (["# Title\n\nAsks.\n\nReads.", RESULT], []),
    ],
)
def test_prose_that_introduces_code_alone_is_folded_with_it(tmp_path, cells, folded):
    built = [
        new_markdown_cell(each) if isinstance(each, str) else code(*([each] if each else []))
        for each in cells
    ]
    page = render_cells(tmp_path, *built)
    assert [each.text.strip() for each in page.select(".text.method")] == folded
    paragraphs = [p for cell in cells if isinstance(cell, str) for p in cell.split("\n\n")]
    assert all(paragraph.lstrip("# ") in page.main.text for paragraph in paragraphs)


@pytest.mark.parametrize(("rows", "first"), [(6, 6), (8, 8), (9, 6), (40, 6)])
@pytest.mark.parametrize("write", [lambda t: html_table(t, "Long"), pd.DataFrame.to_html])
def test_a_long_table_shows_its_head_and_a_switch(tmp_path, rows, first, write):
    table = pd.DataFrame({"n": range(rows), "m": 1}, index=[f"row {n}" for n in range(rows)])
    page = render_cells(tmp_path, code(shown({"text/html": write(table), "text/plain": "x"})))
    bodies = [len(body.find_all("tr")) for body in page.select("main tbody")]
    assert bodies == ([first, rows - first] if first < rows else [rows])
    switches = page.select(".scroll.table + details.rows summary")
    assert [each.text for each in switches] == ([f"All {rows} rows"] if first < rows else [])


def test_contents_lead_to_the_headings(page):
    for contents in page.select(".toc, .toc-folded"):
        targets = [link["href"][1:] for link in contents.find_all("a")]
        assert targets == ["The-scan-over-k", "Numbers", "Numbers-2"]
    assert len(page.select(".toc ol ol")) == 1


def test_an_optional_section_without_anything_to_show_is_left_out(tmp_path):
    for outputs, expected in (
        ((), ["Always", "After"]),
        ((shown({"text/plain": "bread"}),), ["Always", "Goods", "After"]),
    ):
        page = render_cells(
            tmp_path,
            new_markdown_cell("# A title"),
            new_markdown_cell("## Always"),
            code(),
            new_markdown_cell("## Goods\n\nWhat they buy.", metadata={"tags": ["optional"]}),
            code(*outputs),
            new_markdown_cell("Look at the last row."),
            new_markdown_cell("## After"),
        )
        assert [heading.text.strip("¶ ") for heading in page.select("main h2")] == expected
        assert ("Look at the last row." in page.text) == bool(outputs)


def test_a_folded_section_has_a_switch_and_keeps_its_place_in_the_contents(tmp_path):
    folded = new_markdown_cell("## Details", metadata={"tags": ["folded"]})
    title, other = new_markdown_cell("# A title"), new_markdown_cell("## Other")
    page = render_cells(tmp_path, title, folded, code(shown({"text/plain": "1"})), other)
    (section,) = page.select(".part.folded")
    assert section.h2["id"] == "Details" and page.select_one('.toc a[href="#Details"]')
    assert section.select_one("details.fold > summary").text == "Show this section: Details"
    assert section.select_one(".printed") and section.find_next_sibling().h2["id"] == "Other"


@pytest.mark.parametrize(
    ("target", "href"),
    [
        ("03_features.ipynb", "03_features.html"),
        ("./03_features.ipynb#A-part", "03_features.html#A-part"),
        ("99_other.ipynb", None),
        ("https://doi.org/10.1016/x", "https://doi.org/10.1016/x"),
        ("../data/README.md", None),
        ("../tables/04_scores.csv", "../tables/04_scores.csv"),
        ("../../etc/passwd", None),
        ("javascript:x()", "#harmful-link"),
    ],
)
def test_links_lead_to_what_is_there_and_others_are_dropped(tmp_path, target, href):
    link = render_cells(tmp_path, new_markdown_cell(f"See [the text]({target}).")).main.find("a")
    assert (link and link["href"]) == href


def test_neighbours_start_page_and_notices(tmp_path, page):
    for number, ends in (("01", ["02"]), ("04", ["03", "05"]), ("06", ["05"])):
        built = render_cells(tmp_path, new_markdown_cell("# A title"), number=number)
        assert [page_of["href"][:2] for page_of in built.select(".pager a[rel]")] == ends
    assert page.select_one(".masthead .home")["href"] == "../index.html"
    assert [a.text for a in page.select(".series [aria-current=page]")] == ["04: K-Means"]
    warned = render_cells(tmp_path, new_markdown_cell("# T"), quick=True, up_to_date=False)
    assert "Quick settings" in warned.text and "Out of date" in warned.text


# --- what cells show ---------------------------------------------------------------------------


def test_figures_have_description_caption_size_and_a_link_to_their_file(page):
    figure = page.select_one("figure")
    assert figure.a["href"] == "../figures/04_decision.png"
    assert figure.img["alt"] == "Stability falls." and figure.figcaption.text == "Agreement."
    assert (figure.img["width"], figure.img["height"]) == ("720", "360")


def test_tables_scroll_by_keyboard_and_numbers_stand_right(page):
    regions = page.select(".scroll.table[role=region][tabindex='0']")
    assert [r["aria-label"] for r in regions] == ["Table 1", "Table: Every score by k"]
    for region in regions:
        assert all(cell["scope"] == "col" for cell in region.select("thead th"))
        assert all("number" in cell["class"] for cell in region.select("tbody td"))


def test_a_table_as_pandas_writes_it_gets_frame_and_headers(tmp_path):
    data = {"text/html": pd.DataFrame({"n": [1.5], "word": ["x"]}).to_html(), "text/plain": "…"}
    table = render_cells(tmp_path, code(shown(data))).select_one(".scroll.table table")
    assert [cell.name for cell in table.thead.tr.find_all(True)] == ["td", "th", "th"]
    assert table.tbody.th["scope"] == "row"
    assert [cell.get("class") for cell in table.select("tbody td")] == [["number"], None]


FAILED = {"ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m: <script>no"]}
WIDGET = {"application/vnd.jupyter.widget-view+json": "{}", "text/plain": "Box()"}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (new_output("stream", name="stdout", text="a <b>"), "a <b>"),
        (new_output("stream", name="stderr", text="for the log"), ""),
        (new_output("error", **FAILED), "E: <script>no"),
        (new_output("execute_result", data={"text/plain": "{'k': 6}"}), "{'k': 6}"),
        (shown({"text/markdown": "**6** kinds", "text/plain": "?"}), "6 kinds"),
        (shown({"application/javascript": "document.title='run'"}), ""),
        (shown(WIDGET), "Box()"),
    ],
)
def test_outputs_in_the_form_that_a_page_can_show(tmp_path, output, text):
    page = render_cells(tmp_path, code(output, source=""))
    assert page.main.text.replace("K-Means", "").strip() == text


def test_pictures_without_description_or_from_elsewhere(tmp_path):
    prose = "## Sizes\n\n![a dot](attachment:dot.png) ![a map](https://example.org/map.png)"
    cell = new_markdown_cell(prose, attachments={"dot.png": {"image/png": "iVBORw0KGgo="}})
    page = render_cells(tmp_path, cell, code(shown({"image/png": "iVBORw0KGgo="})))
    assert {i["src"] for i in page.find_all("img")} == {"data:image/png;base64,iVBORw0KGgo="}
    described = "A figure in the section “Sizes” that has no description."
    assert [i["alt"] for i in page.find_all("img")] == ["a dot", described]
    assert "a map" in page.main.text


# --- safety ------------------------------------------------------------------------------------


def hostile_notebook():
    cells = []
    for text in HOSTILE:
        table = f'<table><caption>{text}</caption><tr><td style="x" onclick="x()">{text}</td></tr>'
        forms = dict.fromkeys(("text/markdown", "text/plain"), text) | {
            "text/html": table,
            "application/javascript": "document.title='run'",
            "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload=\"x()\"/>",
            "image/png": PICTURE,
        }
        about = {"alt": text, "caption": text, "file": text}
        outputs = [shown({form: data}, {form: about}) for form, data in forms.items()]
        printed = new_output("stream", name="stdout", text=text)
        cells.append(new_markdown_cell(f"## A heading {text}\n\nAnd a text {text}."))
        cells.append(code(*outputs, printed, source=f"x = {text!r}"))
    return new_notebook(cells=cells)


def test_hostile_names_are_words_wherever_they_appear(tmp_path):
    titles = {"dataset_title": f"shop\u2066\u2069 {HOSTILE[0]}", "title": HOSTILE[1]}
    cells = [
        code(source='input_file: str = ""', tags=["parameters"]),
        code(source="input_file = 'a\u202eb\\x1b[31m.csv'", tags=["injected-parameters"]),
        *hostile_notebook().cells,
    ]
    page = render_cells(tmp_path, *cells, **titles)
    assert not re.search("[\x1b\u202e\u2066\u2069]", str(page))
    assert "a b [31m.csv" in page.text
    assert not page.main.find_all("svg")
    assert not [a for a in page.select("figure a") if "figures/" not in a["href"]]
    printed = [pre.text.strip() for pre in page.select(".printed pre")]
    assert all(printed.count(text) == 2 for text in HOSTILE), "as text they are there to be read"


@pytest.mark.parametrize(
    "html",
    [
        *(f"<table><tr><td class='number'>{text} 12</td></tr></table><p>z</p>" for text in HOSTILE),
        "<script>swallow",
        "a <script>alert(1)</script><style>alert</style> b",
        "<textarea><p>x",
        "<title>",
        "<!-- ",
        "a <!-- alert --> b",
        "<plaintext>",
        "<math><mi><style><img src=x onerror=x()>",
        "<svg></p><style><a id='</style><img src=1 onerror=x()>'>",
        "<noscript><p title='</noscript><img src=x onerror=x()>'>",
        "<a href='java\nscript:x()'>a</a>",
        "<a href='data:text/html,<script>x()</script>'>a</a>",
        "<img src='x' onerror='x()' style='position:fixed'>",
        "<div id=content class=x onclick=x() role=alert tabindex=9>t</div>",
    ],
)
def test_sanitising_leaves_nothing_that_acts(html):
    clean = pages.sanitise(html)
    soup = BeautifulSoup(clean, "html.parser")
    assert not soup.find_all(
        [*ACTIVE, "svg", "style", "math", "title", "textarea", "noscript", "meta"]
    )
    for tag in soup.find_all(True):
        assert not any(name.startswith("on") or name in {"style", "id"} for name in tag.attrs)
        assert "script:" not in tag.get("href", "") and tag.get("role") != "alert"
    assert "alert" not in clean, "the content of scripts is no text"
    assert pages.sanitise(clean) == clean, "no text turns into a tag on a second reading"

"""Notebook pages: structure, safety, links, pictures, settings, the same bytes twice."""

from __future__ import annotations

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sample_run import HOSTILE, context, notebook

from runner import notebook_page, pages

ACTIVE = ("script", "iframe", "object", "embed", "form", "input", "button", "link", "base", "svg")


def render(folder, built, **changes):
    executed = folder / "04_kmeans.ipynb"
    nbformat.write(built, executed)
    page = folder / "04_kmeans.html"
    notebook_page.render_notebook(executed, page, context=context(**changes))
    return page.read_text(encoding="utf-8")


def render_cells(folder, *cells, **changes):
    built = new_notebook(cells=list(cells))
    for place, cell in enumerate(built.cells):
        cell["id"] = f"c{place}"
    return BeautifulSoup(render(folder, built, **changes), "html.parser")


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return render(tmp_path_factory.mktemp("page"), notebook())


@pytest.fixture(scope="module")
def page(html):
    return BeautifulSoup(html, "html.parser")


def test_the_same_notebook_gives_the_same_bytes(tmp_path, html):
    assert render(tmp_path, notebook()) == html


def test_title_and_language_come_from_the_notebook(page):
    assert page.html["lang"] == "en"
    assert page.title.text == "How many kinds of customers are there? – Credit-card customers"
    assert [h.text for h in page.find_all("h1")] == ["How many kinds of customers are there?"]


def test_nothing_is_loaded_from_elsewhere_and_nothing_can_run(page, html):
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not page.find_all(ACTIVE[:-1])
    assert all(tag["src"].startswith("data:image/") for tag in page.find_all(src=True))
    assert not re.search(r"@import|url\(", str(page.style))
    assert "a warning for the log" not in html


def test_code_is_folded_and_the_injected_cell_is_a_table(page, html):
    assert page.select("details.code pre")
    assert not page.select("details.code[open]")
    settings = {d.dt.text: d.dd.text for d in page.select(".settings dl > div")}
    assert settings["k"] == "5 (default 0) 0: decided by the rule"
    assert settings["seed"] == "20 start of the random numbers"
    assert settings["dataset"].startswith("credit_card")
    assert "/tmp/a1b2" not in html


def test_contents_lead_to_headings_that_exist_once(page):
    for contents in page.select(".toc, .toc-folded"):
        targets = [link["href"][1:] for link in contents.find_all("a")]
        assert targets == ["The-scan-over-k", "Other-numbers", "The-segments", "Other-numbers-2"]
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)


def test_links_between_notebooks_lead_to_pages_and_others_are_dropped(page):
    main = page.find("main")
    hrefs = {link.text: link["href"] for link in main.find_all("a", string=True)}
    assert hrefs["feature engineering"] == "03_feature_engineering.html"
    assert hrefs["Hennig 2007"].startswith("https://")
    assert hrefs["Up"] == "#The-scan-over-k"
    assert "the data" in main.text and "the data" not in hrefs
    assert "$2,740 and $1,003" in main.text


def test_neighbours_and_start_page(page):
    assert page.find("a", rel="prev")["href"] == "03_feature_engineering.html"
    assert page.find("a", rel="next")["href"] == "05_dimensionality_reduction.html"
    assert page.select_one(".masthead .home")["href"] == "../index.html"
    assert [a.text for a in page.select(".series [aria-current=page]")] == ["04: K-Means"]


def test_first_and_last_page_have_one_neighbour(tmp_path):
    cell = new_markdown_cell("# A title")
    assert not render_cells(tmp_path, cell, number="01").find("a", rel="prev")
    assert not render_cells(tmp_path, cell, number="06").find("a", rel="next")


def test_figures_have_description_caption_size_and_a_link_to_their_file(page):
    figure = page.select_one("figure")
    assert figure.a["href"] == "../figures/04_decision.png"
    assert figure.img["alt"] == "Stability falls from 0.99 at two segments to 0.64 at twelve."
    assert (figure.img["width"], figure.img["height"]) == ("720", "360")
    assert figure.figcaption.text.startswith("Agreement between pairs")


def test_tables_scroll_by_keyboard_and_numbers_stand_right(page):
    regions = page.select(".scroll.table[role=region][tabindex='0']")
    labels = [region["aria-label"] for region in regions]
    assert labels == ["Table 1", "Table: Every score by k", "Table: Sizes and shares"]
    table = regions[1].table
    assert table.thead.tr.find(True).name == "td", "the empty corner heads nothing"
    assert all("number" in cell["class"] for cell in table.select("tbody td"))
    assert all(cell["scope"] == "col" for cell in table.select("thead th"))


def test_notices(tmp_path):
    cell = new_markdown_cell("# A title")
    assert "Quick settings" in render_cells(tmp_path, cell, quick=True).text
    assert "Out of date" in render_cells(tmp_path, cell, up_to_date=False).text
    assert not render_cells(tmp_path, cell).select(".notices")


def test_a_notebook_without_title_or_headings_still_makes_a_page(tmp_path):
    page = render_cells(tmp_path, new_markdown_cell("Words."))
    assert page.h1.text == "K-Means"
    assert not page.select(".toc")


def test_a_figure_without_description_says_where_it_stands(tmp_path):
    picture = new_output("display_data", data={"image/png": "iVBORw0KGgo="})
    page = render_cells(
        tmp_path, new_markdown_cell("## Sizes"), new_code_cell("x", outputs=[picture])
    )
    assert page.img["alt"] == "A figure in the section “Sizes” that has no description."


def test_a_failed_cell_shows_its_error_escaped(tmp_path):
    error = new_output(
        "error", ename="E", evalue="v", traceback=["\x1b[31mUserError\x1b[0m: <script>no</script>"]
    )
    page = render_cells(tmp_path, new_code_cell("x", outputs=[error]))
    assert "UserError: <script>no</script>" in page.select_one(".failed").text
    assert not page.find("script")


def test_pictures_from_elsewhere_leave_their_description(tmp_path):
    page = render_cells(tmp_path, new_markdown_cell("![a map](https://example.org/map.png)"))
    assert not page.find("img")
    assert "a map" in page.main.text


def test_attached_pictures_are_embedded(tmp_path):
    cell = new_markdown_cell("![a dot](attachment:dot.png)")
    cell["attachments"] = {"dot.png": {"image/png": "iVBORw0KGgo="}}
    page = render_cells(tmp_path, cell)
    assert page.img["src"] == "data:image/png;base64,iVBORw0KGgo="
    assert page.img["alt"] == "a dot"


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    html = render(
        tmp_path_factory.mktemp("hostile"),
        notebook(hostile=True),
        dataset_title=HOSTILE[0],
        title=HOSTILE[1],
    )
    return BeautifulSoup(html, "html.parser")


def test_hostile_names_are_words_wherever_they_appear(hostile_page):
    assert not hostile_page.find_all(ACTIVE)
    allowed_meta = {"Content-Security-Policy", "viewport", "referrer", "color-scheme", None}
    assert {m.get("http-equiv") or m.get("name") for m in hostile_page.find_all("meta")} <= (
        allowed_meta
    )
    for tag in hostile_page.find_all(True):
        for name, value in tag.attrs.items():
            assert not name.startswith("on"), (tag.name, name)
            assert name not in {"style", "srcdoc", "formaction"}, (tag.name, name)
            if name in {"href", "src"}:
                assert not re.match(r"\s*(javascript|vbscript|data:text)", str(value), re.I)
    assert len(hostile_page.find_all("style")) == 1
    links = [figure.a for figure in hostile_page.select("figure") if figure.a]
    assert {link["href"] for link in links} == {"../figures/04_decision.png"}
    # As text they are still there to be read.
    assert HOSTILE[0] in hostile_page.select_one(".printed:last-of-type").parent.text


@pytest.mark.parametrize("text", HOSTILE)
def test_sanitising_keeps_tables_and_text_and_nothing_that_acts(text):
    clean = pages.sanitise(f"<table><tr><td class='number'>{text} 12</td></tr></table><p>after</p>")
    soup = BeautifulSoup(clean, "html.parser")
    assert not soup.find_all(ACTIVE)
    assert not soup.find_all(onerror=True)
    assert "after" in soup.text
    # Cleaning what is clean changes nothing: no text turns into a tag on a second reading.
    assert pages.sanitise(clean) == clean


@pytest.mark.parametrize(
    "html",
    [
        "<script>swallow",
        "<textarea><p>x",
        "<title>",
        "<!-- ",
        "<plaintext>",
        "<math><mi><style><img src=x onerror=x()>",
        "<svg></p><style><a id='</style><img src=1 onerror=x()>'>",
        "<noscript><p title='</noscript><img src=x onerror=x()>'>",
        "<a href='java\nscript:x()'>a</a>",
        "<a href='data:text/html,<script>x()</script>'>a</a>",
        "<img src='x' onerror='x()' style='position:fixed'>",
        "<div id=content class=x onclick=x()>t</div>",
    ],
)
def test_sanitising_survives_broken_and_tricky_markup(html):
    clean = pages.sanitise(html)
    soup = BeautifulSoup(clean, "html.parser")
    assert not soup.find_all([*ACTIVE, "style", "math", "title", "textarea", "noscript"])
    for tag in soup.find_all(True):
        assert not any(name.startswith("on") or name in {"style", "id"} for name in tag.attrs)
        assert "script:" not in tag.get("href", "")


def test_settings_and_titles_are_legible(tmp_path):
    injected = new_code_cell(
        "# Parameters\ninput_file = 'a\u202eb\\x1b[31m.csv'",
        metadata={"tags": ["injected-parameters"]},
    )
    declared = new_code_cell('input_file: str = ""', metadata={"tags": ["parameters"]})
    page = render_cells(tmp_path, declared, injected, dataset_title="shop\u2066\u2069")
    assert not re.search("[\x1b\u202e\u2066\u2069]", str(page))
    assert "a b [31m.csv" in page.text

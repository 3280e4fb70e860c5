"""The pages in a real browser: nothing requested, nothing run, accessible, fitting, printable."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python import sync_playwright as axe
from conftest import SHOP
from fitted import fit_model, shop_table
from machine import chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import sync_playwright
from sample_run import context, report, run, write_results
from sample_runs import two_runs
from test_notebook_page import notebook

from customer_tables.storage import write_json
from customer_tables.table import read_table
from runner import notebook_page, start_page
from runner.comparison_page import write_comparison
from scoring.drift_page import drift_files
from segmentation.campaigns import control_share_needed, detectable_uplift
from segmentation.cleaning import select_columns
from segmentation.dataset import build_dataset, load_dataset
from segmentation.drift import compare_scored
from segmentation.migration import follow_customers
from segmentation.presentation import html_table
from segmentation.scoring import score_customers

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
A4_WIDTH, A4_HEIGHT = 680, 995  # what the margins leave of a page, in CSS pixels
SHOP_DATASET = build_dataset(
    {
        **SHOP,
        "features": [
            *SHOP["features"][:2],
            {"name": "online", "formula": "online", "kind": "share", "transform": "yeo-johnson"},
            {"name": "regular", "formula": "max(visits >= 4, member) + min(visits, 9)"},
        ],
    },
    Path("shop/dataset.toml"),
)
PAGES = ("start", "notebook", "comparison", "drift")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


def write_pages(folder: Path) -> dict[str, Path]:
    """Write one page of each kind, with every notice that it can carry."""
    notices = {"quick": True, "generated": True, "k_set_by_hand": True}
    write_results(folder, report() | notices | {"model": "model.json"})
    write_json(folder / "model.json", fit_model(SHOP_DATASET, shop_table(400), 3))
    start = start_page.render_index(folder, run=run())
    executed = folder / "notebooks" / "04_kmeans.ipynb"
    nbformat.write(notebook(), executed)
    page = executed.with_suffix(".html")
    about = context(quick=True, up_to_date=False)
    notebook_page.render_notebook(executed, page, context=about)
    compared = write_comparison(*two_runs(folder / "runs"))
    drifted = folder / "drift.html"
    drifted.write_text(drift_page(), encoding="utf-8")
    return dict(zip(PAGES, (start, page, compared, drifted), strict=True))


def drift_page() -> str:
    """Render the page about a period in which balances doubled."""
    known = load_dataset("credit_card")
    table = read_table(known.source_path).table.head(1200)
    model = fit_model(known, table, 6, "High spenders of kind")
    dearer = table.tail(900).assign(BALANCE=lambda t: t["BALANCE"] * 2)
    labels = {entry["segment"]: entry["name"] for entry in model["segments"]}
    before, now = (score_customers(model, part) for part in (table, dearer))
    lists = [scored.assigned["segment"].map(labels) for scored in (before, now)]
    followed = follow_customers(*lists, list(labels.values()))
    return drift_files(model, compare_scored(model, now), followed, "march")["index.html"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("plain"))


@contextmanager
def opened(browser, path: Path, width: int = 1280, scheme: str = "light", beside: tuple = ()):
    """Open a page in a window of its own; it may ask for nothing else, and say nothing."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, requests, said = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append("dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    yield page
    # Embedded pictures are inside the file.
    allowed = ("data:", path.as_uri(), *beside)
    assert [url for url in requests if not url.startswith(allowed)] == said == []
    context.close()


UNFOLD = "document.querySelectorAll('details').forEach(d => d.open = true)"
# What sticks out of the window and does not scroll in its own box.
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const inside = e => e.closest('.scroll, figure > a, .hidden, .skip, svg svg, g');
  const out = [...document.body.querySelectorAll('*')]
    .filter(e => !inside(e) && e.getClientRects().length)
    .filter(e => e.getBoundingClientRect().right > width + 1)
    .map(e => e.outerHTML.slice(0, 120));
  if (document.documentElement.scrollWidth > width) out.push('the document');
  return out;
}"""
CLIPPED = """() => [...document.querySelectorAll('table, img, pre, svg, .card, p, li, dd')]
  .filter(e => e.getClientRects().length && !e.closest('svg svg'))
  .filter(e => e.getBoundingClientRect().right > document.body.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 120))"""
# How far each table is wider than its region.
OVERHANG = """() => [...document.querySelectorAll('.scroll.table')]
  .map(e => e.scrollWidth - e.clientWidth)"""
HEIGHTS = "[...document.querySelectorAll('.card')].map(c => c.getBoundingClientRect().height)"
# The shadows beside wide tables are gradients, on which axe does not judge a contrast.
PLAIN = "document.querySelectorAll('.scroll').forEach(e => e.style.background = 'none')"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400)])
def test_a_page_is_quiet_fits_the_window_and_is_accessible(browser, plain, name, scheme, width):
    with opened(browser, plain[name], width, scheme) as page:
        page.evaluate(UNFOLD)
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        page.evaluate(PLAIN)
        results = axe.Axe().run(page, options={"runOnly": RULES}).response
        assert results["passes"], "axe did not run"
        assert [
            (found["id"], [node["html"][:200] for node in found["nodes"]])
            for found in results["violations"]
        ] == []
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(21, 23, 27)" if scheme == "dark" else "rgb(255, 255, 255)")
        if name == "start":
            figure = "getComputedStyle(document.querySelector('figure img')).backgroundColor"
            assert page.evaluate(figure) == "rgb(255, 255, 255)"


def tables_notebook():
    """A notebook of wide and long tables, the longest with prose that belongs to its code."""
    names = pd.Index(
        ["Minimum-payment shoppers", "Purchase-and-cash revolvers"] * 4, name="segment"
    )
    months = [f"share of months with purchases {n}" for n in range(6)]
    scan = pd.DataFrame(0.25, index=pd.RangeIndex(2, 13, name="k"), columns=range(20))
    tables = {
        "Many columns": scan.add_prefix("calinski_harabasz_"),
        "Long headings": pd.DataFrame(12345.6, index=names, columns=months),
        "Sentences": pd.DataFrame({"what": names, "why": ["because it is so " * 9] * 8}),
        "Long": pd.DataFrame({"n": 1.5}, index=[f"feature {n}" for n in range(40)]),
    }
    shown = [new_output("display_data", {"text/html": html_table(t, c)}) for c, t in tables.items()]
    cells = [
        new_markdown_cell("# Tables\n\nHow wide are they?"),
        new_code_cell("import pandas"),
        new_markdown_cell("## Wide\n\nThey fit."),
        new_code_cell("wide = 1", outputs=shown),
        new_markdown_cell("Prepared for what follows."),
        new_code_cell("long = 2"),
        new_markdown_cell("## Outputs\n\nNothing is shown."),
        new_code_cell("save = 3"),
    ]
    return new_notebook(cells=cells)


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    executed = tmp_path_factory.mktemp("tables") / "04_kmeans.ipynb"
    nbformat.write(tables_notebook(), executed)
    notebook_page.render_notebook(executed, executed.with_suffix(".html"), context=context())
    return executed.with_suffix(".html")


def test_tables_fit_their_column_and_keep_the_row_header_in_view_on_a_phone(browser, tabled):
    with opened(browser, tabled) as page:
        page.evaluate(UNFOLD)
        assert page.evaluate(OVERHANG) == [0, 0, 0, 0]
    with opened(browser, tabled, width=400) as page:
        region = page.get_by_role("region", name="Table: Many columns")
        region.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)  # the region glides
        assert page.evaluate("document.activeElement.scrollLeft") > 100
        header, frame = (e.bounding_box() for e in (region.locator("tbody th").first, region))
        assert header["x"] == pytest.approx(frame["x"], abs=1)
        assert header["width"] < frame["width"] / 2


def test_switches_show_the_code_of_a_section_of_the_page_and_all_rows(browser, tabled):
    def seen(page):
        """The pieces of code in view, the prose that belongs to them, and the rows."""
        code = page.locator("main .highlight:visible").all_inner_texts()
        prose = page.locator(".text.method:visible").all_inner_texts()
        return [text.strip() for text in code], prose, page.locator("tbody tr:visible").count()

    def press(page, switch):
        page.locator(switch).focus()
        page.keyboard.press("Enter")

    whole, wide = "details.whole > summary", ".part:nth-of-type(2) > details > summary"
    rows = 6 + 8 + 8 + 6  # of the first and of the last table only the head
    with opened(browser, tabled) as page:
        assert seen(page) == ([], [], rows)
        press(page, wide)
        assert seen(page) == (["wide = 1", "long = 2"], ["Prepared for what follows."], rows)
        press(page, whole)
        code = ["import pandas", "wide = 1", "long = 2", "save = 3"]
        assert seen(page)[0] == code and "Nothing is shown." in seen(page)[1]
        press(page, wide)
        assert seen(page)[0] == code, "the page's own switch is still on"
        press(page, whole)
        page.get_by_text("All 40 rows").click()
        page.emulate_media(media="print")
        assert seen(page)[0] == [] and seen(page)[2] == 20 + 8 + 8 + 40


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_reaches_the_content_first_and_what_is_folded(browser, plain, name):
    with opened(browser, plain[name]) as page:
        page.keyboard.press("Tab")
        focused = "document.activeElement"
        assert page.evaluate(f"{focused}.className") == "skip"
        assert page.evaluate(f"{focused}.getBoundingClientRect().top") >= 0
        page.keyboard.press("Enter")
        assert page.evaluate(f"{focused}.id") == "content"
        page.locator("main details > summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("main details[open]").count() == 1


@pytest.mark.parametrize(("name", "most"), list(zip(PAGES, (8, 3, 6, 6), strict=True)))
def test_printing_takes_few_pages_and_clips_nothing(browser, plain, name, most):
    with opened(browser, plain[name], width=A4_WIDTH) as page:
        for paper in ("A4", "Letter"):
            pdf = page.pdf(format=paper)
            assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= most
        page.emulate_media(media="print")
        assert page.evaluate(CLIPPED) == []
        heights = page.evaluate(HEIGHTS)
        assert all(height < A4_HEIGHT / 2 for height in heights), "two cards fit on a page"


# --- what the script of the start page does -------------------------------------------------------

FIND = """(customers) => customers.map((customer) => {
  const fields = [...document.querySelectorAll('#finder [data-column]')];
  for (const field of fields) field.value = customer[field.dataset.column] ?? '';
  fields[0].dispatchEvent(new Event('input'));
  return document.querySelector('#finder output').textContent;
})"""


@pytest.mark.parametrize("kind", ["shop", "cards"])
def test_the_search_for_one_customer_agrees_with_scoring(browser, tmp_path, holders, kind):
    if kind == "cards":
        known, model = load_dataset("credit_card"), holders.model
        table = holders.table.sample(200, random_state=4)
        numbers = table.columns.drop("CUST_ID")
        gaps = np.random.default_rng(1).uniform(size=(len(table), len(numbers))) < 0.1
        table[numbers] = table[numbers].astype(float).mask(gaps)
        table = table[table[numbers].notna().any(axis=1)]
    else:
        known, model, table = SHOP_DATASET, fit_model(SHOP_DATASET, shop_table(400), 3), None
        table = shop_table(200)
    scored = score_customers(model, table)
    write_results(tmp_path, report() | {"model": "model.json"})
    write_json(tmp_path / "model.json", model)
    selected = select_columns(table, known).customers.set_index(known.id.name)
    customers = json.loads(selected.loc[scored.assigned.index].to_json(orient="records"))
    with opened(browser, start_page.render_index(tmp_path, run=run())) as page:
        assert page.locator("#finder summary").is_visible()
        found = page.evaluate(FIND, customers)
    names = {entry["segment"]: entry["name"] for entry in model["segments"]}
    for text, (_, row) in zip(found, scored.assigned.iterrows(), strict=True):
        pattern = r"(.+), confidence ([\d.]+); second-nearest: (.+?)\.( Outlier.*)?"
        first, confidence, second, outlier = re.fullmatch(pattern, text).groups()
        assert (first, second) == (row["segment_name"], names[row["second_choice"]])
        assert float(confidence) == pytest.approx(row["confidence"], abs=0.0051)
        assert bool(outlier) == row["outlier"]


def test_a_private_model_is_not_in_the_page(browser, tmp_path):
    write_results(tmp_path, report() | {"model": ""})
    write_json(tmp_path / "model.json", fit_model(SHOP_DATASET, shop_table(400), 3))
    path = start_page.render_index(tmp_path, run=run())
    assert "centres" not in path.read_text("utf-8").split("</main>")[1].split("<script>")[0]
    with opened(browser, path) as page:
        assert page.locator("#finder").count() == 0


@pytest.mark.parametrize(
    ("response", "uplift", "share"), [(5, 2, 10), (1, 0.6, 50), (20, 8, 33.3), (40, 60, 5)]
)
def test_other_assumptions_are_computed_as_in_the_notebook(browser, plain, response, uplift, share):
    with opened(browser, plain["start"]) as page:
        fields = page.locator("#assumptions input").all()
        for field, value in zip(fields, (response, uplift, share, 30), strict=True):
            field.fill(f"{value}")
        row = page.locator("#whatif tbody tr").first
        cells = row.locator("[data-out]").all()
        shown = {cell.get_attribute("data-out"): cell.text_content() for cell in cells}
        customers = int(row.get_attribute("data-customers"))
        drawn = int(row.get_attribute("data-control"))
    control = drawn if share == 10 else round(customers * share / 100)
    visible = detectable_uplift(response / 100, control, customers - control)
    needed = control_share_needed(customers, response / 100, uplift / 100)
    assert shown["visible"] == f"{100 * visible:.1f}"
    assert shown["shows"] == ("yes" if visible <= uplift / 100 else "no")
    assert shown["needed"] == (f"{100 * needed:.0f}%" if needed == needed else "none is enough")
    added = (customers - control) * uplift / 100
    for name, amount in (("added", added), ("value", 30 * added)):  # halves may go either way
        assert abs(float(shown[name].replace(",", "")) - amount) <= 0.5


def test_two_segments_are_compared_where_they_differ_most(browser, plain):
    with opened(browser, plain["start"]) as page:
        first, second = page.locator("#compare select").all()
        first.select_option("1")
        assert page.locator("#profile thead th:visible").count() == 6, "one is no comparison"
        second.select_option("2")
        assert page.locator("#profile thead th:visible").count() == 6
        rows = page.locator("#profile tbody tr").all()
        cells = [row.locator(":is(th, td):visible").all_inner_texts() for row in rows]
        assert [[text.strip() for text in row] for row in cells] == [
            ["Cash advances average", "$500", "$2,000", "−2.1", "$980", "66%"],
            ["Balance median", "$3,400", "$900", "+1.1", "$1,500", "33%"],
        ]
        first.select_option("")
        assert page.locator("#profile .difference:visible").count() == 0


def test_a_rule_is_copied_and_a_term_unfolds_the_glossary(browser, plain):
    with opened(browser, plain["start"]) as page:
        page.locator("button.copy").first.click()
        page.locator("button.copy", has_text="Copied").wait_for()
        page.locator("#segment-1 a[href='#term-jaccard-similarity']").click()
        assert page.locator("#term-jaccard-similarity").is_visible()


def test_without_a_script_the_page_is_whole(browser, plain):
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    page.goto(plain["start"].as_uri() + "#term-jaccard-similarity")
    assert page.locator(".scripted:visible, button:visible, input:visible").count() == 0
    assert page.locator("#profile thead th:visible").count() == 6
    assert page.locator("#whatif tbody td:visible").count() == 12
    assert page.locator("#term-jaccard-similarity").is_visible()
    context.close()


def test_who_worth_what_to_do_and_how_sure_stand_on_the_first_screens(browser, card_run):
    with opened(browser, card_run.results / "index.html") as page:
        bottom = "document.querySelector('.actions table').getBoundingClientRect().bottom"
        assert page.evaluate(f"{bottom} + scrollY") < 1480
        assert page.evaluate("document.documentElement.scrollHeight") < 7_500
        for paper, most in (("A4", 8), ("Letter", 10)):  # 8 with fonts as narrow as Arial
            assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) <= most
    with opened(browser, card_run.results / "index.html", width=400) as page:
        assert page.evaluate(TOO_WIDE) == []
        legend, glyph = (page.locator(f"{place} >> nth=0") for place in (".legend", ".mosaic svg"))
        assert legend.bounding_box()["y"] < glyph.bounding_box()["y"]

"""The pages in a real browser: nothing requested, nothing run, accessible, fitting, printable."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python import sync_playwright as axe
from fitted import fit_model
from machine import chromium
from playwright.sync_api import sync_playwright
from sample_run import ACTIVE as INERT
from sample_run import HOSTILE, context, poisoned, report, run, write_results
from sample_runs import two_runs
from test_notebook_page import hostile_notebook, notebook

from customer_tables.table import read_table
from runner import notebook_page, start_page
from runner.comparison_page import write_comparison
from scoring.drift_page import drift_files
from segmentation.dataset import load_dataset
from segmentation.drift import compare_scored
from segmentation.migration import follow_customers
from segmentation.scoring import score_customers

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
A4_WIDTH, A4_HEIGHT = 680, 995  # what the margins leave of a page, in CSS pixels
PAGES = ("start", "notebook", "comparison", "drift")
ACTIVE = f"{', '.join(INERT)}, meta[http-equiv=refresh]"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


def write_pages(folder: Path, hostile: bool) -> dict[str, Path]:
    """Write one page of each kind, with every notice that it can carry."""
    spoilt = poisoned if hostile else lambda content: content
    notices = {"quick": True, "generated": True, "k_set_by_hand": True}
    write_results(folder, spoilt(report() | notices))
    start = start_page.render_index(folder, run=spoilt(run()))
    executed = folder / "notebooks" / "04_kmeans.ipynb"
    nbformat.write(hostile_notebook() if hostile else notebook(), executed)
    page = executed.with_suffix(".html")
    about = spoilt(context(quick=True, up_to_date=False))
    notebook_page.render_notebook(executed, page, context=about)
    compared = write_comparison(*two_runs(folder / "runs", hostile))
    drifted = folder / "drift.html"
    drifted.write_text(drift_page(" ".join(HOSTILE) if hostile else ""), encoding="utf-8")
    return dict(zip(PAGES, (start, page, compared, drifted), strict=True))


def drift_page(added: str) -> str:
    """Render the page about a period in which balances doubled."""
    known = load_dataset("credit_card")
    table = read_table(known.source_path).table.head(1200)
    model = fit_model(known, table, 6, "High spenders of kind")
    dearer = table.tail(900).assign(BALANCE=lambda t: t["BALANCE"] * 2)
    entries = [entry | {"name": f"{entry['name']}{added}"} for entry in model["segments"]]
    labels = {entry["segment"]: entry["name"] for entry in entries}
    named = model | {"segments": entries}
    before, now = (score_customers(named, part) for part in (table, dearer))
    lists = [scored.assigned["segment"].map(labels) for scored in (before, now)]
    followed = follow_customers(*lists, list(labels.values()))
    return drift_files(named, compare_scored(named, now), followed, f"march {added}")["index.html"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("plain"), hostile=False)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("hostile"), hostile=True)


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
  const inside = e => e.closest('.scroll, .hidden, .skip, svg svg, g');
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


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("policy", ["kept", "stripped"])
def test_hostile_names_do_nothing(browser, hostile, tmp_path, name, policy):
    path = hostile[name]
    if policy == "stripped":
        # What an old browser, or a tool that rewrites pages, leaves of the second line of defence.
        html, removed = re.subn(
            r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text("utf-8")
        )
        assert removed == 1
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
    with opened(browser, path, width=400) as page:
        page.evaluate(UNFOLD)
        page.wait_for_timeout(200)
        assert page.title() != "run"
        assert page.url == path.as_uri()
        assert page.locator(ACTIVE).count() == 0
        assert page.evaluate(TOO_WIDE) == []
        assert HOSTILE[0] in page.inner_text("body")


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_reaches_the_content_first_and_what_is_folded(browser, plain, name):
    with opened(browser, plain[name]) as page:
        page.keyboard.press("Tab")
        focused = "document.activeElement"
        assert page.evaluate(f"{focused}.className") == "skip"
        assert page.evaluate(f"{focused}.getBoundingClientRect().top") >= 0
        page.keyboard.press("Enter")
        assert page.evaluate(f"{focused}.id") == "content"
        if name != "drift":
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

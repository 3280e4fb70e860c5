"""The pages in a real browser: nothing requested, nothing run, accessible, fitting, printable."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python import sync_playwright as axe
from fitted import fit_model
from machine import chromium
from playwright.sync_api import sync_playwright
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
ACTIVE = "script, iframe, object, embed, form, input, base, link, meta[http-equiv=refresh]"


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


class Visit:
    """A page opened in a window of its own, with everything it asked for and said."""

    def __init__(self, browser, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        self.page.goto(path.as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def unfold(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    def asked_for(self) -> list[str]:
        """Return the requests that left the file: embedded pictures are inside it."""
        return [url for url in self.requests if not url.startswith("data:")]

    def too_wide(self) -> list[str]:
        """Return the elements that stick out of the window and do not scroll in their own box."""
        return self.page.evaluate(
            """() => {
              const width = document.documentElement.clientWidth;
              const inside = e => e.closest('.scroll, .hidden, .skip, svg svg, g');
              const out = [...document.body.querySelectorAll('*')]
                .filter(e => !inside(e) && e.getClientRects().length)
                .filter(e => e.getBoundingClientRect().right > width + 1)
                .map(e => e.outerHTML.slice(0, 120));
              if (document.documentElement.scrollWidth > width) out.push('the document');
              return out;
            }"""
        )


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_is_quiet_and_fits_the_window(browser, plain, name, width):
    with Visit(browser, plain[name], width=width) as visit:
        visit.unfold()
        assert visit.asked_for() == [plain[name].as_uri()]
        assert visit.said == []
        assert visit.too_wide() == []
        assert visit.page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")


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
    with Visit(browser, path, width=400) as visit:
        visit.unfold()
        visit.page.wait_for_timeout(200)
        assert visit.page.title() != "run"
        assert visit.page.url == path.as_uri()
        assert visit.asked_for() == [path.as_uri()]
        assert visit.said == []
        assert visit.page.locator(ACTIVE).count() == 0
        assert visit.too_wide() == []
        assert HOSTILE[0] in visit.page.inner_text("body")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400)])
def test_a_page_is_accessible(browser, plain, name, scheme, width):
    with Visit(browser, plain[name], width=width, scheme=scheme) as visit:
        visit.unfold()
        # The shadows beside wide tables are gradients, on which axe does not judge a contrast.
        visit.page.evaluate(
            "document.querySelectorAll('.scroll').forEach(e => e.style.background = 'none')"
        )
        results = axe.Axe().run(visit.page, options={"runOnly": RULES}).response
        assert results["passes"], "axe did not run"
        assert [
            (found["id"], [node["html"][:200] for node in found["nodes"]])
            for found in results["violations"]
        ] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_reaches_the_content_first_and_what_is_folded(browser, plain, name):
    with Visit(browser, plain[name]) as visit:
        visit.page.keyboard.press("Tab")
        focused = "document.activeElement"
        assert visit.page.evaluate(f"{focused}.className") == "skip"
        assert visit.page.evaluate(f"{focused}.getBoundingClientRect().top") >= 0
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate(f"{focused}.id") == "content"
        if name != "drift":
            visit.page.locator("main details > summary").first.focus()
            visit.page.keyboard.press("Enter")
            assert visit.page.locator("main details[open]").count() == 1


def test_dark_mode_turns_the_paper_dark_and_leaves_figures_white(browser, plain):
    with Visit(browser, plain["start"], scheme="dark") as visit:
        paper = "getComputedStyle(document.body).backgroundColor"
        assert visit.page.evaluate(paper) == "rgb(21, 23, 27)"
        figure = "getComputedStyle(document.querySelector('figure img')).backgroundColor"
        assert visit.page.evaluate(figure) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize(("name", "most"), [("start", 8), ("notebook", 3), ("comparison", 6)])
def test_printing_takes_few_pages(browser, plain, paper, name, most):
    with Visit(browser, plain[name]) as visit:
        pdf = visit.page.pdf(format=paper)
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= most


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_clipped_on_paper(browser, plain, name):
    with Visit(browser, plain[name], width=A4_WIDTH) as visit:
        visit.page.emulate_media(media="print")
        wide = visit.page.evaluate(
            """() => [...document.querySelectorAll('table, img, pre, svg, .card, p, li, dd')]
                .filter(e => e.getClientRects().length && !e.closest('svg svg'))
                .filter(e => e.getBoundingClientRect().right > document.body.clientWidth + 1)
                .map(e => e.outerHTML.slice(0, 120))"""
        )
        assert wide == []
        cards = visit.page.evaluate(
            "[...document.querySelectorAll('.card')].map(c => c.getBoundingClientRect().height)"
        )
        assert all(height < A4_HEIGHT / 2 for height in cards), "two cards fit on a page"

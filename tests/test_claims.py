"""Every page is read: each claim on it is tied to a condition that was evaluated in the run."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from test_notebooks_run import TWO_FEATURES, run_in_process, small_table

from runner import pages, start_page
from segmentation import drift, workspace
from segmentation.claims import Claim, claim, claims_of, restored, together
from segmentation.dataset import DATA_FOLDER

# Where the start page claims something, and what its template may put before that.
REGIONS = (
    ".notices li, .answer .sentences p, .actions th .name a, .gist, .actions .limited, .card h3,"
    ' .actions td[data-label="Detectable uplift"], .traits .label, .evidence, .why p.note,'
    " .sure .word, .sure .leaning, p.part, .control p.shown, .decision .decided p,"
    " .verdict .scale .chosen, .verdict li:not(.scale li), .verdict .decided p"
)
LEADS = ("Why this name: ",)
# Words that judge: in what a template types beside its regions, each would be a claim of its own.
JUDGING = (
    r"(?:best|worst|better|worse|strong\w*|weak\w*|good|poor|excellent|valuable|loyal|important|"
    r"reliabl[ey]|stable|robust|natural|clearly|significant\w*|surpris\w+|remarkabl[ey]|most|"
    r"few|rarely|often|usually)"
)
NUMBER = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?")
YEARS = re.compile(r"(?:[A-Z][\wé]+(?: &| et al\.| and)? )+\d{4}")  # of sources


# --- one claim ------------------------------------------------------------------------------------


def holds(entry: dict[str, Any]) -> bool:
    """Evaluate a condition from what was saved of it, by Python's own rules."""
    values = {name: math.nan if v is None else v for name, v in entry["values"].items()}
    text, names = entry["condition"], sorted(values, key=len, reverse=True)
    for place, name in enumerate(names):
        text = re.sub(rf"(?<![\w@]){re.escape(name)}(?!\w)", f"@{place}@", text)
    text = re.sub(r"@(\d+)@", r"v[\1]", text)
    known = {"v": [values[name] for name in names], "abs": abs, "max": max, "min": min}
    return bool(eval(text, {"__builtins__": {}}, known))


def unknown_numbers(entry: dict[str, Any], names: list[str]) -> list[str]:
    """List the numbers of a text that are neither its values, as rounded there, nor constants.

    A constant such as 1.2 may be written as 20%; an R² below 0 is written as 0%.
    """
    text = YEARS.sub("", entry["text"])
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    constants = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", entry["condition"])]
    found = [value for value in entry["values"].values() if value is not None]
    exact = [*found, *constants, *(constant - 1 for constant in constants), 0.0, 0.95]
    return [written for written in NUMBER.findall(text) if not _is_one_of(written, exact)]


def _is_one_of(written: str, exact: list[float]) -> bool:
    plain = written.replace(",", "").replace("−", "-")
    decimals = len(plain.partition(".")[2])
    rounding = 0.501 * 10**-decimals
    scales = (1, 100, -1, -100)
    return any(abs(scale * value - float(plain)) <= rounding for value in exact for scale in scales)


# --- one page -------------------------------------------------------------------------------------


def claims_in(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the claims of a page that were saved with the run."""
    if isinstance(content, dict):
        yield from content.get("claims") or ()
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from claims_in(part)


def plain(text: str) -> str:
    """Return a text as it is compared: a page may write a capital, or leave out the full stop."""
    return " ".join(text.split()).rstrip(".").lower()


def covered(text: str, known: set[str]) -> bool:
    """Whether a text is one claim, or several one after the other."""
    parts = re.split(r"(?<=[.:]) ", text)
    joins = (" ".join(parts[:n]) for n in range(len(parts), 0, -1))
    return any(
        plain(head) in known and (n == 0 or covered(" ".join(parts[-n:]), known))
        for n, head in enumerate(joins)
    )


def faults(page: BeautifulSoup, content: dict[str, Any], quoted: list[str]) -> list[str]:
    """List what a page says without a condition that holds on its own numbers.

    ``quoted`` are the texts about the source of the data that the dataset's description has.
    """
    claims = [*claims_of(content), *claims_in(content)]
    known = {plain(entry["text"]) for entry in claims} | {plain(text) for text in quoted}
    names = [segment["name"] for segment in content["report"]["segments"]]
    names += [part["label"] for part in content["report"].get("importance", ())]
    wrong = [f"does not hold: {entry}" for entry in claims if not holds(entry)]
    wrong += [
        f"number {written} is unknown: {entry}"
        for entry in claims
        for written in unknown_numbers(entry, names)
    ]
    regions = page.select(REGIONS)
    for region in regions:
        for hidden in region.select(".hidden"):
            hidden.extract()
        text = " ".join(region.text.split())
        for lead in LEADS:
            text = text.removeprefix(lead)
        if re.search(r"\w", text) and not covered(text, known):
            wrong.append(f"no claim: {text}")
    return wrong


# --- runs of tables of several shapes -------------------------------------------------------------


class Page:
    """The start page of a run, what it was made from, and the texts that the notebooks showed."""

    def __init__(self, results: Path, said: list[tuple[str, dict[str, Any]]]) -> None:
        manifest = results / "manifest.json"
        self.run = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else {}
        self.results, self.said = results, said

    def read(self) -> tuple[BeautifulSoup, dict[str, Any]]:
        path = start_page.render_index(self.results, run=self.run)
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        return page, start_page.content(self.results, self.run)


def natural(folder: Path, cards: Path) -> dict[str, Any]:
    """Three groups that stand apart, and no measure of value."""
    small_table().to_csv(folder / "table.csv", index=False)
    (folder / "dataset.toml").write_text(TWO_FEATURES, encoding="utf-8")
    return {"dataset": folder, "numbers": ("01", "02", "03", "04", "06", "07", "08")}


def by_hand(folder: Path, cards: Path) -> dict[str, Any]:
    """Kinds of customers that are known, and a number of segments set by hand."""
    return {"dataset": cards, "k": 5, "numbers": ("01", "03", "04", "06", "09")}


def of_age(folder: Path, cards: Path) -> dict[str, Any]:
    """The mall's visitors, segmented by age as well."""
    return {"dataset": "mall", "segment_on": "age, income, score"}


def transactions(folder: Path, cards: Path) -> dict[str, Any]:
    """Households and their transaction lines."""
    return {"dataset": "retail"}


SHAPES = {made.__name__: made for made in (natural, by_hand, of_age, transactions)}


@pytest.fixture(scope="module", params=["cardholders", *SHAPES])
def page(request, card_run, tmp_path_factory) -> Page:
    if request.param == "cardholders":
        results = tmp_path_factory.mktemp("cards") / "results"
        return Page(Path(shutil.copytree(card_run.results, results)), [])
    folder, said = tmp_path_factory.mktemp(request.param), []
    given = {"numbers": ("01", "03", "04", "06"), **SHAPES[request.param](folder, card_run.dataset)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "FIGURE_DPI", 36)
        patch.setattr(workspace, "display", lambda *things, **settings: None)
        patch.setattr(
            workspace.Workspace,
            "say",
            lambda ws, template, **values: said.append((template, values)),
        )
        run_in_process(folder / "results", **given)
    return Page(folder / "results", said)


def quoted_by(report: dict[str, Any]) -> list[str]:
    """Return what a dataset's description says, and which features its user asked for."""
    texts = [path.read_text("utf-8") for path in DATA_FOLDER.glob("*/dataset.toml")]
    texts += [
        f"The features that segment were chosen for this run (segment_on): {', '.join(labels)}."
        for labels in permutations(row["label"] for row in report["profile"][:4])
    ]
    return [text for text in report["limits"] if any(text in known for known in texts)]


def test_every_claim_of_the_start_page_holds_in_its_run(page):
    parsed, content = page.read()
    assert faults(parsed, content, quoted_by(content["report"])) == []
    assert len(list(claims_in(content))) > 20


def test_every_sentence_that_code_hands_to_a_notebook_is_a_claim(page):
    definitions = [*drift.RULES, *quoted_by(page.read()[1]["report"])]
    texts = [
        (template, value)
        for template, values in page.said
        for value in values.values()
        if isinstance(value, str) and value.endswith(".") and len(value.split()) > 3
        if value not in definitions
    ]
    assert [(template, text) for template, text in texts if not isinstance(text, Claim)] == []
    assert all(holds(entry) for entry in claims_of([text for _, text in texts]))


# --- planted faults -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cards(card_run) -> tuple[str, dict[str, Any]]:
    run = json.loads((card_run.results / "manifest.json").read_text(encoding="utf-8"))
    content = start_page.content(card_run.results, run)
    return (card_run.results / "index.html").read_text(encoding="utf-8"), content


@pytest.mark.parametrize(
    ("pattern", "planted"),
    [
        (r'(<div class="sentences">\s*<p>)The ', r"\1The loyal "),
        (r"(contact the clear members first)", r"\1, who respond best"),
        (r"(<p class=\"gist\">)", r"\1They are valuable. "),
        (r"(fits on two samples is )0", r"\g<1>9"),
        (r'(id="segment-1-name">)[^<]+', r"\1Everybody"),
    ],
)
def test_a_typed_word_a_number_or_a_name_of_the_page_without_a_condition_is_found(
    cards, pattern, planted
):
    html, content = cards
    changed, times = re.subn(pattern, planted, html)
    assert times
    found = faults(BeautifulSoup(changed, "html.parser"), content, quoted_by(content["report"]))
    assert [fault for fault in found if fault.startswith("no claim")]


def test_a_value_that_is_changed_after_the_fact_is_found(cards):
    html, content = cards
    seen = 0
    for entry in content["report"]["claims"]:
        for name, value in entry["values"].items():
            before = (holds(entry), unknown_numbers(entry, []))
            changed = entry | {"values": entry["values"] | {name: -10 - 2 * (value or 0)}}
            seen += before != (holds(changed), unknown_numbers(changed, []))
    values = sum(len(entry["values"]) for entry in content["report"]["claims"])
    assert seen > values / 2


def test_templates_type_no_judgement_of_their_own():
    """Whatever stands outside of the regions is a definition, a heading or a number."""
    source = (pages.TEMPLATES / "index.html.j2").read_text(encoding="utf-8")
    literal = "".join(t for _, kind, t in pages.environment().lex(source) if kind == "data")
    text = BeautifulSoup(literal, "html.parser").text
    assert re.findall(rf"\b{JUDGING}\b", text, re.IGNORECASE) == ["most"]  # what stands first


# --- the builder ----------------------------------------------------------------------------------


def test_the_first_text_whose_condition_holds_is_claimed():
    options = ("a > b", "more"), ("a <= b", "not more")
    for a, text in ((2, "more"), (1, "not more"), (math.nan, ""), (None, "")):
        made = claim({"a": a, "b": 1}, *options)
        assert made == text and bool(made.condition) == bool(text)
    both = together("more, and more", [claim({"a": 2, "b": 1}, *options), claim({})])
    assert (both.condition, both.values) == ("(a > b)", {"a": 2.0, "b": 1.0})
    saved = {"text": str(both), "claims": claims_of({"x": [both], "y": both, "n": pd.NA})}
    assert len(saved["claims"]) == 1 and holds(saved["claims"][0])
    again = restored(saved["text"], saved)
    assert (again, again.condition, again.values) == (both, both.condition, both.values)

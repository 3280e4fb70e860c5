"""Every page is read: each claim on it is tied to a condition that was evaluated in the run."""

from __future__ import annotations

import json
import math
import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from IPython.display import HTML, Markdown
from sample_runs import NAMES, labels, write_run
from test_notebooks_run import TWO_FEATURES, run_in_process, small_table

from runner import pages, start_page
from runner.comparison import compare, read_run
from runner.comparison_page import METRICS, write_comparison
from runner.conclusions import conclude, headline, shifts
from segmentation import drift, summary
from segmentation.claims import (
    AGREEMENT_CUTS,
    Claim,
    claim,
    claims_of,
    most,
    restored,
    stated,
    together,
)
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.stages import STAGES

# Where a page writes; what defines (the glossary) or records (settings, versions) is no claim.
BLOCKS = (
    "p, li, td, th, dt, dd, h1, h2, h3, h4, caption, summary, figcaption, label, option, .label, "
    ".amount"
)
RECORDS = "script, style, svg, .glossary, .provenance"
# What a sentence says only under a condition; some of these words also define.
CLAIMING = (
    r"(?:best|worst|better|worse|most|least|more|less|few|fewer|fewest|many|much|only|rarely|often|"
    r"usually|mainly|mostly|strong\w*|weak\w*|good|poor|excellent|moderate|reasonable|valuable|"
    r"loyal|important|reliabl[ey]|(?:un)?stable|robust|natural|reproducible|constructed|"
    r"clear(?:ly|er|est)?|significant\w*|surpris\w+|remarkabl[ey]|high(?:er|est|ly)?|"
    r"low(?:er|est)?|"
    r"larg(?:e|er|est)|small(?:er|est)?|big(?:ger|gest)?|short(?:er|est)|long(?:er|est)|"
    r"close(?:ly|r|st)?|similar|different|worth|no|none|nothing|never|always|every)"
)
DEFINING = (
    r"at (?:least|most)|(?:more|less|fewer|smaller|larger) than|most distant|clear members|"
    r"yes/no|how (?:far|often|much|many)|as (?:many|much|often)|largest cluster"
)
CONSTANT = (
    r"(?i)notebooks? 0\d|seed \d+|(?<!\d)\.8\b|\bPC\d|\b(?:1|5|25|75|80|90|95|99)(?:%|th)|"
    r"99\.9%|\d{4}-\d\d-\d\d|R²|below zero|of each \d|\d[\d.]*\d\.\d+"  # the last: versions
)
# Words of cells that say what a column or a method is; other words there are claims or data.
CELLS = (
    r"segment|describe|left out|under|none|nothing|yes|no|to|and|or|in|of|over|up|e|k|points?|"
    r"years?|months?|keep|watch|rebuild"
)
# Words that judge: in what a template types beside its regions, each would be a claim of its own.
JUDGING = (
    r"(?:best|worst|better|worse|strong\w*|weak\w*|good|poor|excellent|valuable|loyal|important|"
    r"reliabl[ey]|stable|robust|natural|clearly|significant\w*|surpris\w+|remarkabl[ey]|most|"
    r"few|rarely|often|usually)"
)
# How captions and headings name what is drawn or counted.
NAMING = (
    r"(?:its )?best match|the worst (?:of the )?initialisations?|worst initialisation|"
    r"(?:above|near) the best|most frequent|most distant|group \d|1\.5 interquartile|\bat [01]\b|"
    r"\b[01] is\b"
)
# What a rule says does not depend on the run.
LIMITS = {"tolerance": summary.TOLERANCE, "gap": summary.NATURAL_VALLEY}
RULES = summary.METHODS.replace("\n|", " |").strip().split("\n\n")
DEFINITIONS = {*drift.RULES} | {
    " ".join(cell.split()).format_map(LIMITS)
    for row in RULES
    for cell in row.split(" | ")[1:]
    if not re.search(r"\{(?!tolerance|gap)", cell)
}
NUMBER = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?")
WORD = re.compile(r"[^\W\d_]+")
YEARS = re.compile(r"(?:[A-Z][\wé]+(?: &| et al\.| and)? )+\d{4}")  # of sources


# --- one claim ------------------------------------------------------------------------------------


def holds(entry: dict[str, Any]) -> bool:
    """Evaluate a condition from what was saved of it, by Python's own rules."""
    values = {name: math.nan if v is None else v for name, v in entry["values"].items()}
    text, names = entry["condition"] or "True", sorted(values, key=len, reverse=True)
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


def typed_words(template: str) -> set[str]:
    """Return the words that templates, and the names of notebooks and verdicts, bring to a page."""
    names = (template, "parts.html.j2", "layout.html.j2")
    sources = [(pages.TEMPLATES / name).read_text(encoding="utf-8") for name in names]
    texts = [
        re.sub(r"<[^>]*>", " ", text)
        for source in sources
        for _, kind, text in pages.environment().lex(source)
        if kind in ("data", "string")
    ]
    texts += [
        *start_page.VERDICTS,
        *(stage.title for stage in STAGES.values()),
        "million billion under",
    ]
    return set(WORD.findall(" ".join(texts).lower()))


def faults(
    page: BeautifulSoup,
    content: dict[str, Any],
    words: set[str],
    template: str = "index.html.j2",
) -> list[str]:
    """List what a page says that is no claim which holds, and no word of the data."""
    claims, known = [*claims_of(content), *claims_in(content)], any_of(words)
    wrong = [f"does not hold: {entry}" for entry in claims if not holds(entry)]
    for entry in claims:
        text = re.sub(CONSTANT, " ", known.sub(" ", entry["text"]))
        if unknown := unknown_numbers(entry | {"text": text}, []):
            wrong.append(f"numbers {unknown} are unknown: {entry}")
    tied = any_of(words | {plain(entry["text"]) for entry in claims})
    typed = typed_words(template)
    for hidden in page.select(RECORDS):
        hidden.extract()
    for block in page.select(BLOCKS):
        rest = re.sub(CONSTANT, " ", tied.sub(" ", plain(block.text)))
        new = [word for word in WORD.findall(rest) if word not in typed]
        if new and not block.select_one(BLOCKS):
            wrong.append(f"no claim, {new}: {plain(block.text)}")
    return wrong


# --- what notebooks show --------------------------------------------------------------------------


class Shown(NamedTuple):
    """An output of a notebook: where, what by its type, and the claims that it is made from."""

    where: str
    data: dict[str, Any]
    about: dict[str, Any]


def outputs(results: Path) -> Iterator[Shown]:
    """Yield the outputs of executed notebooks."""
    for path in sorted((results / "notebooks").glob("*.ipynb")):
        for place, cell in enumerate(nbformat.read(path, as_version=4).cells):
            for output in cell.get("outputs", ()):
                yield Shown(f"{path.name[:2]} [{place}]", output.data, output.metadata)


def strings(content: Any) -> Iterator[str]:
    """Yield the texts of a document, names of its entries included."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from content
        yield from strings(list(content.values()))
    elif isinstance(content, list):
        for part in content:
            yield from strings(part)


def vocabulary(results: Path, description: Path) -> set[str]:
    """Return what the data, their description and the segments' claimed names call things."""
    report = json.loads((results / "stages/06_report.json").read_text(encoding="utf-8"))
    customers = pd.read_parquet(results / "stages/01_customers.parquet")
    words = {*strings(tomllib.loads(description.read_text(encoding="utf-8")))}
    words |= {segment["name"] for segment in report["segments"]} | {report["noun"], report["nouns"]}
    words |= {*pd.read_csv(results / "tables/01_columns.csv").astype(str).to_numpy().ravel()}
    for name in customers.select_dtypes(exclude="number"):
        words |= set(customers[name].dropna().astype(str))
    known = load_dataset(str(description))
    words |= {known.title, known.about, *(column.label for column in known.columns)}
    # What was changed in the file, as it was recorded; captions are read with the figures.
    words |= {*strings(json.loads((results / "stages/01_cleaning.json").read_text("utf-8")))}
    for figure in (results / "figures").glob("*.json"):
        words.add(json.loads(figure.read_text(encoding="utf-8"))["caption"])
    return {" ".join(word.split()).rstrip(".") for word in words if WORD.search(word)}


def any_of(words: set[str]) -> re.Pattern[str]:
    """Return what finds one of the words, the longest first."""
    ordered = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(ordered)})(?!\w)", re.IGNORECASE)


def unclaimed(text: str) -> list[str]:
    """List the words of a text that claim something; the words of the data are taken out of it."""
    return re.findall(rf"\b{CLAIMING}\b", re.sub(DEFINING, " ", text), re.IGNORECASE)


def faults_shown(shown: Iterable[Shown], words: set[str]) -> list[str]:
    """List what outputs say that is no claim, no number, no definition and no word of the data."""
    known = any_of(words)
    return [f"{o.where}: {fault}" for o in shown for fault in _faults_of(o.data, o.about, known)]


def _faults_of(
    data: dict[str, Any], about: dict[str, Any], known: re.Pattern[str]
) -> Iterator[str]:
    claims = [entry for entry in about.get("claims", ()) if entry["text"] not in DEFINITIONS]
    said = {plain(entry["text"]) for entry in claims}
    for entry in claims:
        text = re.sub(CONSTANT, " ", known.sub(" ", entry["text"]))
        if not holds(entry):
            yield f"does not hold: {entry}"
        if unknown := unknown_numbers(entry | {"text": text}, []):
            yield f"numbers {unknown} are unknown: {entry}"
        if not entry["condition"] and ((words := unclaimed(text)) or not entry["values"]):
            yield f"no condition for {words}: {entry}"
    caption = about.get("image/png", {}).get("caption", "")
    headings = [(part, part) for part in re.split(r"(?<=\.) ", caption)]
    html = BeautifulSoup(data.get("text/html", ""), "html.parser")
    for part in html.select("th, caption, .numbers a"):
        headings.append((part.text, known.sub(" ", part.text)))
    for heading, rest in headings:
        rest = re.sub(CONSTANT, " ", re.sub(NAMING, " ", rest))
        judges = re.search(rf"\b{JUDGING}\b", rest, re.I) or NUMBER.search(rest)
        is_category = re.fullmatch(r"[\d,.+–-]+", heading.strip())
        if judges and not (is_category or any(plain(heading) in claim for claim in said)):
            yield f"no claim in a heading: {heading}"
    if "text/markdown" in data and not about.get("claims"):
        yield f"no claim: {data['text/markdown']}"
    if "image/png" in data:
        for part in re.split(r"(?<=\.) ", about["image/png"]["alt"]):
            text = re.sub(CONSTANT, " ", part)
            drawn = not (unclaimed(text) or NUMBER.search(text))
            if not (drawn or any(plain(part) in claim for claim in said)):
                yield f"no claim: {part}"
    for cell in html.select("td"):
        text = " ".join(cell.text.split())
        if plain(text) in said or text in DEFINITIONS:
            continue
        rest = re.sub(CONSTANT, " ", known.sub(" ", text))
        rest = re.sub(rf"\b(?:{CELLS})\b", " ", NUMBER.sub(" ", rest))
        if WORD.search(rest):
            yield f"no claim in a cell: {text}"


# --- runs of tables of several shapes -------------------------------------------------------------


class Page:
    """The start page of a run, what it was made from, and what the notebooks showed."""

    def __init__(self, results: Path, description: Path, shown: list[Shown]) -> None:
        manifest = results / "manifest.json"
        self.run = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else {}
        self.results, self.shown = results, shown
        self.known = vocabulary(results, description)

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
    """Kinds of customers that are known; the number of segments, and two as one, by hand."""
    return {"dataset": cards, "k": 5, "join": "2+3", "numbers": ("01", "03", "04", "06", "09")}


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
        shutil.copytree(card_run.results, results)
        return Page(results, card_run.dataset / "dataset.toml", [*outputs(results)])
    folder, shown = tmp_path_factory.mktemp(request.param), []
    given = {"numbers": ("01", "03", "04", "06"), **SHAPES[request.param](folder, card_run.dataset)}

    def display(thing: Any, metadata: Any = None, raw: bool = False) -> None:
        kinds = {Markdown: "text/markdown", HTML: "text/html"}
        data = thing if raw else {kinds[type(thing)]: thing.data}
        shown.append(Shown(f"{request.param} {len(shown)}", data, metadata or {}))

    run_in_process(folder / "results", display=display, **given)
    described = given["dataset"]
    described = DATA_FOLDER / described if isinstance(described, str) else described
    return Page(folder / "results", described / "dataset.toml", shown)


def test_every_claim_of_the_start_page_holds_in_its_run(page):
    parsed, content = page.read()
    assert faults(parsed, content, page.known) == []
    assert len(list(claims_in(content))) > 20


def test_every_output_of_the_notebooks_is_made_of_claims_numbers_and_words_of_the_data(page):
    assert faults_shown(page.shown, page.known) == []
    assert sum(len(output.about.get("claims", ())) for output in page.shown) > 40


def test_prose_of_the_notebooks_claims_nothing_of_the_customers_of_a_run():
    """What is the same in every run explains: no comparison has these customers as its subject."""
    folder = Path(__file__).resolve().parents[1] / "notebooks"
    prose = [
        sentence
        for path in folder.glob("0*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
        for sentence in re.split(r"(?<=[.?!])\s", cell.source)
    ]
    subject = r"\b(?:these|your|our) (?:customers|segments|features|data|columns) (?!of\b|that\b)\w"
    claiming = [t for t in prose if re.search(subject, t, re.I) and unclaimed(t) and "?" not in t]
    assert len(prose) > 300 and claiming == []


SAME, MOVED = labels(90, 120, 150), labels(130, 80, 150)
COMPARED = {
    "the same run": (SAME, SAME, {}),
    "other settings, a segment less": (SAME, SAME.clip(upper=2), {"parameters": {"k": 2}}),
    "a new segment, by hand": (SAME, SAME.mask(SAME.index > SAME.index[330], 4), {"quick": True}),
    "other customers": (SAME, labels(90, 120, 150, start=900), {"table": "b" * 64}),
    "other customers and settings": (
        SAME,
        labels(90, 120, 150, start=900),
        {"table": "b" * 64, "parameters": {"seed": 1}, "verdict": {"word": "constructed"}},
    ),
    "other sizes": (SAME, MOVED, {"k_set_by_hand": True, "names": [*NAMES[:2], "Snoozers"]}),
}


def comparison(folder: Path, case: str) -> tuple[BeautifulSoup, dict[str, Any], set[str]]:
    """Write the page of a comparison; return it with its claims, and the words of its data."""
    before, after, second = COMPARED[case]
    runs = write_run(folder / "first", before), write_run(folder / "second", after, **second)
    found = compare(*map(read_run, runs))
    concluded = dict(conclude(found))
    content = {"whole": headline(found.pairs, found.agreement), "parts": [*concluded.values()]}
    content["shifts"] = [text for pair in found.pairs for text in shifts(found, pair)]
    words = {*concluded, *NAMES, "Snoozers", "A shop", "clients", "turnover", "seed"}
    words |= {label for label, *_ in METRICS} | {"Verdict", "by the rule", "clustering.k"}
    words |= {word for _, word in AGREEMENT_CUTS} | {"November", "UTC"}
    words |= {f"({one}, then {other})" for _, one, other in found.settings}
    words |= {pair.word for pair in found.pairs} | {found.first.name, found.second.name, "shop"}
    page = BeautifulSoup(write_comparison(*runs).read_text(encoding="utf-8"), "html.parser")
    return page, content, words


@pytest.mark.parametrize("case", COMPARED)
def test_every_claim_of_a_comparison_holds(tmp_path, case):
    page, content, words = comparison(tmp_path, case)
    assert faults(page, content, words, "comparison.html.j2") == []
    assert len(claims_of(content)) >= 4


def test_a_typed_word_in_a_comparison_is_found(tmp_path):
    page, content, words = comparison(tmp_path, "other sizes")
    page.select_one(".answer p").append(" That is remarkable.")
    page.select_one(".conclusions dd").string = "Most of them moved."
    found = faults(page, content, words, "comparison.html.j2")
    assert len(found) == 2 and "remarkable" in found[0]


# --- planted faults -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cards(card_run) -> tuple[str, dict[str, Any], re.Pattern[str]]:
    run = json.loads((card_run.results / "manifest.json").read_text(encoding="utf-8"))
    html = (card_run.results / "index.html").read_text(encoding="utf-8")
    known = vocabulary(card_run.results, card_run.dataset / "dataset.toml")
    return html, start_page.content(card_run.results, run), known


@pytest.mark.parametrize(
    ("pattern", "planted"),
    [
        (r'(<div class="sentences">\s*<p>)The ', r"\1The loyal "),
        (r"(rewards on spending, and a named contact)", r"\1, which they like best"),
        (r"(<p class=\"gist\">)", r"\1They are valuable. "),
        (r"(fits on two samples is )0", r"\g<1>9"),
        (r'(id="segment-1-name">)[^<]+', r"\1Everybody"),
        (r"(<td[^>]*>)(?=[\d.]+%</td>)", r"\1premium: "),
    ],
)
def test_a_word_a_number_or_a_name_of_the_page_without_a_condition_is_found(
    cards, pattern, planted
):
    html, content, known = cards
    changed, times = re.subn(pattern, planted, html)
    assert times
    found = faults(BeautifulSoup(changed, "html.parser"), content, known)
    assert [fault for fault in found if fault.startswith("no claim")]


def _text(html: str, *claims: Claim) -> Shown:
    return Shown("planted", {"text/markdown": html}, {"claims": claims_of(list(claims))})


def _drawn(alt: str, *claims: Claim, caption: str = "") -> Shown:
    about = {"image/png": {"alt": alt, "caption": caption}, "claims": claims_of(list(claims))}
    return Shown("planted", {"image/png": ""}, about)


def _cell(text: str, heading: str = "share") -> Shown:
    table = f"<table><tr><th>{heading}</th></tr><tr><td>{text}</td></tr></table>"
    return Shown("planted", {"text/html": table}, {})


TITLE = stated("{n} of them buy", n=3)
PLANTED = {
    "a typed sentence": _text("They are loyal."),
    "a sentence without a condition": _text("", stated("They buy most ({n}).", n=3)),
    "a sentence without a number": _text("", Claim("They buy shoes.", "", {})),
    "a changed number": _text("", Claim("4 of them buy", "", {"n": 3})),
    "a condition that does not hold": _text("", Claim("They buy most", "a > b", {"a": 1, "b": 2})),
    "a title of its own": _drawn("Cardholders are valuable. Bars.", TITLE),
    "a word in the alternative text": _drawn(f"{TITLE}. Most are zero.", TITLE),
    "a number in the alternative text": _drawn(f"{TITLE}. 7 bars.", TITLE),
    "a word in a cell": _cell("premium"),
    "a judgement in a heading": _cell("3%", "strong buyers"),
    "a number in a heading": _cell("3%", "the 12 others"),
    "a judgement in a caption": _drawn(f"{TITLE}. Bars.", TITLE, caption="A reliable share."),
    "a number in a caption": _drawn(f"{TITLE}. Bars.", TITLE, caption="Based on 7 buyers."),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_an_output_that_is_not_tied_to_the_run_is_found(cards, planted):
    assert faults_shown([planted], cards[2])
    assert not faults_shown(
        [_text("", TITLE), _drawn(f"{TITLE}. Bars.", TITLE), _cell("3%")], cards[2]
    )


def test_a_value_that_is_changed_after_the_fact_is_found(cards):
    _, content, _ = cards
    seen = 0
    for entry in content["report"]["claims"]:
        for name, value in entry["values"].items():
            before = (holds(entry), unknown_numbers(entry, []))
            changed = entry | {"values": entry["values"] | {name: -10 - 2 * (value or 0)}}
            seen += before != (holds(changed), unknown_numbers(changed, []))
    values = sum(len(entry["values"]) for entry in content["report"]["claims"])
    assert seen > values / 2


@pytest.mark.parametrize(
    ("template", "defining"),
    [
        ("index.html.j2", ["most"]),  # what separates the segments most stands first
        ("notebook.html.j2", []),
        ("drift.html.j2", ["strong"]),  # a band of the picture
        # No better than by chance; a band of the picture; what is compared by what; the scale.
        ("comparison.html.j2", ["better", "strong", "few", "best", "poor", "most"]),
    ],
)
def test_templates_type_no_judgement_of_their_own(template, defining):
    """Whatever stands outside of the regions is a definition, a heading or a number."""
    source = (pages.TEMPLATES / template).read_text(encoding="utf-8")
    literal = "".join(t for _, kind, t in pages.environment().lex(source) if kind == "data")
    text = BeautifulSoup(literal, "html.parser").text
    assert re.findall(rf"\b{JUDGING}\b", text, re.IGNORECASE) == defining


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


def test_numbers_of_one_name_keep_apart_however_often_claims_are_put_together():
    parts = [claim({"n": n}, ("n > 0", "x")) for n in (1, 2, 3)]
    inner = together("x, x", parts[:2]), together("x, x", parts[1:])
    whole = together("x, x, x, x", [*inner, together("x, x", parts[::-2])])
    (entry,) = claims_of([whole])
    assert holds(entry) and sorted(set(entry["values"].values())) == [1, 2, 3]
    low, high = claim({"n": 1, "m": 5}, ("n < m", "x")), claim({"n": 5, "n_2": 9}, ("n < n_2", "x"))
    assert holds(claims_of([together("x, x", [low, high])])[0])


@pytest.mark.parametrize(
    ("values", "highest", "lowest"),
    [
        ({"a": 3, "b": 1, "c": 2}, "a", "b"),
        ({"a": 2, "b": 2, "c": 1}, "a and b", "c"),
        ({"a": 2, "b": 2, "c": 2, "d": 1}, "a among others", "d"),
        ({"a": 1 / 3, "b": 1 - 2 / 3, "c": 1}, "c", "a and b"),
        ({"a": 5, "b": math.nan}, "a", "a"),
        ({}, "", ""),
    ],
)
def test_who_shares_the_first_place_is_not_alone_in_it(values, highest, lowest):
    series = pd.Series(values, dtype=float)
    for made, text in ((most(series), highest), (most(series, least=True), lowest)):
        assert made == text
        assert all(holds(entry) for entry in claims_of([made]))

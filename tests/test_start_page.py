"""The start page: order, numbers, notices, safety, and what is left out when it is not there."""

from __future__ import annotations

import json
import re

import pytest
from bs4 import BeautifulSoup
from sample_run import HOSTILE, assert_inert, bands_of, report, run, words, write_results

from runner import pages, shapes, start_page
from segmentation.palette import COLOURS

SECTIONS = (
    "answer shares actions segments side-by-side control decision verdict changes notebooks"
    " glossary provenance"
).split()
CARD = (
    "1,500 cardholders, 30%|Stand out by their purchases.|Purchases $2,600 average $1,000"
    "|Purchases over 100 and Balance up to 300 for High spenders|Precision 81%, recall 77%"
    "|Purchases 78% 77% to 79% $2,600 $1,300|Based on: purchases.|One in ten of High spenders"
    "|0.95 highly stable|91% of the others, 80% lean towards “Nearly dormant”"
    "|A typical cardholder, and why this name"
).split("|")
ACTIONS = {
    "High spenders": (
        "78%|30%|What to do with High spenders: an offer they can decline.||"
        "Share of High spenders who respond|"
        "7.1 points, 4.3 at half and half|"
        "List of High spenders, CSV 1,488 rows"
    ),
    "Nearly dormant": (
        "2%|20%|What to do with Nearly dormant: an offer they can decline.|"
        "What not to do with Nearly dormant: a loan.|Share of Nearly dormant who respond|–|"
        "List of Nearly dormant, CSV 988 rows"
    ),
}


def build(folder, about=None, **changes):
    write_results(folder, report() | changes)
    path = start_page.render_index(folder, run=run() if about is None else about)
    assert path == folder / "index.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return build(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(html):
    return assert_inert(html)


def test_sections_stand_in_the_order_of_a_reader_s_questions(page, html, tmp_path):
    assert build(tmp_path) == html, "the same run gives the same bytes"
    assert [h.get("id") for h in page.main.find_all("h2")] == SECTIONS
    assert len(page.find_all("h1")) == 1
    assert not [a["href"] for a in page.find_all("a") if re.match(r"[a-z]+:|//", a["href"])]


def test_every_picture_is_described(page):
    assert [image["alt"] for image in page.find_all("img")] == ["Stability by number of segments."]
    for drawing in page.find_all("svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.find_parent(attrs={"role": "img"})
    described = page.select_one(".mosaic [role=img]")["aria-label"]
    assert "High spenders: 30% of cardholders, 78% of purchases, 30% of balances." in described


def test_the_table_of_actions_says_who_what_worth_what_to_do_and_how_it_would_show(page):
    rows = {row.a.text: row for row in page.select(".actions tbody tr")}
    assert list(rows) == ["High spenders", "Cash-advance users", "Nearly dormant"]
    for name, expected in ACTIONS.items():
        assert [words(cell) for cell in rows[name].find_all("td")] == expected.split("|")
    row = rows["High spenders"]
    assert words(row.th) == "High spenders 1,500, 30% Stand out by their purchases"
    assert row.select_one("a.download")["href"] == "campaigns/high-spenders.csv"


def test_what_no_segment_has_has_no_column(tmp_path):
    segments = [s | {"avoid": "", "values": []} for s in report()["segments"]]
    page = assert_inert(build(tmp_path, segments=segments, values=[]))
    heads = [words(cell) for cell in page.select(".actions thead th")]
    assert heads == ["Segment", "Do", "Measure", "Detectable uplift", "List"]


def test_a_card_says_what_sets_apart_by_which_rule_on_what_grounds_and_how_sure(page):
    cards = page.select("article.card")
    assert [part for part in CARD if part not in words(cards[0])] == []
    assert [("and why this name" in words(card)) for card in cards] == [True, True, True]
    facts = [dt.text for dt in cards[0].select(".typical dt")]
    assert facts[:3] == ["Purchases", "Balance", "Credit limit"], "not by what sets it apart"
    assert (
        "Not on the list: 12 cardholders. The offer makes no sense for them: no purchases."
        in words(cards[1])
    )
    assert [len(card.select(".rule code")) for card in cards] == [1, 1, 0]


def test_segments_as_clear_as_those_of_data_without_groups_get_no_advice(page, tmp_path):
    verdict = report()["verdict"] | {"word": "constructed", "clearer": False}
    few = report()["segments"]
    few[-1] = few[-1] | {"traits": [], "caution": "They are too few to be described."}
    plain = assert_inert(build(tmp_path, verdict=verdict, segments=few))
    assert "No basis for different treatment." in plain.select_one(".notices").text
    assert "What to do with" not in plain.main.text and "Measure" not in plain.main.text
    assert plain.select("a.download") and plain.main.text.count("too few to be described") == 1
    assert "What to do with" in page.main.text and "No basis" not in page.text


def test_effects_are_bars_from_the_middle_on_one_scale_and_units_are_said_once(page):
    rows = {
        (place, row.select_one(".label").text): row
        for place, card in enumerate(page.select("article.card"))
        for row in card.select(".traits li")
    }
    bars = {
        key: [float(row.select_one(".fill")[name]) for name in ("x", "width")]
        for key, row in rows.items()
    }
    # The largest effect of the page, 1.5, is half a field.
    assert bars[1, "Cash advances"] == [50, 50]
    assert bars[0, "Purchases"] == [50, 40] and bars[0, "Cash advances"] == [30, 20]
    assert "3% average 15%" in words(rows[1, "Full payments"])
    assert "7.40 months average 1.20" in words(rows[2, "Time since a change"])
    assert "−$212" in rows[2, "Balance change"].text


@pytest.mark.parametrize("reach", [0.5, 3.0])
def test_a_bar_beyond_the_reach_is_cut_and_one_threshold_marks_on_the_whole_page(tmp_path, reach):
    page = assert_inert(build(tmp_path, effects={"reach": reach, "marker": 0.7}))
    sizes = [abs(t["effect"]) for segment in report()["segments"] for t in segment["traits"]]
    bars = page.select(".traits .effect")
    assert ["marked" in bar["class"] for bar in bars] == [size >= 0.7 for size in sizes]
    assert [bool(bar.select(".cut")) for bar in bars] == [size > reach for size in sizes]
    assert max(float(bar.rect["width"]) for bar in bars) == 50
    assert ("a gap near its end" in words(page.select_one(".key"))) == (reach < 1.5)


@pytest.mark.parametrize(
    ("listed", "halves", "expected"),
    [
        (0.071, 0.043, "7.1 points, 4.3 at half and half"),
        (0.32, 0.15, "Too few as listed, 15.0 at half and half"),
        (None, 0.15, "Too few as listed, 15.0 at half and half"),
        (0.5, 0.21, "Too few to test"),
        (None, None, "–"),
    ],
)
def test_the_uplift_that_a_list_can_show_is_that_of_the_list(tmp_path, listed, halves, expected):
    control = report()["control"]
    control["groups"][0] |= {"visible": listed, "detectable": halves}
    page = assert_inert(build(tmp_path, control=control))
    shown = page.select_one('.actions td[data-label="Detectable uplift"]')
    assert words(shown) == expected
    assert "if 5% respond anyway" in words(page.select_one(".downloads"))


@pytest.mark.parametrize(("quick", "generated"), [(True, False), (False, True)])
def test_the_glossary_explains_what_the_page_mentions(tmp_path, quick, generated):
    page = assert_inert(build(tmp_path, quick=quick, generated=generated))
    terms = {dt.text for dt in page.select(".glossary dt")}
    assert ("Quick settings" in terms) == quick and ("Generated data" in terms) == generated
    links = {a["href"] for a in page.select('a[href^="#term-"]')}
    assert {f"#{div['id']}" for div in page.select(".glossary dl > div")} == links


def test_profiles_stand_side_by_side_with_marker_variables_and_what_separates_most(page):
    table = page.select_one("#profile")
    rows = [[words(cell) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
    assert rows[1] == ["Cash advances average", "$500", "$2,000", "$40", "", "$980", "66%"]
    assert rows[2] == ["Balance median", "$3,400", "$900", "–", "", "$1,500", "33%"]
    drawn = table.select(".effect")
    assert ["marked" in bar["class"] for bar in drawn] == [True, True, False, True, False]
    assert [float(bar.rect["x"]) for bar in drawn] == [30, 50, 43.33, 50, 40]


def test_the_bars_of_shares_are_full_and_bands_join_them(page):
    for bar in page.select(".mosaic .stack"):
        assert sum(float(r["width"][:-1]) for r in bar.find_all("rect")) == pytest.approx(100, 0.01)
    assert bands_of(page) == [(0, 30, 78, 0), (30, 80, 98, 78), (80, 100, 100, 98)]


def test_tables_show_every_number(page):
    descriptors, control, changes, inputs = (
        [[words(cell) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
        for table in page.select(
            ".compare table:not(#profile), .control table, .changes table, .provenance table"
        )
    )
    assert control[1:] == [
        ["High spenders", "1,382", "118", "no", "7.1", "4.3", "31%", "", "", ""],
        ["Too few", "9", "0", "no", "–", "40.0", "none is enough", "", "", ""],
    ]
    assert descriptors[1] == ["Credit limit", "$6,000", "$2,500", "$2,100", "$9"]
    assert changes[1:] == [
        ["Missing", "LIMIT", "1,240", "Median put in"],
        ["A row twice", "", "", "Left out"],
    ]
    assert inputs[1] == ["customers.csv table", "9f" * 32]


def test_notices_only_where_they_apply(tmp_path, page):
    assert not page.select(".notices")
    for flag, notice in (
        ("generated", "Generated data"),
        ("quick", "Quick settings"),
        ("k_set_by_hand", "set by hand"),
    ):
        warned = BeautifulSoup(build(tmp_path, **{flag: True}), "html.parser")
        assert [notice in item.text for item in warned.select(".notices li")] == [True]
    about = run()
    about["stages"][4]["current"] = False
    stale = BeautifulSoup(build(tmp_path, about), "html.parser")
    assert "Something before notebook 05 has changed" in stale.select_one(".notices").text


def test_what_was_guessed_stands_before_the_answer(tmp_path):
    (tmp_path / "tables").mkdir()
    uses = "age,x.csv,Age (number): describes\nspent,x.csv,Spent (money): segments\n"
    (tmp_path / "tables" / "01_columns.csv").write_text(f"column,file,use\n{uses}")
    page = BeautifulSoup(build(tmp_path, guessed=True), "html.parser")
    told = page.select_one(".notices").text
    assert "Guessed columns." in told
    assert "the segments are made from spent; no column tells customers apart." in told


@pytest.mark.parametrize("word", start_page.VERDICTS)
def test_verdict_is_marked_on_its_scale_and_later_notebooks_add_reasons(tmp_path, word):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "07_findings.json").write_text('{"reasons": ["A rule does worse."]}')
    page = assert_inert(build(tmp_path, verdict={"word": word, "sentence": "S.", "reasons": []}))
    assert [item.text.lower() for item in page.select(".scale .chosen")] == [word]
    assert "A rule does worse." in page.select_one(".verdict").text


def test_what_the_segments_predict_is_part_of_the_answer(tmp_path):
    (tmp_path / "stages").mkdir()
    told = {"answer": ["For predicting spend, these do worse."], "sentences": []}
    (tmp_path / "stages" / "09_prediction.json").write_text(json.dumps(told))
    sentences = assert_inert(build(tmp_path)).select(".answer .sentences p")
    assert sentences[1].text == told["answer"][0] and len(sentences) == len(report()["answer"]) + 1


def test_optional_parts_may_be_missing(tmp_path):
    content = report()
    unknown = ("stability", "sure_share", "second_choice", "avoid")
    bare = {"typical": [], "traits": [], "rules": [], "left_out": None}
    content["segments"][0] |= dict.fromkeys(unknown) | bare
    missing = {"profile": [], "descriptors": [], "limits": [], "subtitle": "", "changes": []}
    content |= missing | {"decision": {"sentences": ["Six."]}, "control": None}
    page = assert_inert(build(tmp_path, about={}, **content))
    headings = [h.get("id") for h in page.main.find_all("h2")]
    assert headings == [s for s in SECTIONS if s not in {"control", "side-by-side", "notebooks"}]
    assert "Nothing. Every value was used as it stood." in page.text
    assert "None" not in page.text


@pytest.mark.parametrize("average", [True, False])
def test_a_segment_without_traits_is_called_average_where_it_is(tmp_path, average):
    content = report()
    content["segments"][0] |= {"traits": [], "average": average}
    page = assert_inert(build(tmp_path, **content))
    assert ("About average in every feature." in page.main.text) == average


@pytest.mark.parametrize("k", [1, 12])
def test_one_segment_and_twelve_and_none_with_a_value(tmp_path, k):
    content = report() | {"values": [], "profile": [], "k": k}
    known = [segment | {"values": []} for segment in content["segments"]]
    content["segments"] = [known[n % 3] | {"segment": n + 1} for n in range(k)]
    page = assert_inert(build(tmp_path, **content))
    assert len(page.select("article.card")) == k and len(page.select(".mosaic .stack")) == 1
    assert page.find(id="shares").text == "Who they are"
    assert "None" not in page.text


def test_provenance_names_data_settings_times_and_versions_and_no_folder(page, html):
    details = page.select_one(".provenance details")
    assert {d.dt.text: d.dd.text for d in details.select(".pairs > div")} == {
        "Started": "21 November 2026, 08:15 UTC",
        "Code": "7232e7b07232, with changes since",
        "Computer": "Linux x86_64",
        "Time, all notebooks": "2\u00a0min 28\u00a0s",
        **{f"Time, {s['number']} {s['title']}": "25\u00a0s" for s in run()["stages"]},
        "dataset": "credit_card",
        "quick": "no",
        "seed (04)": "20",
        "seed (05)": "21",
        "ks (04)": "2, 3",
        "python": "3.11.7",
        "scikit-learn": "1.9.1",
    }
    assert not details.has_attr("open")
    assert "/home" not in html and "projects" not in html


def test_hostile_texts_are_words_wherever_they_appear(tmp_path):
    content, about = report(), run()
    content |= {"title": " ".join(HOSTILE), "subtitle": "abc\u202edcba\x1b[31m"}
    content["segments"][0]["traits"][0]["label"] = "w" * 10_000
    about["inputs"][0]["name"] = "\u2066t\u2069.csv"
    for name in ("campaign", "colour", "marker"):
        content["segments"][1][name] = "#00}</style><script>document.title='run'</script>"
    html = build(tmp_path, about, **content)
    page = assert_inert(html)
    assert "{--segment:#5a6270" in page.style.text
    assert "49" not in page.h1.text
    assert not page.select("article.card")[1].select(".download")
    assert "<script>document.title='run'</script>" in page.text
    assert not re.search("[\x1b\u202e\u2066\u2069]|w{121}", html)
    assert "abc dcba [31m" in html and "w" * 118 + "…" in html


def test_every_text_of_the_report_reaches_the_page(page):
    content = report()
    texts = [content["title"], content["subtitle"], *content["answer"], *content["limits"]]
    texts += [*content["decision"]["sentences"], *content["verdict"]["reasons"]]
    for segment in content["segments"]:
        names = ("name", "summary", "advice", "grounds", "caution", "measure", "evidence")
        texts += [segment[name] for name in names] + [fact["text"] for fact in segment["typical"]]
    shown = words(page).lower()
    assert [text for text in texts if text.lower() not in shown] == []


# --- parts that pages share --------------------------------------------------------------------


def test_terms_are_linked_once_and_everything_else_is_escaped(page):
    linked = str(pages.with_terms("<b>ARI</b> and silhouette, silhouette; unstable"))
    assert linked.startswith('&lt;b&gt;<a class="term" href="#term-adjusted-rand-index">ARI</a>')
    assert linked.count("#term-silhouette") == 1
    assert "unstable" in linked and "#term-stability" not in linked
    section = page.select_one("#decision").find_parent("section")
    assert section.find("a", href="#term-adjusted-rand-index")


@pytest.mark.parametrize("colour", COLOURS[:6])
def test_segment_colours_stand_out_on_both_papers_and_carry_their_text(colour):
    rules = shapes.colour_rules([{"number": 1, "colour": colour.lower()}])
    pairs = re.findall(r"--segment:(#\w{6});--on-segment:(#\w{6})", rules)
    for (shown, ink), paper in zip(pairs, (shapes.LIGHT_PAPER, shapes.DARK_PAPER), strict=True):
        assert shapes.contrast(shown, paper) >= 3
        assert shapes.contrast(shown, ink) >= 4.5
    assert len(pairs) == 2 and pairs[0][0] == colour.lower()


def test_every_text_colour_is_readable_on_both_papers():
    assert shapes.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    css = (pages.TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert re.findall(r"--paper: (#\w+);", css) == [shapes.LIGHT_PAPER, shapes.DARK_PAPER]
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    )
    for colours in (light, light | dark):
        for ink in ("ink", "quiet", "accent", "keyword", "string", "literal", "comment"):
            for ground in ("paper", "panel"):
                assert shapes.contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert shapes.contrast(colours["warn"], colours["warn-panel"]) >= 4.5
        assert shapes.contrast(colours["ink"], colours["lane"]) >= 4.5

"""The start page: order, numbers, notices, safety, and what is left out when it is not there."""

from __future__ import annotations

import copy
import re

import pytest
from bs4 import BeautifulSoup
from sample_run import poisoned, report, run, write_results

from runner import pages, shapes, start_page

SECTIONS = [
    "answer", "shares", "segments", "control", "side-by-side", "decision", "verdict", "changes",
    "notebooks", "glossary", "provenance",
]  # fmt: skip


def build(folder, content=None, about=None):
    write_results(folder, content)
    path = start_page.render_index(folder, run=run() if about is None else about)
    assert path == folder / "index.html"
    return path.read_text(encoding="utf-8")


def soup_of(folder, **changes):
    return BeautifulSoup(build(folder, report() | changes), "html.parser")


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return build(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(html):
    return BeautifulSoup(html, "html.parser")


def test_the_same_run_gives_the_same_bytes(tmp_path, html):
    assert build(tmp_path) == html


def test_sections_stand_in_the_order_of_a_reader_s_questions(page):
    assert [h.get("id") for h in page.main.find_all("h2")] == SECTIONS
    assert len(page.find_all("h1")) == 1


def test_one_file_that_needs_nothing_else_to_be_read(page):
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not page.find_all(["script", "iframe", "object", "embed", "form", "link"])
    assert all(tag["src"].startswith("data:image/png;base64,") for tag in page.find_all(src=True))
    assert not page.find_all(style=True), "the policy would drop it"
    remote = [a["href"] for a in page.find_all("a") if re.match(r"[a-z]+:|//", a["href"])]
    assert remote == []


def test_every_picture_is_described(page):
    assert page.find_all("img")
    assert all(image["alt"] for image in page.find_all("img"))
    for drawing in page.find_all("svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.find_parent(attrs={"role": "img"})
    described = page.select_one(".mosaic [role=img]")["aria-label"]
    assert "All-round heavy spenders: 16% of card holders, 56% of purchases." in described


def test_a_card_says_who_how_many_what_worth_what_to_do_and_how_sure(page):
    cards = page.select("article.card")
    assert len(cards) == 6
    text = " ".join(cards[2].text.split())
    for part in (
        "All-round heavy spenders", "1,402", "16%", "56%", "$3,392", "3.6 times the average",
        "$2,604", "Keep them: recognition", "Share still active", "0.95 highly stable", "91%",
        "lean towards “Revolvers who also shop”", "Purchases $3,392 average $1,003",
    ):  # fmt: skip
        assert part in text, part
    assert cards[2].select_one("a.download")["href"] == "campaigns/all-round-heavy-spenders.csv"
    assert "Why this name" in cards[2].text
    assert "Why this name" not in cards[5].text


def test_bars_of_one_trait_share_a_scale(page):
    def bar(card, label):
        row = next(li for li in card.select(".traits li") if li.select_one(".label").text == label)
        return float(row.select_one(".fill")["width"])

    first, fifth = page.select("article.card")[0], page.select("article.card")[4]
    ratio = bar(first, "Cash advances") / bar(fifth, "Cash advances")
    assert ratio == pytest.approx(2104.2 / 2790.7, rel=0.01)


def test_the_typical_customer_starts_with_what_sets_the_segment_apart(page):
    facts = [dt.text for dt in page.select("article.card")[0].select(".typical dt")]
    assert facts[:3] == ["Cash advances", "Purchases", "Balance"]
    assert len(page.select("article.card")[0].select(".typical details dt")) == 1


def test_a_share_is_known_by_its_kind_or_its_unit(page):
    rows = page.select("article.card")[0].select(".traits li")
    assert "3% average 15%" in " ".join(rows[4].text.split())
    assert "1% average 49%" in " ".join(rows[3].text.split())


def test_a_negative_trait_is_drawn_left_of_zero(page):
    row = page.select("article.card")[5].select(".traits li")[2]
    assert "−$212" in row.text
    fill, zero = row.select_one(".fill"), row.select_one(".zero")["d"]
    assert float(fill["x"]) == 0
    assert zero == f"M{float(fill['width'])} 3v10"


def test_the_bars_of_shares_are_full(page):
    for bar in page.select(".mosaic .stack"):
        assert sum(float(r["width"][:-1]) for r in bar.find_all("rect")) == pytest.approx(100, 0.01)


def test_terms_lead_to_the_glossary(page):
    ids = {tag["id"] for tag in page.find_all(id=True)}
    links = [a["href"] for a in page.select("a[href^='#']")]
    assert len(links) > 20
    assert {link[1:] for link in links} <= ids
    assert (
        page.select_one("#decision")
        .find_parent("section")
        .find("a", href="#term-adjusted-rand-index")
    )


def test_notices_only_where_they_apply(tmp_path):
    plain = soup_of(tmp_path, generated=False, quick=False, k_set_by_hand=False)
    assert not plain.select(".notices")
    assert "chosen by rule" in plain.select_one(".summary").text
    warned = soup_of(tmp_path, generated=True, quick=True, k_set_by_hand=True)
    notices = warned.select_one(".cover .notices").text
    for part in ("Generated data", "Quick settings", "set by hand"):
        assert part in notices
    assert "set by hand" in warned.select_one(".summary").text


def test_verdict_is_marked_on_its_scale(tmp_path):
    for word in start_page.VERDICTS:
        page = soup_of(tmp_path, verdict={"word": word, "sentence": "S.", "reasons": []})
        chosen = page.select(".scale .chosen")
        assert [item.text.lower() for item in chosen] == [word]


def test_a_file_without_changes_says_so(tmp_path):
    assert "Nothing. Every value was used as it stood." in soup_of(tmp_path, changes=[]).text


def test_optional_parts_may_be_missing(tmp_path):
    content = report()
    for name in ("importance", "descriptors", "limits", "subtitle"):
        content.pop(name)
    content["decision"] = {"sentences": ["Six."]}
    content["segments"][0] |= {
        "stability": None,
        "second_choice": None,
        "typical": [],
        "traits": [],
    }
    page = BeautifulSoup(build(tmp_path, content, about={}), "html.parser")
    headings = [h.get("id") for h in page.main.find_all("h2")]
    assert headings == [s for s in SECTIONS if s not in {"side-by-side", "notebooks"}]


def test_one_segment_and_twelve(tmp_path):
    content = report()
    one = content["segments"][:1]
    assert len(soup_of(tmp_path, segments=one, k=1).select("article.card")) == 1
    twelve = [content["segments"][n % 6] | {"segment": n + 1} for n in range(12)]
    assert len(soup_of(tmp_path, segments=twelve, k=12).select("article.card")) == 12


def test_paths_of_this_computer_stay_here(html):
    assert "/home" not in html and "projects" not in html
    assert "customers.csv" in html


def test_provenance_names_data_settings_times_and_versions(page):
    details = page.select_one(".provenance details")
    pairs = {d.dt.text: d.dd.text for d in details.select(".pairs > div")}
    assert pairs["Started"] == "21 November 2026, 08:15 UTC"
    assert pairs["Code"] == "7232e7b07232, with changes since"
    assert pairs["Time, all notebooks"] == "2\u00a0min 28\u00a0s"
    assert pairs["dataset"] == "credit_card", "said once, without the folders of this computer"
    assert pairs["seed (04)"] == "20" and pairs["seed (05)"] == "21"
    assert pairs["scikit-learn"] == "1.9.1"
    assert "9f" * 32 in details.text
    assert not details.has_attr("open")


def test_a_run_that_is_partly_stale_says_so(tmp_path):
    about = run()
    about["stages"][4]["current"] = False
    page = BeautifulSoup(build(tmp_path, None, about), "html.parser")
    assert "Something before notebook 05 has changed" in page.select_one(".cover .notices").text


def test_hostile_texts_are_words_wherever_they_appear(tmp_path):
    content, about = poisoned(report()), poisoned(run())
    for name in ("campaign", "colour", "marker"):
        content["segments"][1][name] = "#00}</style><script>document.title='run'</script>"
    html = build(tmp_path, content, about)
    page = BeautifulSoup(html, "html.parser")
    assert not page.find_all(["script", "iframe", "form", "input", "object", "base"])
    assert len(page.find_all("style")) == 1
    assert "{--segment:#5a6270" in page.style.text
    assert "49" not in page.h1.text
    for tag in page.find_all(True):
        assert not any(name.startswith("on") for name in tag.attrs), tag.name
    stage_links = {a["href"] for a in page.select(".notebooks a")}
    assert all(link.startswith("notebooks/") for link in stage_links)
    assert "campaigns/" not in str(page.select("article.card")[1].select(".download"))
    assert "<script>document.title='run'</script>" in page.text


def test_texts_are_legible_and_endless_words_cut(tmp_path):
    content, about = report(), run()
    content["segments"][0]["traits"][0]["label"] = "w" * 10_000
    content["title"] = "abc\u202edcba\x1b[31m"
    about["inputs"][0]["name"] = "\u2066t\u2069.csv"
    html = build(tmp_path, content, about)
    assert not re.search("[\x1b\u202e\u2066\u2069]|w{121}", html)
    assert "abc dcba [31m" in html and "w" * 118 + "…" in html


def test_every_text_of_the_report_reaches_the_page(tmp_path):
    content = report()
    shown = " ".join(BeautifulSoup(build(tmp_path, content), "html.parser").text.split())
    texts = [
        content["title"], content["subtitle"], *content["answer"], *content["limits"],
        *content["decision"]["sentences"], content["verdict"]["sentence"],
        *content["verdict"]["reasons"], *(c["action"] for c in content["changes"]),
        *(c["what"] for c in content["changes"]),
    ]  # fmt: skip
    for segment in content["segments"]:
        texts += [
            segment[name]
            for name in ("name", "summary", "advice", "grounds", "caution", "measure", "evidence")
        ]
        texts += [fact["text"] for fact in segment["typical"]]
    assert [text for text in texts if text.lower() not in shown.lower()] == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1243.4872, "", "1,243"),
        (0.3721, "", "0.37"),
        (12.44, "", "12.4"),
        (3, "", "3"),
        (0.3721, "share", "37%"),
        (0.3721, "share of months", "37%"),
        (0.003, "share", "0.3%"),
        (0.0001, "share", "under\u00a00.1%"),
        (0.9996, "share", "over\u00a099.9%"),
        (0.0, "share", "0%"),
        (2739.6, "$", "$2,740"),
        (3.1, "$", "$3.10"),
        (-212.5, "$", "−$212"),
        (1243.4, "CHF", "CHF\u00a01,243"),
        (11.4, "months", "11.4\u00a0months"),
        (float("nan"), "$", "–"),
    ],
)
def test_quantities(value, unit, text):
    assert pages.quantity(value, unit) == text


def test_totals_and_times():
    assert pages.large(8_978_437, "$") == "$8.98\u00a0million"
    assert pages.large(1_234_567_890) == "1.23\u00a0billion"
    assert pages.large(8_978, "orders") == "8,978\u00a0orders"
    assert pages.duration(0.42) == "0.4\u00a0s"
    assert pages.duration(148.2) == "2\u00a0min 28\u00a0s"


def test_terms_are_linked_once_and_everything_else_is_escaped():
    linked = str(pages.with_terms("<b>ARI</b> and silhouette, silhouette; unstable"))
    assert linked.startswith('&lt;b&gt;<a class="term" href="#term-adjusted-rand-index">ARI</a>')
    assert linked.count("#term-silhouette") == 1
    assert "unstable" in linked and "#term-stability" not in linked


@pytest.mark.parametrize(
    "colour", ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#882255"]
)
def test_segment_colours_stand_out_on_both_papers_and_carry_their_text(colour):
    rules = shapes.colour_rules([{"number": 1, "colour": colour}])
    pairs = re.findall(r"--segment:(#\w{6});--on-segment:(#\w{6})", rules)
    assert len(pairs) == 2
    for (shown, ink), paper in zip(pairs, (shapes.LIGHT_PAPER, shapes.DARK_PAPER), strict=True):
        assert shapes.contrast(shown, paper) >= 3
        assert shapes.contrast(shown, ink) >= 4.5
    assert pairs[0][0] == colour


def test_contrast_is_that_of_the_guideline():
    assert shapes.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert shapes.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_papers_are_those_of_the_stylesheet():
    css = (pages.TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert re.findall(r"--paper: (#\w+);", css) == [shapes.LIGHT_PAPER, shapes.DARK_PAPER]


def test_every_text_colour_is_readable_on_both_papers():
    css = (pages.TEMPLATES / "style.css").read_text(encoding="utf-8")
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


def test_without_a_value_the_page_shows_none(tmp_path):
    content = copy.deepcopy(report())
    content["value"] = {"label": "", "unit": "", "total": 200.0}
    keys = [key for key in content["segments"][0] if key.startswith("value_")]
    assert keys
    for segment in content["segments"]:
        segment.update(dict.fromkeys(keys))
    page = BeautifulSoup(build(tmp_path, content), "html.parser")
    assert page.find(id="shares").text == "Who they are"
    assert "No column of this table measures" in page.text
    assert "None" not in page.text
    assert "Share of  " not in page.text

"""What the start page says, from made-up numbers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from segmentation import summary
from segmentation.claims import Claim
from segmentation.conditions import Customers, Members
from segmentation.dataset import Archetype, Feature, Phrase
from segmentation.naming import TAKEN, Description, Name

SPENT = Feature("spent", "spent", "Spent", "money", "EUR")
ONLINE = Feature("online", "online", "Online share", "share")
TIMES = Feature("times", "times", "Times", "number")
FEATURES = [SPENT, ONLINE, TIMES]
MOST = Claim("Highest spent", "effect > 0", {"effect": 1.0})
APART = Description(MOST, Claim("highest spent of all segments", "", {}), frozenset({"spent"}))
ALIKE = Description(MOST, Claim("close to the average in everything", "", {}), frozenset())
MATCHED = Name(1, "Big spenders", None, 0.91, "Web visitors", 0.4, APART)
UNKNOWN = Name(2, "Highest spent", None, 0.3, "Big spenders", 0.3, APART, "too weak a match")
# Effects, the segment's level, everybody's level.
EFFECTS, LEVEL, OVERALL = (
    pd.Series(values, [feature.name for feature in FEATURES])
    for values in ([2.0, -1.0, 0.5], [2740.0, 0.1, 3.0], [1003.4, 0.5, 2.0])
)
SIZES = pd.DataFrame({"customers": [300, 700], "share": [0.3, 0.7]}, index=[1, 2])
WORTH = {"spent": pd.DataFrame({"total": [80.0, 20], "share": [0.8, 0.2]}, index=[1, 2])}
WORTH["spent"] = WORTH["spent"].assign(low=np.nan, high=np.nan, mean=1.0, median=1.0)
DECISION = {
    "agreement": 0.931,
    "often": {2: 0.9, 4: 0.1},
    "elbow": 4,
    "silhouette": 2,
    "alt": "A curve.",
}
SOLUTION = {
    "k": 2,
    "decision": DECISION,
    "verdict": {"word": "reproducible", "sentence": "They come back.", "clearer": True},
    "by_hand": False,
    "reason": "largest that qualifies",
}


def test_a_segment_is_average_where_every_effect_is_small():
    small = EFFECTS.clip(-0.24, 0.24)
    assert summary.is_average(small, FEATURES) and not summary.is_average(EFFECTS, FEATURES)


def test_traits_strongest_first_in_their_units():
    entries = summary.traits(EFFECTS, (LEVEL, LEVEL), (OVERALL, OVERALL), FEATURES[::-1])
    assert [entry["text"] for entry in entries] == [
        "Spent: average 2,740 EUR, against 1,003 EUR for all",
        "Online share: average 10%, against 50% for all",
        "Times: median 3, against 2 for all",
    ]
    assert list(entries[0].values())[:-1] == ["Spent", "money", "EUR", 2740, 1003.4, 2, "average"]


# Of spending: its effect, averages and medians, each of the segment and of everybody.
@pytest.mark.parametrize(
    ("effect", "averages", "medians", "text"),
    [
        (2.0, (200, 100), (9, 9), "Spent: average 200 EUR, against 100 EUR for all"),
        # the average lies on the other side, or hardly on this one
        (-2.0, (200, 100), (4, 9), "Spent: median 4 EUR, against 9 EUR for all"),
        (2.0, (104, 100), (12, 9), "Spent: median 12 EUR, against 9 EUR for all"),
        (-2.0, (200, 100), (9, 9), None),
        (0.25, (200, 100), (9, 9), "Spent: average 200 EUR, against 100 EUR for all"),
        (0.24, (200, 100), (9, 9), None),
    ],
)
def test_a_trait_has_a_notable_effect_and_numbers_on_its_side(effect, averages, medians, text):
    told = [pd.Series({"spent": float(value)}) for value in (effect, *averages, *medians)]
    found = summary.traits(told[0], (told[1], told[3]), (told[2], told[4]), [SPENT])
    assert [entry["text"] for entry in found] == ([text] if text else [])


def test_a_calendar_year_is_aside_by_a_year_and_not_by_a_hundred():
    born, effect = replace(SPENT, kind="number", unit="year"), pd.Series({"spent": 2.0})
    told = [(pd.Series({"spent": float(year)}),) * 2 for year in (1971, 1987, 1972)]
    found = [summary.traits(effect, own, told[0], [born]) for own in told[1:]]
    assert [[entry["text"] for entry in each] for each in found] == [
        ["Spent: median 1987, against 1971 for all"],
        [],
    ]


def test_a_trait_that_repeats_another_is_left_out():
    net = replace(SPENT, name="net", label="Spent net")
    effects, own, of_all = (pd.Series(v, ["spent", "net"]) for v in ([2.0, 2], [9.0, 9], [5.0, 5]))
    found = summary.traits(effects, (own, own), (of_all, of_all), [SPENT, net])
    assert [entry["label"] for entry in found] == ["Spent"]
    found = summary.traits(effects, (own + [0, 1], own), (of_all, of_all), [SPENT, net])
    assert len(found) == 2


# --- words ----------------------------------------------------------------------------------------


NONE = "None of the advice for this kind of customer holds here: test one offer on a part."


def said(dataset, spent, *, archetype=0, apart=APART, others=(10.0, 10.0), **more):
    """What is said of a segment whose members spent so much, beside one of other customers."""
    spent = [*map(float, spent), *others]
    features = pd.DataFrame(0.0, index=range(len(spent)), columns=["ticket", "visits", "rest"])
    features = features.assign(spent=spent, online=[0.5] * (len(spent) - 1) + [0.0], **more)
    customers = Customers(dataset, pd.DataFrame(index=features.index), features)
    members = Members(customers, np.repeat([1, 2], [len(spent) - len(others), len(others)]))
    known = None if archetype is None else dataset.archetypes[archetype]
    called = members.claim(Phrase(known.name, known.when), 1) if known else apart.name
    name = Name(1, called, known, 0.9, "", 0.0, apart)
    return summary.words(dataset, name, members)


@pytest.mark.parametrize(
    ("spent", "summarised", "advice", "avoid", "grounds"),
    [
        (
            [400, 200],
            "spend over 100 and come online",
            "Thank them for 97%.",
            "No discounts.",
            "97% of all spent; median spent 300; 100% with online above 0%",
        ),
        # Each goes with its condition: first the median, then the share, then everything.
        ([400, 50, 50], "come online", "Thank them for 96%.", "", "96% of all spent"),
        ([5, 5], "come online", "Greet them.", "", "100% with some spent"),
        ([0, 0], "come online", NONE, "", "100% with online above 0%"),
    ],
)
def test_only_what_holds_is_said(make_shop, spent, summarised, advice, avoid, grounds):
    found = said(make_shop(), spent)
    assert (found["summary"], found["avoid"]) == (summarised, avoid)
    assert found["advice"] == advice and found["measure"] == "repeats"
    assert found["grounds"].startswith(f"Based on: {grounds}")
    assert all(claim.holds for claim in found.values() if claim)


def test_claims_have_their_condition_and_its_numbers(shop):
    thanks = said(shop, [400, 200])["advice"]
    assert thanks.condition == "of_total(spent) >= 0.5"
    assert thanks.values == {"of_total(spent)": pytest.approx(600 / 620)}


def test_where_no_phrase_holds_the_segment_is_described(make_shop, shop_content):
    archetypes = [{**shop_content["archetypes"][0], "summary": []}]
    assert said(make_shop(archetypes=archetypes), [5])["summary"] == APART.phrase


@pytest.mark.parametrize(
    ("spent", "compared"),
    [
        ([31], "far above"),
        ([29], "above"),
        ([21], "close to"),
        ([19], "close to"),
        ([17], "below"),
        ([13], "far below"),
    ],
)
def test_an_unknown_kind_of_customer_is_told_by_what_it_is_worth(make_shop, spent, compared):
    """One of five: from .3 it is far above, within a tenth of .2 close, up to .1333 far below."""
    found = said(make_shop(), spent, archetype=None, others=[(100 - spent[0]) / 4] * 4)
    first = f"Their part of spent is {compared} their share of clients ({spent[0]}% against 20%)"
    assert found["advice"].startswith(first)
    assert found["advice"].startswith(f"{first}. ") == (compared in ("above", "below"))
    assert found["advice"].endswith(
        "Start from what sets it apart, and test one offer on a part of the list."
    )
    assert found["grounds"] == f"Based on: {spent[0]}% of all spent; 20% of all clients."
    assert found["measure"] == ("the share that responds and spent per client")


@pytest.mark.parametrize(
    ("months", "advised"),
    [
        ([2, 9, 9, 9, 9], " (4% against 20%) so far, in a median of 2 months. Start"),
        ([9, 9, 9, 9, 2], " (4% against 20%): reach them by the cheapest channel. Start"),
    ],
)
def test_what_grows_with_time_is_no_reason_to_spend_less(make_shop, shop_content, months, advised):
    tenure = {"name": "tenure", "formula": "visits", "kind": "months", "unit": "months"}
    shop = make_shop(features=[*shop_content["features"], tenure])
    told = said(shop, [1], archetype=None, others=[6.0] * 4, tenure=months)
    assert advised in told["advice"]


@pytest.mark.parametrize(("value", "spent"), [({"column": "spent"}, [-3]), ({}, [30])])
def test_an_unknown_kind_of_unknown_worth_gets_no_invented_advice(make_shop, value, spent):
    shop = make_shop(value=value)
    found = said(shop, spent, archetype=None, apart=ALIKE, others=[0.0])
    assert found["advice"] == "Ask its members, or test one offer on a part of the list."
    assert found["grounds"] == ""


def test_of_too_few_nothing_is_said(shop):
    found = summary.words(shop, MATCHED, None)
    assert found["advice"] == "No advice is given."
    assert not any(found[key] for key in ("summary", "avoid", "grounds"))
    assert "too few to be described" in summary.caution(np.nan)
    assert summary.caution(0.104) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            replace(MATCHED, archetype=Archetype("Big spenders", {"spent": 1}, "")),
            "Match with the pattern (at most 1): 0.91. A segment of null reference data with the "
            "same margins reaches 0.88.",
        ),
        (
            replace(
                MATCHED, archetype=Archetype("Big spenders", {"spent": 1}, ""), runner_up_score=0.6
            ),
            "0.91; next Web visitors (0.60). A segment of null reference data with the same "
            "margins reaches 0.88.",
        ),
        (
            replace(MATCHED, archetype=Archetype("Big spenders", {"spent": 1}, ""), score=0.88),
            "reaches 0.88: the match is no better than that of null data, so the name marks "
            "a region of a continuum, no distinct group.",
        ),
        (
            replace(UNKNOWN, runner_up_score=0.7, obstacle=TAKEN),
            f"what sets it apart. Nearest: Big spenders (match 0.70; {TAKEN}).",
        ),
        (UNKNOWN, "so the name describes what sets it apart."),
        (replace(UNKNOWN, runner_up=""), "so the name describes what sets it apart."),
    ],
)
def test_evidence(name, text):
    assert summary.evidence(name, pd.Series({"Big spenders": 0.88})).endswith(text)


# --- the page -------------------------------------------------------------------------------------


def test_three_sentences(make_shop):
    names = {1: "Big", 2: "Web"}
    assert summary.answer(make_shop(), SIZES, WORTH, names, SOLUTION, {}) == [
        "The 1,000 clients are divided into 2 segments: Big and Web.",
        "Start with Big: they are 30% of the clients and account for 80% of spent, while Web are "
        "70% and account for 20% of spent.",
        "How sure: They come back.",
    ]
    without = summary.answer(make_shop(value={}), SIZES, {}, names, SOLUTION, {})
    assert without[1] == "No measure of value says which segment comes first."


def test_the_start_says_who_has_most_each_and_what_not_to_do(make_shop):
    avoid = "No offer: they hold 60% of all."
    said = {1: {"avoid": Claim(avoid, "of_total(debt) >= 0.5", {})}}
    each = {"spent": WORTH["spent"].assign(mean=[2.0, 3.5])}
    start = summary.answer(make_shop(), SIZES, each, {1: "Big", 2: "Web"}, SOLUTION, said)[1]
    assert start.endswith(
        "20% of spent. Web have most spent per client (3.50 EUR on "
        "average, against 2 EUR). Caution for Big: no offer: they hold 60% of all."
    )
    said[1]["avoid"] = Claim(avoid, "median(spent) > 3", {})
    plain = summary.answer(make_shop(), SIZES, WORTH, {1: "Big", 2: "Web"}, SOLUTION, said)[1]
    assert plain.endswith("account for 20% of spent.")


# Big are 30 % of the clients, Web 70 %: the parts that Big have of each measure, how wide the
# intervals are, and where to start.
@pytest.mark.parametrize(
    ("big", "half", "start"),
    [
        (
            [0.8, 0.6],
            0.02,
            "Start with Big: they are 30% of the clients and account for 80% of "
            "spent and 60% of visits, while Web are 70% and account for 20% of spent.",
        ),
        (
            [0.8, 0.1],
            0.02,
            "By spent, start with Big: 30% of the clients, 80% of spent. Not every "
            "measure agrees: visits points to Web (70% of the clients, 90% of visits).",
        ),
        ([0.8, 0.31], 0.02, "By spent, start with Big: 30% of the clients, 80% of spent."),
        ([0.31, 0.6], 0.02, "By visits, start with Big: 30% of the clients, 60% of visits."),
        (
            [0.1, 0.1],
            0.02,
            "Start with Web: they are 70% of the clients and account for 90% of "
            "spent and 90% of visits, while Big are 30% and account for 10% of spent.",
        ),
        (
            [0.31, 0.3],
            0.02,
            "The figures are too uncertain to say which segment has more than its share of spent "
            "or visits: none has to come first.",
        ),
        (
            [0.8, 0.6],
            0.9,
            "The figures are too uncertain to say which segment has more than its share of spent "
            "or visits: none has to come first.",
        ),
    ],
)
def test_no_start_that_a_measure_of_value_contradicts(make_shop, big, half, start):
    shop = make_shop(value=[{"column": "spent"}, {"column": "visits"}])
    worth = {}
    for column, part in zip(("spent", "visits"), big, strict=True):
        shares = pd.Series([part, 1 - part], index=[1, 2])
        worth[column] = pd.DataFrame({"share": shares, "low": shares - half, "mean": shares})
        worth[column]["mean"] = (shares - SIZES["share"]).gt(0) * 1.0
    said = summary.answer(shop, SIZES, worth, {1: "Big", 2: "Web"}, SOLUTION, {})[1]
    assert said == start


def page(dataset, solution=SOLUTION, clustering=None):
    cards = [{"sure_share": 0.8, "share": 0.7}, {"sure_share": np.nan, "share": 0.3}]
    change = {"what": "w", "column": "c", "rows": 3, "action": "a", "note": "not shown"}
    cleaned, shown = {"generated": "g", "changes": [change]}, pd.Series({"Spent": 0.5})
    told = (dataset, solution, SIZES, WORTH, cards, ["Answer."], cleaned, clustering or {}, False)
    return summary.page(*told, importance=shown, descriptors=[])


def test_the_page_has_its_sentences_in_order(make_shop):
    shop = make_shop()
    found = page(shop)
    assert found["decision"]["sentences"] == [
        "The rule chose 2 segments: largest that qualifies.",
        "The mean adjusted Rand index of fits on two samples is 0.93. Over bootstrap draws of "
        "these pairs of fits, the rule chooses 2 in 90% and 4 in 10%; the elbow alone would pick "
        "4, the silhouette alone 2.",
    ]
    assert found["limits"] == [
        *shop.limits,
        *summary.sensitive(shop),
        "Stability is measured on resamples of these customers; another period may differ.",
        "20% of the clients lie near a boundary between two segments.",
    ], "a segment that is too small is not described"
    assert found["changes"] == [{"what": "w", "column": "c", "rows": 3, "action": "a"}]
    assert (found["customers"], found["values"]) == (
        1000,
        [{"label": "spent", "unit": "EUR", "total": 100}],
    )
    assert found["importance"] == [{"label": "Spent", "value": 0.5}]
    sampled = {"evidence_customers": 900, "customers": 40_000, "evidence_ari": 0.97}
    assert "sample of 900 of 40,000 clients" in page(shop, clustering=sampled)["limits"][-2]
    by_hand = page(shop, SOLUTION | {"by_hand": True, "reason": "set by hand"})["decision"][
        "sentences"
    ]
    assert by_hand[0] == "The number of segments, 2, was set by hand."
    sure = summary._limits(shop, [{"sure_share": 1.0, "share": 1.0}], {}, 0.9)
    assert not any("near a boundary" in text for text in sure), "no 0% is said"


def test_segments_no_clearer_than_those_of_data_without_groups_are_no_place_to_start(make_shop):
    for word, clearer, start in (
        ("constructed", False, "No segment comes first: see"),
        ("constructed", True, "Start with"),
        ("natural", False, "Start with"),
    ):
        verdict = {"word": word, "sentence": "", "clearer": clearer}
        told = summary.answer(
            make_shop(), SIZES, WORTH, {1: "Big", 2: "Small"}, SOLUTION | {"verdict": verdict}, {}
        )
        assert told[1].startswith(start)


def test_descriptors_one_text_a_segment():
    level, overall = LEVEL, OVERALL
    club = ["yes (75%)", "yes (50%)", "yes (60%)"]
    told = ([SPENT], {1: level, 2: overall}, overall, {"Club": club})
    for used, independent in ((set(), True), ({"Spent"}, False)):
        first, second = summary.descriptor_rows(*told, used)
        assert first == {
            "label": "Spent (average)",
            "segments": ["2,740 EUR", "1,003 EUR"],
            "overall": "1,003 EUR",
            "independent": independent,
        }
        assert (second["label"], second["segments"]) == ("Club", ["yes (75%)", "yes (50%)"])
        assert (second["overall"], second["independent"]) == ("yes (60%)", True)


NEAR = ["near", "first", "first_share", "second", "second_share", "error"]


@pytest.mark.parametrize(
    ("row", "second_choice", "leaning"),
    [
        ([0, *[np.nan] * 5], None, ""),
        ([4, *[np.nan] * 5], None, "too few others to say to which segment they lean"),
        ([50, 2, 0.8, 3, 0.2, 0.1], "Web", "the others lean most often towards “Web” (80%)"),
        ([50, 2, 1.0, None, 0.0, 0.0], "Web", "the others lean most often towards “Web” (100%)"),
        (
            [50, 2, 0.52, 3, 0.48, 0.14],
            None,
            "the others lean towards “Web” (52%) or “Rest” (48%): too few to tell",
        ),
    ],
)
def test_leaning_says_when_it_is_a_tie_or_rests_on_too_few(row, second_choice, leaning):
    found = summary.lean(pd.Series(row, NEAR, dtype=object), {1: "Big", 2: "Web", 3: "Rest"})
    assert found == {"second_choice": second_choice, "leaning": leaning}


# Which features segment, and what is said of the sensitive column beside them.
@pytest.mark.parametrize(
    ("formula", "starts"),
    [("visits", ["Sensitive columns that describe"]), ("age", ["The segments are made from"])],
)
def test_sensitive_columns_are_said_to_play_no_part_only_where_that_is_true(
    make_shop, shop_content, formula, starts
):
    features = [*shop_content["features"], {"name": "more", "formula": formula}]
    found = summary.sensitive(make_shop(features=features))
    assert len(found) == len(starts) and "age" in found[0]
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))


@pytest.mark.parametrize(
    ("condition", "customers", "reason"),
    [
        ("", 0, ""),
        ("spent > 900", 0, ""),
        ("spent == 0", 2, "The offer makes no sense for them: no spent."),
    ],
)
def test_members_who_contradict_the_offer_are_left_out_and_counted(
    make_shop, shop_content, condition, customers, reason
):
    archetype = {**shop_content["archetypes"][0], "leave_out": condition}
    shop = make_shop(archetypes=[archetype])
    features = pd.DataFrame(0.0, index=range(5), columns=["ticket", "visits", "rest", "online"])
    features = features.assign(spent=[0.0, 0, 5, 9, 0])
    members = Members(
        Customers(shop, pd.DataFrame(index=features.index), features), [1, 1, 1, 1, 2]
    )
    name = replace(MATCHED, archetype=shop.archetypes[0])
    own = pd.Series([True] * 4 + [False])
    out, found = summary.left_out(name, members, own)
    assert found == {"customers": customers, "reason": reason} and out.sum() == customers
    assert not out[4], "a member of another segment"


def test_what_else_speaks_for_or_against_the_segments():
    assert summary.sensitivity_sentences(
        {"most_sensitive": "no transform", "most_sensitive_ari": 0.244}
    ) == [
        "Of the other choices tried, “no transform” changes the segments most: its adjusted Rand "
        "index with them is 0.24."
    ]
    explained = {"rule_baseline_explained": 0.51, "segments_explained": 0.55}
    (first,) = summary.added_sentences(explained | {"rule_baseline_ari": 0.4}, "spent")
    assert "explain 51%" in first and "segments 55%" in first and "partitions is 0.40" in first
    assert summary.added_sentences({}, "spent") == []
    of_rfm = {"rfm_ari": 0.3, "rfm_explained": 0.25, "segments_explained": 0.55}
    (text,) = summary.added_sentences(of_rfm, "spent")
    assert text.startswith("RFM segments explain 25%") and "0.30" in text
    for rules, segments, end in (
        (0.25, 0.28, "28%."),
        (0.28, 0.25, "25%: the rules explain more."),
    ):
        of_value = {"rule_baseline_explained_value": rules, "segments_explained_value": segments}
        (text,) = summary.added_sentences(of_value, "spent")
        assert text.startswith("Of the variance of spent ") and text.endswith(end)

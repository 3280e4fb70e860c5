"""What the start page says, from made-up numbers."""

import numpy as np
import pandas as pd
import pytest

from segmentation import summary
from segmentation.dataset import Archetype, Feature
from segmentation.naming import Name

SPENT = Feature("spent", "spent", "Spent", "money", "EUR")
ONLINE = Feature("online", "online", "Online share", "share")
TIMES = Feature("times", "times", "Times", "number")
FEATURES = [SPENT, ONLINE, TIMES]
PATTERN = {"spent": 1, "online": -1}
THANKS = Archetype("Big spenders", PATTERN, "spend much", "Thank them.", "repeats")
MATCHED = Name(1, "Big spenders", THANKS, 0.91, "Web visitors", 0.4)
UNKNOWN = Name(2, "High spent, low online", None, 0.3, "Big spenders", 0.3)
# Effects, the segment's level, everybody's level.
PROFILE = [
    pd.Series(values, [feature.name for feature in FEATURES])
    for values in ([2.0, -1.0, 0.5], [2740.0, 0.1, 3.0], [1003.4, 0.5, 2.0])
]
SIZES = pd.DataFrame({"customers": [300, 700], "share": [0.3, 0.7]}, index=[1, 2])
SIZES = SIZES.assign(value_share=[0.8, 0.2], value_total=[80.0, 20])
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


def test_traits_strongest_first_in_their_units():
    entries = summary.traits(*PROFILE, FEATURES[::-1])
    assert [entry["text"] for entry in entries] == [
        "Spent: 2,740 EUR against 1,003 EUR on average",
        "Online share: 10% against 50% on average",
        "Times: 3 against 2 in the middle",
    ]
    assert list(entries[0].values())[:-1] == ["Spent", "money", "EUR", 2740, 1003.4, 2]


def test_a_level_on_the_other_side_of_its_effect_says_nothing():
    effects, level, overall = PROFILE
    assert summary.traits(effects * np.array([-1, 1, 1]), level, overall, [SPENT, ONLINE]) == (
        summary.traits(*PROFILE, [ONLINE])
    )


@pytest.mark.parametrize(
    ("effects", "most", "phrase"),
    [
        ([2.0, -1.0, 0.5], 2, "high spent and low online share"),
        ([2.0, -1.0, 0.5], 3, "high spent, low online share and high times"),
        ([0.9, -0.1, 0.1], 2, "high spent"),
        ([0.25, -0.2, 0.1], 2, "high spent"),
        ([0.24, -0.1, 0.1], 2, "close to the average in everything"),
        ([], 2, ""),
    ],
)
def test_traits_in_words(effects, most, phrase):
    labels = [feature.label for feature in FEATURES]
    entries = [{"label": n, "effect": e} for n, e in zip(labels, effects, strict=False)]
    assert summary.describe_traits(entries, most) == phrase


# --- advice ---------------------------------------------------------------------------------------


def advised(dataset, name, features=FEATURES, ambiguous=0.104, value_share=np.nan, sides=(1, 1, 1)):
    effects, level, overall = PROFILE
    grounds = summary.grounds_of(name, effects * np.array(sides), level, overall, features)
    size = pd.Series({"share": 0.2, "value_share": value_share})
    entries = summary.traits(*PROFILE, features)
    return summary.advice(dataset, name, size, entries, grounds, ambiguous)


def test_advice_rests_on_what_the_archetype_names(shop):
    assert advised(shop, MATCHED) == {
        "advice": "Thank them.",
        "grounds": "Rests on: Spent: 2,740 EUR against 1,003 EUR on average; "
        "Online share: 10% against 50% on average.",
        "caution": "10% of them are near the border to another segment: address the sure ones "
        "first.",
        "measure": "repeats",
    }
    against = advised(shop, MATCHED, sides=(1, -1, 1))["grounds"]
    assert "Online" not in against, "it speaks against them"
    assert advised(shop, MATCHED, [TIMES])["grounds"] == ""
    assert "too few to be described" in advised(shop, MATCHED, ambiguous=np.nan)["caution"]


@pytest.mark.parametrize(
    ("value_share", "said"),
    [(0.31, "more than"), (0.29, "about"), (0.14, "about"), (0.13, "less than")],
)
def test_an_unknown_kind_of_customer_is_told_by_what_it_is_worth(shop, value_share, said):
    given = advised(shop, UNKNOWN, value_share=value_share)
    assert given["advice"].startswith(f"They are worth {said} their number: ")
    assert "No advice is on file" in given["advice"]
    assert given["grounds"] == f"Rests on: {value_share:.0%} of spent from 20% of the clients."
    assert given["measure"] == (
        "the share that responds and spent per client, against a control group without the offer"
    )


@pytest.mark.parametrize(("value", "value_share"), [(None, np.nan), (None, -0.1), ({}, 0.5)])
def test_an_unknown_kind_of_unknown_worth_gets_no_invented_advice(make_shop, value, value_share):
    shop = make_shop() if value is None else make_shop(value=value)
    assert advised(shop, UNKNOWN, value_share=value_share) == {
        "advice": "No advice is on file for this kind of customer. Start from what sets it apart "
        "(high spent and low online share) and test one offer on a part of the list.",
        "grounds": "",
        "caution": advised(shop, MATCHED)["caution"],
        "measure": "the share that responds, against a control group without the offer",
    }
    size = pd.Series({"share": 0.2, "value_share": value_share})
    average = summary.advice(shop, UNKNOWN, size, [{"label": "Spent", "effect": 0.1}], [], 0.1)
    assert "Nothing sets it apart: ask its members" in average["advice"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (MATCHED, "Match with the pattern: 0.91 of 1; next Web visitors (0.40)."),
        (UNKNOWN, "what sets it apart. Nearest: Big spenders (0.30 of 1)."),
        (Name(1, "x", None, 0.0, "B", 0.6), "Nearest: B (0.60 of 1, given to another segment)."),
        (Name(1, "x", None, 0.0, "", 0.0), "so the name describes what sets it apart."),
    ],
)
def test_evidence(name, text):
    assert summary.evidence(name).endswith(text)


# --- the page -------------------------------------------------------------------------------------


def test_three_sentences(make_shop):
    assert summary.answer(make_shop(), SIZES, {1: "Big", 2: "Web"}, SOLUTION) == [
        "The 1,000 clients fall into 2 segments: Big and Web.",
        "Start with Big: they are 30% of the clients and make 80% of spent, while Web are 70% and "
        "make 20%.",
        "How sure: They come back.",
    ]
    without = summary.answer(make_shop(value={}), SIZES, {1: "Big", 2: "Web"}, SOLUTION)
    assert without[1] == "Start with the largest, Web: 70% of the clients."


def page(dataset, solution=SOLUTION, clustering=None):
    cards = [{"sure_share": 0.8, "share": 0.7}, {"sure_share": np.nan, "share": 0.3}]
    change = {"what": "w", "column": "c", "rows": 3, "action": "a", "note": "not shown"}
    cleaned, shown = {"generated": "g", "changes": [change]}, pd.Series({"Spent": 0.5})
    told = (dataset, solution, SIZES, cards, ["Answer."], cleaned, clustering or {}, False)
    return summary.page(*told, importance=shown, descriptors=[])


def test_the_page_has_its_sentences_in_order(make_shop):
    shop = make_shop()
    found = page(shop)
    assert found["decision"]["sentences"] == [
        "The rule chose 2 segments: largest that qualifies.",
        "Fits on two samples agree to an adjusted Rand index of 0.93. Repeated on other samples, "
        "the rule chooses 2 in 90% and 4 in 10%; the elbow alone would pick 4, the silhouette "
        "alone 2.",
    ]
    assert found["limits"] == [
        *shop.limits,
        "Stability is measured on resamples of these customers; another period may differ.",
        "20% of the clients lie near the border between two segments.",
    ], "a segment that is too small is not described"
    assert found["changes"] == [{"what": "w", "column": "c", "rows": 3, "action": "a"}]
    assert (found["customers"], found["value"]["total"]) == (1000, 100)
    assert found["importance"] == [{"label": "Spent", "value": 0.5}]
    sampled = {"evidence_customers": 900, "customers": 40_000, "evidence_ari": 0.97}
    assert "sample of 900 of 40,000 clients" in page(shop, clustering=sampled)["limits"][-2]
    by_hand = page(shop, SOLUTION | {"by_hand": True})["decision"]["sentences"]
    assert by_hand[0] == "The number of segments, 2, was set by hand."


def test_segments_no_clearer_than_those_of_data_without_groups_are_no_place_to_start(make_shop):
    for word, clearer, start in (
        ("constructed", False, "None of them"),
        ("constructed", True, "Start with"),
        ("natural", False, "Start with"),
    ):
        verdict = {"word": word, "sentence": "", "clearer": clearer}
        told = summary.answer(
            make_shop(), SIZES, {1: "Big", 2: "Small"}, SOLUTION | {"verdict": verdict}
        )
        assert told[1].startswith(start)


def test_descriptors_one_text_a_segment():
    _, level, overall = PROFILE
    club = ["yes (75%)", "yes (50%)", "yes (60%)"]
    rows = summary.descriptor_rows([SPENT], {1: level, 2: overall}, overall, {"Club": club})
    assert rows == [
        {"label": "Spent", "segments": ["2,740 EUR", "1,003 EUR"], "overall": "1,003 EUR"},
        {"label": "Club", "segments": ["yes (75%)", "yes (50%)"], "overall": "yes (60%)"},
    ]


def test_what_else_speaks_for_or_against_the_segments():
    assert summary.sensitivity_sentences(
        {"most_sensitive": "no transform", "most_sensitive_ari": 0.244}
    ) == [
        "Of all other defensible choices, this would change the segments most: no transform "
        "(agreement 0.24 of 1)."
    ]
    explained = {"rule_baseline_explained": 0.51, "segments_explained": 0.55}
    (first,) = summary.added_sentences(explained | {"rule_baseline_ari": 0.4})
    assert "explain 51%" in first and "segments 55%" in first and "agree to 0.40" in first
    assert summary.added_sentences({}) == []

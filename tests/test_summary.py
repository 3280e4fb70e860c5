"""What the start page says, from made-up numbers."""

import numpy as np
import pandas as pd
import pytest

from customer_tables.text import slug
from segmentation import summary
from segmentation.dataset import Archetype, Feature
from segmentation.naming import Name

SPENT = Feature("spent", "spent", "Spent", "money", "EUR")
ONLINE = Feature("online", "online", "Online share", "share")
TIMES = Feature("times", "times", "Times", "number")
THANKS = Archetype(
    "Big spenders", {"spent": 1, "online": -1}, "spend much", "Thank them.", "repeats"
)
MATCHED = Name(1, "Big spenders", THANKS, 0.91, "Web visitors", 0.4)
UNKNOWN = Name(2, "High spent, low online", None, 0.3, "Big spenders", 0.3)


@pytest.fixture
def profile():
    """Effects, the segment's level, everybody's level."""
    names = ["spent", "online", "times"]
    return (
        pd.Series([2.0, -1.0, 0.5], names),
        pd.Series([2740.0, 0.1, 3.0], names),
        pd.Series([1003.4, 0.5, 2.0], names),
    )


# --- file names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a", "a"],
        ["a-3", "a", "a"],
        ["A", "a!", "a-2"],
        ["東", "京", "segment"],
        ["x" * 70, "x" * 80],
    ],
)
def test_every_segment_has_its_own_file(names):
    slugs = summary.slugs(dict(enumerate(names, start=1)))
    assert len(set(slugs.values())) == len(names)
    assert slugs[1] == slug(names[0], default="segment")


# --- traits and advice ----------------------------------------------------------------------------


def test_traits_strongest_first_in_their_units(profile):
    entries = summary.traits(*profile, [TIMES, ONLINE, SPENT])
    assert [entry["text"] for entry in entries] == [
        "Spent: 2,740 EUR against 1,003 EUR on average",
        "Online share: 10% against 50% on average",
        "Times: 3 against 2 in the middle",
    ]
    assert entries[0] | {} == {
        "label": "Spent", "kind": "money", "unit": "EUR", "segment": 2740, "overall": 1003.4,
        "effect": 2, "text": entries[0]["text"],
    }  # fmt: skip
    assert len(summary.traits(*profile, [TIMES, ONLINE, SPENT], most=2)) == 2


def test_traits_in_words(profile):
    entries = summary.traits(*profile, [SPENT, ONLINE, TIMES])
    assert summary.describe_traits(entries) == "high spent and low online share"
    assert summary.describe_traits(entries, 3) == "high spent, low online share and high times"
    assert summary.describe_traits([]) == ""


def test_advice_rests_on_what_the_archetype_names(profile):
    entries = summary.traits(*profile, [SPENT, ONLINE, TIMES])
    grounds = summary.grounds_of(MATCHED, *profile, [SPENT, ONLINE, TIMES])
    assert [entry["label"] for entry in grounds] == ["Spent", "Online share"]
    assert summary.advice(MATCHED, entries, grounds, 0.104) == {
        "advice": "Thank them.",
        "grounds": "Rests on: Spent: 2,740 EUR against 1,003 EUR on average; "
        "Online share: 10% against 50% on average.",
        "caution": "10% of them are near the border to another segment: address the sure ones "
        "first.",
        "measure": "repeats",
    }


def test_what_speaks_against_the_archetype_is_no_ground(profile):
    effects, level, overall = profile
    grounds = summary.grounds_of(MATCHED, effects * [1, -1, 1], level, overall, [SPENT, ONLINE])
    assert [entry["label"] for entry in grounds] == ["Spent"]


def test_advice_without_grounds_claims_none(profile):
    entries = summary.traits(*profile, [TIMES])
    assert summary.advice(MATCHED, entries, [], 0.0)["grounds"] == ""


@pytest.mark.parametrize(
    ("worth", "said"), [(0.6, "worth more"), (0.2, "worth about"), (0.1, "worth less")]
)
def test_an_unknown_kind_of_customer_is_told_by_what_it_is_worth(profile, make_shop, worth, said):
    shop = make_shop(archetypes=[])
    by_worth = summary.by_worth(shop, pd.Series({"share": 0.2, "value_share": worth}))
    given = summary.advice(UNKNOWN, summary.traits(*profile, [SPENT, ONLINE]), [], 0.1, by_worth)
    assert f"They are {said}" in given["advice"]
    assert "No advice is on file" in given["advice"]
    assert given["grounds"].startswith(f"Rests on: {worth:.0%} of {shop.value_label} from 20%")
    assert shop.value_label in given["measure"] and "control group" in given["measure"]


def test_what_cannot_be_told_of_worth_is_not_told(make_shop):
    shop = make_shop(archetypes=[])
    assert summary.by_worth(shop, pd.Series({"share": 0.2, "value_share": np.nan})) is None
    assert summary.by_worth(shop, pd.Series({"share": 0.2, "value_share": -0.1})) is None


def test_an_unknown_kind_of_customer_gets_no_invented_advice(profile):
    assert summary.grounds_of(UNKNOWN, *profile, [SPENT]) == []
    given = summary.advice(UNKNOWN, summary.traits(*profile, [SPENT, ONLINE]), [], 0.1)
    assert given["advice"].startswith("No advice is on file")
    assert "high spent and low online share" in given["advice"]
    assert given["grounds"] == ""
    assert "control group" in given["measure"]


def test_evidence():
    assert "0.91" in summary.evidence(MATCHED)
    assert "Web visitors (0.40)" in summary.evidence(MATCHED)
    assert "No known kind" in summary.evidence(UNKNOWN)
    assert "Big spenders (0.30 of 1)" in summary.evidence(UNKNOWN)
    assert "Nearest" not in summary.evidence(Name(1, "x", None, 0.0, "", 0.0))


# --- the answer -----------------------------------------------------------------------------------


@pytest.fixture
def sizes():
    return pd.DataFrame(
        {
            "customers": [300, 700],
            "share": [0.3, 0.7],
            "value_share": [0.8, 0.2],
            "value_total": [80.0, 20],
        },
        index=[1, 2],
    )


SOLUTION = {"k": 2, "decision": {"agreement": 0.931}, "verdict": {"sentence": "They come back."}}


def test_three_sentences(make_shop, sizes):
    first, second, third = summary.answer(make_shop(), sizes, {1: "Big", 2: "Web"}, SOLUTION)
    assert first == "The 1,000 clients fall into 2 segments: Big and Web."
    assert second == (
        "Start with Big: they are 30% of the clients and make 80% of spent, while Web are 70% and "
        "make 20%."
    )
    assert "They come back." in third
    assert "0.93" in third


def test_three_sentences_without_value(make_shop, sizes):
    sentences = summary.answer(make_shop(value={}), sizes, {1: "Big", 2: "Web"}, SOLUTION)
    assert len(sentences) == 3
    assert "Web" in sentences[1]
    assert "70%" in sentences[1]


def test_descriptors_one_text_a_segment(profile):
    _, level, overall = profile
    club = ["yes (75%)", "yes (50%)", "yes (60%)"]
    rows = summary.descriptor_rows([SPENT], {1: level, 2: overall}, overall, {"Club": club})
    assert rows == [
        {"label": "Spent", "segments": ["2,740 EUR", "1,003 EUR"], "overall": "1,003 EUR"},
        {"label": "Club", "segments": ["yes (75%)", "yes (50%)"], "overall": "yes (60%)"},
    ]


def test_what_else_speaks_for_or_against_the_segments():
    numbers = {"most_sensitive": "no transform", "most_sensitive_ari": 0.244}
    assert summary.sensitivity_sentences(numbers) == [
        "Of all other defensible choices, this would change the segments most: no transform "
        "(agreement 0.24 of 1)."
    ]
    baseline = {
        "rule_baseline_explained": 0.51,
        "segments_explained": 0.55,
        "rule_baseline_ari": 0.4,
    }
    assert summary.added_sentences({}) == []
    (first,) = summary.added_sentences(baseline)
    assert "explain 51%" in first
    assert "segments 55%" in first
    assert "0.40" in first
    of_value = {"rule_baseline_explained_value": 0.2, "segments_explained_value": 0.3}
    assert "segments 30%" in summary.added_sentences(baseline | of_value)[1]


def test_formulas_in_lists_of_customers_are_made_safe_and_counted():
    export = pd.DataFrame(
        {"customer": ["=1+1", "C2", "-3"], "segment": [1, 2, 1], "segment_name": ["a", "@b", "a"]}
    )
    safe = summary.safe_export(export)
    assert safe["customer"].tolist() == ["'=1+1", "C2", "-3"]
    assert safe["segment_name"].tolist() == ["a", "'@b", "a"]
    assert summary.formula_changes(export, raw=False)["rows"] == 2
    assert "kept as they are" in summary.formula_changes(export, raw=True)["action"]
    assert summary.formula_changes(export.iloc[[2]], raw=False) == {}


def test_what_hardly_differs_is_no_trait():
    entries = [{"label": "Spent", "effect": 0.9}, {"label": "Visits", "effect": -0.1}]
    assert summary.describe_traits(entries) == "high spent"
    assert "average" in summary.describe_traits(entries[1:])


def test_a_level_on_the_other_side_of_its_effect_says_nothing(profile):
    effects, level, overall = profile
    shown = summary.traits(effects, level, overall, [SPENT])
    assert [trait["label"] for trait in shown] == ["Spent"]
    assert summary.traits(-effects, level, overall, [SPENT]) == []


def test_an_agreement_that_nearly_suffices_is_not_rounded_up_to_what_is_needed():
    decision = {"agreement": 0.8496, "needed": 0.85, "elbow": 4, "silhouette": 2}
    assert "an agreement of 0.8496 of 1 (0.85 is needed)" in summary.tell_decision(decision)
    assert "an agreement of 0.91 of 1" in summary.tell_decision(decision | {"agreement": 0.912})

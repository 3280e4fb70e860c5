"""What the start page says, from made-up numbers."""

import re

import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS

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
    ("name", "slug"),
    [("Cash-advance users", "cash-advance-users"), ("Élite & Co.", "elite-co"),
     ("../../etc/passwd", "etc-passwd"),
     ("東京", "segment"), ("", "segment"), ("...", "segment"), ("a" * 59 + " b", "a" * 59)],
)  # fmt: skip
def test_slugs_are_safe_file_names(name, slug):
    assert summary.slug(name) == slug


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_names_make_harmless_files(text):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?", summary.slug(text))


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
    assert slugs[1] == summary.slug(names[0])


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
    text = summary.advice(MATCHED, entries, grounds, 0.104)
    assert text.startswith(
        "Thank them. Rests on: Spent: 2,740 EUR against 1,003 EUR on average; Online"
    )
    assert "10% of them are near the border" in text


def test_what_speaks_against_the_archetype_is_no_ground(profile):
    effects, level, overall = profile
    grounds = summary.grounds_of(MATCHED, effects * [1, -1, 1], level, overall, [SPENT, ONLINE])
    assert [entry["label"] for entry in grounds] == ["Spent"]


def test_advice_without_grounds_has_no_empty_sentence(profile):
    entries = summary.traits(*profile, [TIMES])
    text = summary.advice(MATCHED, entries, [], 0.0)
    assert "Rests on" not in text
    assert "  " not in text


def test_an_unknown_kind_of_customer_gets_no_invented_advice(profile):
    assert summary.grounds_of(UNKNOWN, *profile, [SPENT]) == []
    text = summary.advice(UNKNOWN, summary.traits(*profile, [SPENT, ONLINE]), [], 0.1)
    assert text.startswith("No advice is on file")
    assert "high spent and low online share" in text


def test_evidence():
    assert "0.91" in summary.evidence(MATCHED)
    assert "Web visitors (0.40)" in summary.evidence(MATCHED)
    assert "No known kind" in summary.evidence(UNKNOWN)
    assert "Big spenders (0.30)" in summary.evidence(UNKNOWN)
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
    assert second == "Big are 30% of the clients and make 80% of spent; Web are 70% and make 20%."
    assert "They come back." in third
    assert "0.93" in third


def test_three_sentences_without_value(make_shop, sizes):
    sentences = summary.answer(make_shop(value={}), sizes, {1: "Big", 2: "Web"}, SOLUTION)
    assert len(sentences) == 3
    assert "Web" in sentences[1]
    assert "70%" in sentences[1]

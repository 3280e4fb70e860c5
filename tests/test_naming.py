"""Names: planted profiles get theirs, no name comes twice, and hostile labels do no harm."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS

from segmentation.dataset import Archetype, load_dataset
from segmentation.naming import MATCH_THRESHOLD, agreement_after_refits, match_score, name_segments
from segmentation.profiling import clear_sides

COLUMNS = ["spent", "ticket", "online", "visits", "rest"]


def shop_effects(*rows):
    """Effect sizes, a row a segment; segments numbered from 1."""
    return pd.DataFrame(rows, columns=COLUMNS, dtype=float).set_axis(range(1, len(rows) + 1))


def names_of(effects, dataset, clear=None):
    return [entry.name for entry in name_segments(effects, dataset, clear).values()]


@pytest.mark.parametrize(
    ("profile", "pattern", "score"),
    [
        ({"a": 1, "b": 1}, {"a": 1, "b": 1}, 1),
        ({"a": 3, "b": 3}, {"a": 1, "b": 1}, 1),  # direction, not length
        ({"a": -1, "b": -1}, {"a": 1, "b": 1}, -1),
        ({"a": 1, "b": -1}, {"a": 1, "b": 1}, 0),
        ({"a": 1, "b": 0}, {"a": 1, "b": 1}, np.sqrt(0.5)),  # 45 degrees, mean effect .5
        ({"a": 0.2, "b": 0.2}, {"a": 1, "b": 1}, 0.4),  # hardly differs: .2 of the needed .5
        ({"a": 1, "b": 1, "c": 9}, {"a": 1, "b": 1}, 1),  # what the pattern leaves open
        ({"a": 1, "b": 1}, {"a": 1, "b": 0}, np.sqrt(0.5)),  # 0 asks for the average
        ({"a": 0, "b": 0}, {"a": 1, "b": 1}, 0),
        ({"a": 0, "b": 0}, {"a": 0, "b": 0}, 1),  # the average customer
        ({"a": 0.2, "b": -0.1}, {"a": 0, "b": 0}, 0.7),
        ({"a": 2, "b": 0}, {"a": 0, "b": 0}, 0),
    ],
)
def test_match_by_hand(profile, pattern, score):
    found = match_score(pd.Series(profile, dtype=float), Archetype("x", pattern))
    assert found == pytest.approx(score)


# --- who gets which name --------------------------------------------------------------------------


def test_planted_profiles_get_their_names(shop):
    named = name_segments(shop_effects([-1, -1, 1.2, 0, 0], [2, 1.5, -1, 1, 1]), shop)
    assert {s: entry.name for s, entry in named.items()} == {1: "Web visitors", 2: "Big spenders"}
    assert named[1].archetype.advice == "Write."
    assert named[2].score == pytest.approx(3.5 / np.sqrt(2 * 6.25))
    assert named[2].runner_up == "Web visitors"
    assert named[2].runner_up_score == pytest.approx((-1 - 1.5) / np.sqrt(2 * 3.25))


STRONG, WEAK = {"spent": 1, "ticket": 0}, {"online": 1, "visits": 0}
FIRST, SECOND = {"spent": 1, "ticket": 1}, {"spent": 1, "ticket": 0.2}


@pytest.mark.parametrize(
    ("patterns", "effects", "names"),
    [
        # Both are alike; the second one more so.
        ({"Big": FIRST}, "1.5 1 0 0 0 / 1 1 0 0 0", "High spent, high ticket / Big"),
        # Alone, "first" fits segment 1 best (.97), but then segment 2 has nothing.
        ({"first": FIRST, "second": SECOND}, "1 0.6 0 0 0 / 1 1.4 0 0 0", "second / first"),
        # Summed up, (1: weak .55, 2: strong .94) beats (1: strong .95, 2: nothing). But "weak" is
        # no name for segment 1, so "strong" belongs to the segment that fits it best.
        (
            {"strong": STRONG, "weak": WEAK},
            "1 0.329 1 1.52 0 / 1 0.363 0 1 0",
            "strong / High spent, high visits",
        ),
        ({"Known": STRONG}, f"0.61 {np.sqrt(1 - 0.61**2)} 0 0 0", "Known"),
        ({"Known": STRONG}, f"0.59 {np.sqrt(1 - 0.59**2)} 0 0 0", "High ticket, high spent"),
        # A description is no archetype, though it reads like one.
        (
            {"High spent, high ticket": {"online": 1}},
            "2 1 -1 0 0 / 0 0 1 0 0",
            "High spent, high ticket, low online / High spent, high ticket",
        ),
        # What is left out says nothing; a third trait where two are taken.
        (
            {},
            "0.1 -0.5 2 0 9 / 0.3 -0.5 2 0 9",
            "High online, low ticket / High online, low ticket, high spent",
        ),
        # What hardly differs is no trait.
        ({}, "1 0.1 0 0 0 / 0.1 -0.2 0 0 0", "High spent / Average clients"),
    ],
)
def test_names(make_shop, patterns, effects, names):
    archetypes = [{"name": name, "pattern": pattern} for name, pattern in patterns.items()]
    rows = [[float(value) for value in row.split()] for row in effects.split(" / ")]
    named = name_segments(shop_effects(*rows), make_shop(archetypes=archetypes)).values()
    assert [entry.name for entry in named] == names.split(" / ")
    assert all(entry.archetype is None or entry.score >= MATCH_THRESHOLD for entry in named)


def test_two_archetypes_that_fit_alike(make_shop):
    archetypes = [{"name": name, "pattern": {"spent": 1, "ticket": 1}} for name in ("A", "B")]
    shop = make_shop(archetypes=archetypes)
    effects = shop_effects([1, 1, 0, 0, 0], [-1, -1, 0, 0, 0], [1, 1, 0, 0, 0])
    named = name_segments(effects, shop)
    assert {named[1].name, named[3].name} == {"A", "B"}
    assert named[2].archetype is None
    assert name_segments(effects, shop) == named
    assert name_segments(effects.loc[[1]], shop)[1].runner_up_score == pytest.approx(1)


@pytest.mark.parametrize("archetypes", [0, 2])
@pytest.mark.parametrize("segments", [2, 12])
def test_names_differ_whatever_there_is_to_name(make_shop, shop_content, archetypes, segments):
    shop = make_shop(archetypes=shop_content["archetypes"][:archetypes])
    shape = (segments, len(COLUMNS))
    for effects in (np.random.default_rng(segments).normal(size=shape), np.zeros(shape)):
        named = name_segments(shop_effects(*effects), shop)
        assert len({entry.name for entry in named.values()}) == segments == len(named)
        assert sum(entry.archetype is not None for entry in named.values()) <= archetypes


def test_a_description_calls_nothing_high_that_is_below_the_average(make_shop):
    # Few large values make the average of money: most of segment 1 spend more than most others.
    shop = make_shop(archetypes=[])
    features = pd.DataFrame({"spent": [50.0] * 8 + [1.0] * 6 + [400.0, 500.0], "visits": 1.0})
    features = features.assign(ticket=[9.0] * 8 + [5.0] * 8, online=0.5, rest=1.0)
    labels = pd.Series([1] * 8 + [2] * 8)
    effects = shop_effects([0.6, 0.4, 0.3, 0, 0], [-0.6, -0.4, -0.3, 0, 0])
    clear = clear_sides(features, labels, effects, [f for f in shop.features if f.name in features])
    assert clear[["spent", "ticket", "online"]].to_numpy().tolist() == [[False, True, False]] * 2
    assert names_of(effects, shop)[0] == "High spent, high ticket"
    assert names_of(effects, shop, clear) == ["High ticket", "Low ticket"]


@pytest.mark.parametrize("text", ["ATM use in EUR", *HOSTILE_TEXTS])
def test_labels_keep_their_capitals_and_hostile_ones_are_shown_in_plain(
    make_shop, shop_content, text
):
    shop_content["features"][0]["label"] = text
    shop_content["features"][1]["label"] = "Ticket at Aldi"
    shop = make_shop(archetypes=[], features=shop_content["features"])
    (name,) = names_of(shop_effects([-2, -1, 0, 0, 0]), shop)
    assert text in HOSTILE_TEXTS or name == "Low ATM use in EUR, low ticket at Aldi"
    assert len(name) < 150
    assert not any(unicodedata.category(c).startswith("C") for c in name)


def test_only_who_draws_cash_at_the_limit_is_called_high_risk():
    known = load_dataset("credit_card")
    at_the_limit = {"utilisation": 1.3, "balance": 0.9}
    at_the_limit |= {"payments_to_minimum": -0.8, "full_payment_share": -0.5}
    shopping = {"installments_per_month": 1.0, "purchases_frequency": 0.8, "oneoff_per_month": 0.1}
    cash = {"cash_advance_per_month": 0.8, "cash_advance_frequency": 0.3}
    effects = pd.DataFrame([at_the_limit | cash, at_the_limit | shopping], index=[1, 2])
    effects = effects.reindex(columns=[f.name for f in known.features]).fillna(0.0)
    assert names_of(effects, known) == ["High-risk borrowers", "Minimum-payment shoppers"]


# --- the same names after a refit -----------------------------------------------------------------


@pytest.fixture
def two_groups():
    rng = np.random.default_rng(7)
    means = np.repeat([[2, 2, 0, 0, 0], [-2, -2, 2, 0, 0]], 60, axis=0)
    table = pd.DataFrame(rng.normal(means, 0.4), columns=COLUMNS)
    standardised = (table - table.mean()) / table.std(ddof=0)
    return standardised.to_numpy()[:, :3], standardised


@pytest.mark.parametrize(
    ("names", "agreement"),
    [
        (["Big spenders"] * 60 + ["Web visitors"] * 60, 1),
        (["Web visitors"] * 60 + ["Big spenders"] * 30 + ["Web visitors"] * 30, 0.25),
    ],
)
def test_names_after_refits_agree_with_the_true_ones(two_groups, shop, names, agreement):
    found = agreement_after_refits(*two_groups, pd.Series(names), shop, resamples=4, n_init=3)
    assert found.tolist() == [agreement] * 4

"""Names: planted profiles get theirs, no name comes twice, and hostile labels do no harm."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS

from segmentation.dataset import Archetype, load_dataset
from segmentation.naming import (
    MATCH_THRESHOLD,
    agreement_after_refits,
    match_score,
    name_segments,
    score_table,
)
from segmentation.profiling import clear_sides


def effects_of(**columns):
    """Effect sizes, a column per feature; segments numbered from 1."""
    table = pd.DataFrame(columns, dtype=float)
    return table.set_axis(range(1, len(table) + 1))


def shop_effects(*rows):
    return pd.DataFrame(
        rows, columns=["spent", "ticket", "online", "visits", "rest"], dtype=float
    ).set_axis(range(1, len(rows) + 1))


# --- how well a profile fits ----------------------------------------------------------------------


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


def test_no_name_comes_twice(shop):
    # Both are big spenders; the second one more so.
    named = name_segments(shop_effects([1.5, 1, 0, 0, 0], [1, 1, 0, 0, 0], [-1, -1, 1, 0, 0]), shop)
    assert [named[s].name for s in (1, 2, 3)] == [
        "High spent, high ticket",
        "Big spenders",
        "Web visitors",
    ]
    assert named[1].archetype is None
    assert named[1].runner_up == "Big spenders"


def test_the_best_total_wins_over_the_best_first_pick(make_shop):
    # Alone, "first" fits segment 1 best (.97), but then segment 2 has nothing.
    archetypes = [
        {"name": "first", "pattern": {"spent": 1, "ticket": 1}},
        {"name": "second", "pattern": {"spent": 1, "ticket": 0.2}},
    ]
    shop = make_shop(archetypes=archetypes)
    named = name_segments(shop_effects([1, 0.6, 0, 0, 0], [1, 1.4, 0, 0, 0]), shop)
    assert [named[1].name, named[2].name] == ["second", "first"]


def test_a_match_too_weak_for_a_name_takes_nobody_elses(make_shop):
    # Summed up, (1: weak .55, 2: strong .94) beats (1: strong .95, 2: nothing). But "weak" is no
    # name for segment 1, so "strong" belongs to the segment that fits it best.
    strong, weak = {"spent": 1, "ticket": 0}, {"online": 1, "visits": 0}
    shop = make_shop(archetypes=[
        {"name": "strong", "pattern": strong}, {"name": "weak", "pattern": weak}])  # fmt: skip
    first = [1, 0.329, 1, 1.52, 0]
    second = [1, 0.363, 0, 1, 0]
    scores = score_table(shop_effects(first, second), shop.archetypes)
    assert scores.loc[1, "strong"] > scores.loc[2, "strong"] > MATCH_THRESHOLD
    assert 0.5 < scores.loc[1, "weak"] < MATCH_THRESHOLD
    named = name_segments(shop_effects(first, second), shop)
    assert named[1].name == "strong"
    assert named[2].archetype is None


@pytest.mark.parametrize(("score", "matched"), [(0.61, True), (0.59, False)])
def test_a_weak_profile_gets_a_description(make_shop, score, matched):
    shop = make_shop(archetypes=[{"name": "Known", "pattern": {"spent": 1, "ticket": 0}}])
    named = name_segments(shop_effects([score, np.sqrt(1 - score**2), 0, 0, 0]), shop)
    assert (named[1].archetype is not None) == matched
    assert named[1].name == ("Known" if matched else "High ticket, high spent")
    assert named[1].score == pytest.approx(score)


def test_two_archetypes_that_fit_alike(make_shop):
    archetypes = [{"name": name, "pattern": {"spent": 1, "ticket": 1}} for name in ("A", "B")]
    effects = shop_effects([1, 1, 0, 0, 0], [-1, -1, 0, 0, 0], [1, 1, 0, 0, 0])
    named = name_segments(effects, make_shop(archetypes=archetypes))
    assert {named[1].name, named[3].name} == {"A", "B"}
    assert named[2].archetype is None
    alone = name_segments(effects.loc[[1]], make_shop(archetypes=archetypes))
    assert alone[1].name in ("A", "B")
    assert alone[1].runner_up_score == pytest.approx(1)
    assert name_segments(effects, make_shop(archetypes=archetypes)) == named


@pytest.mark.parametrize("archetypes", [0, 1, 2])
@pytest.mark.parametrize("segments", [2, 5, 12])
def test_names_differ_whatever_there_is_to_name(make_shop, shop_content, archetypes, segments):
    shop = make_shop(archetypes=shop_content["archetypes"][:archetypes])
    rng = np.random.default_rng(segments)
    for effects in (
        rng.normal(size=(segments, 5)),
        np.zeros((segments, 5)),
        np.ones((segments, 5)),
    ):
        named = name_segments(shop_effects(*effects), shop)
        assert len({entry.name for entry in named.values()}) == segments == len(named)
        assert sum(entry.archetype is not None for entry in named.values()) <= archetypes
        if not archetypes:
            assert {entry.runner_up for entry in named.values()} == {""}


def test_a_description_is_no_archetype_though_it_reads_like_one(make_shop):
    archetypes = [{"name": "High spent, high ticket", "pattern": {"online": 1}, "advice": "Wrong."}]
    named = name_segments(
        shop_effects([2, 1, -1, 0, 0], [0, 0, 1, 0, 0]), make_shop(archetypes=archetypes)
    )
    assert named[2].name == "High spent, high ticket"
    assert named[1].archetype is None
    assert named[1].name != named[2].name


def test_a_description_names_what_sets_apart_most(make_shop):
    shop = make_shop(archetypes=[])
    named = name_segments(shop_effects([0.1, -0.5, 2, 0, 9], [0.3, -0.5, 2, 0, 9]), shop)
    assert named[1].name == "High online, low ticket"  # what is left out says nothing
    assert named[2].name == "High online, low ticket, high spent"


def test_a_description_calls_nothing_high_that_is_below_the_average(make_shop):
    # Few large values make the average of money: most of segment 1 spend more than most others.
    shop = make_shop(archetypes=[])
    features = pd.DataFrame({"spent": [50.0] * 8 + [1.0] * 6 + [400.0, 500.0], "visits": 1.0})
    features = features.assign(ticket=[9.0] * 8 + [5.0] * 8, online=0.5, rest=1.0)
    labels = pd.Series([1] * 8 + [2] * 8)
    effects = shop_effects([0.6, 0.4, 0.3, 0, 0], [-0.6, -0.4, -0.3, 0, 0])
    chosen = [f for f in shop.features if f.name in features]
    clear = clear_sides(features, labels, effects, chosen)
    assert clear[["spent", "ticket", "online"]].to_numpy().tolist() == [[False, True, False]] * 2
    assert name_segments(effects, shop)[1].name == "High spent, high ticket"
    assert name_segments(effects, shop, clear)[1].name == "High ticket"
    assert name_segments(effects, shop, clear)[2].name == "Low ticket"


def test_labels_keep_their_capitals(make_shop, shop_content):
    shop_content["features"][0]["label"] = "ATM use in EUR"
    shop_content["features"][1]["label"] = "Ticket at Aldi"
    shop = make_shop(archetypes=[], features=shop_content["features"])
    named = name_segments(shop_effects([-2, -1, 0, 0, 0]), shop)
    assert named[1].name == "Low ATM use in EUR, low ticket at Aldi"


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_labels_are_shown_in_plain(make_shop, shop_content, text):
    shop_content["features"][0]["label"] = text
    shop = make_shop(archetypes=[], features=shop_content["features"])
    name = name_segments(shop_effects([2, 1, 0, 0, 0]), shop)[1].name
    assert len(name) < 150
    assert not any(unicodedata.category(c).startswith("C") for c in name)


# --- the same names after a refit -----------------------------------------------------------------


@pytest.fixture
def two_groups():
    rng = np.random.default_rng(7)
    big = rng.normal([2, 2, 0, 0, 0], 0.4, (60, 5))
    web = rng.normal([-2, -2, 2, 0, 0], 0.4, (60, 5))
    standardised = pd.DataFrame(
        np.vstack([big, web]), columns=["spent", "ticket", "online", "visits", "rest"]
    )
    standardised = (standardised - standardised.mean()) / standardised.std(ddof=0)
    return standardised.to_numpy()[:, :3], standardised


def test_clear_groups_keep_their_names(two_groups, shop):
    names = pd.Series(["Big spenders"] * 60 + ["Web visitors"] * 60)
    agreement = agreement_after_refits(*two_groups, names, shop, resamples=4, n_init=3)
    assert agreement.tolist() == [1, 1, 1, 1]


def test_wrong_names_are_noticed(two_groups, shop):
    names = pd.Series(["Web visitors"] * 60 + ["Big spenders"] * 30 + ["Web visitors"] * 30)
    agreement = agreement_after_refits(*two_groups, names, shop, resamples=4, n_init=3)
    assert agreement.tolist() == [0.25] * 4


def test_names_follow_customers_through_a_shuffle(two_groups, shop):
    from segmentation.kmeans import fit_kmeans

    matrix, standardised = two_groups

    def names(rows):
        labels = pd.Series(fit_kmeans(matrix[rows], 2, n_init=3, seed=1).labels)
        table = standardised.iloc[rows].reset_index(drop=True)
        named = name_segments(table.groupby(labels).mean(), shop)
        return labels.map({s: entry.name for s, entry in named.items()}).set_axis(rows).sort_index()

    shuffled = np.random.default_rng(1).permutation(120)
    assert names(np.arange(120)).equals(names(shuffled))


def test_only_who_draws_cash_at_the_limit_is_called_high_risk():
    known = load_dataset("credit_card")
    at_the_limit = {"utilisation": 1.3, "balance": 0.9, "payments_to_minimum": -0.8,
                    "full_payment_share": -0.5}  # fmt: skip
    shopping = {"installments_per_month": 1.0, "purchases_frequency": 0.8, "oneoff_per_month": 0.1}
    cash = {"cash_advance_per_month": 0.8, "cash_advance_frequency": 0.3}
    effects = pd.DataFrame([at_the_limit | cash, at_the_limit | shopping], index=[1, 2])
    effects = effects.reindex(columns=[f.name for f in known.features]).fillna(0.0)
    names = {segment: entry.name for segment, entry in name_segments(effects, known).items()}
    assert names == {1: "High-risk borrowers", 2: "Minimum-payment shoppers"}


def test_a_description_leaves_out_what_hardly_differs(make_shop):
    shop = make_shop(archetypes=[])
    named = name_segments(shop_effects([1, 0.1, 0, 0, 0], [0.1, -0.2, 0, 0, 0]), shop)
    assert [entry.name for entry in named.values()] == ["High spent", f"Average {shop.nouns}"]

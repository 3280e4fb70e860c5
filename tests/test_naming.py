"""Names: planted profiles get theirs, no name comes twice, and hostile labels do no harm."""

import unicodedata
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from planted import TEXTS as HOSTILE_TEXTS

from segmentation.conditions import Customers, Members
from segmentation.dataset import Archetype
from segmentation.naming import (
    MATCH_THRESHOLD,
    agreement_after_refits,
    contradicted,
    match_score,
    name_segments,
)

COLUMNS = ["spent", "ticket", "online", "visits", "rest"]


def shop_effects(*rows):
    """Effect sizes, a row a segment; segments numbered from 1."""
    return pd.DataFrame(rows, columns=COLUMNS, dtype=float).set_axis(range(1, len(rows) + 1))


def members_of(effects, dataset, levels=None):
    """Two customers a segment, whose features are the segment's effect, or its given level."""
    labels = np.repeat(effects.index, 2)
    features = (effects if levels is None else levels).loc[labels].reset_index(drop=True)
    customers = pd.DataFrame(index=features.index)
    return Members(Customers(dataset, customers, features), labels)


def named(effects, dataset, levels=None):
    return name_segments(effects, dataset, members_of(effects, dataset, levels))


def names_of(effects, dataset, levels=None):
    return [entry.name for entry in named(effects, dataset, levels).values()]


def archetype(name, pattern, when="mean(spent) == mean(spent)"):
    return {"name": name, "pattern": pattern, "when": when}


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
        ({"a": 0.2, "b": -0.1}, {"a": 0, "b": 0}, 0.91),  # 1 less the square of .3
        ({"a": 2, "b": 0}, {"a": 0, "b": 0}, 0),
        ({"a": 0.5, "b": 0}, {"a": 1, "b": 0}, 1),  # an average feature blurs no difference
    ],
)
def test_match_by_hand(profile, pattern, score):
    found = match_score(pd.Series(profile, dtype=float), Archetype("x", pattern, ""))
    assert found == pytest.approx(score)


def test_a_general_archetype_matches_as_far_as_it_says_what_sets_a_segment_apart(make_shop):
    profile = pd.Series({"a": 0.9, "b": -1.2})
    known, general = (Archetype("x", {"a": 1}, "", general=is_so) for is_so in (False, True))
    assert match_score(profile, known) == pytest.approx(1)
    assert match_score(profile, general) == pytest.approx(0.75)
    kinds = [archetype("Spent", {"spent": 1}), archetype("Online", {"online": 1})]
    effects = shop_effects([0.6, 0, 1.1, 0, 0], [-0.3, 0, -0.55, 0, 0])
    for kind in kinds:  # the one that is not general goes first: it says half as much
        others = [{**other, "general": other is not kind} for other in kinds]
        assert names_of(effects, make_shop(archetypes=others))[0] == kind["name"]
    effects["spent"] /= 2
    general = [{**kind, "general": kind is kinds[1]} for kind in kinds]
    assert names_of(effects, make_shop(archetypes=general))[0] == "Online"


@pytest.mark.parametrize(
    ("profile", "pattern", "against"),
    [
        ({"a": 1, "b": -0.24}, {"a": 1, "b": 1}, False),  # not notable
        ({"a": 1, "b": -0.25}, {"a": 1, "b": 1}, True),
        ({"a": 1, "b": 0.25}, {"a": 1, "b": -0.1}, True),  # a sign is a sign
        ({"a": 1, "b": -9}, {"a": 1, "b": 0}, False),  # 0 has none
        ({"a": 1, "c": -9}, {"a": 1}, False),
    ],
)
def test_signs_that_contradict(profile, pattern, against):
    assert contradicted(pd.Series(profile), Archetype("x", pattern, "")) is against


def test_planted_profiles_get_their_names(shop):
    found = named(shop_effects([-1, -1, 1.2, 0, 0], [2, 1.5, -1, 1, 1]), shop)
    assert {s: entry.name for s, entry in found.items()} == {1: "Web visitors", 2: "Big spenders"}
    assert found[2].score == pytest.approx(3.5 / np.sqrt(2 * 6.25))
    assert found[2].runner_up == "Web visitors"
    assert found[2].runner_up_score == pytest.approx((-1 - 1.5) / np.sqrt(2 * 3.25))
    assert found[2].name.condition == "share(spent >= 0) > 0.5"


STRONG, WEAK = {"spent": 1, "ticket": 0}, {"online": 1, "visits": 0}
FIRST, SECOND = {"spent": 1, "ticket": 1}, {"spent": 1, "ticket": 0.2}


@pytest.mark.parametrize(
    ("patterns", "effects", "names"),
    [
        # Both are alike; the second one more so.
        ({"Big": FIRST}, "1.5 1 0 0 0 / 1 1 0 0 -0.5", "Big: highest spent / Big"),
        ({"Big": FIRST}, "1.5 1 0 0 0 / 1 1.5 0 0 0", "Big: highest spent / Big: highest ticket"),
        # Alone, "first" fits segment 1 best (.97), but then segment 2 has nothing.
        # Both names fit both, so the one that can says what sets it apart.
        (
            {"first": FIRST, "second": SECOND},
            "1 0.6 0 0 0 / 1 1.4 0 0 0",
            "second / first: highest ticket",
        ),
        # Summed up, (1: weak .55, 2: strong .94) beats (1: strong .95, 2: nothing). But "weak" is
        # no name for segment 1, so "strong" belongs to the segment that fits it best.
        (
            {"strong": STRONG, "weak": WEAK},
            "1 0.329 1 1.52 0 / 1 0.363 0 1 0",
            "strong: highest visits / strong: highest ticket",
        ),
        ({"Known": STRONG}, f"0.61 {np.sqrt(1 - 0.61**2)} 0 0 0 / 0 0 0 0 0", "Known / Average"),
        (
            {"Known": STRONG},
            f"0.59 {np.sqrt(1 - 0.59**2)} 0 0 0 / 0 0 0 0 0",
            "Highest ticket / Average",
        ),
        # A description is no archetype, though it reads like one.
        (
            {"Highest spent": {"online": 1}},
            "2 1 -1 0 0 / 0 0 1 0 0",
            "Highest ticket / Highest spent",
        ),
        # What is left out says nothing.
        ({}, "0.1 0 2 0 9 / 0.1 0 0 0 -9", "Highest online / Average"),
        # What hardly differs is no trait.
        ({}, "1 0.1 0 0 0 / 0.1 -0.2 0 0 0", "Highest spent / Average"),
        # High and low are not enough: who is neither first nor last is described by neither.
        ({}, "2 0 1 0 0 / 1 0 0 0 0 / 0 0 2 0 0", "Highest spent / Other / Highest online"),
        # Most and least of the same are two different things to say.
        (
            {},
            "2 1 0 -0.5 0 / -2 -1 0 0.5 0",
            "Highest spent / Lowest spent",
        ),
        ({}, "2 1 0 0 0 / -2 -1 0 0 0", "Highest spent / Lowest spent"),
        ({}, "2 0 0 0 0 / -2 0 0 0 0", "Highest spent / Lowest spent"),
        # A name that says average is not all there is to say of who has most of something.
        (
            {"Mid": {"spent": 0}},
            "0.3 0 2 0 0 / 2 0 -1 0 0 / -2 0 -1 0 0",
            "Mid: highest online / Highest spent / Lowest spent",
        ),
        # What only describes belongs to no kind, and differs from sample to sample.
        (
            {"Mid": {"spent": 0}},
            "0.3 0 0 2 0 / 2 0 0 -1 0 / -2 0 0 -1 0",
            "Mid / Highest spent / Lowest spent",
        ),
        # Who shares the most and least of everything is told from the others by two things.
        (
            {},
            "1 1 0 0 0 / 1 -1 0 0 0 / -1 1 0 0 0 / -1 -1 0 0 0",
            "High spent, high ticket / High spent, low ticket"
            " / Low spent, high ticket / Low spent, low ticket",
        ),
        (
            {},
            "2 0 0 0 0 / 0 0.5 0 0 0 / -2 0.5 0 0 0",
            "Highest spent / Middling spent / Lowest spent",
        ),
        # What is shared, or nearly so, sets neither apart.
        ({}, "1 1 0 0 0 / 1 0.96 0 0 0 / -2 -2 0 0 0", "Other / Other clients (2) / Lowest spent"),
        ({}, "1 1 0 0 0 / 1 0.9 0 0 0 / -2 -2 0 0 0", "Highest ticket / Other / Lowest spent"),
    ],
)
def test_names(make_shop, patterns, effects, names):
    shop = make_shop(archetypes=[archetype(*entry) for entry in patterns.items()])
    rows = [[float(value) for value in row.split()] for row in effects.split(" / ")]
    found = named(shop_effects(*rows), shop).values()
    assert [entry.name.removesuffix(" clients") for entry in found] == names.split(" / ")
    assert all(entry.archetype is None or entry.score >= MATCH_THRESHOLD for entry in found)


@pytest.mark.parametrize(
    ("when", "effects", "name", "obstacle"),
    [
        ("median(spent) >= 2", [2, 1.5, 0, 0, 0], "Big", ""),
        ("median(spent) > 2", [2, 1.5, 0, 0, 0], "Highest spent", "condition"),
        ("mean(spent) > mean_all(spent)", [2, 1.5, 0, 0, 0], "Big", ""),
        ("mean(spent) > mean_all(spent)", [2, -0.25, 0, 0, 0], "Highest spent", "contradicted"),
        ("mean(spent) > mean_all(spent)", [0.3, -0.9, 0, 0, 0], "Lowest ticket", "too weak"),
    ],
)
def test_a_name_needs_its_condition_and_nothing_against_it(
    make_shop, when, effects, name, obstacle
):
    shop = make_shop(archetypes=[archetype("Big", {"spent": 1, "ticket": 0.1}, when)])
    found = named(shop_effects(effects, [-1, -0.5, 0, 0, 0]), shop)[1]
    assert found.name.startswith(name)
    assert obstacle in found.obstacle and bool(obstacle) == bool(found.obstacle)


def test_the_next_best_name_is_given_where_the_best_does_not_hold(make_shop):
    best = archetype("Best", {"spent": 1, "ticket": 1}, "mean(spent) > 5")
    shop = make_shop(archetypes=[best, archetype("Next", {"spent": 1, "ticket": 0.5})])
    (found,) = named(shop_effects([2, 2, 0, 0, 0]), shop).values()
    assert (found.name, found.runner_up) == ("Next", "Best")


def test_two_archetypes_that_fit_alike(make_shop):
    pattern = {"spent": 1, "ticket": 1}
    shop = make_shop(archetypes=[archetype("A", pattern), archetype("B", pattern)])
    effects = shop_effects([1, 1, 0, 0, 0], [-1, -1, 0, 0, 0], [1, 1, 0, 0, 0])
    found = named(effects, shop)
    assert {found[1].name, found[3].name} == {"A", "B"}
    assert found[2].archetype is None
    assert named(effects, shop) == found
    assert named(effects.loc[[1]], shop)[1].runner_up_score == pytest.approx(1)
    third = named(shop_effects(*[[1, 1, 0, 0, 0]] * 3), shop)
    assert [entry.obstacle for entry in third.values() if not entry.archetype] == [
        "given to another segment"
    ]


@pytest.mark.parametrize(
    ("others", "name"),
    [
        ([9, 9, 40], "Highest spent"),
        ([90, 90, 400], "Highest ticket"),  # the mean of another segment is higher
        ([60, 60, 1], "Highest ticket"),  # the highest mean, and a median below everybody's
    ],
)
def test_a_description_calls_nothing_highest_that_most_members_have_little_of(
    make_shop, others, name
):
    shop = make_shop(archetypes=[])
    own = [50.0, 50.0, 500.0] if others[1] == 60 else [50.0, 50.0, 56.0]
    features = pd.DataFrame({"spent": [*own, *others], "ticket": [3.0] * 3 + [1.0] * 3})
    features = features.assign(online=0.0, visits=0.0, rest=0.0)
    labels = np.repeat([1, 2], 3)
    effects = shop_effects([0.6, 0.4, 0, 0, 0], [-0.6, -0.4, 0, 0, 0])
    members = Members(Customers(shop, pd.DataFrame(index=features.index), features), labels)
    assert name_segments(effects, shop, members)[1].name.split(",")[0] == name


def test_years_on_the_calendar_are_told_from_each_other_by_years(make_shop):
    shop = make_shop(archetypes=[])
    years = [replace(f, unit="year" if f.name == "visits" else f.unit) for f in shop.features]
    effects = shop_effects([0, 0, 0, 1, 0], [0, 0, 0, -1, 0], [0, 0, 0, 0.9, 0])
    levels = effects.assign(visits=[1998.0, 1960.0, 1984.0])
    names = names_of(effects, replace(shop, features=tuple(years)), levels)
    assert names == ["Latest visits", "Earliest visits", "Other clients"]
    effects = shop_effects(*([spent, 0, 0, year, 0] for year in (2, -2) for spent in (1, -1)))
    levels = effects.assign(visits=[1990.0, 1991.0, 1960.0, 1960.0])
    names = names_of(effects, replace(shop, features=tuple(years)), levels)
    assert sorted(names) == sorted(
        f"{spent} spent, {year} visits" for year in ("late", "early") for spent in ("High", "Low")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ATM use in EUR", "Lowest ATM use in EUR"),
        ("Cc3 use", "Lowest ticket at Aldi"),  # what is a word comes first
        *((text, "") for text in HOSTILE_TEXTS),
    ],
)
def test_labels_keep_their_capitals_and_hostile_ones_are_shown_in_plain(
    make_shop, shop_content, text, expected
):
    shop_content["features"][0]["label"] = text
    shop_content["features"][1]["label"] = "Ticket at Aldi"
    shop = make_shop(archetypes=[], features=shop_content["features"])
    name, _ = names_of(shop_effects([-2, -1, 0, 0, 0], [0, 0, 0, 0, 0]), shop)
    assert expected in ("", name)
    assert len(name) < 150
    assert not any(unicodedata.category(c).startswith("C") for c in name)


@pytest.fixture
def two_groups():
    rng = np.random.default_rng(7)
    means = np.repeat([[2, 2, 0, 0, 0], [-2, -2, 2, 0, 0]], 60, axis=0)
    table = pd.DataFrame(rng.normal(means, 0.4), columns=COLUMNS)
    standardised = (table - table.mean()) / table.std(ddof=0)
    return standardised.to_numpy()[:, :3], standardised


def refits_of(matrix, standardised, names, dataset, resamples):
    nothing = pd.DataFrame(index=standardised.index)
    customers = Customers(dataset, nothing, standardised)
    said = (matrix, standardised, pd.Series(names), dataset, customers)
    return agreement_after_refits(*said, resamples=resamples, n_init=3)


BIG = archetype("Big", {"spent": 1, "ticket": 1})
SMALL = archetype("Small", {"spent": -1, "ticket": -1})


def test_a_refit_is_fitted_to_its_sample_only(make_shop):
    """Samples of a mass without groups put the boundary elsewhere; a fit of everybody would not."""
    table = pd.DataFrame(0.0, index=range(200), columns=COLUMNS)
    table["spent"] = table["ticket"] = np.linspace(-2, 2, 200)
    shop = make_shop(archetypes=[BIG, SMALL])
    names = np.where(table["spent"] > 0, "Big", "Small")
    found = refits_of(table.to_numpy(), table, names, shop, resamples=10)
    assert len(set(found)) > 3 and 0.8 < found.min() < 1


def test_a_refit_is_named_by_its_sample_only(two_groups, make_shop):
    """Half of the first group spend more than the cut; in some samples it is fewer."""
    matrix, standardised = two_groups
    big = BIG | {"when": f"share(spent > {standardised['spent'][:60].median()}) >= 0.5"}
    names, shop = ["Big"] * 60 + ["Small"] * 60, make_shop(archetypes=[big, SMALL])
    found = refits_of(matrix, standardised, names, shop, resamples=20)
    assert set(found) == {0.5, 1}

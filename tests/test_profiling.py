"""Profiles: sizes and value, effect sizes, typical customers, categories, rules; by hand."""

import numpy as np
import pandas as pd
import pytest

from segmentation import profiling
from segmentation.dataset import Feature

LABELS, NAMES = pd.Series([1] * 100 + [2] * 100 + [3] * 100), {1: "x", 2: "y", 3: "z", 4: "none"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("labels", "values", "sizes", "shares"),
    [
        ([1, 1, 1, 2], [10.0, 20, 0, 70], [3, 1], [0.3, 0.7]),
        ([1, 2, 2], [4.0, 3, 3], [1, 2], [0.4, 0.6]),
        ([1, 1, 2, 2], [0.0] * 4, [2, 2], [0, 0]),
        ([1, 1, 2, 2], [-1.0, -2, -3, 4], [2, 2], [0, 0]),
        ([1, 1, 2, 2], [5.0, 7, -1, -1], [2, 2], [1.2, -0.2]),
    ],
)
def test_what_segments_are_worth(labels, values, sizes, shares):
    amounts = pd.DataFrame({"spent": values, "debt": values[::-1]})
    tables = profiling.worth(pd.Series(labels), amounts)
    assert list(tables) == ["spent", "debt"]
    table = tables["spent"]
    assert table["share"].tolist() == shares
    assert table["mean"][1] == np.mean(values[: sizes[0]])
    assert table["median"][1] == np.median(values[: sizes[0]])
    assert tables["debt"]["total"].sum() == pytest.approx(table["total"].sum())
    assert table[["low", "high"]].isna().all(axis=None), "no interval was computed"


def test_an_interval_lies_around_the_share_and_inside_0_and_1():
    labels = pd.Series(np.repeat([1, 2], [300, 700]))
    half_widths = pd.DataFrame({"spent": {1: 0.1, 2: 0.4}})
    table = profiling.worth(labels, pd.DataFrame({"spent": np.ones(1000)}), half_widths)["spent"]
    bounds = table[["low", "high"]].to_numpy()
    assert bounds == pytest.approx(np.array([[0.2, 0.4], [0.3, 1.0]]))


def test_quartiles_in_the_order_of_the_features():
    features = pd.DataFrame({"z": [1.0, 2, 3, 10], "a": [0.0, 0, 0, 4]})
    table = profiling.summaries(features, pd.Series([1, 1, 1, 2]))
    assert table.index.tolist() == [(s, f) for s in (1, 2, "all") for f in ("z", "a")]
    expected = [[1.5, 2, 2.5], [0, 0, 0], [10] * 3, [4] * 3, [1.75, 2.5, 4.75], [0, 0, 1]]
    assert table.to_numpy().tolist() == expected


def test_effects_are_means_of_standard_scores_that_ignore_rounding():
    values = {"x": [0.0, 2], "y": [0.0, np.e - 1], "z": [5.0, 5]}
    chosen = [Feature("x", "x"), Feature("y", "y", transform="yeo-johnson"), Feature("z", "z")]
    scores = profiling.standardise_evenly(pd.DataFrame(values), chosen)
    assert scores.to_dict("list") == {"x": [-1, 1], "y": [-1, 1], "z": [0, 0]}
    effects = profiling.effect_sizes(pd.DataFrame({"x": [-1.0, 1, 2]}), pd.Series([1, 1, 2]))
    assert effects["x"].tolist() == [0, 2]
    for value in (0.1, 1 / 3, 1e9 + 0.1):
        constant = pd.DataFrame({"x": [value] * 8_951})
        assert (profiling.standardise_evenly(constant, chosen[:1]) == 0).all(axis=None)


def test_markers_reach_a_quarter_of_the_largest_difference():
    effects = pd.DataFrame({"x": [2.0, 0.5], "y": [-0.5, -0.49]}, index=[1, 2])
    assert profiling.marker_variables(effects).to_numpy().tolist() == [[True, True], [True, False]]
    effects.loc[1, "x"] = -5.71
    marked = profiling.marker_variables(effects)
    assert marked.to_numpy().tolist() == [[True, True], [True, False]], "an extreme one hides none"


# A skewed column of each kind: the mean is 3, the median 1.
@pytest.mark.parametrize("kind", ["money", "count", "share", "months", "number", "yes_no"])
def test_what_is_called_average_is_a_mean_and_what_is_called_median_a_median(kind):
    feature = Feature("x", "x", kind=kind)
    level = profiling.levels(pd.DataFrame({"x": [0.0, 1, 8]}), [feature])["x"]
    assert level == {"average": 3, "median": 1}[profiling.statistic(feature)]


@pytest.mark.parametrize(
    ("seconds", "near", "first", "tie"),
    [
        ({2: 40, 3: 10}, 50, 2, False),
        ({2: 26, 3: 24}, 50, 2, True),
        ({2: 25, 3: 25}, 50, 2, True),
        # 1.96 standard errors of the difference are 13.3 of 50
        ({2: 32, 3: 18}, 50, 2, False),
        ({2: 31, 3: 19}, 50, 2, True),
        ({3: 12}, 12, 3, False),
        ({2: 9}, 9, None, None),
        ({}, 0, None, None),
    ],
)
def test_leaning_is_counted_among_members_near_a_boundary_only(seconds, near, first, tie):
    """Far from any boundary, 500 members of the segment have another second choice."""
    choices = [segment for segment, count in seconds.items() for _ in range(count)]
    assigned = pd.DataFrame(
        {"ratio": [0.9] * near + [0.1] * 500, "second_choice": [*choices] + [4] * 500}
    )
    row = profiling.leaning(assigned, pd.Series(1, index=assigned.index)).loc[1]
    assert row["near"] == near
    if first is None:
        assert pd.isna(row["first"])
    else:
        tied = row["first_share"] - row["second_share"] <= 1.96 * row["error"]
        assert (row["first"], tied) == (first, tie)


def test_what_follows_from_segmenting_features_is_not_independent(make_shop, shop_content):
    """Of three profiling variables, one shares a column, one follows from two features."""
    rng = np.random.default_rng(1)
    columns = {name: {"kind": "count", "label": name} for name in ("total", "apart")}
    features = [{"name": f"of {name}", "formula": name, "role": "describe"} for name in columns]
    features.append({"name": "squared", "formula": "spent * spent", "role": "describe"})
    features = [*({"name": n, "formula": n} for n in ("spent", "visits")), *features]
    shop = make_shop(columns=shop_content["columns"] | columns, features=features, archetypes=[])
    table = pd.DataFrame(rng.normal(size=(300, 5)), columns=[f.name for f in shop.features])
    table["of total"] = table["spent"] + table["visits"] + rng.normal(size=300)
    spent, visits = (shop.column(name).label for name in ("spent", "visits"))
    assert profiling.formed_with(shop, table) == {spent, visits, "of total", "squared"}


@pytest.mark.parametrize(("customers", "median"), [(200, 9.5), (30, 4.5), (9, None)])
def test_the_typical_customer_is_a_core_of_many(customers, median):
    # The nearest tenth, or ten where that is more; nobody where there are fewer than ten.
    order = pd.Series(np.arange(float(customers)))
    typical = profiling.typical_customers(order.to_frame("x"), order * 0 + 1, order)
    assert typical.loc[1].replace(np.nan, None).to_list() == [median]


def test_who_is_near_a_boundary():
    away = np.array([[1.0, 4, 2], [3, 3, 9], [5, 0, 1], [0, 0, 0]])
    assert profiling.share_near_boundary(away) == 0.25, "(0, 0) lies on no boundary, (3, 3) does"


@pytest.mark.parametrize(
    ("values", "kind", "name", "words"),
    [
        ([0, 1, 1], "yes_no", "", ["no", "yes", "yes"]),
        ([True, False, True], "yes_no", "", ["yes", "no", "yes"]),
        ([1.0, 0.0, None], "yes_no", "married", ["yes", "no", None]),
        ([0, 1, None], "yes_no", "Sex", ["0", "1", None]),  # codes that answer no question
        ([0.0, 1.0, 1.0], "yes_no", "marital_status", ["0", "1", "1"]),
        ([0, 1, 1], "yes_no", "response", ["no", "yes", "yes"]),
        (["Existing", "Left", " "], "yes_no", "", ["Existing", "Left", None]),
        ([1.0, 2.0, None], "category", "", ["1", "2", None]),
        (pd.to_datetime(["2012-07-30", "2013-01-01", None]), "date", "", ["2012", "2013", None]),
    ],
)
def test_descriptors_become_words(values, kind, name, words):
    found = profiling.as_words(pd.Series(values), kind, name)
    assert found.dtype == "str"
    assert found.astype("object").where(found.notna(), None).to_list() == words


def answers_of(*counts):
    """A hundred answers of each segment."""
    return pd.Series(list("".join(answer * n for each in counts for answer, n in each.items())))


def test_what_few_answered_is_merged_and_cannot_be_computed_from_the_rest():
    answers = answers_of({"a": 85, "b": 9, "r": 6}, {"a": 70, "b": 28, "r": 2}, {"a": 100})
    table = profiling.composition(answers, LABELS, NAMES)
    assert list(table) == ["a", "other"], "eight are too few for a column of their own"
    assert table.loc["everybody"].to_list() == pytest.approx([255 / 300, 45 / 300])
    assert table.loc["x"].to_list() == pytest.approx([0.85, 0.15])
    few = answers_of({"a": 91, "b": 9}, {"a": 70, "b": 30}, {"a": 100})
    assert profiling.composition(few, LABELS, NAMES)[:2].isna().all(axis=None)


@pytest.mark.parametrize(
    ("a", "b", "leaders"),
    [
        ("a", "b", ["a (over 90%)", "–", "a (40%)", "–", "a (55%)"]),
        ("no", "yes", ["yes (under 10%)", "–", "yes (60%)", "–", "yes (45%)"]),
    ],
)
def test_what_leads_in_a_segment_is_published_as_far_as_it_may_be(a, b, leaders):
    answers = answers_of({"a": 96, "b": 4}, {"b": 70, "a": 30}, {"b": 60, "a": 40})
    found = profiling.leading(answers.map({"a": a, "b": b}), LABELS, NAMES)
    assert list(found) == [*NAMES.values(), "everybody"]
    assert list(found.values()) == leaders


def test_the_category_that_differs_most_is_told_and_who_is_unknown_has_a_row_of_its_own():
    answers = answers_of({"a": 60, "b": 40}, {"a": 60, "c": 40}, {"a": 60, "b": 20, "?": 20})
    rows = profiling.leading_rows("Club", answers.mask(answers == "?"), LABELS, NAMES)
    known, unknown = (list(rows[label].values()) for label in ("Club", "Club unknown"))
    assert known == ["c (0%)", "c (40%)", "c (0%)", "–", "c (14%)"]
    assert unknown == ["yes (0%)", "yes (0%)", "yes (20%)", "–", "yes (7%)"]
    nothing = profiling.leading(answers.where(answers == ""), LABELS, NAMES)
    assert set(nothing.values()) == {"–"}


def test_a_few_known_answers_neither_choose_the_category_nor_print_a_bound_that_says_nothing():
    """Of the third segment 12 are known, all of them t."""
    answers = answers_of({"r": 40, "s": 30, "t": 30}, {"s": 70, "t": 30}, {"t": 12, "?": 88})
    found = profiling.leading(answers.mask(answers == "?"), LABELS, NAMES)
    assert list(found.values()) == ["r (40%)", "r (0%)", "r (0%)", "–", "r (19%)"]
    few = answers_of({"a": 70, "b": 30}, {"a": 30, "b": 70}, {"a": 16, "b": 4, "?": 80})
    assert profiling.leading(few.mask(few == "?"), LABELS, NAMES)["z"] == "–", "a bound of 50%"


CHOSEN = [
    Feature("spent", "spent", "Spent per month", "money", "EUR"),
    Feature("visits", "visits", "Visits", "count", "visits"),
    Feature("online", "online", "Share online", "share"),
    Feature("club", "club", "Club member", "yes_no"),
    Feature("change", "change", "Change", "number"),
]


def people(**columns):
    """Sixty customers of each kind; what is not said is 0."""
    known = {f.name: [0.0] * len(next(iter(columns.values()))) for f in CHOSEN} | columns
    table = pd.DataFrame(known, dtype=float)
    return table.loc[table.index.repeat(60)].reset_index(drop=True)


@pytest.mark.parametrize(
    ("columns", "labels", "rule"),
    [
        ({"spent": [9, 9, 191]}, [2, 2, 1], "Spent per month over 100 EUR"),
        ({"spent": [9, 9, 191]}, [1, 1, 2], "Spent per month up to 100 EUR"),
        ({"visits": [1, 4, 9]}, [2, 1, 2], "Visits over 2 and up to 6"),
        ({"online": [0.1, 0.4, 0.43]}, [1, 2, 2], "Share online up to 25%"),
        ({"online": [0, 0.0001, 0.0002]}, [1, 2, 2], "Share online up to 0%"),
        ({"club": [0, 1, 1]}, [1, 2, 2], "Club member: no"),
        ({"club": [0, 1, 1]}, [2, 1, 1], "Club member: yes"),
        ({"change": [-900.25, -700.25, 5]}, [1, 2, 2], "Change up to −800"),
        (
            {"spent": [9, 9, 191, 191], "club": [0, 1, 0, 1]},
            [2, 2, 2, 1],
            "Spent per month over 100 EUR and Club member: yes",
        ),
        ({"spent": [5, 5, 5]}, [1, 2, 1], "everybody"),
    ],
)
def test_a_rule_finds_what_made_a_segment(columns, labels, rule):
    table = people(**columns)
    labels = pd.Series(np.repeat(labels, 60))
    first = profiling.segment_rules(table, labels, CHOSEN, [1]).loc[1]
    assert sorted(first["rule"].split(" and ")) == sorted(rule.split(" and "))
    precision = 2 / 3 if rule == "everybody" else 1
    assert first[["precision", "recall"]].tolist() == [precision, 1]


def test_clauses_that_add_nothing_go_and_none_is_deeper_than_asked():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.uniform(0, 100, (4000, 5)), columns=[f.name for f in CHOSEN])
    inside = (table[["spent", "visits", "online"]] > 50).all(axis=1)
    rule = profiling.segment_rules(table, inside + 0, CHOSEN, [1]).loc[1]
    assert rule["clauses"] == 3 and min(rule["precision"], rule["recall"]) > 0.95
    shallow = profiling.segment_rules(table, inside + 0, CHOSEN, [1], depth=2).loc[1]
    assert shallow["clauses"] == 2 and shallow["precision"] < 0.6


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_precision_is_not_that_of_the_customers_who_made_the_rule(share):
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(600, 5)), columns=[f.name for f in CHOSEN])
    labels = pd.Series((rng.uniform(size=600) < share) + 1)
    noise = profiling.segment_rules(table, labels, CHOSEN, [2], depth=5).loc[2]
    assert noise["precision"] < share + 0.1  # noise cannot be foretold, though a tree fits it


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("alone", [0, 1, 4, 50])
def test_rules_even_where_a_segment_is_too_small_for_the_folds(alone):
    table = people(spent=[0.0]).head(0).reindex(range(100), fill_value=0.0)
    table["spent"] = np.arange(100.0)
    labels = pd.Series([2] * (100 - alone) + [1] * alone)
    rules = profiling.segment_rules(table, labels, CHOSEN, [1, 2])
    assert list(rules.index) == ([1, 2] if alone else [2])
    assert rules.loc[2, "recall"] >= 0.9


def test_second_choices_are_those_of_members_near_a_boundary():
    assigned = pd.DataFrame(
        {"ratio": [0.9, 0.99, 0.95, 0.2, 0.1, 0.9], "second_choice": [2, 2, 3, 3, 3, 1]}
    )
    labels = pd.Series([1, 1, 1, 1, 1, 2])
    shares = profiling.second_choices(assigned, labels, [1, 2, 3], min_group_size=2)
    assert shares.loc[1].tolist() == pytest.approx([0, 2 / 3, 1 / 3])
    assert shares.loc[[2, 3]].isna().all(axis=None), "one near a boundary is too few, none as well"

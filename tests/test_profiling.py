"""Profiles: sizes and value, effect sizes, typical customers, categories, rules; by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest

from segmentation import profiling
from segmentation.assignment import assignment_confidence
from segmentation.dataset import Feature

ONE_AND_TWO = pd.Series([1, 1, 2, 2])
NAMES = {1: "x", 2: "y"}


# --- size and value -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "values", "expected"),
    [
        ([1, 1, 1, 2], [10.0, 20, 0, 70],
         {"customers": [3, 1], "share": [0.75, 0.25], "value_total": [30, 70],
          "value_share": [0.3, 0.7], "value_mean": [10, 70], "value_median": [10, 70]}),
        ([1, 1, 2, 2], [0.0] * 4, {"value_share": [0, 0]}),
        ([1, 1, 2, 2], [-1.0, -2, -3, 4], {"value_share": [0, 0]}),
        ([1, 1, 2, 2], [5.0, 7, -1, -1], {"value_share": [1.2, -0.2]}),
        ([1, 2, 2], [4.0, 3, 3], {"customers": [1, 2], "value_share": [0.4, 0.6]}),
    ],
)  # fmt: skip
def test_sizes_and_value(labels, values, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = profiling.sizes_and_value(pd.Series(labels), pd.Series(values))
    assert table[list(expected)].to_dict("list") == expected
    assert np.isfinite(table.to_numpy()).all()


def test_the_interval_of_a_share_of_equals_is_binomial():
    # 1,000 customers of the same value, 300 of them in segment 1: the share is a binomial one.
    labels = pd.Series(np.repeat([1, 2], [300, 700]))
    table = profiling.sizes_and_value(labels, pd.Series(np.ones(1000)), resamples=2000, seed=1)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    bounds = table[["value_share_low", "value_share_high"]].to_numpy()
    assert bounds[0] == pytest.approx([0.3 - half, 0.3 + half], abs=0.003)
    assert bounds[1] == pytest.approx(1 - bounds[0, ::-1])


# --- what sets a segment apart --------------------------------------------------------------------


def test_quartiles_in_the_order_of_the_features():
    features = pd.DataFrame({"z": [1.0, 2, 3, 10], "a": [0.0, 0, 0, 4]})
    table = profiling.summaries(features, pd.Series([1, 1, 1, 2]))
    expected = pd.DataFrame(
        [[1.5, 2, 2.5], [0, 0, 0], [10, 10, 10], [4, 4, 4], [1.75, 2.5, 4.75], [0, 0, 1]],
        columns=["lower_quartile", "median", "upper_quartile"],
        index=pd.MultiIndex.from_product([[1, 2, "all"], ["z", "a"]], names=["segment", "feature"]),
    )
    pd.testing.assert_frame_equal(table, expected)


def test_effects_are_means_of_standard_scores():
    effects = profiling.effect_sizes(pd.DataFrame({"x": [-1.0, 1, 2]}), pd.Series([1, 1, 2]))
    assert (effects["x"].tolist(), effects.index.name) == ([0, 2], "segment")


def test_standard_scores_for_effects():
    features = pd.DataFrame({"x": [0.0, 2], "y": [0.0, np.e - 1], "z": [5.0, 5]})
    chosen = [Feature("x", "x"), Feature("y", "y", transform="yeo-johnson"), Feature("z", "z")]
    table = profiling.standardise_evenly(features, chosen)
    assert table.to_dict("list") == {"x": [-1, 1], "y": [-1, 1], "z": [0, 0]}


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 0.1])
def test_rounding_of_a_constant_is_no_effect(value):
    table = profiling.standardise_evenly(pd.DataFrame({"x": [value] * 8_951}), [Feature("x", "x")])
    assert (table["x"] == 0).all()


def test_markers_reach_a_quarter_of_the_largest_difference():
    effects = pd.DataFrame({"x": [2.0, 0.5], "y": [-0.5, -0.49]}, index=[1, 2])
    assert profiling.marker_variables(effects).to_numpy().tolist() == [[True, True], [True, False]]


def test_levels_are_means_and_medians_of_ratios():
    features = pd.DataFrame({"spent": [0.0, 1, 8], "times": [0.0, 1, 999]})
    chosen = [Feature("spent", "spent", kind="money"), Feature("times", "times", kind="number")]
    assert profiling.levels(features, chosen).to_dict() == {"spent": 3, "times": 1}


@pytest.mark.parametrize(("customers", "median"), [(200, 9.5), (30, 4.5), (9, None)])
def test_the_typical_customer_is_a_core_of_many(customers, median):
    # The nearest tenth, or ten where that is more; nobody where there are fewer than ten.
    order = pd.Series(np.arange(float(customers)))
    typical = profiling.typical_customers(order.to_frame("x"), order * 0 + 1, order)
    assert typical.loc[1].replace(np.nan, None).to_list() == [median]


def test_confidence_by_hand():
    away = np.array([[1.0, 4, 2], [3, 3, 9], [5, 0, 1], [0, 0, 0]])
    assert assignment_confidence(away).to_dict("list") == {
        "segment": [1, 1, 2, 1], "second_choice": [3, 2, 3, 2], "distance": [1, 3, 0, 0],
        "ratio": [0.5, 1, 0, 1], "confidence": [0.5, 0, 1, 0],
    }  # fmt: skip
    assert assignment_confidence(np.array([[2.0, 1.0]])).loc[0].tolist() == [2, 1, 1, 0.5, 0.5]
    assert profiling.share_near_boundary(away) == 0.25, "(0, 0) lies on no boundary, (3, 3) does"


# --- categories -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([0, 1, 1], "yes_no", ["no", "yes", "yes"]),
        ([True, False, True], "yes_no", ["yes", "no", "yes"]),
        ([1.0, 0.0, None], "yes_no", ["yes", "no", None]),
        (["Existing", "Left", " "], "yes_no", ["Existing", "Left", None]),
        ([1.0, 2.0, None], "category", ["1", "2", None]),
        ([1, 2, 3], "category", ["1", "2", "3"]),
        (pd.to_datetime(["2012-07-30", "2013-01-01", None]), "date", ["2012", "2013", None]),
    ],
)
def test_descriptors_become_words(values, kind, words):
    found = profiling.as_words(pd.Series(values), kind)
    assert found.dtype == "str"
    assert found.astype("object").where(found.notna(), None).to_list() == words


def repeated(*counts):
    """Answers of a segment after the other, so many of each."""
    return pd.Series(
        [answer for segment in counts for answer, n in segment.items() for _ in range(n)]
    )


def test_what_few_answered_is_merged_and_cannot_be_computed_from_the_rest():
    labels = pd.Series([1] * 60 + [2] * 60)
    answers = repeated({"a": 45, "b": 9, "rare": 6}, {"a": 30, "b": 28, "rare": 2})
    table = profiling.composition(answers, labels, NAMES)
    assert list(table.columns) == ["a", "other"], "eight are too few for a column of their own"
    assert table.loc["everybody"].to_dict() == pytest.approx({"a": 75 / 120, "other": 45 / 120})
    assert table.loc["x"].to_dict() == pytest.approx({"a": 0.75, "other": 0.25})
    few = profiling.composition(repeated({"a": 51, "b": 9}, {"a": 30, "b": 30}), labels, NAMES)
    assert few[:2].isna().all(axis=None)


def test_what_leads_in_a_segment_is_published_as_far_as_it_may_be():
    labels, names = pd.Series([1] * 100 + [2] * 100 + [3] * 100), NAMES | {3: "z", 4: "nobody"}
    answers = repeated({"a": 96, "b": 4}, {"b": 70, "a": 30}, {"b": 60, "a": 40})
    assert profiling.leading(answers, labels, names) == {
        "x": "a (over 90%)", "y": "–", "z": "b (60%)", "nobody": "–", "everybody": "a (55%)",
    }  # fmt: skip
    found = profiling.leading(answers.map({"a": "no", "b": "yes"}), labels, names)
    assert (found["x"], found["z"], found["everybody"]) == (
        "yes (under 10%)", "yes (60%)", "yes (45%)")  # fmt: skip


# --- rules ----------------------------------------------------------------------------------------


def test_rules_find_what_made_the_segments():
    # Two clear steps: segment 3 spends over 100; among the others segment 2 is online.
    features = pd.DataFrame(
        {"spent": np.repeat([10.0, 10.0, 190.0], 60), "online": np.repeat([0.0, 1.0, 0.5], 60)}
    )
    chosen = [
        Feature("spent", "spent", "Spent", "money", "EUR"),
        Feature("online", "online", "Online", "share"),
    ]
    tree, fidelity, recall = profiling.fit_rules(features, pd.Series(np.repeat([1, 2, 3], 60)))
    assert (fidelity, recall.to_dict()) == (1, {1: 1, 2: 1, 3: 1})
    rules = profiling.rule_texts(tree, chosen)
    assert rules[["segment", "customers", "purity"]].to_numpy().tolist() == [
        [1, 60, 1], [2, 60, 1], [3, 60, 1]]  # fmt: skip
    assert "Online up to" in rules["rule"].iloc[0]
    assert "Online over" in rules["rule"].iloc[1]


def test_fidelity_is_not_that_of_the_training_rows():
    rng = np.random.default_rng(4)
    features = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    _, fidelity, _ = profiling.fit_rules(features, pd.Series(rng.integers(1, 4, 300)))
    assert fidelity < 0.45  # noise cannot be foretold, though a tree fits it


@pytest.mark.parametrize(
    ("values", "labels", "rule"),
    [
        (np.zeros(60), np.repeat([1, 2], [50, 10]), [1, "everybody", 60, 50 / 60]),
        (np.repeat([1.0, 5.0, 9.0], 40), np.repeat([1, 2, 1], 40),
         [2, "Visits over 3 up to 7", 40, 1]),
    ],
)  # fmt: skip
def test_limits_are_told_together(values, labels, rule):
    features = pd.DataFrame({"x": values})
    tree, _, _ = profiling.fit_rules(features, pd.Series(labels))
    rules = profiling.rule_texts(tree, [Feature("x", "x", "Visits", "count")])
    assert rule in rules.to_numpy().tolist()


@pytest.mark.parametrize("alone", [1, 2, 4])
def test_a_segment_too_small_for_the_folds_gives_no_warning(alone):
    labels = pd.Series([2] * (100 - alone) + [1] * alone)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, fidelity, recall = profiling.fit_rules(pd.DataFrame({"x": np.arange(100.0)}), labels)
    assert fidelity >= 0.9
    assert set(recall.index) == {1, 2}

"""Profiles: sizes and value, effect sizes, rules, confidence, by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest

from segmentation import profiling
from segmentation.assignment import assignment_confidence
from segmentation.dataset import Feature

INDEX = list("abcdef")


def series(values):
    return pd.Series(values, index=INDEX[: len(values)])


# --- size and value -------------------------------------------------------------------------------


def test_sizes_and_value_by_hand():
    table = profiling.sizes_and_value(series([1, 1, 1, 2]), series([10.0, 20, 0, 70]))
    assert table["customers"].tolist() == [3, 1]
    assert table["share"].tolist() == [0.75, 0.25]
    assert table["value_total"].tolist() == [30, 70]
    assert table["value_share"].tolist() == [0.3, 0.7]
    assert table["value_mean"].tolist() == [10, 70]
    assert table["value_median"].tolist() == [10, 70]


def test_the_interval_of_a_share_of_equals_is_binomial():
    # 1,000 customers of the same value, 300 of them in segment 1: the share is a binomial one.
    labels = pd.Series(np.repeat([1, 2], [300, 700]))
    table = profiling.sizes_and_value(labels, pd.Series(np.ones(1000)), resamples=2000, seed=1)
    spread = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert table.loc[1, "value_share_low"] == pytest.approx(0.3 - spread, abs=0.003)
    assert table.loc[1, "value_share_high"] == pytest.approx(0.3 + spread, abs=0.003)
    assert table["value_share_low"].add(
        table["value_share_high"].iloc[::-1].to_numpy()
    ).tolist() == (pytest.approx([1, 1]))


@pytest.mark.parametrize("value", [[0.0] * 4, [-1.0, -2, -3, 4], [-5.0, 5, 0, 0]])
def test_shares_of_no_value_are_nought(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = profiling.sizes_and_value(series([1, 1, 2, 2]), series(value))
    assert table["value_share"].tolist() == [0, 0]
    assert np.isfinite(table.to_numpy()).all()


def test_a_loss_among_gains_stays_a_loss():
    table = profiling.sizes_and_value(series([1, 1, 2, 2]), series([5.0, 7, -1, -1]))
    assert table["value_share"].tolist() == [1.2, -0.2]


def test_a_segment_of_one_customer():
    table = profiling.sizes_and_value(series([1, 2, 2]), series([4.0, 3, 3]))
    assert table.loc[1].to_dict() == {
        "customers": 1, "share": pytest.approx(1 / 3), "value_total": 4, "value_share": 0.4,
        "value_mean": 4, "value_median": 4, "value_share_low": 0,
        "value_share_high": table.loc[1, "value_share_high"],
    }  # fmt: skip


# --- what sets a segment apart --------------------------------------------------------------------


def test_quartiles_in_the_order_of_the_features():
    features = pd.DataFrame({"z": [1.0, 2, 3, 10], "a": [0.0, 0, 0, 4]}, index=INDEX[:4])
    table = profiling.summaries(features, series([1, 1, 1, 2]))
    assert list(table.index) == [(1, "z"), (1, "a"), (2, "z"), (2, "a"), ("all", "z"), ("all", "a")]
    assert table.index.names == ["segment", "feature"]
    assert table.loc[(1, "z")].tolist() == [1.5, 2, 2.5]
    assert table.loc[(2, "a")].tolist() == [4, 4, 4]
    assert table.loc[("all", "z")].tolist() == [1.75, 2.5, 4.75]
    assert list(table) == ["lower_quartile", "median", "upper_quartile"]


def test_effects_are_means_of_standard_scores():
    effects = profiling.effect_sizes(pd.DataFrame({"x": [-1.0, 1, 2]}), pd.Series([1, 1, 2]))
    assert effects["x"].tolist() == [0, 2]
    assert effects.index.name == "segment"


def test_standard_scores_for_effects():
    features = pd.DataFrame({"x": [0.0, 2], "y": [0.0, np.e - 1], "z": [5.0, 5]})
    chosen = [Feature("x", "x"), Feature("y", "y", transform="yeo-johnson"), Feature("z", "z")]
    table = profiling.standardise_evenly(features, chosen)
    assert table["x"].tolist() == [-1, 1]
    assert table["y"].tolist() == [-1, 1]
    assert table["z"].tolist() == [0, 0]


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


def test_the_typical_customer_is_a_core_of_many():
    # Of 200 customers the 20 nearest make the core: values 0..19, median 9.5.
    index = pd.RangeIndex(200)
    features = pd.DataFrame({"x": np.arange(200.0)}, index=index)
    typical = profiling.typical_customers(
        features, pd.Series(1, index), pd.Series(index * 1.0, index)
    )
    assert typical.loc[1, "x"] == 9.5
    few = profiling.typical_customers(
        features[:30], pd.Series(1, index[:30]), pd.Series(index[:30] * 1.0)
    )
    assert few.loc[1, "x"] == 4.5  # ten where there are ten


# --- confidence -----------------------------------------------------------------------------------


def test_confidence_by_hand():
    table = assignment_confidence(np.array([[1.0, 4, 2], [3, 3, 9], [5, 0, 1], [0, 0, 0]]))
    assert table["segment"].tolist() == [1, 1, 2, 1]
    assert table["second_choice"].tolist() == [3, 2, 3, 2]
    assert table["distance"].tolist() == [1, 3, 0, 0]
    assert table["ratio"].tolist() == [0.5, 1, 0, 1]
    assert table["confidence"].tolist() == [0.5, 0, 1, 0]


def test_confidence_with_two_segments():
    table = assignment_confidence(np.array([[2.0, 1.0]]))
    assert table.loc[0].tolist() == [2, 1, 1, 0.5, 0.5]


# --- rules ----------------------------------------------------------------------------------------


@pytest.fixture
def ladder():
    """Two clear steps: segment 3 spends over 100; among the others segment 2 is online."""
    n = 60
    features = pd.DataFrame(
        {"spent": np.repeat([10.0, 10.0, 190.0], n), "online": np.repeat([0.0, 1.0, 0.5], n)}
    )
    chosen = [
        Feature("spent", "spent", "Spent", "money", "EUR"),
        Feature("online", "online", "Online", "share"),
    ]
    return features, pd.Series(np.repeat([1, 2, 3], n)), chosen


def test_rules_find_what_made_the_segments(ladder):
    features, labels, chosen = ladder
    tree, fidelity, recall = profiling.fit_rules(features, labels)
    assert fidelity == 1
    assert recall.to_dict() == {1: 1, 2: 1, 3: 1}
    rules = profiling.rule_texts(tree, chosen)
    assert rules["segment"].tolist() == [1, 2, 3]
    assert rules["customers"].tolist() == [60, 60, 60]
    assert rules["purity"].tolist() == [1, 1, 1]
    assert "Online up to" in rules["rule"].iloc[0]
    assert "Online over" in rules["rule"].iloc[1]


def test_fidelity_is_not_that_of_the_training_rows():
    rng = np.random.default_rng(4)
    features = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    _, fidelity, _ = profiling.fit_rules(features, pd.Series(rng.integers(1, 4, 300)))
    assert fidelity < 0.45  # noise cannot be foretold, though a tree fits it


def test_nothing_to_split_is_everybody():
    features = pd.DataFrame({"x": np.zeros(60)})
    tree, _, _ = profiling.fit_rules(features, pd.Series(np.repeat([1, 2], [50, 10])))
    rules = profiling.rule_texts(tree, [Feature("x", "x")])
    assert rules[["segment", "rule", "customers"]].to_numpy().tolist() == [[1, "everybody", 60]]
    assert rules["purity"].iloc[0] == pytest.approx(50 / 60)


def test_two_limits_of_one_feature_are_told_together():
    features = pd.DataFrame({"x": np.repeat([1.0, 5.0, 9.0], 40)})
    tree, _, _ = profiling.fit_rules(features, pd.Series(np.repeat([1, 2, 1], 40)))
    rules = profiling.rule_texts(tree, [Feature("x", "x", "Visits", "count")])
    assert "Visits over 3 up to 7" in rules["rule"].tolist()


@pytest.mark.parametrize("alone", [1, 2, 4])
def test_a_segment_too_small_for_the_folds_gives_no_warning(alone):
    features = pd.DataFrame({"x": np.arange(100.0)})
    labels = pd.Series([2] * (100 - alone) + [1] * alone)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, fidelity, recall = profiling.fit_rules(features, labels)
    assert fidelity >= 0.9
    assert set(recall.index) == {1, 2}


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


def test_what_few_answered_is_merged_and_cannot_be_computed_from_the_rest():
    labels = pd.Series([1] * 60 + [2] * 60)
    answers = pd.Series(
        ["a"] * 45 + ["b"] * 9 + ["rare"] * 6 + ["a"] * 30 + ["b"] * 28 + ["rare"] * 2
    )
    table = profiling.composition(answers, labels, {1: "x", 2: "y"})
    assert list(table.columns) == ["a", "other"], "eight are too few for a column of their own"
    assert table.loc["everybody"].to_dict() == pytest.approx({"a": 75 / 120, "other": 45 / 120})
    few = pd.Series(["a"] * 51 + ["b"] * 9 + ["a"] * 30 + ["b"] * 30)
    assert profiling.composition(few, labels, {1: "x", 2: "y"})[:2].isna().all(axis=None)


def test_what_leads_in_a_segment_is_told_as_far_as_it_may_be():
    labels, names = pd.Series([1] * 100 + [2] * 100 + [3] * 100), {1: "x", 2: "y", 3: "z"}
    answers = pd.Series(["a"] * 96 + ["b"] * 4 + ["b"] * 70 + ["a"] * 30 + ["b"] * 60 + ["a"] * 40)
    assert profiling.leading(answers, labels, names) == {
        "x": "a (over 90%)", "y": "–", "z": "b (60%)", "everybody": "a (55%)",
    }  # fmt: skip
    yes = answers.map({"a": "no", "b": "yes"})
    found = profiling.leading(yes, labels, names | {4: "nobody"})
    assert found["x"] == "yes (under 10%)"
    assert (found["z"], found["everybody"], found["nobody"]) == ("yes (60%)", "yes (45%)", "–")

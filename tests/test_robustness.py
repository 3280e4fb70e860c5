"""Other choices, each tried once; and the lineage over k: counts and entropies by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from segmentation.alternatives import ward_tree
from segmentation.dataset import build_dataset
from segmentation.features import fit_preparation
from segmentation.robustness import (
    agreement_table,
    flows,
    order_for_display,
    segment_stability,
    vary_choices,
)


@pytest.fixture
def vary(tmp_path):
    """Vary the choices on three clear groups, with features of these transforms and labels."""
    rng = np.random.default_rng(2)
    centres = np.repeat([0.0, 8.0, 16.0], 30)
    table = pd.DataFrame({f"x{i}": centres + rng.normal(size=90) for i in range(3)})

    def run(*transforms, labels=("", "", ""), **columns):
        features = table.assign(**columns)
        names = list(features)[: len(transforms)]
        described = [
            {"name": name, "formula": name, "transform": transform, "label": label}
            for name, transform, label in zip(names, transforms, labels, strict=False)
        ]
        content = {"columns": {name: {"kind": "number"} for name in names}, "features": described}
        dataset = build_dataset(content, tmp_path / "dataset.toml")
        chosen = dataset.features_with("segment")
        matrix = fit_preparation(features, chosen).transform(features)
        tree = ward_tree(matrix.to_numpy())
        return vary_choices(features, dataset, matrix, tree, 3, seed=1, n_init=5)

    return run


TRANSFORMS = {"no transform", "log1p for all", "Yeo-Johnson"}
WITHOUT = {"without x0", "without x1", "without x2"}


@pytest.mark.parametrize(
    ("transforms", "labels", "expected"),
    [
        (["none"] * 3, ("", "", ""), TRANSFORMS - {"no transform"} | WITHOUT),
        (["log1p"] * 3, ("", "", ""), TRANSFORMS - {"log1p for all"} | WITHOUT),
        (["none", "log1p", "none"], ("", "", ""), TRANSFORMS | WITHOUT),
        (["none"] * 2, ("", ""), TRANSFORMS - {"no transform"}),  # two features are both needed
        (
            ["none"] * 3,
            ("Spend", "Spend", "Age"),
            TRANSFORMS - {"no transform"}
            | {"without Spend (x0)", "without Spend (x1)", "without Age"},
        ),
    ],
)
def test_every_choice_is_tried_once(vary, transforms, labels, expected):
    tried, left_out = vary(*transforms, labels=labels)
    assert {name for choice, name in tried if choice in ("transform", "features")} == expected
    assert {key for key in tried if key[0] not in ("transform", "features")} == {
        ("scaling", "min-max scaling (0 to 1)"),
        ("scaling", "robust scaling (median and IQR)"),
        ("algorithm", "Ward"),
        ("algorithm", "Gaussian mixture"),
        ("seed", "seed 2"),
        ("seed", "seed 3"),
    }
    assert not left_out


def test_clear_groups_survive_every_choice(vary):
    table = agreement_table(np.repeat([2, 0, 1], 30), vary("none", "none", "none")[0])
    assert table["ARI"].tolist() == [1.0] * 11
    assert set(table["agreement"]) == {"excellent"}


def test_what_cannot_be_computed_is_left_out_with_its_reason(vary):
    # Yeo-Johnson makes this feature the same for everybody.
    tried, left_out = vary("none", "none", "none", x2=[10.0] * 89 + [11.0])
    assert list(left_out) == ["transform, Yeo-Johnson"]
    assert "'x2' is the same for every customer after" in left_out["transform, Yeo-Johnson"]
    assert ("transform", "log1p for all") in tried and len(tried) == 10


def test_the_least_agreement_comes_first():
    others = {
        ("a", "same"): np.array([7, 7, 3, 3]),
        ("b", "crossed"): np.array([0, 1, 0, 1]),
    }
    table = agreement_table(np.array([0, 0, 1, 1]), others)
    assert table["alternative"].tolist() == ["crossed", "same"]
    assert table["ARI"].tolist() == pytest.approx([-0.5, 1])
    assert table["agreement"].tolist() == ["poor", "excellent"]


LABELS = {
    2: np.array([0, 0, 0, 0, 1, 1, 1, 1]),
    3: np.array([2, 2, 0, 0, 0, 0, 1, 1]),
    4: np.array([2, 2, 0, 0, 0, 3, 1, 1]),
}


def test_flows_by_hand():
    table = flows(LABELS)
    assert table.to_numpy().tolist() == [
        [2, 0, 3, 0, 2],
        [2, 0, 3, 2, 2],
        [2, 1, 3, 0, 2],
        [2, 1, 3, 1, 2],
        [3, 0, 4, 0, 3],
        [3, 0, 4, 3, 1],
        [3, 1, 4, 1, 2],
        [3, 2, 4, 2, 2],
    ]
    pd.testing.assert_frame_equal(table, flows(dict(reversed(LABELS.items()))))


UNEVEN = {2: np.array([0, 0, 0, 1, 1]), 3: np.array([0, 0, 0, 0, 1])}
ENTROPY = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))


@pytest.mark.parametrize(
    ("labelings", "k", "expected"),
    [
        (LABELS, 3, [0.0, 1.0, 1.0]),  # half and half; pure; pure
        (LABELS, 4, [1.0] * 4),
        (UNEVEN, 3, [1 - ENTROPY / np.log(2), 1.0]),
    ],
)
def test_stability_of_segments_by_hand(labelings, k, expected):
    jaccard = {n: np.linspace(0, 1, 2 * len(set(x))).reshape(2, -1) for n, x in labelings.items()}
    table = segment_stability(flows(labelings), jaccard)
    assert table.loc[k, "k"].tolist() == pytest.approx(expected)
    assert table.loc[2, "k"].isna().all()
    for n, each in jaccard.items():
        assert table.loc[n, "resamples"].tolist() == pytest.approx(each.mean(axis=0))


def crossings(table, orders):
    """Pairs of customers whose ribbons cross, counted one by one."""
    count = 0
    for _, part in table.groupby("k_from"):
        rows = part.itertuples(index=False)
        ribbons = [(orders[k].index(a), orders[m].index(b), size) for k, a, m, b, size in rows]
        for (left, right, size), (a, b, other) in itertools.combinations(ribbons, 2):
            count += size * other * ((left - a) * (right - b) < 0)
    return count


def test_ribbons_cross_less_than_in_the_numbering_and_not_where_they_need_not():
    rng = np.random.default_rng(0)
    for labels in (LABELS, {k: rng.integers(0, k, 60) for k in range(2, 9)}):
        table = flows(labels)
        orders, numbered = order_for_display(table), {k: list(range(k)) for k in labels}
        assert {k: sorted(order) for k, order in orders.items()} == numbered
        assert crossings(table, orders) < crossings(table, numbered)
    assert crossings(flows(LABELS), order_for_display(flows(LABELS))) == 0

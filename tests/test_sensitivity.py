"""Other defensible choices: each is tried, and the agreement is told in the right words."""

import numpy as np
import pandas as pd
import pytest

from segmentation.dataset import build_dataset
from segmentation.features import fit_preparation
from segmentation.sensitivity import agreement_table, vary_choices


def dataset_of(tmp_path, *transforms, labels=("", "", "")):
    names = [f"x{i}" for i in range(len(transforms))]
    return build_dataset(
        {
            "columns": {name: {"kind": "number"} for name in names},
            "features": [
                {"name": name, "formula": name, "transform": transform, "label": label}
                for name, transform, label in zip(names, transforms, labels, strict=False)
            ],
        },
        tmp_path / "dataset.toml",
    )


@pytest.fixture
def features():
    rng = np.random.default_rng(2)
    centres = np.repeat([0.0, 8.0, 16.0], 30)
    return pd.DataFrame({f"x{i}": centres + rng.normal(size=90) for i in range(3)})


def labels_of(features, dataset, k=3):
    chosen = dataset.features_with("segment")
    matrix = fit_preparation(features, chosen).transform(features)
    return vary_choices(features, dataset, matrix, k, seed=1, n_init=5)[0]


def test_every_choice_is_tried_once(features, tmp_path):
    tried = labels_of(features, dataset_of(tmp_path, "none", "none", "none"))
    assert set(tried) == {
        ("transform", "log1p for all"), ("transform", "Yeo-Johnson"),
        ("scaling", "0 to 1"), ("scaling", "median and quartiles"),
        ("features", "without x0"), ("features", "without x1"), ("features", "without x2"),
        ("algorithm", "Ward"), ("algorithm", "Gaussian mixture"),
        ("seed", "seed 2"), ("seed", "seed 3"),
    }  # fmt: skip
    assert all(len(labels) == 90 and set(labels) == {0, 1, 2} for labels in tried.values())


def test_the_chosen_transform_is_no_alternative(features, tmp_path):
    tried = labels_of(features, dataset_of(tmp_path, "log1p", "log1p", "log1p"))
    assert {name for choice, name in tried if choice == "transform"} == {
        "no transform", "Yeo-Johnson"}  # fmt: skip


def test_features_with_one_label_are_told_apart(features, tmp_path):
    tried = labels_of(
        features, dataset_of(tmp_path, *["none"] * 3, labels=("Spend", "Spend", "Age"))
    )
    assert {name for choice, name in tried if choice == "features"} == {
        "without Spend (x0)", "without Spend (x1)", "without Age"}  # fmt: skip


def test_what_cannot_be_computed_is_left_out_with_its_reason(features, tmp_path):
    features["x2"] = [10.0] * 89 + [11.0]  # Yeo-Johnson makes it the same for everybody
    dataset = dataset_of(tmp_path, "none", "none", "none")
    chosen = dataset.features_with("segment")
    matrix = fit_preparation(features, chosen).transform(features)
    tried, left_out = vary_choices(features, dataset, matrix, 3, seed=1, n_init=5)
    assert list(left_out) == ["transform, Yeo-Johnson"]
    assert "'x2' is the same for every customer after" in left_out["transform, Yeo-Johnson"]
    assert ("transform", "log1p for all") in tried and len(tried) == 10


def test_two_features_are_both_needed(features, tmp_path):
    tried = labels_of(features, dataset_of(tmp_path, "none", "none"))
    assert "features" not in {choice for choice, _ in tried}


def test_clear_groups_survive_every_choice(features, tmp_path):
    truth = np.repeat([2, 0, 1], 30)
    table = agreement_table(
        truth, labels_of(features, dataset_of(tmp_path, "none", "none", "none"))
    )
    assert table["ARI"].tolist() == [1.0] * 11
    assert set(table["agreement"]) == {"excellent"}


def test_the_least_agreement_comes_first():
    labels = np.array([0, 0, 1, 1])
    table = agreement_table(labels, {
        ("a", "same"): np.array([7, 7, 3, 3]), ("b", "crossed"): np.array([0, 1, 0, 1]),
    })  # fmt: skip
    assert table["alternative"].tolist() == ["crossed", "same"]
    assert table["ARI"].tolist() == pytest.approx([-0.5, 1])
    assert table["agreement"].tolist() == ["poor", "excellent"]

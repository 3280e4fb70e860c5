"""Other defensible choices: each is tried once, and the agreement has its word."""

import numpy as np
import pandas as pd
import pytest

from segmentation.dataset import build_dataset
from segmentation.features import fit_preparation
from segmentation.sensitivity import agreement_table, vary_choices


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
        return vary_choices(features, dataset, matrix, 3, seed=1, n_init=5)

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

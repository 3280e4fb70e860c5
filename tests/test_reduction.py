"""Fewer dimensions: measures by hand, and who is judged on which rows."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from segmentation.reduction import (
    Split,
    evidence,
    judge_labelings,
    judge_reductions,
    loadings,
    outside_measures,
    reconstruction_r2,
    sampling_margin,
    split_rows,
    verdict,
)


def test_a_split_uses_every_row_once_and_depends_on_the_seed_alone():
    parts, again, other = (list(vars(split_rows(100, seed)).values()) for seed in (1, 1, 2))
    assert [len(part) for part in parts] == [64, 16, 20]
    assert sorted(np.concatenate(parts)) == list(range(100))
    assert np.array_equal(parts[0], again[0]) and not np.array_equal(parts[0], other[0])


def test_reconstruction_by_hand():
    # About their means (1 and 0) the rows have squares 1 + 1 + 4 + 4 = 10; lost: 1 + 4 = 5.
    rows = np.array([[0.0, 2.0], [2.0, -2.0]])
    assert reconstruction_r2(rows, np.array([[1.0, 2.0], [2.0, 0.0]])) == pytest.approx(0.5)
    assert reconstruction_r2(rows, rows) == 1
    assert reconstruction_r2(rows, [[1, 0], [1, 0]]) == 0


def test_loadings_are_correlations():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    pca = PCA().fit(rows)
    found = loadings(pca, list("abcd"))
    scores = pca.transform(rows)
    assert found.loc["b", "PC2"] == pytest.approx(np.corrcoef(rows[:, 1], scores[:, 1])[0, 1])
    assert np.allclose((found**2).sum(axis=1), 1)


def test_judging_looks_at_held_out_rows_only():
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(90, 3)) * [3, 2, 0.1]
    split = Split(np.arange(30), np.arange(30, 40), np.arange(40, 80))
    reductions = {("PCA", rank, -1): PCA(rank).fit(matrix[:40]) for rank in (1, 2)}
    found = judge_reductions(matrix, reductions, split)
    assert list(found.index.names) == ["method", "rank", "seed"]
    assert found.loc[("PCA", 2, -1), "held_out_r2"] > 0.99
    assert found["held_out_r2"].is_monotonic_increasing
    matrix[80:] = 1e6
    assert judge_reductions(matrix, reductions, split).equals(found)


def test_a_fold_hurts_trust_and_a_tear_hurts_continuity():
    def reduction(transform):
        def back(code):
            return np.zeros((len(code), 1))

        return SimpleNamespace(transform=transform, inverse_transform=back)

    line = np.linspace(-1, 1, 61)[:, None]
    split = Split(np.arange(0), np.arange(0), np.arange(61))
    maps = {
        ("folded", 1, 0): reduction(lambda x: np.abs(x + 0.003)),
        ("torn", 1, 0): reduction(lambda x: np.where(x > 0, x - 3, x)),
        ("as it is", 1, 0): reduction(lambda x: 2 * x),
    }
    found = judge_reductions(line, maps, split).droplevel(["rank", "seed"])
    assert found.loc["folded", "trustworthiness"] < found.loc["folded", "continuity"] - 0.01
    assert found.loc["torn", "continuity"] < found.loc["torn", "trustworthiness"]
    assert found.loc["as it is", ["trustworthiness", "continuity"]].tolist() == [1, 1]


def test_labelings_are_judged_in_one_space():
    # Two pairs on a line: each customer is 1 from its fellow, 10 or so from the others.
    matrix = np.array([[0.0], [1], [10], [11]])
    right, wrong = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    labelings = {("a", 1, 0): right, ("a", 1, 1): 1 - right, ("b", 1, 0): wrong}
    found = judge_labelings(matrix, labelings, right)
    expected = ((1 - 1 / 10.5) + (1 - 1 / 9.5)) / 2
    assert found.loc[("a", 1, 1), "silhouette"] == pytest.approx(expected)
    assert found.loc[("b", 1, 0), "silhouette"] < 0
    assert found["ari"].tolist() == pytest.approx([1, 1, -0.5])
    assert found["ari_between"].tolist() == pytest.approx([1, 1, np.nan], nan_ok=True)


def test_outside_measures_have_chance_at_zero_and_ignore_constants():
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1, 2], 400)
    described = pd.DataFrame({"amount": np.exp(truth * 9.0), "flat": 1.0})
    labelings = {("right", 1, 0): truth, ("chance", 1, 0): rng.permutation(truth)}
    found = outside_measures(labelings, described, truth % 2).droplevel(["rank", "seed"])
    assert found.loc["right", "described"] == pytest.approx(1)  # ranks: a heavy tail is no matter
    assert found.loc["right", "rules"] > 0.5
    assert found.loc["chance"].abs().max() < 0.01
    one = outside_measures({("all", 1, 0): truth * 0}, described, None)
    assert one.loc[("all", 1, 0)].to_dict() == {"described": 0}
    assert outside_measures(labelings, described[["flat"]], None).shape == (2, 0)


def test_evidence_needs_every_training_and_every_measure():
    keys = [("features", 9, 0), ("features", 9, 1)]
    keys += [("autoencoder", rank, seed) for rank in (2, 4, 6) for seed in (0, 1)]
    scored = pd.DataFrame(
        {
            "ari_between": [1, 1, 0.96, 0.96, 0.9, 0.9, 1, 1],
            "described": [0.3, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.3],
            "rules": [0.3, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4],
        },
        index=pd.MultiIndex.from_tuples(keys, names=["method", "rank", "seed"]),
    )
    found = evidence(scored, ["described", "rules"], 0.05)
    assert found["repeats"].to_dict() == {2: True, 4: False, 6: True}
    assert found["tells"].to_dict() == {2: True, 4: True, 6: False}
    assert not evidence(scored, [], 0)["tells"].any()
    assert not evidence(scored, ["described", "rules"], 0.11)["tells"].any()
    # The largest standard error of a share is .77 / √n: 2 (1/3)^.5 (2/3) = .77.
    assert sampling_margin(100) == pytest.approx(2 * 2 * (1 / 3) ** 0.5 * (2 / 3) / 10)


@pytest.mark.parametrize(
    ("rebuilds", "tells", "repeats", "words"),
    [
        (True, True, True, "for the segmentation"),
        (False, True, True, "for the segmentation"),
        (True, True, False, "a compression: its segments explain more"),
        (False, True, False, "not worth using here: its segments explain more"),
        (True, False, True, "as a compression"),
        (False, False, True, "not worth using here"),
    ],
)
def test_the_verdict_follows_the_evidence(rebuilds, tells, repeats, words):
    assert words in verdict(rebuilds, tells, repeats)

"""Silhouettes: a few customers by hand, scikit-learn as a second opinion, noise and edges."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from segmentation import silhouette
from segmentation.silhouette import macro, mean, silhouettes

LINE = [0.0, 1.0, 4.0, 6.0]
NAN = np.nan


@pytest.mark.parametrize(
    ("line", "labels", "expected", "of_segments"),
    [
        # within 1, 1, 2, 2; to the other segment 5, 4, 3.5, 5.5
        (LINE, [0, 0, 1, 1], [4 / 5, 3 / 4, 3 / 7, 7 / 11], [31 / 40, 41 / 77]),
        (LINE[:3], [0, 0, 7], [3 / 4, 2 / 3, 0.0], [17 / 24, 0]),  # one customer alone
        (
            [0.5, 0.0, 1.0, 99.0, 4.0, 6.0],
            [-1, 0, 0, -1, 1, 1],  # noise takes no part
            [NAN, 4 / 5, 3 / 4, NAN, 3 / 7, 7 / 11],
            [31 / 40, 41 / 77],
        ),
        ([1.0, 1.0, 1.0, 1.0], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0]),  # identical customers
        (LINE, [0, 0, 0, 0], [NAN] * 4, [NAN]),  # fewer than two segments
        (LINE, [-1, -1, -1, -1], [NAN] * 4, [NAN]),
        (LINE, [-1, 3, 3, -1], [NAN] * 4, [NAN]),
    ],
)
def test_silhouettes_by_hand(line, labels, expected, of_segments):
    labels = np.array(labels)
    found = silhouettes(np.array(line)[:, None], {"": labels})[""]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    scored = [value for value in expected if value == value] or [NAN]
    assert mean(found) == pytest.approx(np.mean(scored), nan_ok=True)
    assert macro(found, labels) == pytest.approx(np.mean(of_segments), nan_ok=True)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(701, 5)) * [1, 1, 1, 1, 30] + 1000.0
    return matrix, {k: rng.integers(0, k, len(matrix)) for k in (2, 3, 8, 12)}


def test_all_labelings_agree_with_scikit_learn(many):
    matrix, labelings = many
    found = silhouettes(matrix, labelings)
    assert list(found) == [2, 3, 8, 12]
    for k, labels in labelings.items():
        np.testing.assert_allclose(found[k], silhouette_samples(matrix, labels), atol=1e-9)


@pytest.mark.parametrize("distances", [silhouette._DISTANCES, 3505])  # or five customers a block
def test_a_sample_of_customers_scores_as_in_the_whole(many, distances, monkeypatch):
    matrix, labelings = many
    rows = np.array([5, 600, 17, 300, 301, 302, 40])
    whole = silhouettes(matrix, labelings)[3]
    monkeypatch.setattr(silhouette, "_DISTANCES", distances)
    sampled = silhouettes(matrix, labelings, rows=rows)[3]
    np.testing.assert_allclose(sampled[rows], whole[rows], atol=1e-9)
    assert np.isnan(np.delete(sampled, rows)).all()

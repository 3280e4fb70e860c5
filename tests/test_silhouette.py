"""Silhouettes: four customers by hand, scikit-learn as a second opinion, noise and edges."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from segmentation import silhouette
from segmentation.silhouette import macro, mean, silhouettes, standard_error

LINE = np.array([[0.0], [1.0], [4.0], [6.0]])


def test_four_customers_by_hand():
    # within 1, 1, 2, 2; to the other segment 5, 4, 3.5, 5.5
    found = silhouettes(LINE, {"two": np.array([0, 0, 1, 1])})["two"]
    np.testing.assert_allclose(found, [4 / 5, 3 / 4, 1.5 / 3.5, 3.5 / 5.5])
    assert mean(found) == pytest.approx((4 / 5 + 3 / 4 + 3 / 7 + 7 / 11) / 4)


def test_a_single_customer_scores_0_and_counts_as_a_segment():
    labels = np.array([0, 0, 7])
    found = silhouettes(LINE[:3], {"": labels})[""]
    np.testing.assert_allclose(found, [3 / 4, 2 / 3, 0.0])
    assert macro(found, labels) == pytest.approx(((3 / 4 + 2 / 3) / 2 + 0) / 2)
    assert mean(found) == pytest.approx((3 / 4 + 2 / 3) / 3)


def test_noise_takes_no_part():
    labels = np.array([-1, 0, 0, -1, 1, 1])
    matrix = np.array([[0.5], [0.0], [1.0], [99.0], [4.0], [6.0]])
    found = silhouettes(matrix, {"": labels})[""]
    assert np.isnan(found[[0, 3]]).all()
    np.testing.assert_allclose(found[[1, 2, 4, 5]], [4 / 5, 3 / 4, 3 / 7, 7 / 11])
    assert macro(found, labels) == pytest.approx(((4 / 5 + 3 / 4) / 2 + (3 / 7 + 7 / 11) / 2) / 2)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [-1, -1, -1, -1], [-1, 3, 3, -1]])
def test_fewer_than_two_segments_have_no_silhouette(labels):
    found = silhouettes(LINE, {"": np.array(labels)})[""]
    assert np.isnan(found).all()
    assert np.isnan([mean(found), macro(found, np.array(labels)), standard_error(found)]).all()


def test_identical_customers_in_two_segments_score_0():
    found = silhouettes(np.ones((4, 2)), {"": np.array([0, 0, 1, 1])})[""]
    np.testing.assert_array_equal(found, np.zeros(4))


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


@pytest.mark.parametrize("workers", [2, 4])
def test_number_of_threads_does_not_matter_to_the_last_bit(many, workers):
    matrix, labelings = many
    one = silhouettes(matrix, labelings, workers=1)
    more = silhouettes(matrix, labelings, workers=workers)
    assert all(one[k].tobytes() == more[k].tobytes() for k in labelings)


def test_shuffled_customers_keep_their_silhouettes(many):
    matrix, labelings = many
    order = np.random.default_rng(2).permutation(len(matrix))
    shuffled = silhouettes(matrix[order], {8: labelings[8][order]})[8]
    np.testing.assert_allclose(shuffled, silhouettes(matrix, labelings)[8][order], atol=1e-9)


def test_a_sample_of_customers_scores_as_in_the_whole(many):
    matrix, labelings = many
    rows = np.array([5, 600, 17, 300])
    sampled, whole = silhouettes(matrix, labelings, rows=rows)[3], silhouettes(matrix, labelings)[3]
    np.testing.assert_allclose(sampled[rows], whole[rows], atol=1e-9)
    assert np.isnan(np.delete(sampled, rows)).all()
    assert standard_error(sampled) == pytest.approx(np.std(whole[rows], ddof=1) / 2)


def test_the_size_of_a_block_of_distances_does_not_matter(monkeypatch):
    matrix = np.random.default_rng(0).normal(size=(300, 3))
    labels = {"thirds": np.arange(300) % 3}
    whole = silhouettes(matrix, labels, rows=np.arange(0, 300, 7))["thirds"]
    monkeypatch.setattr(silhouette, "_DISTANCES", 1500)  # blocks of five customers
    np.testing.assert_allclose(
        silhouettes(matrix, labels, rows=np.arange(0, 300, 7))["thirds"], whole, atol=1e-14
    )

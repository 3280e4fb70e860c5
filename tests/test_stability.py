"""Stability: indices by hand, the direct way as a second opinion, and what must not matter."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from segmentation import stability
from segmentation.kmeans import fit_kmeans, order_by, scan_kmeans
from segmentation.stability import (
    Resamples,
    adjusted_rand,
    agreement_within,
    assignment_agreement,
    bootstrap_agreement,
    calibration,
    jaccard,
    refit_intervals,
    resample_scan,
)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(240, 3, centers=4, center_box=(-40, 40), random_state=4)[0]


@pytest.fixture(scope="module")
def mass():
    return np.random.default_rng(8).normal(size=(300, 4))


def test_adjusted_rand_by_hand_and_as_scikit_learn():
    # table 2 1 0 / 0 1 2: pairs together 2, in rows 6, in columns 3, in all 15
    first, second = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert adjusted_rand(first, second) == pytest.approx((2 - 6 * 3 / 15) / ((6 + 3) / 2 - 1.2))
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 500), rng.integers(0, 3, 500)
    first[:200] = second[:200]
    expected = pytest.approx(adjusted_rand_score(first, second))
    assert adjusted_rand(first, second) == adjusted_rand(4 - first, 10 * second - 1) == expected
    assert adjusted_rand(first, 4 - first) == adjusted_rand(np.zeros(5), np.ones(5)) == 1.0


def test_jaccard_by_hand():
    # sizes 3, 2 and 2, 3; shared 2 1 / 0 2
    found = jaccard(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]), 3)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 5, 0], [0, 2 / 3, 0], [0, 0, 0]])


def test_a_refit_weighs_customers_by_their_draws(mass):
    found = bootstrap_agreement(mass, [2, 4], pairs=3, n_init=4, seed=6)
    for k in (2, 4):
        labels = []
        for source in np.random.SeedSequence(6).spawn(6):
            rng = np.random.default_rng(source)
            drawn = np.sort(rng.integers(0, len(mass), len(mass)))
            with threadpool_limits(1):
                model = KMeans(k, n_init=4, tol=0, random_state=int(rng.integers(2**31)))
                labels.append(model.fit(mass[drawn]).predict(mass))
        direct = [adjusted_rand_score(labels[i], labels[i + 1]) for i in (0, 2, 4)]
        np.testing.assert_allclose(found[k], direct, atol=1e-12)
    assert found[4].mean() < 0.9


def test_separate_blobs_are_stable_and_matched(blobs):
    fits = {4: fit_kmeans(blobs, 4, n_init=10), 5: fit_kmeans(blobs, 5, n_init=20)}
    found = resample_scan(blobs, fits, resamples=12)
    np.testing.assert_array_equal(found[4].jaccard, np.ones((12, 4)))
    np.testing.assert_array_equal(found[4].labels, np.tile(fits[4].labels, (12, 1)))
    np.testing.assert_array_equal(found[4].agreement, np.ones(6))
    np.testing.assert_array_equal(assignment_agreement(found[4]), np.ones(240))
    assert (found[4].counts.sum(axis=1) == 240).all()
    # With one segment more, a blob is cut in two, which shows in its halves.
    halves = np.argsort(np.bincount(fits[5].labels))[:2]
    stable = found[5].jaccard.mean(axis=0)
    assert stable[halves].max() < 0.75 < np.delete(stable, halves).min()


def test_a_scan_holds_what_pairs_alone_give_in_any_numbering(mass):
    fits = scan_kmeans(mass, [2, 4], n_init=4)
    found = resample_scan(mass, fits, resamples=6, n_init=2)
    pairs = bootstrap_agreement(mass, [2, 4], pairs=3, n_init=2)
    for k in fits:
        np.testing.assert_array_equal(found[k].agreement, pairs[k])
    key = np.array([2.0, 9.0, 5.0, 5.0])
    turned = resample_scan(mass, {4: order_by(fits[4], key)}, resamples=6, n_init=2)[4]
    np.testing.assert_array_equal(found[4].order_by(key).labels, turned.labels)
    np.testing.assert_allclose(found[4].order_by(key).jaccard, turned.jaccard)


def resamples_of(labels, counts=None):
    labels = np.array(labels)
    counts = np.ones_like(labels) if counts is None else np.array(counts)
    k = labels.max() + 1
    return Resamples(labels, counts, np.ones((len(labels), k)), np.ones(len(labels) // 2))


def test_two_refits_agree_on_a_customer_as_often_as_pairs_of_votes_do():
    votes = [[0, 0, 1], [0, 0, 1], [0, 1, 2], [0, 1, 0]]
    # the second customer: two pairs of six agree; the third: one of six
    assert assignment_agreement(resamples_of(votes)) == pytest.approx([1, 1 / 3, 1 / 6])


def test_intervals_come_from_the_refits_shares_and_from_both_samples():
    found = resamples_of([[0, 0, 0, 1], [0, 0, 1, 1]], [[1, 1, 1, 1], [2, 0, 1, 1]])
    amounts = pd.DataFrame({"share": [1.0] * 4, "spent": [1.0, 1.0, 1.0, 5.0]})
    table = refit_intervals(found, amounts, customers=8)
    # shares .75 and .5, worth 3/8 and 2/8: half of their difference is the standard deviation
    scale = 1.96 * np.sqrt(2 * 4 / 8)
    assert table["share"].to_numpy() == pytest.approx([0.125 * scale] * 2)
    assert table["spent"].to_numpy() == pytest.approx([0.0625 * scale] * 2)
    assert list(table.index) == [1, 2]
    assert refit_intervals(found, amounts[[]], customers=8).shape == (2, 0)


def test_samples_have_a_fixed_size(mass, monkeypatch):
    monkeypatch.setattr(stability, "RESAMPLE_SIZE", 100)
    found = resample_scan(mass, scan_kmeans(mass, [2], n_init=2), resamples=3)[2]
    assert (found.counts.sum(axis=1) == 100).all() and found.labels.shape == (3, len(mass))


def test_a_solution_among_the_starts_is_found_again(blobs):
    fits = {4: fit_kmeans(blobs, 4, n_init=10)}
    alone = resample_scan(blobs, fits, resamples=20, n_init=1, seed=2)[4]
    helped = resample_scan(blobs, fits, resamples=20, n_init=1, seed=2, from_solution=True)[4]
    assert helped.jaccard.min() == 1 and alone.jaccard.min() <= helped.jaccard.min()


def test_agreement_inside_cells_leaves_out_what_the_cells_say():
    cells = np.repeat([0, 1], 50)
    halves = np.tile([0, 1], 50)
    both = np.array([2 * cells + halves, 2 * cells + halves])
    assert agreement_within(both, cells) == 1
    other = np.array([2 * cells + halves, 2 * cells + np.repeat([0, 1], 25).repeat(2)])
    assert adjusted_rand(*other) > 0.4 and abs(agreement_within(other, cells)) < 0.1


def test_calibration_by_hand():
    confidence, kept = np.array([0.0, 0.2, 0.5, 1.0]), np.array([0.4, 0.6, 0.9, 1.0])
    assert calibration(confidence, kept, [0, 0.25, 0.4, 0.5, 1]).to_dict("list") == {
        "low": [0.0, 0.5],
        "high": [0.25, 1.0],
        "customers": [2, 2],
        "confidence": pytest.approx([0.1, 0.75]),
        "kept": pytest.approx([0.5, 0.95]),
    }

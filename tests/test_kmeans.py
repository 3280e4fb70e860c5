"""K-Means and the nearest centres: by hand, and scikit-learn and numpy as second opinions."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from segmentation.assignment import assign as nearest_two
from segmentation.assignment import assignment_confidence, distances
from segmentation.kmeans import KMeansFit, assign, fit_kmeans, order_by, refine, scan_kmeans


@pytest.fixture(scope="module")
def mass():
    """One mass without segments, where initialisations end in many places."""
    return np.random.default_rng(5).normal(size=(400, 6)) + 100.0


def test_four_points_by_hand():
    matrix = np.array([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 4.0]])
    fit = fit_kmeans(matrix, 2, n_init=5)
    fit = order_by(fit, key=-fit.centres[:, 0])
    assert fit.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(fit.centres, [[0.0, 1.0], [10.0, 2.0]])
    assert fit.inertia == pytest.approx(1 + 1 + 4 + 4)
    assert fit.inertias.shape == (5,)


@pytest.mark.parametrize("seed", [0, 7])
def test_same_solution_as_scikit_learn(mass, seed):
    fit = fit_kmeans(mass, 5, n_init=6, seed=seed)
    with threadpool_limits(1):
        model = KMeans(5, n_init=6, random_state=seed, tol=0).fit(mass)
    np.testing.assert_array_equal(fit.labels, model.labels_)
    np.testing.assert_allclose(fit.centres, model.cluster_centers_, rtol=1e-12)
    assert fit.inertia == pytest.approx(model.inertia_, rel=1e-12)
    assert fit.inertia == fit.inertias.min()


def test_a_scan_is_never_worse_than_its_initialisations_and_finds_better(mass):
    ks = range(2, 11)
    alone = {k: fit_kmeans(mass, k, n_init=2) for k in ks}
    scan = scan_kmeans(mass, ks, n_init=2)
    assert list(scan) == list(ks)
    for k, fit in scan.items():
        assert fit.inertia <= alone[k].inertia
        np.testing.assert_array_equal(fit.inertias, alone[k].inertias)
        np.testing.assert_array_equal(assign(mass, fit.centres), fit.labels)
        means = [mass[fit.labels == segment].mean(axis=0) for segment in range(k)]
        np.testing.assert_allclose(fit.centres, means, rtol=1e-12)
    assert sum(scan[k].inertia < alone[k].inertia for k in ks) >= 5
    assert all(scan[k].inertia > scan[k + 1].inertia for k in range(2, 10))


def test_a_scan_with_gaps_and_with_identical_rows():
    matrix = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]], 4, axis=0)
    scan = scan_kmeans(matrix, [3, 2], n_init=4)
    assert scan[2].inertia == pytest.approx(8 * 0.25)
    assert scan[3].inertia == pytest.approx(0.0)
    assert list(scan_kmeans(matrix, [3], n_init=4)) == [3]


def test_the_nearest_centre_and_the_first_of_equals():
    centres = np.array([[0.0], [10.0], [10.0]])
    assert assign(np.array([[1.0], [9.0], [5.0]]), centres).tolist() == [0, 1, 0]
    far = np.array([[1e9, 0.0], [1e9, 1.0]])  # the offset leaves no digits for a squared sum
    assert assign(far + [0, 0.1], far).tolist() == [0, 1]


def test_order_by_renumbers_labels_and_centres_together():
    fit = KMeansFit(3, np.array([0, 1, 2, 2]), np.array([[0.0], [1.0], [2.0]]), 1.0, np.ones(2))
    ordered = order_by(fit, np.array([5.0, 9.0, 5.0]))
    assert ordered.labels.tolist() == [1, 0, 2, 2]  # equals keep their order
    assert ordered.centres.ravel().tolist() == [1.0, 0.0, 2.0]
    assert fit.labels.tolist() == [0, 1, 2, 2]


@pytest.fixture(scope="module")
def crowd():
    """Many customers of one mass, and the centres that every tenth of them gave."""
    crowd = np.random.default_rng(6).standard_t(4, size=(1500, 5))
    return crowd, fit_kmeans(crowd[::10], 6, n_init=4).centres


@pytest.mark.parametrize("passes", [1, 2, 300])
def test_refinement_is_never_worse_than_the_samples_centres(crowd, passes):
    matrix, centres = crowd
    fit = refine(matrix, centres, passes=passes)
    before = np.square(distances(matrix, centres).min(axis=1)).sum()
    assert (np.diff(fit.inertias) <= 1e-9 * before).all()
    assert fit.inertias[0] == pytest.approx(before, rel=1e-12)
    assert len(fit.inertias) == passes or passes == 300
    model = KMeans(6, init=centres, n_init=1, tol=0, max_iter=300).fit(matrix)
    assert passes < 300 or fit.inertia == pytest.approx(model.inertia_, rel=1e-12)
    away = distances(matrix, fit.centres)
    assert fit.inertia == pytest.approx(np.square(away.min(axis=1)).sum(), rel=1e-12)
    np.testing.assert_array_equal(fit.labels, away.argmin(axis=1))


def test_a_centre_far_from_all_customers_stays(crowd):
    matrix, centres = crowd
    fit = refine(matrix, np.vstack([centres, np.full(5, 1e6)]))
    assert (fit.centres[-1] == 1e6).all() and (fit.labels < 6).all()


@pytest.mark.parametrize("k", [2, 3, 7])
def test_distances_are_the_plain_ones_in_any_layout(k):
    random = np.random.default_rng(k)
    matrix, centres = random.normal(size=(10_001, 13)), random.normal(size=(k, 13))
    found = distances(matrix, centres)
    columns = np.asfortranarray(matrix)
    plain = np.column_stack([np.linalg.norm(columns - centre, axis=1) for centre in centres])
    assert (found == plain).all()
    assert (distances(columns, centres) == found).all()
    for alone in range(5000, 5050):
        assert (distances(matrix[alone : alone + 1], centres) == found[alone]).all()


def test_the_two_nearest_are_the_first_of_equals():
    values = np.random.default_rng(1).integers(0, 4, size=(6, 5000)).astype(float)
    found, order = nearest_two(values), np.argsort(values, axis=0, kind="stable")
    near, other = np.sort(values, axis=0)[:2]
    assert (found["segment"] == order[0] + 1).all()
    assert (found["second_choice"] == order[1] + 1).all()
    assert (found["distance"] == near).all()
    ratio = np.where(other > 0, near / np.where(other > 0, other, 1), 1)
    assert (found["ratio"] == ratio).all() and (found["confidence"] == 1 - ratio).all()


def test_a_customer_on_two_equal_centres_has_no_confidence():
    table = assignment_confidence(np.zeros((3, 2)))
    assert (table["ratio"] == 1).all() and (table["confidence"] == 0).all()

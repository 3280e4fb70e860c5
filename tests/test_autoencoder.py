"""Autoencoders: what they rebuild, what they never see, and that they repeat to the bit."""

import hashlib

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from segmentation.autoencoder import train_autoencoders, train_clustering_autoencoders
from segmentation.reduction import reconstruction_r2, split_rows

SMALL = {"hidden": (16, 16), "epochs": 50, "batch": 32}


def curve(rows=500):
    """Points on a curve in five dimensions, which no straight line follows."""
    along = np.random.default_rng(1).uniform(-2, 2, rows)
    points = np.column_stack([along, along**2, np.sin(2 * along), np.cos(2 * along), along**3])
    return (points - points.mean(axis=0)) / points.std(axis=0)


@pytest.fixture(scope="module")
def split():
    return split_rows(500, seed=2)


@pytest.fixture(scope="module")
def trained(split):
    return train_autoencoders(curve(), [1, 2], [0, 1], split, **SMALL)


def digest(models):
    found = hashlib.sha256()
    for model in models:
        for numbers in (*model.weights, model.history.to_numpy()):
            found.update(np.ascontiguousarray(numbers).tobytes())
    return found.hexdigest()


def test_one_symmetric_network_per_rank_and_seed(trained):
    assert [(model.rank, model.seed) for model in trained] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert [model.transform(curve()).shape[1] for model in trained] == [1, 1, 2, 2]
    widths = [len(kernel) for kernel in trained[0].weights[::2]]
    assert widths == [5, 16, 16, 1, 16, 16]
    assert trained[0].weights[-1].shape == (5,)


def test_a_curve_is_rebuilt_far_better_than_by_pca(trained, split):
    rows = curve()[split.held_out]
    pca = PCA(1).fit(curve()[split.train])
    by_pca = 1 - reconstruction_r2(rows, pca.inverse_transform(pca.transform(rows)))
    model = trained[0]
    by_model = 1 - reconstruction_r2(rows, model.inverse_transform(model.transform(rows)))
    assert by_model < by_pca / 3


def test_the_weights_are_those_of_the_best_epoch(trained, split):
    rows = curve()[split.validation]
    for model in trained:
        rebuilt = model.inverse_transform(model.transform(rows))
        kept = model.history["val_loss"][model.kept]
        assert np.square(rebuilt - rows).mean() == pytest.approx(kept, rel=1e-4)
        assert kept <= model.history["val_loss"].min() * 1.01


def test_each_network_stops_for_itself(trained):
    ends = [len(model.history) - 1 - model.kept for model in trained]
    assert max(ends) == 8 and len({len(model.history) for model in trained}) > 1
    for model in trained:  # no later epoch was better by the gain that counts
        lowest = model.history["val_loss"][model.kept]
        assert (model.history["val_loss"][model.kept + 1 :] >= lowest * 0.99).all()


def test_codes_are_standardised_on_the_training_rows(trained, split):
    for model in trained:
        code = model.transform(curve()[split.train])
        assert np.allclose(code.mean(axis=0), 0, atol=1e-4)
        assert np.allclose(code.std(axis=0), 1, atol=1e-4)


def test_held_out_rows_do_not_reach_the_training(trained, split):
    changed = curve()
    changed[split.held_out] = 100.0
    assert digest(train_autoencoders(changed, [1, 2], [0, 1], split, **SMALL)) == digest(trained)


def test_a_network_alone_is_the_one_beside_others(trained, split):
    (alone,) = train_autoencoders(curve(), [2], [1], split, **SMALL)
    both = min(len(alone.history), len(trained[3].history))  # beside others, it may go on
    assert both > 10
    assert np.allclose(alone.history[:both], trained[3].history[:both], rtol=0.02)


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(6)
    truth = np.repeat([0, 1, 2], 200)
    return rng.normal(size=(600, 6)) + 2 * rng.normal(size=(3, 6))[truth], truth


def test_clustering_finds_blobs_and_moves_codes_to_centres(blobs):
    matrix, truth = blobs
    split = split_rows(600, seed=2)
    begun = train_autoencoders(matrix, [2], [0, 1], split, **SMALL)
    fits = [KMeans(3, n_init=10, random_state=0).fit(s.transform(matrix)) for s in begun]
    centres = [fit.cluster_centers_ for fit in fits]
    more = {"epochs": 20, "weight": 2, "rate": 0.005, "tolerance": 0}
    found = train_clustering_autoencoders(matrix, begun, centres, split, **more)

    def sharpness(model, centres):
        """Mean largest soft assignment, by Student's t with one degree of freedom."""
        away = np.square(model.transform(matrix)[:, None] - centres).sum(axis=2)
        near = 1 / (1 + away)
        return (near.max(axis=1) / near.sum(axis=1)).mean()

    for model, start, first in zip(found, begun, centres, strict=True):
        assert adjusted_rand_score(truth, model.assign(matrix)) > 0.95
        assert model.centres.shape == (3, 2)
        assert sharpness(model, model.centres) > sharpness(start, first) + 0.02
        assert len(model.history) == 20
    (once, _) = train_clustering_autoencoders(matrix, begun, centres, split, epochs=15)
    assert len(once.history) < 15  # nobody changes any more

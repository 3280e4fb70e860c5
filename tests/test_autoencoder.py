import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from customer_tables.errors import UserError
from customer_tables.storage import checksum
from segmentation.autoencoder import (
    Autoencoder,
    train_autoencoders,
    train_clustering_autoencoders,
)
from segmentation.reduction import reconstruction_r2, split_rows

PACKAGE = Path(__file__).parents[1] / "notebooks" / "segmentation"
SMALL = {"hidden": (16, 16), "epochs": 25, "batch": 32}


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
    return hashlib.sha256(json.dumps([m.to_dict() for m in models]).encode()).hexdigest()


def test_one_network_per_rank_and_seed(trained):
    assert [(model.rank, model.seed) for model in trained] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert [model.transform(curve()).shape[1] for model in trained] == [1, 1, 2, 2]


def test_the_code_is_the_narrowest_layer_of_a_symmetric_network(trained):
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
        best = model.history["val_loss"].min()
        assert np.square(rebuilt - rows).mean() == pytest.approx(best, rel=1e-4)


def test_training_stops_when_nothing_gets_better(split):
    noise = np.random.default_rng(3).normal(size=(500, 6))
    (model,) = train_autoencoders(noise, [2], [0], split, epochs=200, patience=3, hidden=(64, 64))
    assert len(model.history) < 200
    assert len(model.history) - 1 - model.history["val_loss"].idxmin() == 3


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


def test_numbers_survive_json(trained):
    again = Autoencoder.from_dict(json.loads(json.dumps(trained[2].to_dict())))
    code = trained[2].transform(curve())
    assert np.array_equal(again.transform(curve()), code)
    assert np.array_equal(again.inverse_transform(code), trained[2].inverse_transform(code))
    assert again.history.equals(trained[2].history)


def test_a_missing_value_is_an_error_and_no_training(split):
    matrix = curve()
    matrix[7, 3] = np.nan
    with pytest.raises(UserError, match="1 values of the matrix are missing"):
        train_autoencoders(matrix, [1], [0], split)


def test_a_rank_that_does_not_reduce_is_an_error(split):
    with pytest.raises(UserError, match="5 dimensions are no reduction"):
        train_autoencoders(curve(), [2, 5], [0], split)


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(6)
    truth = np.repeat([0, 1, 2], 200)
    return rng.normal(size=(600, 6)) + 2 * rng.normal(size=(3, 6))[truth], truth


def test_clustering_finds_blobs_and_moves_codes_to_centres(blobs):
    matrix, truth = blobs
    split = split_rows(600, seed=2)
    starts = train_autoencoders(matrix, [2], [0, 1], split, **SMALL)
    fits = [KMeans(3, n_init=10, random_state=0).fit(s.transform(matrix)) for s in starts]
    centres = [fit.cluster_centers_ for fit in fits]
    more = {"epochs": 20, "weight": 2, "rate": 0.005, "tolerance": 0}
    found = train_clustering_autoencoders(matrix, starts, centres, split, **more)

    def sharpness(model, centres):
        """Mean largest soft assignment, by Student's t with one degree of freedom."""
        away = np.square(model.transform(matrix)[:, None] - centres).sum(axis=2)
        near = 1 / (1 + away)
        return (near.max(axis=1) / near.sum(axis=1)).mean()

    for model, start, first in zip(found, starts, centres, strict=True):
        assert adjusted_rand_score(truth, model.assign(matrix)) > 0.95
        assert model.centres.shape == (3, 2)
        assert sharpness(model, model.centres) > sharpness(start, first) + 0.02
        assert len(model.history) == 20
    (once, _) = train_clustering_autoencoders(matrix, starts, centres, split, epochs=15)
    assert len(once.history) < 15  # nobody changes any more
    again = Autoencoder.from_dict(json.loads(json.dumps(found[0].to_dict())))
    assert np.array_equal(again.assign(matrix), found[0].assign(matrix))


@pytest.mark.slow
def test_another_process_gives_the_same_bits_and_a_silent_stderr(trained):
    code = (
        "from test_autoencoder import *; split = split_rows(500, seed=2); "
        "print(digest(train_autoencoders(curve(), [1, 2], [0, 1], split, **SMALL)))"
    )
    paths = [str(PACKAGE.parent), str(Path(__file__).parent)]
    start = f"import sys; sys.path[:0] = {paths}; {code}"
    run = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout.strip() == digest(trained)


def test_one_module_imports_tensorflow():
    users = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if any(word in path.read_text() for word in ("import tensorflow", "import keras"))
    ]
    assert users == ["autoencoder.py"]


def tampered(stored, change):
    stored = json.loads(json.dumps(stored))
    change(stored)
    return stored


def resigned(change):
    """Change the numbers and the checksum, as somebody would who means it."""

    def changed(stored):
        change(stored)
        stored["checksum"] = checksum(stored)

    return changed


def set_item(*place, to):
    def change(stored):
        for key in place[:-1]:
            stored = stored[key]
        stored[place[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_item("weights", 0, 0, 0, to=9.0), "changed after they were written"),
        (set_item("version", to=2), "this program reads 1"),
        (lambda stored: stored.pop("checksum"), "'checksum' is missing"),
        (lambda stored: stored.pop("weights"), "checksum"),
        (resigned(lambda stored: stored.pop("weights")), "'weights' is missing"),
        (resigned(lambda stored: stored["weights"].pop()), "kernel without a bias"),
        (resigned(set_item("weights", 1, to=[0.0])), "do not fit"),
        (resigned(set_item("weights", 0, 0, to=[1.0])), "inhomogeneous"),
        (resigned(set_item("weights", 0, to=5)), "no matrix"),
        (resigned(set_item("weights", 0, 0, 0, to="x")), "could not convert"),
        (resigned(set_item("weights", 0, 0, 0, to=None)), "finite"),
        (resigned(set_item("rank", to=3)), "rank 3"),
        (resigned(set_item("centres", to=[[1.0, 2.0, 3.0]])), "centres"),
        (resigned(set_item("history", to=7)), "DataFrame"),
        (resigned(set_item("seed", to=[])), "int"),
    ],
)
def test_damaged_weights_are_refused_with_the_reason(trained, change, reason):
    stored = tampered(trained[2].to_dict(), change)
    with pytest.raises(UserError, match="no autoencoder of this program") as refused:
        Autoencoder.from_dict(stored)
    assert reason in str(refused.value)
    assert 1 <= len(str(refused.value).splitlines()) <= 3


@pytest.mark.parametrize("stored", [None, [], "x", {}, 5])
def test_something_else_is_no_autoencoder(stored):
    with pytest.raises(UserError, match="no autoencoder"):
        Autoencoder.from_dict(stored)

"""K-Means on files: as good as on tables, the same on every number of cores, in fixed blocks."""

import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_tables.errors import UserError
from segmentation import streaming
from segmentation.kmeans import fit_kmeans
from segmentation.streaming import fit_file, label_file


def write(path, matrix, **more):
    columns = {f"x{j}": column for j, column in enumerate(matrix.T)}
    pq.write_table(pa.table(columns | more), path, row_group_size=1700)
    return path


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 3, (5, 4))
    rows = centres[rng.integers(0, 5, 9000)] + rng.normal(size=(9000, 4))
    return rows * [1, 10, 100, 1000] + [0, 5, 1e4, -3]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK", 500)
    monkeypatch.setattr(streaming, "SMALL", 800)
    monkeypatch.setattr(streaming, "LARGE", 2500)


def test_a_fit_to_a_file_is_that_of_the_whole_table(matrix, tmp_path, small_blocks):
    path = write(tmp_path / "t.parquet", matrix)
    fit = fit_file(path, 5)
    np.testing.assert_allclose(fit.means, matrix.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fit.deviations, matrix.std(axis=0), rtol=1e-12)
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    whole = fit_kmeans(scaled, 5, n_init=20)
    assert fit.settled and fit.customers == len(matrix) == fit.sizes.sum()
    assert whole.inertia * (1 - 1e-9) <= fit.inertia <= whole.inertia * 1.0005
    gaps = np.square(scaled[:, None] - fit.centres).sum(axis=2)
    assert fit.inertia == pytest.approx(gaps.min(axis=1).sum(), rel=1e-12)
    labels = np.concatenate(list(label_file(path, fit)))
    assert (labels == gaps.argmin(axis=1)).all()
    assert (np.bincount(labels) == fit.sizes).all()


def test_the_number_of_threads_changes_no_bit(matrix, tmp_path, small_blocks):
    path = write(tmp_path / "t.parquet", matrix)
    fits = [fit_file(path, 4, n_init=3, workers=workers) for workers in (1, 2, 4)]
    for fit in fits[1:]:
        assert (fit.centres == fits[0].centres).all() and fit.inertia == fits[0].inertia
        assert (fit.means == fits[0].means).all() and (fit.inertias == fits[0].inertias).all()


def test_inertia_never_rises_and_passes_are_bounded(matrix, tmp_path, small_blocks):
    path = write(tmp_path / "t.parquet", matrix)
    long = fit_file(path, 7, n_init=1, tolerance=0)
    assert (np.diff(long.inertias) <= 1e-9 * long.inertia).all()
    short = fit_file(path, 7, n_init=1, tolerance=0, passes=2)
    assert len(short.inertias) == 2 and not short.settled


def alone(*given):
    """Follow nothing: Lloyd's steps over the file alone."""
    return given[1]


def test_steps_on_the_sample_save_passes_over_the_file(matrix, tmp_path, small_blocks, monkeypatch):
    path = write(tmp_path / "t.parquet", matrix)
    with_sample = fit_file(path, 7, n_init=1, tolerance=0.005)
    monkeypatch.setattr(streaming, "_follow", alone)
    without = fit_file(path, 7, n_init=1, tolerance=0.005)
    assert with_sample.settled and without.settled
    assert len(with_sample.inertias) < len(without.inertias) / 2
    assert with_sample.inertia < without.inertia * (1 + 1e-4)


def test_a_sample_that_leads_astray_is_not_followed(matrix, tmp_path, small_blocks, monkeypatch):
    path = write(tmp_path / "t.parquet", matrix)
    monkeypatch.setattr(streaming, "_follow", alone)
    expected = fit_file(path, 5, n_init=1)

    def astray(sample, centres, lacking, *more):
        return centres + (9 if np.ndim(lacking) else 0)

    monkeypatch.setattr(streaming, "_follow", astray)
    fit = fit_file(path, 5, n_init=1)
    assert fit.settled and (fit.inertias == expected.inertias).all()
    assert (fit.centres == expected.centres).all()


def test_few_blocks_are_held_at_a_time(matrix, tmp_path, small_blocks, monkeypatch):
    path = write(tmp_path / "t.parquet", matrix)
    drawn, most, blocks = [], [0], streaming._blocks

    def counted(*given):
        for block in blocks(*given):
            drawn.append(weakref.ref(block))
            most[0] = max(most[0], sum(one() is not None for one in drawn))
            yield block
            del block

    monkeypatch.setattr(streaming, "_blocks", counted)
    fit = fit_file(path, 3, n_init=1)
    assert fit.customers // streaming.BLOCK == 18
    assert len(drawn) > 50 and 0 < most[0] < 12


def test_columns_can_be_chosen_and_kept_as_they_are(matrix, tmp_path, small_blocks):
    words = pa.array(["a"] * len(matrix))
    path = write(tmp_path / "t.parquet", matrix, name=words)
    fit = fit_file(path, 3, columns=["x1", "x0"], standardise=False)
    assert fit.columns == ("x1", "x0") and (fit.deviations == 1).all()
    assert fit.inertia == pytest.approx(
        fit_kmeans(matrix[:, [1, 0]], 3, n_init=20).inertia, rel=1e-3
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"columns": ["x9"]}, "no columns called 'x9'"),
        (lambda m: {"columns": ["name"]}, "holds no numbers"),
        (lambda m: {"columns": ["gap", "x1"]}, "'gap' has gaps"),
        (lambda m: {"columns": ["same", "x1"]}, "same for every"),
        (lambda m: {"k": 10_000}, "9000 customers cannot be divided into 10000"),
    ],
)
def test_what_cannot_be_fitted_is_refused(matrix, tmp_path, small_blocks, change, message):
    gap = matrix[:, 0].copy()
    gap[7000] = np.nan
    more = {"name": pa.array(["a"] * len(matrix)), "gap": gap, "same": np.full(len(matrix), 0.1)}
    path = write(tmp_path / "t.parquet", matrix, **more)
    settings = {"k": 3, "columns": ["x0", "x1"], "n_init": 1} | change(matrix)
    with pytest.raises(UserError, match=message):
        fit_file(path, settings.pop("k"), **settings)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UserError, match="cannot be read"):
        fit_file(tmp_path / "t.parquet", 3)

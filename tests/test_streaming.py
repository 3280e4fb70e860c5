"""K-Means on files: as good as on tables, from few blocks at a time."""

import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_tables.errors import UserError
from segmentation import streaming
from segmentation.kmeans import fit_kmeans
from segmentation.streaming import fit_file, label_file

SEPARATE, OVERLAPPING = 5, 7


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 3, (5, 4))
    rows = centres[rng.integers(0, 5, 9000)] + rng.normal(size=(9000, 4))
    return rows * [1, 10, 100, 1000] + [0, 5, 1e4, -3]


@pytest.fixture(scope="module")
def path(matrix, tmp_path_factory):
    """Columns to fit, and some that cannot be."""
    gap = matrix[:, 0].copy()
    gap[7000] = np.nan
    columns = {f"x{j}": column for j, column in enumerate(matrix.T)}
    columns |= {"name": pa.array(["a"] * len(matrix)), "gap": gap, "same": np.full(9000, 0.1)}
    path = tmp_path_factory.mktemp("file") / "t.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=1700)
    return path


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK", 500)
    monkeypatch.setattr(streaming, "SAMPLE", 800)


COLUMNS = ["x0", "x1", "x2", "x3"]


def test_a_fit_to_a_file_is_that_of_the_whole_table(matrix, path):
    fit = fit_file(path, SEPARATE, columns=COLUMNS)
    np.testing.assert_allclose(fit.means, matrix.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fit.deviations, matrix.std(axis=0), rtol=1e-12)
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    whole = fit_kmeans(scaled, SEPARATE, n_init=20)
    assert fit.settled and len(matrix) == fit.sizes.sum()
    assert whole.inertia * (1 - 1e-9) <= fit.inertia <= whole.inertia * 1.0005
    squares = np.square(scaled[:, None] - fit.centres).sum(axis=2)
    assert fit.inertia == pytest.approx(squares.min(axis=1).sum(), rel=1e-12)
    labels = np.concatenate(list(label_file(path, fit)))
    assert (labels == squares.argmin(axis=1)).all()
    assert (np.bincount(labels) == fit.sizes).all()


def test_inertia_never_rises_and_passes_are_bounded(path):
    settings = {"columns": COLUMNS, "n_init": 1}
    short = fit_file(path, OVERLAPPING, tolerance=0, passes=2, **settings)
    assert len(short.inertias) == 2 and not short.settled
    long = fit_file(path, OVERLAPPING, **settings)
    assert long.settled and (np.diff(long.inertias) <= 0).all()


def test_few_blocks_are_held_at_a_time(path, monkeypatch):
    drawn, most, blocks = [], [0], streaming._blocks

    def counted(*given):
        for block in blocks(*given):
            drawn.append(weakref.ref(block))
            most[0] = max(most[0], sum(one() is not None for one in drawn))
            yield block
            del block

    monkeypatch.setattr(streaming, "_blocks", counted)
    fit_file(path, 3, columns=COLUMNS, n_init=1)
    assert len(drawn) > 50 and 0 < most[0] < 12


def test_columns_can_be_chosen_and_kept_as_they_are(matrix, path):
    fit = fit_file(path, 3, columns=["x1", "x0"], standardise=False)
    assert fit.columns == ("x1", "x0") and (fit.deviations == 1).all()
    whole = fit_kmeans(matrix[:, [1, 0]], 3, n_init=20)
    assert fit.inertia == pytest.approx(whole.inertia, rel=1e-3)


@pytest.mark.parametrize(
    ("k", "columns", "message"),
    [
        (3, ["x9"], "no columns called 'x9'"),
        (3, ["name"], "holds no numbers"),
        (3, ["gap", "x1"], "'gap' has gaps"),
        (3, ["same", "x1"], "'same' is the same for every"),
        (10_000, ["x0", "x1"], "9000 customers cannot be divided into 10000"),
    ],
)
def test_what_cannot_be_fitted_is_refused(path, k, columns, message):
    with pytest.raises(UserError, match=message):
        fit_file(path, k, columns=columns, n_init=1)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UserError, match="cannot be read"):
        fit_file(tmp_path / "t.parquet", 3)

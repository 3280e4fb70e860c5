"""The embedded cardholders: rebuilt byte for byte, flawed and shaped as the public table is."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fitted import Prepared
from scipy.optimize import linear_sum_assignment
from scipy.stats import ks_2samp
from sklearn.metrics import adjusted_rand_score

from make_sample_data import FOLDER, PARAMETERS, main, make_customers, resize
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.features import apply_transform
from segmentation.kmeans import assign, fit_kmeans

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"


@pytest.fixture(scope="module")
def customers():
    return pd.read_csv(FOLDER / "customers.csv")


@pytest.fixture(scope="module")
def real():
    if not REAL.is_file():
        pytest.skip("needs the public tables beside the project")
    return pd.read_csv(REAL)


def count_flaws(table):
    unpaid = table["PAYMENTS"] == 0
    parts = table["ONEOFF_PURCHASES"] + table["INSTALLMENTS_PURCHASES"]
    gap = (parts - table["PURCHASES"]).abs()
    return {
        "minimum payments missing": table["MINIMUM_PAYMENTS"].isna().sum(),
        "no payments": unpaid.sum(),
        "no payments, minimum missing": table.loc[unpaid, "MINIMUM_PAYMENTS"].isna().sum(),
        "credit limit missing": table["CREDIT_LIMIT"].isna().sum(),
        "cash-advance frequency above 1": (table["CASH_ADVANCE_FREQUENCY"] > 1).sum(),
        "parts differ from purchases by over 1 %": (gap > 0.01 * table["PURCHASES"]).sum(),
    }


def notebook_features(table):
    """Return the transformed features that segment in the notebooks, not yet standardised."""
    prepared = Prepared(table, load_dataset("credit_card"))
    features = prepared.features
    steps = prepared.steps.steps
    return pd.DataFrame({s.name: apply_transform(features[s.name], s.transform) for s in steps})


def standardised(table, like):
    return ((table - like.mean()) / like.std(ddof=0)).to_numpy()


@pytest.mark.parametrize("dataset", ["credit_card", "mall"])
def test_the_files_are_rebuilt_byte_for_byte(tmp_path, dataset):
    assert main(["--dataset", dataset, "--folder", str(tmp_path)]) == 0
    for name in ("customers.csv", "truth.csv"):
        assert (tmp_path / name).read_bytes() == (DATA_FOLDER / dataset / name).read_bytes()


def test_flaws_are_those_of_the_public_table(customers):
    assert count_flaws(customers) == {
        "minimum payments missing": 313,
        "no payments": 240,
        "no payments, minimum missing": 240,
        "credit limit missing": 1,
        "cash-advance frequency above 1": 8,
        "parts differ from purchases by over 1 %": 19,
    }
    others = customers.drop(columns=["MINIMUM_PAYMENTS", "CREDIT_LIMIT"])
    assert not others.isna().any().any()


def test_columns_are_distributed_as_in_the_public_table(customers, real):
    for name in real.columns.drop("CUST_ID"):
        ours, theirs = customers[name].dropna(), real[name].dropna()
        assert ks_2samp(ours, theirs, method="asymp").statistic <= 0.08, name
        assert abs((ours == 0).mean() - (theirs == 0).mean()) <= 0.02, name
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.06), name
    assert count_flaws(customers) == count_flaws(real)


def test_segments_are_those_of_the_public_table(customers, real):
    """Both in the public table's standardisation, matched one to one."""
    theirs = notebook_features(real)
    spaces = [standardised(table, theirs) for table in (notebook_features(customers), theirs)]
    ours, public = (fit_kmeans(space, 6, n_init=30, seed=20) for space in spaces)
    gaps = np.sqrt(np.square(ours.centres[:, None] - public.centres).mean(axis=2))
    matched, counterparts = linear_sum_assignment(gaps)
    assert gaps[matched, counterparts].max() <= 0.3
    sizes, other_sizes = (np.bincount(fit.labels) / len(fit.labels) for fit in (ours, public))
    assert np.abs(sizes[matched] - other_sizes[counterparts]).max() <= 0.03
    assert adjusted_rand_score(assign(spaces[1], ours.centres), public.labels) >= 0.8


def test_no_row_of_the_public_table_is_in_the_generated_one(customers, real):
    amounts = ["BALANCE", "PAYMENTS", "MINIMUM_PAYMENTS"]
    rows, generated = (
        set(map(tuple, table[amounts].dropna().round(2).to_numpy().tolist()))
        for table in (real, customers)
    )
    assert not rows & generated


@pytest.mark.parametrize("rows", [1500, 20_000])
def test_another_number_of_card_holders_keeps_the_shares(rows, tmp_path):
    parameters = tomllib.loads(PARAMETERS.read_text("utf-8"))
    customers, truth = make_customers(resize(parameters, rows))
    assert len(customers) == len(truth) == customers["CUST_ID"].nunique() == rows
    embedded = make_customers(parameters)[1]["group"].value_counts(normalize=True)
    shares = truth["group"].value_counts(normalize=True)
    assert (shares - embedded).abs().max() < 25 / rows
    gaps = customers["MINIMUM_PAYMENTS"].isna().mean()
    assert gaps == pytest.approx(313 / 8950, abs=2 / rows)
    assert resize(parameters, 8950) == parameters
    with pytest.raises(SystemExit):
        main(["--rows", str(rows)])

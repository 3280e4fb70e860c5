"""A generated later period, whether what was planted is named, and later periods from files."""

import numpy as np
import pandas as pd
import pytest
from fitted import fit_model

from customer_tables.errors import UserError
from customer_tables.table import read_table
from segmentation import later_period
from segmentation.cleaning import clean
from segmentation.dataset import build_dataset, load_dataset, match_columns
from segmentation.drift import compare_scored
from segmentation.later_period import read_period
from segmentation.migration import follow_customers
from segmentation.model import dataset_of
from segmentation.scoring import assign_customers, score_typed

KNOWN = load_dataset("credit_card")
PLANTED = {"new_share": 0.1, "inflation": 0.6, "shrink": 0.5}


@pytest.fixture(scope="module")
def holders():
    """The model, the cleaned customers, their segments, and the largest of these."""
    table = read_table(KNOWN.source_path).table
    model = fit_model(KNOWN, table, 6)
    customers = clean(table, KNOWN).customers
    labels = assign_customers(model, table)["segment"].loc[customers.index]
    return model, customers, labels, int(labels.value_counts().idxmax())


def plant(holders, seed=1, **amounts):
    _, customers, labels, largest = holders
    settings = {"priced": later_period.priced_columns(KNOWN), "shrinking": largest, "seed": seed}
    return later_period.next_period(customers, labels, **settings, **amounts)


def look_at(holders, period):
    model = holders[0]
    return compare_scored(model, score_typed(model, dataset_of(model), period))


def test_a_period_is_planted_as_told(holders):
    _, customers, labels, largest = holders
    period = plant(holders, **PLANTED)
    new = period.index.difference(customers.index)
    assert len(new) == round(0.1 * len(customers)) and period.index.is_unique
    gone = customers.index.difference(period.index)
    assert (labels[gone] == largest).all()
    assert len(gone) == round(0.5 * (labels == largest).sum())
    stayed, priced = customers.index.intersection(period.index), later_period.priced_columns(KNOWN)
    assert "balance" in priced and "credit_limit" in priced and "tenure" not in priced
    grown = period.loc[stayed, priced] / customers.loc[stayed, priced].where(lambda t: t > 0)
    assert np.nanmax(np.abs(grown.to_numpy() - 1.6)) < 1e-12
    others = customers.columns.difference(priced)
    pd.testing.assert_frame_equal(period.loc[stayed, others], customers.loc[stayed, others])
    pd.testing.assert_frame_equal(period, plant(holders, **PLANTED))
    assert not period.index.equals(plant(holders, seed=2, **PLANTED).index)


def test_a_change_alone_is_the_same_as_among_others(holders):
    period = plant(holders, **PLANTED)
    without = plant(holders, shrink=0.5)
    assert set(without.index) == set(period.index) & set(holders[1].index)
    assert set(plant(holders, new_share=0.1).index) >= set(period.index)


def test_new_identifiers_are_nobody_s(holders):
    _, customers, labels, _ = holders
    few = customers.head(20).set_axis([f"new{n:07d}" for n in range(20)])
    known = labels.head(20).set_axis(few.index)
    assert later_period.next_period(few, known, priced=[], new_share=1.0).index.is_unique


@pytest.mark.parametrize("seed", range(3))
def test_what_is_planted_is_found_and_named(holders, seed):
    _, customers, labels, largest = holders
    moved = later_period.moved_features(customers, KNOWN, later_period.priced_columns(KNOWN), 0.6)
    assert "Balance" in moved and "Utilisation of the limit" not in moved
    dearer = look_at(holders, plant(holders, seed, inflation=0.6))
    assert any(name in later_period.features_named(dearer, moved) for name in moved)
    assert later_period.segment_named(dearer, largest) == ""
    smaller = look_at(holders, plant(holders, seed, shrink=0.5))
    assert later_period.segment_named(smaller, largest).startswith(
        f"The segment Kind {largest} shrank"
    )
    more = plant(holders, seed, new_share=0.1)
    assert look_at(holders, more).verdict == "keep"
    words = labels.map("Kind {}".format)
    now = score_typed(holders[0], dataset_of(holders[0]), more).assigned["segment_name"]
    followed = follow_customers(words, now, [f"Kind {s}" for s in range(1, 7)])
    assert followed.new == len(more) - len(customers) and followed.gone == 0
    assert look_at(holders, plant(holders, seed, **PLANTED)).verdict in ("watch", "rebuild")


def test_a_growth_by_a_third_is_named_by_all_amounts(holders):
    moved = later_period.moved_features(holders[1], KNOWN, later_period.priced_columns(KNOWN), 0.3)
    named = later_period.features_named(look_at(holders, plant(holders, inflation=0.3)), moved)
    assert named.startswith("Amounts of money are larger: the medians of ")
    smaller = look_at(holders, plant(holders, inflation=-0.3))
    assert later_period.features_named(smaller, moved) == "" and smaller.level.ratio < 1


def test_nothing_is_named_where_nothing_was_planted(holders):
    calm = look_at(holders, plant(holders))
    assert calm.verdict == "keep"
    assert (
        later_period.features_named(calm, ["Balance"]) == later_period.segment_named(calm, 1) == ""
    )
    assert later_period.new_named(3, 4) == later_period.new_named(0, 0) == ""


@pytest.mark.parametrize("kind", ["money", "number", "count", "share"])
def test_prices_move_what_there_is(kind):
    columns = {"client": {"kind": "id"}, "a": {"kind": kind}, "b": {"kind": "share"}}
    features = [{"name": "a", "formula": "a"}, {"name": "b", "formula": "b"}]
    known = build_dataset({"columns": columns, "features": features}, KNOWN.folder / "x.toml")
    assert later_period.priced_columns(known) == ([] if kind == "share" else ["a"])


def test_those_who_left_and_joined_are_told_by_segment():
    before = pd.Series({"1": "A", "2": "A", "3": "B", "4": "B"})
    now = pd.Series({"1": "A", "2": "B", "5": "B"})
    found = follow_customers(before, now, ["A", "B"])
    assert found.with_others.to_numpy().tolist() == [[1, 1, 0], [0, 0, 2], [0, 1, 0]]
    assert (found.both, found.gone, found.new, found.moved) == (2, 2, 1, 0.5)
    with pytest.raises(UserError, match="no customer is in both"):
        follow_customers(before, now.tail(1), ["A", "B"])


def test_a_period_from_a_file_is_that_of_the_table(holders, tmp_path):
    scored = read_period(holders[0], KNOWN.source_path)
    assert scored.assigned["segment"].sort_index().equals(holders[2].sort_index())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename(columns={"BALANCE": "SALDO"}), "balance"),
        (lambda t: t.drop(columns="PURCHASES_FREQUENCY"), "purchases_frequency"),
        (lambda t: t.assign(BALANCE=t["BALANCE"] * 100), "balance are about 100 times"),
        (lambda t: t[["CUST_ID"]].assign(age=30, income=range(len(t))), "the model is of"),
        (lambda t: t.head(0), "row"),
    ],
)
def test_files_of_another_kind_are_refused(holders, tmp_path, change, said):
    change(read_table(KNOWN.source_path).table).to_csv(tmp_path / "next.csv", index=False)
    with pytest.raises(UserError) as refused:
        read_period(holders[0], tmp_path / "next.csv")
    assert said in str(refused.value).lower() and len(str(refused.value).splitlines()) <= 4


def test_lines_of_purchases_are_refused_with_the_way_to_sum_them_up(holders, tmp_path):
    retail = load_dataset("retail")
    lines = pd.DataFrame({"household_id": [1, 1, 2] * 30, "basket_id": range(90)})
    lines["transaction_timestamp"], lines["sales_value"] = "2018-01-05 10:00:00", 2.5
    lines.to_csv(tmp_path / "next.csv", index=False)
    columns = [{"name": c.name, "kind": c.kind, "found_as": []} for c in retail.columns]
    of_retail = holders[0] | {
        "dataset": "retail", "title": retail.title, "noun": retail.noun,
        "columns": [holders[0]["columns"][0] | column for column in columns],
    }  # fmt: skip
    with pytest.raises(UserError) as refused:
        read_period(of_retail, tmp_path / "next.csv")
    what, where, remedy = str(refused.value).splitlines()
    assert what.endswith("needs one row for each household") and "'household_id'" in where
    assert "--dataset retail --input FILE --only 01" in remedy
    with pytest.raises(UserError, match="the model is of 'Credit-card holders'"):
        read_period(holders[0], tmp_path / "next.csv")
    # What is given in their place calls the identifier as all tables of notebook 01 do.
    assert match_columns(["customer", "spent"], dataset_of(of_retail))["customer"] == "customer_id"


def test_each_factor_is_told_with_its_columns(holders, tmp_path):
    table = read_table(KNOWN.source_path).table
    table = table.assign(BALANCE=table["BALANCE"] * 100, PAYMENTS=table["PAYMENTS"] / 1000)
    table.assign(PURCHASES=table["PURCHASES"] * 100).to_csv(tmp_path / "next.csv", index=False)
    with pytest.raises(UserError) as refused:
        read_period(holders[0], tmp_path / "next.csv")
    said = refused.value.what
    assert "the values of balance, purchases are about 100 times those in training" in said
    assert "the values of payments are about 1/1,000 of those in training" in said


def test_a_missing_or_empty_file_is_refused(holders, tmp_path):
    (tmp_path / "empty.csv").touch()
    for name, said in (("absent.csv", "there is no file"), ("empty.csv", "empty")):
        with pytest.raises(UserError, match=said):
            read_period(holders[0], tmp_path / name)

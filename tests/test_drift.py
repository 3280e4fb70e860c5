"""Drift: simulated changes are found and named, without false alarms; who moved; later periods."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from fitted import Prepared, fit_model

import score as command
from customer_tables.errors import UserError
from customer_tables.storage import write_json
from scoring.drift_page import drift_files
from scoring.lists import compare_lists
from segmentation import later_period
from segmentation.dataset import load_dataset
from segmentation.drift import (
    OUTLIERS_WATCH,
    compare_scored,
    noise_level,
    outliers_by_chance,
    stability_index,
)
from segmentation.expressions import columns_of
from segmentation.features import build_features
from segmentation.figures import drift as figures
from segmentation.figures.style import panels
from segmentation.intake import open_table
from segmentation.later_period import drift_between_halves, read_period
from segmentation.migration import follow_customers, migration_of
from segmentation.scoring import Scorer, score_customers

KNOWN = load_dataset("credit_card")
MONEY = [c.name.upper() for c in KNOWN.columns if c.kind == "money"]
SIMULATED = {"new_share": 0.1, "inflation": 0.6, "shrink": 0.5}


@pytest.fixture(scope="module")
def table(holders):
    return holders.table


@pytest.fixture(scope="module")
def model(holders):
    return holders.model


def look_at(model, table):
    return compare_scored(model, score_customers(model, table))


def times(table, factor, names=MONEY):
    return table.assign(**{name: table[name] * factor for name in names})


@pytest.mark.slow
def test_two_halves_of_a_table_have_no_drift(table):
    verdicts = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(table))
        first, second = (table.iloc[half] for half in np.array_split(order, 2))
        drift = look_at(fit_model(KNOWN, first, 6), second)
        verdicts.append(drift.verdict)
        assert not drift.units
    assert verdicts.count("keep") >= 19


def test_a_feature_that_is_the_same_in_a_whole_half_ends_no_run(holders):
    customers = holders.customers.head(200).copy()
    first = np.random.default_rng(3).permutation(200)[:100]
    feature = KNOWN.features_with("segment")[0]
    customers.loc[customers.index[first], [*columns_of(feature.formula)]] = 1.0
    tables = (customers, build_features(customers, KNOWN), customers, KNOWN)
    assert drift_between_halves(*tables, fills={}, k=2, seed=3).customers == 100


@pytest.mark.parametrize("size", [100, 300, 1000])
def test_a_small_period_raises_no_alarm(model, table, size):
    found = [look_at(model, table.sample(size, random_state=seed)) for seed in range(8)]
    assert [drift.verdict for drift in found].count("keep") >= 7
    assert [drift.shift for drift in found].count(None) >= 7


def test_the_training_table_itself_has_not_drifted(model, table):
    drift = look_at(model, table)
    assert drift.verdict == "keep" and drift.reasons[0].startswith("No feature, no segment")
    assert drift.features["psi"].max() < 1e-6
    assert np.allclose(drift.segments["change"], 0)


def test_the_index_is_that_of_the_books_and_chance_stays_below_its_level():
    from scipy.stats import chi2

    then, now = np.array([100, 200, 700]) * 1000, np.array([200, 200, 600]) * 1000
    by_hand = 0.1 * np.log(2) + 0 + -0.1 * np.log(6 / 7)
    assert stability_index(then, now) == pytest.approx(by_hand, rel=1e-3)
    assert stability_index(then, then) == 0
    assert np.isfinite(stability_index(then, np.array([0, 0, 10])))
    assert noise_level(10, 1000, 500) == pytest.approx(chi2.ppf(0.999, 9) * 0.003, rel=0.01)


def test_small_segments_have_outliers_by_chance(model):
    large, small = (
        model | {"reference": model["reference"] | {"segments": [size] * 5}} for size in (9000, 20)
    )
    assert 0.001 < outliers_by_chance(large) < OUTLIERS_WATCH
    beyond = np.random.default_rng(2).beta(1, 20, (20_000, 5)).mean(axis=1)
    assert np.mean(beyond > outliers_by_chance(small)) == pytest.approx(0.001, abs=0.0015)


@pytest.mark.parametrize("factor", [1.3, 1.15, 1 / 1.3])
def test_what_all_amounts_show_together_is_found(model, table, factor):
    drift = look_at(model, times(table, factor))
    assert drift.verdict == "watch" and drift.features["band"].eq("stable").all()
    assert drift.shift.ratio == pytest.approx(factor, rel=0.01)
    assert drift.shift.moved == drift.shift.columns
    word = "larger" if factor > 1 else "smaller"
    assert drift.reasons[0].startswith(f"Amounts of money are {word}: the medians of ")


@pytest.mark.parametrize(("names", "factor"), [(MONEY, 1.05), (["PAYMENTS"], 1.3)])
def test_one_column_or_a_small_growth_is_not_the_level(model, table, names, factor):
    assert look_at(model, times(table, factor, names)).shift is None


def test_customers_of_another_kind_are_outliers(model, table):
    odd = table.head(400).assign(CASH_ADVANCE=4e6, PURCHASES_FREQUENCY=1.0, ONEOFF_PURCHASES=3e6)
    odd = odd.assign(CUST_ID=[f"new{i}" for i in range(400)])
    drift = look_at(model, pd.concat([table, odd]))
    assert drift.outliers[1] > 0.02 and drift.verdict == "rebuild"
    assert any("are outliers; chance" in reason for reason in drift.reasons)


@pytest.mark.parametrize(
    ("names", "factor"), [(["BALANCE"], 100), (["PAYMENTS"], 1 / 1000), (MONEY, 100)]
)
def test_another_unit_is_found_and_named(model, table, names, factor):
    drift = look_at(model, times(table, factor, names))
    assert drift.units == dict.fromkeys([name.lower() for name in names], factor)
    assert "another unit" in drift.reasons[0] and drift.verdict == "watch"


def write_list(path, segments):
    table = pd.DataFrame({"customer": list(segments), "segment_name": list(segments.values())})
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("ending", ["", "csv", "parquet"])
def test_who_moved_is_counted(tmp_path, ending):
    before = {"001": "A", "002": "A", "003": "=B", "gone": "=B"}
    now = {"001": "A", "002": "=B", "003": "=B", "new": "A", "newer": "A"}
    if ending:
        listed = {customer: name.replace("=B", "'=B") for customer, name in before.items()}
        lists = write_list(tmp_path / "a.csv", listed), write_list(tmp_path / f"b.{ending}", now)
        found = compare_lists(*lists, ["A", "=B"])
    else:
        found = follow_customers(pd.Series(before), pd.Series(now), ["A", "=B"])
    assert found.with_others.to_numpy().tolist() == [[1, 1, 0], [0, 1, 1], [2, 0, 0]]
    assert (found.both, found.moved, found.gone, found.new) == (3, pytest.approx(1 / 3), 1, 2)


def test_moves_of_few_are_withheld_wherever_they_would_show(model, table):
    names = [entry["name"] for entry in model["segments"]]
    rows = [(names[0], names[0], 5000), (names[0], names[1], 7), (names[1], names[1], 3000)]
    rows += [(names[0], names[2], 11), (names[2], names[1], 13), (names[2], names[2], 919)]
    files = drift_files(model, look_at(model, table), migration_of(rows, names), "march.csv")
    moves = pd.read_csv(io.StringIO(files["moves.csv"]), index_col=0)
    hidden = {(i, j) for i, j in zip(*np.nonzero(moves.isna().to_numpy()), strict=True)}
    # The row would give 7 away without 11; the two columns without 13 and 919; the diagonal, 919.
    assert hidden == {(0, 1), (0, 2), (2, 1), (2, 2), (1, 1)}
    page = files["index.html"]
    assert page.count('<td class="number">–</td>') == 5 and "<strong>5,000</strong>" in page
    widths = [float(w) for w in re.findall(r'd="M0.000 0H([0-9.]+)C', page)]
    assert widths == [pytest.approx(100 * 5000 / 8950, abs=0.001)]
    assert page.count('<path class="s1') == 1


@pytest.fixture
def score(model, tmp_path):
    """Run the command on a table with options by name; return its exit code."""
    write_json(tmp_path / "model.json", model)

    def run(table, *flags, **options):
        table.to_csv(tmp_path / "new.csv", index=False)
        files = {"model": "model.json", "input": "new.csv", "output": "scored.csv"}
        options = {name: tmp_path / file for name, file in files.items()} | options
        words = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return command.main([*words, *flags])

    return run


def test_the_command_writes_the_page_and_tells_schedulers(score, table, tmp_path, capsys):
    folder, before = tmp_path / "drift", tmp_path / "before.csv"

    def run(table, *more, **options):
        return score(table, "--fail-on-drift", *more, drift=folder, **options)

    def record():
        return json.loads((folder / "drift.json").read_text())

    assert run(table) == 0
    assert "Keep the segments" in capsys.readouterr().out
    (tmp_path / "scored.csv").rename(before)
    dearer = times(table, 2, ["BALANCE", "PAYMENTS"])
    assert run(dearer, before=before) == 3
    assert "Rebuild the segments" in capsys.readouterr().out
    written = {path.name for path in folder.iterdir()}
    assert written == {"index.html", "drift.json", "features.csv", "segments.csv", "moves.csv"}
    page = (folder / "index.html").read_text()
    assert (
        "Rebuild the segments" in page
        and "<script" not in page
        and "moved since the earlier list" in page
    )
    assert str(tmp_path) not in page and "of fewer than 10 cardholders" in page
    first = record()
    assert first["verdict"] == "rebuild" and 0 < first["moved"] < 1
    moves = pd.read_csv(folder / "moves.csv", index_col=0)
    assert not ((moves > 0) & (moves < 10)).any(axis=None) and moves.isna().any(axis=None)
    assert run(dearer, "--min-group-size", "1", before=before) == 3
    moves = pd.read_csv(folder / "moves.csv", index_col=0)
    assert moves.to_numpy().sum() == len(table)
    assert run(table, before=tmp_path / "absent.csv") == 2
    before.rename(tmp_path / "scored.csv")
    assert run(dearer, before=tmp_path / "scored.csv") == 3  # the month before, replaced
    assert record()["moved"] == first["moved"]
    assert run(table) == 0 and not (folder / "moves.csv").exists()


WRONG_BEFORE = {
    "of another model": ("customer,segment_name\nC10001,Nobody\n", "the segment 'Nobody'"),
    "of others": ("customer,segment_name\nX1,Kind 1\n", "no customer is in both"),
    "no list": ("a,b\n1,2\n", "cannot be read"),
    "empty": ("", "cannot be read"),
    "no parquet": ("PAR1 and nothing else", "cannot be read"),
}


@pytest.mark.parametrize(
    "wrong", [*WRONG_BEFORE, "file in place of the folder", "results", "same name"]
)
def test_a_refused_look_leaves_nothing_behind(score, table, tmp_path, capsys, wrong):
    few = table.head(80)
    few.to_csv(tmp_path / "new.csv", index=False)
    text, words = WRONG_BEFORE.get(wrong, ("", "--drift"))
    options = {"output": tmp_path / "scored.csv", "drift": tmp_path / "made" / "drift"}
    options["output"].write_text("the month before")
    if text or wrong == "empty":
        options["before"] = tmp_path / "before.csv"
        options["before"].write_text(text)
    elif wrong == "file in place of the folder":
        options["drift"] = tmp_path / "new.csv"
    elif wrong == "results":
        options["drift"] = tmp_path / "results"
        options["drift"].mkdir()
        (options["drift"] / "segments.csv").write_text("of a run")
    else:
        options |= {"output": tmp_path / "segments.csv", "drift": tmp_path}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert score(few, **options) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 3 and words in said.err and not said.out
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before and not (tmp_path / "made").exists()


def simulate(holders, seed=1, **amounts):
    settings = {"priced": later_period.priced_columns(KNOWN), "shrinking": holders.largest}
    return later_period.next_period(
        holders.customers, holders.labels, seed=seed, **settings, **amounts
    )


def look_at_period(holders, period):
    return compare_scored(holders.model, Scorer(holders.model).score(period))


def test_a_period_is_simulated_as_asked(holders):
    customers, labels, largest = holders.customers, holders.labels, holders.largest
    period = simulate(holders, **SIMULATED)
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
    pd.testing.assert_frame_equal(period, simulate(holders, **SIMULATED))
    assert not period.index.equals(simulate(holders, seed=2, **SIMULATED).index)
    # A change alone is the same as among others.
    assert set(simulate(holders, shrink=0.5).index) == set(period.index) & set(customers.index)
    assert set(simulate(holders, new_share=0.1).index) >= set(period.index)


def test_new_identifiers_are_of_no_known_customer(holders):
    few = holders.customers.head(20).set_axis([f"new{n:07d}" for n in range(20)])
    known = holders.labels.head(20).set_axis(few.index)
    assert later_period.next_period(few, known, priced=[], new_share=1.0).index.is_unique


@pytest.mark.parametrize("seed", range(3))
def test_what_is_simulated_is_found_and_named(holders, seed):
    customers, largest = holders.customers, holders.largest
    moved = later_period.moved_features(customers, KNOWN, later_period.priced_columns(KNOWN), 0.6)
    assert "Balance" in moved and "Credit utilisation" not in moved
    dearer = look_at_period(holders, simulate(holders, seed, inflation=0.6))
    assert any(name in later_period.features_named(dearer, moved) for name in moved)
    assert dearer.features["feature"].iloc[0] in moved and not dearer.units
    assert later_period.segment_named(dearer, largest) == ""
    smaller = look_at_period(holders, simulate(holders, seed, shrink=0.5))
    named = later_period.segment_named(smaller, largest)
    row = smaller.segments.set_index("segment").loc[largest]
    assert row["low"] < row["change"] < row["high"] < 0
    assert named.startswith(f"The segment Kind {largest} shrank")
    assert look_at_period(holders, simulate(holders, seed, new_share=0.1)).verdict == "keep"
    all_changes = look_at_period(holders, simulate(holders, seed, **SIMULATED))
    assert all_changes.verdict in ("watch", "rebuild")


def test_smaller_changes_are_named_by_all_amounts_and_none_by_nothing(holders):
    priced = later_period.priced_columns(KNOWN)
    moved = later_period.moved_features(holders.customers, KNOWN, priced, 0.3)
    dearer = look_at_period(holders, simulate(holders, inflation=0.3))
    named = later_period.features_named(dearer, moved)
    assert named.startswith("Amounts of money are larger: the medians of ")
    calm = look_at_period(holders, simulate(holders))
    assert calm.verdict == "keep" and later_period.features_named(calm, ["Balance"]) == ""
    assert later_period.segment_named(calm, 1) == later_period.new_named(3, 4) == ""
    assert later_period.new_named(0, 0) == "" and later_period.new_named(4, 4)


@pytest.mark.parametrize("far", [0.15, 1.45, 6.0])
def test_no_text_lies_on_another_where_a_feature_moved_far(far):
    table = pd.DataFrame({"feature": ["Income", "Score"], "psi": [far, 0.05], "noise": 0.01})
    figure, axes = panels(1, 1, 1.7)
    figures.stability(table.assign(band=["changed much", "stable"]), axes[0, 0])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in (*axes[0, 0].texts, *figure.legends)]
    assert len(boxes) == 5
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename(columns={"BALANCE": "SALDO"}), ["balance"]),
        (lambda t: t[["CUST_ID"]].assign(age=30, income=range(len(t))), ["the model is of"]),
        (lambda t: t.head(0), ["row"]),
        (lambda t: None, ["there is no file"]),
        (
            lambda t: times(times(t, 100, ["BALANCE", "PURCHASES"]), 1 / 1000, ["PAYMENTS"]),
            [
                "the values of balance, purchases are about 100 times those in training",
                "the values of payments are about 1/1,000 of those in training",
            ],
        ),
    ],
)
def test_files_of_another_kind_are_refused(holders, tmp_path, change, said):
    period = change(holders.table)
    if period is not None:
        period.to_csv(tmp_path / "next.csv", index=False)
    with pytest.raises(UserError) as refused:
        read_period(holders.model, tmp_path / "next.csv")
    assert all(words in str(refused.value).lower() for words in said)


def test_lines_of_purchases_are_refused_with_the_way_to_sum_them_up(holders, tmp_path):
    rng, lines = np.random.default_rng(1), tmp_path / "lines.csv"
    bought = pd.DataFrame({"who": rng.integers(1, 90, 900), "order_id": range(900)})
    bought["sold"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 300, 900), "D")
    bought.assign(paid=rng.lognormal(3, 1, 900).round(2)).to_csv(lines, index=False)
    roles = "customer=who\ntime=sold\namount=paid"
    run = str(tmp_path / "run")
    ws, reading = open_table("auto", str(lines), results_dir=run, roles=roles)
    model = fit_model(ws.dataset, reading.table, 3)

    def refusal(of):
        with pytest.raises(UserError) as refused:
            read_period(of, lines)
        return str(refused.value).splitlines()

    what, _, remedy = refusal(model)
    assert what.startswith("the model is of 'Lines', and the table has 0 of the")
    assert "aggregate them with run.py --dataset DATASET.toml --input FILE --only 01" in remedy
    ws, again = open_table(f"{run}/dataset.toml", str(lines), results_dir=str(tmp_path / "again"))
    customers = Prepared(again.table, ws.dataset).customers.reset_index(names="customer")
    customers.to_parquet(tmp_path / "01_customers.parquet")  # as notebook 01 writes it
    assert len(read_period(model, tmp_path / "01_customers.parquet").assigned) == 89
    assert "--dataset retail --input FILE" in refusal(model | {"dataset": "retail"})[2]
    assert "fitted on such a table" in refusal(holders.model)[2]

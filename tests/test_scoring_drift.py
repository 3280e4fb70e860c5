"""Drift: what was planted is found and named, and between halves of one table there is none."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fitted import fit_model

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from customer_tables.table import read_table
from scoring import command
from scoring.migration import compare_lists
from segmentation.cleaning import clean
from segmentation.column_shifts import location_shift
from segmentation.dataset import load_dataset
from segmentation.drift import (
    STRANGERS_WATCH,
    compare_period,
    noise_level,
    stability_index,
    stranger_level,
)
from segmentation.features import build_features
from segmentation.later_period import drift_between_halves
from segmentation.migration import migration_of
from segmentation.period import Period
from segmentation.scoring import score_customers

KNOWN = load_dataset("credit_card")
MONEY = [c.name.upper() for c in KNOWN.columns if c.kind == "money"]


@pytest.fixture(scope="module")
def table():
    return read_table(KNOWN.source_path).table


@pytest.fixture(scope="module")
def model(table):
    return fit_model(KNOWN, table, 6)


def look_at(model, table):
    period = Period(model)
    period.add(score_customers(model, table))
    return compare_period(model, period)


def halves_drift(table, seed):
    order = np.random.default_rng(seed).permutation(len(table))
    first, second = table.iloc[order[: len(table) // 2]], table.iloc[order[len(table) // 2 :]]
    return look_at(fit_model(KNOWN, first, 6), second)


@pytest.mark.parametrize("seed", range(3))
def test_two_halves_of_a_table_have_no_drift(table, seed):
    drift = halves_drift(table, seed)
    assert (drift.verdict, drift.units) == ("keep", [])


@pytest.mark.slow
def test_nineteen_of_twenty_splits_have_no_drift(table):
    verdicts = [halves_drift(table, seed).verdict for seed in range(20)]
    assert verdicts.count("keep") >= 19


def test_small_segments_have_strangers_by_chance(model):
    large, small = (
        model | {"reference": model["reference"] | {"segments": [size] * 5}} for size in (9000, 20)
    )
    assert 0.001 < stranger_level(large) < STRANGERS_WATCH
    assert 5 / 105 < stranger_level(small) < 0.2
    rng = np.random.default_rng(2)
    beyond = rng.beta(1, 20, (20_000, 5)).mean(axis=1)  # a new customer beyond 20 old ones
    assert np.mean(beyond > stranger_level(small)) == pytest.approx(0.001, abs=0.0015)


def test_halves_of_a_small_table_raise_no_alarm():
    mall = load_dataset("mall")
    table = clean(read_table(mall.source_path).table, mall)
    features = build_features(table.customers, mall)
    numeric = table.customers[[c.name for c in mall.columns if c.is_numeric]]
    tables, settings = (table.customers, features, numeric, mall), {"fills": table.fills, "k": 5}
    verdicts = [drift_between_halves(*tables, **settings, seed=s).verdict for s in range(20)]
    assert len(table.customers) < 500 and verdicts.count("keep") >= 19


@pytest.mark.parametrize("size", [100, 300, 1000])
def test_a_small_period_raises_no_alarm(model, table, size):
    verdicts = [look_at(model, table.sample(size, random_state=s)).verdict for s in range(6)]
    assert verdicts.count("keep") >= 5


def test_the_training_table_itself_has_not_drifted(model, table):
    drift = look_at(model, table)
    assert drift.verdict == "keep"
    assert drift.features["psi"].max() < 1e-6
    assert np.allclose(drift.segments["change"], 0)


def test_inflation_is_found_and_named(model, table):
    dearer = table.assign(**{name: table[name] * 1.8 for name in MONEY if name != "CREDIT_LIMIT"})
    drift = look_at(model, dearer)
    assert drift.verdict in ("watch", "rebuild")
    assert not drift.units
    assert "Utilisation of the limit" in drift.features["feature"].head(3).tolist()
    assert any("Utilisation" in reason for reason in drift.reasons)


@pytest.mark.parametrize("factor", [1.3, 1.15, 1 / 1.3])
def test_what_all_amounts_show_together_is_found(model, table, factor):
    drift = look_at(model, table.assign(**{name: table[name] * factor for name in MONEY}))
    assert drift.verdict == "watch" and drift.features["band"].eq("stable").all()
    assert drift.level.ratio == pytest.approx(factor, rel=0.01)
    assert drift.level.moved == drift.level.columns
    word = "larger" if factor > 1 else "smaller"
    assert drift.reasons[0].startswith(f"Amounts of money are {word}: the medians of ")


def test_one_column_or_a_small_growth_is_not_the_level(model, table):
    for factors in (dict.fromkeys(MONEY, 1.05), {"PAYMENTS": 1.3}):
        period = table.assign(**{name: table[name] * f for name, f in factors.items()})
        assert look_at(model, period).level is None


def test_the_level_stays_silent_by_chance(model, table):
    found = []
    for seed in range(20):
        period = Period(model)
        period.add(score_customers(model, table.sample(400, random_state=seed)))
        found.append(location_shift(model, period, 3.29))
    assert found.count(None) >= 19


def test_a_shrinking_segment_is_found_and_named(model, table):
    segment = score_customers(model, table).assigned["segment"]
    members = segment.index[segment == 2]
    leaving = table["CUST_ID"].isin(members[: len(members) // 2])
    drift = look_at(model, table[~leaving])
    assert drift.verdict in ("watch", "rebuild")
    assert any("Kind 2 shrank" in reason for reason in drift.reasons)
    row = drift.segments.set_index("segment").loc[2]
    assert row["low"] < row["change"] < row["high"] < 0


def test_customers_of_another_kind_are_strangers(model, table):
    odd = table.head(400).assign(CASH_ADVANCE=4e6, PURCHASES_FREQUENCY=1.0, ONEOFF_PURCHASES=3e6)
    odd = odd.assign(CUST_ID=[f"new{i}" for i in range(400)])
    drift = look_at(model, pd.concat([table, odd]))
    assert drift.strangers[1] > 0.02
    assert drift.verdict == "rebuild"
    assert any("unlike any customer in training" in reason for reason in drift.reasons)


@pytest.mark.parametrize(("column", "factor"), [("BALANCE", 100), ("PAYMENTS", 1 / 1000)])
def test_another_unit_is_found_and_named(model, table, column, factor):
    drift = look_at(model, table.assign(**{column: table[column] * factor}))
    assert [(u.column, u.factor) for u in drift.units] == [(column.lower(), factor)]
    assert "another unit" in drift.reasons[0]
    assert drift.verdict == "watch"


def test_cents_everywhere_are_found(model, table):
    drift = look_at(model, table.assign(**{name: table[name] * 100 for name in MONEY}))
    assert {u.column.upper() for u in drift.units} == set(MONEY)


def test_the_index_is_that_of_the_books():
    then, now = np.array([100, 200, 700]) * 1000, np.array([200, 200, 600]) * 1000
    by_hand = 0.1 * np.log(2) + 0 + -0.1 * np.log(6 / 7)
    assert stability_index(then, now) == pytest.approx(by_hand, rel=1e-3)
    assert stability_index(then, then) == 0
    assert np.isfinite(stability_index(then, np.array([0, 0, 10])))


def test_chance_stays_below_its_level():
    from scipy.stats import chi2

    assert noise_level(10, 1000, 500) == pytest.approx(chi2.ppf(0.999, 9) * 0.003, rel=0.01)
    rng = np.random.default_rng(1)
    shares = np.full(10, 0.1)
    found = [
        stability_index(rng.multinomial(1000, shares), rng.multinomial(500, shares))
        for _ in range(1000)
    ]
    assert np.mean(np.array(found) > noise_level(10, 1000, 500)) < 0.005


def write_list(path, segments):
    table = pd.DataFrame({"customer": list(segments), "segment_name": list(segments.values())})
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_who_moved_is_counted(tmp_path, ending):
    before = {"001": "A", "002": "A", "003": "B", "gone": "B"}
    now = {"001": "A", "002": "B", "003": "B", "new": "A", "newer": "A"}
    lists = (write_list(tmp_path / "a.csv", before), write_list(tmp_path / f"b.{ending}", now))
    found = compare_lists(*lists, ["A", "B"])
    assert found.moves.to_numpy().tolist() == [[1, 1], [0, 1]]
    assert (found.moved, found.gone, found.new) == (pytest.approx(1 / 3), 1, 2)


def test_lists_that_cannot_be_compared_are_refused(tmp_path):
    a = write_list(tmp_path / "a.csv", {"1": "A"})
    for other, words in (({"2": "A"}, "no customer is in both"), ({"1": "X"}, "the segment 'X'")):
        with pytest.raises(UserError, match=words):
            compare_lists(write_list(tmp_path / "b.csv", other), a, ["A"])
    (tmp_path / "b.csv").write_text("no,list\n1,2\n")
    with pytest.raises(UserError, match="cannot be read"):
        compare_lists(tmp_path / "b.csv", a, ["A"])


def test_the_command_writes_the_page_and_tells_schedulers(
    model, table, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    write_json(tmp_path / "model.json", model)
    names = ("model", "input", "output", "drift")
    files = ("model.json", "new.csv", "scored.csv", "drift")
    arguments = [
        part
        for name, file in zip(names, files, strict=True)
        for part in (f"--{name}", str(tmp_path / file))
    ]

    def run(table, *more):
        table.to_csv(tmp_path / "new.csv", index=False)
        return command.main(Path("score.py"), [*arguments, "--fail-on-drift", *more])

    assert run(table) == 0
    assert "Keep the segments" in capsys.readouterr().out
    (tmp_path / "scored.csv").rename(tmp_path / "before.csv")
    dearer = table.assign(**{name: table[name] * 2 for name in ("BALANCE", "PAYMENTS")})
    assert run(dearer, "--before", str(tmp_path / "before.csv")) == 3
    assert "Rebuild the segments" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "drift").iterdir()}
    assert written == {"index.html", "drift.json", "features.csv", "segments.csv", "moves.csv"}
    page = (tmp_path / "drift" / "index.html").read_text()
    assert "Rebuild the segments" in page and "<script" not in page and "Who moved" in page
    assert str(tmp_path) not in page
    record = json.loads((tmp_path / "drift" / "drift.json").read_text())
    assert record["verdict"] == "rebuild" and 0 < record["moved"] < 1
    moves = pd.read_csv(tmp_path / "drift" / "moves.csv", index_col=0)
    assert not ((moves > 0) & (moves < 10)).any(axis=None) and moves.isna().any(axis=None)
    assert "of fewer than 10 card holders" in page
    assert run(dearer, "--before", str(tmp_path / "before.csv"), "--min-group-size", "1") == 3
    moves = pd.read_csv(tmp_path / "drift" / "moves.csv", index_col=0)
    assert moves.to_numpy().sum() == len(table)
    assert run(table, "--before", str(tmp_path / "absent.csv")) == 2
    (tmp_path / "before.csv").rename(tmp_path / "scored.csv")
    assert run(dearer, "--before", str(tmp_path / "scored.csv")) == 3  # the month before, replaced
    again = json.loads((tmp_path / "drift" / "drift.json").read_text())
    assert again["moved"] == record["moved"]
    assert run(table) == 0
    assert not (tmp_path / "drift" / "moves.csv").exists()


def test_moves_of_few_are_withheld_wherever_they_would_show(model, table):
    from scoring.drift_page import drift_files

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


WRONG_BEFORE = {
    "of another model": "customer,segment_name\nC10001,Nobody\n",
    "of others": "customer,segment_name\nX1,Kind 1\n",
    "no list": "a,b\n1,2\n",
    "empty": "",
    "no parquet": "PAR1 and nothing else",
}


@pytest.mark.parametrize("wrong", [*WRONG_BEFORE, "file in place of the folder", "results", "same"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_refused_look_leaves_nothing_behind(
    model, table, tmp_path, monkeypatch, capsys, wrong, ending
):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    write_json(tmp_path / "model.json", model)
    table.head(80).to_csv(tmp_path / "new.csv", index=False)
    output, folder = tmp_path / f"scored.{ending}", tmp_path / "made" / "drift"
    output.write_text("the month before")
    (tmp_path / "before.csv").write_text(WRONG_BEFORE.get(wrong, "customer,segment_name\n"))
    if wrong == "file in place of the folder":
        folder = tmp_path / "new.csv"
    elif wrong == "results":
        folder = tmp_path / "results"
        folder.mkdir()
        (folder / "segments.csv").write_text("of a run")
    elif wrong == "same":
        output, folder = tmp_path / "segments.csv", tmp_path
    arguments = {"model": tmp_path / "model.json", "input": tmp_path / "new.csv",
                 "output": output, "drift": folder}  # fmt: skip
    arguments |= {"before": tmp_path / "before.csv"} if wrong in WRONG_BEFORE else {}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    words = [part for name, path in arguments.items() for part in (f"--{name}", str(path))]
    assert command.main(Path("score.py"), words) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 3 and not said.out
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before and not (tmp_path / "made").exists()


def test_a_hostile_segment_name_stays_a_text_on_the_page(model, table):
    from scoring.drift_page import drift_files

    hostile = "<script>alert(1)</script>"
    named = model | {"segments": [dict(e, name=hostile) for e in model["segments"]]}
    drift = look_at(named, table)
    page = drift_files(named, drift, None, hostile)["index.html"]
    assert "<script>" not in page

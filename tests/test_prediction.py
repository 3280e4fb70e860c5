"""What comes after: a history cut in two without a leak, and outcomes that stay apart."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from customer_tables.errors import UserError
from customer_tables.guessing import guess_column
from customer_tables.lines import open_lines
from customer_tables.periods import settle_cut
from customer_tables.table import read_table
from customer_tables.transaction_columns import recognise
from customer_tables.transactions import aggregate
from segmentation import prediction
from segmentation.cleaning import clean, select_columns, select_outcomes
from segmentation.dataset import build_dataset
from segmentation.intake import open_table
from segmentation.prediction import Outcome, outcomes_of_history, past_of

FIRST = date(2024, 1, 1)


# --- a history cut in two -------------------------------------------------------------------------


def history_of(lines: pd.DataFrame, folder, cut: str = ""):
    path = folder / "lines.csv"
    lines.to_csv(path, index=False)
    source = recognise(lines)
    assert source
    with open_lines(path) as opened:
        return aggregate(opened, source, cut=cut).history


def purchases(customers: int = 40, days: int = 200, seed: int = 0) -> pd.DataFrame:
    """Draw lines of purchases, the last of them on the last day."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, customers, 20 * customers)
    day = np.append(rng.integers(0, days, len(who) - 2), [0, days - 1])
    when = pd.Timestamp(FIRST) + pd.to_timedelta(day, unit="D")
    return pd.DataFrame(
        {
            "customer_id": [f"c{n:03d}" for n in who],
            "order_date": when.strftime("%Y-%m-%d"),
            "order_id": np.arange(len(who)),
            "category": rng.choice(["ale", "bread", "cake"], len(who)),
            "amount": rng.lognormal(3, 1, len(who)).round(2) * rng.choice([1, 1, 1, -1], len(who)),
        }
    )


def test_what_a_customer_does_later_changes_nothing_that_came_before(tmp_path):
    lines = purchases()
    cut = str(FIRST + timedelta(days=150))
    later = (lines["order_date"] >= cut) & (lines["order_date"] < lines["order_date"].max())
    moved = lines.copy()
    moved.loc[later, "amount"] *= 7
    moved.loc[later, "category"] = "cake"
    moved = moved.drop(moved.index[later][::3])  # some never come again
    told, other = history_of(lines, tmp_path), history_of(moved, tmp_path)
    assert str(told.cut) == str(other.cut) == cut
    for period in ("earlier", "before"):
        pd.testing.assert_frame_equal(told.periods[period], other.periods[period])
    assert not told.periods["after"].equals(other.periods["after"])


def test_each_period_is_what_pandas_makes_of_its_lines(tmp_path):
    lines = purchases(seed=1)
    history = history_of(lines, tmp_path, cut="2024-05-10")
    assert (history.days_after, history.first) == (70, FIRST)
    day = pd.to_datetime(lines["order_date"])
    cut, start = pd.Timestamp("2024-05-10"), pd.Timestamp("2024-03-01")
    parts = {"earlier": day < cut, "before": (day >= start) & (day < cut), "after": day >= cut}
    for period, rows in parts.items():
        bought = lines[rows & (lines["amount"] > 0)]
        by = bought.groupby("customer_id")
        found = history.periods[period].set_index("customer_id")
        np.testing.assert_allclose(found["spent"], by["amount"].sum())
        assert found["orders"].to_list() == by.size().to_list()
        since = day[bought.index].max() - day[bought.index].groupby(bought["customer_id"]).max()
        assert found["recency_days"].to_list() == since.dt.days.to_list()
        ale = bought["amount"].where(bought["category"] == "ale", 0).groupby(bought["customer_id"])
        np.testing.assert_allclose(found["spent_on_ale"], ale.sum())


@pytest.mark.parametrize(
    ("cut", "days", "expected"),
    [
        ("", 366, date(2024, 10, 1)),  # the last quarter: 92 days
        ("", 112, FIRST + timedelta(days=84)),
        ("", 109, None),  # a quarter of it is less than four weeks
        ("2024-06-01", 200, date(2024, 6, 1)),
        (" 2024-06-22 ", 200, "cannot be cut"),  # 27 days after it
        ("2024-02-01", 200, "cannot be cut"),  # more days after than before
        ("soon", 200, "cannot be cut"),
        ("2025-01-01", 200, "cannot be cut"),
        ("2024-01-10", 20, "cannot be cut"),
    ],
)
def test_where_a_history_is_cut(cut, days, expected):
    last = FIRST + timedelta(days=days - 1)
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            settle_cut(cut, FIRST, last)
    else:
        assert settle_cut(cut, FIRST, last) == expected


@pytest.mark.parametrize(
    ("days", "cut", "why"), [(60, "", "60 days is too short"), (200, "none", "switched off")]
)
def test_a_history_that_is_not_cut_says_why(tmp_path, days, cut, why):
    history = history_of(purchases(days=days), tmp_path, cut)
    assert why in history.about()["why_not"] and not history.periods


def test_a_part_of_a_history_that_cannot_be_read_alone_ends_no_run(tmp_path):
    lines = purchases(days=200)
    lines = lines[lines["order_date"] < "2024-05-20"]
    odd = pd.DataFrame({"customer_id": "c000", "order_date": "2024-07-18", "amount": [7.0, None]})
    history = history_of(pd.concat([lines, odd]), tmp_path, "2024-05-25")
    assert history.about()["why_not"].endswith("cannot be aggregated alone") and not history.periods


# --- outcomes of a table of customers -------------------------------------------------------------

TABLE = {
    "dataset": {"source": "t.csv"},
    "columns": {
        "client": {"kind": "id"},
        "spent": {"kind": "money"},
        "visits": {"kind": "count"},
        "left": {"kind": "yes_no", "role": "outcome", "label": "Left", "found_as": ["gone"]},
        "state": {"kind": "category", "role": "outcome", "label": "State"},
    },
    "features": [{"name": "spent", "formula": "spent"}, {"name": "visits", "formula": "visits"}],
}


def known(tmp_path, **features):
    content = TABLE | {
        "features": [*TABLE["features"], features] if features else TABLE["features"]
    }
    return build_dataset(content, tmp_path / "dataset.toml")


def test_outcomes_stay_apart_and_in_the_order_of_the_customers(tmp_path):
    rows = [
        {"client": f"{n:02d}", "spent": n, "visits": n % 7, "gone": n % 2, "state": "stays"}
        for n in range(60)
    ]
    table = pd.DataFrame(rows[::-1]).astype({"state": "str"})
    table.loc[table["client"] == "07", "state"] = "quits"
    dataset = known(tmp_path)
    cleaned, outcomes = clean(table, dataset), select_outcomes(table, dataset)
    assert list(cleaned.customers) == ["spent", "visits"]
    assert outcomes.index.equals(cleaned.customers.index)
    assert outcomes["Left"].to_list() == [n % 2 for n in range(60)]
    assert outcomes["State: quits"].sum() == outcomes.loc["07", "State: quits"] == 1
    told = {c.column: c.action for c in select_columns(table, dataset).changes}
    assert told.keys() == {"gone", "state"}
    assert all("makes and describes no segment" in action for action in told.values())


@pytest.mark.parametrize(("name", "formula"), [("l", "left"), ("l", "spent * (left > 0)")])
def test_an_outcome_makes_no_feature(tmp_path, name, formula):
    with pytest.raises(UserError, match="which is an outcome"):
        known(tmp_path, name=name, formula=formula, role="describe")


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("Churn", ["Yes", "No"], "outcome"),
        ("Churn Value", ["1", "0"], "outcome"),
        ("Attrition_Flag", ["Existing Customer", "Attrited Customer"], "outcome"),
        ("default.payment.next.month", ["1", "0"], "outcome"),
        ("Response", ["1", "0"], "outcome"),
        ("default", ["yes", "no"], "describe"),  # of an earlier credit, as often as not
        ("Complain", ["1", "0"], "describe"),
        ("HasCrCard", ["1", "0"], "describe"),
        ("churn reason", ["price", "service", "other"], "describe"),
        ("Churn Score", ["70", "30", "10"], "describe"),
    ],
)
def test_which_columns_are_taken_for_outcomes(tmp_path, name, values, role):
    rows = "".join(f"{n},{values[n % len(values)]},{n * 7 % 31}\n" for n in range(90))
    path = tmp_path / "t.csv"
    path.write_text(f"id,{name},spent\n{rows}")
    reading = read_table(path)
    guess = guess_column(name, reading, is_identifier=False)
    assert guess.role == role


# --- the contest ----------------------------------------------------------------------------------


def planted(tells: bool, customers: int = 1200, seed: int = 3):
    """Draw two features that make four segments, and an outcome that follows them or does not."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, customers)
    index = pd.Index([f"c{n:04d}" for n in range(customers)])
    level = np.array([10.0, 20, 60, 100])[group] if tells else 40.0
    spent = level + rng.normal(0, 8, customers)
    features = pd.DataFrame({"a": group % 2 + rng.normal(0, 0.1, customers)}, index=index)
    features["b"] = group // 2 + rng.normal(0, 0.1, customers)
    groups = pd.DataFrame({"segments": group + 1}, index=index)
    groups[prediction.EVERYBODY] = 0
    groups[prediction.AT_RANDOM] = rng.permutation(group)
    groups[prediction.DECILES] = rng.integers(0, 10, customers)  # knows nothing
    amount = Outcome("spent", "Spending afterwards", pd.Series(np.maximum(spent, 0), index))
    answer = Outcome("quits", "Quitting", pd.Series((spent < 30) * 1.0, index))
    return groups, features, (amount, answer)


@cache
def contests(tells: bool):
    groups, features, outcomes = planted(tells)
    settings = {"seed": 1, "draws": 200}
    return [prediction.hold_contest(one, groups, features, **settings) for one in outcomes]


def test_segments_that_predict_say_so():
    amount, answer = contests(tells=True)
    assert amount.first.loc["segments", "value"] > 0.9
    assert answer.first.loc["segments", "value"] > 0.9
    for one in (amount, answer):
        assert one.first.loc["segments", "low"] > one.first.loc[prediction.DECILES, "high"]
        assert "better than deciles" in prediction.conclusion(one)
        assert one.first.loc[prediction.ALL, "difference_high"] > -0.05
        chance, at_random = prediction.CHANCE[one.measure], one.first.loc[prediction.AT_RANDOM]
        assert at_random["low"] < chance + 0.005 and at_random["high"] > chance - 0.005
        assert one.first.loc[prediction.EVERYBODY, "value"] == pytest.approx(chance, abs=0.005)
    told = prediction.campaign(amount)
    assert told.loc["segments", "value"] > 1.5 * told.loc[prediction.DECILES, "value"]
    lift = prediction.lift(amount, {s: f"S{s}" for s in range(1, 5)})
    assert lift["lift"].is_monotonic_increasing and lift["customers"].sum() == 1200


def test_segments_that_do_not_predict_say_so():
    for one in contests(tells=False):
        row, chance = one.first.loc["segments"], prediction.CHANCE[one.measure]
        assert row["low"] <= chance + 0.01 and abs(row["value"] - chance) < 0.05
        assert "cannot be told from chance" in prediction.conclusion(one)


def test_scores_are_those_of_scikit_learn():
    amount, answer = contests(tells=True)
    for name, found in amount.predicted.items():
        value = amount.scores.loc[("R2", name), "value"]
        assert value == pytest.approx(r2_score(amount.outcome.values, found))
    y = answer.outcome.values.to_numpy()
    for name, p in answer.predicted.items():
        assert answer.scores.loc[("Brier", name), "value"] == pytest.approx(((y - p) ** 2).mean())
        parts = [answer.folds == fold for fold in range(prediction.FOLDS)]
        pairs = [y[part].sum() * (1 - y[part]).sum() for part in parts]
        areas = [roc_auc_score(y[part], p.to_numpy()[part]) for part in parts]
        value = answer.first.loc[name, "value"]
        assert value == pytest.approx(np.average(areas, weights=pairs))


def test_weights_count_a_customer_as_often_as_they_were_drawn():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 80), rng.integers(0, 6, 80) / 5
    folds, weights = np.zeros(80, int), prediction.draw_weights(80, 3, seed=2)
    drawn = [np.repeat(np.arange(80), row.astype(int)) for row in weights]
    areas = prediction.area_under_curve(y, p, folds, weights)
    np.testing.assert_allclose(areas, [roc_auc_score(y[rows], p[rows]) for rows in drawn])
    explained = prediction.r_squared(y * 3.0, p, weights)
    np.testing.assert_allclose(explained, [r2_score(3.0 * y[rows], p[rows]) for rows in drawn])


@pytest.mark.parametrize(
    ("k", "span", "first"),
    [
        (2, (2, 8), "2 explain 79% and 4 would explain 95%."),
        # 4 is outside, and hardly better
        (2, (2, 3), "2 explain 79% and 3 would explain 94%."),
        (2, (5, 8), "2 explain 79%; and 4, outside the range of 5 to 8, would explain 95%."),
        (4, (2, 8), ""),
    ],
)
def test_another_number_of_segments_that_predicts_far_better_is_said_first(k, span, first):
    groups, _, _ = planted(tells=True)
    labels = groups["segments"]
    scan = pd.DataFrame({2: (labels > 2) + 1, 3: np.maximum(labels, 2), 4: labels})
    one = contests(tells=True)[0]
    table = prediction.over_k(one, scan, k)
    said = prediction.report([one], {0: table}, [prediction.campaign(one)], k, span, "clients")
    opening = "Another number of segments would predict spending afterwards better: "
    assert said[0].startswith(opening + first if first else "Out of sample, segments explain")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({(1, 2): 50, (2, 1): -50}, "Spending moved with them"),
        ({(1, 2): 50}, "only with those who moved up"),
        ({}, "is not shown"),
    ],
)
def test_whether_spending_moves_with_movers(change, words):
    rng = np.random.default_rng(4)
    labels = pd.DataFrame({"before": rng.integers(1, 3, 600), "after": rng.integers(1, 3, 600)})
    spent = pd.DataFrame({"before": labels["before"] * 100.0})
    pairs = labels.apply(tuple, axis=1)
    spent["after"] = spent["before"] + pairs.map(lambda p: change.get(p, 0)) + rng.normal(0, 9, 600)
    table = prediction.movers(labels, spent, seed=1, draws=200)
    assert table["customers"].sum() == 600
    assert words in prediction.movers_sentence(table, 600, "clients", "spending")


def test_too_few_movers_say_nothing():
    labels = pd.DataFrame({"before": [1] * 50 + [2] * 50, "after": [1] * 40 + [2] * 60})
    spent = pd.DataFrame({"before": labels["before"] * 10.0, "after": labels["after"] * 50.0})
    table = prediction.movers(labels, spent, seed=1, draws=50)
    assert list(table.index) == [prediction.STAYED] and table.attrs["moved"] == 0.1
    assert "is not shown" in prediction.movers_sentence(table, 100, "clients", "Spending")


def test_segments_keep_the_number_of_those_they_share_most_with():
    others = np.repeat([1, 2, 3], 20)
    place = prediction.named_after(np.array([2, 3, 1])[others - 1], others, 3)
    assert place == {2: 1, 3: 2, 1: 3}


def test_a_period_that_lacks_too_much_says_why(tmp_path):
    few = pd.DataFrame({"client": ["a", "b"], "spent": [1.0, 2], "visits": [1.0, 2]})
    past, why = past_of(few, known(tmp_path))
    assert past is None and "needs at least 50" in why


def test_the_grocery_chain_by_another_way(tmp_path):
    """R² and AUC of deciles of past spending, from the raw lines with pandas alone."""
    ws, reading = open_table("retail", results_dir=str(tmp_path))
    history, lines = reading.history, pd.read_parquet(ws.dataset.source_path)
    past, _ = past_of(history.periods["earlier"], ws.dataset)
    assert past
    index = past.customers.index
    results = outcomes_of_history(history.periods["after"], index, history.days_after)
    groups = prediction.groups_of(past, pd.Series(1, index), seed=1)
    early = lines["transaction_timestamp"] < pd.Timestamp(history.cut)
    who = lines["household_id"].astype("str")
    spent = lines["sales_value"].groupby([who, early]).sum().unstack(fill_value=0)
    spent = spent[spent[True] > 0].sort_index()
    assert spent.index.equals(pd.Index(index, name="household_id"))
    tenth = pd.qcut(spent[True], 10, labels=False)
    for one, y in zip(results, (spent[False], (spent[False] > 0) * 1.0), strict=False):
        contest = prediction.hold_contest(one, groups, past.features, seed=1, draws=20)
        parts = [contest.folds == fold for fold in range(prediction.FOLDS)]
        told = [tenth[part].map(y[~part].groupby(tenth[~part]).mean()) for part in parts]
        if one.yes_no:
            pairs = [y[part].sum() * (1 - y[part]).sum() for part in parts]
            areas = [roc_auc_score(y[part], p) for part, p in zip(parts, told, strict=True)]
            expected = np.average(areas, weights=pairs)
        else:
            expected = r2_score(y, pd.concat(told).loc[y.index])
        assert contest.first.loc[prediction.DECILES, "value"] == pytest.approx(expected, abs=1e-6)
        assert expected > 0.55

"""Whole numbers that are codes, told from counts and amounts by how often each number is there."""

from __future__ import annotations

import tomllib

import numpy as np
import pandas as pd
import pytest

from customer_tables.changes import Reading
from customer_tables.codes import are_named, are_numbered
from customer_tables.inference import infer_dataset

ROWS = 500
RNG = np.random.default_rng(5)
UNEVEN = RNG.dirichlet(np.full(44, 2.0))


def draw(counts: str, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Draw whole numbers as customers have them."""
    return {
        "visits": rng.poisson(3, rows),
        "items": rng.poisson(30, rows),
        "calls": rng.negative_binomial(1, 0.1, rows),
        "users, not all": rng.poisson(6, rows) * (rng.random(rows) < 0.6),
        "answers from 1 to 5": rng.choice(5, rows, p=[0.05, 0.1, 0.25, 0.4, 0.2]) + 1,
        "years": np.clip(rng.normal(45, 15, rows).round(), 18, 90),
        "points": rng.lognormal(4, 0.5, rows).round(),
        "months": rng.integers(1, 121, rows),
        "prices, rounded": rng.choice([10, 20, 25, 50, 95, 100], rows),
    }[counts]


@pytest.mark.parametrize("rows", [200, 500, 2000, 8000])
@pytest.mark.parametrize(
    "counts",
    ["visits", "items", "calls", "users, not all", "answers from 1 to 5", "years", "points"]
    + ["months", "prices, rounded"],
)
def test_counts_and_amounts_are_no_codes(counts, rows):
    rng = np.random.default_rng(rows)
    drawn = [pd.Series(draw(counts, rows, rng).astype(float)) for _ in range(20)]
    assert sum(map(are_named, drawn)) <= 1
    assert not any(map(are_numbered, drawn))


@pytest.mark.parametrize(
    ("what", "codes"),
    {
        "equally many in each group": RNG.integers(0, 4, ROWS),
        "towns": RNG.integers(1, 45, ROWS),
        "towns, unevenly": RNG.choice(44, ROWS, p=UNEVEN),
        "codes with gaps": RNG.choice([11, 12, 13, 21, 22, 31, 32, 33, 41], ROWS),
        "each town six times": np.tile(np.arange(80), 6),
    }.items(),
)
def test_codes_of_groups_have_several_peaks_or_none(what, codes):
    assert are_named(pd.Series(codes.astype(float))), what


@pytest.mark.parametrize(
    ("what", "numbers"),
    {
        "in order, some gone": np.sort(RNG.choice(3000, ROWS, replace=False)),
        "in no order": RNG.permutation(ROWS) + 7000,
        "some twice": np.r_[np.arange(ROWS - 20), RNG.integers(0, ROWS, 20)],
    }.items(),
)
def test_numbers_given_one_by_one_repeat_less_than_by_chance(what, numbers):
    assert are_numbered(pd.Series(numbers.astype(float))), what


def test_incomes_that_are_all_different_were_not_given_one_by_one():
    incomes = pd.Series(RNG.choice(130_000, ROWS, replace=False) + 20_000.0)
    assert incomes.is_unique
    assert not are_numbered(incomes)


def infer(columns: dict, **roles: tuple[str, ...]) -> dict:
    """Return the guessed description of a table of customers."""
    ids = {} if "id" in columns else {"customer_id": [f"K{i:04}" for i in range(ROWS)]}
    table = pd.DataFrame(ids | columns)
    kinds = {c: "text" if table[c].dtype == "str" else "number" for c in table}
    kinds |= {c: "id" for c in ("id", "customer_id", "rownames") if c in table}
    reading = Reading(
        table, kinds=kinds, units={}, source={"name": "made.csv"}, changes=[], uses=[]
    )
    return tomllib.loads(infer_dataset(reading, "made", roles))


AMOUNTS = {"visits": RNG.poisson(3, ROWS), "exppc": RNG.lognormal(7, 0.8, ROWS).round(1)}
CODES = {"commune": RNG.integers(1, 45, ROWS), "intnum": RNG.permutation(ROWS) + 1000}


def parts(content: dict) -> dict[str, str]:
    return {feature["name"]: feature["role"] for feature in content["features"]}


def test_codes_play_no_part_where_enough_others_segment_and_the_remedy_works():
    content = infer(AMOUNTS | CODES)
    assert parts(content) == dict.fromkeys(AMOUNTS, "segment")
    for name in CODES:
        remedy = f'--role segment="{name}"'
        assert remedy in content["left_out"][name]
        assert parts(infer(AMOUNTS | CODES, segment=(name,)))[name] == "segment"


def test_a_name_that_says_what_is_counted_settles_it():
    content = infer(AMOUNTS | {"number of calls": CODES["commune"]})
    assert parts(content)["number_of_calls"] == "segment"


def test_what_may_be_codes_segments_where_there_is_nothing_else():
    content = infer({"commune": CODES["commune"], "exppc": AMOUNTS["exppc"]})
    assert parts(content) == {"commune": "segment", "exppc": "segment"}


def test_questions_with_one_scale_are_no_codes():
    answers = {f"opinion on {word}": RNG.integers(1, 6, ROWS) for word in ("tea", "rye", "jam")}
    assert parts(infer(AMOUNTS | answers)).keys() == {*AMOUNTS} | {
        f"opinion_on_{word}" for word in ("tea", "rye", "jam")
    }
    assert "q1" in parts(infer(AMOUNTS | {"Q1": RNG.integers(1, 6, ROWS)}))


def test_two_numbers_stand_for_groups():
    content = infer(
        AMOUNTS | {"hormone": RNG.integers(1, 3, ROWS), "cards": RNG.integers(1, 3, ROWS)}
    )
    assert content["columns"]["hormone"]["kind"] == "category"
    assert parts(content)["cards"] == "segment"


def test_a_function_of_another_column_plays_no_part_of_its_own():
    income, visits = RNG.lognormal(10, 0.5, ROWS).round(), AMOUNTS["visits"]
    more = {"income": income, "lincome": np.log(income).round(4), "sq_visits": visits**2}
    content = infer(AMOUNTS | more)
    told = parts(content)
    assert told["income"] == "describe" and told["visits"] == told["exppc"] == "segment"
    assert told["lincome"] == told["sq_visits"] == "left out"
    why = {feature["name"]: feature["why"] for feature in content["features"]}
    assert why["lincome"] == "rises or falls exactly as income, which describes"


def test_an_identifier_goes_before_the_names_of_rows():
    table = {"rownames": np.sort(RNG.choice(9000, ROWS, replace=False)), "id": np.arange(ROWS) + 1}
    content = infer(table | AMOUNTS)
    assert content["columns"]["id"]["kind"] == "id" and "rownames" in content["left_out"]


def test_numbers_that_stand_for_words_are_codes_even_where_little_else_is_left():
    word = RNG.choice(["basic", "plus", "gold"], ROWS, p=[0.6, 0.3, 0.1])
    number = pd.Series(word).map({"basic": 0, "plus": 1, "gold": 2}).to_numpy()
    content = infer(
        {"exppc": AMOUNTS["exppc"], "age": RNG.integers(18, 90, ROWS)}
        | {"tariff": word, "tariffn": number}
    )
    assert "one word of tariff" in content["left_out"]["tariffn"]


def test_what_another_column_is_the_logarithm_of_is_an_amount():
    wait = RNG.choice([30, 33, 34, 61, 62, 64, 92, 93], ROWS)
    told = parts(infer(AMOUNTS | {"wait": wait}))
    assert "wait" not in told
    told = parts(infer(AMOUNTS | {"wait": wait, "lwait": np.log(wait).round(4)}))
    assert told["wait"] == "segment" and told["lwait"] == "left out"


def test_columns_with_many_gaps_make_no_segments():
    gaps = np.where(RNG.random(ROWS) < 0.4, np.nan, RNG.lognormal(4, 1, ROWS))
    columns = AMOUNTS | {
        "bonus": gaps,
        "age": np.where(np.isnan(gaps), np.nan, 40 + RNG.poisson(5, ROWS)),
    }
    content = infer(columns)
    assert content["left_out"]["bonus"].endswith('(to fill them: --role segment="bonus")')
    assert parts(content)["age"] == "describe"
    assert parts(infer(columns, segment=("bonus",)))["bonus"] == "segment"

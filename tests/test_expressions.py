"""The language of formulas: what it computes, and all that it refuses."""

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation.expressions import bind, choose, columns_of, evaluate, is_condition, parse


@pytest.fixture
def table():
    columns = {"a": [6.0, 8.0, np.nan], "b": [2, 0, 4], "max": [1, 2, 3], "text": list("xyz")}
    return pd.DataFrame(columns | {"yes": [True, False, True]})


@pytest.mark.filterwarnings("error")  # none reaches the reader
@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a + b * 2", [10, 8, np.nan]),  # multiplication first
        ("-b", [-2, 0, -4]),
        ("a / b", [3, np.inf, np.nan]),
        ("abs(b - 3)", [1, 3, 1]),
        ("log1p(b)", [np.log(3), 0, np.log(5)]),
        ("max(b, 1, 3)", [3, 3, 4]),
        ("min(b, 3)", [2, 0, 3]),
        ("ratio(a, b)", [3, 0, np.nan]),
        ("ratio(b, a)", [1 / 3, 0, np.nan]),  # unknown denominator: unknown, not nothing
        ("ratio(12, b)", [6, 0, 3]),
        ("max + max(max, 2)", [3, 4, 6]),  # a column may be called like a function
        ("5", [5, 5, 5]),
        ("1 / 0", [np.inf] * 3),
        ("(b > 0) + (b > 3)", [1, 0, 2]),  # conditions count; they are not merged
        (" a\n", [6, 8, np.nan]),
        (" + ".join(["b"] * 250), [500, 0, 1000]),
        ("b > 0", [True, False, True]),
        ("b == 0 or b >= 4", [False, True, True]),
        ("b != 0 and b <= 2", [True, False, False]),
        ("not b > 0", [False, True, False]),
        ("not 1 == 1", [False] * 3),
        ("a < 7", [True, False, False]),  # what is unknown does not hold
        ("yes and b > 2", [False, False, True]),
    ],
)
def test_values_by_hand(table, formula, expected):
    np.testing.assert_allclose(evaluate(formula, table), expected)
    value = evaluate(parse(formula), dict(table))
    np.testing.assert_allclose(value, expected)
    condition = isinstance(expected[0], bool)
    assert (value.dtype == bool) == is_condition(formula, {"yes"}) == condition
    assert not is_condition(f"({formula}) and b")


def test_the_programs_own_formulas_hold_columns_of_any_name(table):
    table = table.rename(columns={"a": "x", "b": "low; DROP"})
    formula = bind("where(missing(x), low, sign(x) * sqrt(x + low ** 2))", x="x", low="low; DROP")
    np.testing.assert_allclose(evaluate(formula, table), [10**0.5, 8**0.5, 4])
    assert columns_of(formula) == {"x", "low; DROP"}
    assert columns_of("max(a, ratio(b, 2)) + min") == {"a", "b", "min"}
    first = choose([(bind("x > 6", x="x"), 1), (bind("x > 5", x="x"), 2)])
    np.testing.assert_allclose(evaluate(first, table), [2, 1, np.nan])
    assert np.isnan(evaluate(bind("x", x=None), table)).all()


# Other nodes of Python; other operators; functions that are none, or have other arguments; no
# expressions; more than a formula may hold; what cannot be computed on the table.
REFUSED = (
    """
__import__('os').system('true') ¦ a.values ¦ a.__class__.__mro__ ¦ ().__class__ ¦ lambda: a ¦ a[0]
(lambda: 1)() ¦ [x for x in a] ¦ [a] ¦ {'a': 1} ¦ a if b else a ¦ (x := a) ¦ f'{a}' ¦ 'text' ¦ True
None ¦ 1j ¦ ... ¦ a ** 9 ¦ 9 ** 9 ** 9 ¦ a // b ¦ a % b ¦ a @ b ¦ a << 9 ¦ a & b ¦ ~a ¦ a < b < 3
a in b ¦ a is b ¦ eval(a) ¦ open(a) ¦ exp(a) ¦ max(*a) ¦ max(a, out=b) ¦ abs(a, b) ¦ log1p(a, b)
ratio(a) ¦ ratio(a, b, a) ¦ max(a) ¦ missing(a) ¦ where(a > 0, a, b) ¦ a; b ¦ a = 1 ¦ import os
a + ¦ 1e400 ¦ text + 1 ¦ text > 1 ¦ not a ¦ a and b ¦ b or b > 0 ¦ a + c
""".strip()
    .replace("\n", " ¦ ")
    .split(" ¦ ")
)
LONG = [
    *("", "   ", "a\x00", "a # comment\nb", "9" * 400, "9" * 5000, "1" * 100_000),
    *("(" * 300 + "a" + ")" * 300, "-" * 4_000 + "a", "-" * 100_000 + "a", "+".join(["a"] * 400)),
    *("not " * 1_000 + "a > 0", "max(" * 250 + "a" + ", 1)" * 250),
]


@pytest.mark.parametrize("formula", REFUSED + LONG)
def test_everything_else_is_refused(table, formula):
    before = table.copy()
    with pytest.raises(UserError):
        evaluate(formula, table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("text + 1", "cannot be computed"),
        ("not a", "a part is no condition"),
        ("a + c", "needs the column 'c'"),
        ("max(a)", r"max\(\) takes 2 or more"),
        ("a ** 9", "Pow is not allowed"),
        ("a if b else a", "is not allowed"),
    ],
)
def test_a_refusal_says_why(table, formula, words):
    with pytest.raises(UserError, match=words):
        evaluate(formula, table)


class Litter:
    """Garbage whose collection lets other threads run, in the midst of what made room for it."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0.0005)


@pytest.fixture
def collecting():
    """Collect garbage often."""
    known = gc.get_threshold()
    gc.set_threshold(20)
    yield
    gc.set_threshold(*known)


def test_formulas_are_read_in_threads(collecting):
    """Python 3.11 mistakes the depth of a tree where another thread reads one meanwhile."""
    text = "+".join(["a*(b-1)"] * 60)

    def read(number):
        [Litter() for _ in range(10)]
        return ast.dump(parse(f"{number}+{text}").right)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(read, range(400)))) == 1

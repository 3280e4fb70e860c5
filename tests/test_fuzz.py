"""Files and texts that somebody wrote by hand or damaged: understood or refused, with a reason.

``PROPERTY_EXAMPLES=500 pytest tests/test_fuzz.py`` tries that many others.
"""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS, SHOP
from fitted import fit_model
from hypothesis import assume, given
from hypothesis import strategies as st
from test_properties import MANY, QUICK, junk, paths, replaced

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from runner import arguments, repeating
from runner.parameters import Parameter, coerce
from segmentation import expressions, rfm
from segmentation.dataset import DATA_FOLDER, Dataset, build_dataset, load_dataset
from segmentation.drift import compare_scored
from segmentation.model import checksum, load_model
from segmentation.scoring import assign_customers, score_customers
from segmentation.sql import DIALECTS, write_query
from segmentation.stages import SERIES


def refused_well(refused: Exception, *words: str) -> None:
    """Check what a refusal says: up to three short lines, with the words that are asked for."""
    said = str(refused)
    assert 1 <= len(said.splitlines()) <= 3, said
    assert len(said) < 1500, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


# --- dataset.toml -------------------------------------------------------------------------------

SHIPPED = sorted(DATA_FOLDER.glob("*/dataset.toml"))
SNIPPETS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(['"', "'''", "[", "]]", "{", "=", "\n", "#", "\\u", "inf", "nan", "-1", "1e999",
                     "2024-01-01", "true", "[[features]]\n", "[columns]\n", "formula = 'a ** 9'\n",
                     "kind = 7\n", "[dataset]\n", "\x00", "\ufeff", *HOSTILE_TEXTS]),
)  # fmt: skip


@st.composite
def edited_texts(draw) -> str:
    """Draw a dataset.toml of ours with a few slips of the keyboard."""
    text = draw(st.sampled_from(SHIPPED)).read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 5, 40, 400]))
        text = text[:start] + draw(SNIPPETS) + text[start + length :]
    return text


@MANY
@given(edited_texts())
def test_any_slip_in_dataset_toml_is_told_with_the_file(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("toml") / "dataset.toml"
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        assert isinstance(load_dataset(file), Dataset)
    except UserError as refused:
        refused_well(refused, "dataset.toml")


@MANY
@given(st.dictionaries(st.one_of(st.sampled_from(sorted(SHOP)), st.text(max_size=9)), junk))
def test_any_document_is_a_dataset_or_refused(content):
    try:
        build_dataset(content, Path("shop/dataset.toml"))
    except UserError as refused:
        refused_well(refused, "dataset.toml")


@MANY
@given(st.sampled_from(list(paths(SHOP))), junk)
def test_a_wrong_value_is_told_with_the_file(place, value):
    try:
        build_dataset(replaced(SHOP, place, value), Path("shop/dataset.toml"))
    except UserError as refused:
        refused_well(refused, "dataset.toml")


# --- formulas -----------------------------------------------------------------------------------

ROWS = pd.DataFrame({"a": [0.0, 1.0, -2.5, 1e9], "b": [3.0, 0.0, 0.5, np.nan]})
TOKENS = st.sampled_from([
    "a", "b", "0", "1", "2.5", "1e308", "+", "-", "*", "/", "(", ")", ",", "<", "==", "!=", ">=",
    "and", "or", "not", "ratio(", "max(", "min(", "abs(", "log1p(", "**", "//", "%", "c", "'x'",
    ".", "[", "lambda", ":", "=", "if", "else", "in", "__import__(", "\\", "\n", "#", "é", "@",
    "\x00",
])  # fmt: skip


@MANY
@given(st.one_of(st.lists(TOKENS, max_size=12).map(" ".join), st.text(max_size=40)))
def test_any_text_is_a_formula_or_refused(text):
    try:
        found = expressions.evaluate(text, ROWS)
    except UserError as refused:
        refused_well(refused)
        return
    assert len(found) == len(ROWS)
    assert found.dtype.kind in "fibu"
    assert expressions.columns_of(text) <= set(ROWS)


def formulas():
    leaves = st.one_of(st.sampled_from(["a", "b"]), st.integers(0, 9).map(str),
                       st.floats(0, 50).map(lambda x: f"{x:.3f}"))  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(st.sampled_from(["ratio", "max", "min"]), inner, inner).map(
                lambda t: f"{t[0]}({t[1]}, {t[2]})"
            ),
            inner.map(lambda x: f"abs({x})"),
            inner.map(lambda x: f"(-{x})"),
        ),
        max_leaves=8,
    )


def by_python(text: str, a: float, b: float) -> float:
    """Compute a formula for one row with Python's own numbers."""

    def ratio(x, y):
        return 0.0 if y == 0 else x / y

    names = {"a": a, "b": b, "ratio": ratio, "max": max, "min": min, "abs": abs}
    try:
        return float(eval(text, {"__builtins__": {}}, names))  # noqa: S307
    except (ZeroDivisionError, OverflowError):
        return math.nan


@MANY
@given(formulas(), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_formulas_say_what_python_says(text, a, b):
    assume("a" in text or "b" in text)
    expected = by_python(text, a, b)
    assume(math.isfinite(expected) and abs(expected) < 1e12)
    found = expressions.evaluate(text, pd.DataFrame({"a": [a, a], "b": [b, b]}))
    # Where a division by zero was avoided on the way, ours may say so for the whole formula.
    near = pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert found[0] == near or not math.isfinite(found[0])


# --- settings on the command line ---------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from([*HOSTILE_TEXTS, "true", "None", "[1, 2]", "1_000", "０"]),
    st.floats().map(str),
    st.integers().map(str),
)


@MANY
@given(st.sampled_from(["int", "float", "bool", "str", "list[int]", "list[str]", ""]), WORDS)
def test_any_value_of_a_parameter_is_of_its_type_or_refused(annotation, text):
    try:
        value = coerce(Parameter("k", annotation, None), text)
    except UserError as refused:
        refused_well(refused, "k")
        return
    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    if annotation in kinds:
        assert type(value) is kinds[annotation]
    assert value == value, "not a number is no value"  # noqa: PLR0124


@MANY
@given(st.lists(st.one_of(st.sampled_from(["recency=1,2,3,4", ";", "=", ","]), WORDS)).map("".join))
def test_any_cut_points_are_used_or_refused(text):
    try:
        cuts = rfm.read_cuts(text)
    except UserError as refused:
        refused_well(refused, "rfm_cuts")
        return
    for part, points in cuts.items():
        assert part in rfm.PARTS and points == sorted(set(points)) and len(points) == 4
        assert all(map(math.isfinite, points))


# --- manifests ----------------------------------------------------------------------------------

MANIFEST = {
    "schema": 1, "dataset": "credit_card", "quick": False, "given": {},
    "parameters": {"04": {"k": 0, "dataset": "credit_card"}},
    "inputs": [{"part": "table", "name": "customers.csv", "sha256": "0" * 64}],
    "stages": [{"number": "04", "current": True}], "versions": {"numpy": "2"},
    "outputs": {"segments.csv": {"sha256": "0" * 64}},
}  # fmt: skip


@MANY
@given(st.sampled_from(list(paths(MANIFEST))), junk)
def test_any_manifest_is_repeated_or_refused(tmp_path_factory, place, value):
    file = tmp_path_factory.mktemp("manifest") / "manifest.json"
    try:
        file.write_text(json.dumps(replaced(MANIFEST, place, value)), encoding="utf-8")
    except (TypeError, ValueError):
        assume(False)
    try:
        record = repeating.read_record(file)
        options = arguments.parse(["--from-manifest", str(file)], SERIES)
        repeating.with_record(options, record)
        declared = {
            "04": {"k": Parameter("k", "int", 0), "dataset": Parameter("dataset", "str", "")}
        }
        repeating.settings_of(record, declared, {})
        repeating.differences_of_versions(record)
        repeating.compare(record, file.parent)
    except UserError as refused:
        refused_well(refused)


# --- models -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a saved model, and the table that it was trained on."""
    generator = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "client": [f"C{i:03d}" for i in range(120)],
            "spent": np.exp(generator.normal(3, 1, 120)),
            "visits": 1.0 + generator.poisson(5, 120),
            "online": generator.uniform(0, 1, 120),
        }
    )
    content = fit_model(build_dataset(copy.deepcopy(SHOP), Path("shop/dataset.toml")), table, 3)
    path = tmp_path_factory.mktemp("model") / "model.json"
    write_json(path, content)
    return path, table


def changed_model(model, data) -> Path:
    """Write the model with one part replaced, its checksum right again."""
    content = json.loads(model[0].read_text(encoding="utf-8"))
    place = data.draw(st.sampled_from(list(paths(content))))
    tampered = replaced(content, place, data.draw(junk))
    path = model[0].with_name("changed.json")
    try:
        tampered["checksum"] = checksum(tampered)
        path.write_text(json.dumps(tampered, allow_nan=False), encoding="utf-8")
    except (TypeError, ValueError):
        assume(False)
    return path


@QUICK
@given(st.data())
def test_a_changed_model_is_refused_or_used_as_it_is(model, data):
    path = changed_model(model, data)
    try:
        loaded = load_model(path)
    except UserError as refused:
        refused_well(refused, path.name)
        return
    for use in (
        lambda: compare_scored(loaded, score_customers(loaded, model[1])),
        lambda: write_query(loaded, data.draw(st.sampled_from(DIALECTS))),
        lambda: assign_customers(loaded, model[1]),
    ):
        try:
            use()
        except UserError as refused:
            refused_well(refused)

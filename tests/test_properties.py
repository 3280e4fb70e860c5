"""What holds for any table, and for files and texts that somebody wrote by hand or damaged.

Hypothesis draws them; a failure names the smallest one. The examples are few and the same in every
run; ``PROPERTY_EXAMPLES=300 pytest tests/test_properties.py`` tries that many others.
"""

from __future__ import annotations

import copy
import json
import math
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS, SHOP
from fitted import fit_model
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from runner import command, repeating
from runner.notebook_files import Parameter, coerce
from segmentation import cleaning, expressions, naming, profiling, rfm
from segmentation.conditions import Customers, Members
from segmentation.dataset import DATA_FOLDER, build_dataset, load_dataset
from segmentation.drift import compare_scored
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.model import checksum, load_model
from segmentation.presentation import html_table, safe_table, sentence
from segmentation.scoring import assign_customers, score_customers
from segmentation.sql import DIALECTS, write_query
from segmentation.stages import SERIES

MORE = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
QUICK = settings(
    max_examples=MORE or 15,
    derandomize=not MORE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MANY = settings(QUICK, max_examples=MORE or 100)
TOML = Path("shop/dataset.toml")
SHOP_DATASET = build_dataset(copy.deepcopy(SHOP), TOML)
STARTS = 4


@contextmanager
def refused_well(*words: str, skip: bool = False):
    """Let pass what is refused in up to three short lines that hold the words, or skip it."""
    try:
        yield
    except UserError as refused:
        said = str(refused)
        assert 1 <= len(said.splitlines()) <= 3 and len(said) < 1500, said
        assert all(word in said for word in ("", *words)), said
        assume(not skip)


# --- tables ---------------------------------------------------------------------------------------

AMOUNTS = st.one_of(
    st.floats(0, 1e7),
    st.floats(0, 1e-6),
    st.floats(-1e4, -1e-3),
    st.sampled_from([0.0, 1e9, 1e15, np.inf, np.nan]),
)


@st.composite
def tables(draw, fewest: int = 50, most: int = 90) -> pd.DataFrame:
    """Draw a table of the little shop, as it is after reading: typed, with gaps and oddities."""
    rows = draw(st.integers(fewest, most))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e4]))
    prefixes = generator.choice(["C", "=", "<b>", "é"], rows)
    table = pd.DataFrame(
        {
            "client": [f"{prefix}{i:03d}" for i, prefix in enumerate(prefixes)],
            "spent": np.round(np.exp(generator.normal(3, 2, rows)) * scale, 2),
            "visits": generator.poisson(draw(st.sampled_from([0.3, 4, 60])), rows).astype(float),
            "online": generator.uniform(-0.2, 1.2, rows),
            "age": generator.integers(18, 90, rows).astype(float),
            "club": generator.choice([*HOSTILE_TEXTS[:4], None], rows),
            "member": generator.choice(["yes", "no"], rows),
        }
    )
    for column in ("spent", "visits", "online", "age"):
        for _ in range(draw(st.integers(0, 4))):
            table.loc[int(generator.integers(rows)), column] = draw(AMOUNTS)
    return table.sample(frac=1, random_state=draw(st.integers(0, 99)))


def prepare(table: pd.DataFrame, dataset=SHOP_DATASET):
    """Clean a table and build the matrix as notebooks 01 and 03 do; skip what they refuse."""
    with refused_well(skip=True):
        cleaned = cleaning.clean(table, dataset)
        features = build_features(cleaned.customers, dataset)
        preparation = fit_preparation(features, dataset.features_with("segment"))
    return cleaned, features, preparation, preparation.transform(features)


def has_groups(values: np.ndarray, k: int) -> bool:
    """Whether there are enough different customers for k segments."""
    return len(np.unique(values.round(9), axis=0)) > 2 * k


@QUICK
@given(tables())
def test_cleaning_accounts_for_every_customer_and_leaves_no_gap(table):
    cleaned, features, _, matrix = prepare(table)
    dropped = sum(change.rows for change in cleaned.changes if change.action == "dropped")
    assert len(cleaned.customers) + dropped == len(table)
    assert cleaned.customers.index.is_unique and cleaned.customers.index.is_monotonic_increasing
    numbers = [c.name for c in SHOP_DATASET.columns if c.is_numeric and c.missing != "keep"]
    for whole in (cleaned.customers.filter(numbers), features.drop(columns="online"), matrix):
        assert np.isfinite(whole).all(axis=None)
        assert list(whole.index) == list(cleaned.customers.index)
    again = cleaning.clean(cleaned.customers.reset_index(names="client"), SHOP_DATASET)
    pd.testing.assert_frame_equal(again.customers, cleaned.customers, check_dtype=False)


@QUICK
@given(tables(), st.integers(2, 5))
def test_segments_part_the_customers_and_have_names_of_their_own(table, k):
    cleaned, features, _, matrix = prepare(table)
    assume(has_groups(matrix.to_numpy(), k))
    fit = fit_kmeans(matrix.to_numpy(), k, n_init=STARTS)
    labels = pd.Series(fit.labels + 1, index=matrix.index)
    assert set(labels) == set(range(1, k + 1)), "none is empty"
    worth = profiling.worth(labels, cleaned.customers[["spent"]])["spent"]
    assert worth["share"].sum() == pytest.approx(1 if worth["total"].sum() > 0 else 0)
    even = profiling.standardise_evenly(features, list(SHOP_DATASET.features))
    effects = profiling.effect_sizes(even, labels)
    members = Members(Customers(SHOP_DATASET, cleaned.customers, features), labels)
    named = naming.name_segments(effects, SHOP_DATASET, members)
    names = {s: entry.name for s, entry in named.items()}
    assert len(set(names.values())) == k, "no two share a name"
    assert all(sentence("{name}", name=name) for name in names.values())
    compositions = profiling.composition(cleaned.customers["club"], labels, names)
    assert (compositions.drop(index="everybody").sum(axis=1) <= 1 + 1e-9).all()
    for shown in (safe_table(compositions), effects):
        assert html_table(shown, "caption").count("<tr>") == len(shown) + 1


@QUICK
@given(tables(), st.integers(0, 99))
def test_neither_the_order_of_rows_nor_copies_of_all_matter(table, seed):
    _, _, preparation, matrix = prepare(table)
    for other in (table.sample(frac=1, random_state=seed), pd.concat([table, table])):
        _, _, again, same = prepare(other)
        pd.testing.assert_frame_equal(matrix, same)
        assert preparation == again
    # Copies under other names are customers of their own, and change no mean nor deviation.
    doubled = prepare(pd.concat([table, table.assign(client="again " + table["client"])]))[3]
    np.testing.assert_allclose(matrix, doubled.loc[matrix.index], rtol=1e-6, atol=1e-9)


@QUICK
@given(tables(), st.sampled_from([0.01, 7.0, 100.0, 1e4]))
def test_another_currency_changes_no_label_where_the_scale_is_linear(table, factor):
    # `log1p` bends small amounts, so that only an amount taken as it is may change its unit freely.
    linear = [feature | {"transform": "none"} for feature in SHOP["features"]]
    dataset = build_dataset(copy.deepcopy(SHOP | {"features": linear}), TOML)
    first, second = (
        prepare(given, dataset)[3].to_numpy()
        for given in (table, table.assign(spent=table["spent"] * factor))
    )
    assume(has_groups(first, 3))
    np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-6)
    fit, again = (fit_kmeans(values, 3, n_init=STARTS) for values in (first, second))
    assert (fit.labels == again.labels).all() or again.inertia == pytest.approx(fit.inertia)


# --- dataset.toml ---------------------------------------------------------------------------------

SHIPPED = sorted(DATA_FOLDER.glob("*/dataset.toml"))
SLIPS = (
    "\"|'''|[|]]|{|=|\n|#|\\u|inf|nan|-1|1e999|2024-01-01|true|[[features]]\n|[columns]\n|"
    "formula = 'a ** 9'\n|kind = 7\n|[dataset]\n|\x00|\ufeff"
).split("|")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(HOSTILE_TEXTS),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(content, prefix=()):
    """Return the places of all parts of a nested structure."""
    parts = content.items() if isinstance(content, dict) else enumerate(content)
    for key, entry in parts:
        yield (*prefix, key)
        if isinstance(entry, (dict, list)):
            yield from paths(entry, (*prefix, key))


def replaced(content, place, value):
    content = copy.deepcopy(content)
    holder = content
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return content


@st.composite
def edited_texts(draw) -> str:
    """Draw a dataset.toml of ours with a few slips of the keyboard."""
    text = draw(st.sampled_from(SHIPPED)).read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 5, 40, 400]))
        slip = draw(st.text(max_size=20) | st.sampled_from([*SLIPS, *HOSTILE_TEXTS]))
        text = text[:start] + slip + text[start + length :]
    return text


@MANY
@given(edited_texts())
def test_any_slip_in_dataset_toml_is_told_with_the_file(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("toml") / "dataset.toml"
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with refused_well("dataset.toml"):
        load_dataset(file)


@MANY
@given(
    st.dictionaries(st.sampled_from(sorted(SHOP)) | st.text(max_size=9), JUNK)
    | st.builds(replaced, st.just(SHOP), st.sampled_from(list(paths(SHOP))), JUNK)
)
def test_any_document_is_a_dataset_or_refused_with_the_file(content):
    with refused_well("dataset.toml"):
        build_dataset(content, TOML)


# --- formulas and settings ------------------------------------------------------------------------

ROWS = pd.DataFrame({"a": [0.0, 1.0, -2.5, 1e9], "b": [3.0, 0.0, 0.5, np.nan]})
TOKENS = (
    "a b 0 1 2.5 1e308 + - * / ( ) , < == != >= and or not ratio( max( min( abs( log1p( ** // % c "
    "'x' . [ lambda : = if else in __import__( \\ # é @"
).split()


@MANY
@given(
    st.lists(st.sampled_from([*TOKENS, "\n", "\x00"]), max_size=12).map(" ".join)
    | st.text(max_size=40)
)
def test_any_text_is_a_formula_or_refused(text):
    with refused_well():
        found = expressions.evaluate(text, ROWS)
        assert len(found) == len(ROWS) and found.dtype.kind in "fibu"
        assert expressions.columns_of(text) <= set(ROWS)


WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from([*HOSTILE_TEXTS, "true", "None", "[1, 2]", "1_000", "０"]),
    st.floats().map(str),
    st.integers().map(str),
)


@MANY
@given(st.sampled_from(["int", "float", "bool", "str", "list[int]", "list[str]", ""]), WORDS)
def test_any_value_of_a_parameter_is_of_its_type_or_refused(annotation, text):
    with refused_well("k"):
        value = coerce(Parameter("k", annotation, None), text)
        kinds = {"int": int, "float": float, "bool": bool, "str": str}
        assert type(value) is kinds.get(annotation, type(value))
        assert value == value, "not a number is no value"  # noqa: PLR0124


@MANY
@given(st.lists(st.sampled_from(["recency=1,2,3,4", ";", "=", ","]) | WORDS).map("".join))
def test_any_cut_points_are_used_or_refused(text):
    with refused_well("rfm_cuts"):
        for part, points in rfm.read_cuts(text).items():
            assert part in rfm.PARTS and points == sorted(set(points)) and len(points) == 4
            assert all(map(math.isfinite, points))


MANIFEST = {
    "schema": 1,
    "dataset": "credit_card",
    "quick": False,
    "given": {},
    "parameters": {"04": {"k": 0, "dataset": "credit_card"}},
    "inputs": [{"part": "table", "name": "customers.csv", "sha256": "0" * 64}],
    "stages": [{"number": "04", "current": True}],
    "versions": {"numpy": "2"},
    "outputs": {"segments.csv": {"sha256": "0" * 64}},
}


@MANY
@given(st.sampled_from(list(paths(MANIFEST))), JUNK)
def test_any_manifest_is_repeated_or_refused(tmp_path_factory, place, value):
    file = tmp_path_factory.mktemp("manifest") / "manifest.json"
    file.write_text(json.dumps(replaced(MANIFEST, place, value)), encoding="utf-8")
    with refused_well():
        record = repeating.read_record(file)
        options = command.parse(["--from-manifest", str(file)], SERIES)
        repeating.with_record(options, record)
        declared = {"k": Parameter("k", "int", 0), "dataset": Parameter("dataset", "str", "")}
        repeating.settings_of(record, {"04": declared}, {})
        repeating.differences_of_versions(record)
        repeating.compare(record, file.parent)


# --- models ---------------------------------------------------------------------------------------


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
    path = tmp_path_factory.mktemp("model") / "model.json"
    write_json(path, fit_model(SHOP_DATASET, table, 3, name="<b>"))
    return path, table


@QUICK
@given(tables(fewest=1, most=20))
def test_any_new_customers_get_one_segment_each(model, table):
    loaded = load_model(model[0])
    with refused_well():
        found = assign_customers(loaded, table)
        assert len(found) == table["client"].nunique()
        assert found["segment"].isin([1, 2, 3]).all()
        assert found["confidence"].between(0, 1).all()
        assert np.isfinite(found["distance"]).all()
        pd.testing.assert_frame_equal(found, assign_customers(loaded, table[::-1]))


@MANY
@given(st.data())
def test_a_changed_model_is_refused_or_used_as_it_is(model, data):
    content = json.loads(model[0].read_text(encoding="utf-8"))
    tampered = replaced(content, data.draw(st.sampled_from(list(paths(content)))), data.draw(JUNK))
    path = model[0].with_name("changed.json")
    try:
        tampered["checksum"] = checksum(tampered)
        path.write_text(json.dumps(tampered, allow_nan=False), encoding="utf-8")
    except (TypeError, ValueError):
        assume(False)
    with refused_well(path.name):
        loaded = load_model(path)
        # What the schema lets pass is another model that is whole in itself.
        with refused_well():
            assert assign_customers(loaded, model[1])["segment"].isin([1, 2, 3]).all()
        with refused_well():
            compare_scored(loaded, score_customers(loaded, model[1]))
        with refused_well():
            write_query(loaded, data.draw(st.sampled_from(DIALECTS)))

"""What holds for any table that passes validation: tables, settings and models made up at random.

Hypothesis draws them; a failure names the smallest one. The examples are few and the same in every
run; ``PROPERTY_EXAMPLES=300 pytest tests/test_properties.py`` tries that many others.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS, SHOP
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from segmentation import cleaning, naming, profiling
from segmentation.dataset import build_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.model import build_model, checksum, load_model
from segmentation.presentation import html_table, safe_table, sentence
from segmentation.scoring import assign_customers

MORE = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
QUICK = settings(
    max_examples=MORE or 15,
    derandomize=not MORE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MANY = settings(QUICK, max_examples=MORE or 100)
SHOP_DATASET = build_dataset(copy.deepcopy(SHOP), Path("shop/dataset.toml"))
STARTS = 4

amounts = st.one_of(
    st.floats(0, 1e7), st.just(0.0), st.floats(0, 1e-6), st.sampled_from([1e9, 1e15, np.inf])
)
cells = st.one_of(amounts, st.none(), st.floats(-1e4, -1e-3), st.sampled_from([np.nan]))


@st.composite
def tables(draw, fewest: int = 50, most: int = 90) -> pd.DataFrame:
    """Draw a table of the little shop, as it is after reading: typed, with gaps and oddities."""
    rows = draw(st.integers(fewest, most))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e4]))
    table = pd.DataFrame(
        {
            "client": [f"{prefix}{i:03d}" for i, prefix in enumerate(
                generator.choice(["C", "=", "<b>", "é"], rows))],
            "spent": np.round(np.exp(generator.normal(3, 2, rows)) * scale, 2),
            "visits": generator.poisson(draw(st.sampled_from([0.3, 4, 60])), rows).astype(float),
            "online": generator.uniform(-0.2, 1.2, rows),
            "age": generator.integers(18, 90, rows).astype(float),
            "club": generator.choice([*HOSTILE_TEXTS[:4], None], rows),
            "member": generator.choice(["yes", "no"], rows),
        }
    )  # fmt: skip
    for column in ("spent", "visits", "online", "age"):
        for _ in range(draw(st.integers(0, 4))):
            value = draw(cells)
            place = int(generator.integers(rows))
            table.loc[place, column] = np.nan if value is None else value
    return table.sample(frac=1, random_state=draw(st.integers(0, 99)))


def prepare(table: pd.DataFrame):
    """Clean a table and build the matrix as notebooks 01 and 03 do; skip what they refuse."""
    try:
        cleaned = cleaning.clean(table, SHOP_DATASET)
        features = build_features(cleaned.customers, SHOP_DATASET)
        chosen = SHOP_DATASET.features_with("segment")
        preparation = fit_preparation(features, chosen)
    except UserError as refused:
        assert 1 <= len(str(refused).splitlines()) <= 3
        assume(False)
    return cleaned, features, preparation, preparation.transform(features)


@QUICK
@given(tables())
def test_cleaning_accounts_for_every_customer_and_leaves_no_gap(table):
    cleaned, features, _, matrix = prepare(table)
    dropped = sum(change.rows for change in cleaned.changes if change.action == "dropped")
    assert len(cleaned.customers) + dropped == len(table)
    assert cleaned.customers.index.is_unique and cleaned.customers.index.is_monotonic_increasing
    numbers = [c.name for c in SHOP_DATASET.columns if c.is_numeric and c.missing != "keep"]
    assert np.isfinite(cleaned.customers[[n for n in numbers if n in cleaned.customers]]).all(
        axis=None
    )
    assert np.isfinite(features.drop(columns="online", errors="ignore")).all(axis=None)
    assert np.isfinite(matrix).all(axis=None)
    assert list(matrix.index) == list(features.index) == list(cleaned.customers.index)
    again = cleaning.clean(cleaned.customers.reset_index(names="client"), SHOP_DATASET)
    pd.testing.assert_frame_equal(again.customers, cleaned.customers, check_dtype=False)


@QUICK
@given(tables(), st.integers(2, 5))
def test_segments_part_the_customers_and_the_model_finds_them_again(table, k):
    cleaned, features, preparation, matrix = prepare(table)
    assume(len(np.unique(matrix.to_numpy().round(9), axis=0)) > 2 * k)
    fit = fit_kmeans(matrix.to_numpy(), k, n_init=STARTS)
    labels = pd.Series(fit.labels + 1, index=matrix.index)
    assert set(labels) == set(range(1, k + 1)), "none is empty"
    sizes = profiling.sizes_and_value(labels, cleaned.customers["spent"], resamples=5)
    assert sizes["customers"].sum() == len(labels)
    assert sizes["share"].sum() == pytest.approx(1)
    effects = profiling.effect_sizes(
        profiling.standardise_evenly(features, list(SHOP_DATASET.features)), labels
    )
    named = naming.name_segments(effects, SHOP_DATASET)
    assert len({entry.name for entry in named.values()}) == k, "no two share a name"
    for entry in named.values():
        assert sentence("{name}", name=entry.name)
    compositions = profiling.composition(
        cleaned.customers["club"], labels, {s: e.name for s, e in named.items()}
    )
    shares = compositions.drop(index="everybody").sum(axis=1)
    assert (shares <= 1 + 1e-9).all()
    for shown in (safe_table(compositions), effects):
        assert html_table(shown, "caption").count("<tr>") == len(shown) + 1


@QUICK
@given(tables(), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(table, seed):
    _, _, _, matrix = prepare(table)
    _, _, _, shuffled = prepare(table.sample(frac=1, random_state=seed))
    pd.testing.assert_frame_equal(matrix, shuffled)


@QUICK
@given(tables(), st.sampled_from([0.01, 7.0, 100.0, 1e4]))
def test_another_currency_changes_no_label_where_the_scale_is_linear(table, factor):
    # `log1p` bends small amounts, so that only an amount taken as it is may change its unit freely.
    content = copy.deepcopy(SHOP)
    for feature in content["features"]:
        feature["transform"] = "none"
    dataset = build_dataset(content, Path("shop/dataset.toml"))

    def fitted(given: pd.DataFrame):
        try:
            features = build_features(cleaning.clean(given, dataset).customers, dataset)
            chosen = dataset.features_with("segment")
            matrix = fit_preparation(features, chosen).transform(features).to_numpy()
        except UserError:
            assume(False)
        return matrix, fit_kmeans(matrix, 3, n_init=STARTS)

    first, fit = fitted(table)
    assume(len(np.unique(first.round(9), axis=0)) > 6)
    second, again = fitted(table.assign(spent=table["spent"] * factor))
    np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-6)
    assert (fit.labels == again.labels).all() or again.inertia == pytest.approx(fit.inertia)


@QUICK
@given(tables())
def test_copies_of_all_rows_change_nothing(table):
    _, _, preparation, matrix = prepare(table)
    _, _, again, same = prepare(pd.concat([table, table]))
    pd.testing.assert_frame_equal(matrix, same)
    assert preparation == again


@QUICK
@given(tables())
def test_customers_twice_under_other_names_change_no_centre(table):
    _, _, _, matrix = prepare(table)
    twice = table.assign(client="again " + table["client"])
    _, _, _, doubled = prepare(pd.concat([table, twice]))
    values = matrix.to_numpy()
    assume(len(np.unique(values.round(9), axis=0)) > 6)
    fit = fit_kmeans(values, 3, n_init=STARTS)
    own = doubled.loc[matrix.index].to_numpy()
    np.testing.assert_allclose(values, own, rtol=1e-6, atol=1e-9)
    pair = np.concatenate([values, values])
    labels = np.concatenate([fit.labels, fit.labels])
    centres = np.array([pair[labels == s].mean(axis=0) for s in range(3)])
    np.testing.assert_allclose(centres, fit.centres, atol=1e-9)


# --- settings -------------------------------------------------------------------------------------

junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=12),
              st.sampled_from(HOSTILE_TEXTS)),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
                            st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


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


@MANY
@given(st.sampled_from(list(paths(SHOP))), junk)
def test_any_mistake_in_dataset_toml_is_told_in_three_lines(place, value):
    try:
        build_dataset(replaced(SHOP, place, value), Path("shop/dataset.toml"))
    except UserError as refused:
        assert 1 <= len(str(refused).splitlines()) <= 3, str(refused)


# --- models ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a saved model, and the table that it was trained on."""
    generator = np.random.default_rng(3)
    rows = 120
    table = pd.DataFrame(
        {
            "client": [f"C{i:03d}" for i in range(rows)],
            "spent": np.exp(generator.normal(3, 1, rows)),
            "visits": 1.0 + generator.poisson(5, rows),
            "online": generator.uniform(0, 1, rows),
        }
    )
    cleaned, features, preparation, matrix = prepare(table)
    fit = fit_kmeans(matrix.to_numpy(), 3, n_init=STARTS)
    segments = [{"segment": s, "name": f"<b>{s}</b>", "slug": f"s-{s}"} for s in (1, 2, 3)]
    training = (features, table[["spent", "visits", "online"]])
    content = build_model(SHOP_DATASET, cleaned.fills, preparation, fit.centres, segments, training)
    path = tmp_path_factory.mktemp("model") / "model.json"
    write_json(path, content)
    return path, table


@QUICK
@given(tables(fewest=1, most=20))
def test_any_new_customers_get_one_segment_each(model, table):
    try:
        found = assign_customers(load_model(model[0]), table)
    except UserError as refused:
        assert 1 <= len(str(refused).splitlines()) <= 3
        return
    assert len(found) == table["client"].nunique()
    assert found["segment"].isin([1, 2, 3]).all()
    assert found["confidence"].between(0, 1).all()
    assert np.isfinite(found["distance"]).all()
    backwards = assign_customers(load_model(model[0]), table[::-1])
    pd.testing.assert_frame_equal(found, backwards)


@MANY
@given(st.data())
def test_a_tampered_model_is_refused_even_with_the_right_checksum(model, data):
    path, table = model
    content = json.loads(path.read_text(encoding="utf-8"))
    place = data.draw(st.sampled_from(list(paths(content))))
    value = data.draw(junk)
    tampered = replaced(content, place, value)
    try:
        tampered["checksum"] = checksum(tampered)
        text = json.dumps(tampered, allow_nan=False)
    except (ValueError, TypeError):
        assume(False)
    changed = path.with_name("changed.json")
    changed.write_text(text, encoding="utf-8")
    try:
        found = assign_customers(load_model(changed), table)
    except UserError as refused:
        assert 1 <= len(str(refused).splitlines()) <= 3
        return
    # What the schema lets pass is another model that is whole in itself.
    assert found["segment"].isin([1, 2, 3]).all()


@MANY
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=3))
def test_a_damaged_model_is_refused(model, place, bytes_):
    content = model[0].read_bytes()
    place %= len(content)
    damaged = content[:place] + bytes_ + content[place + len(bytes_) :]
    path = model[0].with_name("damaged.json")
    path.write_bytes(damaged)
    try:
        same = load_model(path)
    except UserError:
        return
    assert same == load_model(model[0]), "only the layout was changed"

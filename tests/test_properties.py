"""What holds for any table, and for files and texts that somebody wrote by hand or damaged.

Hypothesis draws them; a failure names the smallest one. The examples are few and the same in every
run; ``PROPERTY_EXAMPLES=300 pytest tests/test_properties.py`` tries that many others.
"""

from __future__ import annotations

import copy
import json
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import SHOP
from fitted import Prepared, fit_model, shop_table
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from planted import TEXTS as HOSTILE_TEXTS

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from runner import command, repeating
from runner.notebook_files import Parameter
from segmentation import cleaning, profiling
from segmentation.dataset import DATA_FOLDER, build_dataset, load_dataset
from segmentation.drift import compare_scored
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


@contextmanager
def refused_well(*words: str, skip: bool = False):
    """Let pass what is refused in up to three short lines that hold the words, or skip it."""
    try:
        yield
    except UserError as refused:
        assert all(word in str(refused) for word in words), refused
        assume(not skip)


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


def prepare(table: pd.DataFrame) -> Prepared:
    """Prepare a table, or skip what is refused."""
    with refused_well(skip=True):
        return Prepared(table, SHOP_DATASET)


@QUICK
@given(tables())
def test_cleaning_accounts_for_every_customer_and_leaves_no_gap(table):
    found = prepare(table)
    customers, changes = found.customers, found.cleaned.changes
    dropped = sum(change.rows for change in changes if change.action == "dropped")
    assert len(customers) + dropped == len(table)
    assert customers.index.is_unique and customers.index.is_monotonic_increasing
    numbers = [c.name for c in SHOP_DATASET.columns if c.is_numeric and c.missing != "keep"]
    features = found.features.drop(columns="online")
    for whole in (customers.filter(numbers), features, found.matrix):
        assert np.isfinite(whole).all(axis=None)
        assert list(whole.index) == list(customers.index)
    again = cleaning.clean(customers.reset_index(names="client"), SHOP_DATASET)
    pd.testing.assert_frame_equal(again.customers, customers, check_dtype=False)


@QUICK
@given(tables(), st.integers(2, 5))
def test_segments_part_the_customers_and_have_names_of_their_own(table, k):
    found = prepare(table)
    assume(len(np.unique(found.matrix.round(9), axis=0)) > 2 * k)
    labels = found.labels(k, n_init=4)
    assert set(labels) == set(range(1, k + 1)), "none is empty"
    worth = profiling.worth(labels, found.customers[["spent"]])["spent"]
    assert worth["share"].sum() == pytest.approx(1 if worth["total"].sum() > 0 else 0)
    names = {s: entry.name for s, entry in found.named(labels).items()}
    assert len(set(names.values())) == k, "no two share a name"
    assert all(sentence("{name}", name=name) for name in names.values())
    compositions = profiling.composition(found.customers["club"], labels, names)
    assert (compositions.drop(index="everybody").sum(axis=1) <= 1 + 1e-9).all()
    assert html_table(safe_table(compositions), "caption").count("<tr>") == len(compositions) + 1


@QUICK
@given(tables(), st.integers(0, 99))
def test_neither_the_order_of_rows_nor_copies_of_all_matter(table, seed):
    first = prepare(table)
    for other in (table.sample(frac=1, random_state=seed), pd.concat([table, table])):
        again = prepare(other)
        pd.testing.assert_frame_equal(first.matrix, again.matrix)
        assert first.steps == again.steps
    # Copies under other names are customers of their own, and change no mean nor deviation.
    doubled = prepare(pd.concat([table, table.assign(client="again " + table["client"])])).matrix
    np.testing.assert_allclose(first.matrix, doubled.loc[first.matrix.index], rtol=1e-6, atol=1e-9)


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


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a saved model, and the table that it was trained on."""
    table = shop_table(120)
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

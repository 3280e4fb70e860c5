"""model.json: the same segments for the same customers, and refusals."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest
from fitted import fit_model

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from segmentation.model import SCHEMA, bin_counts, bin_edges, checksum, load_model
from segmentation.scoring import assign_customers, score_customers


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(9)
    group = np.repeat([0, 1, 2], 40)
    visits = rng.poisson(np.array([2, 10, 30])[group]).astype(float)
    spent = np.round(visits * rng.uniform(5, 15, 120) * np.array([1, 5, 1])[group], 2)
    online = np.clip(rng.normal(np.array([0.1, 0.5, 0.9])[group], 0.1), 0, 1)
    ids = [f"c{i:03d}" for i in range(120)]
    return pd.DataFrame({"Client No.": ids, "SPENT": spent, "visits": visits, "online": online})


@pytest.fixture
def model(table, shop):
    return fit_model(shop, table, 3, "Group")


@pytest.fixture
def saved(model, tmp_path):
    write_json(tmp_path / "model.json", model)
    return tmp_path / "model.json"


def test_the_training_customers_come_back_in_any_order_and_company(table, model, saved):
    found = assign_customers(load_model(saved), table)
    assert found["segment"].value_counts().sort_index().tolist() == model["reference"]["segments"]
    assert found["segment_name"].equals("Group " + found["segment"].astype("str"))
    assert 1 <= found["outlier"].sum() <= 3  # the farthest of each segment
    odd = table.iloc[:1].assign(SPENT=1e7, online=0.0)
    assert assign_customers(model, odd)["outlier"].all()
    shuffled = table.sample(frac=1, random_state=1)[["online", "visits", "SPENT", "Client No."]]
    pd.testing.assert_frame_equal(assign_customers(model, shuffled), found)
    alone = assign_customers(model, table.iloc[[17]])
    pd.testing.assert_frame_equal(alone, found.loc[["c017"]])


def test_new_customers_are_cleaned_as_the_old_ones(table, model):
    median, new = table["SPENT"].median(), table.iloc[:5].copy()
    new.loc[0, ["visits", "SPENT"]] = [0, np.nan]  # the rule: no visit, no money
    new.loc[1, "SPENT"] = np.nan  # the median of the training customers
    new.loc[2, "visits"] = 9_999  # clipped to 400
    new.loc[3, "online"] = 7  # impossible: missing, filled with zero
    new.loc[4, "SPENT"] = np.inf  # missing, too
    by_hand = new.copy()
    by_hand.loc[[0, 1, 4], "SPENT"] = [0, median, median]
    by_hand.loc[[2, 3], ["visits", "online"]] = [[400, new.online[2]], [new.visits[3], 0]]
    scored = score_customers(model, new)
    pd.testing.assert_frame_equal(scored.assigned, assign_customers(model, by_hand))
    assert [(change.column, change.rows, change.action) for change in scored.changes] == [
        ("spent", 1, "treated as missing"),
        ("visits", 1, "set to the limit"),
        ("online", 1, "treated as missing"),
        ("spent", 1, "set to 0: the gap is structural"),
        ("spent", 2, f"filled as in training, {median:,.2f}"),
        ("online", 1, "filled as in training, 0.00"),
    ]
    assert assign_customers(model, table.iloc[:2].assign(SPENT=np.nan))["segment"].notna().all()


def test_the_file_is_plain_numbers_as_its_schema_says(model, saved):
    content = json.loads(saved.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert content == model
    assert content["columns"][0]["valid"] == [None, None]
    assert np.array(content["centres"]).shape == (3, 3)
    assert [f["name"] for f in content["features"]] == ["spent", "ticket", "online"]
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(model, schema)
    assert schema["properties"]["version"]["const"] == model["version"]
    assert str(model["version"]) in schema["title"]
    saved.write_text(json.dumps(dict(reversed(content.items())), indent=7))  # layout is no change
    assert load_model(saved) == content


CHANGED = "was changed after it was written"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["centres"][0].reverse(), CHANGED),
        (lambda m: m["segments"][0].update(name="Other"), CHANGED),
        (lambda m: m.update(version=1), CHANGED),
        (lambda m: m.update(version=99), "version 99"),
        (lambda m: m.pop("fills"), "must contain .*'fills'"),
        (lambda m: m.update(more=1), "must not contain .*'more'"),
        (lambda m: m["columns"][0].update(kind="colour"), r"columns\[0\]\.kind"),
        (lambda m: m["preparation"]["steps"][0].update(deviation=0), "deviation"),
        (lambda m: m["preparation"]["steps"][0].update(transform="yeo-johnson"), "power"),
        (lambda m: m["centres"].pop(), "centres has 2 entries for 3 segments"),
        (lambda m: m["centres"][0].pop(), "not one number for each of 3 features"),
        (lambda m: m["outliers"]["distances"].pop(), "outliers has 2 entries"),
        (lambda m: m["features"].pop(), "a feature that has no formula"),
        (lambda m: m["reference"]["features"].reverse(), "name different features"),
        (lambda m: m["reference"]["features"][0]["shares"].pop(), "not one share each"),
    ],
)
def test_a_changed_model_is_refused(saved, change, words):
    content = json.loads(saved.read_text())
    change(content)
    if words != CHANGED:
        content["checksum"] = checksum(content)
    saved.write_text(json.dumps(content))
    with pytest.raises(UserError, match=words):
        load_model(saved)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"checksum": 1}', '{"checksum": 1, "x": NaN}', "\x00", "\xff"],
)
def test_no_model_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text, encoding="latin-1")
    for path in (tmp_path / "model.json", tmp_path / "absent.json", tmp_path):
        with pytest.raises(UserError, match="is no model|its checksum differs"):
            load_model(path)


def test_the_reference_describes_the_training_customers(table, model):
    reference = model["reference"]
    assert reference["customers"] == sum(reference["segments"]) == 120
    for entry in reference["features"]:
        assert sum(entry["shares"]) == pytest.approx(1)
        assert min(entry["shares"]) > 0
    spent = next(entry for entry in reference["columns"] if entry["name"] == "spent")
    paid = table.loc[table["SPENT"] > 0, "SPENT"]
    assert spent["values"] == len(paid)
    assert spent["quartiles"] == pytest.approx(paid.quantile([0.25, 0.5, 0.75]).tolist())


def test_a_value_that_many_share_has_a_bin_of_its_own():
    values = np.r_[np.zeros(70), np.arange(1, 31)]
    edges = bin_edges(values)
    assert edges[0] == 0
    assert bin_counts(values, edges).tolist() == [70, 10, 10, 10]
    assert len(bin_edges(np.ones(9))) == 0
    assert bin_counts(np.array([-5.0, 99.0]), edges).tolist() == [1, 0, 0, 1]

"""model.json: the same segments for the same customers, and refusals."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from segmentation import cleaning
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.model import SCHEMA, build_model, checksum, load_model
from segmentation.reference import bin_counts, bin_edges
from segmentation.scoring import assign_customers


@pytest.fixture
def table():
    rng = np.random.default_rng(9)
    group = np.repeat([0, 1, 2], 40)
    visits = rng.poisson(np.array([2, 10, 30])[group]).astype(float)
    spent = np.round(visits * rng.uniform(5, 15, 120) * np.array([1, 5, 1])[group], 2)
    online = np.clip(rng.normal(np.array([0.1, 0.5, 0.9])[group], 0.1), 0, 1)
    return pd.DataFrame(
        {"Client No.": [f"c{i:03d}" for i in range(120)], "SPENT": spent, "visits": visits,
         "online": online}
    )  # fmt: skip


@pytest.fixture
def trained(table, shop):
    """A model of the table, and the segment of each customer in training."""
    cleaned = cleaning.clean(table, shop)
    features = build_features(cleaned.customers, shop)
    preparation = fit_preparation(features, shop.features_with("segment"))
    fit = fit_kmeans(preparation.transform(features).to_numpy(), 3, n_init=5, seed=1)
    segments = [{"segment": s, "name": f"Group {s}", "slug": f"group-{s}"} for s in (1, 2, 3)]
    training = (features, table[["SPENT", "visits", "online"]].rename(columns=str.lower))
    model = build_model(shop, cleaned.fills, preparation, fit.centres, segments, training)
    return model, pd.Series(fit.labels + 1, index=cleaned.customers.index)


@pytest.fixture
def saved(trained, tmp_path):
    write_json(tmp_path / "model.json", trained[0])
    return tmp_path / "model.json"


def test_the_training_customers_come_back(table, trained, saved):
    found = assign_customers(load_model(saved), table)
    assert found["segment"].equals(trained[1].rename("segment"))
    assert set(found["segment_name"]) == {"Group 1", "Group 2", "Group 3"}
    assert found["segment_name"].equals("Group " + found["segment"].astype("str"))


def test_the_order_of_rows_and_columns_does_not_matter(table, trained, saved):
    shuffled = table.sample(frac=1, random_state=1)[["online", "visits", "SPENT", "Client No."]]
    pd.testing.assert_frame_equal(
        assign_customers(load_model(saved), shuffled), assign_customers(trained[0], table)
    )


def test_one_new_customer_is_enough(table, trained):
    alone = assign_customers(trained[0], table.iloc[[17]])
    pd.testing.assert_frame_equal(alone, assign_customers(trained[0], table).loc[["c017"]])


def test_new_customers_are_cleaned_as_the_old_ones(table, trained, shop):
    new = table.iloc[:4].copy()
    new.loc[0, ["visits", "SPENT"]] = [0, np.nan]  # the rule: no visit, no money
    new.loc[1, "SPENT"] = np.nan  # the median of the training customers
    new.loc[2, "visits"] = 9_999  # clipped to 400
    new.loc[3, "online"] = 7  # impossible: missing, filled with zero
    by_hand = new.copy()
    by_hand.loc[0, "SPENT"] = 0
    by_hand.loc[1, "SPENT"] = table["SPENT"].median()
    by_hand.loc[2, "visits"] = 400
    by_hand.loc[3, "online"] = 0
    pd.testing.assert_frame_equal(
        assign_customers(trained[0], new), assign_customers(trained[0], by_hand)
    )


def test_a_needed_column_without_values_is_filled_as_in_training(table, trained):
    found = assign_customers(trained[0], table.iloc[:2].assign(SPENT=np.nan))
    assert found["segment"].notna().all()


@pytest.mark.parametrize("column", ["SPENT", "visits", "online"])
def test_a_missing_column_is_refused(table, trained, column):
    with pytest.raises(UserError, match=f"no column '{column.lower()}'"):
        assign_customers(trained[0], table.drop(columns=column))


def test_text_among_the_numbers_is_refused(table, trained):
    with pytest.raises(UserError, match="hold text, such as 'many'"):
        assign_customers(
            trained[0], table.astype({"visits": "object"}).replace({"visits": {2.0: "many"}})
        )


def test_the_file_is_plain_numbers_and_valid_json(trained, saved):
    content = json.loads(saved.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert content == trained[0]
    assert content["columns"][0]["valid"] == [None, None]
    assert np.array(content["centres"]).shape == (3, 3)
    assert [f["name"] for f in content["features"]] == ["spent", "ticket", "online"]


@pytest.mark.parametrize(
    ("place", "value"),
    [(("centres", 0, 0), 0.5), (("segments", 0, "name"), "Other"), (("fills", "spent"), 0.0),
     (("features", 0, "formula"), "visits"), (("version",), 1), (("checksum",), "0" * 64)],
)  # fmt: skip
def test_a_change_is_noticed(saved, place, value):
    content = json.loads(saved.read_text())
    entry = content
    for part in place[:-1]:
        entry = entry[part]
    entry[place[-1]] = value
    saved.write_text(json.dumps(content))
    with pytest.raises(UserError, match="was changed after it was written"):
        load_model(saved)


def test_layout_is_no_change(saved):
    content = json.loads(saved.read_text())
    saved.write_text(json.dumps(dict(reversed(content.items())), indent=7))
    assert load_model(saved) == content


def save_changed(path, change):
    """Write a model with a change that its checksum agrees with."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content | {"checksum": checksum(content)}))


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda m: m.pop("fills"), "must contain .*'fills'"),
     (lambda m: m.update(more=1), "must not contain .*'more'"),
     (lambda m: m["columns"][0].update(kind="colour"), r"columns\[0\]\.kind"),
     (lambda m: m["preparation"]["steps"][0].update(deviation=0), "deviation"),
     (lambda m: m["preparation"]["steps"][0].update(transform="yeo-johnson"), "power"),
     (lambda m: m["centres"].pop(), "centres has 2 entries for 3 segments"),
     (lambda m: m["centres"][0].pop(), "not one number for each of 3 features"),
     (lambda m: m["strangers"]["distances"].pop(), "strangers has 2 entries"),
     (lambda m: m["features"].pop(), "a feature that has no formula"),
     (lambda m: m["reference"]["features"].reverse(), "name different features"),
     (lambda m: m["reference"]["features"][0]["shares"].pop(), "not one share each")],
)  # fmt: skip
def test_what_the_schema_does_not_allow_is_refused(saved, change, words):
    save_changed(saved, change)
    with pytest.raises(UserError, match=words):
        load_model(saved)


def test_the_schema_is_one(trained):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(trained[0], schema)
    assert schema["properties"]["version"]["const"] == trained[0]["version"]
    assert str(trained[0]["version"]) in schema["title"]


def test_the_reference_describes_the_training_customers(table, trained):
    reference = trained[0]["reference"]
    assert reference["customers"] == 120
    assert reference["segments"] == trained[1].value_counts().sort_index().tolist()
    for entry in reference["features"]:
        assert sum(entry["shares"]) == pytest.approx(1)
        assert min(entry["shares"]) > 0
        assert entry["edges"] == sorted(set(entry["edges"]))
    spent = next(entry for entry in reference["columns"] if entry["name"] == "spent")
    paid = table.loc[table["SPENT"] > 0, "SPENT"]
    assert spent["values"] == len(paid)
    assert spent["quartiles"] == pytest.approx(paid.quantile([0.25, 0.5, 0.75]).tolist())


def test_strangers_are_few_in_training_and_marked_elsewhere(table, trained):
    found = assign_customers(trained[0], table)
    assert 1 <= found["stranger"].sum() <= 3  # the farthest of each segment
    odd = table.iloc[:1].assign(SPENT=1e7, online=0.0)
    assert assign_customers(trained[0], odd)["stranger"].all()


def test_a_value_that_many_share_has_a_bin_of_its_own():
    values = np.r_[np.zeros(70), np.arange(1, 31)]
    edges = bin_edges(values)
    assert edges[0] == 0
    assert bin_counts(values, edges).tolist() == [70, 10, 10, 10]
    assert len(bin_edges(np.ones(9))) == 0
    assert bin_counts(np.array([-5.0, 99.0]), edges).tolist() == [1, 0, 0, 1]


def test_another_version_is_refused(saved):
    content = json.loads(saved.read_text()) | {"version": 99}
    saved.write_text(json.dumps(content | {"checksum": checksum(content)}))
    with pytest.raises(UserError, match="version 99"):
        load_model(saved)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "null", "{}", '{"checksum": 1}', '{"checksum": 1, "x": NaN}', "\x00"],
)
def test_no_model_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(UserError, match=r"model\.json"):
        load_model(tmp_path / "model.json")


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"model\.json is no model"):
        load_model(tmp_path / "model.json")
    with pytest.raises(UserError, match="is no model"):
        load_model(tmp_path)

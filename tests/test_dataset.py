"""dataset.toml: what is read, and how each mistake in it is told."""

import math
import tomllib

import pytest
from conftest import HOSTILE_TEXTS

from customer_tables.errors import UserError
from segmentation.dataset import (
    DATA_FOLDER,
    build_dataset,
    load_dataset,
    locate_dataset,
    match_columns,
    match_dataset,
    normalise,
)

SHIPPED = sorted(path.parent.name for path in DATA_FOLDER.glob("*/dataset.toml"))


def refusal(build, *args, **kwargs) -> str:
    with pytest.raises(UserError) as caught:
        build(*args, **kwargs)
    text = str(caught.value)
    assert len(text.splitlines()) <= 3
    assert len(text) < 1500
    return text


# --- what is read ---------------------------------------------------------------------------------


def test_a_dataset_is_read(shop):
    assert (shop.name, shop.title, shop.value, shop.value_label) == (
        "shop", "A shop", "spent", "spent")  # fmt: skip
    assert shop.id.name == "client"
    assert shop.column("spent").valid == (0, math.inf)
    assert shop.column("spent").label == "spent"
    assert [f.name for f in shop.features_with("segment")] == ["spent", "ticket", "online"]
    assert [f.name for f in shop.features_with("describe", "left out")] == ["visits", "rest"]
    assert shop.archetypes[0].pattern == {"spent": 1, "ticket": 1}


def test_columns_of_one_label_are_told_apart_by_name(make_shop, shop_content):
    columns = shop_content["columns"]
    columns["spent"]["label"] = columns["visits"]["label"] = "In the first half"
    features = [feature | {"label": "Habit"} for feature in shop_content["features"]]
    shop = make_shop(columns=columns, features=features)
    assert shop.column("spent").label == "In the first half (spent)"
    assert shop.column("age").label == "age"
    for parts in (shop.columns, shop.features):
        assert len({part.label for part in parts}) == len(parts)


def test_name_and_title_come_from_the_place(shop_content, tmp_path):
    del shop_content["dataset"]
    assert build_dataset(shop_content, tmp_path / "my_shop" / "dataset.toml").title == "My shop"
    assert build_dataset(shop_content, tmp_path / "other.toml").name == "other"


@pytest.mark.parametrize("left_out", ["value", "archetypes", "questions", "rules"])
def test_most_tables_are_optional(shop_content, tmp_path, left_out):
    del shop_content[left_out]
    dataset = build_dataset(shop_content, tmp_path / "dataset.toml")
    assert not getattr(dataset, left_out)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_datasets_load(name):
    dataset = load_dataset(name)
    assert len(dataset.features_with("segment")) >= 2
    assert load_dataset(DATA_FOLDER / name) == dataset
    assert load_dataset(DATA_FOLDER / name / "dataset.toml") == dataset


def test_the_card_holders_are_described():
    dataset = load_dataset("credit_card")
    assert dataset.value == "purchases"
    assert len(dataset.columns) == 18
    assert {"Cash-advance users", "Instalment buyers", "High spenders",
            "Low-activity customers"} <= {a.name for a in dataset.archetypes}  # fmt: skip
    described = {f.name for f in dataset.features_with("describe")}
    assert {"credit_limit", "tenure"} <= described


# --- what is refused ------------------------------------------------------------------------------


def change(content, place, value):
    """Set content[a][b][c] = value for the place "a.b.c"; whole numbers count list entries."""
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    for part in path:
        content = content[part]
    content[last] = value


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("columns.spent.kin", "money", ["'kin'", "did you mean 'kind'?"]),
        ("columns.spent.name", "x", ["unknown key 'name'"]),
        ("columns.spent.kind", "monye", ["'monye'", "money"]),
        ("columns.spent.missing", "mean", ["missing is 'mean'", "did you mean 'median'?"]),
        ("columns.spent.outside", "drop", ["outside is 'drop'", "flag, clip, missing"]),
        ("columns.spent.valid", [0], ["columns.spent.valid lacks"]),
        ("columns.spent.valid", [1, 0], ["two ascending numbers"]),
        ("columns.spent.valid", [math.nan, 1], ["two ascending numbers"]),
        ("columns.spent.valid", ["0", "1"], ["columns.spent.valid: 0 is '0'", "a number"]),
        ("columns.spent.valid", 5, ["valid is '5'", "a list"]),
        ("columns.spent.found_as", "SPENT", ["a list"]),  # not letter by letter
        ("columns.spent.found_as", [5], ["a text in quotes"]),
        ("columns.spent.found_as", ["Client No."], ["'client' and 'spent'", "'Client No.'"]),
        ("columns.spent.required", "no", ["true or false"]),
        ("columns.spent.unit", 5, ["a text in quotes"]),
        ("columns.age.kind", "id", ["two columns", "id"]),
        ("columns.spent", 5, ["spent is '5'", "a table"]),
        ("columns", [], ["columns is", "a table"]),
        ("features", {}, ["features is", "a list"]),
        ("features.0", "spent", ["features: 1 is 'spent'", "a table"]),
        ("features.0.formula", "spend", ["'spend'", "did you mean 'spent'?"]),
        ("features.0.formula", "spent +", ["cannot be read"]),
        ("features.0.formula", "__import__('os')", ["not allowed"]),
        ("features.0.formula", "spent.values", ["not allowed"]),
        ("features.0.formula", "-" * 50_000 + "spent", ["more than 5,000"]),
        ("features.0.formula", "spent * " + "9" * 500, ["cannot be read"]),
        ("features.0.formula", 5, ["a text in quotes"]),
        ("features.0.formula", "club", ["'club'", "category"]),
        ("features.0.role", "segments", ["role is 'segments'", "did you mean 'segment'?"]),
        ("features.0.transform", "log", ["transform is 'log'", "log1p"]),
        ("features.0.kind", "category", ["kind is 'category'"]),
        ("features.0.nmae", "x", ["did you mean 'name'?"]),
        ("features.1.name", "spent", ["two features share a name"]),
        ("rules.0.when", "visit == 0", ["'visit'", "did you mean 'visits'?"]),
        ("rules.0.when", "visits", ["condition"]),
        ("rules.0.column", "spend", ["'spend'", "did you mean 'spent'?"]),
        ("rules.0.fill", "0", ["a number"]),
        ("rules.1.check", "visit > 0", ["'visit'"]),  # else it would never be checked
        ("rules.1.check", "", ["neither checks nor fills"]),
        ("questions.0.when", "onlin > 0", ["did you mean 'online'?"]),
        ("questions.0.when", "online", ["condition"]),
        ("archetypes.0.pattern", {}, ["pattern"]),
        ("archetypes.0.pattern", {"spent": math.inf}, ["finite numbers"]),
        ("archetypes.0.pattern", {"spent": math.nan}, ["finite numbers"]),
        ("archetypes.0.pattern", {"spent": "high"}, ["a number"]),
        ("archetypes.0.pattern", {"spend": 1}, ["'spend'", "did you mean 'spent'?"]),
        ("archetypes.1.name", "Big spenders", ["two archetypes share a name"]),
        ("value.column", "spend", ["'spend'", "did you mean 'spent'?"]),
        ("value.column", "club", ["'club'", "no numbers"]),
        ("value.colum", "spent", ["did you mean 'column'?"]),
        ("dataset.titel", "x", ["did you mean 'title'?"]),
        ("dataset.folder", "/etc", ["unknown key 'folder'"]),
        ("dataset.generated", "yes", ["true or false"]),
        ("dataset.limits", "none", ["a list"]),
        ("feature", [], ["did you mean 'features'?"]),
    ],
)  # fmt: skip
def test_each_mistake_is_told(shop_content, tmp_path, place, value, told):
    change(shop_content, place, value)
    text = refusal(build_dataset, shop_content, tmp_path / "dataset.toml")
    for part in told:
        assert part in text


@pytest.mark.parametrize(
    "place", ["features.0.formula", "archetypes.0.pattern", "columns.spent.kind"]
)
def test_a_key_that_lacks_is_named(shop_content, tmp_path, place):
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    entry = shop_content
    for part in path:
        entry = entry[part]
    del entry[last]
    assert f"lacks the key '{last}'" in refusal(build_dataset, shop_content, tmp_path / "d.toml")


@pytest.mark.parametrize("count", [0, 1])
def test_a_distance_needs_two_features(make_shop, shop_content, count):
    features = shop_content["features"][:count]
    told = refusal(make_shop, features=features, archetypes=[], value={})
    assert "fewer than two features segment" in told


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", "\x00", "[columns\n"])
def test_no_toml(tmp_path, text):
    (tmp_path / "dataset.toml").write_text(text)
    assert "not valid TOML" in refusal(load_dataset, tmp_path)


def test_another_encoding(tmp_path):
    (tmp_path / "dataset.toml").write_bytes('title = "é"'.encode("latin-1"))
    assert "not valid TOML" in refusal(load_dataset, tmp_path)


@pytest.mark.parametrize(
    "name", ["credit_cards", "", "nowhere", "/nowhere/x.toml", "a\x00b", "x" * 10_000, "../.."]
)
def test_a_missing_dataset_names_those_there_are(name):
    text = refusal(locate_dataset, name)
    assert "credit_card" in text
    if name == "credit_cards":
        assert "did you mean 'credit_card'?" in text


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_are_kept_or_told_in_short(shop_content, tmp_path, text):
    shop_content["dataset"]["title"] = text
    shop_content["columns"]["spent"]["label"] = text
    shop_content["archetypes"][0]["name"] = text
    dataset = build_dataset(shop_content, tmp_path / "dataset.toml")
    assert (dataset.title, dataset.column("spent").label, dataset.archetypes[0].name) == (text,) * 3
    for place in (
        "columns.spent.kind",
        "features.0.role",
        "features.0.formula",
        text.replace(".", ""),
    ):
        spoilt = {**shop_content}
        spoilt = tomllib.loads("") | {
            k: dict(v) if isinstance(v, dict) else v for k, v in spoilt.items()
        }
        change(spoilt, place, text)
        refusal(build_dataset, spoilt, tmp_path / "dataset.toml")


# --- names of columns -----------------------------------------------------------------------------


def test_folding_ignores_case_spaces_and_punctuation():
    assert normalise(" CUST_ID ") == normalise("cust id") == normalise("Cust-ID") == "custid"
    assert normalise("STRASSE") == normalise("Straße")


def test_names_match_whatever_their_spelling(shop):
    header = ["CLIENT NO", "Spent ", "visits", "ONLINE", "Spent per visit"]
    assert match_columns(header, shop) == {
        "CLIENT NO": "client", "Spent ": "spent", "visits": "visits", "ONLINE": "online",
    }  # fmt: skip


def test_two_columns_for_one_place_are_refused(shop):
    assert "'Spent' and 'SPENT'" in refusal(match_columns, ["Spent", "SPENT"], shop)


def test_an_exact_name_goes_before_a_folded_one(make_shop, shop_content):
    columns = shop_content["columns"]
    columns["euros"] = {"kind": "money", "found_as": ["Sum (€)"]}
    columns["dollars"] = {"kind": "money", "found_as": ["Sum ($)"]}
    columns["percent"] = {"kind": "share", "found_as": ["%"]}
    dataset = make_shop(columns=columns)
    assert match_columns(["Sum ($)", "Sum (€)", "%"], dataset) == {
        "Sum ($)": "dollars", "Sum (€)": "euros", "%": "percent",
    }  # fmt: skip
    assert match_columns(["sum", "#"], dataset) == {}  # could be either; is neither


def test_a_name_goes_before_how_another_column_was_found(make_shop, shop_content):
    columns = shop_content["columns"]
    columns["visits"]["found_as"] = ["Visits"]
    columns["visits_2"] = {"kind": "count", "found_as": ["visits"]}
    shop = make_shop(columns=columns)
    told = {"Visits": "visits", "visits": "visits_2"}
    assert match_columns(["spent", *told], shop) == {"spent": "spent"} | told
    same = {name: name for name in ("spent", "visits", "visits_2")}
    assert match_columns(same, shop) == same


def test_a_header_tells_its_dataset():
    columns = [column.name for column in load_dataset("credit_card").columns]
    assert (
        match_dataset([name.upper() for name in columns if name != "customer_id"]) == "credit_card"
    )
    assert match_dataset([name for name in columns if name != "balance"]) is None
    assert match_dataset([]) is None

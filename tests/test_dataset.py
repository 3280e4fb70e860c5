"""dataset.toml: what is read, and how each mistake in it is told."""

import copy
import math

import pytest
from planted import TEXTS as HOSTILE_TEXTS

from customer_tables.errors import UserError
from segmentation.dataset import (
    DATA_FOLDER,
    build_dataset,
    load_dataset,
    locate_dataset,
    match_columns,
    match_dataset,
)

SHIPPED = sorted(path.parent.name for path in DATA_FOLDER.glob("*/dataset.toml"))
GONE = object()  # the key is deleted


def refusal(build, *args) -> str:
    with pytest.raises(UserError) as caught:
        build(*args)
    return str(caught.value)


def test_a_dataset_is_read(shop):
    texts = (shop.name, shop.title, shop.value, shop.value_label)
    assert texts == ("shop", "A shop", "spent", "spent")
    assert shop.id.name == "client"
    assert shop.column("spent").valid == (0, math.inf)
    assert shop.column("spent").label == "spent"
    assert [f.name for f in shop.features_with("segment")] == ["spent", "ticket", "online"]
    assert [f.name for f in shop.features_with("describe", "left out")] == ["visits", "rest"]
    assert shop.archetypes[0].pattern == {"spent": 1, "ticket": 1}


@pytest.mark.parametrize(
    ("value", "measures"),
    [
        ({}, []),
        ({"column": "spent"}, [("spent", "spent", "EUR")]),
        ([{"column": "spent", "label": "sales", "unit": "$"}], [("spent", "sales", "$")]),
        (
            [{"column": "spent"}, {"column": "visits", "label": "calls"}],
            [("spent", "spent", "EUR"), ("visits", "calls", "")],
        ),
    ],
)
def test_value_has_one_measure_or_several(make_shop, shop_content, value, measures):
    shop = make_shop(value=value, dataset=shop_content["dataset"] | {"currency": "EUR"})
    assert [(found.column, found.label, found.unit) for found in shop.values] == measures
    assert shop.feature("ticket").unit == "EUR"
    first = measures[0][:2] if measures else ("", "")
    assert (shop.value, shop.value_label) == first


def test_columns_of_one_label_are_told_apart_by_name(make_shop, shop_content):
    columns = shop_content["columns"]
    features = [feature | {"label": "Habit"} for feature in shop_content["features"]]
    for label in ("In the first half", "long " * 60):
        columns["spent"]["label"] = columns["visits"]["label"] = label
        shop = make_shop(columns=columns, features=features)
        assert shop.column("spent").label.endswith(" (spent)")
        assert shop.column("age").label == "age"
        for parts in (shop.columns, shop.features):
            assert len({part.label for part in parts}) == len(parts)
            assert all(len(part.label) <= 120 for part in parts)


def test_most_tables_are_optional(shop_content, tmp_path):
    for table in ("dataset", "value", "archetypes", "questions", "rules"):
        del shop_content[table]
    dataset = build_dataset(shop_content, tmp_path / "my_shop" / "dataset.toml")
    assert (dataset.title, dataset.value, dataset.rules) == ("My shop", "", ())
    assert build_dataset(shop_content, tmp_path / "other.toml").name == "other"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_datasets_load(name):
    dataset = load_dataset(name)
    assert len(dataset.features_with("segment")) >= 2
    assert load_dataset(DATA_FOLDER / name) == dataset
    assert load_dataset(DATA_FOLDER / name / "dataset.toml") == dataset


def change(content, place, value):
    """Set content[a][b][c] = value for the place "a.b.c"; whole numbers count list entries."""
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    for part in path:
        content = content[part]
    content[last] = value
    if value is GONE:
        del content[last]


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("columns.spent.kin", "money", ["'kin'", "did you mean 'kind'?"]),
        ("columns.spent.kind", GONE, ["columns.spent lacks the key 'kind'"]),
        ("columns.spent.kind", "monye", ["'monye'", "did you mean 'money'?"]),
        ("columns.spent.outside", "drop", ["outside is 'drop'", "flag, clip, missing"]),
        ("columns.spent.valid", [0], ["columns.spent.valid lacks"]),
        ("columns.spent.valid", [1, 0], ["two ascending numbers"]),
        ("columns.spent.valid", [math.nan, 1], ["two ascending numbers"]),
        ("columns.spent.found_as", "SPENT", ["a list"]),  # not letter by letter
        ("columns.spent.found_as", ["Client No."], ["'client' and 'spent'", "'Client No.'"]),
        ("columns.spent.required", "no", ["true or false"]),
        ("columns.spent.unit", 5, ["a text in quotes"]),
        ("columns.age.kind", "id", ["two columns", "id"]),
        ("columns.spent", 5, ["spent is '5'", "a table"]),
        ("features", {}, ["features is", "a list"]),
        ("features", [], ["fewer than two features segment"]),
        ("features.0", "spent", ["features: 1 is 'spent'", "a table"]),
        ("features.0.formula", "spend", ["'spend'", "did you mean 'spent'?"]),
        ("features.0.formula", "spent +", ["cannot be read"]),
        ("features.0.formula", "club", ["'club'", "holds no numbers"]),
        ("features.0.kind", "category", ["kind is 'category'"]),
        ("features.1.name", "spent", ["two features share a name"]),
        ("rules.0.when", "visit == 0", ["'visit'", "did you mean 'visits'?"]),
        ("rules.0.when", "visits", ["condition"]),
        ("rules.0.column", "spend", ["'spend'", "did you mean 'spent'?"]),
        ("rules.0.fill", GONE, ["neither checks nor fills"]),
        ("rules.1.check", "visit > 0", ["'visit'"]),  # else it would never be checked
        ("rules.1.check", "", ["neither checks nor fills"]),
        ("questions.0.when", "onlin > 0", ["did you mean 'online'?"]),
        ("questions.0.when", "online", ["condition"]),
        ("archetypes.0.pattern", {}, ["pattern"]),
        ("archetypes.0.pattern", {"spent": math.inf}, ["finite numbers"]),
        ("archetypes.0.pattern", {"spend": 1}, ["'spend'", "did you mean 'spent'?"]),
        (
            "archetypes.0.when",
            "median(spend) > 1",
            ["'Big spenders', name: ", "did you mean 'spent'?"],
        ),
        ("archetypes.0.when", "median(club) > 1", ["'club'", "holds no numbers"]),
        ("archetypes.0.when", "median(spent)", ["is no condition over the segment"]),
        ("archetypes.0.when", "spent > 1", ["'spent' stands outside of an aggregate"]),
        ("archetypes.0.when", "share(spent) > 1", ["'share(spent)' has to hold a condition"]),
        ("archetypes.0.when", "share(median(spent) > 1) > 1", ["median is not allowed"]),
        ("archetypes.0.when", "of_total_all(spent) > 1", ["of_total_all is not allowed"]),
        ("archetypes.0.summary.1.when", GONE, ["summary.2 lacks the key 'when'"]),
        ("archetypes.0.summary.1.when", "share(onlin > 0) > 0", ["'Big spenders', summary 2: "]),
        ("archetypes.0.advice.0.text", "Up {of_total(spend)}", ["advice 1: ", "'spend'"]),
        ("archetypes.0.avoid.0.when", "share(member > ", ["avoid 1: ", "cannot be read"]),
        ("archetypes.1.leave_out", "online", ["leave_out: ", "has to hold a condition"]),
        ("says", {"onlin == 0": "x"}, ["says 'onlin == 0': ", "did you mean 'online'?"]),
        ("archetypes.1.name", "Big spenders", ["two archetypes share a name"]),
        ("value.column", "spend", ["'spend'", "did you mean 'spent'?"]),
        ("value.column", "club", ["'club'", "no numbers"]),
        ("value", [{"column": "spent"}] * 2, ["two measures of value share a column"]),
        (
            "value",
            [{"column": name, "label": "x"} for name in ("spent", "visits")],
            ["two measures of value share a label"],
        ),
        ("rfm", {"recency": "visit"}, ["'visit'", "did you mean 'visits'?"]),
        ("rfm", {"recency": "visits"}, ["recency alone", "frequency and monetary"]),
        ("source", {"grain": "lines"}, ["grain is 'lines'", "customer, transaction"]),
        ("feature", [], ["did you mean 'features'?"]),
    ],
)
def test_each_mistake_is_told(shop_content, tmp_path, place, value, told):
    change(shop_content, place, value)
    text = refusal(build_dataset, shop_content, tmp_path / "dataset.toml")
    for part in told:
        assert part in text


@pytest.mark.parametrize(
    "text", [b"a = ", b"a = 1\na = 2", b"\x00", b"[columns\n", 'title = "é"'.encode("latin-1")]
)
def test_no_toml(tmp_path, text):
    (tmp_path / "dataset.toml").write_bytes(text)
    assert "not valid TOML" in refusal(load_dataset, tmp_path)


@pytest.mark.parametrize(
    "name", ["credit_cards", "", "nowhere", "/nowhere/x.toml", "a\x00b", "x" * 10_000, "../.."]
)
def test_a_missing_dataset_names_those_there_are(name):
    text = refusal(locate_dataset, name)
    assert "credit_card" in text
    assert ("did you mean 'credit_card'?" in text) == (name == "credit_cards")


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_are_kept_or_told_in_short(shop_content, tmp_path, text):
    places = ("dataset.title", "columns.spent.label", "archetypes.0.name")
    for place in places:
        change(shop_content, place, text)
    dataset = build_dataset(shop_content, tmp_path / "dataset.toml")
    kept = (dataset.title, dataset.column("spent").label, dataset.archetypes[0].name)
    assert kept == (text,) * 3
    for place in (text.replace(".", ""), "features.0.formula", "features.0.role"):
        spoilt = copy.deepcopy(shop_content)
        change(spoilt, place, text)
        refusal(build_dataset, spoilt, tmp_path / "dataset.toml")


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({}, {"CLIENT NO": "client", "Spent ": "spent", "visits": "visits", "ONLINE": "online"}),
        ({}, {"Spent per visit": None}),
        (
            {"euros": ["Sum (€)"], "dollars": ["Sum ($)"], "percent": ["%"]},  # exact goes first
            {"Sum ($)": "dollars", "Sum (€)": "euros", "%": "percent"},
        ),
        # could be either, and is neither
        ({"euros": ["Sum (€)"], "dollars": ["Sum ($)"]}, {"sum": None, "#": None}),
        ({"visits_2": ["visits"]}, {"visits": "visits_2"}),
        ({"visits_2": ["visits"]}, {"visits": "visits", "visits_2": "visits_2"}),
    ],
)
def test_names_match_whatever_their_spelling(make_shop, shop_content, columns, found):
    more = {name: {"kind": "money", "found_as": names} for name, names in columns.items()}
    shop = make_shop(columns=shop_content["columns"] | more)
    expected = {name: place for name, place in found.items() if place}
    assert match_columns(found, shop) == expected


def test_two_columns_for_one_place_are_refused(shop):
    assert "'Spent' and 'SPENT'" in refusal(match_columns, ["Spent", "SPENT"], shop)


def test_a_header_tells_its_dataset():
    columns = [column.name for column in load_dataset("credit_card").columns]
    upper = [name.upper() for name in columns if name != "customer_id"]
    assert match_dataset(upper) == "credit_card"
    assert match_dataset([*upper, *"abc"]) == "credit_card"  # a few more do no harm
    assert match_dataset([*upper, *"abcdefgh"]) is None
    assert match_dataset([name for name in columns if name != "balance"]) is None
    assert match_dataset([]) is None

"""Any table as --input: which dataset it is, what is guessed, and what the messages name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customer_tables.description import is_untouched
from customer_tables.errors import UserError
from customer_tables.table import read_table
from runner import command, inputs
from segmentation import cleaning, intake
from segmentation.dataset import load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.stages import SERIES
from segmentation.workspace import Workspace

ROWS = 300
ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT / "data" / "credit_card" / "customers.csv"


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def cards():
    return pd.read_csv(CARDS).head(ROWS)


@pytest.fixture
def shoppers(rng):
    """A made-up table that is none of the known ones."""
    return pd.DataFrame(
        {
            "Client": [f"K{i:04d}" for i in range(ROWS)],
            "Full Name": [f"Person {chr(97 + i % 26)}{i}" for i in range(ROWS)],
            "E-Mail": [f"p{i}@example.org" for i in range(ROWS)],
            "Town": rng.choice(["North", "South", "West"], ROWS),
            "Joined": pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, ROWS), "D"),
            "Spent": rng.lognormal(4, 1, ROWS).round(2),
            "Visits": rng.poisson(5, ROWS),
            "Returns share": rng.beta(1, 8, ROWS).round(3),
        }
    )


@pytest.fixture
def bring(tmp_path):
    def write(table: pd.DataFrame, name: str = "my shop.csv", **options) -> Path:
        path = tmp_path / name
        table.to_csv(path, index=False, **options)
        return path

    return write


def understand(path: Path, results: Path, dataset: str = "auto"):
    """Go as far as notebooks 01 and 03 go, and return workspace, cleaned and prepared table."""
    ws, reading = intake.open_table(dataset, str(path), results_dir=str(results))
    cleaned = cleaning.clean(reading.numbered, ws.dataset)
    features = build_features(cleaned.customers, ws.dataset)
    matrix = fit_preparation(features, ws.dataset.features_with("segment")).transform(features)
    assert np.isfinite(matrix.to_numpy()).all()
    return ws, cleaned, matrix


# --- what a table is taken for ------------------------------------------------------------------


def test_a_card_table_with_odd_extra_columns_is_one(cards, bring, tmp_path):
    table = cards.assign(**{"Unnamed: 18": ["x", *[""] * (ROWS - 1)]})
    table.insert(0, "Sl_No", range(1, ROWS + 1))
    path = bring(table.rename(columns=lambda name: name.lower().replace("_", " ")))
    assert inputs.match_table(path) == ("credit_card", "")
    _, cleaned, _ = understand(path, tmp_path / "out", "credit_card")
    left_out = {c.column for c in cleaned.changes if c.what == "column is not part of this dataset"}
    assert left_out == {"sl no", "unnamed: 18"}
    assert cleaned.customers.index[0] == "C10001"


def test_a_card_table_without_a_needed_column_is_named(cards, bring):
    path = bring(cards.rename(columns={"PAYMENTS": "Paid back"}))
    with pytest.raises(UserError, match="lacks the column payments of .*credit_card") as caught:
        inputs.match_table(path)
    assert "in which the column Paid back fits nothing" in str(caught.value)
    assert "--dataset auto" in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        "CustomerID,Gender,Age,Annual Income ($),Spending Score (1-100),Profession,Work,Family",
        "age,annual_income,visits,orders,returns",
        "ID,Customer ID,spend,visits",
        "Gender,Sex,spend",  # two columns for one place
    ],
)
def test_a_table_that_only_resembles_a_known_one_is_guessed(header, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{','.join('1' * len(header.split(',')))}\n")
    assert inputs.match_table(path) == ("auto", "")
    source = inputs.resolve_dataset(None, path)
    assert (source.name, source.toml) == ("t", None)


# --- what is guessed ----------------------------------------------------------------------------


def test_a_guess_is_written_and_later_notebooks_read_it(shoppers, bring, tmp_path):
    path, results = bring(shoppers), tmp_path / "results"
    ws, cleaned, matrix = understand(path, results)
    assert (ws.dataset.name, ws.dataset.id.name) == ("my_shop", "client")
    assert set(matrix) == {"spent", "visits", "returns_share", "days_since_joined"}
    text = (results / "dataset.toml").read_text(encoding="utf-8")
    assert "# Guessed from my shop.csv." in text
    later = Workspace.open("04", dataset="auto", results_dir=str(results))
    assert later.dataset.features == ws.dataset.features
    # What could tell who somebody is is left out, with the reason.
    reasons = {c.column: c.what for c in cleaned.changes if c.action == "left out"}
    assert reasons["Full Name"] == "names a person or how to reach them"
    assert reasons["E-Mail"] == "names a person or how to reach them"
    assert not {"full_name", "e_mail"} & set(cleaned.customers)
    assert any("Full Name" in limit for limit in ws.dataset.limits)
    understand(path, tmp_path / "again")  # the same bytes
    assert (tmp_path / "again" / "dataset.toml").read_text(encoding="utf-8") == text


def test_an_edited_guess_is_used_as_a_dataset_and_never_guessed_over(shoppers, bring, tmp_path):
    path, results = bring(shoppers), tmp_path / "results"
    understand(path, results)
    source, toml = inputs.resolve_dataset("auto", path), results / "dataset.toml"
    assert is_untouched(toml.read_text())
    assert inputs.with_own_guess(source, results) == source
    toml.write_text(toml.read_text().replace('role = "segment"', 'role = "describe"', 1))
    edited = inputs.with_own_guess(source, results)
    assert (edited.toml, edited.dataset, edited.table) == (toml, str(toml), path)
    assert inputs.with_own_guess(source, tmp_path / "elsewhere") == source
    ws, _, matrix = understand(path, tmp_path / "again", str(toml))
    assert matrix.shape[1] == 3
    assert not (tmp_path / "again" / "dataset.toml").exists()
    with pytest.raises(UserError, match="--input"):  # its table is not beside it
        intake.open_table(str(toml), results_dir=str(tmp_path / "again"))


def test_nothing_to_guess_from(tmp_path):
    with pytest.raises(UserError, match="no table to guess"):
        intake.open_table("auto", results_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/My Shop (1).csv.gz", "my_shop_1"),
        ("Kunden-Größe.xlsx", "kunden_größe"),
        ("-.csv", "table"),
    ],
)
def test_names_of_datasets_come_from_files(path, name):
    assert intake.name_of(path) == name


# --- how a table is read ------------------------------------------------------------------------


def test_options_reach_the_reader(tmp_path, shoppers):
    given = ["--delimiter", ";", "--decimal", ",", "--date-order", "dmy"]
    options = command.parse(["--input", "t.csv", *given], SERIES).settings
    assert options == {"delimiter": ";", "decimal": ",", "date_order": "dmy"}
    path = tmp_path / "t.csv"
    table = shoppers.drop(columns="Returns share")
    table["Spent"] = [f"{value:.3f}".replace(".", ",") for value in table["Spent"]]
    table.to_csv(path, index=False, sep=";")
    _, reading = intake.open_table("auto", str(path), results_dir=str(tmp_path / "r"), **options)
    assert reading.table["Spent"].to_numpy() == pytest.approx(shoppers["Spent"].to_numpy())


def test_codes_stay_text_where_the_dataset_says_words(make_shop, shop_content):
    shop_content["columns"]["club"]["found_as"] = ["Area code"]
    kept = intake.text_columns(make_shop(columns=shop_content["columns"]))
    assert kept == ["client", "Client No.", "club", "Area code"]


# --- messages name the right place --------------------------------------------------------------


@pytest.mark.parametrize(("kind", "place"), [("csv", "lines 5 and 205"), ("xlsx", "rows 2 and 3")])
def test_places_are_those_of_the_file(tmp_path, kind, place):
    known, path = load_dataset("mall"), tmp_path / f"t.{kind}"
    if kind == "csv":
        rows = known.source_path.read_text().splitlines()
        lines = ["Export of the mall", "", rows[0], "", *rows[1:], "1,Male,40,99,9"]
        path.write_text("\n".join(lines))
    else:
        table = pd.read_csv(known.source_path)
        table.loc[1, "CustomerID"] = 1
        table.to_excel(path, index=False)
    with pytest.raises(UserError, match=f"for example {place}"):
        cleaning.clean(read_table(path).numbered, known)


# --- from the command line to the report --------------------------------------------------------


@pytest.mark.slow
def test_a_table_that_nobody_knows_becomes_a_report(shoppers, bring, tmp_path, rng):
    # Names that are cut at the same letters, and a column that a transform makes constant.
    words = "what the household spends in our shops or with any partner, less returns, " * 3
    for half in (1, 2):
        shoppers[f"{words} half {half}"] = rng.lognormal(3, 1, ROWS).round(2)
    shoppers["Renewal"] = shoppers["Joined"]
    shoppers["Level"] = np.maximum(1, np.arange(ROWS) - ROWS + 5)
    shoppers.insert(len(shoppers.columns), "visits ", rng.poisson(9, ROWS))  # beside "Visits"
    results = tmp_path / "report"
    command = [sys.executable, ROOT / "scripts" / "run.py", "--quick", "--results", results]
    command += ["--set", "epochs=2"]
    run = subprocess.run([*command, "--input", bring(shoppers)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (results / "index.html").is_file()
    assert f"The {ROWS} customers are divided into" in run.stdout
    for segment in pd.read_csv(results / "segments.csv")["segment_name"].unique():
        assert f"\n  {segment[:39]}" in run.stdout
    assert f"Report: {results / 'index.html'}\nExplore it: " in run.stdout
    assert is_untouched((results / "dataset.toml").read_text(encoding="utf-8"))
    segments = pd.read_csv(results / "segments.csv")
    assert sorted(segments["customer"]) == sorted(shoppers["Client"])
    report = json.loads((results / "stages" / "06_report.json").read_text(encoding="utf-8"))
    reasons = {change["column"]: change["what"] for change in report["changes"]}
    assert reasons["Full Name"] == "names a person or how to reach them"
    assert (results / "tables" / "06_composition_town.csv").is_file()
    assert (results / "tables" / "06_composition_renewal.csv").is_file()


@pytest.mark.slow
def test_what_cannot_be_read_leaves_nothing_behind(tmp_path):
    path, results = tmp_path / "t.csv", tmp_path / "report"
    rows = [f"{i},{i},0{i % 9 + 1}/02/2023\n" for i in range(99)]
    path.write_text("id,spend,joined\n" + "".join(rows))
    command = [sys.executable, ROOT / "scripts" / "run.py", "--quick", "--results", results]
    run = subprocess.run([*command, "--input", path], capture_output=True, text=True)
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 3
    assert "--date-order" in run.stderr
    assert not results.exists()

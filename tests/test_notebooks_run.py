"""The notebooks from first to last cell: what they write, and on tables of odd shapes."""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import nbformat
import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from customer_tables.table import read_table
from runner.execution import Job, run_notebook
from runner.kernels import Kernels
from segmentation import workspace
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.model import load_model
from segmentation.scoring import assign_customers
from segmentation.sql import write_query
from segmentation.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))}
EVERY = 15  # of the generated card holders, every so many-th takes part
AGAIN = ("01", "03", "04", "06", "07", "09")  # those run a second time


@dataclass(frozen=True)
class Series:
    """A finished run: its results and its executed notebooks by number."""

    results: Path
    notebooks: dict[str, nbformat.NotebookNode]
    source: Path
    log: str

    def metrics(self, topic: str) -> dict:
        return json.loads((self.results / "metrics.json").read_text())[topic]

    def report(self) -> dict:
        return json.loads((self.results / "stages" / "06_report.json").read_text())

    def segments(self) -> pd.DataFrame:
        return pd.read_csv(self.results / "segments.csv", dtype={"customer": "str"})


def execute(folder: Path, dataset: Path, numbers: tuple[str, ...], **more: str) -> Series:
    """Run notebooks as the runner does, each in a kernel of its own."""
    folder.mkdir(exist_ok=True)
    log, executed = folder / "log", {}
    log.touch()
    parameters = {"dataset": str(dataset), "results_dir": str(folder / "results"), "quick": True}
    parameters |= more

    async def run_all() -> None:
        async with Kernels(ROOT / "notebooks", folder, log) as kernels:
            for number in numbers:
                source, copy = NOTEBOOKS[number], folder / NOTEBOOKS[number].name
                job = Job(source.stem, source, copy, parameters, {}, {}, 300, log)
                await run_notebook(job, await kernels.take(number, []))
                executed[number] = nbformat.read(copy, as_version=4)

    try:
        asyncio.run(run_all())
    except Exception as error:
        error.add_note(log.read_text(errors="replace")[-3000:])
        raise
    table = dataset / "customers.csv"
    return Series(folder / "results", executed, table, log.read_text(errors="replace"))


@pytest.fixture(scope="session")
def card_holders(tmp_path_factory) -> Path:
    """A dataset folder with a few hundred of the generated card holders."""
    folder = tmp_path_factory.mktemp("data") / "card_holders"
    folder.mkdir()
    shutil.copy(DATA_FOLDER / "credit_card" / "dataset.toml", folder)
    with (DATA_FOLDER / "credit_card" / "customers.csv").open(newline="") as source:
        header, *rows = csv.reader(source)
    with (folder / "customers.csv").open("w", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows([header, *rows[::EVERY]])
    return folder


@pytest.fixture(scope="session")
def both_runs(tmp_path_factory, card_holders) -> tuple[Series, Series]:
    """All notebooks, and, at the same time in another folder, the deciding ones again."""
    folder = tmp_path_factory.mktemp("runs")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(execute, folder / "first", card_holders, tuple(NOTEBOOKS))
        second = pool.submit(execute, folder / "second", card_holders, AGAIN)
        return first.result(), second.result()


@pytest.fixture(scope="session")
def run(both_runs) -> Series:
    return both_runs[0]


# --- executed notebooks ---------------------------------------------------------------------------


def outputs(run: Series):
    for number, notebook in run.notebooks.items():
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                yield number, cell, output


def test_every_cell_ran_in_order(run):
    for number, notebook in run.notebooks.items():
        counts = [c.execution_count for c in notebook.cells if c.cell_type == "code" and c.source]
        assert counts == list(range(1, len(counts) + 1)), number


def test_nothing_was_written_to_stderr_and_nothing_failed(run):
    for number, cell, output in outputs(run):
        assert output.output_type in ("display_data", "execute_result"), (number, cell.source)
    for word in ("Traceback", "Warning"):
        assert word not in run.log


def test_every_figure_has_an_alternative_text(run):
    pictures = [(n, c, o) for n, c, o in outputs(run) if "image/png" in o.get("data", {})]
    assert {number for number, _, _ in pictures} == set(NOTEBOOKS)
    for number, cell, output in pictures:
        told = output.metadata.get("image/png", {})
        assert len(told.get("alt", "")) > 20, (number, cell.source)
        assert told.get("caption"), (number, cell.source)
        assert "nan" not in told["alt"].lower().replace("finan", ""), told["alt"]
        assert (run.results / "figures" / Path(told["file"]).name).is_file()


def test_no_sentence_shows_a_gap_in_the_numbers(run):
    for number, cell, output in outputs(run):
        text = output.get("data", {}).get("text/markdown", "")
        for gap in ("nan", "None", "inf%", "np&#46;float"):
            assert gap not in text.replace("finan", ""), (number, cell.source, text)


def test_no_address_of_memory_is_shown(run):
    for number, cell, output in outputs(run):
        assert " at 0x" not in str(output.get("data", {}).get("text/plain")), (number, cell.source)


# --- files of the contract ------------------------------------------------------------------------


def test_all_files_are_there(run):
    results = run.results
    for name in ("metrics.json", "segments.csv", "model.json", "stages/06_report.json"):
        assert (results / name).is_file(), name
    for number in NOTEBOOKS:
        assert list((results / "figures").glob(f"{number}_*.png")), number
        assert list((results / "tables").glob(f"{number}_*.csv")), number
        assert (results / "stages" / f"{number}_metrics.json").is_file()
    for picture in (results / "figures").glob("*.png"):
        assert json.loads(picture.with_suffix(".json").read_text())["alt"]
    assert not list(results.rglob("*.partial"))
    assert (results / "tables" / "08_reference_silhouettes.csv").is_file()


def test_every_table_parses(run):
    for path in sorted((run.results / "tables").glob("*.csv")):
        table = pd.read_csv(path)
        assert len(table.columns) >= 2, path.name
        assert not [name for name in table if str(name).startswith("Unnamed")], path.name


def test_every_document_is_valid_json(run):
    def refuse(name):
        pytest.fail(f"{name} is no JSON")

    for path in run.results.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_metrics_of_all_topics(run):
    merged = json.loads((run.results / "metrics.json").read_text())
    assert set(merged) == {STAGES[number].topic for number in NOTEBOOKS}
    rows = len(pd.read_csv(run.source))
    assert merged["cleaning"]["customers"] == merged["cleaning"]["rows_read"] == rows
    clustering = merged["clustering"]
    assert 3 <= clustering["k"] <= 8
    assert clustering["verdict"] in ("natural", "reproducible", "constructed")
    assert (
        set(clustering["stability"]) == set(clustering["silhouettes"]) == set(clustering["inertia"])
    )
    assert clustering["stability"][str(clustering["k"])] <= 1
    inertias = [clustering["inertia"][k] for k in sorted(clustering["inertia"], key=int)]
    assert inertias == sorted(inertias, reverse=True)
    assert clustering["null_silhouette_permuted"] < clustering["null_silhouette_gaussian"]
    assert clustering["null_silhouette_gaussian"] < clustering["silhouette"]
    assert clustering["names"] == merged["profiling"]["names"]
    assert sum(merged["profiling"]["share"].values()) == pytest.approx(1)
    assert sum(merged["profiling"]["value_share"].values()) == pytest.approx(1)
    assert 0 <= merged["profiling"]["names_agreement"] <= 1


# --- customers ------------------------------------------------------------------------------------


def test_one_row_a_customer(run):
    segments, source = run.segments(), pd.read_csv(run.source)
    assert list(segments) == ["customer", "segment", "segment_name", "confidence", "distance"]
    assert segments["customer"].tolist() == sorted(source["CUST_ID"])
    assert segments["confidence"].between(0, 1).all()
    assert (segments["distance"] >= 0).all()
    k = run.metrics("clustering")["k"]
    assert sorted(segments["segment"].unique()) == list(range(1, k + 1))
    names = segments.groupby("segment")["segment_name"].unique()
    assert {str(s): list(found) for s, found in names.items()} == {
        s: [name] for s, name in run.metrics("clustering")["names"].items()
    }


def test_campaigns_divide_the_customers(run):
    segments = run.segments().set_index("customer")
    lists = {path: pd.read_csv(path, dtype={"customer": "str"}) for path in
             (run.results / "campaigns").glob("*.csv")}  # fmt: skip
    assert len(lists) == run.metrics("clustering")["k"]
    together = pd.concat(lists.values())
    assert sorted(together["customer"]) == sorted(segments.index)
    for members in lists.values():
        assert members["segment"].nunique() == 1
        assert members["confidence"].is_monotonic_decreasing
    assert (segments.loc[together["customer"], "segment"].to_numpy() == together["segment"]).all()


def test_segments_are_ordered_by_value(run):
    means = run.metrics("profiling")["value_mean"]
    ordered = [means[str(s)] for s in range(1, len(means) + 1)]
    assert ordered == sorted(ordered, reverse=True)


def test_the_model_assigns_the_same_segments(run):
    model = load_model(run.results / "model.json")
    again = assign_customers(model, read_table(run.source).table)
    segments = run.segments().set_index("customer")
    assert list(again.index) == list(segments.index)
    assert (again["segment"] == segments["segment"]).all()
    assert (again["segment_name"] == segments["segment_name"]).all()
    np.testing.assert_allclose(again["distance"], segments["distance"], atol=1e-4)


def test_the_query_gives_the_customers_their_segments(run):
    query = (run.results / "model.sql").read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE customers AS FROM read_csv(?)", [str(run.source)])
        connection.execute("ALTER TABLE customers RENAME CUST_ID TO customer_id")
        found = connection.sql(query).df().set_index("customer").sort_index()
    segments = run.segments().set_index("customer")
    assert list(found.index) == list(segments.index)
    for name in ("segment", "segment_name"):
        assert (found[name] == segments[name]).all()
    for name in ("confidence", "distance"):
        np.testing.assert_allclose(found[name], segments[name], atol=0.51e-4)
    assert query == write_query(load_model(run.results / "model.json"), "duckdb")


def test_a_planted_period_is_told_from_a_quiet_one(run):
    found, segments = run.metrics("drift"), run.segments()
    largest = segments["segment_name"].value_counts()
    left = round(found["planted"]["shrink"] * largest.iloc[0])
    joined = round(found["planted"]["new_share"] * len(segments))
    assert found["generated"] and found["customers"] == len(segments) - left + joined
    assert found["verdict"] != "keep"
    assert found["named"]["new_share"] and found["named"]["inflation"]
    assert found["halves_without_alarm"] >= found["halves"] - 1
    told = pd.read_csv(run.results / "tables" / "09_migration.csv", index_col=0)
    assert not ((told > 0) & (told < 10)).any(axis=None)


def test_a_real_period_takes_the_place_of_the_generated_one(run, card_holders, tmp_path):
    shutil.copytree(run.results, tmp_path / "results")
    table = pd.read_csv(card_holders / "customers.csv")
    money = [c.name.upper() for c in load_dataset(card_holders).columns if c.kind == "money"]
    second = table.assign(**{name: table[name] * 1.8 for name in money}).iloc[::-1].head(500)
    second["CUST_ID"] = [f"N{i}" if i < 40 else name for i, name in enumerate(second["CUST_ID"])]
    second.to_csv(tmp_path / "april.csv", index=False)
    again = execute(tmp_path, card_holders, ("09",), next_period=str(tmp_path / "april.csv"))
    found = json.loads((tmp_path / "results" / "stages" / "09_metrics.json").read_text())
    assert not found["generated"] and "planted" not in found
    assert found["customers"] == 500 and found["verdict"] != "keep" and 0 < found["moved"] < 1
    text = json.dumps([output for _, _, output in outputs(again)])
    assert "**The second period is real**: 500 card holders." in text
    assert "Amounts of money are larger" in text and "40 are new" in text
    assert "planted" not in text
    told = pd.read_csv(tmp_path / "results" / "tables" / "09_migration.csv", index_col=0)
    assert not ((told > 0) & (told < 10)).any(axis=None)


def test_the_start_page_knows_the_control_groups(run):
    control = run.report()["control"]
    assert [g["name"] for g in control["groups"]] == [s["name"] for s in run.report()["segments"]]
    for group, card in zip(control["groups"], run.report()["segments"], strict=True):
        listed = pd.read_csv(run.results / card["campaign"], dtype="str")
        assert group["control"] == (listed["group"] == "control").sum()
        assert group["customers"] == len(listed)
        assert group["enough"] == (group["control"] >= group["needed"])


def test_values_of_segments_add_up_to_the_file(run):
    spent = pd.read_csv(run.source)["PURCHASES"]
    assert run.report()["value"]["total"] == pytest.approx(spent.sum())
    by_hand = spent.groupby(run.segments().set_index("customer")["segment"].loc[
        pd.read_csv(run.source)["CUST_ID"]].to_numpy()).sum()  # fmt: skip
    for card in run.report()["segments"]:
        assert card["value_share"] == pytest.approx(by_hand[card["segment"]] / spent.sum())


# --- the report -----------------------------------------------------------------------------------


def test_the_report_has_what_the_page_needs(run):
    report, k = run.report(), run.metrics("clustering")["k"]
    known = load_dataset("credit_card")
    assert (report["title"], report["noun"], report["nouns"]) == (
        known.title, known.noun, known.nouns)  # fmt: skip
    assert (report["generated"], report["quick"], report["k_set_by_hand"]) == (True, True, False)
    assert (report["customers"], report["k"]) == (len(run.segments()), k)
    assert len(report["answer"]) == 3
    assert len(report["decision"]["sentences"]) == 2
    assert report["decision"]["alt"]
    assert report["verdict"]["word"] == run.metrics("clustering")["verdict"]
    assert report["verdict"]["sentence"]
    assert len(report["verdict"]["reasons"]) >= 3
    assert len(report["limits"]) > len(known.limits)
    for change in report["changes"]:
        assert set(change) == {"what", "column", "rows", "action"}
    for path in (report["decision"]["figure"], *report["figures"].values()):
        assert (run.results / path).is_file()


def test_each_segment_has_a_complete_card(run):
    cards = run.report()["segments"]
    assert [card["segment"] for card in cards] == list(range(1, len(cards) + 1))
    assert sum(card["customers"] for card in cards) == len(run.segments())
    assert sum(card["value_share"] for card in cards) == pytest.approx(1)
    names = [card["name"] for card in cards]
    for card in cards:
        assert (run.results / card["campaign"]).is_file()
        members = pd.read_csv(run.results / card["campaign"])
        assert len(members) == card["customers"]
        assert 3 <= len(card["traits"]) <= 6
        effects = [abs(trait["effect"]) for trait in card["traits"]]
        assert effects == sorted(effects, reverse=True)
        for trait in card["traits"]:
            assert {"label", "unit", "segment", "overall", "effect", "text"} <= set(trait)
        assert card["typical"]
        assert card["advice"]
        assert card["measure"]
        assert card["evidence"]
        assert 0 <= card["stability"] <= 1
        assert 0 <= card["sure_share"] <= 1
        assert card["second_choice"] in names
        assert card["second_choice"] != card["name"]
        assert card["value_share_low"] <= card["value_share"] <= card["value_share_high"]
    assert len({(card["colour"], card["marker"]) for card in cards}) == len(cards)


def test_numbers_of_a_card_are_those_of_the_file(run):
    source = pd.read_csv(run.source, index_col="CUST_ID")
    segments = run.segments().set_index("customer")["segment"]
    card = run.report()["segments"][0]
    members = source.loc[segments.index[segments == 1]]
    assert card["value_mean"] == pytest.approx(members["PURCHASES"].mean())
    assert card["value_median"] == pytest.approx(members["PURCHASES"].median())
    per_month = members["ONEOFF_PURCHASES"] / members["TENURE"]
    told = {trait["label"]: trait["segment"] for card in run.report()["segments"][:1]
            for trait in card["traits"]}  # fmt: skip
    if "One-off purchases per month" in told:
        assert told["One-off purchases per month"] == pytest.approx(per_month.mean())


# --- twice the same -------------------------------------------------------------------------------


def test_two_runs_write_the_same_bytes(both_runs):
    first, second = (series.results for series in both_runs)
    names = ["segments.csv", "model.json", "model.sql"]
    for folder, pattern in (("tables", "*.csv"), ("campaigns", "*.csv"), ("figures", "*.png"),
                            ("stages", "*.json")):  # fmt: skip
        found = sorted(path.name for path in (second / folder).glob(pattern))
        names += [f"{folder}/{name}" for name in found]
    assert len(names) > 40
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_two_runs_show_the_same(both_runs):
    first, second = (series.notebooks for series in both_runs)
    for number in AGAIN:
        pairs = zip(first[number].cells, second[number].cells, strict=True)
        for one, other in pairs:
            assert one.get("outputs") == other.get("outputs"), (number, one.source)


# --- other shapes ---------------------------------------------------------------------------------


def run_in_process(
    results: Path, dataset: Path, numbers=("01", "02", "03", "04", "06", "07", "08"), **given
):
    """Run the code cells of notebooks here and now; every warning is an error."""
    given = {"dataset": str(dataset), "results_dir": str(results), "quick": True, **given}
    for number in numbers:
        notebook = nbformat.read(NOTEBOOKS[number], as_version=4)
        names: dict = {"__name__": "__main__"}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ResourceWarning)  # of kernels that ran before
            for cell in notebook.cells:
                if cell.cell_type != "code":
                    continue
                exec(compile(cell.source, f"{number}: {cell.source[:60]}", "exec"), names)
                if "parameters" in cell.metadata.get("tags", ()):
                    names |= {key: value for key, value in given.items() if key in names}


def small_table(customers: int = 120, seed: int = 1) -> pd.DataFrame:
    """Three round groups in two columns."""
    rng = np.random.default_rng(seed)
    centres = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], customers // 3, axis=0)
    return pd.DataFrame(centres + rng.normal(size=centres.shape), columns=["a", "b"])


TWO_FEATURES = """
[dataset]
source = "table.csv"
[columns.a]
kind = "number"
[columns.b]
kind = "number"
[[features]]
name = "a"
formula = "a"
[[features]]
name = "b"
formula = "b"
"""
A_VALUE = '[value]\ncolumn = "v"\n[columns.v]\nkind = "money"\n'


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """Return a function that runs the notebooks on a table; gives the results folder."""
    monkeypatch.setattr(workspace, "FIGURE_DPI", 36)  # nobody looks at these figures
    monkeypatch.setattr(workspace, "display", lambda *things, **settings: None)

    def go(table: pd.DataFrame, toml: str = TWO_FEATURES, **given) -> Path:
        table.to_csv(tmp_path / "table.csv", index=False)
        (tmp_path / "dataset.toml").write_text(toml, encoding="utf-8")
        run_in_process(tmp_path / "results", tmp_path, **given)
        return tmp_path / "results"

    return go


def chosen(results: Path) -> dict:
    return json.loads((results / "metrics.json").read_text())["clustering"]


def test_two_features_and_nothing_else(bring):
    results = bring(small_table())
    assert (chosen(results)["k"], chosen(results)["verdict"]) == (3, "natural")
    report = json.loads((results / "stages" / "06_report.json").read_text())
    assert [card["customers"] for card in report["segments"]] == [40, 40, 40]
    assert all(card["value_share"] is None and not card["matched"] for card in report["segments"])
    segments = pd.read_csv(results / "segments.csv", dtype="str")
    assert segments["customer"].iloc[[0, -1]].tolist() == ["001", "120"]


def test_two_segments_by_hand(bring):
    results = bring(small_table(), k=2)
    assert (chosen(results)["k"], chosen(results)["k_by_hand"]) == (2, True)
    assert json.loads((results / "stages" / "06_report.json").read_text())["k_set_by_hand"]


def test_as_few_customers_as_may_be(bring):
    assert len(pd.read_csv(bring(small_table(51)) / "segments.csv")) == 51


def test_a_customer_far_from_all_others(bring):
    table = small_table()
    table.loc[0, "a"] = 500.0
    results = bring(table)
    assert len(pd.read_csv(results / "segments.csv")) == 120


@pytest.mark.parametrize("value", [0.0, -20, 40])
def test_a_value_that_is_nought_or_negative(bring, value):
    worth = value + np.random.default_rng(2).normal(0, abs(value), 120)
    results = bring(small_table().assign(v=worth), TWO_FEATURES + A_VALUE)
    cards = json.loads((results / "stages" / "06_report.json").read_text())["segments"]
    assert sum(card["value_share"] for card in cards) == pytest.approx(1 if value > 0 else 0)


@pytest.mark.parametrize("kinds", [9, 4])
def test_customers_of_a_few_kinds_only(bring, kinds):
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.integers(0, np.sqrt(kinds), (120, 2)), columns=["a", "b"])
    assert chosen(bring(table))["k"] <= kinds


@pytest.mark.parametrize(("number", "first"), [("03", "01"), ("04", "01"), ("06", "01")])
def test_a_notebook_out_of_turn_names_the_one_to_run_first(bring, number, first):
    with pytest.raises(UserError, match=f"run {NOTEBOOKS[first].stem}.ipynb first"):
        bring(small_table(), numbers=(number,))

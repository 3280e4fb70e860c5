"""The notebooks from first to last cell: what they write, and on tables of odd shapes."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from customer_tables.errors import UserError
from customer_tables.table import read_table
from segmentation import once, workspace
from segmentation.dataset import load_dataset
from segmentation.model import load_model
from segmentation.scoring import assign_customers
from segmentation.sql import write_query
from segmentation.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {number: ROOT / "notebooks" / stage.file for number, stage in STAGES.items()}
SERIES = ("01", "02", "03", "04", "06", "07", "08")  # of tables of odd shapes


class Run:
    """A finished run: its results, its executed notebooks by number, and its table."""

    def __init__(self, results: Path, source: Path) -> None:
        self.results, self.source = results, source
        paths = {number: results / "notebooks" / path.name for number, path in NOTEBOOKS.items()}
        self.notebooks = {n: nbformat.read(path, as_version=4) for n, path in paths.items()}
        self.table, self.report = pd.read_csv(source), self.document("stages/06_report.json")
        self.segments = pd.read_csv(results / "segments.csv", dtype={"customer": "str"})
        self.by_customer = self.segments.set_index("customer")

    def document(self, name: str) -> dict:
        return json.loads((self.results / name).read_text(encoding="utf-8"))

    def metrics(self, topic: str) -> dict:
        return self.document("metrics.json")[topic]

    def outputs(self):
        for number, notebook in self.notebooks.items():
            for cell in notebook.cells:
                for output in cell.get("outputs", []):
                    yield number, cell.source, output


@pytest.fixture(scope="session")
def run(card_run) -> Run:
    return Run(card_run.results, card_run.dataset / "customers.csv")


# --- what is shown and written --------------------------------------------------------------------


def test_every_cell_ran_in_order_without_a_word_on_stderr_or_a_gap_in_the_numbers(run):
    for number, notebook in run.notebooks.items():
        counts = [c.execution_count for c in notebook.cells if c.cell_type == "code" and c.source]
        assert counts == list(range(1, len(counts) + 1)), number
    for number, source, output in run.outputs():
        assert output.output_type in ("display_data", "execute_result"), (number, source)
        data = {
            kind: str(text).replace("finan", "") for kind, text in output.get("data", {}).items()
        }
        assert " at 0x" not in data.get("text/plain", ""), (number, source)
        text = data.get("text/markdown", "")
        found = [gap for gap in ("nan", "None", "inf%", "np&#46;float") if gap in text]
        assert found == [], (number, source, text)


def test_every_figure_has_a_caption_and_an_alternative_text(run):
    drawing = set()
    for number, source, output in run.outputs():
        if "image/png" in output.get("data", {}):
            drawing.add(number)
            told = output.metadata["image/png"]
            assert len(told["alt"]) > 20 and told["caption"], (number, source)
            assert "nan" not in told["alt"].lower().replace("finan", ""), told["alt"]
            picture = run.results / "figures" / Path(told["file"]).name
            assert picture.is_file() and json.loads(picture.with_suffix(".json").read_text())["alt"]
    assert drawing == set(NOTEBOOKS)


def test_every_notebook_writes_tables_and_numbers_that_parse(run):
    def refuse(name):
        pytest.fail(f"{name} is no JSON")

    for number in NOTEBOOKS:
        assert list((run.results / "tables").glob(f"{number}_*.csv")), number
    for path in (run.results / "tables").glob("*.csv"):
        table = pd.read_csv(path)
        assert len(table.columns) >= 2, path.name
        assert not [name for name in table if str(name).startswith("Unnamed")], path.name
    for path in run.results.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert not list(run.results.rglob("*.partial"))


def test_metrics_of_all_topics(run):
    merged = run.document("metrics.json")
    assert set(merged) == {stage.topic for stage in STAGES.values()} | {"prediction"}
    assert merged["cleaning"]["customers"] == merged["cleaning"]["rows_read"] == len(run.table)
    found, profiled = merged["clustering"], merged["profiling"]
    assert 3 <= found["k"] <= 8 and found["stability"][str(found["k"])] <= 1
    assert found["verdict"] in ("natural", "reproducible", "constructed")
    assert set(found["stability"]) == set(found["silhouettes"]) == set(found["inertia"])
    inertias = [found["inertia"][k] for k in sorted(found["inertia"], key=int)]
    assert inertias == sorted(inertias, reverse=True)
    assert found["null_silhouette_permuted"] < found["null_silhouette_gaussian"]
    assert found["null_silhouette_gaussian"] < found["silhouette"]
    assert found["names"] == profiled["names"] and 0 <= profiled["names_agreement"] <= 1
    assert sum(profiled["share"].values()) == pytest.approx(1)
    assert sum(profiled["value_share"]["purchases"].values()) == pytest.approx(1)
    means = [profiled["value_mean"]["purchases"][str(s)] for s in range(1, found["k"] + 1)]
    assert means == sorted(means, reverse=True)


def test_what_later_notebooks_find_reaches_the_start_page(run):
    added = run.document("stages/07_findings.json")["reasons"]
    assert [text.split()[0] for text in added] == ["Yes/no", "Of"]
    (changed,) = run.document("stages/08_findings.json")["reasons"]
    assert run.metrics("robustness")["most_sensitive"] in changed


# --- customers ------------------------------------------------------------------------------------


def test_one_row_a_customer(run):
    segments = run.segments
    assert list(segments) == ["customer", "segment", "segment_name", "confidence", "distance"]
    assert segments["customer"].tolist() == sorted(run.table["CUST_ID"])
    assert segments["confidence"].between(0, 1).all() and (segments["distance"] >= 0).all()
    names = segments.groupby("segment")["segment_name"].unique().map(list)
    expected = {int(s): [name] for s, name in run.metrics("clustering")["names"].items()}
    assert names.to_dict() == expected


def test_each_customer_is_on_one_list_at_most(run):
    segments, cards = run.by_customer["segment"], run.report["segments"]
    paths = [run.results / card["campaign"] for card in cards]
    lists = [pd.read_csv(path, dtype={"customer": "str"}) for path in paths]
    assert len(lists) == len(list((run.results / "campaigns").glob("*.csv")))
    listed = pd.concat(lists)["customer"]
    assert listed.is_unique and set(listed) <= set(segments.index)
    for card, control, members in zip(cards, run.report["control"]["groups"], lists, strict=True):
        assert (members["segment"] == card["segment"]).all()
        assert (segments.loc[members["customer"]] == card["segment"]).all()
        assert members["confidence"].is_monotonic_decreasing
        assert control["name"] == card["name"]
        assert control["customers"] == len(members)
        assert len(members) + card["left_out"]["customers"] == card["customers"]
        assert bool(card["left_out"]["customers"]) == bool(card["left_out"]["reason"])
        assert control["control"] == (members["group"] == "control").sum()
        assert control["detectable"] < control["visible"]


def test_model_and_query_give_every_customer_the_same_segment(run):
    model = load_model(run.results / "model.json")
    query = (run.results / "model.sql").read_text(encoding="utf-8")
    assert query == write_query(model, "duckdb")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE customers AS FROM read_csv(?)", [str(run.source)])
        connection.execute("ALTER TABLE customers RENAME CUST_ID TO customer_id")
        by_query = connection.sql(query).df().set_index("customer").sort_index()
    for found in (assign_customers(model, read_table(run.source).table), by_query):
        assert list(found.index) == list(run.by_customer.index)
        for name in ("segment", "segment_name"):
            assert (found[name] == run.by_customer[name]).all()
        for name in ("confidence", "distance"):
            np.testing.assert_allclose(found[name], run.by_customer[name], atol=0.51e-4)


def test_the_start_page_tells_of_this_file(run):
    report, known, segments = run.report, load_dataset("credit_card"), run.by_customer["segment"]
    assert (report["title"], report["noun"]) == (known.title, known.noun)
    assert (report["generated"], report["quick"], report["k_set_by_hand"]) == (True, True, False)
    assert (report["customers"], report["k"]) == (len(segments), segments.nunique())
    assert report["verdict"]["word"] == run.metrics("clustering")["verdict"]
    assert len(report["answer"]) == 3 and len(report["decision"]["sentences"]) == 2
    assert len(report["verdict"]["reasons"]) >= 3 and len(report["limits"]) > len(known.limits)
    for path in (report["decision"]["figure"], *report["figures"].values()):
        assert (run.results / path).is_file()
    measures = ("PURCHASES", "BALANCE", "CASH_ADVANCE")
    for place, column in enumerate(measures):
        total = run.table[column].sum()
        parts = run.table.set_index("CUST_ID")[column].groupby(segments)
        assert report["values"][place]["total"] == pytest.approx(total)
        for card, (segment, amounts) in zip(report["segments"], parts, strict=True):
            assert (card["segment"], card["customers"]) == (segment, len(amounts))
            value = card["values"][place]
            assert value["share"] == pytest.approx(amounts.sum() / total)
            assert value["mean"] == pytest.approx(amounts.mean())
            assert value["median"] == pytest.approx(amounts.median())
            assert value["low"] <= value["share"] <= value["high"]
    labels = [value["label"] for value in report["values"]]
    assert labels == ["purchases", "balances", "cash advances"]
    assert all([v["label"] for v in card["values"]] == labels for card in report["segments"])


def test_each_segment_has_a_complete_card(run):
    cards = run.report["segments"]
    names = [card["name"] for card in cards]
    assert len({(card["colour"], card["marker"]) for card in cards}) == len(cards)
    for card in cards:
        effects = [abs(trait["effect"]) for trait in card["traits"]]
        assert 3 <= len(effects) <= 6 and effects == sorted(effects, reverse=True)
        for trait in card["traits"]:
            assert {"label", "unit", "segment", "overall", "effect", "text"} <= set(trait)
        assert card["typical"] and card["advice"] and card["measure"] and card["evidence"]
        assert 0 <= card["stability"] <= 1 and 0 <= card["sure_share"] <= 1
        assert card["second_choice"] in {None, *names} - {card["name"]}
        assert card["leaning"] or card["second_choice"] is None


# --- a second period ------------------------------------------------------------------------------


def no_small_moves(results: Path) -> bool:
    told = pd.read_csv(results / "tables" / "09_migration.csv", index_col=0)
    return not ((told > 0) & (told < 10)).any(axis=None)


def test_a_planted_period_is_told_from_a_quiet_one(run):
    found, segments = run.metrics("drift"), run.segments
    largest = segments["segment_name"].value_counts()
    left = round(found["simulated"]["shrink"] * largest.iloc[0])
    joined = round(found["simulated"]["new_share"] * len(segments))
    assert found["generated"] and found["customers"] == len(segments) - left + joined
    assert found["verdict"] != "keep"
    assert found["named"]["new_share"] and found["named"]["inflation"]
    assert found["halves_without_alarm"] >= found["halves"] - 1
    assert no_small_moves(run.results)


def test_a_real_period_takes_the_place_of_the_generated_one(run, card_run, tmp_path):
    results, april = tmp_path / "results", tmp_path / "april.csv"
    shutil.copytree(run.results, results)
    money = [c.name.upper() for c in load_dataset(card_run.dataset).columns if c.kind == "money"]
    second = run.table.assign(**{name: run.table[name] * 1.8 for name in money}).iloc[::-1]
    second = second.head(500)
    second["CUST_ID"] = [f"N{i}" if i < 40 else name for i, name in enumerate(second["CUST_ID"])]
    second.to_csv(april, index=False)
    said = card_run.again(results, *card_run.settings, "--set", f"next_period={april}")
    assert said.count("up to date") == 8, "more than the last notebook ran"
    again = Run(results, run.source)
    found = again.metrics("drift")
    assert not found["generated"] and "simulated" not in found
    assert found["customers"] == 500 and found["verdict"] != "keep" and 0 < found["moved"] < 1
    text = json.dumps(again.notebooks["09"])
    assert "**The second period is real**: 500 cardholders." in text
    assert "Amounts of money are larger" in text and "40 are new" in text
    shown = json.dumps([output for number, _, output in again.outputs() if number == "09"])
    assert "simulated" not in shown and no_small_moves(results)


# --- cells in other orders ------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "step"), [("01", 0), ("03", 2), ("06", 0)])
def test_a_notebook_does_not_end_before_its_cells_have_run(
    run, tmp_path, monkeypatch, number, step
):
    monkeypatch.setattr(workspace, "display", lambda *shown, **about: None)
    results = Path(shutil.copytree(run.results, tmp_path / "results"))
    source = nbformat.read(NOTEBOOKS[number], as_version=4)
    cells = [cell.source for cell in source.cells if cell.cell_type == "code"]
    opened = 1 + next(i for i, cell in enumerate(cells) if "ws = " in cell or "ws, " in cell)
    names: dict = {}
    for cell in cells[:opened]:
        exec(cell.replace('results_dir: str = ""', f"results_dir: str = {str(results)!r}"), names)
    for cell in cells[opened:-1:step] if step else ():
        with suppress(NameError):
            exec(cell, names)
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="Run All Cells"):
        exec(cells[-1], names)
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


# --- twice the same -------------------------------------------------------------------------------


def test_a_run_is_repeated_byte_by_byte(card_run, tmp_path):
    said = card_run.again(tmp_path / "again", "--from-manifest", card_run.results)
    assert "files are the same as in" in said and "All " in said, said


# --- other shapes ---------------------------------------------------------------------------------


def run_in_process(
    results: Path,
    dataset: Path,
    numbers: tuple[str, ...] = SERIES,
    display: Callable[..., None] = lambda *things, **about: None,
    **given: object,
):
    """Run the code cells of notebooks here and now; every warning is an error."""
    given = {"dataset": str(dataset), "results_dir": str(results), "quick": True, **given}
    given |= {"epochs": 1}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(workspace, "FIGURE_DPI", 36)  # nobody looks at these figures
        patch.setattr(workspace, "display", display)
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # of kernels that ran before
        for number in numbers:
            names: dict = {"__name__": "__main__"}
            for cell in nbformat.read(NOTEBOOKS[number], as_version=4).cells:
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


def figure_faults(figure: Figure, caption: str) -> list[str]:
    """List what of a figure's text cannot be read as a page shows it, and a title that is none."""
    figure.draw_without_rendering()
    texts = set(figure.findobj(Text))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if not low <= tick.get_loc() <= high:  # not drawn
                texts -= {tick.label1, tick.label2}
    drawn = [text for text in texts if text.get_visible() and text.get_text().strip()]
    canvas = figure.bbox.padded(1)
    extents = {text.get_text(): text.get_window_extent() for text in drawn}
    outside = [
        text
        for text, box in extents.items()
        if (box.min < canvas.min).any() or (box.max > canvas.max).any()
    ]
    small = [t.get_text() for t in drawn if t.get_fontsize() * 96 / 72 < 11]
    title = figure.get_suptitle().replace("\n", " ")
    wordless = ["no title of its own"] if not title or title in caption else []
    return [*(f"outside: {t}" for t in outside), *(f"small: {t}" for t in small), *wordless]


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """Return a function that runs the notebooks on a table; gives decision, report and list.

    Every figure is looked at on the way.
    """
    write = workspace.Workspace.figure

    def looked_at(ws, figure, name, caption, *texts):
        write(ws, figure, name, caption, *texts)
        assert figure_faults(figure, caption) == [], (ws.stage, name)

    monkeypatch.setattr(workspace.Workspace, "figure", looked_at)

    def go(table: pd.DataFrame, toml: str = TWO_FEATURES, **given) -> tuple[dict, dict, list]:
        table.to_csv(tmp_path / "table.csv", index=False)
        (tmp_path / "dataset.toml").write_text(toml, encoding="utf-8")
        results = tmp_path / "results"
        run_in_process(results, tmp_path, **given)
        decision = json.loads((results / "metrics.json").read_text())["clustering"]
        report = json.loads((results / "stages" / "06_report.json").read_text())
        return decision, report, pd.read_csv(results / "segments.csv", dtype="str")["customer"]

    return go


def test_the_figures_of_all_notebooks_can_be_read(bring, card_run):
    table = pd.read_csv(card_run.dataset / "customers.csv")
    toml = (card_run.dataset / "dataset.toml").read_text(encoding="utf-8")
    bring(table, toml.replace("customers.csv", "table.csv"), numbers=tuple(NOTEBOOKS))


def test_two_features_and_nothing_else_then_another_k_with_what_is_kept(
    bring, tmp_path, monkeypatch
):
    all_but_drift = {"numbers": tuple(NOTEBOOKS)[:-1]}
    decision, report, listed = bring(small_table(), **all_but_drift)
    assert (decision["k"], decision["verdict"]) == (3, "natural")
    assert [card["customers"] for card in report["segments"]] == [40, 40, 40]
    assert all(card["values"] == [] and not card["matched"] for card in report["segments"])
    assert listed.iloc[[0, -1]].tolist() == ["001", "120"]

    write, written, trees, results = once.write_private, [], [], tmp_path / "results"
    monkeypatch.setattr(
        once, "write_private", lambda path, text: [written.append(path.name), write(path, text)]
    )
    monkeypatch.setattr(workspace.Workspace, "figure", lambda ws, figure, *_: plt.close(figure))
    shutil.rmtree(results / "figures")
    for _ in range(2):
        written.clear()
        bring(small_table(), k=4, **all_but_drift)
        paths = [path for path in results.rglob("*") if path.is_file()]
        trees.append(({path: path.read_bytes() for path in paths}, set(written)))
        shutil.rmtree(results)
    (after, computed), (new, everything) = trees
    assert after == new
    assert computed == set() < everything


def test_as_few_customers_as_may_be_of_a_few_kinds_in_two_segments_by_hand(bring):
    few = pd.DataFrame(np.random.default_rng(3).integers(0, 2, (51, 2)), columns=["a", "b"])
    decision, report, listed = bring(few, k=2)
    assert (decision["k"], decision["k_by_hand"], report["k_set_by_hand"]) == (2, True, True)
    assert len(listed) == 51


def test_a_customer_far_from_all_others_and_values_that_are_zero_or_negative(bring):
    worth = np.random.default_rng(2).normal(0, 1, 120)
    table = small_table().assign(zero=0.0, less=20 * (worth - 1), more=40 * (1 + worth))
    table.loc[0, "a"] = 500.0
    measures = "".join(
        f'[[value]]\ncolumn = "{name}"\n[columns.{name}]\nkind = "money"\n'
        for name in ("zero", "less", "more")
    )
    _, report, listed = bring(table, TWO_FEATURES + measures)
    shares = [[value["share"] or 0 for value in card["values"]] for card in report["segments"]]
    assert np.sum(shares, axis=0) == pytest.approx([0, 0, 1])  # none for a lone customer
    assert len(listed) == 120

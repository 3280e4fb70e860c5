"""The files of a run: hand-offs, what is shown with them, and what became stale."""

import json
import os
import stat

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS, SHOP

from customer_tables.errors import UserError
from customer_tables.storage import to_plain, write_json, write_private
from segmentation import workspace
from segmentation.stages import STAGES
from segmentation.workspace import Workspace

FOR_THE_OWNER = stat.S_IRUSR | stat.S_IWUSR


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed: objects, with the metadata of figures."""
    objects = []

    def keep(thing, raw=False, metadata=None):
        objects.append((thing, metadata) if raw else thing)

    monkeypatch.setattr(workspace, "display", keep)
    return objects


@pytest.fixture
def open_stage(tmp_path, make_shop, shown):
    """Return a function that opens the small dataset's results for one stage."""
    return lambda stage: Workspace(stage, make_shop(), tmp_path / "results")


def sentences(shown):
    return [thing.data for thing in shown if isinstance(thing, workspace.Markdown)]


# --- hand-offs ------------------------------------------------------------------------------------


def test_tables_and_documents_come_back(open_stage):
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "<b>"]}, index=pd.Index(["00123", "NA"]))
    open_stage("01").save("customers", table)
    open_stage("01").save("cleaning", {"fills": {"a": np.float64(1.5)}, 3: np.int64(4)})
    later = open_stage("03")
    pd.testing.assert_frame_equal(later.load("01", "customers"), table)
    assert later.load("01", "cleaning") == {"fills": {"a": 1.5}, "3": 4}


@pytest.mark.parametrize(("stage", "needed"), [("02", "01"), ("04", "03"), ("06", "04")])
def test_a_missing_hand_off_says_which_notebook_to_run(open_stage, stage, needed):
    with pytest.raises(UserError) as caught:
        open_stage(stage).load(needed, "customers")
    lines = str(caught.value).splitlines()
    assert (
        lines[0]
        == f"{STAGES[stage].name} needs what {STAGES[needed].name} makes, and it is not there"
    )
    assert lines[1].endswith(f"{needed}_customers")
    assert lines[2].startswith(f"run {STAGES[needed].name}.ipynb first")


@pytest.mark.skipif(os.name == "nt", reason="no such permissions there")
def test_customers_are_for_the_owner_only(open_stage, tmp_path):
    old = os.umask(0)
    try:
        ws = open_stage("01")
        ws.save("customers", pd.DataFrame({"a": [1]}))
        ws.export(pd.DataFrame({"a": [1]}), "campaigns/big.csv")
        write_private(tmp_path / "again.csv", b"old")
        write_private(tmp_path / "again.csv", b"new")
    finally:
        os.umask(old)
    results = tmp_path / "results"
    for path in (results / "stages/01_customers.parquet", results / "campaigns/big.csv",
                 tmp_path / "again.csv"):  # fmt: skip
        assert stat.S_IMODE(path.stat().st_mode) == FOR_THE_OWNER
    assert (tmp_path / "again.csv").read_bytes() == b"new"
    assert not list(tmp_path.rglob("*.partial"))


def test_lists_of_an_earlier_run_are_removed(open_stage, tmp_path):
    ws = open_stage("06")
    ws.export(pd.DataFrame({"a": [1]}), "campaigns/old.csv")
    ws.clear("campaigns")
    assert list((tmp_path / "results" / "campaigns").iterdir()) == []
    ws.clear("never-made")


# --- numbers --------------------------------------------------------------------------------------


def test_numbers_are_merged_by_topic_and_valid_everywhere(open_stage, tmp_path):
    first = open_stage("01")
    first.record(customers=np.int64(3), share=np.nan, gone=None, endless=np.inf, gap=pd.NaT)
    first.finish()
    third = open_stage("03")
    third.record(by_name={1: np.float32(0.5)}, listed=np.array([1, 2]), yes=np.bool_(True))
    third.finish()
    text = (tmp_path / "results" / "metrics.json").read_text()
    merged = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert merged == {
        "cleaning": {"customers": 3, "share": None, "gone": None, "endless": None, "gap": None},
        "features": {"by_name": {"1": 0.5}, "listed": [1, 2], "yes": True},
    }


def test_the_same_numbers_are_the_same_bytes(tmp_path):
    content = {"b": [1.1, np.float64(0.1) + 0.2], "a": {"é": (1, None)}}
    write_json(tmp_path / "1.json", content)
    write_json(tmp_path / "2.json", to_plain(content))
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert json.loads((tmp_path / "1.json").read_text())["b"][1] == 0.30000000000000004


def test_plain_values_keep_their_type():
    plain = to_plain([np.int64(1), np.float64(1), np.bool_(False), "x", None])
    assert [type(value) for value in plain] == [int, float, bool, str, type(None)]


# --- what is shown --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_are_shown_as_texts(open_stage, shown, text):
    ws = open_stage("01")
    ws.say("**{name}**", name=text)
    ws.table(pd.DataFrame({text: [text]}, index=[text]), "x", text)
    markdown, html = (thing.data for thing in shown)
    assert "](" not in markdown
    for act in ("<script", "<img", "\x1b", "\x00", "\u202e"):
        assert act not in markdown + html


def test_a_table_file_is_the_table_and_safe_in_a_spreadsheet(open_stage, shown, tmp_path):
    table = pd.DataFrame({"=n": [1.5, 2], "text": ["=1+1", "fine"]}, index=["a", "b"])
    open_stage("02").table(table, "x", "What there is", rows=1)
    assert (tmp_path / "results" / "tables" / "02_x.csv").read_text() == (
        "row,'=n,text\na,1.5,'=1+1\nb,2.0,fine\n"
    )
    assert "first 1 of 2 rows; all in tables/02_x.csv" in shown[0].data
    assert "fine" not in shown[0].data


def test_a_figure_has_a_file_and_alternative_text(open_stage, shown, tmp_path):
    figure, ax = plt.subplots(figsize=(4, 3))
    ax.plot([1, 2])
    open_stage("02").figure(figure, "line", "A line\x00.", "Rises from 1 to 2 <b>.")
    assert not plt.fignum_exists(figure.number)
    data, metadata = shown[0]
    told = metadata["image/png"]
    assert told["alt"] == "Rises from 1 to 2 <b>."
    assert told["caption"] == "A line ."
    assert told["file"] == "../figures/02_line.png"
    assert 100 < told["width"] < 800
    assert data["text/plain"] == "Figure: Rises from 1 to 2 <b>."
    folder = tmp_path / "results" / "figures"
    assert (folder / "02_line.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((folder / "02_line.json").read_text())["alt"] == told["alt"]


@pytest.mark.parametrize(
    ("customers", "rows", "figure_says", "table_says"),
    [
        (30, None, "A line.", "A table"),
        (30, 30, "A line.", "A table"),
        (30, 12, "A line. Rests on 12 of 30 clients.", "A table (12 of 30 clients)"),
        (25_000, None, "A line. Rests on all 25,000 clients.", "A table"),
        (25_000, 9_000, "A line. Rests on 9,000 of 25,000 clients.",
         "A table (9,000 of 25,000 clients)"),
    ],
)  # fmt: skip
def test_captions_say_on_how_many_customers_they_rest(
    open_stage, shown, customers, rows, figure_says, table_says
):
    open_stage("01").save("customers", pd.DataFrame({"a": np.zeros(customers)}))
    ws = open_stage("02")
    ws.load("01", "customers")
    ws.rests_on(rows)
    ws.figure(plt.figure(figsize=(4, 3)), "line", "A line.", "Flat.")
    assert shown[-1][1]["image/png"]["caption"] == figure_says
    ws.table(pd.DataFrame({"a": [1]}), "table", "A table")
    assert f"<caption>{table_says}</caption>" in shown[-1].data
    ws.rests_on()
    ws.table(pd.DataFrame({"a": [1]}), "table", "A table")
    assert "<caption>A table</caption>" in shown[-1].data


def test_the_same_figure_is_the_same_bytes(open_stage, tmp_path):
    for name in ("a", "b"):
        figure, ax = plt.subplots()
        ax.plot([1, 3, 2])
        open_stage("02").figure(figure, name, "c", "a")
    folder = tmp_path / "results" / "figures"
    assert (folder / "02_a.png").read_bytes() == (folder / "02_b.png").read_bytes()


# --- what became stale ----------------------------------------------------------------------------


@pytest.fixture
def series(open_stage):
    """Return a function that runs a tiny stage: reads what it needs, hands on a number."""
    needs = {"01": (), "03": ("01",), "04": ("01", "03")}

    def run(stage, number):
        ws = open_stage(stage)
        for earlier in needs[stage]:
            ws.load(earlier, "number")
        ws.save("number", {"number": number})
        ws.finish()

    return run


def test_nothing_is_stale_after_a_run_in_order(series, shown):
    for stage in ("01", "03", "04"):
        series(stage, 1)
    assert not [text for text in sentences(shown) if "stale" in text]


def test_an_earlier_notebook_says_what_it_made_stale(series, shown):
    for stage in ("01", "03", "04"):
        series(stage, 1)
    shown.clear()
    series("01", 2)
    (warning,) = [text for text in sentences(shown) if "stale" in text]
    assert "03" in warning
    assert "04" in warning
    shown.clear()
    series("01", 1)  # as before: all is well again
    assert not [text for text in sentences(shown) if "stale" in text]


def test_a_later_notebook_says_that_it_reads_something_stale(series, shown):
    for stage in ("01", "03", "04"):
        series(stage, 1)
    series("01", 2)
    shown.clear()
    series("04", 1)
    (warning,) = [text for text in sentences(shown) if "is stale" in text]
    assert "03" in warning.partition("is stale")[0]


def test_stale_is_said_once_a_stage(open_stage, series, shown):
    series("01", 1)
    ws = open_stage("03")
    ws.load("01", "number")
    for name in ("number", "matrix"):
        ws.save(name, {"number": 1})
    ws.finish()
    series("01", 2)
    shown.clear()
    later = open_stage("04")
    later.load("03", "number")
    later.load("03", "matrix")
    assert len([text for text in sentences(shown) if "is stale" in text]) == 1


# --- where results go -----------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path):
    folder = tmp_path / "my_shop"
    folder.mkdir()
    feature = '[[features]]\nname = "{0}"\nformula = "{0}"\n'
    column = '[columns.{0}]\nkind = "money"\n'
    names = [feature["name"] for feature in SHOP["features"][:2]]
    text = "".join(part.format(name) for part in (column, feature) for name in names)
    (folder / "dataset.toml").write_text(text)
    return folder / "dataset.toml"


@pytest.mark.parametrize(
    "spell", [str, lambda path: str(path.parent), lambda path: f"{path.parent}/"]
)
def test_results_are_called_after_the_dataset(toml, tmp_path, monkeypatch, spell):
    monkeypatch.setattr(workspace, "RESULTS_FOLDER", tmp_path / "all")
    ws = Workspace.open("01", dataset=spell(toml))
    assert ws.folder == tmp_path / "all" / "my_shop"
    assert (ws.folder / "stages").is_dir()


def test_a_given_folder_is_taken(toml, tmp_path):
    ws = Workspace.open("01", dataset=str(toml), results_dir=str(tmp_path / "a" / "b"), quick=True)
    assert (ws.folder, ws.quick) == (tmp_path / "a" / "b", True)


def test_a_file_is_no_results_folder(toml, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="'file' is a file"):
        Workspace.open("01", dataset=str(toml), results_dir=str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be made"):
        Workspace.open("01", dataset=str(toml), results_dir=str(tmp_path / "file" / "below"))


def test_no_dataset(tmp_path):
    with pytest.raises(UserError, match="no dataset 'credit_crad'"):
        Workspace.open("01", dataset="credit_crad", results_dir=str(tmp_path))


# --- hand-off files that are not what they were -------------------------------------------------


def handed_over(open_stage):
    """Let notebook 03 hand over a table and a document, and end."""
    ws = open_stage("03")
    ws.save("matrix", pd.DataFrame({"a": [1.0, 2.0]}))
    ws.save("preparation", {"steps": []})
    ws.finish()


@pytest.mark.parametrize("name", ["03_matrix.parquet", "03_preparation.json"])
@pytest.mark.parametrize("damage", ["cut", "other bytes", "emptied"])
def test_a_damaged_hand_off_is_refused(open_stage, tmp_path, name, damage):
    handed_over(open_stage)
    (path,) = tmp_path.rglob(name)
    content = path.read_bytes()
    changed = {"cut": content[: len(content) // 2], "other bytes": b"\xff" * 30, "emptied": b""}
    path.write_bytes(changed[damage])
    with pytest.raises(UserError, match=f"{name} is damaged") as refused:
        open_stage("04").load("03", name[3:].partition(".")[0])
    assert "run 03_feature_engineering.ipynb again" in str(refused.value)


def test_a_changed_hand_off_is_refused(open_stage, tmp_path):
    handed_over(open_stage)
    (path,) = tmp_path.rglob("03_matrix.parquet")
    assert len(open_stage("04").load("03", "matrix")) == 2
    pd.DataFrame({"a": [1.0, 3.0]}).to_parquet(path)
    with pytest.raises(UserError, match="its checksum differs"):
        open_stage("04").load("03", "matrix")
    handed_over(open_stage)
    assert len(open_stage("04").load("03", "matrix")) == 2


@pytest.mark.parametrize("content", ["[]", "7", '"x"', "null"])
def test_a_document_of_another_kind_is_damaged(open_stage, tmp_path, content):
    handed_over(open_stage)
    for path in tmp_path.rglob("03_preparation.json"):
        path.write_text(content)
    with pytest.raises(UserError, match="damaged"):
        open_stage("04").load("03", "preparation")

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
from segmentation import workspace
from segmentation.stages import STAGES
from segmentation.workspace import Workspace


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed: objects, with the metadata of figures."""
    objects = []

    def keep(thing, raw=False, metadata=None):
        objects.append((thing, metadata) if raw else thing)

    monkeypatch.setattr(workspace, "display", keep)
    return objects


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def open_stage(results, make_shop, shown):
    """Return a function that opens the small dataset's results for one stage."""
    return lambda stage: Workspace(stage, make_shop(), results)


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
    reader, writer = STAGES[stage].name, STAGES[needed].name
    what, where, remedy = str(caught.value).splitlines()
    assert what == f"{reader} needs what {writer} makes, and it is not there"
    assert where.endswith(f"{needed}_customers")
    assert remedy == f"run {writer}.ipynb first, with the same dataset and results_dir"


@pytest.mark.skipif(os.name == "nt", reason="needs a system with owners of files, not Windows")
def test_customers_are_for_the_owner_only(open_stage, results):
    old = os.umask(0)
    try:
        ws = open_stage("01")
        ws.save("customers", pd.DataFrame({"a": [1]}))
        ws.save("cleaning", {"a": 1})
        ws.export(pd.DataFrame({"a": [1]}), "campaigns/big.csv")
        ws.document({"a": 1}, "model.json", private=True)
        ws.text("SELECT 1", "model.sql", private=True)
        ws.document({"a": 1}, "open.json")
    finally:
        os.umask(old)
    private = ("stages/01_customers.parquet", "stages/01_cleaning.json", "campaigns/big.csv",
               "model.json", "model.sql")  # fmt: skip
    assert {stat.S_IMODE((results / name).stat().st_mode) for name in private} == {0o600}
    assert stat.S_IMODE((results / "open.json").stat().st_mode) == 0o666


def test_lists_of_an_earlier_run_are_removed(open_stage, results):
    ws = open_stage("06")
    ws.export(pd.DataFrame({"a": [1]}), "campaigns/old.csv")
    ws.clear("campaigns")
    assert list((results / "campaigns").iterdir()) == []
    ws.clear("never-made")


def handed_over(open_stage):
    """Let notebook 03 hand over a table and a document, and end."""
    ws = open_stage("03")
    ws.save("matrix", pd.DataFrame({"a": [1.0, 2.0]}))
    ws.save("preparation", {"steps": []})
    ws.finish()


@pytest.mark.parametrize("name", ["03_matrix.parquet", "03_preparation.json"])
@pytest.mark.parametrize(
    "damage", [lambda old: old[: len(old) // 2], lambda _: b"\xff" * 30, lambda _: b""]
)
def test_a_damaged_hand_off_is_refused(open_stage, results, name, damage):
    handed_over(open_stage)
    path = results / "stages" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=f"{name} is damaged") as refused:
        open_stage("04").load("03", name[3:].partition(".")[0])
    assert "run 03_feature_engineering.ipynb again" in str(refused.value)


@pytest.mark.parametrize("content", ["[]", "7", '"x"', "null"])
def test_a_document_of_another_kind_is_damaged(open_stage, results, content):
    handed_over(open_stage)
    (results / "stages" / "03_preparation.json").write_text(content)
    with pytest.raises(UserError, match="damaged"):
        open_stage("04").load("03", "preparation")


def test_a_changed_hand_off_is_refused(open_stage, results):
    handed_over(open_stage)
    assert len(open_stage("04").load("03", "matrix")) == 2
    pd.DataFrame({"a": [1.0, 3.0]}).to_parquet(results / "stages" / "03_matrix.parquet")
    with pytest.raises(UserError, match="its checksum differs"):
        open_stage("04").load("03", "matrix")
    handed_over(open_stage)
    assert len(open_stage("04").load("03", "matrix")) == 2


# --- what is shown --------------------------------------------------------------------------------


def test_numbers_are_merged_by_topic_and_valid_everywhere(open_stage, results):
    first = open_stage("01")
    first.record(customers=np.int64(3), share=np.nan, gone=None)
    first.say("There are {n} {nouns}, {share:.0%} of {who}.", n=3, share=0.3333, who="<b>")
    first.finish()
    third = open_stage("03")
    third.record(by_name={1: np.float32(0.5)}, yes=np.bool_(True))
    third.finish()
    merged = json.loads((results / "metrics.json").read_text(), parse_constant=pytest.fail)
    quoted = {"sentence 01: n": 3, "sentence 01: share": 0.3333}
    assert merged == {
        "cleaning": {"customers": 3, "share": None, "gone": None, "quoted": quoted},
        "features": {"by_name": {"1": 0.5}, "yes": True},
    }


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_are_shown_as_texts(open_stage, shown, text):
    ws = open_stage("01")
    ws.say("**{name}**", name=text)
    ws.table(pd.DataFrame({text: [text]}, index=[text]), "x", text)
    markdown, html = (thing.data for thing in shown)
    assert "](" not in markdown
    for act in ("<script", "<img", "\x1b", "\x00", "\u202e"):
        assert act not in markdown + html


def test_a_table_file_is_the_table_and_safe_in_a_spreadsheet(open_stage, shown, results):
    table = pd.DataFrame({"=n": [1.5, 2], "text": ["=1+1", "fine"]}, index=["a", "b"])
    open_stage("02").table(table, "x", "What there is", rows=1)
    assert (results / "tables" / "02_x.csv").read_text() == (
        "row,'=n,text\na,1.5,'=1+1\nb,2.0,fine\n"
    )
    assert "first 1 of 2 rows; all in tables/02_x.csv" in shown[0].data
    assert "fine" not in shown[0].data


@pytest.mark.parametrize(
    ("name", "file"),
    [("composition_gender", "02_composition_gender.csv"), ("../x", r"02_x_[0-9a-f]{6}.csv"),
     ("東", r"02_[0-9a-f]{6}.csv"), ("a" * 70, r"02_a{60}_[0-9a-f]{6}.csv")],
)  # fmt: skip
def test_names_of_tables_stay_in_their_folder(open_stage, results, name, file):
    open_stage("02").table(pd.DataFrame({"a": [1]}), name, "A table")
    (path,) = (results / "tables").iterdir()
    assert pd.Series(path.name).str.fullmatch(file).all()


def test_a_figure_has_a_file_and_alternative_text(open_stage, shown, results):
    for name in ("line", "again"):
        figure, ax = plt.subplots(figsize=(4, 3))
        ax.plot([1, 2])
        open_stage("02").figure(figure, name, "A line\x00.", "Rises from 1 to 2 <b>.")
        assert not plt.fignum_exists(figure.number)
    data, metadata = shown[0]
    about = metadata["image/png"]
    assert 100 < about.pop("width") < 800
    assert about == {"alt": "Rises from 1 to 2 <b>.", "caption": "A line .",
                     "file": "../figures/02_line.png"}  # fmt: skip
    assert data["text/plain"] == "Figure: Rises from 1 to 2 <b>."
    first, second = (results / "figures" / f"02_{name}.png" for name in ("line", "again"))
    assert first.read_bytes()[:4] == b"\x89PNG"
    assert first.read_bytes() == second.read_bytes(), "the same figure is the same bytes"
    assert json.loads(first.with_suffix(".json").read_text())["alt"] == about["alt"]


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


# --- what became stale ----------------------------------------------------------------------------


@pytest.fixture
def run(open_stage, shown):
    """Return a function that runs a tiny stage and returns what it says is stale."""
    needs = {"01": (), "03": ("01",), "04": ("01", "03")}

    def stage(number, content):
        shown.clear()
        ws = open_stage(number)
        for earlier in needs[number]:
            ws.load(earlier, "number")
            if earlier == "03":
                ws.load(earlier, "again")
        ws.save("number", {"number": content})
        ws.save("again", {"number": content})
        ws.finish()
        return [thing.data for thing in shown if "stale" in thing.data]

    return stage


def test_what_is_stale_is_said_by_the_earlier_and_by_the_later_notebook(run):
    assert [run(stage, 1) for stage in ("01", "03", "04")] == [[], [], []]
    (announced,) = run("01", 2)
    assert "03" in announced and "04" in announced
    assert run("01", 1) == [], "as before: all is well again"
    run("01", 2)
    (noticed,) = run("04", 1)
    assert "03" in noticed.partition("is stale")[0], "once, though it read two files of 03"


# --- where results go -----------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "my_shop" / "dataset.toml"
    path.parent.mkdir()
    names = [feature["name"] for feature in SHOP["features"][:2]]
    columns = [f'[columns.{name}]\nkind = "money"\n' for name in names]
    features = [f'[[features]]\nname = "{name}"\nformula = "{name}"\n' for name in names]
    path.write_text("".join(columns + features))
    return path


@pytest.mark.parametrize(
    "spell", [str, lambda path: str(path.parent), lambda path: f"{path.parent}/"]
)
def test_results_are_called_after_the_dataset(toml, tmp_path, monkeypatch, spell):
    monkeypatch.setattr(workspace, "RESULTS_FOLDER", tmp_path / "all")
    ws = Workspace.open("01", dataset=spell(toml))
    assert ws.folder == tmp_path / "all" / "my_shop"
    assert (ws.folder / "stages").is_dir()


def test_a_given_folder_is_taken_unless_it_is_a_file(toml, tmp_path):
    ws = Workspace.open("01", dataset=str(toml), results_dir=str(tmp_path / "a" / "b"), quick=True)
    assert (ws.folder, ws.quick) == (tmp_path / "a" / "b", True)
    (tmp_path / "file").write_text("")
    for place, words in (("file", "'file' is a file"), ("file/below", "cannot be made")):
        with pytest.raises(UserError, match=words):
            Workspace.open("01", dataset=str(toml), results_dir=str(tmp_path / place))
    with pytest.raises(UserError, match="no dataset 'credit_crad'"):
        Workspace.open("01", dataset="credit_crad", results_dir=str(tmp_path))

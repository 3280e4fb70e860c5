"""The files of a run: hand-offs, what is shown with them, and what became stale."""

import json
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from segmentation import workspace
from segmentation.dataset import DATA_FOLDER
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
def open_stage(results, shop, shown):
    return lambda stage: Workspace(stage, shop, results)


def refusal(read):
    with pytest.raises(UserError) as caught:
        read()
    return str(caught.value).splitlines()


def test_tables_and_documents_come_back(open_stage):
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "<b>"]}, index=pd.Index(["00123", "NA"]))
    open_stage("01").save("customers", table)
    open_stage("01").save("cleaning", {"fills": {"a": np.float64(1.5)}, 3: np.int64(4)})
    later = open_stage("03")
    pd.testing.assert_frame_equal(later.load("01", "customers"), table)
    assert later.load("01", "cleaning") == {"fills": {"a": 1.5}, "3": 4}


def test_a_missing_hand_off_says_which_notebook_to_run(open_stage):
    what, where, remedy = refusal(lambda: open_stage("06").load("04", "customers"))
    assert what == "06_segment_profiling needs what 04_kmeans makes, and it is not there"
    assert where.endswith("04_customers")
    assert remedy == "run 04_kmeans.ipynb first, with the same dataset and results_dir"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("matrix.parquet", content) for content in (None, b"\xff" * 30, b"")),
        *(("preparation.json", content) for content in (None, b"\xff" * 30, b"", b"[]", b"null")),
        ("preparation.json", b'{"steps": [1]}'),
    ],
)
def test_a_hand_off_that_is_damaged_or_was_changed_is_refused(open_stage, results, name, content):
    ws = open_stage("03")
    ws.save("matrix", pd.DataFrame({"a": [1.0, 2.0]}))
    ws.save("preparation", {"steps": []})
    ws.finish()
    path = results / "stages" / f"03_{name}"
    assert len(open_stage("04").load("03", "matrix")) == 2
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half if content is None else content)
    what, _, remedy = refusal(lambda: open_stage("04").load("03", name.partition(".")[0]))
    changed = what.endswith("is not what 03_feature_engineering wrote (its checksum differs)")
    assert changed if content and len(content) == 14 else what == f"03_{name} is damaged"
    assert remedy.startswith("run 03_feature_engineering.ipynb again")


def test_numbers_are_merged_by_topic_and_valid_everywhere(open_stage, results):
    first = open_stage("01")
    first.record(customers=np.int64(3), share=np.nan, gone=None)
    first.say("There are {n} {nouns}, {share:.0%} of {who}.", n=3, share=0.3333, who="<b>")
    first.finish()
    third = open_stage("03")
    third.record(by_name={1: np.float32(0.5)}, yes=np.bool_(True))
    third.record_apart("correlations", highest=0.9)
    third.finish()
    merged = json.loads((results / "metrics.json").read_text(), parse_constant=pytest.fail)
    quoted = {"sentence 01: n": 3, "sentence 01: share": 0.3333}
    assert merged == {
        "cleaning": {"customers": 3, "share": None, "gone": None, "quoted": quoted},
        "features": {"by_name": {"1": 0.5}, "yes": True},
        "correlations": {"highest": 0.9},
    }


@pytest.mark.parametrize(
    ("seen", "said"), [(True, "<td"), (False, '<a href="../tables/02_x.csv">What there is</a>')]
)
def test_a_table_file_is_the_table_and_safe_in_a_spreadsheet(
    open_stage, shown, results, seen, said
):
    table = pd.DataFrame({"=n": [1.5, 2], "text": ["=1+1", "fine"]}, index=["a", "b"])
    open_stage("02").table(table, "x", "What there is", shown=seen)
    assert (results / "tables" / "02_x.csv").read_text() == (
        "row,'=n,text\na,1.5,'=1+1\nb,2.0,fine\n"
    )
    assert said in shown[0].data and ("fine" in shown[0].data) == seen


def test_a_table_without_rows_is_said_in_words(open_stage, shown, results):
    open_stage("02").table(pd.DataFrame({"a": []}), "x", "Pairs that are close")
    assert shown[0].data == "Pairs that are close: none."
    assert (results / "tables" / "02_x.csv").read_text() == "row,a\n"


def test_a_figure_has_a_file_and_alternative_text(open_stage, shown, results):
    for name in ("line", "again"):
        figure, ax = plt.subplots(figsize=(4, 3))
        ax.plot([1, 2])
        open_stage("02").figure(figure, name, "A line\x00.", "It rises <b>", "From 1 to 2.")
        assert not plt.fignum_exists(figure.number)
    data, metadata = shown[0]
    about, alt = metadata["image/png"], "It rises <b>. From 1 to 2."
    assert about.pop("width") == 384, "4 inches of 96 pixels"
    assert about == {"alt": alt, "caption": "A line .", "file": "../figures/02_line.png"}
    assert data["text/plain"] == f"Figure: {alt}"
    first, second = (results / "figures" / f"02_{name}.png" for name in ("line", "again"))
    assert first.read_bytes()[:4] == b"\x89PNG"
    assert first.read_bytes() == second.read_bytes(), "the same figure is the same bytes"
    told = json.loads(first.with_suffix(".json").read_text())
    assert told == {"title": "It rises <b>", "caption": "A line .", "alt": alt}


@pytest.mark.parametrize(
    ("customers", "rows", "figure_says", "table_says"),
    [
        (30, None, "all 30 clients", ""),
        (30, 30, "all 30 clients", ""),
        (30, 12, "12 of 30 clients", " (12 of 30 clients)"),
        (25_000, 9_000, "9,000 of 25,000 clients", " (9,000 of 25,000 clients)"),
    ],
)
def test_captions_say_on_how_many_customers_they_rest(
    open_stage, shown, customers, rows, figure_says, table_says
):
    open_stage("01").save("customers", pd.DataFrame({"a": np.zeros(customers)}))
    ws = open_stage("02")
    ws.load("01", "customers")
    ws.based_on(rows)
    ws.figure(plt.figure(figsize=(4, 3)), "line", "A line.", "Flat.")
    assert shown[-1][1]["image/png"]["caption"] == f"A line. Based on {figure_says}."
    for expected in (table_says, ""):
        ws.table(pd.DataFrame({"a": [1]}), "table", "A table")
        assert f"<caption>A table{expected}</caption>" in shown[-1].data
        ws.based_on()


def test_what_is_stale_is_said_by_the_earlier_and_by_the_later_notebook(open_stage, shown):
    def run(number, content):
        shown.clear()
        ws = open_stage(number)
        for earlier in {"01": "", "03": "01", "04": "01 03"}[number].split():
            ws.load(earlier, "number")
            ws.load(earlier, "again")
        ws.save("number", {"number": content})
        ws.save("again", {"number": content})
        ws.finish()
        return [thing.data for thing in shown if "stale" in thing.data]

    assert [run(stage, 1) for stage in ("01", "03", "04")] == [[], [], []]
    (announced,) = run("01", 2)
    assert "03" in announced and "04" in announced
    assert run("01", 1) == [], "as before: all is well again"
    run("01", 2)
    (noticed,) = run("04", 1)
    assert "03" in noticed.partition("is stale")[0], "once, though it read two files of 03"


@pytest.fixture
def report(open_stage, results):
    """Hand over a number in two notebooks and make the start page of a run from them."""

    def hand_over(stage, number, **parameters):
        ws = open_stage(stage)
        ws.parameters = parameters
        ws.option = "my shop.toml"
        ws.save("number", {"number": number})
        ws.finish()

    hand_over("03", 6)
    hand_over("04", 6)
    page = "<h1>Six segments</h1><!-- stale --><!-- /stale -->"
    (results / "index.html").write_text(page)
    files = [path for path in results.rglob("*") if path.is_file()]
    content = {
        "outputs": {p.relative_to(results).as_posix(): {"sha256": file_digest(p)} for p in files},
        "parameters": {"03": {"seed": 20}, "04": {"k": 0, "seed": 20}},
        "settings": {"min_group_size": "5"},
        "given": {"input": None, "demographics": None},
    }
    (results / "manifest.json").write_text(json.dumps(content))
    return hand_over, results / "index.html", page


def test_a_start_page_that_the_results_have_left_behind_says_so_until_they_agree(report, shown):
    hand_over, page, fresh = report
    for number, said in ((6, False), (5, True), (4, True), (6, False)):
        shown.clear()
        hand_over("04", number)
        assert ("out of date" in "".join(thing.data for thing in shown)) is said
        notice = page.read_text()
        assert (notice == fresh) is not said
        assert notice.count("Out of date.") == said and ("04 K-Means" in notice) is said
        assert "03 " not in notice


def test_the_command_for_a_new_start_page_repeats_what_was_set_by_hand(report, shown, results):
    def run(stage, number, **typed):
        shown.clear()
        report[0](stage, number, **typed)
        return shlex.split(BeautifulSoup(shown[-2].data, "html.parser").text)

    common = ["python3", str(Path("scripts", "run.py")), "--dataset", "my shop.toml"]
    common += ["--results", str(results), "--set", "min_group_size=5"]
    assert run("04", 5, k=5, seed=20, unrelated=3) == [*common, "--set", "k=5"]
    assert run("03", 5, seed=7) == [*common, "--set", "seed=7", "--set", "k=5"]
    assert run("04", 4, k=0, seed=20) == [*common, "--set", "seed=7"]
    there = run("04", 4, k=0, seed=20, input_file="new.csv")
    assert there[4:6] == ["--input", str(Path("new.csv").resolve())]


def test_results_are_called_after_the_dataset_or_go_where_asked(tmp_path, monkeypatch):
    shop = tmp_path / "my_shop"
    shop.mkdir()
    known = (DATA_FOLDER / "mall" / "dataset.toml").read_text(encoding="utf-8")
    (shop / "dataset.toml").write_text(known, encoding="utf-8")
    monkeypatch.setattr(workspace, "RESULTS_FOLDER", tmp_path / "all")
    for spelt in (f"{shop}/dataset.toml", str(shop), f"{shop}/"):
        assert Workspace.open("01", dataset=spelt).folder == tmp_path / "all" / "my_shop"
    assert not (tmp_path / "all").exists(), "opening makes nothing"
    given = {"dataset": str(shop), "results_dir": str(tmp_path / "a" / "b")}
    ws = Workspace.open("01", **given, quick=True)
    assert (ws.folder, ws.quick) == (tmp_path / "a" / "b", True)
    (tmp_path / "file").write_text("")
    for place, words in (("file", "'file' is a file"), ("file/below", "cannot be made")):
        given["results_dir"] = str(tmp_path / place)
        assert words in refusal(lambda: Workspace.open("01", **given))[0]
    given |= {"dataset": "credit_crad", "results_dir": str(tmp_path / "a")}
    assert "no dataset 'credit_crad'" in refusal(lambda: Workspace.open("01", **given))[0]

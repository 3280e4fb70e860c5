"""A notebook in somebody's hands: dataset, parameters, long steps, cells in a wrong order, Tab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from customer_tables.errors import UserError
from segmentation import session, workspace
from segmentation.dataset import DATA_FOLDER
from segmentation.workspace import Workspace

NOTEBOOKS = DATA_FOLDER.parent / "notebooks"


@pytest.fixture
def window(tmp_path, monkeypatch):
    """A notebook in JupyterLab, with its own place for results; returns what is shown."""
    shown = []
    monkeypatch.setattr(session, "SESSION", tmp_path / "results" / "session.json")
    monkeypatch.setattr(workspace, "RESULTS_FOLDER", tmp_path / "results")
    monkeypatch.setattr(workspace, "display", lambda thing, **_: shown.append(thing.data))
    for module in (session, workspace):
        monkeypatch.setattr(module, "is_watched", lambda: True)
    return shown


def test_a_dataset_named_once_is_that_of_the_session(window, tmp_path, monkeypatch):
    def opened(**named):
        return Workspace.open("01", **{"dataset": ""} | named)

    assert opened().folder == tmp_path / "results" / "credit_card"
    assert opened(dataset="mall").folder == tmp_path / "results" / "mall"
    again = opened()
    assert (again.dataset.noun, again.folder.name, again.option) == ("visitor", "mall", "mall")
    assert "| missing |" in window[-1] and "no results yet" in window[-1]
    opened(dataset="mall", results_dir=str(tmp_path / "elsewhere"))
    assert opened().folder == tmp_path / "elsewhere"
    with pytest.raises(UserError):
        opened(dataset="a_typing_error")
    assert opened().folder == tmp_path / "elsewhere"
    session.SESSION.write_text("[]")
    assert opened().folder.name == "credit_card"
    opened(dataset="mall")
    monkeypatch.setattr(session, "is_watched", lambda: False)
    assert opened().folder.name == "credit_card", "a program follows nobody"
    assert [path.name for path in tmp_path.rglob("*")] == ["results", "session.json"]


def test_an_executed_copy_belongs_to_the_results_that_it_lies_in(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path / "notebooks")
    assert Workspace.open("01", dataset="mall").folder == tmp_path
    elsewhere = str(tmp_path / "elsewhere")
    assert Workspace.open("01", dataset="mall", results_dir=elsewhere).folder == Path(elsewhere)


def test_the_top_of_a_notebook_says_what_is_fresh_stale_and_missing(window, tmp_path):
    def run(stage, number, *reads):
        ws = Workspace.open(stage, dataset="mall")
        ws._due = set()
        for other in reads:
            ws.load(other, "number")
        ws.save("number", {"number": number})
        ws.finish()

    def states():
        window.clear()
        Workspace.open("01", dataset="mall")
        return [cell.strip() for cell in window[0].splitlines()[-1].strip("|").split("|")]

    run("01", 1)
    run("03", 1, "01")
    run("04", 1, "01", "03")
    assert states() == ["fresh", "missing", "fresh", "fresh", *["missing"] * 5]
    assert "[04 clustering](04_kmeans.ipynb)" in window[0]
    run("01", 2)
    assert states()[:4] == ["fresh", "missing", "stale", "stale"]
    run("03", 1, "01")
    assert states()[:4] == ["fresh", "missing", "fresh", "stale"]


@pytest.mark.parametrize(
    ("name", "kind", "value", "said"),
    [
        ("k", int, "five", "k is a whole number from 0 on, not 'five'"),
        ("k", int, -1, "k is a whole number from 0 on, not -1"),
        ("k", int, True, "k is a whole number from 0 on, not True"),
        ("k_min", int, 1, "k_min is a whole number from 2 on, not 1"),
        ("top_share", float, 1.5, "top_share is a number from 0 to 1, not 1.5"),
        ("top_share", float, float("nan"), "top_share is a number from 0 to 1, not nan"),
        ("quick", bool, "false", "quick is True or False, not 'false'"),
        ("sheet", str, 2, "sheet is a text in quotes, not 2"),
        *(("k", int, k, "") for k in (0, 6)),
        *(("top_share", float, share, "") for share in (0, 1, 0.5)),
        ("inflation", float, -0.5, ""),
        ("of my own", list, "anything", ""),
    ],
)
def test_parameters_are_checked_by_type_and_range(name, kind, value, said):
    refused = ""
    try:
        session.check_parameters({name: value}, {name: kind})
    except UserError as error:
        refused, where, remedy = str(error).splitlines()
        assert "cell of parameters" in where and "run the cell" in remedy
    assert refused == said


def test_every_range_is_that_of_a_parameter():
    cells = [
        "".join(cell["source"])
        for path in NOTEBOOKS.glob("0*.ipynb")
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if "parameters" in cell["metadata"].get("tags", ())
    ]
    assert [name for name in session.RANGES if f"\n{name}: " not in "\n".join(cells)] == []


LONG_STEP = """\
import time
from segmentation.parallel import parallel_map
try:
    with progress.progress("Fitting"):
        list(parallel_map(lambda item: time.sleep(0.2) or 1 / item, [1, 1, 1, 0]))
except ZeroDivisionError:
    time.sleep(0.2)
"""


@pytest.mark.slow
def test_a_kernel_names_the_cells_that_have_to_run_first_and_completes_what_is_ours(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(NOTEBOOKS / "04_kmeans.ipynb"))
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(NOTEBOOKS))

    def shown(code, watched=True):
        metadata = {"cellId": "a-cell"} if watched else {}  # as JupyterLab tells
        content = {"code": code, "silent": False, "allow_stdin": False}
        message = client.session.msg("execute_request", content, metadata=metadata)
        client.shell_channel.send(message)
        found = []
        while True:
            answer = client.get_iopub_msg(timeout=60)
            if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if answer["content"].get("execution_state") == "idle":
                return found
            data = answer["content"].get("data", {}).get("text/plain", "")
            found += [data, *answer["content"].get("traceback", ())]

    try:
        shown("%load_ext segmentation.session\nfrom segmentation import kmeans, progress")
        (said,) = (line for line in shown("ws.finish()") if line)
        assert "ws is not there yet: run the cells above this one first" in said
        assert len(said.splitlines()) == 2
        assert "name 'nowhere' is not defined" in "".join(shown("nowhere"))
        shown("progress.LONG, progress.INTERVAL = 0.1, 0.05")
        assert "Working … 0 s" in shown("import time; time.sleep(0.5)")
        assert not any("Working" in line for line in shown("1"))
        lines = shown(LONG_STEP)
        assert any(line.startswith("Fitting … 2 of 4, ") for line in lines)
        assert lines[-2].startswith("Working … ") and lines[-1] == ""
        assert not any(shown(LONG_STEP, watched=False)), "a program sees nothing"
        answer = client.complete("kmeans.", reply=True, timeout=60)
        names = {match.rpartition(".")[2] for match in answer["content"]["matches"]}
        assert {"fit_kmeans", "KMeansFit"} <= names and not {"np", "KMeans"} & names
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

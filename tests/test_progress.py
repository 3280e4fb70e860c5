"""Progress: shown to whoever looks, gone at the end, and never in an executed copy."""

from __future__ import annotations

import queue
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from segmentation import progress as module
from segmentation.parallel import parallel_map, reporting
from segmentation.progress import describe, is_watched, progress

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LONG_STEP = """\
import time
from segmentation import progress as module
from segmentation.parallel import parallel_map
module.INTERVAL = 0.05
with module.progress("Fitting"):
    list(parallel_map(lambda _: time.sleep(0.1), [1, 2, 3]))
"""


def test_the_line_counts_where_a_total_is_known():
    assert describe("Fitting", 3, 40, 12.3) == "Fitting … 3 of 40, 12 s"
    assert describe("Training", 0, None, 0.2) == "Training … 0 s"


def test_work_that_is_spread_reports_how_much_is_done():
    heard = []
    with reporting(lambda *numbers: heard.append(numbers)):
        assert list(parallel_map(abs, [-1, -2])) == [1, 2]
        assert list(parallel_map(abs, iter([-3]))) == [3]
    list(parallel_map(abs, [-4]))
    assert heard == [(1, 2), (2, 2), (1, None)]


def test_outside_a_notebook_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(module, "display", lambda *_, **__: pytest.fail("something was shown"))
    monkeypatch.setattr(module, "clear_output", lambda: pytest.fail("something was cleared"))
    assert not is_watched()
    with progress("Fitting"):
        pass


def test_an_error_takes_the_line_away_and_goes_on(monkeypatch):
    told = []
    monkeypatch.setattr(module, "is_watched", lambda: True)
    monkeypatch.setattr(
        module, "display", lambda line, raw, display_id: told.append(line["text/plain"])
    )
    monkeypatch.setattr(module, "clear_output", lambda: told.append("cleared"))
    with pytest.raises(ZeroDivisionError), progress("Fitting"):
        list(parallel_map(lambda item: 1 / item, [0]))
    assert told == ["Fitting …", "cleared"]


@contextmanager
def kernel():
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(NOTEBOOKS))
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run_from_a_window(client, code: str) -> list[tuple[str, dict]]:
    """Run code as JupyterLab does, and return what the kernel sends to show."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
               "allow_stdin": False, "stop_on_error": True}  # fmt: skip
    message = client.session.msg("execute_request", content, metadata={"cellId": "a-cell"})
    client.shell_channel.send(message)
    sent = []
    while True:
        answer = client.get_iopub_msg(timeout=60)
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return sent
        sent.append((answer["msg_type"], answer["content"]))


@pytest.mark.slow
def test_in_a_window_a_line_counts_and_is_cleared_at_the_end():
    with kernel() as client:
        sent = run_from_a_window(client, LONG_STEP)
        with pytest.raises(queue.Empty):
            client.get_iopub_msg(timeout=0.3)
    kinds = [kind for kind, _ in sent if kind not in ("status", "execute_input")]
    assert kinds[0] == "display_data" and kinds[-1] == "clear_output"
    assert set(kinds[1:-1]) == {"update_display_data"}
    lines = [content["data"]["text/plain"] for _, content in sent if "data" in content]
    assert any(line.startswith("Fitting … 2 of 3, ") for line in lines)


@pytest.mark.slow
def test_an_executed_copy_holds_nothing_of_it():
    notebook = new_notebook(cells=[new_code_cell(LONG_STEP)])
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, kernel_name="python3", resources=resources, timeout=120).execute()
    assert notebook.cells[0].outputs == []

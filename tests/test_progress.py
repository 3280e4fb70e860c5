"""Progress: shown to whoever looks, gone at the end, and never in an executed copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from segmentation import progress as module
from segmentation.parallel import parallel_map, reporting

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LONG_STEP = """\
import time
from segmentation import progress as module
from segmentation.parallel import parallel_map
module.INTERVAL = 0.05
with module.progress("Fitting"):
    list(parallel_map(lambda _: time.sleep(0.1), [1, 2, 3]))
"""


def test_work_that_is_spread_reports_how_much_is_done():
    heard = []
    with reporting(lambda *numbers: heard.append(numbers)):
        assert list(parallel_map(abs, [-1, -2])) == [1, 2]
        assert list(parallel_map(abs, iter([-3]))) == [3]
    list(parallel_map(abs, [-4]))
    assert heard == [(1, 2), (2, 2), (1, None)]


def test_an_error_takes_the_line_away_and_goes_on(monkeypatch):
    told = []
    monkeypatch.setattr(module, "is_watched", lambda: True)
    monkeypatch.setattr(
        module, "display", lambda line, raw, display_id: told.append(line["text/plain"])
    )
    monkeypatch.setattr(module, "clear_output", lambda: told.append("cleared"))
    with pytest.raises(ZeroDivisionError), module.progress("Fitting"):
        list(parallel_map(lambda item: 1 / item, [0]))
    assert told == ["Fitting …", "cleared"]


def shown(client, **metadata) -> list[tuple[str, dict]]:
    """Run the long step, and return what the kernel sends to show."""
    content = {"code": LONG_STEP, "silent": False, "allow_stdin": False}
    message = client.session.msg("execute_request", content, metadata=metadata)
    client.shell_channel.send(message)
    sent = []
    while True:
        answer = client.get_iopub_msg(timeout=60)
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return sent
        if answer["msg_type"] not in ("status", "execute_input"):
            sent.append((answer["msg_type"], answer["content"]))


@pytest.mark.slow
def test_in_a_window_a_line_counts_and_is_cleared_and_a_program_sees_nothing():
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(NOTEBOOKS))
    try:
        assert shown(client) == []
        sent = shown(client, cellId="a-cell")  # as JupyterLab tells
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    kinds = [kind for kind, _ in sent]
    assert kinds[0] == "display_data" and kinds[-1] == "clear_output"
    assert set(kinds[1:-1]) == {"update_display_data"}
    lines = [content["data"]["text/plain"] for _, content in sent if "data" in content]
    assert any(line.startswith("Fitting … 2 of 3, ") for line in lines)

"""Run notebooks through papermill, each in a kernel of its own, and write their executed copies."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from customer_tables.errors import UserError
from customer_tables.text import printable
from runner import ROOT, RunFailed
from runner.kernels import LESS_MEMORY, LOST, Kernel
from runner.plan import Work
from runner.publishing import DISK_FULL
from runner.traces import described, without_data
from segmentation.stages import Stage

_ENGINE = "prepared-kernel"
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Of Python and numpy, Arrow, DuckDB and TensorFlow.
_NO_MEMORY = re.compile(r"MemoryError|OutOfMemory|ResourceExhausted")


class _PreparedKernelEngine(NBClientEngine):
    """Papermill's own engine, in a kernel that was started beforehand."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **given: Any) -> None:
        """Run all cells; the values of all parameters are set after the last cell about them."""
        cells, about = nb_man.nb.cells, {"parameters", "injected-parameters"}
        tagged = [about & {*cell.metadata.get("tags", ())} for cell in cells]
        declared = max((index for index, tags in enumerate(tagged) if tags), default=-1)

        def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
            given["on_cell"](cell_index, time.monotonic())
            if cell_index == declared + 1:
                # Paths of this machine too, so without a trace in the notebook.
                lines = "\n".join(f"{name} = {value!r}" for name, value in given["values"].items())
                client.kc.execute(lines, silent=True)

        client = PapermillNotebookClient(
            nb_man,
            km=given["kernel"],
            kernel_name=kernel_name,
            timeout=None,
            startup_timeout=int(given["startup"]) + 60,  # the limit of time ends a start, too
            iopub_timeout=60,
            coalesce_streams=True,
            record_timing=False,
            on_cell_start=begin,
        )
        try:
            client.execute()
        finally:
            if client.kc is not None:
                client.kc.stop_channels()


papermill_engines.register(_ENGINE, _PreparedKernelEngine)


def _through_papermill(source: Path, shown: dict[str, Any], **given: Any) -> nbformat.NotebookNode:
    """Run a notebook on a prepared kernel; `given` reaches the engine."""
    return papermill.execute_notebook(
        str(source),
        None,
        parameters=shown,
        engine_name=_ENGINE,
        kernel_name="python3",
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        **given,
    )


async def run_notebook(
    work: Work, stage: Stage, kernel: Kernel, on_cell: Callable[[int, int], None]
) -> tuple[float, list[float], int | None]:
    """Run the notebook of a stage and write its executed copy.

    Parameters
    ----------
    kernel : Kernel
        A started kernel; the caller ends it.
    on_cell : callable
        Called at every cell with the number of cells done and the number of all.

    Returns
    -------
    tuple
        The seconds that the notebook took, those of each code cell, and the peak memory in bytes
        where that is known.

    Raises
    ------
    UserError
        If the notebook found a mistake in the user's input.
    RunFailed
        If a cell failed, the kernel died or the time ran out.
    """
    loop, begun = asyncio.get_running_loop(), []
    source, name = work.plan.folder / stage.file, f"{stage.number} {stage.topic}"
    values, shown = work.parameters(stage)
    total = len(work.plan.notebooks[stage.number]["cells"]) + bool(shown)

    def tell(index: int, began: float) -> None:
        begun.append(began)
        loop.call_soon_threadsafe(on_cell, index, total)

    most_seconds = work.plan.options.time_limit
    limit, started = asyncio.timeout(most_seconds), time.monotonic()
    # Papermill waits for its kernel, so it does that in a thread of its own; with a context of its
    # own as well, in which jupyter_core keeps the loop of a thread.
    given = {"kernel": kernel, "values": values, "on_cell": tell, "startup": most_seconds}
    waiting = asyncio.to_thread(_through_papermill, source, shown, **given)
    running = loop.create_task(waiting, context=Context())
    try:
        async with limit:
            notebook = await asyncio.shield(running)
    except PapermillExecutionError as error:
        raise _explained(work.place.log, name, error) from None
    except (DeadKernelError, CellTimeoutError, TimeoutError, RuntimeError, OSError) as error:
        late = most_seconds if limit.expired() else None
        raise _kernel_failed(work.place.log, name, late, error) from None
    finally:
        if not running.done():  # the time has run out, or the run is ending
            await kernel.kill()
            await asyncio.wait([running])  # its thread alone may close the sockets that it uses
            running.exception()  # that the kernel has died is no news
    ended, peak_memory = time.monotonic(), kernel.peak_memory()
    times = _cell_times(notebook, begun, ended, work.place.log, name)
    _write_copy(notebook, work, stage, shown)
    return ended - started, times, peak_memory


def _cell_times(
    notebook: nbformat.NotebookNode, begun: list[float], ended: float, log: Path, name: str
) -> list[float]:
    """Return each code cell's seconds; RunFailed if one was not run, which papermill allows."""
    code = [cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells]
    for cell, runs in zip(notebook.cells, code, strict=True):
        if runs and cell.execution_count is None:
            _note(log, name, f"this cell was not run:\n{cell.source}")
            raise RunFailed(f"{name} stopped before its last cell.")
    spans = zip(code, begun, [*begun[1:], ended], strict=True)
    return [round(end - began, 3) for runs, began, end in spans if runs]


def _explained(log: Path, name: str, error: PapermillExecutionError) -> Exception:
    """Tell a user's mistake, which the notebook has explained, from a failure of ours."""
    kind, said = error.ename, error.evalue
    trace = _COLOURS.sub("", "\n".join(error.traceback))
    message = described(kind, said, trace)
    _note(
        log, name, f"cell {error.exec_count}:\n{error.source}\n\n{without_data(trace) or message}"
    )
    if kind == "UserError":
        return UserError(*(said.splitlines() or [kind])[:3])
    if _NO_MEMORY.search(kind):
        return RunFailed(f"{name} asked for more memory than there is.\n{LESS_MEMORY}")
    if kind == "OSError" and re.match(r"\[Errno (28|122)\]", said):
        return RunFailed(DISK_FULL)
    return RunFailed(f"{name} failed in cell [{error.exec_count}]: {printable(message, 300)}")


def _kernel_failed(log: Path, name: str, late: float | None, error: Exception) -> RunFailed:
    _note(log, name, f"{type(error).__name__}: {error}")
    if late is not None:
        return RunFailed(
            f"{name} was stopped after {late / 60:g} minutes.\n"
            "Allow more with --time-limit MINUTES, or try --quick."
        )
    # A kernel that dies while it starts is reported by its client in other words.
    if isinstance(error, DeadKernelError) or str(error).startswith("Kernel died"):
        return RunFailed(f"{name} ended without a word: {LOST}.\n{LESS_MEMORY}")
    return RunFailed(f"{name} could not be run: {str(error).splitlines()[0][:300]}")


def _note(log: Path, name: str, text: str) -> None:
    with log.open("a", encoding="utf-8", errors="replace") as file:
        file.write(f"\n--- {name} ---\n{text}\n")


def _write_copy(
    notebook: nbformat.NotebookNode, work: Work, stage: Stage, shown: dict[str, Any]
) -> None:
    """Write the executed copy without what differs from run to run and from machine to machine."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        elif "injected-parameters" in cell.metadata["tags"]:
            lines = [f"{name} = {value!r}" for name, value in shown.items()]
            cell.source = "\n".join(["# Parameters of this run", *lines])
            cell.id = "injected-parameters"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["kernelspec"] = kernel
    tree, source = work.place.tree, work.source
    masks = {str(tree): f"results/{work.place.results.name}"}
    masks |= {str(path): path.name for path in (source.table, source.demographics) if path}
    if source.toml:
        masks[str(source.toml.parent)] = source.name
    for folder, stand_in in ((ROOT, ""), (Path.home(), "~/")):
        if folder != folder.parent:  # the root of the disk is in every path, and in addresses
            masks[str(folder) + os.sep] = stand_in
    # A path within quotes has its backslashes doubled.
    masks = {json.dumps(text)[1:-1]: stand_in for text, stand_in in masks.items()} | masks
    nbformat.write(nbformat.from_dict(_masked(notebook, masks)), tree / "notebooks" / stage.file)


def _masked(value: Any, masks: dict[str, str]) -> Any:
    if isinstance(value, str):
        for text, stand_in in masks.items():
            value = value.replace(text, stand_in)
        return value
    if isinstance(value, dict):
        return {k: v if k.startswith("image/") else _masked(v, masks) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(entry, masks) for entry in value]
    return value

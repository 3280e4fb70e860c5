"""One notebook from first to last cell, in a kernel that stands ready."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from customer_tables.errors import UserError
from customer_tables.text import printable
from runner.errors import DISK_FULL, RunFailed
from runner.kernels import Kernel
from runner.traces import described, without_data

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Of Python and numpy, Arrow, DuckDB and TensorFlow.
_NO_MEMORY = re.compile(r"MemoryError|OutOfMemory|ResourceExhausted")
_LESS_MEMORY = "Close other programs, try --quick, or run on a machine with more memory."


@dataclass(frozen=True)
class Job:
    """A notebook to run.

    Attributes
    ----------
    name : str
        As it is called on the terminal.
    source : pathlib.Path
        The notebook; it is not changed.
    executed : pathlib.Path
        Where the executed copy goes.
    parameters : dict
        Values to pass.
    shown : dict
        Those of them that the executed copy shows as set, without paths of this machine.
    masks : dict
        Texts that must not appear in the copy, and what stands in their place.
    time_limit : float
        In seconds, for the notebook as a whole.
    log : pathlib.Path
        Where tracebacks go.
    """

    name: str
    source: Path
    executed: Path
    parameters: dict[str, Any]
    shown: dict[str, Any]
    masks: dict[str, str]
    time_limit: float
    log: Path


@dataclass(frozen=True)
class Outcome:
    """How long a notebook took, and each of its code cells.

    `peak_memory` is its largest use of memory in bytes where that is known.
    """

    seconds: float
    cells: list[float]
    peak_memory: int | None


async def run_notebook(
    job: Job, kernel: Kernel, on_cell: Callable[[int, int], None] = lambda done, total: None
) -> Outcome:
    """Run a notebook and write its executed copy.

    Parameters
    ----------
    job : Job
    kernel : Kernel
        A started kernel; the caller ends it.
    on_cell : callable
        Told the number of cells behind and the number of all, at every cell.

    Raises
    ------
    UserError
        If the notebook found a mistake in the user's input.
    RunFailed
        If a cell failed, the kernel died or the time ran out.
    """
    notebook = nbformat.read(job.source, as_version=4)
    declared = _show_parameters(notebook, job.shown)
    client = NotebookClient(
        notebook,
        km=kernel,
        startup_timeout=120,
        iopub_timeout=60,
        raise_on_iopub_timeout=True,
        coalesce_streams=True,
        record_timing=False,
    )
    limit, started = asyncio.timeout(job.time_limit), time.monotonic()
    try:
        async with limit:
            await client.async_start_new_kernel_client()
            times = await _execute(client, job.parameters, declared, on_cell)
    except _CellFailed as failed:
        raise _explained(job, *failed.args) from None
    except (DeadKernelError, CellTimeoutError, TimeoutError, RuntimeError, OSError) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The run is ending, which the client takes for the death of the kernel.
            raise asyncio.CancelledError from None
        _note(job, f"{type(error).__name__}: {error}")
        raise _kernel_failed(job, limit.expired(), error) from None
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
    outcome = Outcome(time.monotonic() - started, times, kernel.peak_memory())
    write_masked(notebook, job.executed, job.masks)
    return outcome


class _CellFailed(Exception):
    """A cell ended with an error; its one argument is the cell."""


async def _execute(
    client: NotebookClient,
    parameters: dict[str, Any],
    declared: int,
    on_cell: Callable[[int, int], None],
) -> list[float]:
    """Run all cells, the parameters set after the cell at `declared`; return their seconds."""
    client.reset_execution_trackers()
    cells, times = client.nb.cells, []
    for index, cell in enumerate(cells):
        on_cell(index, len(cells))
        began = time.monotonic()
        try:
            await client.async_execute_cell(cell, index, client.code_cells_executed + 1)
        except CellExecutionError:
            raise _CellFailed(cell) from None
        if index == declared:
            await _set_parameters(client, parameters)
        if cell.cell_type == "code" and cell.source.strip():
            times.append(round(time.monotonic() - began, 3))
    told = await _ask(client, "kernel_info")
    client.nb.metadata["language_info"] = told["content"]["language_info"]
    return times


def _show_parameters(notebook: nbformat.NotebookNode, shown: dict[str, Any]) -> int:
    """Add a cell that sets the parameters to be shown; return the last cell about parameters."""
    tags = [cell.metadata.get("tags", ()) for cell in notebook.cells]
    place = next((i for i, tagged in enumerate(tags) if "parameters" in tagged), -1)
    if shown:
        place += 1
        lines = ["# Parameters of this run", *(f"{n} = {value!r}" for n, value in shown.items())]
        cell = nbformat.v4.new_code_cell("\n".join(lines), id="injected-parameters")
        cell.metadata["tags"] = ["injected-parameters"]
        notebook.cells.insert(place, cell)
    return place


async def _set_parameters(client: NotebookClient, values: dict[str, Any]) -> None:
    """Set all parameters, paths of this machine too, without a trace in the notebook."""
    lines = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    await _ask(client, "execute", lines, silent=True)


async def _ask(client: NotebookClient, what: str, *given: Any, **options: Any) -> dict[str, Any]:
    """Send a request of no cell to the kernel, and return the reply."""
    number = getattr(client.kc, what)(*given, **options)
    return await client.async_wait_for_reply(number) or {}


# --- what can go wrong --------------------------------------------------------------------------


def _explained(job: Job, cell: nbformat.NotebookNode) -> Exception:
    """Tell a user's mistake, which the notebook has explained, from a failure of ours."""
    error = next(output for output in cell.outputs if output.output_type == "error")
    count, kind, said = cell.execution_count, error.ename, error.evalue
    if kind == "SystemExit" and said in ("", "0"):
        _note(job, f"this cell ended the notebook:\n{cell.source}")
        return RunFailed(f"{job.name} stopped before its last cell.")
    trace = _COLOURS.sub("", "\n".join(error.traceback))
    told = described(kind, said, trace)
    _note(job, f"cell {count}:\n{cell.source}\n\n{without_data(trace) or told}")
    if kind == "UserError":
        return UserError(*(said.splitlines() or [kind])[:3])
    if _NO_MEMORY.search(kind):
        return RunFailed(f"{job.name} asked for more memory than there is.\n{_LESS_MEMORY}")
    if kind == "OSError" and re.match(r"\[Errno (28|122)\]", said):
        return RunFailed(DISK_FULL)
    return RunFailed(f"{job.name} failed in cell [{count}]: {printable(told, 300)}")


def _kernel_failed(job: Job, late: bool, error: Exception) -> RunFailed:
    if late:
        return RunFailed(
            f"{job.name} was stopped after {job.time_limit / 60:g} minutes.\n"
            "Allow more with --time-limit MINUTES, or try --quick."
        )
    # A kernel that dies while it starts is told by its client in other words.
    if isinstance(error, DeadKernelError) or str(error).startswith("Kernel died"):
        return RunFailed(
            f"{job.name} ended without a word: most likely the machine ran out of memory.\n"
            f"{_LESS_MEMORY}"
        )
    return RunFailed(f"{job.name} could not be run: {str(error).splitlines()[0][:300]}")


def _note(job: Job, text: str) -> None:
    with job.log.open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"\n--- {job.name} ---\n{text}\n")


# --- the executed copy --------------------------------------------------------------------------


def write_masked(notebook: nbformat.NotebookNode, path: Path, masks: dict[str, str]) -> None:
    """Write an executed notebook without what differs from machine to machine.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : pathlib.Path
    masks : dict
        Texts to replace wherever they are.
    """
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    nbformat.write(nbformat.from_dict(_masked(notebook, masks)), path)


def _masked(value: Any, masks: dict[str, str]) -> Any:
    if isinstance(value, str):
        for text, stand_in in masks.items():
            value = value.replace(text, stand_in)
        return value
    if isinstance(value, dict):
        return {
            key: entry if key.startswith("image/") else _masked(entry, masks)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_masked(entry, masks) for entry in value]
    return value

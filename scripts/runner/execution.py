"""One notebook from first to last cell, through papermill, in a kernel that stands ready."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from runner.errors import DISK_FULL, RunFailed
from runner.kernels import Kernel
from runner.traces import described, without_data

_ENGINE = "prepared-kernel"
OnCell = Callable[[int, float], None]
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Of Python and numpy, Arrow, DuckDB and TensorFlow.
_NO_MEMORY = re.compile(r"MemoryError|OutOfMemory|ResourceExhausted")
_LESS_MEMORY = "Close other programs, try --quick, or run on a machine with more memory."


@dataclass(frozen=True)
class Job:
    """A notebook to run."""

    name: str  # on the terminal
    source: Path  # it is not changed
    executed: Path  # where the executed copy goes
    parameters: dict[str, Any]
    shown: dict[str, Any]  # those that the copy shows as set, without paths of this machine
    masks: dict[str, str]  # texts that must not appear in the copy, and what stands in their place
    time_limit: float  # in seconds, for the notebook as a whole
    log: Path  # where tracebacks go


@dataclass(frozen=True)
class Outcome:
    """How long a notebook and each of its code cells took, and its memory in bytes, if known."""

    seconds: float
    cells: list[float]
    peak_memory: int | None


class _PreparedKernelEngine(NBClientEngine):
    """Papermill's own engine, in a kernel that was started beforehand."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, kernel: Kernel, job: Job, on_cell: OnCell, **_: Any
    ) -> None:
        """Run all cells; the values of all parameters are set after the last cell about them."""
        cells = nb_man.nb.cells
        about = {"parameters", "injected-parameters"}
        tagged = [about & {*cell.metadata.get("tags", ())} for cell in cells]
        declared = max((index for index, tags in enumerate(tagged) if tags), default=-1)

        def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
            on_cell(cell_index, time.monotonic())
            if cell_index == declared + 1:
                # Paths of this machine too, so without a trace in the notebook.
                lines = "\n".join(f"{name} = {value!r}" for name, value in job.parameters.items())
                client.kc.execute(lines, silent=True)

        client = PapermillNotebookClient(
            nb_man,
            km=kernel,
            kernel_name=kernel_name,
            timeout=None,
            startup_timeout=120,
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
    loop, begun = asyncio.get_running_loop(), []
    total = len(nbformat.read(job.source, as_version=4).cells) + bool(job.shown)

    def tell(index: int, began: float) -> None:
        begun.append(began)
        loop.call_soon_threadsafe(on_cell, index, total)

    def through_papermill() -> nbformat.NotebookNode:
        return papermill.execute_notebook(
            str(job.source),
            None,
            parameters=job.shown,
            engine_name=_ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel=kernel,
            job=job,
            on_cell=tell,
        )

    limit, started = asyncio.timeout(job.time_limit), time.monotonic()
    # Papermill waits for its kernel, so it does that in a thread of its own.
    running = asyncio.ensure_future(asyncio.to_thread(through_papermill))
    try:
        async with limit:
            notebook = await asyncio.shield(running)
    except PapermillExecutionError as error:
        raise _explained(job, error) from None
    except (DeadKernelError, CellTimeoutError, TimeoutError, RuntimeError, OSError) as error:
        _note(job, f"{type(error).__name__}: {error}")
        raise _kernel_failed(job, limit.expired(), error) from None
    finally:
        if not running.done():  # the time has run out, or the run is ending
            await kernel.end()
            await asyncio.wait([running])
            running.exception()  # that the kernel has died is no news
    seconds, peak_memory = time.monotonic() - started, kernel.peak_memory()
    _check_complete(job, notebook)
    ends = [*begun[1:], started + seconds]
    times = [
        round(end - began, 3)
        for cell, began, end in zip(notebook.cells, begun, ends, strict=True)
        if cell.cell_type == "code" and cell.source.strip()
    ]
    _write_copy(notebook, job)
    return Outcome(seconds, times, peak_memory)


def _check_complete(job: Job, notebook: nbformat.NotebookNode) -> None:
    """Look at the cells themselves: papermill calls some notebooks complete that are not."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            _note(job, f"this cell was not run:\n{cell.source}")
            raise RunFailed(f"{job.name} stopped before its last cell.")


def _explained(job: Job, error: PapermillExecutionError) -> Exception:
    """Tell a user's mistake, which the notebook has explained, from a failure of ours."""
    count, kind, said = error.exec_count, error.ename, error.evalue
    trace = _COLOURS.sub("", "\n".join(error.traceback))
    told = described(kind, said, trace)
    _note(job, f"cell {count}:\n{error.source}\n\n{without_data(trace) or told}")
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


def _write_copy(notebook: nbformat.NotebookNode, job: Job) -> None:
    """Write the executed copy without what differs from run to run and from machine to machine."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        elif "injected-parameters" in cell.metadata["tags"]:
            lines = [f"{name} = {value!r}" for name, value in job.shown.items()]
            cell.source = "\n".join(["# Parameters of this run", *lines])
            cell.id = "injected-parameters"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["kernelspec"] = kernel
    nbformat.write(nbformat.from_dict(_masked(notebook, job.masks)), job.executed)


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

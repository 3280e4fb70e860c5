"""One notebook from first to last cell, through papermill, in a kernel that stands ready."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
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

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ENGINE = "prepared-kernel"
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
        The same, as the executed copy may show them: without paths of this machine.
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
    """How long a notebook took, and each of the code cells that its executed copy shows.

    `peak_memory` is its largest use of memory in bytes where that is known.
    """

    seconds: float
    cells: list[float]
    peak_memory: int | None


class _PreparedKernelEngine(NBClientEngine):
    """Papermill's own engine, in a kernel that was started beforehand."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, kernel, on_cell, **_):
        client = PapermillNotebookClient(
            nb_man,
            km=kernel,
            kernel_name=kernel_name,
            timeout=None,
            startup_timeout=120,
            coalesce_streams=True,
            record_timing=False,
            on_cell_start=on_cell,
        )
        try:
            return client.execute()
        finally:
            if client.kc is not None:
                client.kc.stop_channels()


papermill_engines.register(_ENGINE, _PreparedKernelEngine)


def run_notebook(
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
    started = time.monotonic()
    late, begun = threading.Event(), []
    alarm = threading.Timer(job.time_limit, lambda: (late.set(), kernel.kill()))
    alarm.daemon = True
    alarm.start()
    try:
        notebook = papermill.execute_notebook(
            str(job.source),
            str(job.executed),
            parameters=job.parameters,
            engine_name=_ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel=kernel,
            on_cell=_counter(job.source, on_cell, begun),
        )
    except PapermillExecutionError as error:
        raise _cell_failed(job, error) from None
    except (DeadKernelError, CellTimeoutError, RuntimeError, OSError) as error:
        _note(job, f"{type(error).__name__}: {error}")
        raise _kernel_failed(job, late.is_set(), error) from None
    finally:
        alarm.cancel()
    seconds, memory = time.monotonic() - started, kernel.peak_memory()
    _check_complete(job, notebook)
    times = [after - before for before, after in pairwise([*begun, started + seconds])]
    outcome = Outcome(seconds, _times(notebook, times, shown=bool(job.shown)), memory)
    write_clean(notebook, job.executed, shown=job.shown, masks=job.masks)
    return outcome


def _counter(
    source: Path, on_cell: Callable[[int, int], None], begun: list[float]
) -> Callable[..., None]:
    """Return what to call when a cell begins; it also notes in `begun` when that was."""
    total = len(nbformat.read(source, as_version=4).cells) + 1  # and the injected parameters

    def started(*, cell_index: int, **_: Any) -> None:
        begun.append(time.monotonic())
        on_cell(cell_index, total)

    return started


# --- what can go wrong --------------------------------------------------------------------------


def _cell_failed(job: Job, error: PapermillExecutionError) -> Exception:
    """Tell a user's mistake, which the notebook has explained, from a failure of ours."""
    trace = _COLOURS.sub("", "\n".join(error.traceback or []))
    told = described(error.ename, error.evalue, trace)
    where = f"cell {error.exec_count}:\n{error.source}\n"
    _note(job, f"{where}\n{without_data(trace) or told}")
    if error.ename == UserError.__name__:
        return UserError(*(error.evalue.splitlines() or [error.ename])[:3])
    if _NO_MEMORY.search(error.ename):
        return RunFailed(f"{job.name} asked for more memory than there is.\n{_LESS_MEMORY}")
    if error.ename == "OSError" and re.match(r"\[Errno (28|122)\]", error.evalue):
        return RunFailed(DISK_FULL)
    shown = printable(told, 600)[:300]
    return RunFailed(f"{job.name} failed in cell [{error.exec_count}]: {shown}")


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


def _check_complete(job: Job, notebook: nbformat.NotebookNode) -> None:
    """Look at the cells themselves: papermill calls some notebooks complete that are not."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            _note(job, f"this cell was not run:\n{cell.source}")
            raise RunFailed(f"{job.name} stopped before its last cell.")


def _times(notebook: nbformat.NotebookNode, seconds: list[float], *, shown: bool) -> list[float]:
    """Return the seconds of each code cell, without injected parameters that are not shown."""
    return [
        round(taken, 3)
        for cell, taken in zip(notebook.cells, seconds, strict=True)
        if cell.cell_type == "code"
        and cell.source.strip()
        and (shown or "injected-parameters" not in cell.metadata.get("tags", ()))
    ]


def _note(job: Job, text: str) -> None:
    with job.log.open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"\n--- {job.name} ---\n{text}\n")


# --- the executed copy --------------------------------------------------------------------------


def write_clean(
    notebook: nbformat.NotebookNode, path: Path, *, shown: dict[str, Any], masks: dict[str, str]
) -> None:
    """Write an executed notebook without what differs from run to run or machine to machine.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : pathlib.Path
    shown : dict
        Parameters that the copy shows as set.
    masks : dict
        Texts to replace wherever they are.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.id = "injected-parameters"
            lines = (f"{name} = {value!r}" for name, value in shown.items())
            cell.source = "\n".join(("# Parameters of this run", *lines))
    if not shown:
        notebook.cells = [c for c in notebook.cells if c.id != "injected-parameters"]
        _number(notebook)
    clean = nbformat.from_dict(_masked(notebook, masks))
    nbformat.write(clean, path)


def _number(notebook: nbformat.NotebookNode) -> None:
    """Count the executed cells from one, after a cell was taken out."""
    executed = [cell for cell in notebook.cells if cell.get("execution_count") is not None]
    for count, cell in enumerate(executed, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


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

"""Which stage runs when: those that are due, as soon as what they need is there."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

# The checker of notebook files compiles a grammar of internet addresses when it is loaded, for
# which notebooks have no use: two thirds of a second. It does without where it must.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from customer_tables.errors import UserError
from runner import stamps
from runner.environment import ROOT
from runner.errors import RunFailed
from runner.execution import Job, run_notebook
from runner.kernels import Kernels
from runner.notebook_files import imported_names, source_of
from runner.work import Work, now
from segmentation.stages import Stage, dependents

_AT_ONCE = min(2, os.cpu_count() or 1)  # notebooks side by side
_LARGE = 2**22  # bytes of cleaned customers beyond which one notebook at a time fills the memory
_AHEAD = 2  # kernels that load their libraries while others work, unless a table is large


def run_stages(work: Work, render: Callable[[Stage], None]) -> None:
    """Run the stages that are due, each in a kernel of its own.

    Parameters
    ----------
    work : Work
    render : callable
        Makes the page of a stage that has run, while others run.
    """
    with (
        _logging_to(work.place.log),
        asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
    ):
        runner.run(_run_stages(work, render))


async def _run_stages(work: Work, render: Callable[[Stage], None]) -> None:
    async with Kernels(work.plan.folder, work.place.private, work.place.log) as kernels:
        schedule = _Schedule(work, kernels, render)
        try:
            async with asyncio.TaskGroup() as group:
                for stage in work.plan.series:
                    group.create_task(schedule.settle(stage))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None


class _Schedule:
    """What the stages of a run, each of them a task, wait for.

    Parameters
    ----------
    work : Work
    kernels : Kernels
    render : callable
        See `run_stages`.
    """

    def __init__(self, work: Work, kernels: Kernels, render: Callable[[Stage], None]) -> None:
        self._work, self._kernels, self._render = work, kernels, render
        self._settled = {stage.number: asyncio.Event() for stage in work.plan.series}
        self._waiting = list(work.plan.series)
        self._running, self._turn = 0, asyncio.Condition()
        self._rendering = asyncio.Lock()

    async def settle(self, stage: Stage) -> None:
        """Run a stage as soon as it can, unless it need not run, and make its page."""
        work = self._work
        for number in stage.needs:
            await self._settled[number].wait()
        async with self._place():
            self._waiting.remove(stage)
            key = work.keys[stage.number] = work.key(stage, work.place.tree)
            due = not _may_skip(work, stage, key)
            if due:
                _clear(work, stage)
                await self._run(stage, key)
            else:
                work.skipped.add(stage.number)
        self._settled[stage.number].set()
        if due:
            async with self._rendering:
                await asyncio.to_thread(self._render, stage)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait until one more notebook may run, and take its place."""
        async with self._turn:
            await self._turn.wait_for(
                lambda: self._running < (1 if _is_large(self._work.place.tree) else _AT_ONCE)
            )
            self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            async with self._turn:
                self._turn.notify_all()

    async def _run(self, stage: Stage, key: str) -> None:
        """Run a notebook and stamp what it wrote."""
        work, tree = self._work, self._work.place.tree
        began, advance = now(), work.progress.start(stage)

        def on_cell(done: int, total: int) -> None:
            self._prepare()  # the notebook's own kernel is up: now others may take the processor
            advance(done, total)

        (tree / "notebooks").mkdir(exist_ok=True)
        kernel = await self._kernels.take(stage.number, _names(work, stage))
        try:
            outcome = await run_notebook(_job(work, stage), kernel, on_cell)
        finally:
            self._kernels.give_back(kernel)
        _check_reads(tree, stage)
        stamp = stamps.Stamp(
            key=key,
            outputs=stamps.hashes(tree, stage),
            started=began,
            seconds=round(outcome.seconds, 2),
            cells=outcome.cells,
            peak_memory=outcome.peak_memory,
        )
        stamps.write(tree, stage, stamp)
        work.progress.done(stage, outcome.seconds)

    def _prepare(self) -> None:
        """Start kernels for the stages that come next."""
        due = [stage for stage in self._waiting if self._work.plan.chosen(stage)]
        for stage in due[: 0 if _is_large(self._work.place.tree) else _AHEAD]:
            self._kernels.prepare(stage.number, _names(self._work, stage))


def _is_large(tree: Path) -> bool:
    """Whether the table is so large that it should not be in memory twice."""
    customers = tree / "stages" / "01_customers.parquet"
    return customers.is_file() and customers.stat().st_size > _LARGE


def _names(work: Work, stage: Stage) -> list[str]:
    """Return what the notebook of a stage imports."""
    cells = work.plan.notebooks[stage.number]["cells"]
    code = [source_of(cell) for cell in cells if cell.get("cell_type") == "code"]
    return sorted(set().union(*map(imported_names, code)))


def _clear(work: Work, stage: Stage) -> None:
    """Remove what a stage wrote earlier, and all that was made from it.

    Otherwise a notebook would find, and tell, that later ones are out of date, in the very run
    that is going to renew them. What proves to be up to date after all comes back from the
    published results. With --only nothing comes later, and the notebook is right to say so.
    """
    later = () if work.plan.options.only else dependents(stage, work.plan.series)
    for each in (stage, *later):
        stamps.remove(work.place.tree, each)


def _may_skip(work: Work, stage: Stage, key: str) -> bool:
    """Whether a stage need not run; says so if it does not."""
    if not work.plan.chosen(stage):
        _pass_over(work, stage, key)
        return True
    if work.plan.forced(stage) or not work.place.restore(stage, key):
        return False
    work.progress.skipped(stage)
    return True


def _pass_over(work: Work, stage: Stage, key: str) -> None:
    """Leave out a stage that --only does not name, unless what it writes is missing."""
    only = work.plan.options.only
    if work.place.restore(stage, key):
        work.progress.skipped(stage)
    elif stamps.files_of(work.place.tree, stage):
        work.progress.skipped(stage, "left as it was; out of date")
    elif only is not None and stage.number in only.needs:
        raise UserError(
            f"notebook {only.number} needs what {stage.name} writes, and that is not there",
            where=f"--only {only.number}",
            remedy="run without --only first",
        )
    else:
        work.progress.skipped(stage, "left out")


def _job(work: Work, stage: Stage) -> Job:
    """Return the notebook of a stage as it is to be run."""
    tree, table, toml = work.place.tree, work.source.table, work.source.toml
    passed, shown = work.parameters(stage)
    masks = {str(tree): f"results/{work.place.results.name}"}
    if table:
        masks[str(table)] = table.name
    if work.source.demographics:
        masks[str(work.source.demographics)] = work.source.demographics.name
    if toml:
        masks[str(toml.parent)] = work.source.name
    for folder, stand_in in ((ROOT, ""), (Path.home(), "~/")):
        if folder != folder.parent:  # the root of the disk is in every path, and in addresses
            masks[str(folder) + os.sep] = stand_in
    return Job(
        name=f"{stage.number} {stage.topic}",
        source=work.plan.folder / stage.file,
        executed=tree / "notebooks" / stage.file,
        parameters=passed,
        shown=shown,
        # A path within quotes has its backslashes doubled.
        masks={json.dumps(text)[1:-1]: stand_in for text, stand_in in masks.items()} | masks,
        time_limit=work.plan.options.time_limit,
        log=work.place.log,
    )


def _check_reads(tree: Path, stage: Stage) -> None:
    """Hold a notebook to the stages that it is declared to need, or reruns would miss some."""
    path = tree / "stages" / f"{stage.number}_reads.json"
    if not path.is_file():
        return
    names = json.loads(path.read_text(encoding="utf-8"))
    undeclared = {name[:2] for name in names} - {*stage.needs, stage.number}
    if undeclared:
        raise RunFailed(
            f"{stage.number} {stage.topic} reads files of stage {min(undeclared)}, which it is"
            " not declared to need."
        )


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Send what the libraries log to a file, in place of the terminal."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()

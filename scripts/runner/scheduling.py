"""Run the stages that are due, each as soon as its inputs exist."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from customer_tables.errors import UserError
from runner import RunFailed, finishing, records
from runner.entry import stopping_in_order
from runner.kernels import Kernels
from runner.notebook_files import imported_names
from runner.plan import Work, now
from segmentation.stages import Stage, dependents

_AT_ONCE = min(2, os.cpu_count() or 1)  # notebooks side by side
_LARGE = 2**22  # bytes of cleaned customers beyond which one notebook at a time fills the memory


def run_stages(work: Work) -> None:
    """Run the stages that are due, each in a kernel of its own, and make their pages."""
    with (
        _logging_to(work.place.log),
        asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
    ):
        loop = runner.get_loop()
        stages = loop.create_task(_run_stages(work))
        with stopping_in_order(stages):
            loop.run_until_complete(stages)


async def _run_stages(work: Work) -> None:
    series = work.plan.series
    async with Kernels(work.plan.folder, work.place.private, work.place.log) as kernels:
        schedule = _Schedule(work, kernels)
        try:
            async with asyncio.TaskGroup() as group:
                # First what most others wait for; among the rest the later ones, which take longer.
                waited_for = {s: (len(dependents(s, series)), s.number) for s in series}
                for stage in sorted(series, key=lambda s: waited_for[s], reverse=True):
                    group.create_task(schedule.settle(stage))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None


class _Schedule:
    """What the stages of a run, each of them a task, wait for."""

    def __init__(self, work: Work, kernels: Kernels) -> None:
        self._work, self._kernels = work, kernels
        self._settled = {stage.number: asyncio.Event() for stage in work.plan.series}
        self._waiting = list(work.plan.series)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._narrow = False
        self._rendering = asyncio.Lock()

    async def settle(self, stage: Stage) -> None:
        """Run a stage as soon as it can, unless it need not run, and make its page."""
        work = self._work
        for number in stage.needs:
            await self._settled[number].wait()
        async with self._places:
            self._waiting.remove(stage)
            key = work.keys[stage.number] = work.key(stage, work.place.tree)
            due = not _may_skip(work, stage, key)
            if due:
                _clear(work, stage)
                await self._run(stage, key)
            else:
                work.skipped.add(stage.number)
        table = work.place.tree / "stages" / "01_customers.parquet"
        if not self._narrow and table.is_file() and table.stat().st_size > _LARGE:
            # The table should not be in memory twice: one place less, and nothing loaded ahead.
            self._narrow = True
            for _ in range(_AT_ONCE - 1):
                await self._places.acquire()
        self._settled[stage.number].set()
        if due:
            async with self._rendering:
                await asyncio.to_thread(finishing.render, work, stage)

    async def _run(self, stage: Stage, key: str) -> None:
        """Run a notebook and stamp what it wrote."""
        work, tree = self._work, self._work.place.tree
        began = now()

        def on_cell(done: int, total: int) -> None:
            # The notebook's own kernel is up: now what comes after it may load its imports.
            for other in self._waiting if done == 0 and not self._narrow else ():
                if other.needs[-1:] == (stage.number,) and work.plan.chosen(other):
                    self._kernels.prepare(_names(work, other))
            work.progress.advance(stage, done, total)

        (tree / "notebooks").mkdir(exist_ok=True)
        self._kernels.prepare(_names(work, stage))
        # Only addresses in a schema need that grammar, and to build it takes most of a second.
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
        from runner.execution import run_notebook  # loads papermill meanwhile, the first time

        async with self._kernels.take(_names(work, stage)) as kernel:
            seconds, cells, peak_memory = await run_notebook(work, stage, kernel, on_cell)
        _check_reads(tree, stage)
        hashes, took = records.hashes(tree, stage), round(seconds, 2)
        stamp = records.Stamp(key, hashes, began, took, cells, peak_memory)
        records.write_stamp(tree, stage, stamp)
        work.progress.done(stage, seconds)


def _names(work: Work, stage: Stage) -> list[str]:
    return sorted(imported_names(work.plan.notebooks[stage.number]))


def _clear(work: Work, stage: Stage) -> None:
    """Remove what a stage wrote earlier, and all that was made from it.

    Otherwise a notebook would find, and tell, that later ones are out of date, in the very run
    that is going to renew them. What proves to be up to date after all comes back from the
    published results. With --only nothing comes later, and the notebook is right to say so.
    """
    later = () if work.plan.options.only else dependents(stage, work.plan.series)
    for each in (stage, *later):
        records.remove(work.place.tree, each)


def _may_skip(work: Work, stage: Stage, key: str) -> bool:
    """Whether a stage need not run, or --only does not name it; says so if it does not run."""
    only, word = work.plan.options.only, "up to date"
    if work.plan.forced(stage):
        return False
    if not work.place.restore(stage, key):
        if work.plan.chosen(stage):
            return False
        word = "left out"
        if records.files_of(work.place.tree, stage):
            word = "left as it was; out of date"
        elif only is not None and stage.number in only.needs:
            raise UserError(
                f"notebook {only.number} needs what {stage.name} writes, and that is not there",
                where=f"--only {only.number}",
                remedy="run without --only first",
            )
    work.progress.skipped(stage, word)
    return True


def _check_reads(tree: Path, stage: Stage) -> None:
    """Hold a notebook to the stages that it is declared to need, or reruns would miss some."""
    path = tree / "stages" / f"{stage.number}_reads.json"
    names = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else ()
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
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()

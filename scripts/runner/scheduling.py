"""Which stage runs when: those that are due, as soon as what they need is there."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path

# The checker of notebook files compiles a grammar of internet addresses when it is loaded, for
# which notebooks have no use: two thirds of a second. It does without where it must.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from customer_tables.errors import UserError
from runner import stamps
from runner.environment import ROOT
from runner.errors import RunFailed
from runner.kernels import Kernels
from runner.plan import parameters_for
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
    place = work.place
    with ExitStack() as stack:
        stack.enter_context(_logging_to(place.log))
        kernels = Kernels(work.plan.folder, place.executing, place.log)
        # On the way out, in reverse: what still runs is stopped, those who wait for it notice and
        # leave, and the last one tidies up.
        stack.callback(kernels.close)
        workers = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        renderer = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(kernels.kill)
        pages: list[Future[None]] = []
        for stage in _Schedule(work, kernels, workers):
            pages.append(renderer.submit(render, stage))
        for page in pages:
            page.result()


class _Schedule:
    """The stages of a run in the order in which they end.

    Parameters
    ----------
    work : Work
    kernels : Kernels
    workers : concurrent.futures.ThreadPoolExecutor
    """

    def __init__(self, work: Work, kernels: Kernels, workers: ThreadPoolExecutor) -> None:
        self._work, self._kernels, self._workers = work, kernels, workers
        self._waiting = list(work.plan.series)
        self._settled: set[str] = set()
        self._running: dict[Future[None], Stage] = {}

    def __iter__(self) -> Iterator[Stage]:
        """Run the stages; yield each that has run."""
        while self._waiting or self._running:
            stage = self._next()
            if stage is not None:
                self._begin(stage)
                continue
            # With a time limit, because Windows lets no Ctrl-C through an endless wait.
            done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                stage = self._running.pop(future)
                future.result()
                self._settled.add(stage.number)
                yield stage

    def _next(self) -> Stage | None:
        """Return a stage that can begin now."""
        if len(self._running) >= (1 if self._is_large() else _AT_ONCE):
            return None
        ready = (stage for stage in self._waiting if self._settled.issuperset(stage.needs))
        return next(ready, None)

    def _is_large(self) -> bool:
        """Whether the table is so large that it should not be in memory twice."""
        customers = self._work.place.tree / "stages" / "01_customers.parquet"
        return customers.is_file() and customers.stat().st_size > _LARGE

    def _begin(self, stage: Stage) -> None:
        """Start a stage, or settle it if it need not run."""
        work = self._work
        self._waiting.remove(stage)
        key = work.keys[stage.number] = work.key(stage, work.place.tree)
        if _may_skip(work, stage, key):
            self._kernels.drop(stage.number)
            self._settled.add(stage.number)
            work.skipped.add(stage.number)
        else:
            self._kernels.prepare(stage.number, work.plan.notebooks[stage.number])
            _clear(work, stage)
            future = self._workers.submit(
                _run_stage, work, stage, key, self._kernels, self._prepare
            )
            self._running[future] = stage

    def _prepare(self) -> None:
        """Start kernels for the stages that come next."""
        due = [stage for stage in list(self._waiting) if self._work.plan.chosen(stage)]
        for stage in due[: 0 if self._is_large() else _AHEAD]:
            self._kernels.prepare(stage.number, self._work.plan.notebooks[stage.number])


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


def _run_stage(
    work: Work, stage: Stage, key: str, kernels: Kernels, prepare: Callable[[], None]
) -> None:
    """Run a notebook and stamp what it wrote; in a thread of its own."""
    from runner.execution import run_notebook  # loaded while the first kernel starts

    tree = work.place.tree
    began, advance = now(), work.progress.start(stage)

    def on_cell(done: int, total: int) -> None:
        prepare()  # the notebook's own kernel is up: now others may take the processor
        advance(done, total)

    (tree / "notebooks").mkdir(exist_ok=True)
    kernel = kernels.take(stage.number, work.plan.notebooks[stage.number])
    try:
        outcome = run_notebook(_job(work, stage), kernel, on_cell)
    finally:
        kernels.give_back(kernel)
    (work.place.executing / stage.file).replace(tree / "notebooks" / stage.file)
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


def _job(work: Work, stage: Stage):
    from runner.execution import Job

    tree, table, toml = work.place.tree, work.source.table, work.source.toml
    passed, shown = parameters_for(work.plan, stage, work.source, tree)
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
        executed=work.place.executing / stage.file,
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

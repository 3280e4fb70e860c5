"""A run from its plan to published results."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import tomllib
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import inputs, manifest, stamps
from runner.errors import DONE, RunFailed, UserError
from runner.inputs import Source
from runner.plan import Plan, parameters_for, results_folder
from runner.progress import Progress
from runner.publishing import MADE_LAST, Workplace, claim
from runner.stages import Stage

_AT_ONCE = min(2, os.cpu_count() or 1)  # notebooks side by side
_AHEAD = 2  # kernels that load their libraries while others work


def run(plan: Plan) -> int:
    """Run what is out of date and publish the results.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    int
        The exit code of a run that went well.

    Raises
    ------
    UserError
        If the user's input turned out to be wrong.
    RunFailed
        If a stage failed. In both cases earlier results are untouched.
    """
    table = inputs.check_table(plan.options.input) if plan.options.input else None
    source = inputs.resolve_dataset(plan.options.dataset, table, plan.folder)
    results = results_folder(plan.options, source)
    new_parents = [parent for parent in results.parents if not parent.exists()]
    with closing(Progress()) as progress, claim(results, wait=plan.options.wait) as place:
        existed = place.tree.exists()
        job = Run(plan, source, place, progress)
        try:
            changed = job.work()
        except UserError:
            # A user's mistake leaves no trace; what an earlier, stopped run has left stays.
            if not existed:
                place.clear()
                for parent in new_parents:
                    with suppress(OSError):
                        parent.rmdir()
            raise
        except RunFailed as failed:
            raise RunFailed(f"{failed}\nLog: {place.log}") from None
        except OSError:
            raise
        except Exception as error:
            with place.log.open("a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
            said = str(error).partition("\n")[0][:300]
            raise RunFailed(f"{type(error).__name__}: {said}\nLog: {place.log}") from None
        place.clear()
    word = "Report" if changed else "Nothing to do; the report is"
    progress.say(f"{word}: {_first_page(results)}")
    return DONE


def _first_page(results: Path) -> Path:
    index = results / "index.html"
    if index.exists():
        return index
    return next(iter(sorted((results / "notebooks").glob("*.html"))), results)


class Run:
    """One run: which stages are due, and what becomes of them.

    Parameters
    ----------
    plan : Plan
    source : Source
    place : Workplace
    progress : Progress
    """

    def __init__(self, plan: Plan, source: Source, place: Workplace, progress: Progress) -> None:
        self._plan, self._source, self._place, self._progress = plan, source, place, progress
        self._started = _now()
        self._inputs = {
            part: [(path.name, inputs.digest(path)) for path in paths]
            for part, paths in source.files().items()
        }
        self._skipped: set[str] = set()
        self._pages: list[Future[None]] = []

    def work(self) -> bool:
        """Bring the results up to date; return whether anything had to be done."""
        if self._nothing_to_do():
            for stage in self._plan.series:
                self._progress.skipped(stage)
            return False
        self._place.open()
        self._run_stages()
        self._finish()
        self._place.publish()
        return True

    # --- what is due ----------------------------------------------------------------------------

    def _key(self, stage: Stage, tree: Path) -> str:
        _, shown = parameters_for(self._plan, stage, self._source, tree)
        shown.pop("dataset", None)  # its content counts, not its name
        return stamps.key_of(
            stage,
            self._plan.notebooks[stage.number],
            helper=self._plan.folder,
            parameters=shown,
            inputs=self._inputs,
            tree=tree,
            series=self._plan.series,
        )

    def _nothing_to_do(self) -> bool:
        results = self._place.results
        published = manifest.read(results)
        if published is None or any(map(self._plan.forced, self._plan.series)):
            return False
        outputs = published["outputs"]
        for name in [*MADE_LAST[:2], *(f"notebooks/{s.name}.html" for s in self._plan.series)]:
            path = results / name
            if name in outputs and not path.exists():
                return False
            if path.exists() and path.stat().st_size != outputs.get(name, {}).get("bytes"):
                return False
        return all(
            stamps.is_current(results, stage, self._key(stage, results))
            and stamps.read(results, stage).page == self._page_key(stage, results)
            for stage in self._plan.series
        )

    # --- stages ---------------------------------------------------------------------------------

    def _run_stages(self) -> None:
        from runner.kernels import Kernels

        # The checker of notebook files compiles a grammar of internet addresses when it is loaded,
        # for which notebooks have no use: two thirds of a second. It does without where it must.
        sys.modules.setdefault("rfc3987_syntax", None)
        place = self._place
        with ExitStack() as stack:
            kernels = Kernels(self._plan.folder, place.executing, place.log)
            # On the way out, in reverse: what still runs is stopped, those who wait for it notice
            # and leave, and the last one tidies up.
            stack.callback(kernels.close)
            workers = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
            renderer = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(kernels.kill)
            self._schedule(kernels, workers, renderer)
            for page in self._pages:
                page.result()

    def _schedule(
        self, kernels: Any, workers: ThreadPoolExecutor, renderer: ThreadPoolExecutor
    ) -> None:
        """Start each stage once those that it needs are settled, a few side by side."""
        waiting = list(self._plan.series)
        settled: set[str] = set()
        running: dict[Future[None], Stage] = {}
        while waiting or running:
            for stage in [s for s in waiting if settled.issuperset(s.needs)]:
                if len(running) == _AT_ONCE:
                    break
                waiting.remove(stage)
                key = self._key(stage, self._place.tree)
                if self._may_skip(stage, key):
                    kernels.drop(stage.number)
                    settled.add(stage.number)
                else:
                    running[workers.submit(self._run_stage, stage, key, kernels)] = stage
                    self._prepare(kernels, waiting)
            else:
                if any(settled.issuperset(s.needs) for s in waiting) and len(running) < _AT_ONCE:
                    continue  # a skipped stage has cleared the way for another
            # With a time limit, because Windows lets no Ctrl-C through an endless wait.
            done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                future.result()
                settled.add(stage.number)
                self._pages.append(renderer.submit(self._render, stage))

    def _may_skip(self, stage: Stage, key: str) -> bool:
        """Whether a stage need not run; says so if it does not."""
        if not self._plan.chosen(stage):
            self._skip_unchosen(stage, key)
        elif not self._plan.forced(stage) and self._place.restore(stage, key):
            self._progress.skipped(stage)
        else:
            return False
        self._skipped.add(stage.number)
        return True

    def _skip_unchosen(self, stage: Stage, key: str) -> None:
        """Pass over a stage that --only leaves out, if what it would write is not needed."""
        only = self._plan.options.only
        tree = self._place.tree
        if self._place.restore(stage, key):
            self._progress.skipped(stage)
        elif stamps.files_of(tree, stage):
            self._progress.skipped(stage, "left as it was; out of date")
        elif only is not None and stage.number in only.needs:
            raise UserError(
                f"notebook {only.number} needs what {stage.name} writes, and that is not there",
                where=f"--only {only.number}",
                remedy="run without --only first",
            )
        else:
            self._progress.skipped(stage, "left out")

    def _prepare(self, kernels: Any, waiting: list[Stage]) -> None:
        """Start kernels for the stages that come next."""
        due = [stage for stage in waiting if self._plan.chosen(stage)]
        for stage in due[:_AHEAD]:
            kernels.prepare(stage.number, self._plan.notebooks[stage.number])

    def _run_stage(self, stage: Stage, key: str, kernels: Any) -> None:
        """Run a notebook; in a thread of its own."""
        tree = self._place.tree
        began, advance = _now(), self._progress.start(stage)
        stamps.remove(tree, stage)
        (tree / "notebooks").mkdir(exist_ok=True)
        kernel = kernels.take(stage.number, self._plan.notebooks[stage.number])
        try:
            from runner.execution import run_notebook

            outcome = run_notebook(self._job(stage), kernel, advance)
        finally:
            kernels.give_back(kernel)
        executed = self._place.executing / stage.file
        executed.replace(tree / "notebooks" / stage.file)
        self._check_reads(stage)
        stamps.write(
            tree,
            stage,
            stamps.Stamp(
                key=key,
                outputs=stamps.hashes(tree, stage),
                started=began,
                seconds=round(outcome.seconds, 2),
                peak_memory=outcome.peak_memory,
            ),
        )
        self._progress.done(stage, outcome.seconds)

    def _job(self, stage: Stage) -> Any:
        from runner.execution import Job

        tree, table = self._place.tree, self._source.table
        passed, shown = parameters_for(self._plan, stage, self._source, tree)
        masks = {str(tree): f"results/{self._place.results.name}"}
        if table:
            masks |= {str(table): table.name}
        if self._source.toml:
            masks |= {str(self._source.toml.parent): self._source.name}
        masks |= {str(inputs.ROOT) + os.sep: "", str(Path.home()) + os.sep: "~/"}
        return Job(
            name=f"{stage.number} {stage.topic}",
            source=self._plan.folder / stage.file,
            executed=self._place.executing / stage.file,
            parameters=passed,
            shown=shown,
            masks={json.dumps(k)[1:-1]: v for k, v in masks.items()} | masks,
            time_limit=self._plan.options.time_limit,
            log=self._place.log,
        )

    def _check_reads(self, stage: Stage) -> None:
        """Hold a notebook to the stages that it is declared to need, or reruns would miss some."""
        path = self._place.tree / "stages" / f"{stage.number}_reads.json"
        if not path.is_file():
            return
        names = json.loads(path.read_text(encoding="utf-8"))
        undeclared = {name[:2] for name in names} - {*stage.needs, stage.number}
        if undeclared:
            raise RunFailed(
                f"{stage.number} {stage.topic} reads files of stage {min(undeclared)}, which it is"
                " not declared to need."
            )

    # --- pages and records ----------------------------------------------------------------------

    def _context(self, stage: Stage) -> dict[str, Any]:
        """Return what a notebook's page says around the notebook."""
        entries = [
            {"href": f"{s.name}.html", "title": s.title, "number": s.number}
            for s in self._plan.series
        ]
        place = self._plan.series.index(stage)
        return {
            "title": stage.title,
            "dataset_title": self._dataset_title(),
            "index_href": "../index.html",
            "quick": self._plan.options.quick,
            "up_to_date": True,
            "notebooks": entries,
            "previous": entries[place - 1] if place else None,
            "next": entries[place + 1] if place + 1 < len(entries) else None,
        }

    def _dataset_title(self) -> str:
        if self._source.toml is None:
            return self._source.table.name if self._source.table else self._source.name
        try:
            head = tomllib.loads(self._source.toml.read_text(encoding="utf-8"))["dataset"]
            return str(head["title"])
        except (ValueError, LookupError):
            return self._source.name.replace("_", " ").capitalize()

    def _page_key(self, stage: Stage, tree: Path) -> str:
        stamp = stamps.read(tree, stage)
        executed = stamp.outputs.get(f"notebooks/{stage.file}", "") if stamp else ""
        text = json.dumps([_renderer(), executed, self._context(stage)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _render(self, stage: Stage) -> None:
        """Make the page of a notebook, unless it is there; in a thread of its own."""
        tree = self._place.tree
        executed = tree / "notebooks" / stage.file
        page = executed.with_suffix(".html")
        stamp, key = stamps.read(tree, stage), self._page_key(stage, tree)
        if stamp is None or (page.is_file() and stamp.page == key):
            return
        from runner.rendering import render_notebook

        render_notebook(executed, page, context=self._context(stage))
        stamps.write(tree, stage, replace(stamp, page=key))

    def _finish(self) -> None:
        """Make everything that is about the run as a whole; the manifest comes last."""
        tree = self._place.tree
        for name in MADE_LAST:
            (tree / name).unlink(missing_ok=True)
        for stage in self._plan.series:
            self._render(stage)
        _merge_metrics(tree, self._plan.series)
        run = self._record()
        if (tree / "stages" / f"{self._plan.series[-1].number}_report.json").is_file():
            from runner.report import render_index

            render_index(tree, run=run)
        manifest.write(tree, run, finished=_now())

    def _record(self) -> dict[str, Any]:
        tree = self._place.tree
        stages, parameters = [], {}
        for stage in self._plan.series:
            stamp = stamps.read(tree, stage)
            if stamp is None:
                continue
            _, shown = parameters_for(self._plan, stage, self._source, tree)
            declared = self._plan.declared[stage.number]
            hidden = ("results_dir", "input_file")
            parameters[stage.number] = {
                name: shown.get(name, parameter.default)
                for name, parameter in declared.items()
                if name not in hidden
            }
            stages.append(
                {
                    "number": stage.number,
                    "title": stage.title,
                    "href": f"notebooks/{stage.name}.html",
                    "started": stamp.started,
                    "seconds": stamp.seconds,
                    "peak_memory": stamp.peak_memory,
                    "skipped": stage.number in self._skipped,
                    "current": stamp.key == self._key(stage, tree),
                }
            )
        record = manifest.describe(
            self._source,
            self._inputs,
            settings=self._plan.options.settings,
            parameters=parameters,
            quick=self._plan.options.quick,
            stages=stages,
            started=self._started,
        )
        return record


def _merge_metrics(tree: Path, series: tuple[Stage, ...]) -> None:
    """Write metrics.json: the numbers of all notebooks under the topic of each."""
    merged = {}
    for stage in series:
        path = tree / "stages" / f"{stage.number}_metrics.json"
        if path.is_file():
            merged[stage.topic] = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps(merged, indent=1, ensure_ascii=False, allow_nan=False)
    (tree / "metrics.json").write_text(text + "\n", encoding="utf-8")


def _renderer() -> str:
    """Return a hash of the code and the templates that make pages."""
    folder = Path(__file__).parent
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return "".join(inputs.digest(path)[:16] for path in sorted(paths))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")

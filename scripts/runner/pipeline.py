"""A run from its plan to published results."""

from __future__ import annotations

import shutil
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from customer_tables.errors import UserError
from runner import answer, finishing, inputs, repeating
from runner.errors import DONE, RunFailed
from runner.plan import Plan, results_folder
from runner.progress import Progress
from runner.publishing import claim
from runner.traces import note_error
from runner.work import Work


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
    source = _source(plan)
    results = results_folder(plan.options, source)
    source = inputs.with_own_guess(source, results)
    if plan.record:
        repeating.check_inputs(plan.record, source.files() | plan.files())
    new_parents = [parent for parent in results.parents if not parent.exists()]
    with closing(Progress()) as progress:
        for note in repeating.differences_of_versions(plan.record) if plan.record else ():
            progress.say(note)
        with claim(results, wait=plan.options.wait) as place:
            work = Work(plan, source, place, progress)
            left_behind = place.tree.exists()
            try:
                changed = _bring_up_to_date(work)
            except UserError:
                # A user's mistake leaves no trace; what an earlier, stopped run has left stays.
                if not left_behind:
                    place.clear()
                    for parent in new_parents:
                        with suppress(OSError):
                            parent.rmdir()
                raise
            except RunFailed as failed:
                raise RunFailed(f"{failed}\nLog: {place.log}") from None
            except OSError:
                raise  # explained where the place was claimed
            except Exception as error:
                raise _unforeseen(error, place.log) from None
            finally:
                shutil.rmtree(place.private, ignore_errors=True)
            place.clear()
        word = "Report" if changed else "Nothing to do; the report is"
        if plan.record:
            progress.say(repeating.compare(plan.record, results))
        for line in answer.lines(results):
            progress.say(line)
        progress.say(f"{word}: {_first_page(results)}")
        progress.say(f"Explore it: {answer.explore()}")
    return DONE


def _source(plan: Plan) -> inputs.Source:
    """Return the data of a run."""
    table = inputs.check_table(plan.options.input) if plan.options.input else None
    source = inputs.resolve_dataset(plan.options.dataset, table, plan.folder)
    if plan.options.demographics:
        demographics = inputs.check_table(plan.options.demographics, "--demographics")
        source = replace(source, demographics=demographics)
    return source


def _bring_up_to_date(work: Work) -> bool:
    """Run, complete and publish what is due; return whether anything was."""
    if not any(map(work.plan.forced, work.plan.series)) and finishing.is_finished(work):
        for stage in work.plan.series:
            work.progress.skipped(stage)
        return False
    from runner.scheduling import run_stages  # brings the tools that run notebooks

    work.place.open(work.plan.series)
    run_stages(work, partial(finishing.render, work))
    finishing.finish(work)
    work.place.publish()
    return True


def _unforeseen(error: Exception, log: Path) -> RunFailed:
    said = note_error(log, error)[:300]
    return RunFailed(": ".join([*getattr(error, "__notes__", []), said]) + f"\nLog: {log}")


def _first_page(results: Path) -> Path:
    index = results / "index.html"
    if index.exists():
        return index
    return next(iter(sorted((results / "notebooks").glob("*.html"))), results)

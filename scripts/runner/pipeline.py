"""A run from its plan to published results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from customer_tables.errors import UserError
from customer_tables.storage import write_atomically
from runner import DONE, ROOT, RunFailed, finishing, inputs, repeating, terminal
from runner.notebook_files import edited
from runner.plan import Plan, Work
from runner.publishing import claim
from runner.terminal import Progress
from runner.traces import note_error


def run(plan: Plan) -> int:
    """Run what is out of date and publish the results; return the exit code of a good end.

    Raises
    ------
    UserError
        If the user's input turned out to be wrong.
    RunFailed
        If a stage failed. In both cases earlier results are untouched.
    """
    source, options = _source(plan), plan.options
    results = inputs.check_results(options.results or ROOT / "results" / source.name)
    for path in (path for paths in source.files().values() for path in paths):
        inside = Path(os.path.abspath(path)).is_relative_to(results)  # "../x" is not
        if inside and path.name != "dataset.toml":
            raise UserError(
                f"the results would replace the folder that holds {path.name}",
                where=f"--results {options.results or results}",
                remedy="choose another folder for the results, or move the table",
            )
    new_parents = [parent for parent in results.parents if not parent.exists()]
    source = inputs.with_own_guess(source, results)
    with closing(Progress()) as progress:
        for note in _notes(plan, source):
            progress.say(note)
        with claim(results, wait=options.wait) as place:
            left_behind = place.tree.exists()
            try:
                changed = _bring_up_to_date(Work(plan, source, place, progress))
            except UserError as error:
                error.remedy += _keep_guess(place.tree, results, source)
                # A user's mistake leaves no trace; what an earlier, stopped run has left stays.
                if not left_behind:
                    place.clear()
                    with suppress(OSError):
                        for parent in new_parents:
                            parent.rmdir()
                raise
            except RunFailed as failed:
                kept = _keep_guess(place.tree, results, source)
                raise RunFailed(f"{failed}{kept}\nLog: {place.log}") from None
            except OSError:
                raise  # explained where the place was claimed
            except Exception as error:
                said = [*getattr(error, "__notes__", []), note_error(place.log, error)[:300]]
                raise RunFailed(f"{': '.join(said)}\nLog: {place.log}") from None
            finally:
                shutil.rmtree(place.private, ignore_errors=True)
            place.clear()
        if plan.record:
            progress.say(repeating.compare(plan.record, results))
        told = terminal.columns(results, guessed=source.toml is None)
        for line in (*told, *terminal.found(results)):
            progress.say(line)
        word = "Report" if changed else "Nothing to do; the report is"
        pages = [results / "index.html", *sorted((results / "notebooks").glob("*.html")), results]
        progress.say(f"{word}: {next(page for page in pages if page.exists())}")
        progress.say(f"Explore it: {terminal.explore()}")
        terminal.follow(source.dataset, results)
    return DONE


def _notes(plan: Plan, source: inputs.Source) -> Iterator[str]:
    """Tell what of a run is not as committed, or as in the run that it repeats."""
    for stage in plan.series:
        yield from edited(plan.folder / stage.file, plan.declared[stage.number])
    if plan.record:
        repeating.check_inputs(plan.record, plan.files(source))
        yield from repeating.differences_of_versions(plan.record)


def _keep_guess(tree: Path, results: Path, source: inputs.Source) -> str:
    """Keep the guessed dataset.toml of a run that failed, beside the results; say where."""
    guess = tree / "dataset.toml"
    if source.toml is not None or not guess.is_file():
        return ""
    kept = results.with_name(f"{results.name}_dataset.toml")
    write_atomically(kept, guess.read_bytes())
    return f" (what was guessed: {kept}; correct it and give it as --dataset)"


def _source(plan: Plan) -> inputs.Source:
    """Return the data of a run."""
    options = plan.options
    table = inputs.check_table(options.input) if options.input else None
    settled = next(iter(plan.settings.values()), {})  # those of the notebook that reads
    source = inputs.resolve_dataset(options.dataset, table, str(settled.get("roles", "")))
    if options.demographics:
        demographics = inputs.check_table(options.demographics, "--demographics")
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
    finishing.begin(work)
    run_stages(work)
    finishing.finish(work)
    work.place.publish()
    return True

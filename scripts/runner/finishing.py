"""From executed notebooks to complete results: pages, merged numbers, start page, manifest."""

from __future__ import annotations

import json
import os
import platform
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from customer_tables.storage import file_digest, text_digest, write_json
from runner import ROOT, records
from runner.notebook_files import NEXT_PERIOD
from runner.plan import Work, now
from runner.publishing import MADE_LAST
from segmentation.stages import KEPT, Stage, with_topics_apart


def begin(work: Work) -> None:
    """Remove what is made last, lest a notebook takes it for the report of its own results.

    And what is kept, where everything is to be computed again.
    """
    for name in MADE_LAST:
        (work.place.tree / name).unlink(missing_ok=True)
    if work.plan.options.force or work.plan.record:
        for path in work.place.tree.glob(KEPT.format("*")):
            path.unlink()


def finish(work: Work) -> None:
    """Make everything that is about the run as a whole; the manifest comes last."""
    tree, series = work.place.tree, work.plan.series
    for stage in series:
        render(work, stage)
    paths = {stage.topic: tree / "stages" / f"{stage.number}_metrics.json" for stage in series}
    numbers = {
        topic: json.loads(p.read_text(encoding="utf-8"))
        for topic, p in paths.items()
        if p.is_file()
    }
    write_json(tree / "metrics.json", with_topics_apart(numbers))
    run = _record(work)
    if any((tree / "stages" / f"{s.number}_report.json").is_file() for s in series):
        from runner.start_page import render_index

        with _during("The start page cannot be made"):
            render_index(tree, run=run)
    records.write_manifest(tree, run, finished=now())


def is_finished(work: Work) -> bool:
    """Whether the published results are complete and what a run would make now."""
    results, series = work.place.results, work.plan.series
    published = records.read_manifest(results)
    if published is None:
        return False
    for name in ("index.html", "metrics.json", *(f"notebooks/{s.name}.html" for s in series)):
        size = (results / name).stat().st_size if (results / name).is_file() else None
        if size != published["outputs"].get(name, {}).get("bytes"):
            return False
    for stage in series:
        stamp = records.read_stamp(results, stage)
        if stamp is None or stamp.page != _page_key(work, stage, stamp):
            return False
        if not records.is_current(results, stage, work.key(stage, results)):
            return False
    return True


# --- pages --------------------------------------------------------------------------------------


def render(work: Work, stage: Stage) -> None:
    """Make the page of an executed notebook, unless it is there already."""
    tree = work.place.tree
    executed = tree / "notebooks" / stage.file
    page = executed.with_suffix(".html")
    stamp = records.read_stamp(tree, stage)
    if stamp is None:
        return
    key = _page_key(work, stage, stamp)
    if page.is_file() and stamp.page == key:
        return
    from runner.notebook_page import render_notebook

    with _during(f"The page of {stage.name} cannot be made"):
        render_notebook(executed, page, context=_context(work, stage, stamp))
    records.write_stamp(tree, stage, replace(stamp, page=key))


def _page_key(work: Work, stage: Stage, stamp: records.Stamp) -> str:
    """Return the hash of everything that a page depends on."""
    executed = stamp.outputs.get(f"notebooks/{stage.file}", "")
    text = json.dumps([_renderer(), executed, _context(work, stage, stamp)], sort_keys=True)
    return text_digest(text)


@cache
def _renderer() -> str:
    """Return a hash of the code and the templates that make pages."""
    paths = sorted(p for p in Path(__file__).parent.rglob("*") if p.suffix != ".pyc")
    return "".join(file_digest(path)[:16] for path in paths if path.is_file())


def _context(work: Work, stage: Stage, stamp: records.Stamp) -> dict[str, Any]:
    """Return what a page says around its notebook."""
    series = work.plan.series
    entries = [{"href": f"{s.name}.html", "title": s.title, "number": s.number} for s in series]
    before, _, after = [None, *entries, None][(place := series.index(stage)) : place + 3]
    return {
        "title": stage.title,
        "dataset_title": _dataset_title(work),
        "index_href": "../index.html",
        "quick": work.plan.options.quick,
        "up_to_date": work.is_current(stage, stamp),
        "notebooks": entries,
        "previous": before,
        "next": after,
    }


def _dataset_title(work: Work) -> str:
    toml, table = work.source.toml, work.source.table
    if toml is None:
        return table.name if table else work.source.name
    try:
        return str(tomllib.loads(toml.read_text(encoding="utf-8"))["dataset"]["title"])
    except (ValueError, LookupError):
        return work.source.name.replace("_", " ").capitalize()


@contextmanager
def _during(what: str) -> Iterator[None]:
    """Note on an error what could not be done."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


# --- records ------------------------------------------------------------------------------------


def _record(work: Work) -> dict[str, Any]:
    """Return the record of the run for the start page and the manifest, without its outputs.

    It holds no paths: they tell about the user's machine, and a file's hash says which it was.
    """
    plan, source = work.plan, work.source
    stamped = [(s, stamp) for s in plan.series if (stamp := records.read_stamp(work.place.tree, s))]
    parameters = {stage.number: _parameters(work, stage) for stage, _ in stamped}
    seeds = {values["seed"] for values in parameters.values() if "seed" in values}
    settings = dict(plan.record.content["settings"] if plan.record else plan.options.settings)
    if NEXT_PERIOD in settings:
        settings[NEXT_PERIOD] = Path(settings[NEXT_PERIOD]).name
    return {
        "schema": records.SCHEMA,
        "dataset": source.name,
        "inputs": [
            {"part": part, "name": name, "sha256": value}
            for part, files in work.inputs.items()
            for name, value in files
        ],
        "given": {
            "input": source.table.name if source.table else None,
            "demographics": source.demographics.name if source.demographics else None,
        },
        "quick": plan.options.quick,
        "settings": settings,
        "parameters": parameters,
        "seed": seeds.pop() if len(seeds) == 1 else sorted(seeds) or None,
        "started": work.started,
        "stages": [
            {
                "number": stage.number,
                "title": stage.title,
                "href": f"notebooks/{stage.name}.html",
                "started": stamp.started,
                "seconds": stamp.seconds,
                "cells": stamp.cells,
                "peak_memory": stamp.peak_memory,
                "skipped": stage.number in work.skipped,
                "current": work.is_current(stage, stamp),
            }
            for stage, stamp in stamped
        ],
        "versions": records.versions(),
        "requirements_sha256": file_digest(ROOT / "requirements.txt"),
        "git": records.git_state(),
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def _parameters(work: Work, stage: Stage) -> dict[str, Any]:
    """Return all parameters of a notebook that are not paths, with their values."""
    _, shown = work.parameters(stage)
    return {
        name: shown.get(name, parameter.default)
        for name, parameter in work.plan.declared[stage.number].items()
        if name not in ("results_dir", "input_file", "demographics_file")
    }

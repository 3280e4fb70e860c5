"""What a run is going to do, settled before anything is written, and what each stage depends on."""

from __future__ import annotations

import json
import time
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer_tables.storage import file_digest, text_digest
from runner import inputs, records, repeating
from runner.inputs import Options
from runner.notebook_files import (
    NEXT_PERIOD,
    Parameter,
    reachable,
    read_notebook,
    read_parameters,
    settle_parameters,
    source_of,
)
from runner.publishing import Workplace
from segmentation.stages import Stage

if TYPE_CHECKING:  # it needs packages, of which there may be none yet
    from runner.terminal import Progress


@dataclass(frozen=True)
class Plan:
    """A checked run; its tables are by the number of the stage."""

    options: Options
    series: tuple[Stage, ...]
    folder: Path  # where the notebooks lie
    notebooks: dict[str, dict[str, Any]]
    declared: dict[str, dict[str, Parameter]]
    settings: dict[str, dict[str, Any]]  # values of --set
    record: repeating.Record | None = None  # the old run that this one repeats

    def forced(self, stage: Stage) -> bool:
        """Whether a stage runs although it may be up to date."""
        options, start = self.options, self.options.start
        late = start is not None and stage.number >= start.number
        return options.force or options.only == stage or late

    def chosen(self, stage: Stage) -> bool:
        """Whether a stage may run at all."""
        return self.options.only in (None, stage)

    def files(self, source: inputs.Source) -> dict[str, list[Path]]:
        """Return the files that the run depends on, by their part in it."""
        named = self.options.settings.get(NEXT_PERIOD)
        return source.files() | {"next period": [Path(named)] if named else []}


def make_plan(options: Options, series: tuple[Stage, ...], folder: Path) -> Plan:
    """Check what can be checked without any package: files, names and types of parameters.

    Raises UserError at the first mistake.
    """
    record = repeating.read_record(options.manifest) if options.manifest else None
    if record:
        options = repeating.with_record(options, record)
    if options.input is not None:
        inputs.check_table(options.input)
    if options.demographics is not None:
        inputs.check_table(options.demographics, "--demographics")
    if options.dataset is not None:
        inputs.resolve_dataset(options.dataset, options.input, options.settings.get("roles", ""))
    if options.results is not None:
        inputs.check_results(options.results)
    if named := options.settings.get(NEXT_PERIOD):
        # Its full path, as notebooks run elsewhere.
        path = inputs.check_table(Path(named), f"--set {NEXT_PERIOD}")
        options = replace(options, settings=options.settings | {NEXT_PERIOD: str(path)})
    notebooks = {stage.number: read_notebook(folder / stage.file) for stage in series}
    declared = {number: read_parameters(notebook) for number, notebook in notebooks.items()}
    if record:
        settings = repeating.settings_of(record, declared, options.settings)
    else:
        settings = settle_parameters(options.settings, declared)
    return Plan(options, series, folder, notebooks, declared, settings, record)


def now() -> str:
    """Return the time in this place, with its distance from UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


_LATER = ("k", "join", "limits", "source", "products", "demographics")
_SEGMENTS = "04"  # the first notebook that reads how many segments there are, and who they are


def _before_segments(toml: Path) -> str:
    """Return the hash of what a description says to the notebooks before the segments.

    Files that it names are inputs, wherever they lie.
    """
    try:
        content = tomllib.loads(toml.read_text(encoding="utf-8"))
        head = {"name": toml.parent.name} | content["dataset"]
        source = content.get("source", {})
        content["dataset"] = {n: v for n, v in head.items() if n not in _LATER}
        content["source"] = {n: v for n, v in source.items() if n not in _LATER}
    except (ValueError, LookupError, AttributeError, TypeError):
        return file_digest(toml)
    content.pop("archetypes", None)
    return text_digest(json.dumps(content, sort_keys=True, default=str))


@dataclass
class Work:
    """One run under way."""

    plan: Plan
    source: inputs.Source
    place: Workplace
    progress: Progress
    started: str = field(default_factory=now)
    inputs: dict[str, list[tuple[str, str]]] = field(init=False)  # names and SHA-256, by part
    # By stage number, the key of what the stage would be made from now, once that is settled.
    keys: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)  # numbers of the stages that did not run

    def __post_init__(self) -> None:
        self.inputs = {
            part: [(path.name, file_digest(path)) for path in paths]
            for part, paths in self.plan.files(self.source).items()
        }

    def parameters(self, stage: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that a notebook gets, and those that its executed copy shows as set.

        The latter are without paths of this machine, and without what is as declared.
        """
        declared, source = self.plan.declared[stage.number], self.source
        own: dict[str, Any] = {
            "dataset": source.dataset,
            "results_dir": str(self.place.tree),
            "quick": self.plan.options.quick,
            "input_file": str(source.table or ""),
            "demographics_file": str(source.demographics or ""),
        }
        own |= {"roles": source.roles} if source.roles else {}
        passed = {name: value for name, value in own.items() if name in declared}
        passed |= {n: v for n, v in self.plan.settings[stage.number].items() if n not in passed}
        shown = {name: value for name, value in passed.items() if name != "results_dir"}
        if "dataset" in shown and source.toml:
            shown["dataset"] = source.name
        for name in ("input_file", "demographics_file", NEXT_PERIOD):
            if shown.get(name):
                shown[name] = Path(shown[name]).name
        return passed, {n: value for n, value in shown.items() if value != declared[n].default}

    def key(self, stage: Stage, tree: Path) -> str:
        """Return the hash of everything that a stage's result depends on.

        `tree` is a results folder with the hand-off files of earlier stages.
        """
        _, shown = self.parameters(stage)
        shown.pop("dataset", None)  # its content counts, not its name
        if NEXT_PERIOD in shown:
            shown["files"] = [value for _, value in self.inputs["next period"]]
        dataset, toml = [value for _, value in self.inputs["dataset"]], self.source.toml
        if toml is None and stage.needs and (tree / "dataset.toml").is_file():
            toml = tree / "dataset.toml"  # inferred by the first notebook, and perhaps edited since
        if toml:
            dataset = [_before_segments(toml) if stage.number < _SEGMENTS else file_digest(toml)]
        handed: dict[str, str] = {}
        for other in self.plan.series:
            stamp = records.read_stamp(tree, other) if other.number in stage.needs else None
            for name, value in stamp.outputs.items() if stamp else ():
                if name.startswith("stages/") or name in other.also:
                    handed[name] = value
        notebook, folder = self.plan.notebooks[stage.number], self.plan.folder
        content = {
            "format": records.FORMAT,
            "stage": stage.name,
            "cells": [
                [cell.get("cell_type"), cell.get("metadata", {}).get("tags", []), source_of(cell)]
                for cell in notebook["cells"]
            ],
            "code": {
                path.relative_to(folder).as_posix(): file_digest(path)
                for path in reachable(notebook, folder)
            },
            "parameters": shown,
            "dataset": dataset,
            # Only a stage that needs no other one reads the table itself.
            "table": self.inputs["table"] if not stage.needs else [],
            "handed": handed,
            "versions": records.versions(),
        }
        return text_digest(json.dumps(content, sort_keys=True, default=str))

    def is_current(self, stage: Stage, stamp: records.Stamp) -> bool:
        """Whether a stage's results are what its code and its input would give now."""
        return stamp.key == self.keys.get(stage.number, stamp.key)

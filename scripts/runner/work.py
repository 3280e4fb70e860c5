"""A run in progress: its plan, its data, and what each of its stages is made from."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customer_tables.storage import file_digest, text_digest
from runner import stamps
from runner.inputs import Source
from runner.notebook_files import reachable, source_of
from runner.parameters import NEXT_PERIOD
from runner.plan import Plan
from runner.progress import Progress
from runner.publishing import Workplace
from segmentation.stages import Stage


def now() -> str:
    """Return the time in this place, with its distance from UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


@dataclass
class Work:
    """One run under way."""

    plan: Plan
    source: Source
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
        dataset, inferred = [value for _, value in self.inputs["dataset"]], tree / "dataset.toml"
        if self.source.toml is None and stage.needs and inferred.is_file():
            # Inferred by the first notebook, and perhaps edited since.
            dataset = [file_digest(inferred)]
        handed: dict[str, str] = {}
        for other in self.plan.series:
            stamp = stamps.read(tree, other) if other.number in stage.needs else None
            for name, value in stamp.outputs.items() if stamp else ():
                if name.startswith("stages/") or name in other.also:
                    handed[name] = value
        notebook, folder = self.plan.notebooks[stage.number], self.plan.folder
        content = {
            "format": stamps.FORMAT,
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
            "versions": stamps.versions(),
        }
        return text_digest(json.dumps(content, sort_keys=True, default=str))

    def is_current(self, stage: Stage, stamp: stamps.Stamp) -> bool:
        """Whether a stage's results are what its code and its input would give now."""
        return stamp.key == self.keys.get(stage.number, stamp.key)

"""What the parts of one run share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from customer_tables.storage import file_digest
from runner import stamps
from runner.inputs import Source
from runner.plan import Plan, parameters_for
from runner.progress import Progress
from runner.publishing import Workplace
from segmentation.stages import Stage


@dataclass
class Work:
    """One run under way.

    Attributes
    ----------
    plan : Plan
    source : Source
    place : Workplace
    progress : Progress
    started : str
    inputs : dict
        By part in the run, name and SHA-256 of each file.
    keys : dict
        By stage number, the key of what the stage would be made from now, once that is settled.
    skipped : set of str
        Numbers of the stages that did not run.
    """

    plan: Plan
    source: Source
    place: Workplace
    progress: Progress
    started: str = ""
    inputs: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.started = now()
        self.inputs = {
            part: [(path.name, file_digest(path)) for path in paths]
            for part, paths in (self.source.files() | self.plan.files()).items()
        }

    def key(self, stage: Stage, tree: Path) -> str:
        """Return the key of what a stage would be made from, given earlier stages' results."""
        _, shown = parameters_for(self.plan, stage, self.source, tree)
        shown.pop("dataset", None)  # its content counts, not its name
        if files := self.plan.named_files(stage):
            shown["files"] = [file_digest(path) for path in files]
        known, inferred = self.inputs, tree / "dataset.toml"
        if self.source.toml is None and stage.needs and inferred.is_file():
            # Inferred by the first notebook, and perhaps edited since.
            known = known | {"dataset": [(inferred.name, file_digest(inferred))]}
        return stamps.key_of(
            stage,
            self.plan.notebooks[stage.number],
            helper=self.plan.folder,
            parameters=shown,
            inputs=known,
            tree=tree,
            series=self.plan.series,
        )

    def is_current(self, stage: Stage, stamp: stamps.Stamp) -> bool:
        """Whether a stage's results are what its code and its input would give now."""
        return stamp.key == self.keys.get(stage.number, stamp.key)


def now() -> str:
    """Return the time in this place, with its distance from UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")

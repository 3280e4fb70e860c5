"""What a run is going to do: settled and checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner import inputs, repeating
from runner.arguments import Options
from runner.notebook_files import read_notebook
from runner.parameters import NEXT_PERIOD, Parameter, read_parameters, settle_parameters
from segmentation.stages import Stage


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

"""What a run is going to do: settled and checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from runner import inputs, repeating
from runner.arguments import Options
from runner.environment import ROOT
from runner.notebook_files import read_notebook
from runner.parameters import FILES, Parameter, read_parameters, settle_parameters
from runner.repeating import Record
from segmentation.stages import Stage


@dataclass(frozen=True)
class Plan:
    """A checked run.

    Attributes
    ----------
    options : Options
    series : tuple of Stage
    folder : pathlib.Path
        Where the notebooks lie.
    notebooks : dict
        Each notebook's content by stage number.
    declared : dict
        By stage number, the parameters that the notebook declares.
    settings : dict
        By stage number, the values of --set for it.
    record : Record or None
        The old run that this one repeats.
    """

    options: Options
    series: tuple[Stage, ...]
    folder: Path
    notebooks: dict[str, dict[str, Any]]
    declared: dict[str, dict[str, Parameter]]
    settings: dict[str, dict[str, Any]]
    record: Record | None = None

    def forced(self, stage: Stage) -> bool:
        """Whether a stage runs although it may be up to date."""
        options = self.options
        start = options.start
        return (
            options.force or options.only == stage or bool(start and stage.number >= start.number)
        )

    def named_files(self, stage: Stage) -> list[Path]:
        """Return the files that a stage reads because a parameter names them."""
        values = self.settings[stage.number]
        return [Path(values[name]) for name in FILES if values.get(name)]

    def files(self) -> dict[str, list[Path]]:
        """Return the files that parameters name, by their part in the run."""
        return {
            part: [Path(values[name]) for values in self.settings.values() if values.get(name)]
            for name, part in FILES.items()
        }

    def chosen(self, stage: Stage) -> bool:
        """Whether a stage may run at all."""
        return self.options.only in (None, stage)


def make_plan(options: Options, series: tuple[Stage, ...], folder: Path) -> Plan:
    """Check what can be checked without any package: files, names and types of parameters.

    Raises
    ------
    UserError
        At the first mistake.
    """
    record = None
    if options.manifest is not None:
        record = repeating.read_record(options.manifest)
        options = repeating.with_record(options, record)
    if options.input is not None:
        inputs.check_table(options.input)
    if options.demographics is not None:
        inputs.check_table(options.demographics, "--demographics")
    if options.dataset is not None:
        inputs.resolve_dataset(options.dataset, options.input, folder)
    if options.results is not None:
        inputs.check_results(options.results)
    notebooks = {stage.number: read_notebook(folder / stage.file) for stage in series}
    declared = {number: read_parameters(notebook) for number, notebook in notebooks.items()}
    if record:
        settings = repeating.settings_of(record, declared, options.settings)
    else:
        settings = settle_parameters(options.settings, declared)
    return Plan(options, series, folder, notebooks, declared, _with_files(settings), record)


def _with_files(settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Check the files that parameters name, and give their full paths: notebooks run elsewhere.

    Raises
    ------
    UserError
        If one of them cannot be read.
    """
    checked = {}
    for number, values in settings.items():
        files = {name: values[name] for name in FILES if values.get(name)}
        paths = {
            name: str(inputs.check_table(Path(value), f"--set {name}"))
            for name, value in files.items()
        }
        checked[number] = values | paths
    return checked


def results_folder(options: Options, source: inputs.Source) -> Path:
    """Return the full path of the folder for the results.

    Raises
    ------
    UserError
        If it cannot take them.
    """
    folder = inputs.check_results(options.results or ROOT / "results" / source.name)
    for path in [p for paths in source.files().values() for p in paths]:
        if path.is_relative_to(folder) and path.name != "dataset.toml":
            raise UserError(
                f"the results would replace the folder that holds {path.name}",
                where=f"--results {options.results or folder}",
                remedy="choose another folder for the results, or move the table",
            )
    return folder

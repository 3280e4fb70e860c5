"""The command `run.py`: from arguments to an exit code."""

from __future__ import annotations

from pathlib import Path

from runner import arguments, environment
from runner.entry import enter, finish
from runner.inputs import NOTEBOOKS
from runner.plan import make_plan
from segmentation.stages import SERIES, Stage


def main(
    script: Path,
    argv: list[str],
    *,
    series: tuple[Stage, ...] = SERIES,
    notebooks: Path = NOTEBOOKS,
) -> int:
    """Run the notebooks as the command line says.

    Parameters
    ----------
    script : pathlib.Path
        The command itself, to be started again inside the environment.
    argv : list of str
        Its arguments.
    series : tuple of Stage, optional
        The notebooks.
    notebooks : pathlib.Path, optional
        Their folder.

    Returns
    -------
    int
        0 done, 1 a stage failed, 2 a user's mistake, 130 interrupted, 143 told to end.
    """

    def run() -> int:
        options = arguments.parse(argv, series)
        if options.engine == "spark":
            from spark_engine.series import run_on_spark

            return run_on_spark(options, series, notebooks, lambda: enter(script, argv))
        plan = make_plan(options, series, notebooks)
        environment.enter(script, argv)
        from runner import pipeline

        return pipeline.run(plan)

    return finish(run, left="earlier results are as they were")

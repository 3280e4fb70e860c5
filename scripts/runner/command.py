"""The command `run.py`: from arguments to an exit code."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from customer_tables.database import fetched, is_address
from runner import arguments
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
    """Run the notebooks of a series as the command line says, and return the exit code.

    `script` is the command itself, to be started again inside the environment.
    """

    def run() -> int:
        options = arguments.parse(argv, series)
        if options.engine == "spark":
            from spark_engine.series import run_on_spark

            return run_on_spark(options, series, notebooks, lambda: enter(script, argv))
        with ExitStack() as at_the_end:
            if is_address(options.place):
                enter(script, argv)
                read = fetched(options.place, options.table, options.query)
                options = replace(options, input=at_the_end.enter_context(read))
            plan = make_plan(options, series, notebooks)
            enter(script, argv)
            from runner import pipeline

            return pipeline.run(plan)

    return finish(run, left="earlier results are as they were")

"""A run of the notebooks on a sample that Spark draws, with everybody scored afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from customer_tables.errors import UserError
from runner import inputs
from runner.arguments import READING, Options
from runner.environment import ROOT
from runner.errors import DONE
from runner.plan import make_plan
from segmentation.stages import Stage
from spark_engine.session import LOCAL, check_master, open_session, settings_of

SAMPLE_SIZE = 100_000
SEED = 20


def run_on_spark(
    options: Options, series: tuple[Stage, ...], notebooks: Path, enter: Callable[[], None]
) -> int:
    """Sum up purchases on Spark, run the notebooks on a sample, and score everybody.

    Customers and their segments go into a folder beside the results: their name and _everybody.

    Parameters
    ----------
    options : Options
    series, notebooks
        As in `make_plan`.
    enter : callable
        Goes on inside the environment.

    Returns
    -------
    int
        The exit code.
    """
    make_plan(options, series, notebooks)  # what is wrong there is said before anything is read
    master, settings = options.master or LOCAL, settings_of(options.conf)
    check_master(master)
    name = _name(options)
    results = inputs.check_results(options.results or ROOT / "results" / name)
    everybody = results.with_name(f"{results.name}_everybody")
    _check_folder(everybody)
    enter()
    sample, toml = _prepare(options, name, everybody, master, settings)
    from runner import pipeline

    chosen = replace(options, input=sample, dataset=options.dataset or str(toml), results=results)
    code = pipeline.run(make_plan(chosen, series, notebooks))
    model = results / "model.json"
    if code != DONE or not model.is_file():
        return code
    _score(model, everybody, master, settings)
    return DONE


def _name(options: Options) -> str:
    if options.dataset not in (None, "auto"):
        return inputs.resolve_dataset(options.dataset, None).name
    if not options.place:
        raise UserError(
            "there are no purchases to sum up",
            where="--engine spark",
            remedy="give --dataset NAME or --input PLACE, or both",
        )
    return inputs.folder_name(Path(options.place).name.split(".")[0])


def _check_folder(folder: Path) -> None:
    """Check that a folder may be replaced by customers."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "customers").is_dir():
        raise UserError(
            "the folder for the customers holds other files",
            where=str(folder),
            remedy="choose another place with --results; the folder lies beside it",
        )


def _prepare(
    options: Options, name: str, folder: Path, master: str, settings: dict[str, str]
) -> tuple[Path, Path | None]:
    """Write customers and sample, in place of earlier ones once they are complete."""
    from segmentation.dataset import load_dataset
    from spark_engine.customers import Purchases, purchases_of, sum_up_on_spark
    from spark_engine.engine import Spark
    from spark_engine.reporting import say, tell_customers
    from spark_engine.sample_file import write_sample

    how = {key: options.settings.get(key, "") for key in READING if key != "sheet"}
    if options.dataset in (None, "auto"):
        purchases = Purchases(options.place, **how)
    else:
        purchases = purchases_of(load_dataset(options.dataset), options.place, **how)
    seed = int(options.settings.get("seed", SEED))
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        with open_session(master, settings) as session:
            engine = Spark(session, Path(purchases.place).name)
            size = options.sample_size or SAMPLE_SIZE
            place = str(partial / "customers")
            summed = sum_up_on_spark(engine, purchases, place, size, seed, say)
        toml = write_sample(partial / f"{name}.parquet", summed, purchases)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sample = folder / f"{name}.parquet"
    tell_customers(summed, str(folder / "customers"), str(sample), seed)
    return sample, folder / toml.name if toml else None


def _score(path: Path, everybody: Path, master: str, settings: dict[str, str]) -> None:
    from segmentation.model import load_model
    from spark_engine.engine import Spark
    from spark_engine.reporting import say, tell_scores
    from spark_engine.scores import score_on_spark

    model, scored = load_model(path), str(everybody / "scored")
    say("Scoring everybody")
    with open_session(master, settings) as session:
        scores = score_on_spark(
            Spark(session, "customers"), model, str(everybody / "customers"), scored
        )
    tell_scores(scores, model, scored)

"""A run of the notebooks on a sample that Spark draws; all customers are scored afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from customer_tables.errors import UserError
from runner import DONE, ROOT, inputs
from runner.inputs import READING, Options
from runner.plan import make_plan
from segmentation.stages import Stage
from spark_engine.session import LOCAL, SAMPLE_SIZE, SEED, check_master, open_session, settings_of


def run_on_spark(
    options: Options, series: tuple[Stage, ...], notebooks: Path, enter: Callable[[], None]
) -> int:
    """Aggregate purchases on Spark, run the notebooks on a sample, and score everybody.

    Customers and their segments go into a folder beside the results: their name and _everybody.

    `series` and `notebooks` are those of `make_plan`; `enter` goes on inside the environment.
    Returns the exit code.
    """
    make_plan(options, series, notebooks)  # what is wrong there is said before anything is read
    master, settings = options.master or LOCAL, settings_of(options.conf)
    check_master(master)
    enter()
    from customer_tables.source import Options as Reading
    from runner import pipeline
    from spark_engine.customers import find_purchases, make_customers, say
    from spark_engine.scores import score

    dataset = None if options.dataset == "auto" else options.dataset
    reading = {key: options.settings.get(key, "") for key in READING if "sheet" not in key}
    purchases = find_purchases(dataset, options.place, Reading(**reading))
    if dataset:
        name = inputs.resolve_dataset(dataset, None).name
    else:
        name = inputs.folder_name(Path(options.place).name.split(".")[0])
    results = inputs.check_results(options.results or ROOT / "results" / name)
    folder = results.with_name(f"{results.name}_everybody")
    if folder.exists() and any(folder.iterdir()) and not (folder / "customers").is_dir():
        raise UserError(
            "the folder for the customers holds other files",
            where=str(folder),
            remedy="choose another place with --results; the folder lies beside it",
        )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    size, seed = options.sample_size or SAMPLE_SIZE, int(options.settings.get("seed", SEED))
    try:  # customers and sample take the place of earlier ones once they are complete
        sample, place = partial / f"{name}.parquet", str(partial / "customers")
        with open_session(master, settings) as session:
            made = make_customers(session, purchases, place, sample, size, seed)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    made.tell(folder / "customers", folder / sample.name, seed)
    toml = options.dataset or str(folder / sample.with_suffix(".toml").name)
    chosen = replace(options, input=folder / sample.name, dataset=toml, results=results)
    code, model = pipeline.run(make_plan(chosen, series, notebooks)), results / "model.json"
    if code == DONE and model.is_file():
        say("Scoring all customers")
        with open_session(master, settings) as session:
            score(session, model, str(folder / "customers"), str(folder / "scored"))
    return code

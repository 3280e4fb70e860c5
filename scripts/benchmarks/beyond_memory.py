"""K-Means on a file that need not fit into memory, against Spark in local mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Goal, Result, Settings

FILE, COLUMNS, PLANTED = "customers.parquet", 17, 12
ROWS = 250_000


def _write(settings: Settings, folder: Path) -> None:
    """Write customers around planted centres that overlap, in columns of different units."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(3)
    centres = rng.normal(0, 2, (PLANTED, COLUMNS))
    widths = rng.uniform(0.6, 1.4, (PLANTED, COLUMNS))
    shares = rng.dirichlet(np.full(PLANTED, 2.0))
    writer = None
    for first in range(0, settings["rows"], ROWS):
        rows = min(ROWS, settings["rows"] - first)
        kind = rng.choice(PLANTED, rows, p=shares)
        values = centres[kind] + rng.normal(size=(rows, COLUMNS)) * widths[kind]
        part = pa.table({f"x{j}": values[:, j] * 10 ** (j % 4) for j in range(COLUMNS)})
        writer = writer or pq.ParquetWriter(folder / FILE, part.schema)
        writer.write_table(part)
    writer.close()


def _streamed(folder: Path, settings: Settings) -> Result:
    from segmentation.streaming import fit_file

    fit = fit_file(folder / FILE, settings["k"])
    return {"inertia": fit.inertia, "sizes": np.sort(fit.sizes)}


def _by_spark(folder: Path, settings: Settings) -> Result:
    """Standardise and fit with Spark's defaults (k-means||, at most 20 steps), rows cached."""
    from pyspark import SparkContext
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import StandardScaler, VectorAssembler
    from pyspark.sql import SparkSession

    options = {
        "spark.driver.memory": settings["spark_memory"],
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(folder),
        "spark.driver.host": "127.0.0.1",
    }
    session = SparkSession.builder.master("local[*]").config(map=options).getOrCreate()
    try:
        rows = session.read.parquet(str(folder / FILE))
        vectors = VectorAssembler(inputCols=rows.columns, outputCol="raw").transform(rows)
        scaler = StandardScaler(inputCol="raw", outputCol="features", withMean=True)
        ready = scaler.fit(vectors).transform(vectors).select("features").cache()
        fitted = KMeans(k=settings["k"], seed=20).fit(ready)
        # Spark divides by n - 1: the same distances in units of n.
        inertia = fitted.summary.trainingCost * settings["rows"] / (settings["rows"] - 1)
        return {"inertia": inertia, "sizes": np.sort(fitted.summary.clusterSizes)}
    finally:
        session.stop()
        java = SparkContext._gateway.proc
        java.stdin.close()  # at which it ends
        java.wait()  # only then its processor time counts


def _no_worse(results: Mapping[str, Result], settings: Settings) -> Equality:
    ours, theirs = (float(result["inertia"]) for result in results.values())
    text = f"inertia {ours / theirs - 1:+.1e} against Spark's, relative"
    return Equality(ours <= theirs * (1 + 1e-6), text)


BEYOND_MEMORY = Entry(
    name="beyond-memory",
    title="K-Means on a Parquet file of 17 columns",
    contestants=(
        Contestant("a sample's centres, then passes over the file", _streamed, ONE_THREAD),
        Contestant("Spark in local mode", _by_spark),
    ),
    sizes={
        "full": ({"rows": 10_000_000, "k": 8, "spark_memory": "6g"},),
        "quick": ({"rows": 500_000, "k": 8, "spark_memory": "2g"},),
        "tiny": ({"rows": 3000, "k": 3, "spark_memory": "1g"},),
    },
    setup=_write,
    compare=_no_worse,
    goals=(Goal("Spark in local mode", 3.5), Goal("Spark in local mode", 4.0, "peak_memory")),
    rounds={"full": 2, "quick": 3, "tiny": 1},
    needs=("pyspark",),
)

ENTRIES = (BEYOND_MEMORY,)

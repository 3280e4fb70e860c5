"""Work over the cores keeps its order and its single threads, and changes no bit of a result."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from segmentation import parallel
from segmentation.parallel import parallel_map, read_ahead


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_results_come_in_order_and_few_items_are_held(cores, monkeypatch):
    monkeypatch.setattr(parallel, "available_cores", lambda: cores)
    drawn, taken = [], []

    def items():
        for item in range(50):
            drawn.append(item)
            assert len(drawn) - len(taken) <= cores + 2
            yield item

    for result in parallel_map(lambda item: item * item, items()):
        taken.append(result)
    assert taken == [item * item for item in range(50)]
    assert list(parallel_map(abs, [])) == []


def test_workers_compute_in_one_thread_and_the_setting_is_undone():
    def threads(_):
        return {library["num_threads"] for library in threadpool_info()}

    with threadpool_limits(2):
        assert list(parallel_map(threads, range(2))) == [{1}, {1}]
        assert threads(None) == {2}


def test_nested_work_stays_in_its_worker(monkeypatch):
    monkeypatch.setattr(parallel, "available_cores", lambda: 2)

    def names(_):
        inner = parallel_map(lambda _: threading.current_thread().name, "ab")
        return {threading.current_thread().name, *inner}

    assert all(len(found) == 1 for found in parallel_map(names, range(3)))


def test_an_error_in_a_worker_or_a_reader_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(parallel_map(lambda item: 1 / item, [1, 0]))
    ahead = read_ahead(1 / item for item in (1, 0))
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)


def test_reading_ahead_stops_when_nobody_asks_any_more():
    drawn, closed = [], []

    def items():
        try:
            for item in range(50):
                drawn.append(item)
                yield item
        finally:
            closed.append(True)

    assert list(read_ahead(items())) == list(range(50))
    drawn.clear()
    ahead = read_ahead(items())
    assert [next(ahead), next(ahead)] == [0, 1]
    ahead.close()
    assert len(drawn) <= 4 and closed == [True, True]


# Everything that runs in parallel, or could by a library, in a process of its own: the number of
# threads is read once, when the libraries load.
RESULTS = """
import hashlib, json, sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from segmentation import kmeans, parallel, sampling, streaming
parallel.available_cores = lambda: int(sys.argv[1])
kmeans.BLOCK = streaming.BLOCK = sampling.BLOCK = 300
streaming.SMALL, streaming.LARGE = 400, 900
from segmentation.alternatives import dbscan, gaussian_mixture, hdbscan, ward_tree
from segmentation.autoencoder import train_autoencoders
from segmentation.kmeans import assign, refine, scan_kmeans
from segmentation.null_reference import gap_statistic, null_statistics
from segmentation.reduction import split_rows
from segmentation.silhouette import silhouettes
from segmentation.stability import bootstrap_agreement, resample_scan

def digest(*arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()

def parts(fit):
    return fit.centres, fit.inertias, fit.inertia

matrix = np.random.default_rng(5).normal(size=(1500, 6))
fits = scan_kmeans(matrix, [3, 5, 8], n_init=4)
labels = {k: fit.labels for k, fit in fits.items()}
resamples = resample_scan(matrix, fits, resamples=4, n_init=2)
null = null_statistics(matrix[:600], [2, 3], draws=1, sample=300)
networks = train_autoencoders(matrix, [2, 3], [0, 1], split_rows(1500, 1), epochs=2)
table = Path(sys.argv[2]) / "table.parquet"
pq.write_table(pa.table({f"x{j}": column for j, column in enumerate(matrix.T)}), table)
print(json.dumps({
    "K-Means": digest(*(part for fit in fits.values() for part in (*parts(fit), fit.labels))),
    "refinement": digest(*parts(refine(matrix, fits[5].centres + 0.2))),
    "file": digest(*parts(streaming.fit_file(table, 4, n_init=2))),
    "sample": digest(sampling.stratified(matrix, 300).rows),
    "assignment": digest(assign(matrix, fits[8].centres)),
    "silhouettes": digest(*silhouettes(matrix, labels).values()),
    "bootstrap": digest(*bootstrap_agreement(matrix, [3, 5], pairs=2, n_init=2).values()),
    "resamples": digest(*(part for r in resamples.values() for part in (r.labels, r.jaccard))),
    "null reference": digest(null.drop(columns="null").to_numpy(float)),
    "gap": digest(gap_statistic(matrix, fits, draws=2).to_numpy(float)),
    "Ward": digest(ward_tree(matrix[:600])),
    "mixture": digest(gaussian_mixture(matrix, 3, 1)),
    "density": digest(dbscan(matrix, 1.0, 5), hdbscan(matrix[:600], 10)),
    "autoencoder": digest(*(weight for n in networks for weight in n.weights)),
}))
"""
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit_of_any_result(tmp_path):
    processes = {}
    for threads in ("1", "4"):
        environ = os.environ | {"PYTHONPATH": str(NOTEBOOKS), "OMP_NUM_THREADS": threads}
        environ |= {"OPENBLAS_NUM_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "2"}
        (tmp_path / threads).mkdir()
        processes[threads] = subprocess.Popen(
            [sys.executable, "-c", RESULTS, threads, tmp_path / threads],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    found = {}
    for threads, process in processes.items():
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
        found[threads] = json.loads(printed)
    assert found["1"] == found["4"]

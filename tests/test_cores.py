"""Work spread over the cores keeps its order and its single threads."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from segmentation.cores import spread


@pytest.mark.parametrize("workers", [None, 1, 2, 4])
def test_results_come_in_the_order_of_the_items(workers):
    assert spread(lambda item: item * item, range(20), workers=workers) == [
        item * item for item in range(20)
    ]


def test_nothing_to_do():
    assert spread(abs, []) == []


def test_workers_compute_in_one_thread_and_the_setting_is_undone():
    def threads(_):
        return {library["num_threads"] for library in threadpool_info()}

    with threadpool_limits(2):
        assert spread(threads, range(2)) == [{1}, {1}]
        assert threads(None) == {2}


def test_nested_work_stays_in_its_worker():
    def names(_):
        return {
            threading.current_thread().name,
            *spread(lambda _: threading.current_thread().name, "ab"),
        }

    assert all(len(found) == 1 for found in spread(names, range(3), workers=2))


def test_an_error_in_a_worker_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        spread(lambda item: 1 / item, [1, 0])


# Everything that is spread over cores, or could be by a library, in a process of its own: the
# number of threads is read once, when the libraries load.
RESULTS = """
import hashlib, json, sys
import numpy as np
from segmentation.autoencoder import train_autoencoders
from segmentation.kmeans import assign, scan_kmeans
from segmentation.null_reference import gap_statistic, null_statistics
from segmentation.reduction import split_rows
from segmentation.alternatives import cut, dbscan, gaussian_mixture, hdbscan, ward_tree
from segmentation.silhouette import silhouettes
from segmentation.stability import bootstrap_agreement, resample_scan

def digest(*arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()

matrix = np.random.default_rng(5).normal(size=(1500, 6))
fits = scan_kmeans(matrix, [3, 5, 8], n_init=4)
labels = {k: fit.labels for k, fit in fits.items()}
resamples = resample_scan(matrix, fits, resamples=4, n_init=2)
null = null_statistics(matrix[:600], [2, 3], draws=1, stability_pairs=1, sample=300)
networks = train_autoencoders(matrix, [2, 3], [0, 1], split_rows(1500, 1), epochs=2)
print(json.dumps({
    "K-Means": digest(*(part for f in fits.values() for part in (f.labels, f.centres, f.inertias))),
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
def test_the_number_of_threads_changes_no_bit_of_any_result():
    processes = {}
    for threads in ("1", "2", "4"):
        environ = os.environ | {"PYTHONPATH": str(NOTEBOOKS), "OMP_NUM_THREADS": threads}
        environ |= {"OPENBLAS_NUM_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "2"}
        processes[threads] = subprocess.Popen(
            [sys.executable, "-c", RESULTS],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    found = {}
    for threads, process in processes.items():
        told, errors = process.communicate()
        assert process.returncode == 0, errors
        found[threads] = json.loads(told)
    assert len(found["1"]) == 11
    assert found["2"] == found["1"]
    assert found["4"] == found["1"]

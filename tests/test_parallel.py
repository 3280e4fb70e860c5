"""Work over the cores keeps its order and its single threads, and changes no bit of a result."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from segmentation import parallel
from segmentation.parallel import parallel_map


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


def digest(*arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def results(cores, folder):
    """Return a digest of everything that runs in parallel, or could by a library."""
    from segmentation import alternatives, kmeans, null_reference, sampling, streaming
    from segmentation.autoencoder import train_autoencoders
    from segmentation.reduction import split_rows
    from segmentation.silhouette import silhouettes
    from segmentation.stability import bootstrap_agreement, resample_scan

    parallel.available_cores = lambda: cores
    kmeans.BLOCK = streaming.BLOCK = sampling.BLOCK = 300
    streaming.SAMPLE = 400
    matrix = np.random.default_rng(5).normal(size=(1500, 6))
    fits = kmeans.scan_kmeans(matrix, [3, 5, 8], n_init=4)
    labels = {k: fit.labels for k, fit in fits.items()}
    resamples = resample_scan(matrix, fits, resamples=4, n_init=2)
    null = null_reference.null_statistics(
        matrix[:600], [2, 3], draws=1, sample=300, stability_ks=[2], pairs=2
    )
    networks = train_autoencoders(matrix, [2, 3], [0, 1], split_rows(1500, 1), epochs=2)
    table = folder / "table.parquet"
    pq.write_table(pa.table({f"x{j}": column for j, column in enumerate(matrix.T)}), table)
    more = [kmeans.refine(matrix, fits[5].centres + 0.2)]
    more += [streaming.fit_file(table, 4, n_init=2)]
    found = {
        "K-Means": [labels.values(), [fit.centres for fit in fits.values()]],
        "inertias": [[fit.inertias for fit in [*fits.values(), *more]]],
        "refinement and file": [[fit.centres for fit in more]],
        "sample": [[sampling.stratified(matrix, 300).rows]],
        "assignment": [kmeans.assign(matrix, fits[8].centres)],
        "silhouettes": [silhouettes(matrix, labels).values()],
        "bootstrap": [bootstrap_agreement(matrix, [3, 5], pairs=2, n_init=2).values()],
        "resamples": [(part.labels, part.jaccard) for part in resamples.values()],
        "null reference": [[null.drop(columns="null").to_numpy(float)]],
        "gap": [[null_reference.gap_statistic(matrix, fits, draws=2).to_numpy(float)]],
        "Ward": [[alternatives.ward_tree(matrix[:600])]],
        "mixture": [[alternatives.gaussian_mixture(matrix, 3, 1)]],
        "density": [[alternatives.dbscan(matrix, 1.0, 5), alternatives.hdbscan(matrix[:600], 10)]],
        "autoencoder": [network.weights for network in networks],
    }
    return {name: digest(*(a for part in parts for a in part)) for name, parts in found.items()}


NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit_of_any_result(tmp_path):
    processes = []
    for threads in ("1", "4"):
        # Processes of their own: the number of threads is read once, when the libraries load.
        environ = os.environ | {"PYTHONPATH": str(NOTEBOOKS), "OMP_NUM_THREADS": threads}
        environ |= {"OPENBLAS_NUM_THREADS": threads}
        (tmp_path / threads).mkdir()
        command = [sys.executable, __file__, threads, str(tmp_path / threads)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=environ, **pipes))
    answers = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert not any(re.search("tensorflow|cuda", said, re.IGNORECASE) for _, said in answers)
    one, four = (json.loads(said) for said, _ in answers)
    assert one == four


if __name__ == "__main__":
    print(json.dumps(results(int(sys.argv[1]), Path(sys.argv[2]))))

"""Work spread over the cores keeps its order and its single threads."""

import threading

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

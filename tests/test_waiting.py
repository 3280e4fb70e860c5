"""Runs that wait for each other: one at a time, whoever clears up in between."""

from __future__ import annotations

import threading
import time

import pytest

from customer_tables.errors import UserError
from runner.publishing import claim

RUNS, TURNS = 4, 12


def test_whoever_waits_gets_the_folder_alone(tmp_path):
    results, inside, problems = tmp_path / "deep" / "mine", [], []

    def run(number: int) -> None:
        try:
            for turn in range(TURNS):
                with claim(results, wait=True) as place:
                    inside.append(number)
                    if len(inside) > 1:
                        problems.append(f"{inside} at once")
                    place.tree.mkdir()  # fails where the one before is still clearing up
                    for name in "abcdef":
                        (place.tree / name).write_text(f"{number} {turn}")
                    time.sleep(0.001)
                    if len(list(place.tree.iterdir())) != 6:
                        problems.append("somebody else removed what was written")
                    inside.remove(number)
                    place.clear()
        except Exception as error:
            problems.append(repr(error))

    runs = [threading.Thread(target=run, args=(number,)) for number in range(RUNS)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join(timeout=60)
    assert problems == []
    assert not any(thread.is_alive() for thread in runs)
    assert list(results.parent.iterdir()) == []


def test_a_folder_that_is_held_says_by_whom(tmp_path):
    results = tmp_path / "mine"
    with claim(results), pytest.raises(UserError, match=r"another run \(process \d+, since 2"):
        with claim(results):
            pass

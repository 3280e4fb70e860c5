"""Fixtures that several test files share."""

from __future__ import annotations

import copy
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from machine import chromium, has_spark, postgresql

import simulate_decision
from runner.locking import lock
from segmentation.dataset import DATA_FOLDER, Dataset, build_dataset

pytest_plugins = ["fitted", "toy_series"]

# One commit is tested with the same examples everywhere; --hypothesis-profile=search draws others.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", max_examples=3_000)
settings.load_profile("same")

# A test process that runs beside others ignores Ctrl-C, and so would every run that it starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHOP = {
    "dataset": {"title": "A shop", "noun": "client", "nouns": "clients"},
    "value": {"column": "spent"},
    "columns": {
        "client": {"kind": "id", "required": False, "found_as": ["Client No."]},
        "spent": {"kind": "money", "valid": [0, float("inf")], "unit": "EUR"},
        "visits": {"kind": "count", "valid": [0, 400], "outside": "clip"},
        "online": {"kind": "share", "valid": [0, 1], "outside": "missing", "missing": "zero"},
        "age": {"kind": "number", "required": False, "missing": "keep"},
        "club": {"kind": "category", "required": False},
        "member": {"kind": "yes_no", "required": False},
    },
    "rules": [
        {"name": "no visit, no money", "when": "visits == 0", "column": "spent", "fill": 0.0},
        {"name": "money needs a visit", "check": "visits > 0 or spent == 0"},
    ],
    "features": [
        {"name": "spent", "formula": "spent", "kind": "money", "transform": "log1p"},
        {"name": "ticket", "formula": "ratio(spent, visits)", "kind": "money", "label": "Ticket"},
        {"name": "online", "formula": "online", "kind": "share"},
        {"name": "visits", "formula": "visits", "kind": "count", "role": "describe"},
        {"name": "rest", "formula": "visits", "kind": "count", "role": "left out"},
    ],
    "archetypes": [
        {
            "name": "Big spenders",
            "pattern": {"spent": 1, "ticket": 1},
            "when": "share(spent >= 0) > 0.5",
            "summary": [
                {"text": "spend over 100", "when": "median(spent) > 100"},
                {"text": "come online", "when": "share(online > 0) >= 0.5"},
            ],
            "advice": [
                {"text": "Thank them for {of_total(spent)}.", "when": "of_total(spent) >= 0.5"},
                {"text": "Greet them.", "when": "share(spent > 0) >= 0.5"},
            ],
            "avoid": [{"text": "No discounts.", "when": "share(spent > 100) >= 0.5"}],
            "measure": "repeats",
        },
        {
            "name": "Web visitors",
            "pattern": {"online": 1, "ticket": -1},
            "when": "share(online >= 0) > 0.5",
            "advice": [{"text": "Write.", "when": "share(online >= 0) > 0.5"}],
            "leave_out": "online == 0",
        },
    ],
    "questions": [{"name": "ever online", "when": "online > 0"}],
}


# --- what a machine may lack ----------------------------------------------------------------------

# By fixture: the marker of the tests that use it, what they need beside Python and the lock, and
# how that is found.
NEEDS: dict[str, tuple[str, str, Callable[[], object]]] = {
    "browser": ("browser", "a browser (Chromium)", chromium),
    "spark": ("spark", "PySpark and Java", has_spark),
    "postgres": ("postgresql", "PostgreSQL", postgresql),
}


class Postgres(NamedTuple):
    """A running server."""

    folder: Path
    ask: Callable[[str], str]


@pytest.fixture(scope="session")
def postgres():
    """A server of our own, reached through a socket in its folder: ask(text) and `folder`.

    For the role ann a password is asked.
    """
    programs, as_user = postgresql(), []
    # Not in pytest's folder, which every other session closes to the server's user.
    with tempfile.TemporaryDirectory() as folder:
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # the server refuses to run as root
            if not shutil.which("runuser"):
                pytest.skip("needs an ordinary user for PostgreSQL")
            as_user = ["runuser", "-u", "nobody", "--"]
            shutil.chown(folder, "nobody")

        def run(*command, text=None):
            settings = {"cwd": folder, "timeout": 60, "capture_output": True, "text": True}
            done = subprocess.run([*as_user, *command], input=text, **settings)
            assert done.returncode == 0, done.stderr
            return done.stdout

        control = [programs / "pg_ctl", "-D", "data"]
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -F"
        run(programs / "initdb", *"-D data -U test --auth=trust -E UTF8 -N".split())
        (access := Path(folder, "data", "pg_hba.conf")).write_text(
            "local all ann scram-sha-256\n" + access.read_text()
        )
        run(*control, "-l", "log", "-w", "-o", options, "start")
        psql = [*"psql -U test -d postgres -qX --csv -v ON_ERROR_STOP=1 -f - -h".split(), folder]
        yield Postgres(Path(folder), lambda text: run(*psql, text=text))
        run(*control, "-m", "immediate", "stop")


# Files that take long, the longest first: they begin, so that no worker ends with one of them.
LONG = [
    f"test_{name}"
    for name in (
        "notebooks_run planted by_hand any_table benchmark transactions stops parallel"
        " environment recovery verdict reading scoring large_tables autoencoder sampling runner"
        " retail browser code_style drift"
    ).split()
]


@pytest.hookimpl(tryfirst=True)  # before -m selects by the markers that are given here
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need more than the lock, and skip them where it is not there."""
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
    for fixture, (marker, need, find) in NEEDS.items():
        using = [item for item in items if fixture in getattr(item, "fixturenames", ())]
        absent = bool(using) and not find()
        for item in using:
            item.add_marker(marker)
            if absent:
                item.add_marker(pytest.mark.skip(reason=f"needs {need}"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one sentence what was left out, and what it would have needed."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(re.sub(r"^Skipped: ", "", report.longrepr[2]) for report in skipped)
    if reasons:
        told = [
            f"{count} {reason if count == 1 else reason.replace('needs ', 'need ', 1)}"
            for reason, count in reasons.most_common()
        ]
        terminalreporter.line(f"{len(skipped)} left out: {', '.join(told)}.")


@pytest.fixture
def shop_content() -> dict[str, Any]:
    """The content of a small dataset.toml, to be changed at will."""
    return copy.deepcopy(SHOP)


@pytest.fixture
def make_shop(shop_content) -> Callable[..., Dataset]:
    """Return a function that builds the small dataset with some of its tables replaced."""

    def make(**replaced: Any) -> Dataset:
        return build_dataset({**shop_content, **replaced}, Path("shop/dataset.toml"))

    return make


@pytest.fixture
def shop(make_shop) -> Dataset:
    """The small dataset."""
    return make_shop()


# --- a run that all test processes share ----------------------------------------------------------


@dataclass(frozen=True)
class QuickRun:
    """A dataset of a few hundred of the generated cardholders, and a quick run of it."""

    dataset: Path
    results: Path  # with pages and manifest; tests copy what they change
    settings = ("--quick", "--set", "epochs=3")

    def again(self, results: Path, *argv: object) -> str:
        """Run the command on the dataset, and return what it says at its good end."""
        script = Path(__file__).parents[1] / "scripts" / "run.py"
        command = [sys.executable, script, "--dataset", self.dataset, "--results", results, *argv]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def card_run(tmp_path_factory) -> QuickRun:
    """A quick run, made by the first test process that asks for it."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    run = QuickRun(folder / "card_holders", folder / "card_run")
    with lock(folder / "card_run.lock", wait=True):
        if not run.results.exists():
            run.dataset.mkdir()
            shutil.copy(DATA_FOLDER / "credit_card" / "dataset.toml", run.dataset)
            with (DATA_FOLDER / "credit_card" / "customers.csv").open(newline="") as source:
                header, *rows = csv.reader(source)
            with (run.dataset / "customers.csv").open("w", newline="") as target:
                csv.writer(target, lineterminator="\n").writerows([header, *rows[::15]])
            run.again(run.results, *run.settings)
    return run


@pytest.fixture(scope="session")
def embedded_matrix():
    """Return the standardised features of the embedded cardholders, shape (8950, 11)."""
    return simulate_decision.card_features(DATA_FOLDER / "credit_card" / "customers.csv")

"""Work by hand on the results of a run: what it changed, and the command that makes all agree."""

from __future__ import annotations

import html
import json
import re
import shlex
from pathlib import Path
from typing import Any

from IPython import get_ipython

from customer_tables.storage import file_digest, write_atomically, write_private
from customer_tables.text import joined
from segmentation.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
FILES = ("input_file", "demographics_file", "next_period")  # parameters that name one
OPTIONS = {"input_file": "--input", "demographics_file": "--demographics"}
RECORDED = {"given", "outputs", "parameters", "settings"}  # of a report, in its manifest
OF_THE_RUN = ("dataset", "results_dir", "quick")
# Where the start page has room for a notice that is written after the page was made.
ROOM = re.compile(rb"<!-- stale -->.*?<!-- /stale -->", re.DOTALL)


def report_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of the report in a results folder; empty where there is no report."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        there = (folder / "index.html").is_file() and manifest.keys() >= RECORDED
        return manifest if there else {}
    except (OSError, ValueError):
        return {}


def changed_since(report: dict[str, Any], folder: Path) -> list[str]:
    """Return the numbers of the notebooks that have handed over something else since a report."""
    known = {name: entry["sha256"] for name, entry in report["outputs"].items()}
    return [
        number
        for number in STAGES
        if (record := folder / "stages" / f"{number}_writes.json").is_file()
        and known.get(f"stages/{record.name}") != file_digest(record)
    ]


def mark_report(folder: Path, changed: list[str]) -> None:
    """Write on the start page which notebooks have changed its numbers, or take that away."""
    notice = ""
    if changed:
        names = html.escape(joined([f"{n} {STAGES[n].title}" for n in changed]))
        notice = (
            '<ul class="notices" aria-label="Out of date"><li><strong>Out of date.</strong> These '
            f"notebooks have changed the results since this page was made: {names}. The last cell "
            "of each names the command that makes the page again.</li></ul>"
        )
    page = folder / "index.html"
    before = page.read_bytes()
    room = f"<!-- stale -->{notice}<!-- /stale -->".encode()
    after = ROOM.sub(lambda _: room, before, count=1)
    if after != before:
        write_atomically(page, after)


def parameters() -> dict[str, Any]:
    """Return the values that a notebook's cell of parameters, or what came after it, has set."""
    shell = get_ipython()
    known = shell.user_ns if shell is not None else {}
    return {name: known[name] for name in known.get("__annotations__", ()) if name in known}


def keep_settings(
    report: dict[str, Any], stage: str, folder: Path, parameters: dict[str, Any]
) -> None:
    """Keep by which parameters a notebook was run by hand, where a report has others."""
    used = {**dict.fromkeys(FILES, ""), **report["parameters"].get(stage, {})}
    names = sorted(used.keys() & parameters.keys() - {*OF_THE_RUN})
    other = {name: parameters[name] for name in names if parameters[name] != used[name]}
    other |= {n: str(Path(other[n]).resolve()) for n in FILES if other.get(n)}
    path = folder / "stages" / f"{stage}_settings.json"
    if other:
        write_private(path, json.dumps(other).encode())
    else:
        path.unlink(missing_ok=True)


def rebuilding(report: dict[str, Any], folder: Path, dataset: str, quick: bool) -> str:
    """Return the command that makes the report anew, with the parameters set by hand.

    `dataset` is what `--dataset` takes; empty where the table's description is guessed. A file
    that only the report knows is named without its folder, which the report does not keep.
    """
    settings, given = dict(report["settings"]), report["given"]
    files = {"input_file": given["input"], "demographics_file": given["demographics"]}
    for path in sorted((folder / "stages").glob("*_settings.json")):
        settings |= json.loads(path.read_text(encoding="utf-8"))
    files |= {name: settings.pop(name) for name in OPTIONS if name in settings}
    words = ["python3", str(Path("scripts", "run.py"))]
    words += ["--dataset", dataset] if dataset else []
    for name, option in OPTIONS.items():
        words += [option, str(files[name])] if files[name] else []
    words += ["--results", near(folder)] + ["--quick"] * quick
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def near(path: Path) -> str:
    """Write a path as seen from the project's folder."""
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)

"""What a run says on the terminal: a line for each stage, a bar meanwhile, and what was found."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from customer_tables.text import counted, printable, share
from runner import NOTEBOOKS
from runner.records import MOST_NAMED, columns_by_use, read_rows, some_of
from segmentation.stages import Stage

NAME_WIDTH = 40  # longer names of segments are cut on the terminal

# Threads alone write here; the lock that tqdm makes by itself is one for processes.
tqdm.set_lock(threading.RLock())


class Progress:
    """Lines for what is done; on a terminal also a bar of the cells of what is running."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, int]] = {}  # by topic: cells behind, cells in all
        self._bar = tqdm(
            file=sys.stdout,
            bar_format="{desc} {bar:24} {elapsed}",
            disable=not sys.stdout.isatty(),
            leave=False,
        )
        self._closed = threading.Event()
        if not self._bar.disable:
            threading.Thread(target=self._draw, daemon=True).start()

    def advance(self, stage: Stage, done: int, total: int) -> None:
        """Note how many of its cells a stage has behind it."""
        self._running[stage.topic] = (done, total)

    def done(self, stage: Stage, seconds: float) -> None:
        """Note that a stage has ended well."""
        self._running.pop(stage.topic, None)
        self.say(f"{stage.number} {stage.topic} … {seconds:.1f} s")

    def skipped(self, stage: Stage, word: str = "up to date") -> None:
        """Note that a stage does not run."""
        self.say(f"{stage.number} {stage.topic} … {word}")

    def say(self, text: str) -> None:
        """Print a line."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        with suppress(OSError):  # the reader is gone: no reason to end the run
            tqdm.write(text.encode(encoding, "replace").decode(encoding), file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        """Take the bar away."""
        self._closed.set()
        with suppress(OSError):
            self._bar.close()

    def _draw(self) -> None:
        while not self._closed.wait(0.3):
            running = dict(self._running)
            if running and not self._closed.is_set():
                self._bar.set_description_str(", ".join(running), refresh=False)
                self._bar.n = sum(done for done, _ in running.values())
                self._bar.total = sum(total for _, total in running.values())
                self._bar.refresh()


# --- what was found ----------------------------------------------------------------------------


def found(results: Path) -> list[str]:
    """Return the segments with size and value, and the verdict; none where 06 has not run."""
    path = results / "stages" / "06_report.json"
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    quick = " (quick settings: a look, no basis for a decision)" if content["quick"] else ""
    headline = (
        f"The {content['customers']:,} {printable(content['nouns'])} are divided into"
        f" {content['k']} segments; verdict: {content['verdict']['word']}{quick}."
    )
    segments, values = content["segments"], content["values"]
    names = [printable(segment["name"], NAME_WIDTH) for segment in segments]
    width = max(map(len, names))
    heads = [f"of {printable(value['label'], NAME_WIDTH)}".rjust(6) for value in values]
    worth = "".join(f"   {head}" for head in heads)
    rows = [f"  {'segment':{width}}   {printable(content['nouns'], 12):>12}   share{worth}"]
    for name, segment in zip(names, segments, strict=True):
        row = f"  {name:{width}}   {segment['customers']:>12,}   {share(segment['share']):>5}"
        for head, value in zip(heads, segment["values"], strict=True):
            row += f"   {share(value['share']):>{len(head)}}"
        rows.append(row)
    return ["", headline, "", *rows, ""]


def columns(results: Path, *, guessed: bool) -> list[str]:
    """Return what the columns of the files were guessed to be, which play no part, and changes."""
    parts, gone = columns_by_use(results)
    lists = {
        "Columns of the files that play no part:": [f"{c}: {printable(why)}" for c, why in gone]
    }
    if guessed:
        head = (
            "What the columns are was guessed; --role, or dataset.toml in the results, corrects it:"
        )
        lists = {head: [f"{use}: {some_of(names)}" for use, names in parts.items()]} | lists
        lists["What was changed (notebook 01 has all of it):"] = changes(results, dict(gone))
    told = []
    for head, entries in lists.items():
        more = [f"and {len(entries) - MOST_NAMED} more"] * (len(entries) > MOST_NAMED)
        told += [head, *(f"  {entry}" for entry in entries[:MOST_NAMED] + more)] * bool(entries)
    return told


def changes(results: Path, gone: Container[str]) -> list[str]:
    """Return what was changed, but for the columns that are gone."""
    told = []
    for row in read_rows(results / "tables" / "01_changes.csv"):
        _, found, column, rows, done = row.values()
        if column not in gone:
            where = f" ({column})" if column else ""
            told.append(printable(f"{found}{where}, {counted(int(rows), 'row')}: {done}"))
    return told


def follow(dataset: str, results: Path) -> None:
    """Let notebooks that name no dataset follow this run, where somebody sits at the terminal."""
    if sys.stdout.isatty():
        from segmentation import session  # brings IPython

        with suppress(OSError):  # the run is done, whatever becomes of this
            session.remember(dataset, results)


def explore() -> str:
    """Return the command that opens explore.ipynb in JupyterLab."""
    lab = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin") / "jupyter"
    shown = []
    for path in (lab, NOTEBOOKS / "explore.ipynb"):
        near = path.is_relative_to(Path.cwd())
        text = str(path.relative_to(Path.cwd()) if near else path)
        shown.append(f'"{text}"' if " " in text else text)
    return f"{shown[0]} lab {shown[1]}"

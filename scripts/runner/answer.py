"""What a run has found, in a few lines for the terminal."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from customer_tables.text import printable, share
from runner import ROOT

MOST_COLUMNS = 8  # that are named as left out
NAME_WIDTH = 40  # longer names of segments are cut on the terminal


def lines(results: Path) -> list[str]:
    """Return the segments with size and value, and the verdict; none where 06 has not run."""
    path = results / "stages" / "06_report.json"
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    quick = " (quick settings: a look, no basis for a decision)" if content["quick"] else ""
    found = (
        f"The {content['customers']:,} {printable(content['nouns'])} fall into"
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
    return ["", found, "", *rows, ""]


def left_out(results: Path) -> list[str]:
    """Return the columns of the files that were left out, each with the reason."""
    path = results / "tables" / "01_columns.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        uses = {row["column"]: row["use"] for row in csv.DictReader(file)}
    gone = {column: use for column, use in uses.items() if use.startswith("left out")}
    shown = [f"  {printable(c, NAME_WIDTH)}: {printable(use)}" for c, use in gone.items()]
    more = [f"  and {len(shown) - MOST_COLUMNS} more, in {path.name}"]
    return shown[:MOST_COLUMNS] + (more if len(shown) > MOST_COLUMNS else [])


def explore() -> str:
    """Return the command that opens JupyterLab with the notebooks."""
    lab = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin") / "jupyter"
    shown = []
    for path in (lab, ROOT / "notebooks"):
        near = path.is_relative_to(Path.cwd())
        text = str(path.relative_to(Path.cwd()) if near else path)
        shown.append(f'"{text}"' if " " in text else text)
    return f"{shown[0]} lab {shown[1]}"

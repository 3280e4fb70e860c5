"""The benchmark's records as Markdown, and where a run's time went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import verdict
from customer_tables.errors import UserError
from runner import manifest
from runner.notebook_files import source_of

UNITS = {
    "seconds": "time",
    "cpu_seconds": "processor time",
    "peak_memory": "memory",
    "extra_memory": "memory beyond the data",
}
WIDE = 1.5  # a ratio whose quartiles lie further apart than this factor is not worth quoting
BUSY = 0.1  # share of the machine that others may use before a table says so
SHOWN = 25  # cells of a run, the slowest first
START, END = "<!-- performance -->", "<!-- /performance -->"


def _table(head: str, rows: Iterable[Iterable[str]], numbers: Iterable[int]) -> list[str]:
    """Write a table whose columns of numbers stand at these places."""
    names, right = head.split(" | "), set(numbers)
    marks = ["---:" if place in right else "---" for place in range(len(names))]
    return [f"| {head} |", f"|{'|'.join(marks)}|", *(f"| {' | '.join(row)} |" for row in rows)]


def report(records: Iterable[Mapping[str, Any]]) -> str:
    """Write all that the records hold: times, ratios, goals, settings, machines."""
    return "\n\n".join(["# Benchmark", *map(_section, records)]) + "\n"


def _section(record: Mapping[str, Any]) -> str:
    machine, versions = record["machine"], record["machine"]["versions"]
    packages = ("python", "numpy", "scikit-learn", "tensorflow")
    named = [f"{name} {versions[name]}" for name in packages if name in versions]
    commit = (machine["git"] or {}).get("commit", "")[:10] or "unknown"
    lines = [
        f"## {record['title']}",
        "",
        f"`{record['name']}`, {record['size']} size, {record['rounds']} rounds;"
        f" {machine['cores']} cores ({machine['processor']}), {machine['memory'] / 2**30:.0f} GB,"
        f" {machine['system']}; {', '.join(named)}; commit {commit}; {record['measured']}.",
    ]
    for case in record["cases"]:
        lines += ["", *_case(case)]
    for figure in record["figures"]:
        lines += ["", f"{figure['name']}: {figure['value']:.3g} (goal: {_at_most(figure)})"]
    return "\n".join(lines)


def _case(case: Mapping[str, Any]) -> list[str]:
    settings = ", ".join(f"{name} = {value}" for name, value in case["settings"].items())
    lines = [f"Settings: {settings or 'none'}. Results: {case['equality']}."]
    if not case["equal"]:
        lines += ["", "**The results differ: these times compare different things.**"]
    if case["used_by_others"] > BUSY:
        lines += ["", f"Other programs used {case['used_by_others']:.0%} of the machine meanwhile."]
    rows = []
    for name, one in case["contestants"].items():
        memory = (f"{one[m][2] / 1e6:,.0f} MB" for m in ("peak_memory", "extra_memory"))
        times = (_median(one[m]) for m in ("seconds", "cpu_seconds"))
        rows.append([name, one["threads"], *times, *memory])
    head = "way | threads | seconds | processor seconds | peak memory | beyond the data"
    lines += ["", *_table(head, rows, range(2, 6))]
    rows = []
    for name, ratios in case["ratios"].items():
        goals = [
            f"{UNITS[goal['measure']]}: {_judged(goal, ratios[goal['measure']])}"
            for goal in case["goals"]
            if goal["against"] == name
        ]
        rows.append([name, *(_median(ratios[m]) for m in UNITS), "; ".join(goals)])
    if rows:
        head = f"against | {' | '.join(UNITS.values())} | goal"
        lines += ["", *_table(head, rows, range(1, 5))]
    return lines


def _judged(goal: Mapping[str, Any], ratio: Sequence[float], *, equal: bool = True) -> str:
    least = goal["least"]
    wanted = (
        f"at least {least:g}" if least >= 1 else f"at most 1/{least:.3g} = {1 / least:.3g} times"
    )
    return f"{wanted}: {verdict(ratio, least) if equal else 'results differ'}"


def _at_most(figure: Mapping[str, Any]) -> str:
    return f"at most {figure['most']:g}: {'met' if figure['value'] <= figure['most'] else 'missed'}"


def _median(five: Sequence[float]) -> str:
    """Write a median with smallest and largest, and whether quartiles lie too far apart."""
    low, _, middle, _, high = (f"{v:.0f}" if v >= 100 else f"{v:.3g}" for v in five)
    return f"{middle} ({low}–{high}){' (wide)' if five[3] > WIDE * five[1] else ''}"


def readme_block(records: Iterable[Mapping[str, Any]]) -> str:
    """Write the README's table: one line a goal, with the ratio's median and range.

    Goals are meant for full sizes; records of others are left out.
    """
    rows: list[list[str]] = []
    machines, busiest = dict[str, None](), 0.0
    for record in (one for one in records if one["size"] == "full"):
        machine = record["machine"]
        machines[f"{machine['cores']} cores ({machine['processor']}), {machine['system']}"] = None
        for case in record["cases"]:
            rows += _goal_rows(record["title"], case)
            busiest = max(busiest, case["used_by_others"])
        for figure in record["figures"]:
            rows.append(
                [record["title"], figure["name"], f"{figure['value']:.3g}", _at_most(figure)]
            )
    lines = _table("what | against | how many times less | goal", rows, [2])
    measured = f"Medians of alternating rounds, with their range, on {'; '.join(machines)}."
    if busiest > BUSY:
        measured += f" Other programs used up to {busiest:.0%} of the machine meanwhile."
    return "\n".join([*lines, "", measured])


def _goal_rows(title: str, case: Mapping[str, Any]) -> Iterable[list[str]]:
    settings = case["settings"]
    sizes = [f"{settings[kind]:,} {kind}" for kind in ("rows", "lines") if kind in settings]
    title = ", ".join([title, *sizes, *filter(None, [settings.get("format")])])
    for goal in case["goals"]:
        five = case["ratios"][goal["against"]][goal["measure"]]
        against = f"{goal['against']} ({UNITS[goal['measure']]})"
        yield [title, against, _median(five), _judged(goal, five, equal=case["equal"])]


def insert(text: str, block: str) -> str:
    """Put the table into a README's text, between its marks."""
    before, _, rest = text.partition(START)
    return f"{before}{START}\n\n{block}\n\n{END}{rest.partition(END)[2]}"


def stages_of(results: Path) -> str:
    """Write the stages and the slowest cells of a run.

    Raises
    ------
    UserError
        If there is no run, or it did not record the time of its cells.
    """
    stages = (manifest.read(results) or {"stages": []})["stages"]
    cells = [row for stage in stages for row in _cells(results, stage)]
    if not cells:
        raise UserError(
            "there is no run that tells the time of its cells",
            where=str(results),
            remedy="make one: scripts/run.py --force",
        )
    memory = [f"{s['peak_memory'] / 1e6:,.0f} MB" if s["peak_memory"] else "" for s in stages]
    rows = [[s["number"], f"{s['seconds']:.1f}", m] for s, m in zip(stages, memory, strict=True)]
    lines = _table("notebook | seconds | peak memory", rows, [1, 2])
    total = sum(seconds for seconds, *_ in cells)
    slowest = sorted(cells, key=lambda row: -row[0])[:SHOWN]
    rows = [[n, str(c), f"{s:.2f}", f"{s / total:.1%}", f"`{b}`"] for s, n, c, b in slowest]
    head = "notebook | cell | seconds | share of all | begins with"
    return "\n".join([*lines, "", *_table(head, rows, [1, 2, 3])]) + "\n"


def _cells(results: Path, stage: Mapping[str, Any]) -> Iterable[tuple[float, str, int, str]]:
    """Yield seconds, notebook, number among its code cells and beginning of each code cell."""
    times = stage.get("cells") or []
    (path,) = (results / "notebooks").glob(f"{stage['number']}_*.ipynb") if times else (None,)
    notebook = json.loads(path.read_text(encoding="utf-8")) if path else {"cells": []}
    code = [source_of(cell).strip() for cell in notebook["cells"] if cell["cell_type"] == "code"]
    pairs = zip(times, filter(None, code), strict=True)
    for number, (seconds, source) in enumerate(pairs, start=1):
        begins = source.partition("\n")[0][:60].replace("|", "\\|")
        yield seconds, stage["number"], number, begins

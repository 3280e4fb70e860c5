"""The benchmark's records as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNITS = {
    "seconds": "time",
    "cpu_seconds": "processor time",
    "peak_memory": "memory",
    "extra_memory": "memory beyond the data",
}
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
    rows = []
    for name, one in case["ways"].items():
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


def verdict(ratio: Sequence[float], least: float) -> str:
    """Say "met" or "missed" if both quartiles of a ratio lie on that side of its goal."""
    _, low, _, high, _ = ratio
    if low >= least:
        return "met"
    return "missed" if high < least else "spread too wide to conclude"


def _median(five: Sequence[float]) -> str:
    """Write a median with the smallest and the largest value."""
    low, _, middle, _, high = (f"{v:.0f}" if v >= 100 else f"{v:.3g}" for v in five)
    return f"{middle} ({low}–{high})"


def with_table(readme: str, records: Iterable[Mapping[str, Any]]) -> str:
    """Put the table into a README's text, between its marks: a line for each goal.

    Goals are meant for full sizes; records of others are left out.
    """
    rows: list[list[str]] = []
    machines = dict[str, None]()
    for record in (one for one in records if one["size"] == "full"):
        machine = record["machine"]
        machines[f"{machine['cores']} cores ({machine['processor']}), {machine['system']}"] = None
        rows += [row for case in record["cases"] for row in _goal_rows(record["title"], case)]
        rows += [
            [record["title"], figure["name"], f"{figure['value']:.3g}", _at_most(figure)]
            for figure in record["figures"]
        ]
    lines = _table("what | against | how many times less | goal", rows, [2])
    lines += ["", f"Medians of alternating rounds, with their range, on {'; '.join(machines)}."]
    before, _, rest = readme.partition(START)
    return "\n".join([f"{before}{START}", "", *lines, "", f"{END}{rest.partition(END)[2]}"])


def _goal_rows(title: str, case: Mapping[str, Any]) -> Iterable[list[str]]:
    settings = case["settings"]
    sizes = [f"{settings[kind]:,} {kind}" for kind in ("rows", "lines") if kind in settings]
    title = ", ".join([title, *sizes, *filter(None, [settings.get("format")])])
    for goal in case["goals"]:
        five = case["ratios"][goal["against"]][goal["measure"]]
        against = f"{goal['against']} ({UNITS[goal['measure']]})"
        yield [title, against, _median(five), _judged(goal, five, equal=case["equal"])]

"""The benchmark's records as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import WIDE, verdict

UNITS = {
    "seconds": "time",
    "cpu_seconds": "processor time",
    "peak_memory": "memory",
    "extra_memory": "memory beyond the data",
}
BUSY = 0.1  # share of the machine that others may use before a table says so
START, END = "<!-- performance -->", "<!-- /performance -->"


def report(records: Iterable[Mapping[str, Any]]) -> str:
    """Write all that the records hold: times, ratios, goals, settings, machines."""
    return "\n\n".join(["# Benchmark", *map(_section, records)]) + "\n"


def _section(record: Mapping[str, Any]) -> str:
    told, versions = record["machine"], record["machine"]["versions"]
    packages = ("python", "numpy", "scikit-learn", "tensorflow")
    named = [f"{name} {versions[name]}" for name in packages if name in versions]
    commit = (told["git"] or {}).get("commit", "")[:10]
    place = (
        f"{told['cores']} cores ({told['processor']}), {told['memory'] / 2**30:.0f} GB,"
        f" {told['system']}; {', '.join(named)}; commit {commit or 'unknown'}; {record['measured']}"
    )
    lines = [f"## {record['title']}", ""]
    lines += [f"`{record['name']}`, {record['size']} size, {record['rounds']} rounds; {place}."]
    for case in record["cases"]:
        lines += ["", *_case(case)]
    for figure in record["figures"]:
        lines += ["", f"{figure['name']}: {figure['value']:.3g}{_at_most(figure, ' (goal: {})')}"]
    return "\n".join(lines)


def _case(case: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{name} = {value}" for name, value in case["settings"].items())
    lines = [f"Settings: {told or 'none'}. Results: {case['equality']}."]
    if not case["equal"]:
        lines += ["", "**The results differ: these times compare different things.**"]
    if case["used_by_others"] > BUSY:
        lines += ["", f"Other programs used {case['used_by_others']:.0%} of the machine meanwhile."]
    lines += ["", "| way | threads | seconds | processor seconds | peak memory | beyond the data |"]
    lines += ["|---|---|---:|---:|---:|---:|"]
    for name, one in case["contestants"].items():
        memory = (f"{one[m][2] / 1e6:,.0f} MB" for m in ("peak_memory", "extra_memory"))
        times = (_median(one[m]) for m in ("seconds", "cpu_seconds"))
        lines += [_row([name, one["threads"], *times, *memory])]
    if case["ratios"]:
        lines += ["", f"| against | {' | '.join(UNITS.values())} | goal |"]
        lines += ["|---|---:|---:|---:|---:|---|"]
    for name, ratios in case["ratios"].items():
        goals = [_judged(ratios, goal) for goal in case["goals"] if goal["against"] == name]
        lines += [_row([name, *(_median(ratios[m]) for m in UNITS), "; ".join(goals)])]
    return lines


def _judged(ratios: Mapping[str, Sequence[float]], goal: Mapping[str, Any]) -> str:
    word = verdict(ratios[goal["measure"]], goal["least"])
    return f"{UNITS[goal['measure']]}: {_goal(goal['least'])}: {word}"


def _goal(least: float) -> str:
    return f"at least {least:g}" if least >= 1 else f"at most 1/{least:.3g} = {1 / least:.3g} times"


def _at_most(figure: Mapping[str, Any], form: str = "{}") -> str:
    if figure["most"] is None:
        return ""
    word = "met" if figure["value"] <= figure["most"] else "missed"
    return form.format(f"at most {figure['most']:g}: {word}")


def _median(five: Sequence[float]) -> str:
    """Write a median with smallest and largest, and whether quartiles lie too far apart."""
    low, _, middle, _, high = (f"{v:.0f}" if v >= 100 else f"{v:.3g}" for v in five)
    return f"{middle} ({low}–{high}){' (wide)' if five[3] > WIDE * five[1] else ''}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def readme_block(records: Iterable[Mapping[str, Any]]) -> str:
    """Write the README's table: one line a goal, with the ratio's median and range.

    Goals are meant for full sizes; records of others are left out.
    """
    lines = ["| what | against | how many times less | goal |", "|---|---|---:|---|"]
    machines: dict[str, None] = {}
    busiest = 0.0
    for record in (one for one in records if one["size"] == "full"):
        told = record["machine"]
        machines[f"{told['cores']} cores ({told['processor']}), {told['system']}"] = None
        for case in record["cases"]:
            lines += _goal_rows(record["title"], case)
            busiest = max(busiest, case["used_by_others"])
        for figure in record["figures"]:
            if figure["most"] is not None:
                value = f"{figure['value']:.3g}"
                lines += [_row([record["title"], figure["name"], value, _at_most(figure)])]
    measured = f"Medians of alternating rounds, with their range, on {'; '.join(machines)}."
    if busiest > BUSY:
        measured += f" Other programs used up to {busiest:.0%} of the machine meanwhile."
    return "\n".join([*lines, "", measured])


def _goal_rows(title: str, case: Mapping[str, Any]) -> list[str]:
    told = case["settings"]
    sizes = [f"{told[kind]:,} {kind}" for kind in ("rows", "lines") if kind in told]
    title = ", ".join([title, *sizes, *filter(None, [told.get("format")])])
    rows = []
    for goal in case["goals"]:
        five = case["ratios"][goal["against"]][goal["measure"]]
        against = f"{goal['against']} ({UNITS[goal['measure']]})"
        word = verdict(five, goal["least"]) if case["equal"] else "results differ"
        rows += [_row([title, against, _median(five), f"{_goal(goal['least'])}: {word}"])]
    return rows


def insert(text: str, block: str) -> str:
    """Put the table into a README's text, between its marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{block}\n\n{END}{after}"

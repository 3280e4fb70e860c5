"""The benchmark's records as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measuring import is_wide, verdict

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
    lines = [f"## {record['title']}", ""]
    runs = f"{record['rounds']} rounds each, alternating"
    lines += [f"`{record['name']}`, {record['size']} size, {runs}; {_machine(record)}."]
    for case in record["cases"]:
        lines += ["", *_case(case)]
    for figure in record["figures"]:
        goal = ""
        if figure["most"] is not None:
            word = "met" if figure["value"] <= figure["most"] else "missed"
            goal = f" (goal: at most {figure['most']:g}; {word})"
        lines += ["", f"{figure['name']}: {figure['value']:.3g}{goal}"]
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
        cells = [name, one["threads"], spread(one["seconds"]), spread(one["cpu_seconds"])]
        cells += [_megabytes(one["peak_memory"]), _megabytes(one["extra_memory"])]
        lines += [_row(cells)]
    if not case["ratios"]:
        return lines
    lines += ["", "| against | time | processor time | memory | memory beyond the data | goal |"]
    lines += ["|---|---:|---:|---:|---:|---|"]
    for name, ratios in case["ratios"].items():
        cells = [name, *(ratio(ratios[measure]) for measure in UNITS)]
        goals = [goal for goal in case["goals"] if goal["against"] == name]
        lines += [_row([*cells, "; ".join(judged(ratios, goal) for goal in goals)])]
    return lines


def judged(ratios: Mapping[str, Sequence[float]], goal: Mapping[str, Any]) -> str:
    """Say what a goal is and whether it is reached."""
    word = verdict(ratios[goal["measure"]], goal["least"])
    return f"{UNITS[goal['measure']]}: {_goal(goal['least'])}: {word}"


def _goal(least: float) -> str:
    return f"at least {least:g}" if least >= 1 else f"at most 1/{least:.3g} = {1 / least:.3g} times"


def ratio(five: Sequence[float]) -> str:
    """Write a median with its smallest and largest; says where it is too wide to quote."""
    return f"{spread(five)}{' (wide)' if is_wide(five) else ''}"


def spread(five: Sequence[float]) -> str:
    """Write a median with its smallest and largest, such as ``3.1 (2.9–3.4)``."""
    low, _, middle, _, high = map(_short, five)
    return f"{middle} ({low}–{high})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _megabytes(five: Sequence[float]) -> str:
    return f"{five[2] / 1e6:,.0f} MB"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _machine(record: Mapping[str, Any]) -> str:
    told = record["machine"]
    versions = told["versions"]
    named = ", ".join(
        f"{name} {versions[name]}" for name in ("python", "numpy", "scikit-learn", "tensorflow")
        if name in versions
    )  # fmt: skip
    commit = (told["git"] or {}).get("commit", "")[:10]
    state = f", commit {commit}" if commit else ""
    memory = f"{told['memory'] / 2**30:.0f} GB"
    place = f"{told['cores']} cores ({told['processor']}), {memory}, {told['system']}"
    return f"{place}; {named}{state}; {record['measured']}"


# --- the README's table -------------------------------------------------------------------------


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
            lines += _goal_rows(record, case)
            busiest = max(busiest, case["used_by_others"])
        for figure in record["figures"]:
            if figure["most"] is not None:
                word = "met" if figure["value"] <= figure["most"] else "missed"
                value, most = f"{figure['value']:.3g}", f"at most {figure['most']:g}: {word}"
                lines += [_row([record["title"], figure["name"], value, most])]
    measured = f"Medians of alternating rounds, with their range, on {'; '.join(machines)}."
    if busiest > BUSY:
        measured += f" Other programs used up to {busiest:.0%} of the machine meanwhile."
    return "\n".join([*lines, "", measured])


def _goal_rows(record: Mapping[str, Any], case: Mapping[str, Any]) -> list[str]:
    rows = []
    told = case["settings"]
    sizes = [f"{told[kind]:,} {kind}" for kind in ("rows", "lines") if kind in told]
    title = ", ".join([record["title"], *sizes, *filter(None, [told.get("format")])])
    for goal in case["goals"]:
        five = case["ratios"][goal["against"]][goal["measure"]]
        against = f"{goal['against']} ({UNITS[goal['measure']]})"
        word = verdict(five, goal["least"]) if case["equal"] else "results differ"
        rows += [_row([title, against, ratio(five), f"{_goal(goal['least'])}: {word}"])]
    return rows


def insert(text: str, block: str) -> str:
    """Put the table into the README's text, between its marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{block}\n\n{END}{after}"

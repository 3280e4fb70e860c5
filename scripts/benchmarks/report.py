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


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Write a table; all columns but the first two hold numbers."""
    marks = "|".join(["---", "---", *["---:"] * (head.count("|") - 1)])
    return "\n".join([f"| {head} |", f"|{marks}|", *(f"| {' | '.join(row)} |" for row in rows)])


def report(records: Sequence[Mapping[str, Any]]) -> str:
    """Write all that the records hold: the goals first, then times, ratios, settings, machines.

    Goals are meant for full sizes; records of others have none.
    """
    goals = [row for record in records if record["size"] == "full" for row in _goals(record)]
    table = [_table("what | against | how many times less | goal", goals)] if goals else []
    return "\n\n".join(["# Benchmark", *table, *map(_section, records)]) + "\n"


def _goals(record: Mapping[str, Any]) -> Iterable[list[str]]:
    for case in record["cases"]:
        settings = case["settings"]
        sizes = [f"{settings[kind]:,} {kind}" for kind in ("rows", "lines") if kind in settings]
        title = ", ".join([record["title"], *sizes, *filter(None, [settings.get("format")])])
        for goal in case["goals"]:
            five = case["ratios"][goal["against"]][goal["measure"]]
            judged = verdict(five, goal["least"]) if case["equal"] else "results differ"
            limit = f" ({goal['why']})" if goal.get("why") else ""
            wanted = f"at least {goal['least']:.3g}{limit}: {judged}"
            yield [title, f"{goal['against']} ({UNITS[goal['measure']]})", _median(five), wanted]
    for figure in record["figures"]:
        judged = "met" if figure["value"] <= figure["most"] else "missed"
        wanted = f"at most {figure['most']:g}: {judged}"
        yield [record["title"], figure["name"], f"{figure['value']:.3g}", wanted]


def _section(record: Mapping[str, Any]) -> str:
    machine, versions = record["machine"], record["machine"]["versions"]
    packages = ("python", "numpy", "scikit-learn", "tensorflow")
    named = [f"{name} {versions[name]}" for name in packages if name in versions]
    commit = (machine["git"] or {}).get("commit", "")[:10] or "unknown"
    about = (
        f"`{record['name']}`, {record['size']} size, {record['rounds']} rounds;"
        f" {machine['cores']} cores ({machine['processor']}), {machine['memory'] / 2**30:.0f} GB,"
        f" {machine['system']}; {', '.join(named)}; commit {commit}; {record['measured']}."
    )
    return "\n\n".join([f"## {record['title']}", about, *map(_case, record["cases"])])


def _case(case: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name} = {value}" for name, value in case["settings"].items())
    lines = [f"Settings: {settings or 'none'}. Results: {case['equality']}."]
    if not case["equal"]:
        lines.append("**The results differ: these times compare different things.**")
    rows = []
    for name, one in case["ways"].items():
        memory = (f"{one[m][2] / 1e6:,.0f} MB" for m in ("peak_memory", "extra_memory"))
        times = (_median(one[m]) for m in ("seconds", "cpu_seconds"))
        ratios = case["ratios"].get(name, {})
        against = (_median(ratios[m]) if ratios else "" for m in UNITS)
        rows.append([name, one["threads"], *times, *memory, *against])
    head = "way | threads | seconds | processor seconds | peak memory | beyond the data"
    more = [f"{unit} ÷ ours" for unit in UNITS.values()]
    lines.append(_table(" | ".join([head, *more]), rows))
    return "\n\n".join(lines)


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

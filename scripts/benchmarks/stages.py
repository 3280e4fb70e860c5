"""Where a run's time went, cell by cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from runner.manifest import read
from runner.notebook_files import source_of

SHOWN = 25  # cells, the slowest first


def table_of(results: Path) -> str:
    """Write the stages and the slowest cells of a run as Markdown.

    Raises
    ------
    UserError
        If there is no run, or it did not record the time of its cells.
    """
    manifest = read(results)
    if manifest is None or not any(stage.get("cells") for stage in manifest["stages"]):
        raise UserError(
            "there is no run that tells the time of its cells",
            where=str(results),
            remedy="make one: scripts/run.py --force",
        )
    cells = [row for stage in manifest["stages"] for row in _cells(results, stage)]
    total = sum(seconds for _, _, seconds, _ in cells)
    lines = ["| notebook | seconds | peak memory |", "|---|---:|---:|"]
    for stage in manifest["stages"]:
        memory = f"{stage['peak_memory'] / 1e6:,.0f} MB" if stage["peak_memory"] else ""
        lines += [f"| {stage['number']} | {stage['seconds']:.1f} | {memory} |"]
    lines += ["", "| notebook | cell | seconds | share of all | begins with |"]
    lines += ["|---|---:|---:|---:|---|"]
    for number, cell, seconds, source in sorted(cells, key=lambda row: -row[2])[:SHOWN]:
        begins = source.strip().partition("\n")[0][:60].replace("|", "\\|")
        lines += [f"| {number} | {cell} | {seconds:.2f} | {seconds / total:.1%} | `{begins}` |"]
    return "\n".join(lines) + "\n"


def _cells(results: Path, stage: Mapping[str, Any]) -> list[tuple[str, int, float, str]]:
    """Return notebook, number among its code cells, seconds and source of each code cell."""
    (path,) = (results / "notebooks").glob(f"{stage['number']}_*.ipynb")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [source_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = [source for source in code if source.strip()]
    times = stage.get("cells") or []
    return [
        (stage["number"], cell, seconds, source)
        for cell, (seconds, source) in enumerate(zip(times, code, strict=True), start=1)
    ]

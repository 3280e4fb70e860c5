"""Measure how much faster the project's ways are than others, as ratios within one run.

    python3 scripts/benchmark.py --quick            # every entry, small sizes
    python3 scripts/benchmark.py --only silhouettes # one entry, full size

`python3 scripts/benchmark.py --help` lists the options.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner import DONE, ROOT, STAGE_FAILED
from runner.entry import Parser, run

if TYPE_CHECKING:
    from benchmarks.measure import Entry

STORED = ROOT / "results" / "performance"
_EPILOG = """\
Each way to a result runs in a process of its own, in turns; ratios are those of one round. Nothing
absolute is asserted. Where rounds lie too far apart, the tables say so.

exit codes: 0 done, 1 a way failed or results differ, 2 the arguments are wrong, 130 interrupted.
"""


def main(argv: list[str]) -> int:
    """Measure as the command line says; return the exit code."""
    left = "entries that were finished are kept"
    return run(_parse, _measure, __file__, argv, left)


def _parse(argv: list[str]) -> argparse.Namespace:
    description = "Measure how much faster the project's ways are than others."
    parser = Parser("benchmark.py", description, _EPILOG)
    add = parser.add_argument
    add("--only", action="append", metavar="NAME", help="an entry; may be repeated")
    add("--list", action="store_true", help="list the entries and leave")
    add("--quick", action="store_true", help="small sizes and one round, to see that all works")
    add("--rounds", type=int, metavar="N", help="how often each way runs")
    hint = "where benchmark.json and benchmark.md go (default: results/performance, or nowhere with"
    hint += " --quick); entries measured earlier stay in them"
    add("--output", type=Path, metavar="DIR", help=hint)
    options = parser.parse_args(argv)
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"{options.rounds} is no number of rounds")
    options.output = options.output or (None if options.quick else STORED)
    return options


def entries() -> dict[str, "Entry"]:
    """Return all entries by name, in the order of the tables."""
    from benchmarks import analysis, files, runs

    return {entry.name: entry for part in (runs, analysis, files) for entry in part.ENTRIES}


def _measure(options: argparse.Namespace) -> int:
    from benchmarks import measure, report
    from customer_tables.errors import UserError
    from customer_tables.storage import json_text

    known = entries()
    for name in options.only or ():
        if name not in known:
            remedy = f"choose from {', '.join(known)}"
            raise UserError(f"there is no entry {name!r}", where="--only", remedy=remedy)
    chosen = [known[name] for name in options.only or known]
    if options.list:
        print("\n".join(f"{entry.name}: {entry.title}" for entry in chosen))
        return DONE
    size, equal = "quick" if options.quick else "full", True
    for entry in chosen:
        rounds = options.rounds or (1 if options.quick else entry.rounds)
        record = measure.measure(entry, size, rounds, lambda line: print(line, file=sys.stderr))
        print(report.report([record]).partition("\n")[2].strip() + "\n", flush=True)
        equal = equal and all(case["equal"] for case in record["cases"])
        if options.output:  # in place of the entry's earlier record
            records = {one["name"]: one for one in read(options.output)} | {entry.name: record}
            kept = [records[name] for name in known if name in records]
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / "benchmark.json").write_text(json_text(kept), "utf-8")
            (options.output / "benchmark.md").write_text(report.report(kept), "utf-8")
    return DONE if equal else STAGE_FAILED


def read(folder: Path) -> list[dict]:
    """Return the records that benchmark.json holds; none where there is no such file."""
    path = folder / "benchmark.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

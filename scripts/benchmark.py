"""Measure how much faster the project's ways are than others, as ratios within one run.

    python3 scripts/benchmark.py --quick            # every entry, small sizes
    python3 scripts/benchmark.py --only silhouettes # one entry, full size

`python3 scripts/benchmark.py --help` lists the options.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

import argparse
import json
from pathlib import Path

from runner import environment  # comes first: it puts notebooks/ on the path

# isort: split
from customer_tables.errors import UserError
from customer_tables.storage import json_text
from runner import DONE, STAGE_FAILED
from runner.entry import Parser, finish

README = environment.ROOT / "scripts" / "README.md"
STORED = environment.ROOT / "results" / "performance"
_EPILOG = """\
Each way to a result runs in a process of its own, in turns; ratios are those of one round. Nothing
absolute is asserted. Where rounds lie too far apart, the tables say so. What is measured at full
size for results/performance goes into the table of scripts/README.md, too.

exit codes: 0 done, 1 a way failed or results differ, 2 the arguments are wrong, 130 interrupted.
"""


def main(script, argv):
    """Measure as the command line says; return the exit code."""

    def work():
        options = _parse(argv)
        environment.enter(script, argv)
        return _measure(options)

    return finish(work, left="entries that were finished are kept")


def _parse(argv):
    description = "Measure how much faster the project's ways are than others."
    parser = Parser("benchmark.py", description, _EPILOG)
    add = parser.add_argument
    add("--only", action="append", metavar="NAME", help="an entry; may be repeated")
    add("--list", action="store_true", help="list the entries and leave")
    add("--quick", action="store_true", help="small sizes and one round, to see that all works")
    add("--rounds", type=_rounds, metavar="N", help="how often each way runs")
    hint = "where benchmark.json and benchmark.md go (default: results/performance, or nowhere with"
    hint += " --quick); entries measured earlier stay in them"
    add("--output", type=Path, metavar="DIR", help=hint)
    options = parser.parse_args(argv)
    options.output = options.output or (None if options.quick else STORED)
    return options


def _rounds(text):
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds")
    return int(text)


def entries():
    """Return all entries by name, in the order of the tables."""
    from benchmarks import analysis, files, runs

    return {entry.name: entry for part in (runs, analysis, files) for entry in part.ENTRIES}


def _measure(options):
    from benchmarks import measure, report

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
        say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
        rounds = options.rounds or (1 if options.quick else entry.rounds)
        record = measure.measure(entry, size, rounds, say)
        if options.output:
            _store(options.output, record, list(known))
        print(report.report([record]).partition("\n")[2].strip() + "\n", flush=True)
        equal = equal and all(case["equal"] for case in record["cases"])
    return DONE if equal else STAGE_FAILED


def _store(folder, record, order):
    """Put a record into benchmark.json in place of its entry's earlier one; write the tables."""
    from benchmarks import report

    records = {one["name"]: one for one in read(folder)} | {record["name"]: record}
    kept = [records[name] for name in order if name in records]
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        folder / "benchmark.json": json_text(kept),
        folder / "benchmark.md": report.report(kept),
    }
    if folder == STORED:
        texts[README] = report.with_table(README.read_text(encoding="utf-8"), kept)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")


def read(folder):
    """Return the records that benchmark.json holds; none where there is no such file."""
    path = folder / "benchmark.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError:
        remedy = "delete it, or use --output"
        raise UserError("benchmark.json cannot be read", str(path), remedy) from None


if __name__ == "__main__":
    sys.exit(main(Path(__file__), sys.argv[1:]))

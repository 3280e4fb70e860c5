"""The command `benchmark.py`: from arguments to tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.storage import json_text
from runner import environment
from runner.errors import DONE, INTERRUPTED, STAGE_FAILED, USER_ERROR, RunFailed

README = environment.ROOT / "scripts" / "README.md"
STORED = environment.ROOT / "results" / "performance"
_EPILOG = """\
Each way to a result runs in a process of its own, in turns; ratios are those of one round. Nothing
absolute is asserted. Where other programs use the machine, or rounds lie too far apart, the tables
say so.

exit codes: 0 done, 1 a way failed or results differ, 2 the arguments are wrong, 130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors say what to do, without a page of usage."""

    def error(self, message: str) -> None:
        raise UserError(
            message, where="on the command line", remedy="benchmark.py --help lists the options"
        )


def main(script: Path, argv: list[str]) -> int:
    """Measure as the command line says.

    Parameters
    ----------
    script : pathlib.Path
        The command itself, to be started again inside the environment.
    argv : list of str
        Its arguments.

    Returns
    -------
    int
        0 done, 1 a way failed or results differ, 2 a user's mistake, 130 interrupted.
    """
    try:
        options = _parse(argv)
        environment.enter(script, argv)
        if options.readme:
            return write_readme(options.output)
        if options.stages:
            from benchmarks import stages

            print(stages.table_of(options.stages), end="")
            return DONE
        return _measure(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    except RunFailed as error:
        print(error, file=sys.stderr)
        return STAGE_FAILED
    except KeyboardInterrupt:
        print("Interrupted; entries that were finished are kept.", file=sys.stderr)
        return INTERRUPTED


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="benchmark.py",
        description="Measure how much faster the project's ways are than others.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--only", action="append", metavar="NAME", help="an entry; may be repeated")
    add("--list", action="store_true", help="list the entries and leave")
    add("--quick", action="store_true", help="small sizes and three rounds")
    add("--size", choices=("full", "quick", "tiny"), help=argparse.SUPPRESS)
    add("--rounds", type=_rounds, metavar="N", help="how often each way runs")
    add(
        *("--output",),
        type=Path,
        default=STORED,
        metavar="DIR",
        help="where benchmark.json and benchmark.md go (default: results/performance); entries"
        " measured earlier stay in them",
    )
    add("--readme", action="store_true", help="write the README's table anew from benchmark.json")
    add(
        *("--stages",),
        type=Path,
        nargs="?",
        const=environment.ROOT / "results" / "credit_card",
        metavar="RUN",
        help="show where a run's time went, cell by cell (default: results/credit_card)",
    )
    return parser.parse_args(argv)


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds")
    return int(text)


def _measure(options: argparse.Namespace) -> int:
    from benchmarks import catalogue, measuring, tables

    known = catalogue.entries()
    for name in options.only or ():
        if name not in known:
            if entry := catalogue.left_out().get(name):
                raise UserError(
                    f"the entry {name!r} needs {', '.join(entry.missing)}",
                    where="--only",
                    remedy=f"install it beside the project: pip install {' '.join(entry.missing)}",
                )
            raise UserError(
                f"there is no entry {name!r}",
                where="--only",
                remedy=f"choose from {', '.join(known)}",
            )
    chosen = {name: entry for name, entry in known.items() if name in (options.only or known)}
    if options.list:
        for entry in chosen.values():
            print(f"{entry.name}: {entry.title}")
        return DONE
    size = options.size or ("quick" if options.quick else "full")
    equal = True
    for entry in chosen.values():
        say = _to_stderr
        record = measuring.measure(entry, size, rounds=options.rounds, say=say)
        store(options.output, record, order=list(known))
        print(tables.report([record]).partition("\n")[2].strip() + "\n", flush=True)
        equal = equal and all(case["equal"] for case in record["cases"])
    return DONE if equal else STAGE_FAILED


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def store(folder: Path, record: Mapping[str, Any], *, order: list[str]) -> None:
    """Put an entry's record into benchmark.json in place of its earlier one, and write the table.

    Parameters
    ----------
    folder : pathlib.Path
    record : mapping
    order : list of str
        Names of the entries in the order of the table.
    """
    from benchmarks import tables

    records = {one["name"]: one for one in read(folder)} | {record["name"]: record}
    kept = [records[name] for name in order if name in records]
    folder.mkdir(parents=True, exist_ok=True)
    text = json_text(kept)
    (folder / "benchmark.json").write_text(text, encoding="utf-8", newline="\n")
    (folder / "benchmark.md").write_text(tables.report(kept), encoding="utf-8", newline="\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the records that benchmark.json holds; none where there is no such file."""
    path = folder / "benchmark.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError:
        raise UserError(
            "benchmark.json cannot be read", where=str(path), remedy="delete it, or use --output"
        ) from None


def write_readme(folder: Path) -> int:
    """Write the README's table from the records of a folder."""
    from benchmarks import tables

    records = read(folder)
    if not records:
        raise UserError(
            "there are no measurements", where=str(folder), remedy="run benchmark.py first"
        )
    text = tables.insert(README.read_text(encoding="utf-8"), tables.readme_block(records))
    README.write_text(text, encoding="utf-8", newline="\n")
    return DONE

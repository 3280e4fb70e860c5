"""The notebooks in their order, and what a notebook file holds."""

from __future__ import annotations

import ast
import difflib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError


@dataclass(frozen=True)
class Stage:
    """One notebook of the series.

    Attributes
    ----------
    number : str
        Two digits; files that belong to the stage start with them.
    slug : str
        Rest of the notebook's file name.
    topic : str
        Name of its numbers in metrics.json, and its short name on the terminal.
    title : str
    needs : tuple of str
        Numbers of the stages whose hand-off files it reads.
    also : tuple of str
        Files and folders of the results, beyond those that start with its number, that it writes.
    """

    number: str
    slug: str
    topic: str
    title: str
    needs: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The notebook's file name without its ending."""
        return f"{self.number}_{self.slug}"

    @property
    def file(self) -> str:
        """The notebook's file name."""
        return f"{self.name}.ipynb"


SERIES = (
    Stage("01", "data_cleaning", "cleaning", "Data cleaning"),
    Stage("02", "exploratory_analysis", "exploration", "Exploratory analysis", ("01",)),
    Stage("03", "feature_engineering", "features", "Feature engineering", ("01",)),
    Stage("04", "clustering", "clustering", "Clustering", ("01", "03")),
    Stage(
        *("05", "dimensionality_reduction", "reduction", "Dimensionality reduction"),
        needs=("01", "03", "04"),
    ),
    Stage(
        *("06", "segment_profiling", "profiling", "Segment profiling"),
        needs=("01", "03", "04"),
        also=("segments.csv", "model.json", "model.sql", "campaigns"),
    ),
    Stage(
        *("07", "scoring_and_drift", "drift", "Scoring and drift"),
        needs=("01", "03", "04", "06"),
    ),
)


def dependents(stage: Stage, series: tuple[Stage, ...]) -> list[Stage]:
    """Return the stages that read what a stage writes, or what those write, in order."""
    found: dict[str, Stage] = {stage.number: stage}
    for other in series:
        if any(number in found for number in other.needs):
            found[other.number] = other
    return [other for other in found.values() if other != stage]


def find_stage(series: tuple[Stage, ...], text: str, option: str) -> Stage:
    """Return the stage that a user means by a number or a name.

    Raises
    ------
    UserError
        If there is none.
    """
    wanted = text.strip().removesuffix(".ipynb").lower()
    for stage in series:
        if wanted in (stage.number, stage.number.lstrip("0"), stage.name, stage.slug, stage.topic):
            return stage
    names = [name for stage in series for name in (stage.name, stage.slug, stage.topic)]
    close = difflib.get_close_matches(wanted, names, 1)
    raise UserError(
        f"there is no notebook {text!r}",
        where=option,
        remedy=f"did you mean {close[0]}?"
        if close
        else f"give one of {', '.join(stage.number for stage in series)}",
    )


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook's content.

    Raises
    ------
    UserError
        If the file is missing or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = list(notebook["cells"])
    except OSError as error:
        raise UserError(
            f"the notebook {path.name} cannot be read: {error.strerror}",
            where=str(path.parent),
            remedy="get the whole project again, or bring the file back",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path.name} is not a notebook",
            where=str(path),
            remedy="bring back an earlier version of the file",
        ) from None
    return notebook


_PARSING = threading.Lock()


def parse(source: str, mode: str = "exec") -> ast.AST:
    """Parse Python in any thread of a run.

    Up to Python 3.12 two threads that build syntax trees at once confuse the interpreter's count
    of levels, and one of them fails with a SystemError.
    """
    with _PARSING:
        return ast.parse(source, mode=mode)


def source_of(cell: dict[str, Any]) -> str:
    """Return a cell's text, which notebook files hold as one string or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)

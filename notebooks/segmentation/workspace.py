"""Where a notebook reads and writes: hand-off files, tables, figures and numbers of one run.

A `Workspace` is the only place that knows paths. It also shows what it writes, so that a figure or
table on the page and the file beside it are the same object.
"""

from __future__ import annotations

import ast
import base64
import html
import importlib.metadata
import io
import json
import os
import platform
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown, display

from customer_tables.errors import UserError
from customer_tables.storage import (
    file_digest,
    text_digest,
    to_plain,
    write_atomically,
    write_json,
    write_private,
)
from customer_tables.text import joined, printable, slug
from segmentation import presentation, session
from segmentation.claims import Claim, claims_of, stated
from segmentation.dataset import DATA_FOLDER, Dataset, load_dataset, locate_dataset
from segmentation.once import once
from segmentation.progress import is_watched, progress
from segmentation.stages import APART, KEPT, STAGES, with_topics_apart

NOTEBOOKS = Path(__file__).resolve().parents[1]
RESULTS_FOLDER = NOTEBOOKS.parent / "results"
GUESSED = "auto"  # the dataset whose description notebook 01 guesses from the table
PACKAGES = ("numpy", "pandas", "scikit-learn", "matplotlib", "seaborn", "tensorflow", "papermill")
FIGURE_DPI = 192  # two dots for each pixel of a page, 96 to the inch


class Workspace:
    """The files of one stage, "01" to "09", of one run.

    `folder` is the results folder, made by the first file in it; `quick` says that the run uses
    small settings.
    """

    progress = staticmethod(progress)

    def __init__(self, stage: str, dataset: Dataset, folder: Path, quick: bool = False) -> None:
        self.stage, self.dataset, self.folder, self.quick = stage, dataset, folder, quick
        self.option = ""  # by which run.py takes the dataset; empty: its description is guessed
        self.parameters: dict[str, Any] = {}  # of the notebook, as they were set
        self.metrics: dict[str, Any] = {}
        self._read: dict[str, str] = {}
        self._written: dict[str, str] = {}
        self._kept: set[Path] = set()  # files of what is computed once
        self._due: set[str] = set()  # what has to be saved or recorded before the end
        self._sentences = 0
        self._customers = 0  # how many there are in all, known from the tables handed over
        self._rows: int | None = None  # how many of them figures are based on; None: all
        self._now: int | None = None  # and the customers of a later period, where it is compared
        self._warned: set[str] = set()

    @classmethod
    def open(
        cls, stage: str, *, dataset: str, results_dir: str = "", quick: bool = False
    ) -> Workspace:
        """Open the results of a dataset for one notebook.

        Parameters
        ----------
        dataset : str
            A name under data/ or the path of a dataset folder or .toml file; "auto" stands for
            the dataset.toml in the results, which notebook 01 guessed from a user's table; empty
            for the one that the session works on.
        results_dir : str, optional
            The results folder; by default results/<dataset>.

        Raises
        ------
        UserError
            If there is no such dataset, the results folder cannot be one, or a parameter of the
            notebook is not what it may be.
        """
        parameters = session.parameters()
        session.check_parameters(parameters, session.kinds())
        dataset, results_dir = session.settle(dataset, results_dir)
        folder = results_folder(dataset, results_dir)
        _check_folder(folder)
        known = load_dataset(folder / "dataset.toml" if dataset == GUESSED else dataset)
        chosen = folder / "stages" / "03_preparation.json"
        if stage > "03" and chosen.is_file():
            steps = _read_stage_file(chosen).get("steps", [])
            known = known.segment_on([step["name"] for step in steps])
        opened = cls(stage, known, folder, quick)
        if dataset != GUESSED:
            toml = locate_dataset(dataset)
            ours = toml.parent.parent == DATA_FOLDER
            opened.option = toml.parent.name if ours else session.near(toml)
        opened.parameters = parameters
        opened._due = _always_done(NOTEBOOKS / STAGES[stage].file)
        if is_watched():
            session.remember(opened.option or GUESSED, folder)
            title = presentation.sentence("{title}", title=known.title)
            display(Markdown(session.overview(title, folder, opened._states())))
        return opened

    @property
    def guessed(self) -> bool:
        """Whether notebook 01 guessed what the columns mean."""
        return not self.option

    # --- hand-off files ---------------------------------------------------------------------------

    def _stage_file(self, stage: str, name: str, suffix: str = ".json") -> Path:
        return self.folder / "stages" / f"{stage}_{name}{suffix}"

    def save(self, name: str, content: pd.DataFrame | dict[str, Any]) -> None:
        """Hand a table (Parquet) or a document (JSON) to the later notebooks."""
        if isinstance(content, pd.DataFrame):
            path = self._stage_file(self.stage, name, ".parquet")
            write_private(path, content.to_parquet())
        else:
            path = self._stage_file(self.stage, name)
            write_json(path, content, private=True)
        self._written[path.name] = file_digest(path)
        self._due.discard(f"save {name}")

    def load(self, stage: str, name: str) -> Any:
        """Read what an earlier notebook handed over.

        Raises
        ------
        UserError
            If that notebook has not run yet, to say which one to run first; if the file is damaged
            or is another one than that notebook wrote.
        """
        paths = (self._stage_file(stage, name, suffix) for suffix in (".parquet", ".json"))
        path, writer = next((path for path in paths if path.is_file()), None), STAGES[stage].name
        if path is None:
            raise UserError(
                f"{STAGES[self.stage].name} needs what {writer} makes, and it is not there",
                where=str(self._stage_file(stage, name, "")),
                remedy=f"run {writer}.ipynb first, with the same dataset and results_dir",
            )
        content, digest = _read_stage_file(path), file_digest(path)
        written = self._document(stage, "writes").get(path.name, digest)
        if stage != self.stage and written != digest:
            raise UserError(
                f"{path.name} is not what {writer} wrote (its checksum differs)",
                where=str(path),
                remedy=f"run {writer}.ipynb again, to its last cell",
            )
        self._read[path.name] = digest
        changed = [] if stage in self._warned else self._changed_since(stage)
        if changed:
            self._warned.add(stage)
            self.say(
                "⚠ **{stage} is stale**: it was made from an earlier {name}. Run it again.",
                stage=writer,
                name=STAGES[changed[0][:2]].name,
            )
        if path.suffix == ".parquet":
            self._customers = max(self._customers, len(content))
        return content

    def _document(self, stage: str, name: str) -> dict[str, Any]:
        """Read a document that a notebook handed over; empty where there is none."""
        path = self._stage_file(stage, name)
        return _read_stage_file(path) if path.is_file() else {}

    def _changed_since(self, stage: str) -> list[str]:
        """Return the names of the files that a notebook read and that are others now."""
        reads = self._document(stage, "reads")
        paths = {name: self.folder / "stages" / name for name in reads}
        return [n for n, path in paths.items() if path.is_file() and file_digest(path) != reads[n]]

    def _states(self) -> dict[str, str]:
        """Say of each notebook whether its results are fresh, stale or missing."""
        states: dict[str, str] = {}
        for number, stage in STAGES.items():
            behind = any(states[other] != "fresh" for other in stage.needs)
            stale = behind or self._changed_since(number)
            there = self._stage_file(number, "writes").is_file()
            states[number] = ("stale" if stale else "fresh") if there else "missing"
        return states

    def once(self, name: str, function: Callable, /, *given: Any, **settings: Any) -> Any:
        """Return what a function returns; of the same call in an earlier run, from its file."""
        path = self.folder / KEPT.format(self.stage).replace("*", name)
        self._kept.add(path)
        return once(path, function, *given, **settings)

    # --- what is shown and written ----------------------------------------------------------------

    def say(self, template: str, when: str = "", **values: object) -> None:
        """Show a generated sentence: a Markdown template whose values are escaped.

        With `when`, a condition over the values, it is shown only where that holds. Its claims and
        numbers are in the metadata of the output, as are those of figures and tables.

        Every template may use what the dataset calls a customer, ``{noun}`` and ``{nouns}``, and
        the label of their value, ``{value_label}``. The numbers it quotes go into metrics.json
        unrounded, under the sentence's place in the notebook and the field's name.
        """
        words = {name: getattr(self.dataset, name) for name in ("noun", "nouns", "value_label")}
        values = words | values
        if not (said := stated(template, when, **values)):
            return
        text = presentation.sentence(template, **values)
        display(Markdown(text), metadata={"claims": to_plain(claims_of(said))})
        self._sentences += 1
        for field, value in presentation.fields(template, **values).items():
            if presentation.is_number(value):
                quoted = self.metrics.setdefault("quoted", {})
                quoted[f"sentence {self._sentences:02d}: {field}"] = to_plain(value)

    def based_on(self, rows: int | None = None, now: int | None = None) -> None:
        """Tell on how many customers the figures and tables from here on rest; None: on all.

        Captions of figures say so always, those of tables where a sample was taken. ``now`` are the
        customers of a later period who are compared with them.
        """
        self._rows, self._now = rows, now

    def _basis(self) -> Claim:
        """Write the customers that a caption is based on; empty before they are counted."""
        numbers: dict[str, Any] = {"rows": self._rows, "all": self._customers}
        numbers["nouns"] = self.dataset.nouns
        if self._now is not None:
            return stated("{now} {nouns} now against {rows}", now=self._now, **numbers)
        if self._rows is not None and self._rows < self._customers:
            return stated("{rows} of {all} {nouns}", "rows < all", **numbers)
        return stated("all {all} {nouns}", "all > 0", **numbers)

    def table(
        self,
        table: pd.DataFrame,
        name: str,
        caption: str,
        formats: Mapping[str, str] | str | None = None,
        shown: bool = True,
    ) -> None:
        """Write a table to tables/ and show it with a caption, or only where its numbers are.

        Not shown is what a figure beside it says already. Claims among the cells of columns of
        objects go with the output.
        """
        name = file_name(name)
        safe = presentation.safe_table(table.rename_axis(table.index.name or "row"))
        text = safe.to_csv(lineterminator="\n")
        write_atomically(self.folder / "tables" / f"{self.stage}_{name}.csv", text.encode())
        if (basis := self._basis()) and not basis.startswith("all"):
            caption = stated("{caption} ({basis})", caption=caption, basis=basis)
        if table.empty:
            self.say("{caption}: none.", "rows == 0", caption=caption, rows=len(table))
        elif shown:
            html_table = presentation.html_table(table, caption, formats)
            cells = table.to_numpy(dtype=object).ravel().tolist()
            display(HTML(html_table), metadata={"claims": to_plain(claims_of([caption, *cells]))})
        else:
            link = presentation.table_link(f"{self.stage}_{name}.csv", caption)
            display(HTML(link), metadata={"claims": to_plain(claims_of(caption))})

    def figure(self, figure, name: str, caption: str, title: Claim, more: str = "") -> None:
        """Write a figure to figures/ and show it with its title, caption and alternative text.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
        caption : str
            Reads alone: what is drawn, for whom, in what units; a claim where it has numbers.
        title : Claim
            What the figure shows, in one sentence made from the numbers; written above it.
        more : str
            What else it shows, for readers who cannot see it; a claim where it has numbers.
        """
        import matplotlib.pyplot as plt

        from segmentation.figures.style import headline

        if basis := self._basis():
            basis = stated("Based on {basis}.", basis=basis)
        claims = to_plain(claims_of([title, more, caption, basis]))
        caption = printable(f"{caption.rstrip('.')}. {basis}".strip(), 600)
        written = printable(title, 240).rstrip(".")
        alt = printable(f"{written}. {more}", 900)
        headline(figure, written)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=FIGURE_DPI, metadata={"Software": None})
        plt.close(figure)
        path = self.folder / "figures" / f"{self.stage}_{file_name(name)}.png"
        write_atomically(path, buffer.getvalue())
        write_json(path.with_suffix(".json"), {"title": written, "caption": caption, "alt": alt})
        picture = base64.b64encode(buffer.getvalue()).decode()
        about: dict[str, Any] = {"alt": alt, "caption": caption}
        about["file"] = f"../figures/{path.name}"
        about["width"] = int.from_bytes(buffer.getvalue()[16:20], "big") // 2
        if is_watched():  # JupyterLab shows neither the caption nor the alternative text
            display(HTML(presentation.figure(picture, about)))
            return
        display(
            {"image/png": picture, "text/plain": f"Figure: {alt}"},
            raw=True,
            metadata={"image/png": about, "claims": claims},
        )

    def export(self, table: pd.DataFrame, name: str) -> None:
        """Write a list of customers for other programs, readable by its owner only."""
        content = table.to_csv(index=False, lineterminator="\n").encode()
        write_private(self.folder / name, content)

    def document(self, content: dict[str, Any], name: str, *, private: bool = False) -> None:
        """Write a JSON document beside the report, for its owner only where it is private."""
        write_json(self.folder / name, content, private=private)

    def text(self, content: str, name: str, *, private: bool = False) -> None:
        """Write a text beside the report, for its owner only where it is private."""
        write = write_private if private else write_atomically
        write(self.folder / name, content.encode())

    def clear(self, name: str) -> None:
        """Remove the files of a folder of lists, so that no list of an earlier run is left."""
        for path in (self.folder / name).glob("*.csv"):
            path.unlink()

    def all_metrics(self) -> dict[str, dict[str, Any]]:
        """Return the numbers of all stages that have run, this one included, by topic."""
        by_topic = {
            stage.topic: dict(self.metrics if n == self.stage else self._document(n, "metrics"))
            for n, stage in STAGES.items()
            if n == self.stage or self._stage_file(n, "metrics").is_file()
        }
        return with_topics_apart(by_topic)

    def record(self, **numbers: Any) -> None:
        """Note numbers that the prose or the report quotes, by name."""
        self.metrics |= {name: to_plain(value) for name, value in numbers.items()}
        self._due -= {f"record {name}" for name in numbers}

    def record_apart(self, topic: str, **numbers: Any) -> None:
        """Note numbers, by name, under a topic of their own beside that of the stage."""
        self.metrics.setdefault(APART, {})[topic] = to_plain(numbers)

    def finish(self) -> None:
        """Write the stage's numbers, merge them into metrics.json and show the versions.

        Raises
        ------
        UserError
            If cells that save or record something have not run since the results were opened: what
            the last complete run left stays as it is.
        """
        if self._due:
            name, missing = STAGES[self.stage].name, sorted(self._due)
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise UserError(
                f"{name} cannot end: cells before this one have not run ({len(self._due)})",
                where=f"missing: {', '.join(missing[:3])}{more}",
                remedy="run all cells from the first one on (Run > Run All Cells)",
            )
        for path in {*self.folder.glob(KEPT.format(self.stage))} - self._kept:
            path.unlink()
        self.save("metrics", self.metrics)
        self.save("reads", self._read)
        self.save("writes", self._written)
        write_json(self.folder / "metrics.json", self.all_metrics())
        stale = [s.name for n, s in STAGES.items() if n > self.stage and self._changed_since(n)]
        if stale:
            self.say(
                "⚠ Now stale, because this notebook changed what they read: **{stale}**. "
                "Run them again.",
                stale=joined(stale),
            )
        self._tell_report()
        versions = [f"Python {platform.python_version()}"]
        versions += [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
        count = {"packages": len(PACKAGES), "versions": joined(versions)}
        self.say("*Made with {versions}.*", "packages > 0", **count)

    def _tell_report(self) -> None:
        """Say where a report of an earlier run is out of date now, and what makes it anew."""
        if not (report := session.report_of(self.folder)):
            return
        session.keep_settings(report, self.stage, self.folder, self.parameters)
        changed = session.changed_since(report, self.folder)
        session.mark_report(self.folder, changed)
        if changed:
            self.say(
                "⚠ **The start page is out of date** and says so: {names} changed the results "
                "after it was made. In the project's folder, this makes it anew:",
                names=joined([STAGES[number].name for number in changed]),
            )
            command = session.rebuilding(report, self.folder, self.option, self.quick)
            display(HTML(f"<pre>{html.escape(shlex.join(command))}</pre>"))


def _check_folder(folder: Path) -> None:
    """Refuse a results folder that is a file, or in which nothing can be written."""
    nearest = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    if not nearest.is_dir():
        what = f"the results folder cannot be made: {nearest.name!r} is a file"
    elif not os.access(nearest, os.W_OK):
        what = "nothing can be written into the results folder"
    else:
        return
    raise UserError(what, str(folder)[:300], "choose another results_dir")


def _always_done(notebook: Path) -> set[str]:
    """List what every run of a notebook saves and records, by the calls outside of any branch."""
    due: set[str] = set()
    for step in (step for code in session.code_of(notebook) for step in code.body):
        match getattr(step, "value", None):
            case ast.Call(ast.Attribute(ast.Name("ws"), "save"), [ast.Constant(str(name)), *_]):
                due.add(f"save {name}")
            case ast.Call(ast.Attribute(ast.Name("ws"), "record"), keywords=numbers):
                due |= {f"record {number.arg}" for number in numbers if number.arg}
    return due


def _read_stage_file(path: Path) -> Any:
    """Read a table or a document that a notebook handed over.

    Raises
    ------
    UserError
        If it is damaged.
    """
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no document")
        return content
    except (ValueError, OSError):
        raise UserError(
            f"{path.name} is damaged",
            where=str(path),
            remedy=f"run {STAGES[path.name[:2]].name}.ipynb again",
        ) from None


def results_folder(dataset: str, results_dir: str = "") -> Path:
    """Return where a dataset's results are: the given folder, or one called after the dataset."""
    if results_dir:
        return Path(results_dir)
    if dataset == GUESSED:
        return RESULTS_FOLDER / dataset
    path = locate_dataset(dataset)
    return RESULTS_FOLDER / (path.parent.name if path.name == "dataset.toml" else path.stem)


def file_name(name: str) -> str:
    """Make a name that may hold a text from a user's file, such as a column's, safe as a file's.

    Small letters, digits, hyphens and underscores stay. Whatever else there is becomes an
    underscore, and a few digits keep two such names apart.

    Examples
    --------
    >>> file_name("composition_gender")
    'composition_gender'
    >>> file_name("composition_../../x")
    'composition_x_fb5f67'
    """
    safe = slug(name, separator="_", keep="-", default="")
    return name if safe == name else f"{safe}_{text_digest(name)[:6]}".lstrip("_")

"""The gallery: a few small pictures of a run, and the numbers beside them, for the README."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from customer_tables.errors import UserError
from runner import pages, screenshots
from runner.manifest import read as read_manifest
from runner.screenshots import Unavailable

DATASET = "credit_card"  # the embedded one
MOST_BYTES = 150_000
FIGURE_WIDTH = 900  # pixels; figures are drawn at about 1,100
_NO_DITHER = Image.Dither.NONE
START, END = "<!-- gallery -->", "<!-- /gallery -->"


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery.

    Attributes
    ----------
    file : str
        Its name in the gallery's folder.
    alt : str
        What it shows.
    caption : str
    width : int
        At which the README shows it, in pixels.
    """

    file: str
    alt: str
    caption: str
    width: int


def make_gallery(results: Path, gallery: Path) -> list[str]:
    """Make the pictures and numbers of a run.

    Parameters
    ----------
    results : pathlib.Path
        A full run on the embedded data.
    gallery : pathlib.Path
        The folder to fill; pictures that cannot be made stay as they are.

    Returns
    -------
    list of str
        What could not be made, and why.

    Raises
    ------
    UserError
        If the run is quick, on other data or unfinished.
    """
    manifest = _check(results)
    gallery.mkdir(parents=True, exist_ok=True)
    report = _read(results / "stages" / "06_report.json")
    pictures, missing = [], []
    for picture, content in _pictures(results, report):
        if isinstance(content, Unavailable):
            missing.append(f"{picture.file} was not made anew: {content}")
        else:
            (gallery / picture.file).write_bytes(_small(content))
        if (gallery / picture.file).is_file():
            pictures.append(picture)
    content = {
        "dataset": DATASET,
        "seed": manifest.get("seed"),
        "versions": {
            name: manifest["versions"].get(name) for name in ("python", "numpy", "scikit-learn")
        },
        "numbers": numbers_of(_read(results / "metrics.json"), report),
        "pictures": [vars(picture) for picture in pictures],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (gallery / "gallery.json").write_text(text + "\n", encoding="utf-8")
    (gallery / "README.md").write_text(
        f"# Gallery\n\n{snippet(content)}", encoding="utf-8", newline="\n"
    )
    return missing


def _check(results: Path) -> dict[str, Any]:
    manifest = read_manifest(results)
    remedy = f"make one: scripts/run.py --results {results}"
    if manifest is None or not (results / "stages" / "06_report.json").is_file():
        raise UserError("there is no finished run", where=str(results), remedy=remedy)
    report = _read(results / "stages" / "06_report.json")
    if manifest["dataset"] != DATASET or not report["generated"]:
        raise UserError(
            "the gallery shows the embedded card holders, and this run is of other data",
            where=str(results),
            remedy=remedy,
        )
    if manifest["quick"] or manifest["settings"]:
        raise UserError(
            "the gallery shows a full run, and this one has quick or other settings",
            where=str(results),
            remedy=f"{remedy} --force",
        )
    return manifest


def read_gallery(gallery: Path) -> dict[str, Any]:
    """Read what the last gallery holds."""
    return _read(gallery / "gallery.json")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def numbers_of(metrics: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the numbers that the gallery quotes from those of a run."""
    clustering, profiling = metrics["clustering"], metrics["profiling"]
    k = str(clustering["k"])
    return {
        "customers": metrics["cleaning"]["customers"],
        "k": clustering["k"],
        "elbow_k": clustering["elbow_k"],
        "silhouette_k": clustering["silhouette_k"],
        "stability": clustering["stability"][k],
        "silhouette": clustering["silhouette"],
        "inertia": clustering["inertia"][k],
        "verdict": clustering["verdict"],
        "names": profiling["names"],
        "share": profiling["share"],
        "value_share": profiling["value_share"],
        "value_mean": profiling["value_mean"],
        "noun": report["noun"],
        "nouns": report["nouns"],
        "value_label": report["value"]["label"],
    }


# --- pictures ----------------------------------------------------------------------------------


def _pictures(
    results: Path, report: Mapping[str, Any]
) -> Iterator[tuple[Picture, bytes | Unavailable]]:
    index, title = results / "index.html", report["title"]
    yield (
        Picture("report.png", f"The start page, “{title}”: {report['answer'][0]}",
                "The report, on a screen", 560),
        screenshots.page_picture(index, 1280, 1330),
    )  # fmt: skip
    yield (
        Picture("report_phone.png", "A segment's card on a phone: its size and value, what sets "
                "it apart in bars against the average, and what to do.", "On a phone", 240),
        screenshots.page_picture(index, 400, 1180, at="#segment-1"),
    )  # fmt: skip
    for name, caption, width in (
        ("04_decision", "How the number of segments is decided", 470),
        ("06_profiles", "What sets the segments apart", 330),
    ):
        figure = results / "figures" / f"{name}.png"
        about = _read(figure.with_suffix(".json"))
        yield Picture(f"{name[3:]}.png", about["alt"], caption, width), figure.read_bytes()
    yield (
        Picture("jupyterlab.png", "Notebook 04 in JupyterLab: the list of notebooks, and the cell "
                "that draws the decision with its figure.", "The same figure, live in JupyterLab",
                720),
        _lab_picture(results / "notebooks" / "04_kmeans.ipynb", "The decision"),
    )  # fmt: skip


def _lab_picture(executed: Path, heading: str) -> bytes | Unavailable:
    """Take a picture of an executed notebook among its sisters, in a copy that may be written."""
    from runner.inputs import NOTEBOOKS

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "notebooks"
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(NOTEBOOKS, folder, ignore=ignored)
        shutil.copyfile(executed, folder / executed.name)
        return screenshots.lab_picture(folder, executed.name, heading)


def _small(png: bytes) -> bytes:
    """Scale a picture down and reduce its colours until it is small enough for a repository."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > FIGURE_WIDTH:
        height = round(picture.height * FIGURE_WIDTH / picture.width)
        picture = picture.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    for colours in (None, 256, 128, 64, 32):
        buffer = io.BytesIO()
        if colours is None:
            reduced = picture
        else:
            # Not by frequency: a few words in a signal colour have to keep it.
            reduced = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=_NO_DITHER)
        reduced.save(buffer, format="png", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    return buffer.getvalue()


# --- text --------------------------------------------------------------------------------------


def snippet(content: Mapping[str, Any], folder: str = "") -> str:
    """Write the gallery as Markdown.

    Parameters
    ----------
    content : mapping
        What gallery.json holds.
    folder : str
        Where the pictures are, seen from the file that shows them, with a slash at its end.

    Returns
    -------
    str
        Pictures, and a paragraph and a table with the run's numbers.
    """
    n = content["numbers"]
    pictures = {entry["file"]: entry for entry in content["pictures"]}
    screens = [pictures[name] for name in ("report.png", "report_phone.png") if name in pictures]
    others = [entry for entry in content["pictures"] if entry not in screens]
    if n["elbow_k"] == n["silhouette_k"] == n["k"]:
        others_say = "the elbow or the silhouette alone would say the same"
    else:
        others_say = (
            f"the elbow alone would say {n['elbow_k']}, the silhouette alone {n['silhouette_k']}"
        )
    top = max(n["value_share"], key=n["value_share"].get)
    parts = [
        "\n".join(_image(entry, folder) for entry in screens),
        f"The {pages.count(n['customers'])} {n['nouns']} fall into {n['k']} segments "
        f"({others_say}). Two samples agree on them to an adjusted Rand index of "
        f"{n['stability']:.2f}; the mean silhouette is {n['silhouette']:.2f}; the verdict is "
        f"*{n['verdict']}*. {n['names'][top]} are {pages.percent(n['share'][top])} of the "
        f"{n['nouns']} and make {pages.percent(n['value_share'][top])} of {n['value_label']}.",
        _table(n),
        "\n".join(_image(entry, folder) for entry in others),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _image(entry: Mapping[str, Any], folder: str) -> str:
    alt, caption = (_attribute(entry[key]) for key in ("alt", "caption"))
    source = f"{folder}{entry['file']}"
    return (
        f'<a href="{source}"><img src="{source}" width="{entry["width"]}" alt="{alt}" '
        f'title="{caption}"></a>'
    )


def _attribute(text: str) -> str:
    return str(pages.escape(" ".join(text.split())))


def _table(n: Mapping[str, Any]) -> str:
    head = (
        f"| segment | share of {n['nouns']} | share of {n['value_label']} "
        f"| {n['value_label']} per {n['noun']} |\n|---|---:|---:|---:|"
    )
    rows = [
        f"| {name} | {pages.percent(n['share'][s])} | {pages.percent(n['value_share'][s])} "
        f"| {pages.number(n['value_mean'][s])} |"
        for s, name in n["names"].items()
    ]
    return "\n".join([head, *rows])


def insert(readme: str, text: str) -> str:
    """Put the gallery into a README, after its mark, in place of what was there.

    Raises
    ------
    ValueError
        If the README has no mark.
    """
    before, mark, after = readme.partition(START)
    if not mark:
        raise ValueError(f"no {START}")
    if END in after:
        after = after.partition(END)[2]
    return f"{before}{START}\n\n{text}\n{END}{after}"

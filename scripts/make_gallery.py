"""Make the README's pictures, and the numbers beside them, from a full run on the embedded data.

    python3 scripts/run.py                      # the run
    .venv/bin/python scripts/make_gallery.py    # results/gallery/, and that part of README.md

Needs Chromium.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import escape
from PIL import Image
from playwright.sync_api import sync_playwright

from runner import ROOT, pages, records

RESULTS, GALLERY = ROOT / "results" / "credit_card", ROOT / "results" / "gallery"
START, END = "<!-- gallery -->", "<!-- /gallery -->"
MOST_BYTES, MOST_WIDTH = 150_000, 1280  # of a picture
PHONE = "A segment's card on a phone: size and value, what sets it apart in bars, and what to do."
FOUR = "Notebook 04 as a page: its contents, and the decision with its figure."
# Pictures of pages: place, window, width in the README, caption and alternative text.
PAGES = {
    "report.png": ("index.html", (1280, 1330), 560, "The report, on a screen", "{answer[0]}"),
    "report_phone.png": ("index.html#segment-1", (400, 1180), 240, "On a phone", PHONE),
    "notebook.png": (
        "notebooks/04_kmeans.html#The-decision",
        *((1280, 1150), 720, "A notebook's page", FOUR),
    ),
}
FIGURES = {
    "decision.png": ("04_decision", 470, "How the number of segments is decided"),
    "profiles.png": ("06_profiles", 330, "What sets the segments apart"),
}


def photograph() -> Iterator[tuple[str, Image.Image]]:
    """Take the pictures of pages, each from its anchor on, in the system's Chromium."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for file, (place, (width, height), *_) in PAGES.items():
            window = running.new_page(viewport={"width": width, "height": height})
            window.goto(f"{RESULTS.as_uri()}/{place}")
            yield file, Image.open(io.BytesIO(window.screenshot())).convert("RGB")


def save_small(picture: Image.Image, path: Path) -> None:
    """Scale a picture down and reduce its colours until it is small enough for a repository."""
    picture.thumbnail((MOST_WIDTH, 10 * MOST_WIDTH), Image.Resampling.LANCZOS)
    for colours in (256, 128, 64, 32):
        # Not by frequency: a few words in a signal colour have to keep it.
        reduced = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break


def described(report: dict[str, Any], images: list[str]) -> str:
    """Write pictures, a paragraph and a table with a run's numbers as Markdown."""
    heads = [report["nouns"], *(value["label"] for value in report["values"])]
    rows = [f"| segment | {' | '.join(f'share of {head}' for head in heads)} |"]
    rows.append(f"|---{'|---:' * len(heads)}|")
    for segment in report["segments"]:
        shares = [segment["share"], *(value["share"] for value in segment["values"])]
        rows.append(f"| {' | '.join([segment['name'], *map(pages.percent, shares)])} |")
    answer = [*report["answer"][:2], *report["decision"]["sentences"][1:]]
    return "\n\n".join(["\n".join(images), " ".join(answer), "\n".join(rows)]) + "\n"


def main() -> int:
    """Make the gallery; return an exit code."""
    record = records.read_manifest(RESULTS) or {"quick": True}
    if record["quick"] or record["settings"]:
        print(f"The gallery shows a full run without settings, and {RESULTS} is none.")
        return 2
    report = json.loads((RESULTS / "stages" / "06_report.json").read_text("utf-8"))
    pictures, images = dict(photograph()), list[str]()
    about = {file: entry[-3:] for file, entry in PAGES.items()}
    for file, (name, width, caption) in FIGURES.items():
        figure = RESULTS / "figures" / f"{name}.png"
        pictures[file] = Image.open(figure).convert("RGB")
        alt = json.loads(figure.with_suffix(".json").read_text("utf-8"))["alt"]
        about[file] = (width, caption, alt.replace("{", "{{").replace("}", "}}"))
    GALLERY.mkdir(parents=True, exist_ok=True)
    for file, (width, caption, alt) in about.items():
        save_small(pictures[file], GALLERY / file)
        alt, title = (escape(" ".join(text.split())) for text in (alt.format_map(report), caption))
        tag = f'<img src="{file}" width="{width}" alt="{alt}" title="{title}">'
        images.append(f'<a href="{file}">{tag}</a>')
    text = f"# Gallery\n\n{described(report, images)}"
    (GALLERY / "README.md").write_text(text, encoding="utf-8", newline="\n")
    first = images[0].replace('="report', '="results/gallery/report')
    readme = (ROOT / "README.md").read_text("utf-8")
    before, _, rest = readme.partition(START)
    shown = f"{START}\n\n{described(report, [first])}\n{END}"
    new = f"{before}{shown}{rest.partition(END)[2]}"
    (ROOT / "README.md").write_text(new, encoding="utf-8", newline="\n")
    print(f"Gallery: {GALLERY}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

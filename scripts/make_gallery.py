"""Make the README's pictures, and the numbers beside them, from a full run on the embedded data.

python3 scripts/run.py            # the run
python3 scripts/make_gallery.py   # results/gallery/, and the gallery's part of README.md
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

import argparse
import io
import json
import shutil
from pathlib import Path

from runner.entry import enter, finish

if __name__ == "__main__":
    refused = finish(lambda: enter(Path(__file__), sys.argv[1:]) or 0)
    if refused:
        sys.exit(refused)

from markupsafe import escape
from PIL import Image

from customer_tables.errors import UserError
from customer_tables.storage import json_text
from runner import environment, pages, records
from segmentation.stages import SERIES

RESULTS, README = environment.ROOT / "results", environment.ROOT / "README.md"
START, END = "<!-- gallery -->", "<!-- /gallery -->"
MOST_BYTES, MOST_WIDTH = 150_000, 1280  # of a picture
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
NOTEBOOK = next(f"notebooks/{stage.name}.html" for stage in SERIES if stage.number == "04")
PHONE = "A segment's card on a phone: size and value, what sets it apart in bars, and what to do."
FOUR = "Notebook 04 as a page: its contents, and the decision with its figure."
# Pictures of pages: page, window, what to have at the top, width in the README, caption and
# alternative text.
PAGES = {
    "report.png": ("index.html", (1280, 1330), "h1", 560, "The report, on a screen", "{answer[0]}"),
    "report_phone.png": ("index.html", (400, 1180), "#segment-1", 240, "On a phone", PHONE),
    "notebook.png": (NOTEBOOK, (1280, 1150), "#The-decision", 720, "A notebook's page", FOUR),
}
FIGURES = {
    "decision.png": ("04_decision", 470, "How the number of segments is decided"),
    "profiles.png": ("06_profiles", 330, "What sets the segments apart"),
}


def photograph(results):
    """Take the pictures of pages, as PNG, in the system's Chromium."""
    from playwright.sync_api import sync_playwright

    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        raise UserError("there is no Chromium on this machine", remedy="install it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        for file, (page, (width, height), at, *_) in PAGES.items():
            size = {"width": width, "height": height}
            window = browser.new_page(viewport=size, color_scheme="light")
            window.goto((results / page).as_uri())
            if at != "h1":
                window.evaluate("at => document.querySelector(at).scrollIntoView()", at)
            yield file, window.screenshot()
        browser.close()


def small(png):
    """Scale a picture down and reduce its colours until it is small enough for a repository."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((MOST_WIDTH, 10 * MOST_WIDTH), Image.Resampling.LANCZOS)
    for colours in (256, 128, 64, 32):
        buffer = io.BytesIO()
        # Not by frequency: a few words in a signal colour have to keep it.
        reduced = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        reduced.save(buffer, format="png", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    return buffer.getvalue()


def snippet(content, folder="", pictures=None):
    """Write the gallery as Markdown: pictures, a paragraph and a table with the numbers.

    `content` is what gallery.json holds; `folder` is where the pictures are, with a slash.
    """
    images = []
    for entry in content["pictures"][:pictures]:
        alt, caption = (escape(" ".join(entry[key].split())) for key in ("alt", "caption"))
        source = f"{folder}{entry['file']}"
        tag = f'<img src="{source}" width="{entry["width"]}" alt="{alt}" title="{caption}">'
        images.append(f'<a href="{source}">{tag}</a>')
    heads = [content["nouns"], *(value["label"] for value in content["values"])]
    rows = [f"| segment | {' | '.join(f'share of {head}' for head in heads)} |"]
    rows.append(f"|---{'|---:' * len(heads)}|")
    for segment in content["segments"]:
        shares = [segment["share"], *(value["share"] for value in segment["values"])]
        rows.append(f"| {' | '.join([segment['name'], *map(pages.percent, shares)])} |")
    return "\n\n".join(["\n".join(images), " ".join(content["answer"]), "\n".join(rows)]) + "\n"


def insert(readme, text):
    """Put the gallery into a README, between its marks."""
    before, _, after = readme.partition(START)
    return f"{before}{START}\n\n{text}\n{END}{after.partition(END)[2]}"


def make_gallery(results, gallery):
    """Make the pictures and the numbers of a run; return what gallery.json holds."""
    record, report = records.read_manifest(results) or {}, results / "stages" / "06_report.json"
    report = json.loads(report.read_text("utf-8")) if report.is_file() else {}
    if not report.get("generated") or record.get("quick", True) or record["settings"]:
        what = "the gallery shows a full run on the embedded cardholders, and this is none"
        remedy = f"make one: scripts/run.py --results {results} --force"
        raise UserError(what, where=str(results), remedy=remedy)
    contents, pictures = dict(photograph(results)), []
    for file, (*_, width, caption, alt) in PAGES.items():
        alt = alt.format_map(report)
        pictures.append({"file": file, "alt": alt, "caption": caption, "width": width})
    for file, (name, width, caption) in FIGURES.items():
        figure = results / "figures" / f"{name}.png"
        contents[file] = figure.read_bytes()
        alt = json.loads(figure.with_suffix(".json").read_text("utf-8"))["alt"]
        pictures.append({"file": file, "alt": alt, "caption": caption, "width": width})
    content = {"pictures": pictures} | {
        key: report[key] for key in ("customers", "k", "noun", "nouns", "values", "answer")
    }
    columns = ("segment", "name", "share", "values")
    content["answer"][2:] = report["decision"]["sentences"][1:]
    content["segments"] = [{key: card[key] for key in columns} for card in report["segments"]]
    gallery.mkdir(parents=True, exist_ok=True)
    for file, png in contents.items():
        (gallery / file).write_bytes(small(png))
    (gallery / "gallery.json").write_text(json_text(content), encoding="utf-8")
    (gallery / "README.md").write_text(f"# Gallery\n\n{snippet(content)}", encoding="utf-8")
    return content


def main(arguments):
    """Make the gallery; return an exit code."""
    parser = argparse.ArgumentParser(description="Make the README's pictures from a full run.")
    parser.add_argument("--results", type=Path, default=RESULTS / "credit_card", help="the run")
    content = make_gallery(parser.parse_args(arguments).results.resolve(), RESULTS / "gallery")
    text = snippet(content, "results/gallery/", pictures=1)
    README.write_text(insert(README.read_text("utf-8"), text), encoding="utf-8", newline="\n")
    print(f"Gallery: {RESULTS / 'gallery'}")
    return 0


if __name__ == "__main__":
    sys.exit(finish(lambda: main(sys.argv[1:])))

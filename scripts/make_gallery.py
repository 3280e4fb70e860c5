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
import subprocess
from pathlib import Path

from customer_tables.storage import json_text
from runner import environment
from runner.entry import finish
from runner.errors import DONE


def enter():
    """Go on inside the environment, which has what is imported from here on."""
    environment.enter(Path(__file__), sys.argv[1:])
    return DONE


if __name__ == "__main__":
    refused = finish(enter)
    if refused:
        sys.exit(refused)

from PIL import Image

from customer_tables.errors import UserError
from customer_tables.text import count, number
from runner import manifest, pages
from segmentation.stages import SERIES

RESULTS, README = environment.ROOT / "results", environment.ROOT / "README.md"
DATASET = "credit_card"  # the embedded one
START, END = "<!-- gallery -->", "<!-- /gallery -->"
MOST_BYTES, FIGURE_WIDTH = 150_000, 900  # of a picture; figures are drawn about 1,100 pixels wide
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
# Pages of a run: the picture's file, the page, the window, what to have at the top, caption, width
# in the README and alternative text.
NOTEBOOK = next(stage.name for stage in SERIES if stage.number == "04")
PAGES = (
    (
        "report.png",
        "index.html",
        (1280, 1330),
        "h1",
        "The report, on a screen",
        560,
        "The start page, “{title}”: {answer[0]}",
    ),
    (
        "report_phone.png",
        "index.html",
        (400, 1180),
        "#segment-1",
        "On a phone",
        240,
        "A segment's card on a phone: its size and value, what sets it apart in bars against the "
        "average, and what to do.",
    ),
    (
        "notebook.png",
        f"notebooks/{NOTEBOOK}.html",
        (1280, 1150),
        "#The-decision",
        "A notebook's page",
        720,
        "Notebook 04 as a page: its contents, and the decision with its figure.",
    ),
)
FIGURES = (
    ("decision.png", "04_decision", "How the number of segments is decided", 470),
    ("profiles.png", "06_profiles", "What sets the segments apart", 330),
)


def photograph(results):
    """Take the pictures of pages, as PNG, in the system's Chromium."""
    from playwright.sync_api import sync_playwright

    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        raise UserError("there is no Chromium on this machine", remedy="install it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        for file, page, (width, height), at, *_ in PAGES:
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
    if picture.width > FIGURE_WIDTH:
        height = round(picture.height * FIGURE_WIDTH / picture.width)
        picture = picture.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    for colours in (None, 256, 128, 64, 32):
        # Not by frequency: a few words in a signal colour have to keep it.
        reduced = (
            picture
            if colours is None
            else picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        )
        buffer = io.BytesIO()
        reduced.save(buffer, format="png", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    return buffer.getvalue()


def snippet(content, folder=""):
    """Write the gallery as Markdown: pictures, and a paragraph and a table with the numbers.

    `content` is what gallery.json holds; `folder` is where the pictures are, with a slash.
    """
    n = content["numbers"]
    images = {entry["file"]: image(entry, folder) for entry in content["pictures"]}
    screens = [images.pop(name) for name in ("report.png", "report_phone.png") if name in images]
    alone = f"the elbow alone would say {n['elbow_k']}, the silhouette alone {n['silhouette_k']}"
    if n["elbow_k"] == n["silhouette_k"] == n["k"]:
        alone = "the elbow or the silhouette alone would say the same"
    top = max(n["value_share"], key=n["value_share"].get)
    text = (
        f"The {count(n['customers'])} {n['nouns']} fall into {n['k']} segments ({alone}). "
        f"Two samples agree on them to an adjusted Rand index of {n['stability']:.2f}; the mean "
        f"silhouette is {n['silhouette']:.2f}; the verdict is *{n['verdict']}*. "
        f"{n['names'][top]} are {pages.percent(n['share'][top])} of the {n['nouns']} and make "
        f"{pages.percent(n['value_share'][top])} of {n['value_label']}."
    )
    rows = [
        f"| segment | share of {n['nouns']} | share of {n['value_label']} "
        f"| {n['value_label']} per {n['noun']} |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {pages.percent(n['share'][s])} | {pages.percent(n['value_share'][s])} "
            f"| {number(n['value_mean'][s])} |"
            for s, name in n["names"].items()
        ),
    ]
    parts = ["\n".join(lines) for lines in (screens, [text], rows, images.values())]
    return "\n\n".join(part for part in parts if part) + "\n"


def image(entry, folder):
    """Write a picture as HTML that GitHub shows."""
    alt, caption = (pages.escape(" ".join(entry[key].split())) for key in ("alt", "caption"))
    source = f"{folder}{entry['file']}"
    tag = f'<img src="{source}" width="{entry["width"]}" alt="{alt}" title="{caption}">'
    return f'<a href="{source}">{tag}</a>'


def insert(readme, text):
    """Put the gallery into a README, after its mark, in place of what was there."""
    before, mark, after = readme.partition(START)
    if not mark:
        raise ValueError(f"no {START}")
    return f"{before}{START}\n\n{text}\n{END}{after.partition(END)[2] if END in after else after}"


def check(results):
    """Return the record and the report of a full run on the embedded data; refuse any other."""
    record, path = manifest.read(results), results / "stages" / "06_report.json"
    remedy = f"make one: scripts/run.py --results {results}"
    if record is None or not path.is_file():
        raise UserError("there is no finished run", where=str(results), remedy=remedy)
    report = json.loads(path.read_text("utf-8"))
    if record["dataset"] != DATASET or not report["generated"]:
        what = "the gallery shows the embedded card holders, and this run is of other data"
        raise UserError(what, where=str(results), remedy=remedy)
    if record["quick"] or record["settings"]:
        what = "the gallery shows a full run, and this one has quick or other settings"
        raise UserError(what, where=str(results), remedy=f"{remedy} --force")
    return record, report


def make_gallery(results, gallery):
    """Make the pictures and the numbers of a run; return what gallery.json holds."""
    record, report = check(results)
    pictures, contents = [], dict(photograph(results))
    for file, _, _, _, caption, width, alt in PAGES:
        alt = alt.format_map(report)
        pictures.append({"file": file, "alt": alt, "caption": caption, "width": width})
    for file, name, caption, width in FIGURES:
        figure = results / "figures" / f"{name}.png"
        contents[file] = figure.read_bytes()
        alt = json.loads(figure.with_suffix(".json").read_text("utf-8"))["alt"]
        pictures.append({"file": file, "alt": alt, "caption": caption, "width": width})
    gallery.mkdir(parents=True, exist_ok=True)
    for file, png in contents.items():
        (gallery / file).write_bytes(small(png))
    versions = {name: record["versions"].get(name) for name in ("python", "numpy", "scikit-learn")}
    metrics = json.loads((results / "metrics.json").read_text("utf-8"))
    numbers = numbers_of(metrics, report)
    content = {"dataset": DATASET, "seed": record["seed"], "versions": versions}
    content |= {"numbers": numbers, "pictures": pictures}
    (gallery / "gallery.json").write_text(json_text(content), encoding="utf-8")
    (gallery / "README.md").write_text(f"# Gallery\n\n{snippet(content)}", encoding="utf-8")
    return content


def numbers_of(metrics, report):
    """Pick the numbers that the gallery quotes from those of a run."""
    clustering, profiling = metrics["clustering"], metrics["profiling"]
    k = clustering["k"]
    return {
        "customers": metrics["cleaning"]["customers"],
        **{name: clustering[name] for name in ("k", "elbow_k", "silhouette_k")},
        "stability": clustering["stability"][str(k)],
        "silhouette": clustering["silhouette"],
        "inertia": clustering["inertia"][str(k)],
        "verdict": clustering["verdict"],
        **{name: profiling[name] for name in ("names", "share", "value_share", "value_mean")},
        "noun": report["noun"],
        "nouns": report["nouns"],
        "value_label": report["value"]["label"],
    }


def main(arguments):
    """Make the gallery; return an exit code."""
    parser = argparse.ArgumentParser(description="Make the README's pictures from a full run.")
    parser.add_argument("--results", type=Path, help="a finished run, to be taken as it is")
    options = parser.parse_args(arguments)
    if options.results is None:
        done = subprocess.run([sys.executable, str(Path(__file__).with_name("run.py"))])
        if done.returncode:
            return done.returncode
    results = options.results or RESULTS / DATASET
    content = make_gallery(results.resolve(), RESULTS / "gallery")
    first = content | {"pictures": content["pictures"][:1]}  # the README shows one
    text = snippet(first, "results/gallery/")
    README.write_text(insert(README.read_text("utf-8"), text), encoding="utf-8", newline="\n")
    print(f"Gallery: {RESULTS / 'gallery'}")
    return DONE


if __name__ == "__main__":
    sys.exit(finish(lambda: main(sys.argv[1:])))

"""A whole run on planted data: every text hostile, every customer recognisable, no network."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pytest
from bs4 import BeautifulSoup
from test_browser import UNFOLD, browser, opened  # noqa: F401 (a fixture)

from segmentation import later_period
from segmentation.dataset import load_dataset
from segmentation.model import load_model
from segmentation.scoring import Scorer
from segmentation.stages import SERIES

ROOT = Path(__file__).parents[1]
PAGES = ("index", *(stage.name for stage in SERIES))
# As little work as possible: what is looked at is texts, not numbers.
SMALL = ["--quick", "--set", "epochs=2"]
# With six segments the customer with the largest amount has one alone.
for setting in ("k=6", "k_max=6", "starts=2", "epochs=2", "refits=2"):
    SMALL += ["--set", setting]
# Files about single customers; everything else is for colleagues.
CUSTOMERS = re.compile(r"segments\.csv|campaigns/.*\.csv|stages/.*|model\.(?:json|sql)")
KINDS = {".html", ".ipynb", ".png", ".json", ".csv", ".parquet", ".toml", ".sql"}
# Starts a program where the only network is the machine's own loopback, over which the kernels
# are spoken to.
ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # SIOCSIFFLAGS: up, running
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def _alone() -> list[str]:
    """Return the words that run a program without a network, where this system can."""
    words = ["unshare", "--map-root-user", "--net", sys.executable, "-c", ALONE]
    if shutil.which("unshare"):
        tried = subprocess.run([*words, "-c", "pass"], capture_output=True, check=False)
        if tried.returncode == 0:
            return words
    return [sys.executable]


class Run:
    """The planted run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = planted.write(folder / "e<b>vil & co")
        self.results = folder / "out" / "results"
        self.alone = _alone()
        self.before = self.files()
        done = self.start(*SMALL, "--results", str(self.results))
        self.code, self.said = done.returncode, done.stdout + done.stderr

    def start(self, *options: str) -> subprocess.CompletedProcess:
        """Run the notebooks, as somebody whose new files everybody may read."""
        environ = os.environ | {"SEGMENTATION_NO_VENV": "1", "HOME": str(self.folder / "home")}
        script = str(ROOT / "scripts" / "run.py")
        umask = os.umask(0o022)
        try:
            return subprocess.run(
                [*self.alone, script, "--dataset", str(self.source), *options],
                env=environ, cwd=self.folder, capture_output=True, text=True, timeout=600,
                check=False,
            )  # fmt: skip
        finally:
            os.umask(umask)

    def files(self) -> set[str]:
        """Return everything that a run could have written beside its results."""
        places = [self.folder, ROOT / "notebooks", ROOT / "scripts", ROOT / "data"]
        return {
            str(path)
            for place in places
            for path in place.rglob("*")
            if path.suffix != ".pyc" and path.name != "__pycache__"
        }

    def published(self) -> dict[str, Path]:
        """Return the published files by their path in the results."""
        found = sorted(path for path in self.results.rglob("*") if path.is_file())
        return {path.relative_to(self.results).as_posix(): path for path in found}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = Run(tmp_path_factory.mktemp("planted"))
    assert made.code == 0, made.said
    return made


def test_a_run_needs_no_network(run):
    if run.alone[0] != "unshare":
        pytest.skip("needs a system that runs a process without a network")
    assert "index.html" in run.published()


def test_nothing_is_written_outside_the_results(run):
    ours = (str(run.results.parent), str(run.folder / "home"))
    new = {name for name in run.files() - run.before if not name.startswith(ours)}
    assert {name for name in new if name.startswith(str(run.folder))} == set()
    assert {name for name in new if re.search("planted|taken|escaped", name)} == set()
    assert [path.name for path in run.results.parent.iterdir()] == ["results"]


def test_file_names_are_slugs_of_known_kinds(run):
    for name, path in run.published().items():
        assert re.fullmatch(r"(\.stamps/|\w+/)?[\w-]{1,100}\.[a-z]+", name, re.ASCII), name
        assert path.suffix in KINDS, name
    folders = {path.name for path in run.results.iterdir() if path.is_dir()}
    assert folders == {".stamps", "campaigns", "figures", "notebooks", "stages", "tables"}
    assert len(list((run.results / "campaigns").iterdir())) == len(
        json.loads((run.results / "model.json").read_text())["segments"]
    )


def test_tables_keep_their_shape_and_hold_no_formula(run):
    for name, path in run.published().items():
        if path.suffix != ".csv":
            continue
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1, name
        for cell in (cell for row in rows for cell in row):
            risky = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not risky or re.fullmatch(r"[+-][\d.,%e+-]+", cell), (name, cell[:80])


def test_only_the_lists_of_customers_know_a_customer(run):
    words = [*planted.SENTINEL_IDS, "SENTINEL-7Q4", "SENTINEL-ROW"]
    amounts = [amount for row in planted.SENTINEL_AMOUNTS for amount in row if amount > 100]
    spellings = {s for a in amounts for s in (f"{a}", f"{a:,}", f"{a:.0f}", f"{a:,.0f}", f"{a:.1f}")
                 if len(s) > 4}  # fmt: skip
    numbers = re.compile(r"(?<![\w.,])(" + "|".join(map(re.escape, spellings)) + r")(?![\w.,]\d)")
    for name, path in run.published().items():
        if CUSTOMERS.fullmatch(name):
            continue
        content = path.read_bytes().decode("utf-8", errors="replace")
        assert [word for word in words if word in content] == [], name
        if path.suffix != ".png" and "weights" not in name and "autoencoder" not in name:
            pictures = r'"image/png": "[^"]*"|base64,[A-Za-z0-9+/=]*'
            assert numbers.findall(re.sub(pictures, "", content)) == [], name
    assert "SENTINEL" not in run.said


NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*\.?\d*(?:e[-+]?\d\d)?(?![\w])")
PICTURE = re.compile(r'"image/png": "[^"]*"|base64,[A-Za-z0-9+/=]*|"sha256": "[^"]*"')


def simulated_period(run: Run) -> dict[str, pd.DataFrame]:
    """Return the generated customers of notebook 09, and their features, as it has made them."""
    files = run.published()
    model = load_model(files["model.json"])
    labels = pd.read_parquet(files["stages/04_segments.parquet"])["segment"]
    chosen = json.loads(files["manifest.json"].read_text())["parameters"]["09"]
    customers = later_period.next_period(
        pd.read_parquet(files["stages/01_customers.parquet"]), labels,
        priced=later_period.priced_columns(load_dataset(str(run.source))),
        shrinking=int(labels.value_counts().idxmax()),
        **{name: chosen[name] for name in ("new_share", "inflation", "shrink", "seed")},
    )  # fmt: skip
    features = Scorer(model).score(customers).features
    return {"09 customers": customers, "09 features": features}


def own_values(run: Run, min_group_size: int = 10) -> dict[float, str]:
    """Return the values that would tell about single customers, raw, as features and standardised.

    Those are all values of customers in segments with too few, and the extremes of each column:
    everything with fewer than ``min_group_size`` customers beyond it. Shared values are none.
    """
    segments = pd.read_parquet(run.published()["stages/04_segments.parquet"])["segment"]
    alone = segments.map(segments.value_counts()) < min_group_size
    assert alone.any(), "the planted segment of few is missing"
    alone = set(alone.index[alone])
    found = {}
    names = ("01_customers", "01_as_read", "03_features", "03_matrix")
    tables = {n: pd.read_parquet(run.published()[f"stages/{n}.parquet"]) for n in names}
    for name, table in (tables | simulated_period(run)).items():
        few = table.index.isin(alone)
        for column, values in table.select_dtypes("number").items():
            rank = values.rank(method="first")
            edge = (rank < min_group_size) | (rank > len(values) - min_group_size + 1)
            for value in values[(few | edge) & ~values.duplicated(keep=False)].dropna():
                if len(f"{value:.6g}".strip("0").replace(".", "").replace("-", "")) >= 5:
                    found[float(value)] = f"{name} {column}"
    return found


def test_no_number_is_that_of_a_single_customer(run):
    own = own_values(run)
    values = np.array(sorted(own))
    for name, path in run.published().items():
        if CUSTOMERS.fullmatch(name) or path.suffix == ".png":
            continue
        text = PICTURE.sub("", path.read_bytes().decode("utf-8", errors="replace"))
        texts = {t.replace(",", "").replace("−", "-").strip("-+") for t in NUMBER.findall(text)}
        shown = np.array([float(t) for t in texts if len(re.sub(r"\D", "", t).strip("0")) >= 5])
        shown = np.concatenate([shown, -shown])
        shown = shown[np.isfinite(shown)]
        for value in shown:
            place = np.clip(np.searchsorted(values, value) + np.arange(-1, 1), 0, len(values) - 1)
            near = values[place][np.isclose(values[place], value, rtol=2e-6, atol=0)]
            assert [own[n] for n in near] == [], (name, value)


def test_a_segment_of_few_is_counted_in_with_another(run):
    with run.published()["tables/06_sizes.csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    few = [row for row in rows if int(row["customers"]) < 10]
    assert len(few) == 1
    assert {v for k, v in few[0].items() if k.startswith("value")} == {""}
    assert sum(float(row["value_share"] or 0) for row in rows) == pytest.approx(1)
    page = run.published()["index.html"].read_text("utf-8")
    assert page.count("too few to be described") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a system with owners of files, not Windows")
def test_lists_of_customers_are_their_owners_only(run):
    lists = {n: p for n, p in run.published().items() if CUSTOMERS.fullmatch(n)}
    assert {"segments.csv", "stages/01_customers.parquet"} <= set(lists)
    assert {n for n, p in lists.items() if stat.S_IMODE(p.stat().st_mode) != 0o600} == set()
    others = {n for n, p in run.published().items() if n not in lists}
    assert {n for n in others if not run.published()[n].stat().st_mode & 0o044} <= set()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_what_is_planted_as_text(run, name):
    path = run.results / ("index.html" if name == "index" else f"notebooks/{name}.html")
    page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
    assert planted.ACT in page.main.text


def test_pages_hold_no_invisible_characters(run, at_work):
    strange = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b\u2028-\u202e\u2066-\u2069\ufeff]")
    for path in [*run.published().values(), *at_work.pages]:
        if path.suffix == ".html":
            assert not strange.search(path.read_text("utf-8")), path.name


def test_answers_of_few_are_not_shown(run):
    for name, path in run.published().items():
        if not CUSTOMERS.fullmatch(name) and path.suffix in (".csv", ".html", ".ipynb", ".json"):
            assert "Zanzibar" not in path.read_text("utf-8"), name


def test_formulas_in_lists_are_told_and_kept_only_when_asked(run, tmp_path):
    with (run.results / "segments.csv").open(encoding="utf-8", newline="") as file:
        ids = {row["customer"] for row in csv.DictReader(file)}
    assert "'" + planted.SENTINEL_IDS[1] in ids
    assert "would run as a formula" in (run.results / "index.html").read_text("utf-8")
    kept = tmp_path / "results"
    shutil.copytree(run.results, kept)
    # The same run tries a later period that is a file, one with a hostile name.
    later = f"next_period={run.source / planted.TABLE_NAME}"
    done = run.start(*SMALL, "--raw", "--set", later, "--results", str(kept))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("up to date") == 7, "only notebooks 06 and 09 have anything to do"
    with (kept / "segments.csv").open(encoding="utf-8", newline="") as file:
        ids = {row["customer"] for row in csv.DictReader(file)}
    assert planted.SENTINEL_IDS[1] in ids
    assert "ept as they are; take care" in (kept / "index.html").read_text("utf-8")
    for name in ("09_scoring_and_drift.html", "09_scoring_and_drift.ipynb"):
        text = (kept / "notebooks" / name).read_text("utf-8")
        assert "The second period is real" in text
        assert not re.search("SENTINEL|731846|731,846", text), name
    assert "<img src=x" not in (kept / "notebooks" / "09_scoring_and_drift.html").read_text("utf-8")


class AtWork:
    """What score.py, compare.py and export_sql.py make of the planted model and table."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.folder = folder
        model = str(run.results / "model.json")
        other = folder / "other"
        shutil.copytree(run.results, other)
        table = str(run.source / planted.TABLE_NAME)
        commands = (
            ("score.py", "--model", model, "--input", table, "--output", str(folder / "list.csv"),
             "--before", str(run.results / "segments.csv"), "--drift", str(folder / "drift")),
            ("compare.py", str(run.results), str(other), "--output", str(folder / "compared.html")),
            ("export_sql.py", "--model", model, "--output", str(folder / "sql")),
        )  # fmt: skip
        self.said = ""
        for script, *argv in commands:
            done = subprocess.run(
                [*run.alone, str(ROOT / "scripts" / script), *argv], cwd=folder,
                env=os.environ | {"SEGMENTATION_NO_VENV": "1"}, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (script, done.stderr)
            self.said += done.stdout + done.stderr
        shutil.rmtree(other)
        self.pages = [folder / "drift" / "index.html", folder / "compared.html"]


@pytest.fixture(scope="module")
def at_work(run, tmp_path_factory):
    return AtWork(run, tmp_path_factory.mktemp("at_work"))


def test_what_is_made_of_the_model_knows_no_customer_either(at_work):
    names = {path.relative_to(at_work.folder).as_posix() for path in at_work.folder.rglob("*")}
    folders = {"drift", "sql"}
    assert all(re.fullmatch(r"(?:drift/|sql/)?[\w.]+", name) for name in names), names
    for name in names - folders - {"list.csv"}:
        text = (at_work.folder / name).read_text("utf-8")
        assert "SENTINEL" not in text and "731846" not in text, name
    assert "SENTINEL" not in at_work.said and "\x1b" not in at_work.said
    if os.name != "nt":
        private = ["list.csv", *(name for name in names if name.endswith(".sql"))]
        assert len(private) == 6
        for name in private:
            assert stat.S_IMODE((at_work.folder / name).stat().st_mode) == 0o600, name


@pytest.mark.parametrize("policy", ["kept", "stripped"])
def test_no_page_acts_on_its_data(run, at_work, browser, tmp_path, policy):  # noqa: F811
    folder = run.results / "notebooks"
    paths = [run.results / "index.html", *(folder / f"{name}.html" for name in PAGES[1:])]
    for path in [*paths, *at_work.pages]:
        name = path.parent.name if path.stem == "index" else path.stem
        if policy == "stripped":
            rule = r'<meta http-equiv="Content-Security-Policy"[^>]*>'
            html, removed = re.subn(rule, "", path.read_text("utf-8"))
            assert removed == 1
            # Beside the original, so that links and pictures are the same.
            path = path.with_name(f"stripped-{name}.html")
            path.write_text(html, encoding="utf-8")
        try:
            ours = (run.results.as_uri(), at_work.folder.as_uri())
            with opened(browser, path, beside=ours) as page:
                page.evaluate(UNFOLD)
                page.wait_for_timeout(100)
                assert page.title() != "taken", name
                assert page.url == path.as_uri()
                active = (
                    "script, iframe, object, embed, form, base, link[href^=http], "
                    "meta[http-equiv=refresh], [onerror], [onload], [href^='javascript:']"
                )
                assert page.locator(active).count() == 0, name
        finally:
            if policy == "stripped":
                path.unlink()

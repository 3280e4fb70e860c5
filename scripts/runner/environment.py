"""The Python environment of the project: made once, checked at every start in a few milliseconds.

Nothing here needs more than the standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from customer_tables.errors import UserError
from runner import ROOT
from runner.locking import Held, lock

STAMP = "segmentation-environment.json"
OPT_OUT = "SEGMENTATION_NO_VENV"
SUPPORTED = ((3, 11), (3, 13))  # first and last minor version that the lock has packages for

# What JupyterLab reads from the environment when it starts.
_JUPYTER = """\
# Written by scripts/run.py: the project's notebooks are saved without outputs.
import sys
sys.path.append({scripts!r})
c.ContentsManager.pre_save_hook = "runner.notebook_files.without_outputs"
"""
# What every kernel reads from the environment when it starts.
_KERNEL = """\
# Written by scripts/run.py: cells that wait, or that need another one, say so.
c.InteractiveShellApp.extensions = ["segmentation.session"]
"""

# Settings of pip that would send the packages elsewhere than into the environment.
_MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONPATH", "PYTHONHOME")
_NO_INDEX = (
    "the package index cannot be reached",
    "check the network or the proxy, then start again; it goes on where it stopped",
)
# By what pip says: what went wrong, and what helps.
_DIAGNOSES = {
    "No space left on device": (
        "the disk is full",
        "make 3 GB of space, then start again; it goes on where it stopped",
    ),
    "DO NOT MATCH THE HASHES": (
        "a downloaded package is not the one that requirements.txt pins",
        "empty pip's cache (pip cache purge) and try again; do not go around this check",
    ),
    "ensurepip": (
        "this Python comes without venv",
        "on Debian and Ubuntu: apt install python3-venv",
    ),
    "Connection": _NO_INDEX,
    "Temporary failure in name resolution": _NO_INDEX,
    "No matching distribution": (
        "no build of a package was found for this system",
        "check the network; supported are Linux (glibc 2.28 or newer) on x86-64 and ARM,"
        " Windows on x86-64, macOS 12 or newer on Apple silicon",
    ),
}


def enter(script: Path, arguments: list[str], *, root: Path = ROOT) -> None:
    """Make sure that this process runs inside the project's environment.

    Returns at once inside a finished environment. Otherwise the environment is made or brought up
    to date, and `script` starts again inside it. With SEGMENTATION_NO_VENV=1 the running Python is
    taken as it is, for containers that hold the packages already.
    """
    if os.environ.get(OPT_OUT, "") not in ("", "0"):
        return
    folder = root / ".venv"
    if not is_ready(folder, root / "requirements.txt"):
        prepare(root)
    if Path(sys.prefix).resolve() != folder.resolve():
        _restart(python_of(folder), script, arguments)


def python_of(folder: Path) -> Path:
    """Return where an environment's Python lies."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_ready(folder: Path, requirements: Path) -> bool:
    """Whether the environment holds what requirements.txt asks for, judged by its stamp."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        expected = _stamp(folder, requirements)
    except (OSError, ValueError):
        return False
    # A link to a Python that was uninstalled since does not exist either.
    return stamp == expected and python_of(folder).exists()


def _stamp(folder: Path, requirements: Path) -> dict[str, str]:
    """Describe a finished environment: its packages, its Python and its place.

    The place counts because the commands in an environment hold its path.
    """
    config = (folder / "pyvenv.cfg").read_text(encoding="utf-8")
    settings = dict(line.partition("=")[::2] for line in config.splitlines())
    version = next((v for k, v in settings.items() if k.strip().startswith("version")), "")
    return {
        "requirements": hashlib.sha256(requirements.read_bytes()).hexdigest(),
        "python": version.strip(),
        "folder": str(folder.resolve()),
        "jupyter": hashlib.sha256((_JUPYTER + _KERNEL).encode()).hexdigest(),
    }


def prepare(root: Path) -> None:
    """Make the environment, or bring it up to date; two callers take turns.

    Raises UserError if it cannot be made: no space, no network, no suitable Python.
    """
    folder, requirements = root / ".venv", root / "requirements.txt"
    if not requirements.is_file():
        raise UserError(
            "requirements.txt is missing",
            where=str(root),
            remedy="get the whole project again; the file lists the packages to install",
        )

    try:
        folder.mkdir(exist_ok=True)
        with lock(folder / ".setup.lock", wait=True, tell=_say_who_is_at_it):
            if not is_ready(folder, requirements):
                _build(folder, requirements)
    except OSError as error:
        raise UserError(
            f"the environment cannot be made: {error.strerror or error}",
            where=str(error.filename or folder),
            remedy="make space or give yourself write access there, then start again",
        ) from None


def _say_who_is_at_it(held: Held) -> None:
    _say(f"Another process ({held.pid}) is setting up the environment; waiting for it.")


def _build(folder: Path, requirements: Path) -> None:
    (folder / STAMP).unlink(missing_ok=True)
    python, log = str(python_of(folder)), folder / "setup.log"
    if not _works(folder):
        _say(f"Making the environment in {folder} …")
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != ".setup.lock":
                entry.unlink()
        _call([_base_python(), "-m", "venv", str(folder)], "the environment cannot be made", log)
    _say("Installing the pinned packages: about 2 GB, some minutes the first time …")
    install = [python, "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]
    install += ["--no-input", "--disable-pip-version-check", "--log", str(log)]
    _call([*install, "-r", str(requirements)], "the packages cannot be installed", log)
    # List the fonts now: later, matplotlib would say in the middle of a notebook that it does.
    fonts = [python, "-c", "import matplotlib.font_manager"]
    environ = os.environ | {"MPLCONFIGDIR": str(figure_settings(folder))}
    subprocess.run(fonts, capture_output=True, stdin=subprocess.DEVNULL, env=environ)
    for path, text in settings(folder, requirements.resolve().parent).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    partial = folder / f"{STAMP}.partial"
    partial.write_text(json.dumps(_stamp(folder, requirements), indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / STAMP)
    _say("The environment is ready.")


def settings(folder: Path, root: Path) -> dict[Path, str]:
    """Return the files that make an environment the project's, with their content.

    What the notebooks import is found from every folder, so that executed copies run where they
    lie; JupyterLab and its kernels are set up for the notebooks.
    """
    packages = [*folder.glob("lib/python3*/site-packages"), folder / "Lib" / "site-packages"][0]
    return {
        packages / "segmentation-notebooks.pth": f"{root / 'notebooks'}\n",
        folder / "etc/jupyter/jupyter_server_config.py": _JUPYTER.format(
            scripts=str(root / "scripts")
        ),
        folder / "etc/ipython/ipython_kernel_config.py": _KERNEL,
    }


def figure_settings(folder: Path) -> Path:
    """Return where matplotlib keeps its list of fonts for runs, apart from the user's settings."""
    return folder / "var" / "matplotlib"


def _works(folder: Path) -> bool:
    """Whether an environment has a supported Python with pip, whatever else is in it."""
    first, last = SUPPORTED
    check = f"import pip, sys; sys.exit(not {first} <= sys.version_info[:2] <= {last})"
    try:
        done = subprocess.run([python_of(folder), "-c", check], capture_output=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and (folder / "pyvenv.cfg").is_file()


def _base_python() -> str:
    """Return a Python to make the environment from: this one, or another that is supported."""
    first, last = SUPPORTED
    if first <= sys.version_info[:2] <= last:
        # Started inside an environment, perhaps the one that is about to be replaced.
        return getattr(sys, "_base_executable", None) or sys.executable
    for minor in range(last[1], first[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    raise UserError(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is newer than the packages support",
        where=f"they exist for Python {first[0]}.{first[1]} to {last[0]}.{last[1]}",
        remedy=f"install Python {last[0]}.{last[1]} beside it and start again",
    )


def _call(command: list[str], failure: str, log: Path) -> None:
    """Run a command that shows what it is at; where it fails, say why in short."""
    environ = {k: v for k, v in os.environ.items() if k.upper() not in _MISLEADING}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=subprocess.PIPE, env=environ
    )
    if done.returncode:
        reason, remedy = _diagnose(done.stderr.decode("utf-8", errors="replace"))
        raise UserError(f"{failure}: {reason}", where=f"log: {log}", remedy=remedy)


def _diagnose(text: str) -> tuple[str, str]:
    """Tell from pip's words what went wrong and what helps."""
    for sign, answer in _DIAGNOSES.items():
        if sign in text:
            return answer
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or ["no reason given"])[-1][:200], "the lines above, and the log, say more"


def _restart(python: Path, script: Path, arguments: list[str]) -> None:
    command = [str(python), str(script), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # Windows has no exec that keeps the console: stay behind and pass the exit code on. Ctrl-C
    # reaches both; the child decides what it means.
    child = subprocess.Popen(command)
    while True:
        try:
            sys.exit(child.wait())
        except KeyboardInterrupt:
            continue


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""What the machine has beside Python and the locked packages, and how much a test takes of it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

# Tests compute in one thread, as notebooks do: where several processes have threads that wait for
# each other, these keep the cores busy. Read when the libraries load, so before any is imported.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ["SEGMENTATION_NO_VENV"] = "1"  # commands stay in the environment that runs the tests

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome, where there is one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def has_spark() -> bool:
    """Whether Spark can run here: PySpark beside the locked packages, and a Java that starts."""
    java = shutil.which("java")
    if not java or not importlib.util.find_spec("pyspark"):
        return False
    return subprocess.run([java, "-version"], capture_output=True).returncode == 0


def postgresql() -> Path | None:
    """Return the folder of a PostgreSQL server's programs, where they are installed."""
    if not shutil.which("psql"):
        return None
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)

"""A Spark session, local or on a cluster, that starts in time or fails with the reason."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from customer_tables.errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL = "local[*]"
SAMPLE_SIZE, SEED = 100_000, 20  # of the customers drawn for the notebooks
OLDEST_JAVA = 17
PACKAGES = Path(__file__).with_name("requirements.txt")
REACHED = 10.0  # seconds until a master has to answer
GRANTED = 120.0  # seconds until a cluster has to give the first worker
MASTER = re.compile(r"(spark|k8s)://(https?://)?(?P<hosts>\S+)", re.IGNORECASE)
LOCAL_MASTER = re.compile(r"local(\[(\*|\d+)(,\s*\d+)?\])?")
SETTINGS = {
    # Times as they stand in the files, the same on any machine.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
AT_HOME = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}


@contextmanager
def open_session(
    master: str = LOCAL, settings: Mapping[str, str] | None = None
) -> Iterator[SparkSession]:
    """Open a session, and end it with all of its processes.

    Parameters
    ----------
    master : str
        ``local[*]``, ``spark://host:7077``, ``k8s://…``, ``yarn``: any URL that Spark knows.
    settings : mapping of str to str, optional
        Further settings of Spark, such as ``spark.driver.memory``.

    Raises
    ------
    UserError
        If PySpark or Java is missing, or the master cannot be reached or gives no worker.
    """
    check_master(master)
    check_installed()
    with TemporaryDirectory(prefix="spark_") as folder:
        log = Path(folder) / "spark.log"
        chosen = SETTINGS | (AT_HOME if LOCAL_MASTER.fullmatch(master) else {})
        chosen |= {"spark.sql.warehouse.dir": str(Path(folder) / "warehouse")}
        log.touch()
        session = None
        try:
            try:
                session = _start(master, chosen | dict(settings or {}), log)
            except Exception as error:  # of Java, whose kinds do not tell what is the matter
                logged = re.search(r" ERROR (.*)", log.read_text("utf-8", errors="replace"))
                raise _unusable(master, logged[1] if logged else _reason(error)) from None
            _wait_for_worker(session, master)
            yield session
        finally:
            if session is not None:
                with suppress(Exception):
                    session.stop()
            _end_java()


def check_installed() -> None:
    """Refuse with the command that installs what is missing, PySpark or Java."""
    if find_spec("pyspark") is None:
        raise UserError(
            "PySpark is not installed; it comes apart from the other packages, as it is large",
            where="packages of this Python",
            remedy=f"{sys.executable} -m pip install --require-hashes --no-build-isolation "
            f"-r {PACKAGES}",
        )
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    said = ""
    with suppress(OSError, subprocess.SubprocessError):
        if program:
            command = [program, "-version"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            said = done.stderr + done.stdout
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        found = f"Java {version[1]} is too old for Spark" if version else "Java is not installed"
        raise UserError(
            f"{found}; Spark runs on Java {OLDEST_JAVA} or newer",
            where="JAVA_HOME and PATH",
            remedy=f"on Debian and Ubuntu: apt install openjdk-{OLDEST_JAVA}-jre-headless",
        )


def check_master(master: str) -> None:
    """Refuse a master that cannot be meant or does not answer; Spark would ask for a minute."""
    if LOCAL_MASTER.fullmatch(master) or master == "yarn" or master.startswith("local-cluster["):
        return
    found = MASTER.fullmatch(master)
    if not found:
        raise UserError(
            f"{master[:80]!r} is no master of Spark",
            where="--master",
            remedy="local[*] for this machine; spark://host:7077, k8s://https://host:443 or yarn",
        )
    reasons = []
    for place in found["hosts"].rstrip("/").split(","):
        host, _, port = place.rpartition(":")
        if not (host and port.isdecimal() and int(port) < 65536):
            host, port = place, "7077" if master.lower().startswith("spark") else "443"
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED):
                return
        except OSError as error:
            reasons.append(f"{host}:{port}: {error.strerror or error}")
    raise _unusable(master, "; ".join(reasons))


def _unusable(master: str, reason: str) -> UserError:
    return UserError(
        f"the Spark master cannot be used: {' '.join(reason.split())[:300]}",
        where=f"--master {master[:120]}",
        remedy=f"check the address, and that the master runs; {LOCAL} works on this machine alone",
    )


def _start(master: str, settings: Mapping[str, str], log: Path) -> SparkSession:
    """Start Java and the session in it; what Java says goes to a log."""
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True  # what they would write is in the errors
    builder = SparkSession.builder.master(master).appName("customer segmentation")
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]  # a started program takes over where these point
    try:
        with log.open("ab") as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
        session = builder.config(map=dict(settings)).getOrCreate()
    finally:
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)
    session.sparkContext.setLogLevel("ERROR")
    return session


def _wait_for_worker(session: SparkSession, master: str) -> None:
    """Have a first piece of work done; without workers Spark would wait for ever."""
    timer = threading.Timer(GRANTED, session.sparkContext.cancelAllJobs)
    timer.daemon = True
    timer.start()
    began = time.monotonic()
    try:
        session.range(1).count()
    except Exception as error:  # of Java: cancelled, or the master gave up
        late = time.monotonic() - began >= GRANTED
        reason = f"no worker within {GRANTED:g} seconds" if late else _reason(error)
        raise _unusable(master, reason) from None
    finally:
        timer.cancel()


def _reason(error: Exception) -> str:
    """Return the line of an error of Java that says what is the matter."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Exception:" in line or "Error:" in line]
    said = (causes or lines or [type(error).__name__])[0]
    return re.sub(r"^(Caused by: |: )?([\w$]+\.)+", "", said)


def _end_java() -> None:
    """End the Java that PySpark started, so that nothing is left of a session."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is None:
        return
    with suppress(Exception):
        gateway.shutdown()
    process = getattr(gateway, "proc", None)
    if process is not None:
        with suppress(Exception):
            process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    SparkContext._gateway = SparkContext._jvm = None


def settings_of(pairs: Iterable[str]) -> dict[str, str]:
    """Read settings of Spark, KEY=VALUE each, or raise a `UserError`."""
    settings = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not (sign and key.startswith("spark.")):
            raise UserError(
                f"{pair!r} is no setting of Spark",
                where="--conf",
                remedy="write KEY=VALUE, such as spark.driver.memory=8g",
            )
        settings[key] = value
    return settings

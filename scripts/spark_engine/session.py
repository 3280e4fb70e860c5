"""A session on Spark, in local mode or on a cluster, that starts in time or says why not."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from customer_tables.errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL = "local[*]"
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
    master: str = LOCAL,
    settings: Mapping[str, str] | None = None,
    *,
    granted: float = GRANTED,
) -> Iterator[SparkSession]:
    """Open a session, and end it with all of its processes.

    Parameters
    ----------
    master : str
        ``local[*]``, ``spark://host:7077``, ``k8s://…``, ``yarn``: any URL that Spark knows.
    settings : mapping of str to str, optional
        Further settings of Spark, such as ``spark.driver.memory``.
    granted : float
        Seconds within which a first piece of work has to be done.

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
        session = None
        try:
            try:
                session = _start(master, chosen | dict(settings or {}), log)
            except Exception as error:  # of Java, whose kinds do not tell what is the matter
                raise _unreachable(master, _told(log) or _reason(error)) from None
            _wait_for_worker(session, master, granted)
            yield session
        finally:
            if session is not None:
                with suppress(Exception):
                    session.stop()
            _end_java()


def check_installed() -> None:
    """Check that PySpark and Java are there.

    Raises
    ------
    UserError
        With the command that installs what is missing.
    """
    if not has_pyspark():
        raise UserError(
            "PySpark is not installed; it comes apart from the other packages, as it is large",
            where="packages of this Python",
            remedy=f"{sys.executable} -m pip install --require-hashes --no-build-isolation "
            f"-r {PACKAGES}",
        )
    version = java_version()
    if version is None or version < OLDEST_JAVA:
        found = f"Java {version} is too old for Spark" if version else "Java is not installed"
        raise UserError(
            f"{found}; Spark runs on Java {OLDEST_JAVA} or newer",
            where="JAVA_HOME and PATH",
            remedy=f"on Debian and Ubuntu: apt install openjdk-{OLDEST_JAVA}-jre-headless",
        )


def has_pyspark() -> bool:
    """Tell whether PySpark is installed."""
    return importlib.util.find_spec("pyspark") is not None


def java_version() -> int | None:
    """Return the main number of the Java that Spark would run on, None without one."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found else None


def check_master(master: str) -> None:
    """Check that somebody answers where a master is said to be; Spark would ask for a minute.

    Raises
    ------
    UserError
        If the address cannot be meant, or nobody answers there.
    """
    if LOCAL_MASTER.fullmatch(master) or master in ("yarn",) or master.startswith("local-cluster["):
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
    raise _unreachable(master, "; ".join(reasons))


def _unreachable(master: str, reason: str) -> UserError:
    return UserError(
        f"the Spark master cannot be used: {' '.join(reason.split())[:300]}",
        where=f"--master {master[:120]}",
        remedy=f"check the address, and that the master runs; {LOCAL} works on this machine alone",
    )


def _start(master: str, settings: Mapping[str, str], log: Path) -> SparkSession:
    """Start Java with its words going to a log, and the session in it."""
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True  # what they would write is in the errors
    builder = SparkSession.builder.master(master).appName("customer segmentation")
    for key, value in settings.items():
        builder = builder.config(key, value)
    with _redirected(log):
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


@contextmanager
def _redirected(log: Path) -> Iterator[None]:
    """Let what a started program says go to a file: it takes over where 1 and 2 point to."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        with log.open("ab") as file:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
        yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)


def _wait_for_worker(session: SparkSession, master: str, seconds: float) -> None:
    """Have a first piece of work done; without workers Spark would wait for ever."""
    context, late = session.sparkContext, threading.Event()

    def give_up() -> None:
        late.set()
        context.cancelAllJobs()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        session.range(1).count()
    except Exception as error:  # of Java: cancelled, or the master gave up
        reason = f"no worker within {seconds:g} seconds" if late.is_set() else _reason(error)
        raise _unreachable(master, reason) from None
    finally:
        timer.cancel()


def _reason(error: Exception) -> str:
    """Return the line of an error of Java that says what is the matter."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Exception:" in line or "Error:" in line]
    said = (causes or lines or [type(error).__name__])[0]
    return re.sub(r"^(Caused by: |: )?([\w$]+\.)+", "", said)


def _told(log: Path) -> str:
    """Return the first error that Java wrote to its log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line.partition(" ERROR ")[2] for line in lines if " ERROR " in line]
    return errors[0].strip() if errors else ""


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
    """Read settings of Spark.

    Raises
    ------
    UserError
        If one is no pair.
    """
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

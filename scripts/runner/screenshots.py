"""Pictures of what opens in a window: a page in a browser, a notebook in JupyterLab."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
LAB_SIZE = (1280, 860)
PATIENCE = 120  # seconds for JupyterLab to come up, on a busy machine

# JupyterLab without its questions about news and updates, and with every cell laid out.
_LAB_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosave": False},
}


class Unavailable(Exception):
    """Something that a picture needs is not on this machine."""


def page_picture(path: Path, width: int, height: int, at: str = "") -> bytes | Unavailable:
    """Take a picture of a page.

    Parameters
    ----------
    path : pathlib.Path
        The HTML file.
    width, height : int
        Of the window, in pixels.
    at : str, optional
        Selector of what to have at the top.

    Returns
    -------
    bytes or Unavailable
        A PNG, or why there is none.
    """
    try:
        with _window(width, height) as window:
            window.goto(path.as_uri())
            if at:
                window.evaluate("at => document.querySelector(at).scrollIntoView()", at)
            return window.screenshot()
    except Unavailable as reason:
        return reason


def lab_picture(folder: Path, notebook: str, heading: str) -> bytes | Unavailable:
    """Take a picture of a notebook in JupyterLab.

    Parameters
    ----------
    folder : pathlib.Path
        What JupyterLab shows; it may write there.
    notebook : str
        The file to open.
    heading : str
        The first figure below this heading comes into view.

    Returns
    -------
    bytes or Unavailable
        A PNG, or why there is none.
    """
    try:
        with _window(*LAB_SIZE) as window, jupyterlab(folder) as (address, token):
            window.goto(f"{address}lab/tree/{notebook}?reset&token={token}")
            window.set_default_timeout(PATIENCE * 1000)
            place = window.locator(".jp-Notebook :is(h2, h3)", has_text=heading).first
            place.wait_for(state="attached")
            figure = window.locator(
                f"xpath=//*[self::h2 or self::h3][contains(., '{heading}')]"
                "/following::div[contains(@class, 'jp-RenderedImage')][1]//img"
            )
            figure.wait_for(state="attached")
            window.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()
            figure.evaluate("figure => figure.scrollIntoView({block: 'end'})")
            window.wait_for_timeout(1500)
            return window.screenshot()
    except Unavailable as reason:
        return reason


@contextlib.contextmanager
def _window(width: int, height: int) -> Iterator[Any]:
    """Open a window of a browser without a screen."""
    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        raise Unavailable("there is no Chromium on this machine")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Unavailable("playwright is not installed: pip install '.[test]'") from None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            size = {"width": width, "height": height}
            yield browser.new_page(viewport=size, color_scheme="light")
        finally:
            browser.close()


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[tuple[str, str]]:
    """Start JupyterLab on a folder, apart from the user's settings; yield address and token."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as own:
        for name, content in _LAB_SETTINGS.items():
            path = Path(own, "lab", "@jupyterlab", f"{name}.jupyterlab-settings")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")
        places = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "lab", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }  # fmt: skip
        environ = os.environ | {key: str(Path(own, name)) for key, name in places.items()}
        environ["JUPYTER_TOKEN"] = token  # in the environment: arguments are seen by everybody
        with Path(own, "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0"),
                    *("--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}"),
                    "--ServerApp.allow_root=True",
                ],
                env=environ,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield _address(server, Path(own, "runtime"), Path(own, "log")), token
            finally:
                server.terminate()
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Wait until JupyterLab has written down where it listens."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, KeyError):
                return json.loads(path.read_text(encoding="utf-8"))["url"]
        time.sleep(0.2)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    raise Unavailable(f"JupyterLab did not start: {lines[-1] if lines else 'it said nothing'}")

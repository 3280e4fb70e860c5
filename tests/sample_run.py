"""A small made-up run for the tests of the pages: what a report says, what a run records."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from runner import pages

# What a hostile file could carry in the name of a column, in a category or in an identifier.
HOSTILE = (
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    '"><svg onload="document.title=\'run\'">',
    "[click](javascript:document.title='run')",
    "{{ 7 * 7 }}{% raw %}",
    "</style><script>document.title='run'</script>",
    "<iframe srcdoc=\"<script>parent.document.title='run'</script>\"></iframe>",
    '<meta http-equiv=refresh content="0;url=https://example.org/">',
    "<form action=https://example.org/><input name=q>",
)
ACTIVE = (
    "script",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "select",
    "link",
    "base",
)
SAMPLE = Path(__file__).with_name("sample_run.json")
OWN_SCRIPT = (pages.TEMPLATES / "start_page.js").read_text(encoding="utf-8")


@cache
def png() -> bytes:
    """Draw a picture of 1440 by 720 pixels at 192 to the inch, so 720 wide on a page."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (1440, 720), "#cfd8e6").save(buffer, format="png", dpi=(192, 192))
    return buffer.getvalue()


def report() -> dict[str, Any]:
    """Return what the last notebook would hand to the start page."""
    return json.loads(SAMPLE.read_text(encoding="utf-8"))["report"]


def run() -> dict[str, Any]:
    """Return what the runner would tell the start page about the run."""
    return json.loads(SAMPLE.read_text(encoding="utf-8"))["run"]


def context(number: str = "04", **changes: Any) -> dict[str, Any]:
    """Return what the runner would tell a notebook's page."""
    entries = [stage | {"href": Path(stage["href"]).name} for stage in run()["stages"]]
    place = int(number) - 1
    return {
        "title": entries[place]["title"],
        "dataset_title": "Credit-card customers",
        "previous": entries[place - 1] if place else None,
        "next": entries[place + 1] if place + 1 < len(entries) else None,
        "index_href": "../index.html",
        "quick": False,
        "up_to_date": True,
        "notebooks": entries,
        **changes,
    }


def write_results(folder: Path, content: dict[str, Any]) -> Path:
    """Write the files that the start page reads."""
    for name in ("stages", "figures", "notebooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "stages" / "06_report.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "figures" / "04_decision.png").write_bytes(png())
    about = {"caption": "What is drawn, in which units.", "alt": "Stability by k."}
    (folder / "figures" / "04_decision.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def bands_of(page: BeautifulSoup) -> list[tuple[float, ...]]:
    """Return the corners of each band between two bars: left, right, right below, left below."""
    pattern = r"M([\d.]+) 0H([\d.]+)C[\d. ]+ 5 [\d.]+ 5 ([\d.]+) 10H([\d.]+)C"
    paths = [path["d"] for path in page.select("svg.bands path")]
    return [tuple(float(n) for n in re.match(pattern, path).groups()) for path in paths]


def words(tag: Any) -> str:
    """Return the text of a tag, with single spaces."""
    return " ".join(tag.text.split())


def _source(text: str) -> str:
    """Name what stands inside a page by its hash, as a policy does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def assert_inert(html: str) -> BeautifulSoup:
    """Assert that a page loads nothing, runs no script but the program's own, and has the policy
    that says so; parse it.
    """
    page = BeautifulSoup(html, "html.parser")
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    data = page.select("script#data[type='application/json']")
    scripts = page.select("body > script:not([type])")
    assert len(data) == len(scripts) <= 1
    assert [script.text for script in scripts] == [OWN_SCRIPT] * len(scripts)
    for block in data:
        assert json.loads(block.text) and "<" not in block.text
    allowed = "".join(f"script-src {_source(script.text)}; " for script in scripts)
    assert policy == (
        f"default-src 'none'; img-src data:; style-src {_source(page.style.text)}; {allowed}"
        "base-uri 'none'; form-action 'none'"
    )
    known = {"Content-Security-Policy", "viewport", "referrer", "color-scheme", None}
    assert {m.get("http-equiv") or m.get("name") for m in page.find_all("meta")} <= known
    # Fields and buttons wait for the script, and none is outside of what it shows.
    waiting = [tag for part in page.select(".scripted[hidden]") for tag in [part, *part()]]
    assert len(page.select(".scripted")) == len(page.select(".scripted[hidden]"))
    ours = {id(tag) for tag in [*data, *scripts, *waiting]}
    assert [tag for tag in page.find_all(ACTIVE) if id(tag) not in ours] == []
    assert not page.find_all(["form", "link", "base"]) and len(page.find_all("style")) == 1
    assert not re.search(r"@import|url\(", page.style.text)
    for tag in page.find_all(True):
        for name, value in tag.attrs.items():
            assert not name.startswith("on"), (tag.name, name)
            assert name not in {"style", "srcdoc", "formaction"}, (tag.name, name)
            if name == "src":
                assert value.startswith("data:image/"), value
            if name == "href":
                assert not re.match(r"\s*(javascript|vbscript|data:)", value, re.IGNORECASE), value
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    inner = [a["href"][1:] for a in page.select("a[href^='#']")]
    assert set(inner) - {"harmful-link"} <= set(ids), "a link that leads nowhere"
    return page

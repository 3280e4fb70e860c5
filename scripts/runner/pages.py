"""What the report and the notebook pages share: their shell, stylesheet, policy and numbers.

A page is one file: the stylesheet and, on the start page, one script stand inside it, pictures are
data URIs. The Content-Security-Policy in its head allows exactly that, stylesheet and script by
their hashes, so a page that somebody tampered with, or a hostile name that slipped through, stays
inert.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import bleach
import jinja2
from markupsafe import Markup, escape
from PIL import Image, UnidentifiedImageError

from customer_tables import text as words
from customer_tables.text import CURRENCY_SIGNS, legible

TEMPLATES = Path(__file__).parent / "templates"

# Notebooks have no form and no input, so nothing that could ask a reader for something is allowed.
ALLOWED_TAGS = frozenset(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure"
    " h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre s samp small span strong sub summary sup"
    " table tbody td tfoot th thead tr u ul var".split()
)


# Neither `style` nor `id`: the look comes from classes, and an injected id could take the place
# of one that a link in the page points to.
ALLOWED_ATTRIBUTES = {
    "*": ["class", "lang", "title"],
    # The frame of a table is one that the keyboard reaches.
    "div": lambda tag, name, value: (
        name in ("aria-label", "class", "lang", "title")
        or (name, value) in (("role", "region"), ("tabindex", "0"))
    ),
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "ol": ["start"],
    "details": ["open"],
}
ALLOWED_PROTOCOLS = frozenset({"http", "https", "mailto", "data", "attachment"})
# What these hold is code, not text for a reader; an unknown tag loses only its angle brackets.
_HIDDEN_CONTENT = re.compile(
    r"<(script|style|template|noscript|iframe|object|textarea|title)\b.*?</\1\s*>",
    re.IGNORECASE | re.DOTALL,
)

_LONG_WORD = re.compile(r"\S{121,}")  # nothing that is read, and wider than any screen

# An ordinary no-break space: it keeps number and unit on one line, and every font has it.
NBSP = "\N{NO-BREAK SPACE}"


def sanitise(html: str) -> str:
    """Keep the tags of text, tables and figures of HTML from a notebook.

    No script, style, form, frame or event handler stays, whether or not a browser honours the
    page's policy.
    """
    return bleach.clean(
        _HIDDEN_CONTENT.sub("", html),
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        protocols=ALLOWED_PROTOCOLS,
        strip=True,
        strip_comments=True,
    )


def _shown(value: Any) -> Any:
    """Make the texts that a template shows legible, without endless words; markup stays."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _LONG_WORD.sub(lambda word: f"{word.group()[:119]}…", legible(value))


def percent(share: float | None) -> str:
    """Write a share of one in percent, on one line."""
    return words.share(share).replace(" ", NBSP)


def quantity(value: float | None, unit: str = "", kind: str = "") -> str:
    """Write a value with its unit, on one line."""
    return words.quantity(value, unit, kind).replace(" ", NBSP)


def large(value: float, unit: str = "") -> str:
    """Format a total for a headline: ``8978437`` becomes ``8.98 million``."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            sign, after = (unit, "") if unit in CURRENCY_SIGNS else ("", unit)
            sign += NBSP if len(sign) > 1 else ""
            digits = f"{value / size:#.3g}".rstrip(".")
            return f"{sign}{digits}{NBSP}{word}{NBSP if after else ''}{after}"
    return quantity(value, unit)


def duration(seconds: float) -> str:
    """Format seconds: ``0.4 s``, ``12 s``, ``3 min 5 s``."""
    if seconds < 10:
        return f"{seconds:.1f}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}{NBSP}min {rest}{NBSP}s" if minutes else f"{rest}{NBSP}s"


def moment(value: object) -> str:
    """Write a moment for a reader: ``21 November 2026, 08:15 UTC``."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value or "")
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname() or ''}".strip()


def portable(value: object) -> object:
    """Shorten an absolute path to its last part: a page is passed on, a disk's layout is not."""
    if isinstance(value, str) and (
        PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    ):
        return re.split(r"[\\/]", value.rstrip("\\/"))[-1]
    return value


def setting(value: object) -> str:
    """Write a parameter's value for a reader; a path without the folders of this computer."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(item) for item in value) or "none"
    return "none" if value in (None, "") else str(portable(value))


def commit(git: Mapping[str, Any] | None) -> str:
    """Name the commit that a run was made with, and whether files differed from it."""
    state = git or {}
    name = str(state.get("commit") or "")[:12]
    return f"{name}, with changes since" if state.get("dirty") else name


def png_size(png: str, width: object = None) -> tuple[int, int] | None:
    """Read the size at which a PNG in base64 is shown, in CSS pixels; None where it is none.

    At the given width, or by its density: a figure drawn at 192 dots per inch is shown at half its
    pixels, sharp on a dense screen.
    """
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(png, validate=True)), formats=["PNG"])
    except (ValueError, UnidentifiedImageError):
        return None
    scale = min(1.0, 96 / picture.info.get("dpi", (96, 96))[0])
    size = round(picture.width * scale), round(picture.height * scale)
    if isinstance(width, int) and width > 0:
        return width, round(size[1] * width / size[0])
    return size


@cache
def glossary() -> tuple[dict[str, Any], ...]:
    """Read the terms that the report explains, in alphabetical order."""
    terms = tomllib.loads((TEMPLATES / "glossary.toml").read_text(encoding="utf-8"))["term"]
    return tuple(sorted(terms, key=lambda term: term["name"].lower()))


@cache
def _term_pattern() -> tuple[re.Pattern[str], Mapping[str, str]]:
    targets = {
        form.lower(): f"#term-{words.slug(term['name'])}"
        for term in glossary()
        for form in (term["name"], *term.get("also", ()))
    }
    forms = sorted(targets, key=len, reverse=True)
    pattern = r"(?<![\w-])(" + "|".join(re.escape(form) for form in forms) + r")(?![\w-])"
    return re.compile(pattern, re.IGNORECASE), targets


def with_terms(text: str) -> Markup:
    """Escape a text and link the first mention of each glossary term to its explanation."""
    pattern, targets = _term_pattern()
    unseen, parts = set(targets.values()), []
    for part in pattern.split(legible(text)):
        target = targets.get(part.lower())
        if target in unseen:
            unseen.remove(target)
            part = Markup('<a class="term" href="{}">{}</a>').format(target, part)
        parts.append(escape(part))
    return Markup("").join(parts)


@cache
def environment() -> jinja2.Environment:
    """Return the templates' environment: everything escaped, a missing value is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (
        *(words.count, words.number, words.points, words.sentence_case, words.slug),
        *(percent, quantity, large, duration, moment, portable, setting, with_terms),
    )
    made.filters |= {each.__name__: each for each in filters}
    return made


@cache
def stylesheet(name: str = "style.css") -> str:
    """Read a stylesheet of the templates without its comments and its indentation."""
    css = re.sub(r"/\*.*?\*/", "", (TEMPLATES / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    return "\n".join(line.strip() for line in css.splitlines() if line.strip())


def render(template: str, *, extra_css: str = "", script: str = "", **values: Any) -> str:
    """Fill a page's template, which escapes the values, with the policy that fits what is inline.

    Parameters
    ----------
    extra_css : str
        Rules for this page alone, such as the colours of its segments; made by us, never by data.
    script : str
        The name of a script among the templates, which is put into the page.
    """
    css = f"{stylesheet()}\n{extra_css}".strip()
    code = (TEMPLATES / script).read_text(encoding="utf-8") if script else ""
    scripts = f"script-src {_source(code)}; " if code else ""
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(css)}; {scripts}"
        "base-uri 'none'; form-action 'none'"
    )
    inline = {"css": Markup(css), "script": Markup(code), "policy": policy}
    return environment().get_template(template).render(**inline, **values)


def _source(text: str) -> str:
    """Name an inline stylesheet or script by its hash, as a policy does."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def write(path: Path, page: str) -> None:
    """Write a page with the same bytes on every system; its policy hashes line ends too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", newline="\n")

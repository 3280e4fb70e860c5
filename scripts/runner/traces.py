"""The part of an error that may be logged: its place and kind, without customers' data.

Messages of libraries quote what they stumbled over: an identifier, a cell, a whole line of the
file. So of a message only those words are kept that the code itself could have said.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

_FRAME = re.compile(r"\s*(?:File |Cell |Input In|Traceback|-{5,}|={5,}|[\w.]+\s+Traceback)")
_LINK = re.compile(r"(?:During handling of|The above exception)[\w\s]+:?$")
_RAISED = re.compile(r"(?P<kind>[A-Za-z_][\w.]*)(?:: (?P<said>.*))?$")
_CODE = re.compile(r"^(?:[ \t]*(?:-+>)?[ \t]*\d+ |    \S).*", re.MULTILINE)
_WORD = re.compile(r"[^\s\"'`(){}\[\],;:=<>|]+")
_HIDDEN = "…"


def scrubbed(message: str, code: str = "") -> str:
    """Return the first line of an error's message without what may come from a customer's row.

    Words stay that stand in the code that the error came through; of the others only plain
    lower-case ones, and none of those in quotes or behind a colon, where libraries put what they
    stumbled over.

    Examples
    --------
    >>> scrubbed("could not convert string to float: 'Alice'")
    'could not convert string to float: …'
    >>> scrubbed("'gap'", "scan['gap']")
    "'gap'"
    """
    known = set(_WORD.findall(code))
    general, colon, quoted = message.strip().partition("\n")[0].partition(": ")

    def hide(text: str, plain_words: bool) -> str:
        def shown(match: re.Match[str]) -> str:
            bare = match.group().rstrip(".!?")
            usual = plain_words and re.fullmatch(r"[A-Z]?[a-z]+(?:[-/][a-z]+)*|[AI]", bare)
            return match.group() if usual or bare in known else _HIDDEN

        return re.sub(rf"{_HIDDEN}(?:[\s,;]*{_HIDDEN})+", _HIDDEN, _WORD.sub(shown, text))

    parts = re.split(r"(\"[^\"]*\"|'[^']*'|`[^`]*`)", general)
    said = "".join(hide(part, plain_words=not i % 2) for i, part in enumerate(parts))
    return said + (colon + hide(quoted, plain_words=False) if colon else "")


def without_data(trace: str) -> str:
    """Return a traceback of IPython or Python, without colours, without what its messages quote."""
    kept: list[str] = []
    in_message = True  # whatever stands before the first frame
    for line in trace.splitlines():
        if _FRAME.match(line) or _LINK.match(line):
            in_message = False
        elif not in_message and line[:1].strip() and (raised := _RAISED.match(line)):
            in_message = True
            line = described(raised["kind"], raised["said"] or "", trace)
        elif in_message and line.strip():
            continue
        kept.append(line)
    return "\n".join(kept)


def note_error(log: Path, error: BaseException) -> str:
    """Write an unforeseen error into a log, and return one line about it."""
    trace = "".join(traceback.format_exception(error))
    with log.open("a", encoding="utf-8", errors="replace") as file:
        file.write(without_data(trace) + "\n")
    return described(type(error).__name__, str(error), trace)


def described(kind: str, message: str, trace: str) -> str:
    """Say in one line what was raised, for terminal and log."""
    said = scrubbed(message, "\n".join(_CODE.findall(trace)))
    return f"{kind}: {said}" if said else kind

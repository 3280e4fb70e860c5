"""What the commands have in common: how they read arguments, are stopped, and end."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from customer_tables.errors import UserError
from runner import STAGE_FAILED, USER_ERROR, RunFailed
from runner.environment import enter


class Parser(argparse.ArgumentParser):
    """A parser whose errors say what to do, without a page of usage."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Report what is wrong with an argument."""
        raise UserError(message, "on the command line", f"{self.prog} --help shows how it is used")


def run(
    parse: Callable[[list[str]], argparse.Namespace],
    work: Callable[[argparse.Namespace], int],
    script: str,
    argv: list[str],
    left: str = "nothing was written",
) -> int:
    """Do the work of a script inside the environment as its arguments say, as `finish` does."""

    def parse_and_work() -> int:
        options = parse(argv)
        enter(Path(script), argv)
        return work(options)

    return finish(parse_and_work, left)


def finish(work: Callable[[], int], left: str = "nothing was written") -> int:
    """Do a command's work, and turn the way it ends into an exit code.

    Parameters
    ----------
    work : callable
        Returns the exit code of a command that comes to its end.
    left : str
        What an interrupted command leaves behind, for the message.

    Returns
    -------
    int
        What `work` returns; 1 a stage failed, 2 a user's mistake, 130 interrupted, 143 terminated.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        # A signal that is ignored already, as under nohup, stays ignored.
        if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    atexit.register(_end_quietly)
    try:
        return work()
    except (UserError, RunFailed) as error:
        print(error, file=sys.stderr)
        return USER_ERROR if isinstance(error, UserError) else STAGE_FAILED
    except KeyboardInterrupt as stopped:
        number = stopped.args[0] if stopped.args else signal.SIGINT
        word = "Interrupted" if number == signal.SIGINT else "Stopped"
        print(f"{word}; {left}.", file=sys.stderr)
        return 128 + number


def leave(code: int) -> NoReturn:
    """End the process: Python's own end takes down, for most of a second, all that it imported."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the reader may be gone
            stream.flush()
    os._exit(code)


@contextmanager
def writing(what: str, path: Path, remedy: str) -> Iterator[None]:
    """Say in short why something cannot be written."""
    try:
        yield
    except OSError as error:
        problem = f"{what} cannot be written: {error.strerror or error}"
        raise UserError(problem, where=str(path), remedy=remedy) from None


@contextmanager
def stopping_in_order(task: asyncio.Task[None]) -> Iterator[None]:
    """Let what stops the command first cancel a task, and stop it when that task has ended."""
    loop = task.get_loop()
    numbers: list[int] = []

    def cancel(number: int, frame: FrameType | None) -> None:
        if numbers:  # asked twice: at once
            _stop(number, frame)
        numbers.append(number)
        loop.call_soon_threadsafe(task.cancel)

    ours = [number for number in signal.valid_signals() if signal.getsignal(number) is _stop]
    for number in ours:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, _stop)
        if numbers:
            _stop(numbers[0], None)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    _end_quietly()
    raise KeyboardInterrupt(number)


def _end_quietly() -> None:
    """Say nothing of objects that the end catches half made and that cannot be taken down."""
    sys.unraisablehook = lambda _: None

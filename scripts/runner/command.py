"""The command `run.py`: from arguments to an exit code."""

from __future__ import annotations

import atexit
import signal
import sys
from pathlib import Path
from types import FrameType

from runner import arguments, environment, stages
from runner.errors import INTERRUPTED, STAGE_FAILED, USER_ERROR, RunFailed, UserError
from runner.inputs import NOTEBOOKS
from runner.plan import make_plan
from runner.stages import Stage


class _Stopped(BaseException):
    """The system, or another program, asks the run to end."""


def main(
    script: Path,
    argv: list[str],
    *,
    series: tuple[Stage, ...] = stages.SERIES,
    notebooks: Path = NOTEBOOKS,
) -> int:
    """Run the notebooks as the command line says.

    Parameters
    ----------
    script : pathlib.Path
        The command itself, to be started again inside the environment.
    argv : list of str
        Its arguments.
    series : tuple of Stage, optional
        The notebooks.
    notebooks : pathlib.Path, optional
        Their folder.

    Returns
    -------
    int
        0 done, 1 a stage failed, 2 a user's mistake, 130 interrupted, 143 told to end.
    """
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    atexit.register(_end_quietly)
    try:
        options = arguments.parse(argv, series)
        plan = make_plan(options, series, notebooks)
        environment.enter(script, argv)
        from runner import pipeline

        return pipeline.run(plan)
    except UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    except RunFailed as error:
        print(error, file=sys.stderr)
        return STAGE_FAILED
    except KeyboardInterrupt:
        print("Interrupted; earlier results are as they were.", file=sys.stderr)
        return INTERRUPTED
    except _Stopped as stopped:
        print("Stopped; earlier results are as they were.", file=sys.stderr)
        return 128 + stopped.args[0]


def _stop(number: int, frame: FrameType | None) -> None:
    _end_quietly()
    raise _Stopped(number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _end_quietly()
    raise KeyboardInterrupt


def _end_quietly() -> None:
    """Say nothing of objects that the end catches half made and that cannot be taken down."""
    sys.unraisablehook = lambda _: None

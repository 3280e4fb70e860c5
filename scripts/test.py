"""Run the tests. What follows on the command line goes to pytest as it is."""

import os
import sys
from pathlib import Path

from runner import USER_ERROR, environment


def main(script, arguments):
    """Set up the environment, then run pytest at the root; return its exit code."""
    try:
        environment.enter(script, arguments)
    except environment.UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    os.chdir(environment.ROOT)
    import pytest

    # Whole files side by side: tests of a file share what they set up. "-n 0" runs them in turn.
    # One more than there are cores, as some wait for the programs that they start.
    if not any(argument.startswith(("-n", "--numprocesses")) for argument in arguments):
        workers = str((os.cpu_count() or 1) + 1)
        arguments = ["-n", workers, "--dist", "loadfile", "--durations=10", *arguments]
    return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main(Path(__file__), sys.argv[1:]))

"""Ends a kernel, and all that it has started, once the run that started it is gone.

Started as a program with the kernel's process. Nothing is ever written to its standard input; that
ends with the run, however the run ends. A kernel looks for its parent itself, but not while it
loads large libraries, and what it has started does not look at all.
"""

import os
import signal
import sys

if __name__ == "__main__":
    sys.stdin.read()
    try:
        os.killpg(int(sys.argv[1]), signal.SIGKILL)
    except OSError:
        pass  # it has ended by itself

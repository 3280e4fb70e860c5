"""Makes the kernels of a run, and ends them, with all that they started, once the run is gone.

A program. A run writes orders to its standard input, a line of JSON each: what to import and, where
a kernel is wanted, the kernel's arguments; its process is the answer. On Linux kernels are forks of
this process, so what one notebook has imported is loaded for the later ones. Elsewhere each kernel
is started by itself. Standard input ends with the run, however the run ends.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress

FORKS = sys.platform == "linux"


def fork(arguments: list[str]) -> int:
    """Become two processes, the second of which is a kernel; return that one in the first."""
    gc.freeze()  # no kernel searches, and so copies, what was imported before it began
    if process := os.fork():
        return process
    try:
        gc.enable()
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        from ipykernel import kernelapp

        kernelapp.launch_new_instance(arguments)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def start(arguments: list[str]) -> int:
    """Start a kernel as a program of its own; return its process."""
    program = [sys.executable, "-m", "ipykernel_launcher", *arguments]
    null = subprocess.DEVNULL
    return subprocess.Popen(program, stdin=null, stdout=2, start_new_session=True).pid


def main() -> None:
    """Follow orders until there are no more."""
    kernels = []  # waited for at the end only, or others could get the number of one that has ended
    gc.disable()  # imports leave no garbage worth a search
    sys.path[0] = os.getcwd()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries write past Python (TensorFlow's greetings) goes to the log
    for line in sys.stdin:
        order = json.loads(line)
        for name in order["names"] if FORKS else ():
            with suppress(Exception):  # what is wrong with a module, the notebook itself will say
                __import__(name)
        if order["arguments"]:
            kernels.append((fork if FORKS else start)(order["arguments"]))
            print(kernels[-1], file=answers, flush=True)
    for process in kernels:
        with suppress(OSError):
            getattr(os, "killpg", os.kill)(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        with suppress(OSError):
            os.waitpid(process, 0)


if __name__ == "__main__":
    main()
    os._exit(0)  # without taking down, for seconds, all that was imported

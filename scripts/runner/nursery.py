"""The process from which kernels are forked: it has imported what their notebooks import.

Started as a program by `runner.forking`, on Linux. Each line that it reads holds the modules to
import first, the arguments of a kernel, and a number; its answer is that number with the process
of the kernel, or with 0 where it cannot fork safely. It ends when nothing more can be asked, and
its kernels end with it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
from contextlib import suppress

_PATIENCE = 0.1  # seconds between looks for kernels that have ended
_PR_SET_PDEATHSIG = 1
_LAUNCHER = "ipykernel_launcher.py"  # what a kernel's sys.argv begins with


def serve(answers: int) -> None:
    """Answer the lines of standard input until it ends."""
    children: set[int] = set()
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # for kernels, to end with this process
    _import("ipykernel.kernelapp")
    text = b""
    while True:
        ready, _, _ = select.select([0], [], [], _PATIENCE if children else None)
        children = {pid for pid in children if not _has_ended(pid)}
        if not ready:
            continue
        read = os.read(0, 65_536)
        if not read:
            break
        *lines, text = (text + read).split(b"\n")
        for line in lines:
            asked = json.loads(line)
            for name in asked["modules"]:
                _import(name)
            pid = _fork(asked["arguments"], answers) if _may_fork() else 0
            children |= {pid} - {0}
            os.write(answers, f"{asked['number']} {pid}\n".encode())
    for pid in children:
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _import(name: str) -> None:
    """Import a module; the notebook will say what is wrong with one that fails, the log too."""
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name} cannot be imported ahead: {error!r}", file=sys.stderr, flush=True)


def _may_fork() -> bool:
    """Whether this is the only thread: what others hold would stay held for ever in a fork."""
    return len(os.listdir("/proc/self/task")) == 1


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _fork(arguments: list[str], answers: int) -> int:
    """Fork a kernel; return its process once that leads a session of its own."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    ready, settled = os.pipe()
    gc.freeze()  # its objects stay where they are, on pages that it shares with its kernels
    pid = os.fork()
    if pid:
        os.close(settled)
        os.read(ready, 1)  # until the kernel closes its end
        os.close(ready)
        return pid
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before it could take this one along
        os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor in (nothing, answers, ready, settled):
        os.close(descriptor)
    sys.exit(_run_kernel(arguments))


def _run_kernel(arguments: list[str]) -> None:
    from ipykernel import kernelapp

    del sys.path[0]  # the kernel puts its folder there itself
    sys.argv = [os.path.join(os.path.dirname(os.path.dirname(kernelapp.__file__)), _LAUNCHER)]
    sys.argv += arguments
    kernelapp.launch_new_instance()


if __name__ == "__main__":
    # Like a kernel, it finds its modules in the folder it works in.
    sys.path[0] = os.getcwd()
    serve(int(sys.argv[1]))

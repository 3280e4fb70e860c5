"""Kernels forked from a process that has their libraries already, where the system allows it.

The imports of a notebook take a second or two. A nursery does them once for all notebooks; a fork
of it has them at once. Only on Linux: elsewhere a fork cannot be relied upon, or there is none.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

AVAILABLE = sys.platform == "linux"
SWITCH = "SEGMENTATION_NO_FORK"  # set to 1, kernels start on their own, as on other systems

# Loads TensorFlow, which one notebook needs: all would carry its memory.
_LEFT_OUT = ("segmentation.autoencoder",)
# Arrow's allocator would start a thread.
_WITHOUT_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


class Nursery:
    """A process that forks kernels.

    Parameters
    ----------
    folder : pathlib.Path
        Where it works.
    environ : dict
        Its surroundings, which kernels inherit.
    log : pathlib.Path
        Where its words go, and those of its kernels.
    """

    def __init__(self, folder: Path, environ: dict[str, str], log: Path) -> None:
        self._numbers, self._turn = count(1), threading.Lock()
        answers, theirs = os.pipe()
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("nursery.py")), str(theirs)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                cwd=folder,
                env=environ | _WITHOUT_THREADS,
                pass_fds=[theirs],
                start_new_session=True,
            )
        os.close(theirs)
        self._answers = os.fdopen(answers, encoding="ascii")

    @property
    def pid(self) -> int:
        """The process, and the group that it leads."""
        return self._process.pid

    def fork(self, modules: list[str], arguments: list[str]) -> int:
        """Return the process of a new kernel, in a session of its own; 0 if that is not possible.

        Parameters
        ----------
        modules : list of str
            To be imported before; those that fail are left to the notebook.
        arguments : list of str
            The kernel's.
        """
        number = next(self._numbers)
        named = [name for name in modules if name not in _LEFT_OUT]
        line = json.dumps({"number": number, "modules": named, "arguments": arguments})
        with self._turn, suppress(OSError, ValueError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
            told = self._answers.readline().split()
            if told and int(told[0]) == number:
                return int(told[1])
        return 0

    def kill(self) -> None:
        """Stop it at once, and its kernels with it; who waits for an answer gets 0."""
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Stop it, and wait until it is gone."""
        self.kill()
        self._process.wait()
        with suppress(OSError):
            self._process.stdin.close()
        self._answers.close()


class ForkedProvisioner(LocalProvisioner):
    """Gives a kernel manager a kernel from a nursery, or starts one where that is not possible.

    `modules` are imported before; see `Nursery.fork`.
    """

    nursery: Nursery
    modules: list[str]

    async def launch_kernel(self, cmd: list[str], **settings):
        """Launch a kernel with a command."""
        pid = self.nursery.fork(self.modules, cmd[cmd.index("-f") :])
        if not pid:
            return await super().launch_kernel(cmd, **settings)
        self.process = _Forked(pid)
        self.pid = self.pgid = pid
        self.cwd = settings.get("cwd")
        return self.connection_info


class _Forked:
    """What a provisioner needs to know of a process that is another one's child.

    Parameters
    ----------
    pid : int
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._process = psutil.Process(pid)  # knows it from a later one of the same number
        except psutil.NoSuchProcess:
            self._process = None

    def poll(self) -> int | None:
        """Return None while it runs; how it ended is known to its parent only."""
        with suppress(psutil.Error, AttributeError):
            if self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
                return None
        return -signal.SIGKILL

    def wait(self) -> int | None:
        """Return at once: nobody waits for a process that runs."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

"""Kernels of the notebooks: this Python, with the same environment in every run.

A kernel may be started ahead: it waits for its notebook while an earlier one runs, and imports
what its notebook is going to import.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from runner.environment import figure_settings

# Of the user's surroundings, what could change a notebook's result or look.
_LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "MATPLOTLIBRC")
_SURROUNDINGS = {
    # One numerical thread: with several, sums are rounded in another order from run to run. The
    # analysis spreads whole fits over the cores instead, which changes no result.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    # What a large table has needed goes back to the system, and not to the next small object:
    # arrays of 4 MB and more are the system's (glibc), and tables that were read, too (Arrow).
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "16777216",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "PYTHONHASHSEED": "0",  # sets of text in the same order in every run
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    # The networks are small: a graphics card would add its start and its own rounding.
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
# What is wrong with a module, the notebook itself will say.
_IMPORT_AHEAD = """
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
for name in {names!r}:
    with suppress(Exception):
        __import__(name)
"""


class Kernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels the user has installed."""

    _watchdog: subprocess.Popen[bytes] | None = None

    @property
    def kernel_spec(self) -> KernelSpec:
        """How the kernel is started."""
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                # What libraries write past Python (TensorFlow's greetings) belongs in the log.
                "--IPKernelApp.capture_fd_output=False",
                "--HistoryManager.enabled=False",
            ],
            language="python",
            display_name="Python 3",
            metadata={"supported_encryption": ["curve"]},
        )

    @property
    def pid(self) -> int | None:
        """Its process, which leads a group of those that it starts."""
        return getattr(self.provisioner, "pid", None)

    async def start(
        self, folder: Path, environ: dict[str, str], log: Path, names: list[str]
    ) -> None:
        """Start the process, and a watchdog beside it; see `Kernels`."""
        ahead = [f"exec({_IMPORT_AHEAD.format(names=names)!r}, {{}})"]
        with log.open("ab") as file:
            await self.start_kernel(
                extra_arguments=[f"--IPKernelApp.exec_lines={json.dumps(ahead)}"],
                cwd=str(folder),
                env=environ.copy(),
                stdout=file,
                stderr=file,
            )
        if hasattr(os, "killpg"):
            program = str(Path(__file__).with_name("watchdog.py"))
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", program, str(self.pid)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )

    async def end(self) -> None:
        """Stop the process and what it started, at once."""
        with suppress(RuntimeError, OSError):
            if self.provisioner is not None:
                await self.provisioner.kill()
            await self.shutdown_kernel(now=True)
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()

    def peak_memory(self) -> int | None:
        """Return the largest amount of memory that the process has held, in bytes, if known."""
        try:
            if sys.platform == "linux":
                status = Path(f"/proc/{self.pid}/status").read_text(errors="replace")
                return int(status.partition("VmHWM:")[2].split()[0]) * 1024
            memory = psutil.Process(self.pid).memory_info()
            return int(getattr(memory, "peak_wset", memory.rss))
        except (OSError, LookupError, psutil.Error):
            return None


class Kernels:
    """The kernels of a run; as a context, it ends them all on the way out.

    They work in `folder`, that of the notebooks, keep settings of this run in the folder `private`,
    and write past their notebooks into `log`.
    """

    def __init__(self, folder: Path, private: Path, log: Path) -> None:
        self._folder, self._private, self._log = folder, private, log
        self._environ = _surroundings(private)
        self._started: dict[str, asyncio.Task[None]] = {}
        self._alive: dict[str, Kernel] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Kernels:
        return self

    async def __aexit__(self, *_: object) -> None:
        for start in self._started.values():
            start.cancel()
        await asyncio.gather(*self._started.values(), return_exceptions=True)
        await asyncio.gather(*self._ending, *(kernel.end() for kernel in self._alive.values()))

    def prepare(self, number: str, names: list[str]) -> None:
        """Start a kernel for a stage, ahead of its turn, with what its notebook imports."""
        if number not in self._started:
            path = self._private / f"kernel-{uuid.uuid4().hex}.json"
            kernel = Kernel(transport_encryption="auto", connection_file=str(path))
            self._alive[number] = kernel
            start = kernel.start(self._folder, self._environ, self._log, names)
            self._started[number] = asyncio.create_task(start)

    @asynccontextmanager
    async def take(self, number: str, names: list[str]) -> AsyncIterator[Kernel]:
        """Lend the kernel for a stage, started ahead or now; its end is not awaited."""
        self.prepare(number, names)
        try:
            await self._started[number]
            yield self._alive[number]
        finally:
            self._ending.add(asyncio.create_task(self._alive.pop(number).end()))


def _surroundings(private: Path) -> dict[str, str]:
    environ = {k: v for k, v in os.environ.items() if k.upper() not in _LEFT_OUT}
    environ |= _SURROUNDINGS
    ours = figure_settings(Path(sys.prefix))
    environ["MPLCONFIGDIR"] = str(ours if ours.is_dir() else private / "matplotlib")
    # Start-up files and settings of the user's own IPython stay out of published results.
    environ["IPYTHONDIR"] = str(private / "ipython")
    return environ

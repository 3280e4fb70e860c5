"""The kernels in which notebooks run: this Python, with the same environment in every run.

They come from one process, `kernel_maker`, which imports ahead what notebooks are going to import.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from runner import RunFailed
from runner.environment import figure_settings

LOST = "most likely the machine ran out of memory"
LESS_MEMORY = "Close other programs, try --quick, or run on a machine with more memory."
_MAKER = Path(__file__).with_name("kernel_maker.py")
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


class _Process(psutil.Process):
    """A process that another one has started, as far as a provisioner asks."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        """Return None while it runs."""
        with suppress(psutil.NoSuchProcess):
            if self.is_running() and self.status() != psutil.STATUS_ZOMBIE:
                return None
        return 1

    def wait(self, timeout: float | None = None) -> int:
        """Return at once: its end has been seen, and it is not ours to wait for."""
        return 1


class _Provisioner(LocalProvisioner):
    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Have the kernel made."""
        assert isinstance(self.parent, Kernel)
        self.pid = self.pgid = await self.parent.make(cmd)
        self.process = _Process(self.pid)
        return self.connection_info


class Kernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels the user has installed."""

    make: Callable[[list[str]], Awaitable[int]]  # starts one with these arguments

    @property
    def kernel_spec(self) -> KernelSpec:
        """The arguments with which the kernel is started."""
        return KernelSpec(
            argv=[
                *("-f", "{connection_file}"),
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

    async def start(self, make: Callable[[list[str]], Awaitable[int]]) -> None:
        """Start the process."""
        self.make = make
        spec = {"kernel_id": str(uuid.uuid4()), "kernel_spec": self.kernel_spec}
        self.provisioner = _Provisioner(parent=self, **spec)
        await self.start_kernel()

    def _reconcile_connection_info(self, info: KernelConnectionInfo) -> None:
        """Leave the connection file alone: a fork runs at once, and writes it anew meanwhile."""

    async def kill(self) -> None:
        """Stop the process and what it started, at once: a thread that talks to it ends."""
        with suppress(RuntimeError, OSError, psutil.Error):
            if self.provisioner is not None:
                await self.provisioner.kill()

    async def end(self) -> None:
        """Kill the process, and remove what belonged to it."""
        await self.kill()
        with suppress(RuntimeError, OSError, psutil.Error):
            await self.shutdown_kernel(now=True)

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
        self._private, self._asking = private, asyncio.Lock()
        # A killed notebook removes nothing itself: neither TensorFlow's files nor DuckDB's.
        self._temporary = TemporaryDirectory(prefix="segmentation-", ignore_cleanup_errors=True)
        with log.open("ab") as file:
            self._maker = subprocess.Popen(
                [sys.executable, str(_MAKER)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=folder,
                env=_surroundings(private, self._temporary.name),
                start_new_session=True,
            )

    async def __aenter__(self) -> Kernels:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._maker.communicate)
        await asyncio.to_thread(self._temporary.cleanup)

    def prepare(self, names: list[str], arguments: Sequence[str] = ()) -> None:
        """Have modules imported that the notebooks of later kernels are going to import."""
        order = json.dumps({"names": names, "arguments": arguments})
        assert self._maker.stdin is not None
        with suppress(BrokenPipeError):  # the next request for a kernel says that it has ended
            self._maker.stdin.write(f"{order}\n".encode())

    @asynccontextmanager
    async def take(self, names: list[str]) -> AsyncIterator[Kernel]:
        """Lend a kernel for a notebook that imports `names`."""

        async def make(arguments: list[str]) -> int:
            async with self._asking:
                self.prepare(names, arguments)
                assert self._maker.stdout is not None
                answer = await asyncio.to_thread(self._maker.stdout.readline)
            if not answer:
                raise RunFailed(f"No kernel could be started: {LOST}.\n{LESS_MEMORY}")
            return int(answer)

        path = self._private / f"kernel-{uuid.uuid4().hex}.json"
        kernel = Kernel(transport_encryption="auto", connection_file=str(path))
        try:
            await kernel.start(make)
            yield kernel
        finally:
            await kernel.end()


def _surroundings(private: Path, temporary: str) -> dict[str, str]:
    environ = {k: v for k, v in os.environ.items() if k.upper() not in _LEFT_OUT}
    environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary)
    environ |= _SURROUNDINGS
    ours = figure_settings(Path(sys.prefix))
    environ["MPLCONFIGDIR"] = str(ours if ours.is_dir() else private / "matplotlib")
    # Start-up files and settings of the user's own IPython stay out of published results.
    environ["IPYTHONDIR"] = str(private / "ipython")
    return environ

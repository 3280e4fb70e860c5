"""Kernels of this environment: started ahead, with their libraries loaded, and never left behind.

Notebooks run in processes of their own. The first second of each goes into imports, so a kernel is
started while the stage before still runs, and imports what its notebook is going to import. On
Linux it is forked from a process that has done so already.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from runner import forking
from runner.environment import figure_settings
from runner.notebook_files import parse, source_of

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


# Ends what is left of a killed run. Kernels look for their parent themselves, but not while
# they load large libraries.
_GUARDIAN = """
import os, signal, sys
alive = set()
for line in sys.stdin:
    (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
for pid in alive:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
"""

# What is wrong with a module, the notebook itself will say, and the log before it.
_IMPORT_AHEAD = """
import importlib, sys
for name in {names!r}:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{{name}} cannot be imported ahead: {{error!r}}", file=sys.__stderr__, flush=True)
"""


class Kernel(KernelManager):
    """A kernel of the Python that runs this, whatever kernels the user has installed."""

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

    def fork_from(self, nursery: forking.Nursery, modules: list[str]) -> None:
        """Let the kernel, before it is started, be forked where that is possible."""
        self.kernel_id = uuid.uuid4().hex
        self.provisioner = forking.ForkedProvisioner(
            kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
        )
        self.provisioner.nursery, self.provisioner.modules = nursery, modules

    def kill(self) -> None:
        """Stop the process and what it started; who waits for the kernel will notice."""
        with suppress(OSError, AttributeError):
            pid = self.provisioner.pid
            if hasattr(os, "killpg"):
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGTERM)

    def end(self) -> None:
        """Stop the kernel at once, its files being written by then, and tidy up after it."""
        with suppress(RuntimeError, OSError):
            self.shutdown_kernel(now=True)

    def peak_memory(self) -> int | None:
        """Return the largest amount of memory that the process has held, in bytes, if known."""
        return _peak_memory(self.provisioner.pid)


class Kernels:
    """The kernels of a run.

    Parameters
    ----------
    folder : pathlib.Path
        Where they work: the folder of the notebooks.
    private : pathlib.Path
        A folder for settings and the log of this run.
    log : pathlib.Path
        Where goes what they write past their notebooks.
    """

    def __init__(self, folder: Path, private: Path, log: Path) -> None:
        self._folder = folder
        self._private, self._log = private, log
        self._environ = _surroundings(private)
        self._begun: set[str] = set()
        self._waiting: dict[str, Future[Kernel]] = {}
        self._alive: set[Kernel] = set()
        self._guard = threading.RLock()
        self._closed = False
        self._starting, self._ending = ThreadPoolExecutor(1), ThreadPoolExecutor(4)
        self._guardian: subprocess.Popen[str] | None = None
        self._nursery: forking.Nursery | None = None
        if forking.AVAILABLE and os.environ.get(forking.SWITCH, "") in ("", "0"):
            self._nursery = forking.Nursery(folder, self._environ, log)
            self._tell_guardian(f"+{self._nursery.pid}")

    def prepare(self, number: str, notebook: dict[str, Any]) -> None:
        """Start a kernel for a stage ahead of its turn; returns at once."""
        with self._guard:
            if number not in self._begun and not self._closed:
                self._begun.add(number)
                self._waiting[number] = self._starting.submit(self._start, imports(notebook))

    def take(self, number: str, notebook: dict[str, Any]) -> Kernel:
        """Return the kernel for a stage, started ahead or now."""
        with self._guard:
            self.prepare(number, notebook)
            if number not in self._waiting:
                raise RuntimeError("the run is ending")
            kernel = self._waiting.pop(number)
        return kernel.result()

    def drop(self, number: str) -> None:
        """End a kernel that was started ahead for a stage that does not run after all."""
        with self._guard:
            self._begun.add(number)
            kernel = self._waiting.pop(number, None)
        if kernel:
            kernel.add_done_callback(lambda started: self.give_back(started.result()))

    def give_back(self, kernel: Kernel) -> None:
        """End a kernel whose work is done; returns at once."""
        with self._guard:
            if kernel in self._alive:
                self._alive.discard(kernel)
                self._ending.submit(self._end, kernel)

    def kill(self) -> None:
        """Stop all processes, and start no other; who waits for one of them will notice."""
        with self._guard:
            self._closed = True
            if self._nursery is not None:
                self._nursery.kill()
            for kernel in self._alive:
                kernel.kill()

    def close(self) -> None:
        """End all kernels, and wait until they are gone; nobody may be using them any more."""
        self.kill()
        self._waiting = {}
        self._starting.shutdown(cancel_futures=True)
        for kernel in list(self._alive):
            self.give_back(kernel)
        self._ending.shutdown()
        if self._nursery is not None:
            self._nursery.close()
        if self._guardian is not None:
            self._guardian.communicate()

    def _end(self, kernel: Kernel) -> None:
        pid = kernel.provisioner.pid
        kernel.end()
        self._tell_guardian(f"-{pid}")

    def _tell_guardian(self, line: str) -> None:
        """Tell the process that outlives this one what to end after it."""
        if not hasattr(os, "killpg"):
            return
        with self._guard, suppress(OSError, ValueError):
            if self._guardian is None:
                self._guardian = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _GUARDIAN],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                    text=True,
                )
            self._guardian.stdin.write(line + "\n")
            self._guardian.stdin.flush()

    def _start(self, modules: list[str]) -> Kernel:
        """Start a kernel; in a thread of its own, because it may wait for imports."""
        kernel = Kernel(
            client_class="jupyter_client.asynchronous.AsyncKernelClient",
            transport_encryption="auto",
            connection_file=str(self._private / f"kernel-{uuid.uuid4().hex}.json"),
        )
        if self._nursery is not None:
            kernel.fork_from(self._nursery, modules)
        lines = [f"exec({_IMPORT_AHEAD.format(names=modules)!r}, {{}})"]
        if self._closed:
            raise RuntimeError("the run is ending")
        with self._log.open("ab") as log:
            kernel.start_kernel(
                extra_arguments=[f"--IPKernelApp.exec_lines={json.dumps(lines)}"],
                cwd=str(self._folder),
                env=self._environ.copy(),
                stdout=log,
                stderr=log,
            )
        with self._guard:
            self._alive.add(kernel)
            self._tell_guardian(f"+{kernel.provisioner.pid}")
            if self._closed:
                kernel.kill()
        return kernel


def imports(notebook: dict[str, Any]) -> list[str]:
    """Return the modules that a notebook imports at the top level of its cells, in order."""
    found: dict[str, None] = {}
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "code":
            continue
        try:
            body = parse(source_of(cell)).body
        except SyntaxError:
            continue  # a cell with a magic command
        for node in body:
            if isinstance(node, ast.Import):
                found |= dict.fromkeys(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = None
                if node.module.partition(".")[0] in ("customer_tables", "segmentation"):
                    found |= dict.fromkeys(f"{node.module}.{alias.name}" for alias in node.names)
    return list(found)


def _surroundings(private: Path) -> dict[str, str]:
    environ = {k: v for k, v in os.environ.items() if k.upper() not in _LEFT_OUT}
    environ |= _SURROUNDINGS
    ours = figure_settings(Path(sys.prefix))
    environ["MPLCONFIGDIR"] = str(ours if ours.is_dir() else private / "matplotlib")
    # Start-up files and settings of the user's own IPython stay out of published results.
    environ["IPYTHONDIR"] = str(private / "ipython")
    return environ


def _peak_memory(pid: int | None) -> int | None:
    """Return the peak memory of a process in bytes."""
    if pid is None:
        return None
    try:
        if sys.platform == "linux":
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
            return int(status.partition("VmHWM:")[2].split()[0]) * 1024
        import psutil

        memory = psutil.Process(pid).memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    except Exception:
        return None

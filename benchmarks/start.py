"""What a user waits for before anything runs: imports, and the first call of a cell."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile

from .workloads import cell_names, require

# Processor time: on an idle machine what a user waits for, on a busy one not what others take in between. The driver is
# imported before the clock starts: this is the time of compiling, or of loading compiled code.
FIRST_CALL = """
import sys, time
import numpy as np
import rnnbench.kernels.cpu
from rnnbench import Recurrent

layer = Recurrent(sys.argv[1], 64, 128)
x = np.ones((10, 32, 64), np.float32)
start = time.process_time()
y, _ = layer.forward(x)
layer.backward(np.ones_like(y))
layer.forward(x, tape=False)
print(time.process_time() - start)
"""
IMPORT = """
import importlib, sys, time
start = time.process_time()
importlib.import_module(sys.argv[1])
print(time.process_time() - start)
"""
# asv has no statistics for such values, and other work on the machine only ever adds: the least of a few runs.
CACHED_RUNS, IMPORT_RUNS = 3, 7
MODULES = ["rnnbench", "rnnbench.cli", "rnnbench.layers.recurrent", "rnnbench.kernels.cpu"]


def seconds(script: str, argument: str, cache_dir: str | None = None) -> float:
    """Run a script in a new Python process and return the number it prints.

    Parameters
    ----------
    script, argument : str
    cache_dir : str, optional
        Numba's folder of compiled code; otherwise the one it uses anyway.

    Raises
    ------
    RuntimeError
        With the end of what the process wrote, if it fails.
    """
    environment = dict(os.environ, **({"NUMBA_CACHE_DIR": cache_dir} if cache_dir else {}))
    # -P: what is measured is the installed package, whatever the current folder holds.
    command = [sys.executable, "-P", "-c", script, argument]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{argument}: the process failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


def first_call(cell: str, cache_dir: str | None = None) -> float:
    """Return the seconds of the first training step and the first inference of a cell in a new process."""
    return seconds(FIRST_CALL, cell, cache_dir)


def compile_times(cell: str) -> tuple[float, float]:
    """Return the seconds of a cell's first call with an empty cache, and with what that left in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        cold = first_call(cell, folder)
        if not any(files for _, _, files in os.walk(folder)):
            raise RuntimeError(f"{cell}: nothing was put into the cache, so nothing can be timed from it")
        return cold, min(first_call(cell, folder) for _ in range(CACHED_RUNS))


class Compile:
    """First call of a cell in a new process, imports not counted."""

    params = (cell_names(),)
    param_names = ("cell",)
    unit = "seconds"

    def setup_cache(self):
        """Measure once for both benchmarks; one cell that fails must not take the others along."""
        times = {}
        for cell in cell_names():
            try:
                require(cell)
                times[cell] = compile_times(cell)
            except NotImplementedError:
                times[cell] = math.nan, math.nan  # asv's value for what was skipped
            except Exception as error:
                times[cell] = str(error)
        return times

    setup_cache.timeout = 1800

    def track_compile_cold(self, times, cell):
        """Nothing compiled before."""
        return self._value(times[cell], 0)

    def track_compile_cached(self, times, cell):
        """Everything compiled before, by another process."""
        return self._value(times[cell], 1)

    def _value(self, times, index):
        if isinstance(times, str):
            raise RuntimeError(times)
        return times[index]


class Import:
    """Import in a new process: the package, the command line, a layer, the CPU driver with Numba."""

    params = (MODULES,)
    param_names = ("module",)
    unit = "seconds"

    def track_import(self, module):
        """Do it often enough that one run has bytecode ready and nobody in its way."""
        return min(seconds(IMPORT, module) for _ in range(IMPORT_RUNS))

"""What is timed: layers that are compiled, warm and kept, so that asking for one again costs nothing.

asv calls ``setup`` before every single timed call. All that is expensive is therefore made once per process and
looked up afterwards.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numba.core import event

from rnnbench import Recurrent, cells
from rnnbench.kernels import threads
from rnnbench.layout import Layout

ROOT = Path(__file__).resolve().parents[1]
INFERENCE, TRAINING = "inference", "training"

# Steps, rows, input size, hidden size: one sequence, a batch with hardly any input, and two batches that fill the
# tiles. The calls per timing keep the cheapest cell above 1 ms and the dearest below 50 ms on one thread.
SHAPES = {
    INFERENCE: {(150, 1, 256, 256): 4, (200, 20, 2, 128): 3, (100, 32, 128, 128): 2, (20, 64, 256, 256): 2},
    TRAINING: {(150, 1, 256, 256): 2, (200, 20, 2, 128): 1, (100, 32, 128, 128): 1, (20, 64, 256, 256): 1},
}


def label(shape: tuple[int, ...], calls: int) -> str:
    """Return a shape's name in results; it holds all that defines the work, so that changed work is another row."""
    return f"{calls} x T{shape[0]} B{shape[1]} I{shape[2]} H{shape[3]}"


LABELS = {direction: [label(*item) for item in shapes.items()] for direction, shapes in SHAPES.items()}


def cell_names() -> list[str]:
    """Return the cells of the checkout that these benchmarks belong to.

    Not those of the installed commit: asv hands a benchmark the *number* of its parameters, and an older commit with
    fewer cells would measure one cell and have it filed under the name of another.
    """
    found = (m.name for m in pkgutil.iter_modules([str(ROOT / "rnnbench" / "cells")]))
    return sorted(name for name in found if not name.startswith("_"))


def require(cell: str) -> None:
    """Skip the benchmark (asv's way: NotImplementedError) if the installed commit has no such cell."""
    if cell not in cells.names():
        raise NotImplementedError(f"the installed rnnbench has no cell {cell!r}")


def use_threads(count: int) -> None:
    """Set the number of threads; left alone where it is right, for setting it throws the running threads away."""
    if threads.get_num_threads() != count:
        threads.set_num_threads(count)


def processors() -> int:
    """Return how many processors this process may run on; asv can tie it to a few."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find(direction: str, name: str) -> tuple[tuple[int, ...], int]:
    """Return the shape and the calls behind a label."""
    return next(item for item in SHAPES[direction].items() if label(*item) == name)


def work(cell: str, direction: str, shape: tuple[int, ...]) -> Callable[[], None]:
    """Make a layer and return the function of one inference, or of one training step without the optimiser."""
    steps, rows, inputs, units = shape
    layer = Recurrent(cell, inputs, units, seed=0)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((steps, rows, inputs), np.float32)
    dy = rng.standard_normal((steps, rows, layer.output_size), np.float32)

    def infer():
        layer.forward(x, tape=False)

    def train():
        layer.zero_grad()
        layer.forward(x)
        layer.backward(dy)

    return {INFERENCE: infer, TRAINING: train}[direction]


def ensure_compiled(function: Callable[[], None], what: str) -> None:
    """Call a function that was called before.

    Raises
    ------
    RuntimeError
        If Numba still compiles something: a timing would hold compile time.
    """
    with event.install_recorder("numba:run_pass") as recorder:
        function()
    if recorder.buffer:
        raise RuntimeError(f"{what}: compiles again on its second call, expected everything compiled by the first")


@cache
def ready(cell: str, direction: str, shape: tuple[int, ...], calls: int, count: int = 1) -> Callable[[], None]:
    """Return the function to time: `calls` calls of compiled, warm work on `count` threads; made once per process."""
    require(cell)
    use_threads(count)
    once = work(cell, direction, shape)
    once()
    ensure_compiled(once, f"{direction} of {cell!r}")

    def repeated():
        for _ in range(calls):
            once()

    return repeated


def gigaflops(cell: str, direction: str, name: str) -> float:
    """Return the products of one timing in 10^9 floating-point operations; training counts three times the forward."""
    (steps, rows, inputs, units), calls = find(direction, name)
    forward = Layout(cells.get(cell), inputs, units).flops_per_step() * steps * rows
    return (3 if direction == TRAINING else 1) * calls * forward / 1e9

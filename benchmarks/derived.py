"""What does a derived backward cost? ``python -m benchmarks.derived [CELL ...]`` compares it with the one by hand.

Counted for each cell: values saved and operations per unit, row and step. Timed: training on one thread, in turn with
itself, so that what else the machine does meets both; the median of the quotients is told.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from rnnbench import Recurrent, cells
from rnnbench.derivative import without_backward
from rnnbench.derivative.cost import cost

from .workloads import ensure_compiled, use_threads

SHAPE = (100, 32, 128, 128)  # steps, rows, input size, hidden size
CELLS = ("elman", "leaky", "gru", "gru_reset_after", "lstm")
ROUNDS = 41


def training(cell) -> Callable[[], float]:
    """Return a function that trains once and returns the seconds it took."""
    steps, rows, inputs, units = SHAPE
    layer = Recurrent(cell, inputs, units, seed=0)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((steps, rows, inputs), np.float32)
    dy = rng.standard_normal((steps, rows, layer.output_size), np.float32)

    def once():
        start = time.process_time()
        layer.zero_grad()
        layer.forward(x)
        layer.backward(dy)
        return time.process_time() - start

    once()
    ensure_compiled(once, f"training of {layer.cell.name!r}")
    return once


def compare(by_hand, derived) -> tuple[float, float, float]:
    """Return the best time of each in seconds, and the median of derived / by hand."""
    functions = training(by_hand), training(derived)
    rounds = [[f() for f in functions] for _ in range(ROUNDS)]
    best = [min(times) for times in zip(*rounds, strict=True)]
    return best[0], best[1], statistics.median(b / a for a, b in rounds)


def counts(cell) -> str:
    """Return what a cell's stages save and do together: saved, operations forward + backward."""
    costs = [cost(stage) for stage in cell.stages]
    forward, backward = sum(c.forward.total() for c in costs), sum(c.backward.total() for c in costs)
    return f"{sum(c.saved for c in costs)} saved, {forward:2d} + {backward:2d}"


def main(names) -> None:
    """Print a line per cell."""
    use_threads(1)
    print(f"{'':18}{'by hand':>18}{'derived':>20}   training, T{SHAPE[0]} B{SHAPE[1]} I{SHAPE[2]} H{SHAPE[3]}")
    for name in names:
        by_hand = cells.get(name)
        derived = without_backward(by_hand)
        first, second, quotient = compare(by_hand, derived)
        times = f"{1e3 * first:6.2f} ms {1e3 * second:6.2f} ms  x {quotient:.3f}"
        print(f"{name:18}{counts(by_hand):>18}{counts(derived):>20}   {times}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or CELLS)

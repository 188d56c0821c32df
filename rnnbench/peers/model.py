r"""What a call of any cell may take: products as fast as our LSTM's, its pointwise functions, its memory traffic.

.. math::

    t_{model} = \frac{F + F_{map}}{F_{LSTM} / t_{LSTM}} + t_{pointwise} + n \frac{t_{copy}}{n_{copy}}

F are the floating-point operations of the products, and F_map, in training, those of the cell's weight map; our LSTM of
the same shape, threads and direction, the pointwise functions and the copy are timed in the same rounds as the cell.
Pointwise: the cell's own compiled functions, alone, on buffers that stay in the first-level cache, for as many elements
as the call has (forward, and backward in training).
Copy: within a buffer as large as what the call keeps. `traffic` counts the numbers n that a call moves.

The LSTM's rate has the LSTM's own pointwise work and traffic in it, so the model allows more than the sum of its parts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.layout import Layout
from rnnbench.peers import own, quiet, spread
from rnnbench.peers.tasks import FAILED, OK, OWN, RNNBENCH, Task

LIMIT = 1.15  # of the model: the project's goal
PARTS = {name: OWN._replace(variant=name) for name in ("lstm", "pointwise", "copy")}
WITHIN, BEYOND, ABOUT = "within", "beyond", "about"


def kept(layout: Layout, training: bool) -> int:
    """Numbers per row and step that lie in memory during a call: input, output, and in training the tape."""
    ends = layout.input_size + layout.widths[layout.cell.output]
    return ends + (layout.tape_floats() if training else 0)


def traffic(layout: Layout, training: bool) -> int:
    """Numbers per row and step that a call moves.

    Inference reads x and writes y. Training also copies x, writes the tape and reads it once in BPTT, writes the gates'
    gradients and reads them twice (products for the weights and for the input), reads x and what else the gates see
    once more, reads dy and writes dx.
    """
    if not training:
        return kept(layout, training)
    gates = sum(layout.gate_widths.values())
    seen = {parse(source)[0] for gate in layout.cell.gates for source in gate.sources} - {INPUT}
    seen = sum(layout.widths[name] for name in seen)
    output = layout.widths[layout.cell.output]
    return 2 * layout.tape_floats() + 3 * gates + seen + 4 * layout.input_size + 2 * output


def map_flops(task: Task) -> int:
    """Operations of the weight map in one call: in training both ways, in inference none, for the weights stay."""
    layout = own.make_layer(task).layout
    weight_map = layout.cell.weights
    counted = task.training and weight_map is not None and weight_map.flops is not None
    return sum(weight_map.flops(layout.weight_shapes)) if counted else 0


def lstm_of(task: Task) -> Task:
    """Our LSTM of a task's shape, threads and direction."""
    return replace(task, cell="lstm", activation=None, cell_file=None, variant="cpu")


def row(task: Task, contestants: dict, told: dict, others: float | None) -> dict:
    """The row of a direction: model, its terms in microseconds per step, and our time over the model's."""
    made = {"kind": "model", "direction": task.direction, "peer": RNNBENCH, "outcome": OK, "detail": ""}
    layout = own.make_layer(task).layout
    if broken := [told[name][1] for name in PARTS if name in told]:
        return made | {"outcome": FAILED, "detail": broken[0]}
    parts = [contestants[name] for name in (RNNBENCH, *PARTS)]
    of_lstm = own.flops(lstm_of(task))
    work, mapped = own.flops(task) / of_lstm, map_flops(task) / of_lstm
    passes = traffic(layout, task.training) / kept(layout, task.training)
    rounds = [
        (ours, work * lstm, mapped * lstm, pointwise, passes * copy)
        for ours, lstm, pointwise, copy in zip(*(one.seconds for one in parts), strict=False)
    ]
    over = spread.spread(ours / sum(terms) for ours, *terms in rounds)
    crowded = quiet.is_crowded(task.threads, others)
    names = ("us_per_step", "products_us", "weight_map_us", "pointwise_us", "memory_us")
    middle = {
        name: float(f"{1e6 / task.shape.T * np.median(values):.5g}")
        for name, values in zip(names, zip(*rounds, strict=True), strict=True)
    }
    middle["model_us"] = float(f"{1e6 / task.shape.T * np.median([sum(terms) for _, *terms in rounds]):.5g}")
    ends = zip(("", "_low", "_high"), over[:3], strict=True)
    word = WITHIN if over.high <= LIMIT else BEYOND if over.low > LIMIT else ABOUT
    return (
        made
        | middle
        | {f"over_model{end}": float(f"{value:.4g}") for end, value in ends}
        | {"rounds_timed": over.count, "verdict": spread.BUSY if crowded else word}
        | {"others_cores": None if others is None else round(others, 2)}
    )

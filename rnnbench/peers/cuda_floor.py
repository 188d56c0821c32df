r"""The least that a step of a cell can take on a GPU, from what it has to do and from what this GPU was measured to do.

.. math::

    t_{floor} = \max\left(\frac{F}{r_{products}}, \frac{n_{weights}}{r_{read}}, \frac{n_{broadcast}}{r_{read}}\right)
                + k \, t_{barrier}

F are the floating-point operations of all products of a step (those with the input, and in training those for the
gradients, belong to it as well). The recurrent weights stay on the chip if the shared memory of all multiprocessors
holds them: then they are read once a call, else once a step, in training on the way forward and on the way back.
Whole vectors that a product reads go to every slice of the units, and there are as many slices as it takes to hold
the weights. The grid waits k times: for every vector that must be whole before a product reads it.

What is left out (pointwise functions, the tape, launches, weights that come from the host) only makes a step slower.
"""

from __future__ import annotations

from typing import NamedTuple

from rnnbench.contract import INPUT, parse
from rnnbench.kernels.cuda_barriers import backward_barriers, forward_barriers, products_back
from rnnbench.kernels.cuda_text import sources_of
from rnnbench.layout import Layout
from rnnbench.peers.tasks import Shape

ITEM_BYTES = {"ieee": 4, "tf32": 4, "bf16": 2, "fp16": 2}


class Work(NamedTuple):
    """What a step has to do: operations, bytes of weights, bytes of vectors sent to all slices, waits of the grid."""

    flops: float
    weights: float
    broadcast: float
    barriers: int


class Rates(NamedTuple):
    """What the GPU does: operations and bytes per second, seconds per wait of the grid."""

    products: float
    read: float
    barrier: float


class Floor(NamedTuple):
    """Seconds of a step: the terms, and the floor."""

    products: float
    weights: float
    broadcast: float
    barriers: float
    floor: float


def recurrent_weights(layout: Layout) -> int:
    """How many weights a step reads: all but those of the input."""
    return sum(
        layout.gate_widths[gate] * layout.widths[parse(source)[0]] for gate, source in layout.blocks if source != INPUT
    )


def work(layout: Layout, shape: Shape, training: bool, precision: str, multiprocessors: int, shared: int) -> Work:
    """What a step of this cell and shape has to do on a GPU.

    Parameters
    ----------
    layout : Layout
    shape : Shape
    training : bool
    precision : str
        Of the products: "ieee", "tf32", "bf16" or "fp16".
    multiprocessors, shared : int
        Of the GPU; `shared` is the most bytes of shared memory of a block.
    """
    item = ITEM_BYTES[precision]
    held = item * recurrent_weights(layout)
    slices = min(max(1, -(-held // shared)), multiprocessors)
    walks, steps_per_read = 2 if training else 1, shape.T if held <= multiprocessors * shared else 1
    sent = _forward_numbers(layout) + (_backward_numbers(layout) if training else 0)
    waits = len(forward_barriers(layout)) + (backward_barriers(layout) if training else 0)
    return Work(
        flops=layout.flops_per_step() * shape.B * (3 if training else 1),
        weights=held * walks / steps_per_read,
        broadcast=slices * shape.B * item * sent,
        barriers=waits,
    )


def _forward_numbers(layout):
    """Numbers per row that products read on the way forward: every vector once for each stage that reads it."""
    return sum(
        layout.widths[parse(source)[0]]
        for stage in layout.cell.stages
        for source in sources_of(stage)
        if source != INPUT
    )


def _backward_numbers(layout):
    """The same on the way back: the gradients of all gates that have a product to go back through, once."""
    total = 0
    for number, width in enumerate(layout.stage_widths):
        gates = {gate for users in products_back(layout, number).values() for gate in users}
        total += len(gates) * width
    return total


def floor(of: Work, rates: Rates) -> Floor:
    """The floor of a step, and its terms, in seconds."""
    terms = of.flops / rates.products, of.weights / rates.read, of.broadcast / rates.read
    waits = of.barriers * rates.barrier
    return Floor(*terms, waits, max(terms) + waits)

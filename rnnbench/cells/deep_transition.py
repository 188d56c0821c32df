r"""Deep transition: a multilayer perceptron from hidden state to hidden state.

.. math::

    z^1_t &= \phi(W_{z^1} x_t + R_{z^1} h_{t-1} + b_{z^1}) \\
    z^k_t &= \phi(R_{z^k} z^{k-1}_t + b_{z^k}), \quad k = 2 \dots L - 1 \\
    h_t &= \phi(R_h z^{L-1}_t + S_h h_{t-1} + b_h)

L is ``depth``, 2 unless given, so that :math:`h_t = \phi(R_h z^1_t + b_h)`. The shortcut :math:`S_h`, which skips the
intermediate layers, is there with ``shortcut=True`` only (the paper's DT(S)-RNN). Gate order z1, z2 ... h; all layers
are as wide as h.

Source: R. Pascanu, C. Gulcehre, K. Cho and Y. Bengio, How to Construct Deep Recurrent Neural Networks, ICLR 2014,
section 3.3.1.
"""

from itertools import pairwise

from rnnbench.cells._activation import activated
from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS


def build(activation="tanh", depth=2, shortcut=False):
    """Build the cell.

    Parameters
    ----------
    activation : tanh, sigmoid, relu, linear or step
    depth : int from 2 to 100
        Layers from one hidden state to the next.
    shortcut : bool
        Whether the last of them sees the hidden state before, too.
    """
    pair = activated(*choose("activation", activation, ACTIVATIONS))
    choose("shortcut", shortcut, {True: 1, False: 0})
    if type(depth) is not int or not 2 <= depth <= 100:  # each is a stage, compiled by itself
        raise ValueError(f"depth: got {depth!r}, expected an integer from 2 to 100")
    between = [f"z{k}" for k in range(1, depth)]

    first = Gate(between[0], ("x", "h"))
    inner = [Gate(made, (f"{below}@0",)) for below, made in pairwise(between)]
    last = Gate("h", (f"{between[-1]}@0", *(("h",) if shortcut else ())))
    return Cell(
        vectors=(Vector("h"), *map(Vector, between)),
        stages=tuple(Stage(*pair, makes=(gate.name,), gates=(gate,)) for gate in (first, *inner, last)),
        output="h",
        smooth=activation not in ("relu", "step"),
        year=2014,
        source="Pascanu et al. 2014",
    )

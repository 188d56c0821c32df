r"""Long short-term memory of 1997, without a forget gate.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + b_i) \\
    g_t &= 4 \sigma(W_g x_t + R_g h_{t-1} + b_g) - 2 \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + b_o) \\
    c_t &= c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot (2 \sigma(c_t) - 1)

Gate order i, g, o. The squashing functions are those of the paper's appendix, with ranges [-2, 2] and [-1, 1]. They are
computed as :math:`2 \tanh(a/2)` and :math:`\tanh(c/2)`, which keeps the digits of small numbers. So the form with
:math:`g = \tanh(a)` and :math:`h = o \odot \tanh(c)` is the same cell with c and all that goes into g halved.

With ``fully_recurrent=True`` every gate and every cell also reads all gates of the step before, as in the paper's
experiments: each of the three sums gets two more matrices, :math:`+ R_{\cdot i} i_{t-1} + R_{\cdot o} o_{t-1}`, and i
and o are states. Here every cell has its own pair of gates, as in the paper's blocks of size 1; :func:`weight_count`
counts larger blocks too. The paper cuts an error off where it leaves a cell or a gate; here, as in all cells, the
gradient is the full one.

Source: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import const, d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates and candidate, the sum so far, then what the output gate reveals."""
    a_i, a_g, a_o = a
    (c_before,) = reads
    half = const(0.5, a_g)
    i, half_g, o = sigmoid(a_i), tanh(half * a_g), sigmoid(a_o)
    c = c_before + i * (half_g + half_g)
    squashed = tanh(half * c)
    return (o * squashed, c, i, o), (half_g, squashed)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule; the derivatives of the two squashing functions are 1 - (g/2)^2 and (1 - squashed^2) / 2."""
    dh, dc, di, do = dmakes
    _, _, i, o = makes
    half_g, squashed = saved
    half = const(0.5, half_g)
    dc = dc + half * (dh * o * d_tanh(squashed))
    da = (
        (di + dc * (half_g + half_g)) * d_sigmoid(i),
        dc * i * d_tanh(half_g),
        (do + dh * squashed) * d_sigmoid(o),
    )
    return da, (dc,), ()


def build(fully_recurrent=False):
    """Build the cell; with `fully_recurrent`, gates and cells read the gates of the step before."""
    sources = choose("fully_recurrent", fully_recurrent, {False: ("x", "h"), True: ("x", "h", "i", "o")})
    gates = tuple(Gate(name, sources) for name in "igo")
    stage = Stage(forward, backward, makes=("h", "c", "i", "o"), gates=gates, reads=("c",))
    return Cell(
        vectors=tuple(Vector(name) for name in stage.makes),
        stages=(stage,),
        output="h",
        year=1997,
        source="Hochreiter & Schmidhuber 1997",
    )


def weight_count(inputs, outputs, blocks, block_size=1, biased="all"):
    """Return the number of weights of a whole network of the 1997 paper, its output layer included.

    Every gate and cell reads the input, all cells and all gates; the output layer reads the cells. This is the network
    of its experiments 1, 2c and 3 to 6; that of 2a and 2b has no output gates and is another.

    Parameters
    ----------
    inputs, outputs : int
        Units of the input and of the output layer.
    blocks, block_size : int
        Memory cell blocks, and the cells of each, which share one input and one output gate.
    biased : none, gates, hidden or all
        The units with a bias: none (experiment 2c), the gates (1), gates and cells (3), or the outputs too (4 to 6).
    """
    cells, gates = blocks * block_size, 2 * blocks
    hidden = cells + gates
    biases = choose("biased", biased, {"none": 0, "gates": gates, "hidden": hidden, "all": hidden + outputs})
    return hidden * (inputs + hidden) + outputs * cells + biases

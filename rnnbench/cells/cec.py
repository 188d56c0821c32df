r"""Constant error carousel, the LSTM without gates.

.. math::

    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    c_t &= c_{t-1} + g_t \\
    h_t &= \tanh(c_t)

The cell state feeds back to itself with weight 1, so along it an error neither grows nor decays:
:math:`\partial c_t / \partial c_{t-1} = 1` but for what flows through h.

Source: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, section 3.2; in this form,
as the first step towards the LSTM, in lectures.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_tanh, tanh


def forward(a, reads, p):
    """What is new, added to the sum so far."""
    (a_g,) = a
    (c_before,) = reads
    g = tanh(a_g)
    c = c_before + g
    return (tanh(c), c), (g,)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule; the error of c goes back to c of the step before as it is."""
    dh, dc = dmakes
    h, _ = makes
    (g,) = saved
    dc = dc + dh * d_tanh(h)
    return (dc * d_tanh(g),), (dc,), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("c")),
        stages=(Stage(forward, backward, makes=("h", "c"), gates=(Gate("g", ("x", "h")),), reads=("c",)),),
        output="h",
        year=1997,
        source="Hochreiter & Schmidhuber 1997, 3.2",
    )

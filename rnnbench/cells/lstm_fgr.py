r"""LSTM with full gate recurrence (FGR).

The vanilla LSTM of ``lstm_peephole`` whose three gates also read, through nine matrices, what all three were one step
ago; the candidate does not.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + R_{ii} i_{t-1} + R_{if} f_{t-1} + R_{io} o_{t-1}
           + p_i \odot c_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + R_{fi} i_{t-1} + R_{ff} f_{t-1} + R_{fo} o_{t-1}
           + p_f \odot c_{t-1} + b_f) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + R_{oi} i_{t-1} + R_{of} f_{t-1} + R_{oo} o_{t-1}
           + p_o \odot c_t + b_o) \\
    h_t &= o_t \odot \tanh(c_t)

:math:`R_{fo}` is the block of gate f that reads o (Greff et al. write the two indices the other way round). The
peepholes p are unit parameters (``peephole_i``, ``peephole_f``, ``peephole_o``) and start at 0. i, f and o are states
and start at 0. Gate order i, f, g, o, and i, f, o in the matrices that read a gate.

Source: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.cells._lstm import peepholes
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates, the cell state as a gated sum, then the output gate, which sees that state; the gates are made too."""
    a_i, a_f, a_g, a_o = a
    (c_before,) = reads
    p_i, p_f, p_o = p
    i, f, g = sigmoid(a_i + p_i * c_before), sigmoid(a_f + p_f * c_before), tanh(a_g)
    c = f * c_before + i * g
    o, tanh_c = sigmoid(a_o + p_o * c), tanh(c)
    return (o * tanh_c, c, i, f, o), (g, tanh_c)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule; a gate is blamed for what it let through and for what the gates of the next step read in it."""
    dh, dc, di, df, do = dmakes
    (c_before,) = reads
    _, c, i, f, o = makes
    g, tanh_c = saved
    p_i, p_f, p_o = p
    da_o = (do + dh * tanh_c) * d_sigmoid(o)
    dc = dc + dh * o * d_tanh(tanh_c) + da_o * p_o
    da_i = (di + dc * g) * d_sigmoid(i)
    da_f = (df + dc * c_before) * d_sigmoid(f)
    da = (da_i, da_f, dc * i * d_tanh(g), da_o)
    return da, (dc * f + da_i * p_i + da_f * p_f,), (da_i * c_before, da_f * c_before, da_o * c)


def build():
    """Build the cell; it has no options."""
    everything = ("x", "h", "i", "f", "o")
    parameters = peepholes("ifo")
    stage = Stage(
        forward,
        backward,
        makes=("h", "c", "i", "f", "o"),
        gates=(Gate("i", everything), Gate("f", everything), Gate("g", ("x", "h")), Gate("o", everything)),
        reads=("c",),
        parameters=tuple(p.name for p in parameters),
    )
    return Cell(
        vectors=tuple(Vector(name) for name in stage.makes),
        stages=(stage,),
        output="h",
        parameters=parameters,
        year=2017,
        source="Greff et al. 2017",
    )

r"""LSTM without an output gate (NOG).

The vanilla LSTM of ``lstm_peephole`` with :math:`o_t = 1`: the squashed cell state is always in view.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= \tanh(c_t)

The peepholes p are unit parameters (``peephole_i``, ``peephole_f``) and start at 0. Gate order i, f, g.

Source: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.cells._lstm import peephole_cell
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates that see the old cell state, then the new one as a gated sum, squashed."""
    a_i, a_f, a_g = a
    (c_before,) = reads
    p_i, p_f = p
    i, f, g = sigmoid(a_i + p_i * c_before), sigmoid(a_f + p_f * c_before), tanh(a_g)
    c = f * c_before + i * g
    return (tanh(c), c), (i, f, g)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule, from h and c back to the gates, the peepholes and the cell state before."""
    dh, dc = dmakes
    (c_before,) = reads
    h, _ = makes
    i, f, g = saved
    p_i, p_f = p
    dc = dc + dh * d_tanh(h)
    da_i = dc * g * d_sigmoid(i)
    da_f = dc * c_before * d_sigmoid(f)
    da_g = dc * i * d_tanh(g)
    return (da_i, da_f, da_g), (dc * f + da_i * p_i + da_f * p_f,), (da_i * c_before, da_f * c_before)


def build():
    """Build the cell; it has no options."""
    return peephole_cell(forward, backward, gates="ifg", peepholes_of="if")

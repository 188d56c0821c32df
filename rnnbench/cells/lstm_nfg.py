r"""LSTM without a forget gate (NFG).

The vanilla LSTM of ``lstm_peephole`` with :math:`f_t = 1`: the cell state only ever adds up, as in 1997.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    c_t &= c_{t-1} + i_t \odot g_t \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + p_o \odot c_t + b_o) \\
    h_t &= o_t \odot \tanh(c_t)

The peepholes p are unit parameters (``peephole_i``, ``peephole_o``) and start at 0. Gate order i, g, o.

Source: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.cells._lstm import peephole_cell
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Input gate and candidate, the sum so far, then the output gate, which sees that sum."""
    a_i, a_g, a_o = a
    (c_before,) = reads
    p_i, p_o = p
    i, g = sigmoid(a_i + p_i * c_before), tanh(a_g)
    c = c_before + i * g
    o, tanh_c = sigmoid(a_o + p_o * c), tanh(c)
    return (o * tanh_c, c), (i, g, o, tanh_c)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule, from h and c back to the gates, the peepholes and the cell state before."""
    dh, dc = dmakes
    (c_before,) = reads
    _, c = makes
    i, g, o, tanh_c = saved
    p_i, p_o = p
    da_o = dh * tanh_c * d_sigmoid(o)
    dc = dc + dh * o * d_tanh(tanh_c) + da_o * p_o
    da_i = dc * g * d_sigmoid(i)
    da_g = dc * i * d_tanh(g)
    return (da_i, da_g, da_o), (dc + da_i * p_i,), (da_i * c_before, da_o * c)


def build():
    """Build the cell; it has no options."""
    return peephole_cell(forward, backward, gates="igo", peepholes_of="io")

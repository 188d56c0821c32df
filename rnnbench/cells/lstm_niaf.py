r"""LSTM without an input activation function (NIAF).

The vanilla LSTM of ``lstm_peephole`` whose candidate is the bare sum of products, :math:`g(x) = x`.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
    g_t &= W_g x_t + R_g h_{t-1} + b_g \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + p_o \odot c_t + b_o) \\
    h_t &= o_t \odot \tanh(c_t)

The peepholes p are unit parameters (``peephole_i``, ``peephole_f``, ``peephole_o``) and start at 0. Gate order i, f,
g, o.

Source: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.cells._lstm import peephole_cell
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates, the cell state as a gated sum, then the output gate, which sees that state."""
    a_i, a_f, g, a_o = a
    (c_before,) = reads
    p_i, p_f, p_o = p
    i, f = sigmoid(a_i + p_i * c_before), sigmoid(a_f + p_f * c_before)
    c = f * c_before + i * g
    o, tanh_c = sigmoid(a_o + p_o * c), tanh(c)
    return (o * tanh_c, c), (i, f, g, o, tanh_c)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule, from h and c back to the gates, the peepholes and the cell state before."""
    dh, dc = dmakes
    (c_before,) = reads
    _, c = makes
    i, f, g, o, tanh_c = saved
    p_i, p_f, p_o = p
    da_o = dh * tanh_c * d_sigmoid(o)
    dc = dc + dh * o * d_tanh(tanh_c) + da_o * p_o
    da_i = dc * g * d_sigmoid(i)
    da_f = dc * c_before * d_sigmoid(f)
    da = (da_i, da_f, dc * i, da_o)
    return da, (dc * f + da_i * p_i + da_f * p_f,), (da_i * c_before, da_f * c_before, da_o * c)


def build():
    """Build the cell; it has no options."""
    return peephole_cell(forward, backward, gates="ifgo", peepholes_of="ifo")

r"""LSTM without an input gate (NIG).

The vanilla LSTM of ``lstm_peephole`` with :math:`i_t = 1`: whatever the candidate says is added to the cell state.

.. math::

    f_t &= \sigma(W_f x_t + R_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    c_t &= f_t \odot c_{t-1} + g_t \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + p_o \odot c_t + b_o) \\
    h_t &= o_t \odot \tanh(c_t)

The peepholes p are unit parameters (``peephole_f``, ``peephole_o``) and start at 0. Gate order f, g, o.

Source: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.cells._lstm import peephole_cell
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Forget gate and candidate, the new cell state, then the output gate, which sees that state."""
    a_f, a_g, a_o = a
    (c_before,) = reads
    p_f, p_o = p
    f, g = sigmoid(a_f + p_f * c_before), tanh(a_g)
    c = f * c_before + g
    o, tanh_c = sigmoid(a_o + p_o * c), tanh(c)
    return (o * tanh_c, c), (f, g, o, tanh_c)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule, from h and c back to the gates, the peepholes and the cell state before."""
    dh, dc = dmakes
    (c_before,) = reads
    _, c = makes
    f, g, o, tanh_c = saved
    p_f, p_o = p
    da_o = dh * tanh_c * d_sigmoid(o)
    dc = dc + dh * o * d_tanh(tanh_c) + da_o * p_o
    da_f = dc * c_before * d_sigmoid(f)
    da_g = dc * d_tanh(g)
    return (da_f, da_g, da_o), (dc * f + da_f * p_f,), (da_f * c_before, da_o * c)


def build():
    """Build the cell; it has no options."""
    return peephole_cell(forward, backward, gates="fgo", peepholes_of="fo")

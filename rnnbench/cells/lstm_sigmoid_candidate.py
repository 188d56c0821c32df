r"""LSTM with a sigmoid candidate, as in the Deep Learning book.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) \\
    g_t &= \sigma(W_g x_t + R_g h_{t-1} + b_g) \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + b_o) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)

A candidate in [0, 1] can only add to the cell state; only forgetting takes away. The book writes s for c, g for the
input gate i and q for the output gate o, gives the candidate no letter, and calls U what is W here, and W what is R.
Gate order i, f, g, o.

Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.10.1.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates, then the cell state as a gated sum, then what the output gate reveals."""
    a_i, a_f, a_g, a_o = a
    (c_before,) = reads
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_g), sigmoid(a_o)
    c = f * c_before + i * g
    tanh_c = tanh(c)
    return (o * tanh_c, c), (i, f, g, o, tanh_c)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule, from h and c back to the gates and to the cell state before."""
    dh, dc = dmakes
    (c_before,) = reads
    i, f, g, o, tanh_c = saved
    dc = dc + dh * o * d_tanh(tanh_c)
    da = (
        dc * g * d_sigmoid(i),
        dc * c_before * d_sigmoid(f),
        dc * i * d_sigmoid(g),
        dh * tanh_c * d_sigmoid(o),
    )
    return da, (dc * f,), ()


def build():
    """Build the cell; it has no options."""
    gates = tuple(Gate(name, ("x", "h")) for name in "ifgo")
    return Cell(
        vectors=(Vector("h"), Vector("c")),
        stages=(Stage(forward, backward, makes=("h", "c"), gates=gates, reads=("c",)),),
        output="h",
        year=2016,
        source="Goodfellow et al. 2016, 10.10.1",
    )

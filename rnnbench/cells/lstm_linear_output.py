r"""LSTM with a linear output.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + b_o) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot c_t

The output gate reveals the cell state itself, without a squashing function: ``lstm_noaf`` without its peepholes. Gate
order i, f, g, o.

Sources: lectures, for example COSC 4368, Fundamentals of Artificial Intelligence, Recurrent Neural Networks, 2023; with
peepholes, K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates, then the cell state as a gated sum, then what the output gate reveals."""
    a_i, a_f, a_g, a_o = a
    (c_before,) = reads
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c_before + i * g
    return (o * c, c), (i, f, g, o)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule, from h and c back to the gates and to the cell state before."""
    dh, dc = dmakes
    (c_before,) = reads
    _, c = makes
    i, f, g, o = saved
    dc = dc + dh * o
    da = (
        dc * g * d_sigmoid(i),
        dc * c_before * d_sigmoid(f),
        dc * i * d_tanh(g),
        dh * c * d_sigmoid(o),
    )
    return da, (dc * f,), ()


def build():
    """Build the cell; it has no options."""
    gates = tuple(Gate(name, ("x", "h")) for name in "ifgo")
    return Cell(
        vectors=(Vector("h"), Vector("c")),
        stages=(Stage(forward, backward, makes=("h", "c"), gates=gates, reads=("c",)),),
        output="h",
        year=2017,
        source="lectures; Greff et al. 2017 (NOAF)",
    )

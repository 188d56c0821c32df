r"""Long short-term memory with a forget gate.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + b_o) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)

Gate order i, f, g, o, as in PyTorch.

Sources: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997; F. A. Gers,
J. Schmidhuber and F. Cummins, Learning to Forget, Neural Computation 12, 2000.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, sigmoid, tanh


def forward(a, reads, p):
    """Gates, then the cell state as a gated sum, then what the output gate reveals."""
    a_i, a_f, a_g, a_o = a
    (c_before,) = reads
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
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
        dc * i * d_tanh(g),
        dh * tanh_c * d_sigmoid(o),
    )
    return da, (dc * f,), ()


def build():
    """Build the cell; it has no options."""
    sources = ("x", "h")
    gates = tuple(Gate(name, sources) for name in "ifgo")
    return Cell(
        vectors=(Vector("h"), Vector("c")),
        stages=(Stage(forward, backward, makes=("h", "c"), gates=gates, reads=("c",)),),
        output="h",
        year=2000,
        source="Hochreiter & Schmidhuber 1997; Gers et al. 2000",
    )

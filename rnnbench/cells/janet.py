r"""JANET: an LSTM of which only the forget gate is left.

.. math::

    s_t &= W_f x_t + R_f h_{t-1} + b_f \\
    n_t &= \tanh(W_n x_t + R_n h_{t-1} + b_n) \\
    h_t &= \sigma(s_t) \odot h_{t-1} + (1 - \sigma(s_t - \beta)) \odot n_t

The cell state is the output. :math:`\beta` (1 in the paper) lets a unit take more in than it forgets. The paper starts
:math:`b_f` at the logarithm of numbers from U(1, T - 1) ("chrono"), which depends on the task and is left to whoever
trains. Gate order f, n.

Source: J. van der Westhuizen and J. Lasenby, The unreasonable effectiveness of the forget gate, arXiv 1804.04849, 2018.
"""

from math import isfinite

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import const, d_sigmoid, d_tanh, one_minus, sigmoid, tanh


def build(beta=1.0):
    """Build the cell; `beta` is a finite number."""
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not isfinite(beta):
        raise ValueError(f"beta: got {beta!r}, expected a finite number")
    shift = float(beta)

    def forward(a, reads, p):
        a_f, a_n = a
        (h_before,) = reads
        f, not_i, n = sigmoid(a_f), sigmoid(a_f - const(shift, a_f)), tanh(a_n)
        return (f * h_before + one_minus(not_i) * n,), (f, not_i, n)

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h_before,) = reads
        f, not_i, n = saved
        da_f = dh * (h_before * d_sigmoid(f) - n * d_sigmoid(not_i))
        return (da_f, dh * one_minus(not_i) * d_tanh(n)), (dh * f,), ()

    sources = ("x", "h")
    gates = (Gate("f", sources), Gate("n", sources))
    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=gates, reads=("h",)),),
        output="h",
        year=2018,
        source="van der Westhuizen & Lasenby 2018",
    )

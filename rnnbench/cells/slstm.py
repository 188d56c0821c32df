r"""Scalar LSTM (sLSTM) of the xLSTM: exponential gates, a normaliser and a stabiliser.

.. math::

    \tilde i_t &= W_i x_t + R_i h_{t-1} + b_i, \qquad \tilde f_t = W_f x_t + R_f h_{t-1} + b_f \\
    z_t &= \tanh(W_z x_t + R_z h_{t-1} + b_z), \qquad o_t = \sigma(W_o x_t + R_o h_{t-1} + b_o) \\
    m_t &= \max(\log f(\tilde f_t) + m_{t-1},\ \tilde i_t) \\
    i'_t &= \exp(\tilde i_t - m_t), \qquad f'_t = \exp(\log f(\tilde f_t) + m_{t-1} - m_t) \\
    c_t &= f'_t \odot c_{t-1} + i'_t \odot z_t \\
    n_t &= f'_t \odot n_{t-1} + i'_t \\
    h_t &= o_t \odot c_t / n_t

The function f is the sigmoid or, with ``forget="exp"``, the exponential. The stabiliser m keeps both exponentials at 1
or below; c and n are those of the plain recursion times :math:`e^{-m}`, so it cancels from h. It starts at -1e30, which
stands for minus infinity: the first step keeps nothing of a start at 0. One of i' and f' is 1 at every step, so n is 1
or more from then on. Where the maximum ties, its derivative is that of the forget gate's side. One head: the recurrent
matrices are full. Gate order i, f, z, o.

Source: M. Beck, K. Pöppel, M. Spanring, A. Auer, O. Prudnikova, M. Kopp, G. Klambauer, J. Brandstetter and
S. Hochreiter, xLSTM: Extended Long Short-Term Memory, NeurIPS 2024.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import (
    d_linear,
    d_log_sigmoid,
    d_sigmoid,
    d_tanh,
    exp,
    less,
    linear,
    log_sigmoid,
    maximum,
    sigmoid,
    tanh,
    where,
    zero,
)  # fmt: skip


def build(forget="sigmoid"):
    """Build the cell; `forget` is sigmoid or exp."""
    log_forget, d_log_forget = choose(
        "forget", forget, {"sigmoid": (log_sigmoid, d_log_sigmoid), "exp": (linear, d_linear)}
    )

    def forward(a, reads, p):
        """Gates in the logarithm, the stabiliser, then cell state and normaliser as gated sums."""
        a_i, a_f, a_z, a_o = a
        c_before, n_before, m_before = reads
        z, o = tanh(a_z), sigmoid(a_o)
        log_f = log_forget(a_f)
        kept = log_f + m_before
        m = maximum(kept, a_i)
        i, f = exp(a_i - m), exp(kept - m)
        c = f * c_before + i * z
        n = f * n_before + i
        return (o * c / n, c, n, m), (i, f, z, o, d_log_forget(log_f))

    def backward(dmakes, reads, makes, saved, p):
        """The chain rule; the side of the maximum that won is the one whose exponential is 1."""
        dh, dc, dn, dm = dmakes
        c_before, n_before, _ = reads
        h, c, n, _ = makes
        i, f, z, o, slope = saved
        dratio = dh / n
        dc = dc + dratio * o
        dn = dn - dratio * h
        din_i = (dc * z + dn) * i
        din_f = (dc * c_before + dn * n_before) * f
        dm = dm - din_i - din_f
        input_wins = less(f, i)
        din_i = din_i + where(input_wins, dm, zero(dm))
        dkept = din_f + where(input_wins, zero(dm), dm)
        da = (din_i, dkept * slope, dc * i * d_tanh(z), dratio * c * d_sigmoid(o))
        return da, (dc * f, dn * f, dkept), ()

    gates = tuple(Gate(name, ("x", "h")) for name in "ifzo")
    vectors = (Vector("h"), Vector("c"), Vector("n"), Vector("m", initial=-1e30))
    return Cell(
        vectors=vectors,
        stages=(Stage(forward, backward, makes=("h", "c", "n", "m"), gates=gates, reads=("c", "n", "m")),),
        output="h",
        smooth=False,  # the maximum
        year=2024,
        source="Beck et al. 2024",
    )

r"""Minimal gated unit: a GRU whose one gate is reset and update gate at once.

.. math::

    f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) \\
    n_t &= \tanh(W_n x_t + R_n (f_t \odot h_{t-1}) + b_n) \\
    h_t &= (1 - f_t) \odot h_{t-1} + f_t \odot n_t

The paper calls f the forget gate, but it keeps the old state where it is 0: a large ``forget_bias`` forgets sooner.
Gate order f, n.

Source: G.-B. Zhou, J. Wu, C.-L. Zhang and Z.-H. Zhou, Minimal Gated Unit for Recurrent Neural Networks, International
Journal of Automation and Computing 13, 2016.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, one_minus, sigmoid, tanh


def forward_gate(a, reads, p):
    """The gate, and the state as the candidate will see it."""
    (a_f,) = a
    (h_before,) = reads
    f = sigmoid(a_f)
    return (f * h_before, f), ()


def backward_gate(dmakes, reads, makes, saved, p):
    """The chain rule through the gate's two uses."""
    dfh, df = dmakes
    (h_before,) = reads
    _, f = makes
    return ((df + dfh * h_before) * d_sigmoid(f),), (dfh * f,), ()


def forward_state(a, reads, p):
    """Candidate, then a mixture of old state and candidate."""
    (a_n,) = a
    h_before, f = reads
    n = tanh(a_n)
    return (one_minus(f) * h_before + f * n,), (n,)


def backward_state(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture."""
    (dh,) = dmakes
    h_before, f = reads
    (n,) = saved
    return (dh * f * d_tanh(n),), (dh * one_minus(f), dh * (n - h_before)), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("fh"), Vector("f")),
        stages=(
            Stage(forward_gate, backward_gate, makes=("fh", "f"), gates=(Gate("f", ("x", "h")),), reads=("h",)),
            Stage(
                forward_state,
                backward_state,
                makes=("h",),
                gates=(Gate("n", ("x", "fh@0")),),
                reads=("h", "f@0"),
            ),
        ),
        output="h",
        year=2016,
        source="Zhou et al. 2016",
    )

r"""Gated recurrent unit, reset applied before the product.

.. math::

    r_t &= \sigma(W_r x_t + R_r h_{t-1} + b_r) \\
    z_t &= \sigma(W_z x_t + R_z h_{t-1} + b_z) \\
    n_t &= \tanh(W_n x_t + R_n (r_t \odot h_{t-1}) + b_n) \\
    h_t &= z_t \odot h_{t-1} + (1 - z_t) \odot n_t

The update gate z multiplies the old state, as in the paper and in PyTorch; others write u for z and c for n,
:math:`h = u \odot h + (1 - u) \odot c`. z = 1 keeps the state, z = 0 replaces it. Some later papers swap the two.

The candidate's product waits for r, so a step has two stages. Gate order r, z, n.

Source: K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, one_minus, sigmoid, tanh


def forward_gates(a, reads, p):
    """Reset and update gate, and the state as the candidate will see it."""
    a_r, a_z = a
    (h_before,) = reads
    r, z = sigmoid(a_r), sigmoid(a_z)
    return (r * h_before, z), (r,)


def backward_gates(dmakes, reads, makes, saved, p):
    """The chain rule through the reset and the update gate."""
    drh, dz = dmakes
    (h_before,) = reads
    _, z = makes
    (r,) = saved
    return (drh * h_before * d_sigmoid(r), dz * d_sigmoid(z)), (drh * r,), ()


def forward_state(a, reads, p):
    """Candidate, then a mixture of old state and candidate."""
    (a_n,) = a
    h_before, z = reads
    n = tanh(a_n)
    return (z * h_before + one_minus(z) * n,), (n,)


def backward_state(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture."""
    (dh,) = dmakes
    h_before, z = reads
    (n,) = saved
    return (dh * one_minus(z) * d_tanh(n),), (dh * z, dh * (h_before - n)), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("rh"), Vector("z")),
        stages=(
            Stage(
                forward_gates,
                backward_gates,
                makes=("rh", "z"),
                gates=(Gate("r", ("x", "h")), Gate("z", ("x", "h"))),
                reads=("h",),
            ),
            Stage(
                forward_state,
                backward_state,
                makes=("h",),
                gates=(Gate("n", ("x", "rh@0")),),
                reads=("h", "z@0"),
            ),
        ),
        output="h",
        year=2014,
        source="Cho et al. 2014",
    )

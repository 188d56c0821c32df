r"""Gated recurrent unit as the textbook prints it: the gates of the step before, a sigmoid candidate.

.. math::

    n_t &= \sigma(W_n x_t + R_n (r_{t-1} \odot h_{t-1}) + b_n) \\
    h_t &= u_{t-1} \odot h_{t-1} + (1 - u_{t-1}) \odot n_t \\
    u_t &= \sigma(W_u x_t + R_u h_t + b_u) \\
    r_t &= \sigma(W_r x_t + R_r h_t + b_r)

Both gates are made from the new state and used a step later, so they are states, as h is. Nothing says what they are
before the first step: they start at 1/2, what their own equations give without an input, a state and a bias. (r_0 makes
no difference while h_0 = 0.) Gate order n, u, r.

Against :mod:`rnnbench.cells.gru`: u does what z does there, but a gate that sees x_t acts only on x_{t+1}.

Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, equations 10.45 to 10.47.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, one_minus, sigmoid


def forward_reset(a, reads, p):
    """The state as the candidate will see it."""
    r_before, h_before = reads
    return (r_before * h_before,), ()


def backward_reset(dmakes, reads, makes, saved, p):
    """The chain rule through the reset."""
    (drh,) = dmakes
    r_before, h_before = reads
    return (), (drh * h_before, drh * r_before), ()


def forward_state(a, reads, p):
    """Candidate, then a mixture of old state and candidate."""
    (a_n,) = a
    h_before, u_before = reads
    n = sigmoid(a_n)
    return (u_before * h_before + one_minus(u_before) * n,), (n,)


def backward_state(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture."""
    (dh,) = dmakes
    h_before, u_before = reads
    (n,) = saved
    return (dh * one_minus(u_before) * d_sigmoid(n),), (dh * u_before, dh * (h_before - n)), ()


def forward_gates(a, reads, p):
    """Update and reset gate, for the next step."""
    a_u, a_r = a
    return (sigmoid(a_u), sigmoid(a_r)), ()


def backward_gates(dmakes, reads, makes, saved, p):
    """The chain rule through the gates."""
    du, dr = dmakes
    u, r = makes
    return (du * d_sigmoid(u), dr * d_sigmoid(r)), (), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("u", initial=0.5), Vector("r", initial=0.5), Vector("rh")),
        stages=(
            Stage(forward_reset, backward_reset, makes=("rh",), reads=("r", "h")),
            Stage(
                forward_state,
                backward_state,
                makes=("h",),
                gates=(Gate("n", ("x", "rh@0")),),
                reads=("h", "u"),
            ),
            Stage(
                forward_gates,
                backward_gates,
                makes=("u", "r"),
                gates=(Gate("u", ("x", "h@0")), Gate("r", ("x", "h@0"))),
            ),
        ),
        output="h",
        year=2016,
        source="Goodfellow et al. 2016, 10.45-10.47",
    )

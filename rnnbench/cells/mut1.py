r"""MUT1, the first of three architectures found by mutation: an update gate from the input alone.

.. math::

    z_t &= \sigma(W_z x_t + b_z) \\
    r_t &= \sigma(W_r x_t + R_r h_{t-1} + b_r) \\
    n_t &= \tanh(R_n (r_t \odot h_{t-1}) + \tanh(W_v x_t) + b_n) \\
    h_t &= z_t \odot n_t + (1 - z_t) \odot h_{t-1}

The paper adds :math:`\tanh(x_t)` itself, which only an input as wide as the state allows. Here a learned projection
:math:`W_v x_t` without a bias stands for it; with :math:`W_v = I` this is the paper's cell. Gate order z, r, n, v.

Source: R. Jozefowicz, W. Zaremba and I. Sutskever, An Empirical Exploration of Recurrent Network Architectures, ICML
2015.
"""

from rnnbench.cells._mutant import backward_gates, forward_gates
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_tanh, one_minus, tanh


def forward_state(a, reads, p):
    """Candidate with the squashed input, then a mixture of old state and candidate."""
    a_n, a_v = a
    h_before, z = reads
    v = tanh(a_v)
    n = tanh(a_n + v)
    return (z * n + one_minus(z) * h_before,), (n, v)


def backward_state(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture and the candidate."""
    (dh,) = dmakes
    h_before, z = reads
    n, v = saved
    da_n = dh * z * d_tanh(n)
    return (da_n, da_n * d_tanh(v)), (dh * one_minus(z), dh * (n - h_before)), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("z"), Vector("rh")),
        stages=(
            Stage(
                forward_gates,
                backward_gates,
                makes=("z", "rh"),
                gates=(Gate("z", ("x",)), Gate("r", ("x", "h"))),
                reads=("h",),
            ),
            Stage(
                forward_state,
                backward_state,
                makes=("h",),
                gates=(Gate("n", ("rh@0",)), Gate("v", ("x",), bias=False)),
                reads=("h", "z@0"),
            ),
        ),
        output="h",
        year=2015,
        source="Jozefowicz et al. 2015",
    )

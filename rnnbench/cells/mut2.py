r"""MUT2, the second of three architectures found by mutation: a reset gate that adds the input itself.

.. math::

    z_t &= \sigma(W_z x_t + R_z h_{t-1} + b_z) \\
    r_t &= \sigma(W_r x_t + R_r h_{t-1} + b_r) \\
    n_t &= \tanh(W_n x_t + R_n (r_t \odot h_{t-1}) + b_n) \\
    h_t &= z_t \odot n_t + (1 - z_t) \odot h_{t-1}

The paper's reset gate adds :math:`x_t` itself, which only an input as wide as the state allows. Here a learned
projection :math:`W_r x_t` stands for it; with :math:`W_r = I` this is the paper's cell. The projection leaves no
difference from :mod:`rnnbench.cells.gru` but which way z points: the two are one function once :math:`W_z`, :math:`R_z`
and :math:`b_z` are negated. Gate order z, r, n.

Source: R. Jozefowicz, W. Zaremba and I. Sutskever, An Empirical Exploration of Recurrent Network Architectures, ICML
2015.
"""

from rnnbench.cells._mutant import backward_gates, forward_gates
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_tanh, one_minus, tanh


def forward_state(a, reads, p):
    """Candidate, then a mixture of old state and candidate."""
    (a_n,) = a
    h_before, z = reads
    n = tanh(a_n)
    return (z * n + one_minus(z) * h_before,), (n,)


def backward_state(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture."""
    (dh,) = dmakes
    h_before, z = reads
    (n,) = saved
    return (dh * z * d_tanh(n),), (dh * one_minus(z), dh * (n - h_before)), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("z"), Vector("rh")),
        stages=(
            Stage(
                forward_gates,
                backward_gates,
                makes=("z", "rh"),
                gates=(Gate("z", ("x", "h")), Gate("r", ("x", "h"))),
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
        year=2015,
        source="Jozefowicz et al. 2015",
    )

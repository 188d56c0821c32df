r"""Minimal RNN: the input goes into the state's own space, and an update gate mixes the two.

.. math::

    z_t &= \tanh(W_z x_t + b_z) \\
    u_t &= \sigma(R_u h_{t-1} + U_u z_t + b_u) \\
    h_t &= u_t \odot h_{t-1} + (1 - u_t) \odot z_t

z is the paper's :math:`\Phi(x_t)`, here as in its experiments one layer and tanh. Gate order z, u.

Source: M. Chen, MinimalRNN: Toward More Interpretable and Trainable Recurrent Neural Networks, arXiv 1711.06788, 2017.
"""

from rnnbench.cells._activation import activated
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, one_minus, sigmoid, tanh


def forward_state(a, reads, p):
    """Update gate, then a mixture of old state and input."""
    (a_u,) = a
    h_before, z = reads
    u = sigmoid(a_u)
    return (u * h_before + one_minus(u) * z,), (u,)


def backward_state(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture."""
    (dh,) = dmakes
    h_before, z = reads
    (u,) = saved
    return (dh * (h_before - z) * d_sigmoid(u),), (dh * u, dh * one_minus(u)), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"), Vector("z")),
        stages=(
            Stage(*activated(tanh, d_tanh), makes=("z",), gates=(Gate("z", ("x",)),)),
            Stage(
                forward_state,
                backward_state,
                makes=("h",),
                gates=(Gate("u", ("h", "z@0")),),
                reads=("h", "z@0"),
            ),
        ),
        output="h",
        year=2017,
        source="Chen 2017",
    )

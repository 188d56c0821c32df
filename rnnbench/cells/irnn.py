r"""Rectified linear units that start as the identity (IRNN).

.. math::

    h_t = \max(0, W_h x_t + R_h h_{t-1} + b_h)

The equation is that of ``elman`` with ``activation="relu"``; the name stands for its start: :math:`R_h` is the
identity, :math:`b_h = 0` and the numbers of :math:`W_h` come from :math:`N(0, 0.001^2)`, so that at first each unit
keeps its state. For a scaled identity give the layer ``init={"name": "identity", "gain": 0.01, "input_std": 0.001}``.

Source: Q. V. Le, N. Jaitly and G. E. Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units,
arXiv 1504.00941, 2015.
"""

from rnnbench.cells._activation import activated
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_relu, relu


def build():
    """Build the cell; it has no options."""
    forward, backward = activated(relu, d_relu)

    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")),)),),
        output="h",
        smooth=False,
        init={"name": "identity", "input_std": 0.001},
        year=2015,
        source="Le, Jaitly & Hinton 2015",
    )

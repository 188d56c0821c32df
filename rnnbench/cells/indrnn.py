r"""Independently recurrent network: a unit remembers itself alone, by one number.

.. math::

    h_t = \phi(W_h x_t + u \odot h_{t-1} + b_h)

:math:`\phi` is relu unless ``activation`` says otherwise. Units meet only in the next layer.

The paper draws u from U(0, 1). Here the units start at the H even quantiles of that distribution,
:math:`u_i = (i + 1/2) / H`: the same spread of memory, and nothing left to chance. It also keeps
:math:`|u| \le 2^{1/T}` in training; that is the trainer's to do.

Source: S. Li, W. Li, C. Cook, C. Zhu and Y. Gao, Independently Recurrent Neural Network (IndRNN): Building A Longer and
Deeper RNN, CVPR 2018.
"""

import numpy as np

from rnnbench.contract import Cell, Gate, Stage, UnitParameter, Vector, choose
from rnnbench.ops import ACTIVATIONS


def quantiles(width):
    """The even quantiles of U(0, 1), one per unit."""
    return (np.arange(width) + 0.5) / width


def build(activation="relu"):
    """Build the cell; `activation` is tanh, sigmoid, relu, linear or step."""
    phi, d_phi = choose("activation", activation, ACTIVATIONS)

    def forward(a, reads, p):
        (a_h,) = a
        (h_before,) = reads
        (u,) = p
        return (phi(a_h + u * h_before),), ()

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h_before,) = reads
        (h,) = makes
        (u,) = p
        da_h = dh * d_phi(h)
        return (da_h,), (da_h * u,), (da_h * h_before,)

    stage = Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x",)),), reads=("h",), parameters=("u",))
    return Cell(
        vectors=(Vector("h"),),
        stages=(stage,),
        output="h",
        parameters=(UnitParameter("u", initial=quantiles),),
        smooth=activation not in ("relu", "step"),
        year=2018,
        source="Li et al. 2018",
    )

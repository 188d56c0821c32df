r"""Structurally constrained recurrent network: a slow context beside the hidden state.

.. math::

    s_t &= (1 - \alpha) \odot B x_t + \alpha \odot s_{t-1} \\
    h_t &= \sigma(A x_t + R h_{t-1} + P s_t) \\
    y_t &= U h_t + V s_t

The context s is linear and each of its units sees only itself, so that it changes slowly; it may have a width of its
own (``context_size``), and so may y (``output_size``). There are no biases, and the paper's softmax of y belongs to a
readout. :math:`\alpha` is fixed, one number for all units; with ``trained=True`` each unit learns its own, as
:math:`\alpha = \sigma(\beta)`. Gate order s, h, y.

Source: T. Mikolov, A. Joulin, S. Chopra, M. Mathieu and M. Ranzato, Learning Longer Memory in Recurrent Neural
Networks, ICLR workshop, 2015.
"""

import math

from rnnbench.cells._activation import activated
from rnnbench.cells._number import number, width
from rnnbench.contract import HIDDEN, Cell, Gate, Stage, UnitParameter, Vector, choose
from rnnbench.ops import const, d_linear, d_sigmoid, linear, one_minus, sigmoid


def fixed_average(alpha):
    """Return the pair (forward, backward) of the context's stage for a given rate."""

    def forward(a, reads, p):
        (a_s,) = a
        (s_before,) = reads
        keep = const(alpha, a_s)
        return (one_minus(keep) * a_s + keep * s_before,), ()

    def backward(dmakes, reads, makes, saved, p):
        (ds,) = dmakes
        keep = const(alpha, ds)
        return (ds * one_minus(keep),), (ds * keep,), ()

    return forward, backward


def learned_average():
    """Return the pair (forward, backward) of the context's stage for a rate sigmoid(beta) of each unit's own."""

    def forward(a, reads, p):
        (a_s,) = a
        (s_before,) = reads
        (beta,) = p
        keep = sigmoid(beta)
        return (one_minus(keep) * a_s + keep * s_before,), (a_s,)

    def backward(dmakes, reads, makes, saved, p):
        (ds,) = dmakes
        (s_before,) = reads
        (a_s,) = saved
        (beta,) = p
        keep = sigmoid(beta)
        return (ds * one_minus(keep),), (ds * keep,), (ds * (s_before - a_s) * d_sigmoid(keep),)

    return forward, backward


def build(alpha=0.95, trained=False, context_size=None, output_size=None):
    """Build the cell.

    Parameters
    ----------
    alpha : float in [0, 1], or in (0, 1) if trained
        How much of the context a step keeps; the initial value if trained.
    trained : bool
    context_size, output_size : int >= 1, optional
        Widths of s and of y; the hidden size unless given.
    """
    choose("trained", trained, {True: 1, False: 0})
    context, shown = width("context_size", context_size) or HIDDEN, width("output_size", output_size) or HIDDEN
    if trained:
        alpha = number("alpha", alpha, "a number in (0, 1) where it is trained", lambda v: 0 < v < 1)
        rates = (UnitParameter("beta", initial=math.log(alpha / (1 - alpha)), width=context),)
        average = learned_average()
    else:
        alpha, rates = number("alpha", alpha, "a number in [0, 1]", lambda v: 0 <= v <= 1), ()
        average = fixed_average(alpha)
    hidden, output = activated(sigmoid, d_sigmoid), activated(linear, d_linear)
    s_gate = Gate("s", ("x",), bias=False)
    h_gate = Gate("h", ("x", "h", "s@0"), bias=False)
    y_gate = Gate("y", ("h@0", "s@0"), bias=False)

    return Cell(
        vectors=(Vector("s", width=context), Vector("h"), Vector("y", width=shown)),
        stages=(
            Stage(*average, makes=("s",), gates=(s_gate,), reads=("s",), parameters=tuple(r.name for r in rates)),
            Stage(*hidden, makes=("h",), gates=(h_gate,)),
            Stage(*output, makes=("y",), gates=(y_gate,)),
        ),
        output="y",
        parameters=rates,
        year=2015,
        source="Mikolov et al. 2015",
    )

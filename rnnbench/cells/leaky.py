r"""Leaky units: a simple recurrent network whose state is a running average.

.. math::

    h_t = \alpha \odot h_{t-1} + (1 - \alpha) \odot \phi(W_h x_t + R_h h_{t-1} + b_h)

The lectures' running average :math:`\mu^{(t)} \leftarrow \alpha \mu^{(t-1)} + (1 - \alpha) v^{(t)}`, of what a simple
network's unit would be. :math:`\alpha` is one number per unit: near 1 the unit remembers for long, near 0 it forgets
at once. It is fixed unless ``trained=True``.

Sources: H. Jaeger, M. Lukosevicius, D. Popovici and U. Siewert, Optimization and applications of echo state networks
with leaky-integrator neurons, Neural Networks 20, 2007; I. Goodfellow, Y. Bengio and A. Courville, Deep Learning,
2016, section 10.9.2.
"""

from rnnbench.contract import Cell, Gate, Stage, UnitParameter, Vector, choose
from rnnbench.ops import ACTIVATIONS, one_minus


def build(activation="tanh", alpha=0.9, trained=False):
    """Build the cell.

    Parameters
    ----------
    activation : tanh, sigmoid, relu, linear or step
    alpha : float in [0, 1]
        The leak's initial value.
    trained : bool
    """
    phi, d_phi = choose("activation", activation, ACTIVATIONS)
    choose("trained", trained, {True: 1, False: 0})
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1:
        raise ValueError(f"alpha: got {alpha!r}, expected a number in [0, 1]")

    def forward(a, reads, p):
        (a_h,) = a
        (h_before,) = reads
        (alpha,) = p
        v = phi(a_h)
        return (alpha * h_before + one_minus(alpha) * v,), (v,)

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h_before,) = reads
        (v,) = saved
        (alpha,) = p
        return (dh * one_minus(alpha) * d_phi(v),), (dh * alpha,), (dh * (h_before - v),)

    stage = Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")),), reads=("h",), parameters=("alpha",))
    return Cell(
        vectors=(Vector("h"),),
        stages=(stage,),
        output="h",
        parameters=(UnitParameter("alpha", initial=alpha, trained=trained),),
        smooth=activation not in ("relu", "step"),
        year=2007,
        source="Jaeger et al. 2007; Goodfellow et al. 2016, 10.9.2",
    )

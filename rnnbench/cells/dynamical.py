r"""Classical dynamical system: a state that follows from the state before, and from nothing else.

.. math::

    s_t = f(s_{t-1}; \theta) = \phi(R_s s_{t-1} + b_s)

The input is never read: it says how many steps there are, its gradient is 0, and ``input_size=0`` suits it best. Give
it a state to start from, ``forward(x, {"s": s_0})``. With ``activation="linear"`` and ``bias=False`` it is the power
method :math:`s_t = R^t s_0`, on which vanishing and exploding gradients are explained.

Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, equations 10.1 and 10.36.
"""

from rnnbench.cells._activation import activated
from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS


def build(activation="tanh"):
    """Build the cell; `activation` is tanh, sigmoid, relu, linear or step."""
    forward, backward = activated(*choose("activation", activation, ACTIVATIONS))

    return Cell(
        vectors=(Vector("s"),),
        stages=(Stage(forward, backward, makes=("s",), gates=(Gate("s", ("s",)),)),),
        output="s",
        smooth=activation not in ("relu", "step"),
        year=2016,
        source="Goodfellow et al. 2016, 10.1",
    )

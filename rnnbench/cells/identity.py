r"""Identity relationship between the states: an accumulator with constant error flow.

.. math::

    h_t = h_{t-1} + \phi(W_h x_t + b_h)

:math:`\partial h_t / \partial h_{t-1}` is the identity, so an error neither decays nor grows on its way back. What is
added depends on the input alone; ``cec`` lets it see the state. With a linear :math:`\phi` it sums its inputs
(example 1 of R. Grosse's lecture).

Source: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, section 3 (constant error
flow).
"""

from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS


def build(activation="tanh"):
    """Build the cell; `activation` is tanh, sigmoid, relu, linear or step."""
    phi, d_phi = choose("activation", activation, ACTIVATIONS)

    def forward(a, reads, p):
        (a_h,) = a
        (h_before,) = reads
        v = phi(a_h)
        return (h_before + v,), (v,)

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (v,) = saved
        return (dh * d_phi(v),), (dh,), ()

    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x",)),), reads=("h",)),),
        output="h",
        smooth=activation not in ("relu", "step"),
        year=1997,
        source="Hochreiter & Schmidhuber 1997",
    )

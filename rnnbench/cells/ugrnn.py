r"""Update-gate RNN: a simple recurrent network with one gate between the old state and the new.

.. math::

    c_t &= \phi(W_c x_t + R_c h_{t-1} + b_c) \\
    g_t &= \sigma(W_g x_t + R_g h_{t-1} + b_g) \\
    h_t &= g_t \odot h_{t-1} + (1 - g_t) \odot c_t

:math:`\phi` is tanh unless ``activation`` says otherwise. Gate order c, g.

Source: J. Collins, J. Sohl-Dickstein and D. Sussillo, Capacity and Trainability in Recurrent Neural Networks, ICLR
2017.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS, d_sigmoid, one_minus, sigmoid


def build(activation="tanh"):
    """Build the cell; `activation` is tanh, sigmoid, relu, linear or step."""
    phi, d_phi = choose("activation", activation, ACTIVATIONS)

    def forward(a, reads, p):
        a_c, a_g = a
        (h_before,) = reads
        c, g = phi(a_c), sigmoid(a_g)
        return (g * h_before + one_minus(g) * c,), (c, g)

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h_before,) = reads
        c, g = saved
        da_c = dh * one_minus(g) * d_phi(c)
        da_g = dh * (h_before - c) * d_sigmoid(g)
        return (da_c, da_g), (dh * g,), ()

    sources = ("x", "h")
    gates = (Gate("c", sources), Gate("g", sources))
    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=gates, reads=("h",)),),
        output="h",
        smooth=activation not in ("relu", "step"),
        year=2017,
        source="Collins et al. 2017",
    )

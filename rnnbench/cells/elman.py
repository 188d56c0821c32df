r"""Simple recurrent network (Elman).

.. math::

    h_t = \phi(W_h x_t + R_h h_{t-1} + b_h)

:math:`\phi` is tanh unless ``activation`` says sigmoid, relu, linear or step (a hard threshold at 0).

In lectures:

* A. Bosselut's Elman network, :math:`h_t = \sigma(W_{hx} x_t + W_{hh} h_{t-1} + b_h)`, has ``activation="sigmoid"``;
  his :math:`z_t = \sigma(W_{zh} h_t + b_z)` is a readout.
* U Kang's :math:`a^{(t)} = b + W h^{(t-1)} + U x^{(t)}`, :math:`h^{(t)} = \tanh(a^{(t)})` is the default.
* The "vanilla RNN", :math:`h_t = \tanh(W_{hh} h_{t-1} + W_{xh} x_t)`, and R. Grosse's
  :math:`z^{(t)} = u x^{(t)} + w h^{(t-1)}`, :math:`h^{(t)} = \phi(z^{(t)})` have no bias: ``bias=False`` of the layer.

Source: J. L. Elman, Finding Structure in Time, Cognitive Science 14, 1990; PyTorch's ``RNN``.
"""

from rnnbench.cells._activation import activated
from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS


def build(activation="tanh"):
    """Build the cell; `activation` is tanh, sigmoid, relu, linear or step."""
    forward, backward = activated(*choose("activation", activation, ACTIVATIONS))

    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")),)),),
        output="h",
        smooth=activation not in ("relu", "step"),
        year=1990,
        source="Elman 1990",
    )

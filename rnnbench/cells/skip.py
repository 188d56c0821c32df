r"""Skip connections through time: a simple recurrent network that also sees its state of d steps ago.

.. math::

    h_t = \phi(W_h x_t + R_h h_{t-1} + S_h h_{t-d} + b_h)

Source: T. Lin, B. G. Horne, P. Tino and C. L. Giles, Learning long-term dependencies in NARX recurrent neural
networks, IEEE Transactions on Neural Networks 7, 1996; Goodfellow et al., Deep Learning, 2016, section 10.9.1.
"""

from rnnbench.cells._activation import activated
from rnnbench.contract import Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS


def build(activation="tanh", delay=2):
    """Build the cell; `delay` is d, an integer of at least 2."""
    forward, backward = activated(*choose("activation", activation, ACTIVATIONS))
    if isinstance(delay, bool) or not isinstance(delay, int) or delay < 2:
        raise ValueError(f"delay: got {delay!r}, expected an integer >= 2")

    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h", f"h@{delay}")),)),),
        output="h",
        smooth=activation not in ("relu", "step"),
        year=1996,
        source="Lin et al. 1996; Goodfellow et al. 2016, 10.9.1",
    )

r"""Length-one connections removed: recurrence only from d steps ago.

.. math::

    h_t = \phi(W_h x_t + R_h h_{t-d} + b_h)

Where ``skip`` adds long connections to the short ones, here they replace them, so that every unit has to work on the
longer time scale: a gradient passes through t/d steps instead of t. The d interleaved subsequences never meet.

Sources: S. El Hihi and Y. Bengio, Hierarchical Recurrent Neural Networks for Long-Term Dependencies, NIPS 8, 1996;
I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.9.3.
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
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", f"h@{delay}")),)),),
        output="h",
        smooth=activation not in ("relu", "step"),
        year=1996,
        source="El Hihi & Bengio 1996; Goodfellow et al. 2016, 10.9.3",
    )

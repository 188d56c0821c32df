r"""Jordan network: recurrence only through the output.

.. math::

    h_t &= \phi(W_h x_t + R_h y_{t-1} + b_h) \\
    y_t &= \psi(R_y h_t + b_y)

The only state is y, with a width of its own (``output_size``, the hidden size unless given). With both activations step
it holds R. Grosse's network that computes parity; fed with targets (``feed={"y": ...}``) it is the network of U Kang's
teacher forcing, whose steps can be trained apart.

Source: M. I. Jordan, Serial Order: A Parallel Distributed Processing Approach, 1986.
"""

from rnnbench.cells._activation import activated
from rnnbench.contract import HIDDEN, Cell, Gate, Stage, Vector, choose
from rnnbench.ops import ACTIVATIONS


def build(activation="tanh", output_activation="linear", output_size=None):
    """Build the cell; both activations are tanh, sigmoid, relu, linear or step, `output_size` an integer >= 1."""
    hidden = activated(*choose("activation", activation, ACTIVATIONS))
    output = activated(*choose("output_activation", output_activation, ACTIVATIONS))
    if output_size is not None and (type(output_size) is not int or output_size < 1):
        raise ValueError(f"output_size: got {output_size!r}, expected an integer >= 1 or None")

    return Cell(
        vectors=(Vector("h"), Vector("y", width=output_size or HIDDEN)),
        stages=(
            Stage(*hidden, makes=("h",), gates=(Gate("h", ("x", "y")),)),
            Stage(*output, makes=("y",), gates=(Gate("y", ("h@0",)),)),
        ),
        output="y",
        smooth=not {activation, output_activation} & {"relu", "step"},
        year=1986,
        source="Jordan 1986",
    )

r"""minGRU: a GRU whose gate and candidate see the input alone.

.. math::

    z_t &= \sigma(W_z x_t + b_z) \\
    n_t &= W_n x_t + b_n \\
    h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot n_t

The recurrence is linear in h, with coefficients that the input sets: all steps can be found at once by a parallel scan
(here they are run in turn, as those of any cell), and no product with a matrix stands between one state and the next.
Gate order z, n.

Source: L. Feng, F. Tung, M. O. Ahmed, Y. Bengio and H. Hajimirsadeghi, Were RNNs All We Needed?, arXiv
2410.01201, 2024.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, one_minus, sigmoid


def forward(a, reads, p):
    """Gate and candidate, then a mixture of old state and candidate."""
    a_z, n = a
    (h_before,) = reads
    z = sigmoid(a_z)
    return (one_minus(z) * h_before + z * n,), (z, n)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule through the mixture."""
    (dh,) = dmakes
    (h_before,) = reads
    z, n = saved
    return (dh * (n - h_before) * d_sigmoid(z), dh * z), (dh * one_minus(z),), ()


def build():
    """Build the cell; it has no options."""
    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("z", ("x",)), Gate("n", ("x",))), reads=("h",)),),
        output="h",
        year=2024,
        source="Feng et al. 2024",
    )

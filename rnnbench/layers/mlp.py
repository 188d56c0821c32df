"""A multilayer perceptron."""

from __future__ import annotations

from itertools import pairwise

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.chain import Chain
from rnnbench.layers.dense import Dense


class MLP(Chain):
    """Dense layers one after another, at every step alike.

    Parameters
    ----------
    *sizes : int
        Widths from the input to the output, at least two.
    activation : str
        Of all layers but the last; see :class:`Dense`.
    output_activation : str
        Of the last.
    dtype, seed
        As for :class:`Dense`.
    """

    def __init__(self, *sizes, activation="tanh", output_activation="linear", dtype="float32", seed=0):
        if len(sizes) < 2:
            raise ValueError(f"sizes: got {sizes}, expected two widths at least, of the input and the output")
        rngs, replicas = arguments.generators(seed)
        kinds = [activation] * (len(sizes) - 2) + [output_activation]
        super().__init__(*(
            Dense(*pair, activation=kind, dtype=dtype, seed=of.seed(rngs, replicas))
            for pair, kind in zip(pairwise(sizes), kinds, strict=True)
        ))  # fmt: skip

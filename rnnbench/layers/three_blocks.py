"""A recurrent network with a multilayer perceptron in each of its three blocks."""

from __future__ import annotations

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.chain import Chain
from rnnbench.layers.mlp import MLP
from rnnbench.layers.recurrent import Recurrent


class ThreeBlocks(Chain):
    """Deep from input to hidden state, from one hidden state to the next, and from hidden state to output.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
    depth : int
        Layers of each block, at least 2. The last of the first block is the cell's own product with its input.
    width : int, optional
        Of the layers within the first and the last block; H unless given. Those between hidden states are as wide as h.
    activation : "tanh", "relu", "sigmoid" or "linear"
        Of everything but the output, which is linear (logits).
    shortcut : bool
        Whether h also reaches the next h past the layers between.
    dtype, device, seed, bias, init
        As for :class:`Recurrent`; the last two concern it alone.

    Notes
    -----
    Parts are called "input", "hidden" (the cell ``deep_transition``) and "output".

    Source: R. Pascanu, C. Gulcehre, K. Cho and Y. Bengio, How to Construct Deep Recurrent Neural Networks, ICLR 2014
    (DOT-RNN, with a deep input; DOT(S)-RNN with the shortcut).
    """

    def __init__(
        self, input_size, hidden_size, output_size, *, depth=2, width=None, activation="tanh", shortcut=False,
        dtype="float32", device="cpu", seed=0, bias=True, init=None,
    ):  # fmt: skip
        hidden_size, depth = arguments.integer("hidden_size", hidden_size, 1), arguments.integer("depth", depth, 2)
        between = [hidden_size if width is None else arguments.integer("width", width, 1)] * (depth - 1)
        rngs, replicas = arguments.generators(seed)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        super().__init__(
            input=MLP(input_size, *between, activation=activation, output_activation=activation, **shared),
            hidden=Recurrent(
                "deep_transition", between[-1], hidden_size, device=device, bias=bias, init=init,
                activation=activation, depth=depth, shortcut=shortcut, **shared,
            ),
            output=MLP(hidden_size, *between, output_size, activation=activation, **shared),
        )  # fmt: skip

"""Deep recurrent networks: layers on top of each other."""

from __future__ import annotations

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.bidirectional import Bidirectional
from rnnbench.layers.chain import Chain
from rnnbench.layers.dropout import Dropout, checked
from rnnbench.layers.recurrent import Recurrent
from rnnbench.layers.scan import Scan


class Stack(Chain):
    """Recurrent layers of one cell and one size on top of each other.

    Parameters
    ----------
    cell, input_size, hidden_size
        As for :class:`Recurrent`.
    layers : int
        How many, at least 1; called "layer1", "layer2" and so on.
    dropout : float
        Rate of a :class:`Dropout` between two layers, "dropout1" and so on; none at 0.
    bidirectional : bool
        Every layer is a :class:`Bidirectional`, its two outputs side by side.
    outputs : "all" or "last"
        Of the topmost layer.
    dtype, device, seed, **options
        As for :class:`Recurrent`.

    Notes
    -----
    Sources: J. Schmidhuber, Learning Complex, Extended Sequences Using the Principle of History Compression, Neural
    Computation 4(2), 1992; S. El Hihi and Y. Bengio, Hierarchical Recurrent Neural Networks for Long-Term Dependencies,
    NIPS 1995; A. Graves, A. Mohamed and G. Hinton, Speech Recognition with Deep Recurrent Neural Networks, ICASSP 2013.
    """

    def __init__(
        self, cell, input_size, hidden_size, *, layers=2, dropout=0.0, bidirectional=False, outputs="all",
        dtype="float32", device="cpu", seed=0, **options,
    ):  # fmt: skip
        layers, dropout = arguments.integer("layers", layers, 1), checked(dropout)
        arguments.one_of("bidirectional", bidirectional, (True, False))
        rngs, replicas = arguments.generators(seed)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        parts, size = {}, input_size
        for n in range(1, layers + 1):
            last = outputs if n == layers else "all"
            here = options | shared | {"device": device}
            if bidirectional:
                part = Bidirectional(cell, size, hidden_size, outputs=last, **here)
            else:
                part = Scan(Recurrent(cell, size, hidden_size, **here), outputs=last)
            parts[f"layer{n}"], size = part, part.output_size
            if dropout and n < layers:
                parts[f"dropout{n}"] = Dropout(dropout, **shared)
        super().__init__(**parts)

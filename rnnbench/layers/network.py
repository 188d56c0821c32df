"""A network for a task: input, recurrent layers, readout."""

from __future__ import annotations

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.chain import Chain
from rnnbench.layers.dense import Dense
from rnnbench.layers.dropout import Dropout
from rnnbench.layers.embedding import Embedding, OneHot
from rnnbench.layers.pool import Pool
from rnnbench.layers.skip import Skip
from rnnbench.layers.stack import Stack

READOUTS = ("every", "last", "mean", "max")


class Network(Chain):
    """A chain that begins with the input of a task and ends with logits; any parts, or those of :meth:`build`."""

    @classmethod
    def build(
        cls, cell, inputs, outputs, hidden, *, readout="every", embedding=None, layers=1, bidirectional=False,
        skip=False, dropout=0.0, dtype="float32", device="cpu", seed=0, **options,
    ):  # fmt: skip
        """Make the usual network: symbols or numbers in, recurrent layers, a linear readout.

        Parameters
        ----------
        cell : str or Cell
            As for :class:`Recurrent`.
        inputs, outputs, hidden : int
            Channels or symbols of x; logits; units of each recurrent layer.
        readout : "every", "last", "mean" or "max"
            Logits of every step, (T, B, O), or one set for each row, (B, O), from its last step or from the mean or the
            maximum of its outputs. "last" takes what a layer that reads backwards has made of the whole row, its output
            at the first step; with `skip` these are not apart, and it is refused.
        embedding : None, "one_hot" or int
            None takes x as numbers, (T, B, inputs). The others take symbols, integers (T, B) from 0 to inputs - 1, as
            one-hot vectors or as learned vectors of so many numbers.
        layers : int
            Recurrent layers, one on top of the other.
        bidirectional : bool
        skip : bool
            x also goes to every layer, and every layer to the readout.
        dropout : float
            Rate between recurrent layers and before the readout.
        dtype, device, seed, **options
            As for :class:`Recurrent`; ``bias`` and ``init`` are among the options and concern the recurrent layers.

        Returns
        -------
        Network
            Of the parts "embedding", "hidden", "pool", "dropout" and "readout", as far as they are needed.

        Raises
        ------
        ValueError, TypeError
            Naming the argument, what came and what was expected.
        """
        inputs = arguments.integer("inputs", inputs, 0)
        outputs = arguments.integer("outputs", outputs, 1)
        arguments.one_of("readout", readout, READOUTS)
        arguments.one_of("skip", skip, (True, False))
        if skip and bidirectional and readout == "last":
            raise ValueError(
                "readout: got 'last' with skip and bidirectional, expected another: the last steps of the layers that "
                "read backwards have seen one step alone"
            )
        rngs, replicas = arguments.generators(seed)
        plain, seeded = {"dtype": dtype, "replicas": replicas}, {"dtype": dtype, "seed": of.seed(rngs, replicas)}

        parts, width = {}, inputs
        if embedding == "one_hot":
            parts["embedding"] = OneHot(inputs, dense=skip, **plain)
        elif embedding is not None:
            if isinstance(embedding, str):
                raise ValueError(f"embedding: got {embedding!r}, expected None, 'one_hot' or an integer >= 1")
            width = arguments.integer("embedding", embedding, 1)
            parts["embedding"] = Embedding(inputs, width, **seeded)

        last = readout == "last" and not skip  # the recurrent layer itself gives its last step alone
        parts["hidden"] = _hidden(
            cell, width, hidden, skip, layers=layers, dropout=dropout, bidirectional=bidirectional,
            outputs="last" if last else "all", device=device, **seeded, **options,
        )  # fmt: skip
        if readout != "every" and not last:
            parts["pool"] = Pool(readout, **plain)
        if dropout:
            parts["dropout"] = Dropout(dropout, **seeded)
        parts["readout"] = Dense(parts["hidden"].output_size, outputs, **seeded)
        return cls(**parts)


def _hidden(cell, width, hidden, skip, **options):
    """The recurrent layers; of one the layer itself, so that its parameters have short paths."""
    if skip:
        del options["outputs"]
        return Skip.stacked(cell, width, hidden, **options)
    stack = Stack(cell, width, hidden, **options)
    return stack if len(stack.parts) > 1 else stack.parts["layer1"]

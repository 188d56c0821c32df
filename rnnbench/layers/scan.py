"""A recurrent layer with its way of running fixed, so that it can stand in a chain."""

from __future__ import annotations

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent


class Scan(Layer):
    """A recurrent layer that is always run with these options of its ``forward``.

    Its parameters keep their paths: a ``Scan`` called "hidden" has "hidden.weight_ih", as the layer alone would.

    Parameters
    ----------
    layer : Recurrent
    reverse : bool
        Run each row from its own end to its start.
    outputs : "all" or "last"
        "last" gives (B, H), y of each row's last step, and is faster than taking it out of y.
    checkpoint : int >= 1, optional
        Keep about every so many steps only; see :meth:`Recurrent.forward`.
    """

    def __init__(self, layer: Recurrent, *, reverse=False, outputs="all", checkpoint=None):
        if not isinstance(layer, Recurrent):
            raise TypeError(f"layer: got {type(layer).__name__}, expected Recurrent")
        super().__init__(dtype=layer.dtype, replicas=layer.replicas)
        self.parts = {"layer": layer}
        self.input_size, self.output_size = layer.input_size, layer.output_size
        self.reverse = arguments.one_of("reverse", reverse, (True, False))
        self.outputs = arguments.one_of("outputs", outputs, ("all", "last"))
        self.checkpoint = checkpoint if checkpoint is None else arguments.integer("checkpoint", checkpoint, 1)

    def __repr__(self) -> str:
        return f"Scan({self.parts['layer']!r}, reverse={self.reverse}, outputs={self.outputs!r})"

    @property
    def reads_backwards(self):
        """See `Layer`."""
        return self.reverse

    def _tree(self, path=""):
        return self.parts["layer"]._tree(path)

    def _forward(self, x, state, lengths, keep):
        y, state, *tape = self.parts["layer"].forward(
            x, state, lengths=lengths, reverse=self.reverse, outputs=self.outputs, checkpoint=self.checkpoint, tape=keep
        )
        return y, state, tape

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        done = self.parts["layer"].backward(dy, dstate, tape=tape.saved[0], truncate=truncate, need_dx=need_dx)
        self._use(tape)
        return done

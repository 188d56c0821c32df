"""A recurrent layer from start to end, and another from end to start."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent


class Bidirectional(Layer):
    """Two recurrent layers on the same x: one runs each row forward, the other from the row's own end to its start.

    Parameters
    ----------
    cell, input_size, hidden_size
        Of each of the two, as for :class:`Recurrent`; H units each.
    merge : "concat" or "sum"
        What becomes of their outputs: side by side (forward first) or added.
    outputs : "all" or "last"
        "last" gives what each makes of the whole row: of the forward layer its last step's, of the backward layer its
        first step's output.
    dtype, device, seed, **options
        As for :class:`Recurrent`.

    Notes
    -----
    Parts and states are called "forward" and "backward". The backward layer must see the end of a row before its
    start, so a state to go on from has a meaning for the forward layer only.

    Source: M. Schuster and K. K. Paliwal, Bidirectional Recurrent Neural Networks, IEEE Transactions on Signal
    Processing 45(11), 1997.
    """

    reads_backwards = True

    def __init__(
        self, cell, input_size, hidden_size, *, merge="concat", outputs="all", dtype="float32", device="cpu",
        seed=0, **options,
    ):  # fmt: skip
        self.merge = arguments.one_of("merge", merge, ("concat", "sum"))
        self.outputs = arguments.one_of("outputs", outputs, ("all", "last"))
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        for name in ("forward", "backward"):
            self.parts[name] = Recurrent(
                cell, input_size, hidden_size, dtype=dtype, device=device, seed=of.seed(rngs, replicas), **options
            )
        self.input_size, self._width = self.parts["forward"].input_size, self.parts["forward"].output_size
        self.output_size = self._width * (2 if merge == "concat" else 1)

    def __repr__(self) -> str:
        return f"Bidirectional({self.parts['forward']!r}, merge={self.merge!r}, outputs={self.outputs!r})"

    def _forward(self, x, state, lengths, keep):
        state = of.states(state, self.parts)
        ys, final, tapes = [], {}, []
        for name, layer in self.parts.items():
            y, final[name], *tape = layer.forward(
                x, state.get(name), lengths=lengths, reverse=name == "backward", outputs=self.outputs, tape=keep
            )
            ys.append(y)
            tapes += tape
        y = np.concatenate(ys, axis=-1) if self.merge == "concat" else ys[0] + ys[1]
        return y, final, (tapes, of.shapes(final))

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        dstate = of.dstates(dstate, tape.saved[1], self.dtype)
        tapes, _ = self._use(tape)
        if dy is None or self.merge == "sum":
            dys = [dy, dy]
        else:
            dys = [dy[..., : self._width], dy[..., self._width :]]
        dx, dinitial = None, {}
        for (name, layer), own, part in zip(self.parts.items(), tapes, dys, strict=True):
            dx_part, dinitial[name] = layer.backward(
                part, dstate.get(name), tape=own, truncate=truncate, need_dx=need_dx
            )
            dx = dx_part if dx is None else dx + dx_part
        return dx, dinitial

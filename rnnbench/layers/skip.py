"""Deep recurrent networks with connections that skip layers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.chain import Chain
from rnnbench.layers.dropout import Dropout, checked
from rnnbench.layers.layer import Layer
from rnnbench.layers.stack import Stack


class Skip(Layer):
    """Layers on top of each other, all of which see the input and are seen by the output.

    .. math::

        h^1 = f^1(x), \\quad h^l = f^l((x; h^{l-1})), \\quad y = (h^1; \\dots; h^L)

    Parameters
    ----------
    **layers : Layers
        In order. Each but the first takes x and the output of the one before, side by side.

    Raises
    ------
    ValueError
        For sizes that do not fit together, with the layer, what it takes and what it is given.

    Notes
    -----
    Source: A. Graves, Generating Sequences With Recurrent Neural Networks, arXiv:1308.0850, 2013, section 2.
    """

    def __init__(self, **layers: Layer):
        parts = of.together(layers)
        for name, part in parts.items():
            if getattr(part, "input_size", None) is None or getattr(part, "output_size", None) is None:
                raise ValueError(
                    f"part {name!r}: {part!r} has no widths of its own, expected a layer with a fixed size"
                )
        first = next(iter(parts.values()))
        super().__init__(dtype=first.dtype, replicas=first.replicas)
        self.parts = parts
        self.input_size = first.input_size
        self._widths = [part.output_size for part in parts.values()]
        self.output_size = sum(self._widths)
        for (below, one), (name, other) in pairwise(parts.items()):
            if other.input_size != self.input_size + one.output_size:
                raise ValueError(
                    f"part {name!r} takes {other.input_size} numbers, but x has {self.input_size} and part {below!r} "
                    f"gives {one.output_size}, expected their sum"
                )

    @classmethod
    def stacked(cls, cell, input_size, hidden_size, *, layers=2, dropout=0.0, seed=0, **options):
        """Make recurrent layers of one size; the arguments are those of :class:`Stack`, for all their outputs.

        A dropout is the first part of the layer that it stands before and is applied to x there, too.
        """
        layers, dropout = arguments.integer("layers", layers, 1), checked(dropout)
        rngs, replicas = arguments.generators(seed)
        seed, parts, size = of.seed(rngs, replicas), {}, arguments.integer("input_size", input_size, 0)
        width = size
        for n in range(1, layers + 1):
            part = Stack(cell, width, hidden_size, layers=1, seed=seed, **options).parts["layer1"]
            width = size + part.output_size
            if dropout and n > 1:
                part = Chain(dropout=Dropout(dropout, dtype=part.dtype, seed=seed), layer=part)
            parts[f"layer{n}"] = part
        return cls(**parts)

    def __repr__(self) -> str:
        return f"Skip({', '.join(f'{name}={part!r}' for name, part in self.parts.items())})"

    def _forward(self, x, state, lengths, keep):
        x = arguments.features("x", x, self.lead, self.input_size, self.dtype)
        state = of.states(state, self.parts)
        ys, final, tapes = [], {}, []
        for name, part in self.parts.items():
            given = np.concatenate([x, ys[-1]], axis=-1) if ys else x
            y, after, *tape = part.forward(given, state.get(name), lengths=lengths, tape=keep)
            if y.shape[:-1] != x.shape[:-1]:
                raise ValueError(f"part {name!r}: gives {y.shape} for x of {x.shape}, expected one y at each step")
            ys.append(y)
            tapes += tape
            if after:
                final[name] = after
        return np.concatenate(ys, axis=-1), final, (tapes, of.shapes(final))

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        dstate = of.dstates(dstate, tape.saved[1], self.dtype)
        tapes, _ = self._use(tape)
        if dy is None:
            dy = np.zeros(tape.shape, self.dtype)
        dys = np.split(dy, np.cumsum(self._widths)[:-1], axis=-1)
        above, dx, dinitial = 0, 0, {}
        for name, own, part_dy in reversed(list(zip(self.parts, tapes, dys, strict=True))):
            bottom = own is tapes[0]
            back, before = self.parts[name].backward(
                part_dy + above, dstate.get(name), tape=own, truncate=truncate, need_dx=need_dx or not bottom
            )
            if before:
                dinitial[name] = before
            if not bottom:
                dx, above = dx + back[..., : self.input_size], back[..., self.input_size :]
        return (dx + back if need_dx else None), dinitial

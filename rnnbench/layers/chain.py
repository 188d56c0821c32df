"""Layers one after another."""

from __future__ import annotations

from rnnbench.layers import parts as of
from rnnbench.layers.layer import Layer


class Chain(Layer):
    """Layers one after another: each takes what the one before gives.

    Parameters
    ----------
    *parts : Layers
        Called "0", "1" and so on in paths and states.
    **named : Layers
        Called as they are here; they follow those without a name.

    Attributes
    ----------
    input_size, output_size : int or None
        Widths of x and y; None where the parts take any.

    Raises
    ------
    TypeError
        For a part that is no layer.
    ValueError
        For no parts, a name with a dot or of two parts, for parts of several dtypes or numbers of replicas, and for
        sizes that do not fit together, with the two parts and their sizes.

    Notes
    -----
    Lengths go to every part. The state is a dict of the parts' states; parts without state are left out. A layer that
    stands in a chain twice has the gradients of both places.
    """

    def __init__(self, *parts: Layer, **named: Layer):
        numbered = {str(i): part for i, part in enumerate(parts)}
        if twice := numbered.keys() & named.keys():
            raise ValueError(f"part {min(twice)!r}: got two of this name, one by its place, expected another name")
        parts = of.together(numbered | named)
        first = next(iter(parts.values()))
        super().__init__(dtype=first.dtype, replicas=first.replicas)
        self.parts = parts
        self.takes_symbols = first.takes_symbols
        self.input_size, self.output_size = of.chained(parts)
        self._needs = _needs_dx(parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={part!r}' for name, part in self.parts.items())})"

    def _forward(self, x, state, lengths, keep):
        state = of.states(state, self.parts)
        final, tapes = {}, []
        for name, part in self.parts.items():
            x, after, *tape = part.forward(x, state.get(name), lengths=lengths, tape=keep)
            tapes += tape
            if after:
                final[name] = after
        return x, final, (tapes, of.shapes(final))

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        dstate = of.dstates(dstate, tape.saved[1], self.dtype)
        tapes, _ = self._use(tape)
        dinitial = {}
        for name, own, need in reversed(list(zip(self.parts, tapes, self._needs, strict=True))):
            need = need_dx if need is None else need
            dy, before = self.parts[name].backward(dy, dstate.get(name), tape=own, truncate=truncate, need_dx=need)
            if before:
                dinitial[name] = before
        return dy, dinitial


def _needs_dx(parts):
    """Whether each part must give the gradient by its input; None: if the caller asks for it.

    It must where a part before it has parameters, and need not where the way back ends at symbols.
    """
    needs, need = [], None
    for part in parts.values():
        needs.append(need)
        if any(True for _ in part._leaves()):
            need = True
        elif part.takes_symbols:
            need = False
    return needs

"""What every layer and network is: named parameters, a forward pass, and back-propagation through it.

All are called alike, so that they nest::

    y, state = layer.forward(x)                      # and keeps a tape
    dx, dstate = layer.backward(dy)                  # of the last forward; gradients add up in layer.grads
    y, state, tape = layer.forward(x, tape=True)     # several forwards before a backward
    y, state = layer.forward(x, tape=False)          # inference: no tape, no dropout

A *replica* is a copy of a layer with parameters of its own. ``seed=[s0, s1, ...]`` makes as many replicas as there are
seeds; parameters, inputs, outputs and states then have a leading replica axis, and all replicas run in one call, each
with the bits that it would have alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnbench.layers import arguments

DTYPES = {"float32": np.float32, "float64": np.float64}


@dataclass
class Tape:
    """What one forward pass keeps for its backward pass; good for one backward."""

    layer: Layer
    saved: Any
    shape: tuple[int, ...]  # of y
    used: bool = False

    def __reduce__(self):
        raise TypeError("tape: it cannot be copied or saved, expected a forward pass of the copied layer")


class Layer:
    """A part of a network.

    A subclass sets up its own ``params`` by :meth:`_own` or its ``parts``, and defines ``_forward(x, state, lengths,
    keep) -> (y, state, saved)`` and ``_backward(tape, dy, dstate, truncate, need_dx) -> (dx, dstate)``. The second
    takes what was saved out of the tape by :meth:`_use` once nothing can be refused any more.

    Attributes
    ----------
    params, grads : dict of arrays
        Its own, without those of its parts. May be edited in place.
    parts : dict of Layers
        What it is made of, in order.
    replicas : int or None
        None: no replica axis.
    dtype : numpy.dtype
    random : list of numpy.random.Generator
        Those that its forward pass draws from, one for each replica.
    takes_symbols : bool
        Whether x is integers, which have no gradient: dx is None then.
    stateful : bool
        Whether a sequence leaves a state to go on from; layers without one refuse it.
    uncut : str
        Why its backward pass takes no ``truncate``; empty where it does.
    """

    takes_symbols = False
    stateful = True
    uncut = ""

    device = "cpu"

    def __init__(self, *, dtype="float32", replicas=None):
        self.dtype = np.dtype(DTYPES[arguments.one_of("dtype", arguments.dtype_name(dtype), DTYPES)])
        self.replicas = replicas
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}
        self.parts: dict[str, Layer] = {}
        self.random: list[np.random.Generator] = []
        self._tape: Tape | None = None

    # ---- what users call ----

    def forward(self, x, state=None, *, lengths=None, tape=None):
        """Run the layer.

        Parameters
        ----------
        x : array
            Time-major, (T, B, features) unless the layer says otherwise.
        state : dict, optional
            What an earlier call returned, to go on from there; empty for layers without state.
        lengths : (B,) ints in [0, T], optional
            Rows end early.
        tape : None, True or False
            None keeps the tape for ``backward`` of the last forward; True returns it as a third result instead; False
            keeps none (inference).

        Returns
        -------
        y : array
        state : dict
        tape : Tape
            With ``tape=True`` only.

        Notes
        -----
        A tape may keep what it was given, not copies: leave x, state and parameters as they are until ``backward``.
        What is returned may be edited.
        """
        arguments.tape_choice(tape)
        if not self.stateful:
            arguments.no_state("state", state)
        y, state, saved = self._forward(x, state, lengths, tape is not False)
        return self._kept(tape, y, state, saved)

    def backward(self, dy, dstate=None, *, tape=None, truncate=None, need_dx=True):
        """Back-propagate; gradients by the parameters add up in `grads`.

        Parameters
        ----------
        dy : array shaped like y, or None for 0
        dstate : dict shaped like the final state, optional
        tape : Tape, optional
            Of ``forward(..., tape=True)``; the last forward's otherwise.
        truncate : int >= 1, optional
            Cut every gradient path through time between chunks of so many steps.
        need_dx : bool
            False saves the gradient by the input; None is returned in its place.

        Returns
        -------
        dx : array or None
        dstate : dict
            Gradient by the initial state.

        Raises
        ------
        RuntimeError
            Without a forward pass to go back through, or when its tape was used before.
        """
        tape = self._found(tape)
        self.check_truncate(truncate)
        arguments.one_of("need_dx", need_dx, (True, False))
        if not self.stateful:
            arguments.no_state("dstate", dstate)
        if dy is not None:
            dy = arguments.array("dy", dy, tape.shape, self.dtype, self.device)
        return self._backward(tape, dy, dstate, truncate, need_dx)

    def check_truncate(self, truncate) -> None:
        """Refuse a ``truncate`` that is none, or that a part does not take, before anything is done."""
        if truncate is None:
            return
        arguments.integer("truncate", truncate, 1)
        for _, layer in self._tree():
            if layer.uncut:
                raise ValueError(f"truncate: got {truncate}, expected None: {layer.uncut}")

    def zero_grad(self) -> None:
        """Set all gradients to 0, those of the parts too."""
        for _, layer in self._tree():
            for grad in layer.grads.values():
                grad[...] = 0

    def parameters(self) -> dict[str, np.ndarray]:
        """Return all parameters by path, such as ``"encoder.weight_ih"``; a part used twice counts once."""
        return {path: layer.params[key] for path, layer, key in self._leaves()}

    def gradients(self) -> dict[str, np.ndarray]:
        """Return all gradients, keys as in :meth:`parameters`."""
        return {path: layer.grads[key] for path, layer, key in self._leaves()}

    def fixed(self) -> set[str]:
        """Return the paths of the parameters that no training changes."""
        return {path for path, layer, key in self._leaves() if key in layer._fixed()}

    def bind(self, params: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray]) -> None:
        """Put other arrays in place of parameters and gradients, for example views of one buffer.

        Raises
        ------
        ValueError, TypeError
            For an array of another shape or dtype.
        RuntimeError
            For a frozen layer.
        """
        found = []
        for path, layer, key in self._leaves():
            if getattr(layer, "_frozen", None) is not None:
                raise RuntimeError(f"bind: {path!r} is frozen, expected to be called after the block")
            for own, given in ((layer.params, params), (layer.grads, grads)):
                new, old = given.get(path), own[key]
                if not arguments.is_like(new, old.shape, old.dtype):
                    got = f"{new.dtype} of shape {new.shape}" if isinstance(new, np.ndarray) else type(new).__name__
                    raise ValueError(f"bind: {path!r}: got {got}, expected {old.dtype} of shape {old.shape}")
                found.append((own, key, new))
        for own, key, new in found:  # once nothing can be refused any more
            own[key] = new

    def generators(self) -> dict[str, np.random.Generator]:
        """Return every generator that forward passes draw from, by path: a checkpoint keeps their states."""
        return {f"{path}random.{r}": one for path, layer in self._tree() for r, one in enumerate(layer.random)}

    @property
    def reads_backwards(self) -> bool:
        """Whether a part of it reads from the end to the start, so that its state is not to be carried on."""
        return any(part.reads_backwards for part in self.parts.values())

    # ---- what subclasses use ----

    @property
    def copies(self) -> int:
        """How many replicas there are, 1 without a replica axis."""
        return 1 if self.replicas is None else self.replicas

    @property
    def lead(self) -> tuple[int, ...]:
        """The leading axes of the user's arrays: (R,) or none."""
        return () if self.replicas is None else (self.replicas,)

    def led(self, value: np.ndarray) -> np.ndarray:
        """The user's array with a replica axis in any case."""
        return value.reshape((1, *value.shape)) if self.replicas is None else value

    def bare(self, value: np.ndarray) -> np.ndarray:
        """The inverse of `led`."""
        return value.reshape(tuple(value.shape)[1:]) if self.replicas is None else value

    def _own(self, params: list[dict[str, np.ndarray]]) -> None:
        """Take over the initial parameters, one dict for each replica."""
        for key in params[0]:
            value = np.stack([one[key] for one in params]).astype(self.dtype)
            self.params[key] = np.ascontiguousarray(self.bare(value))
            self.grads[key] = np.zeros_like(self.params[key])

    def __getstate__(self):
        """What a copy takes over: all but the tape of the last forward."""
        return self.__dict__ | {"_tape": None}

    def _fixed(self) -> set[str]:
        """Keys of its own parameters that no training changes."""
        return set()

    def _leaves(self) -> Iterator[tuple[str, Layer, str]]:
        seen = set()
        for path, layer in self._tree():
            if id(layer) not in seen:
                seen.add(id(layer))
                yield from ((f"{path}{key}", layer, key) for key in layer.params)

    def _tree(self, path="") -> Iterator[tuple[str, Layer]]:
        yield path, self
        for name, part in self.parts.items():
            yield from part._tree(f"{path}{name}.")

    def _kept(self, tape, y, state, saved):
        kept = None if tape is False else Tape(self, saved, y.shape)
        self._tape = None if tape else kept
        return (y, state, kept) if tape else (y, state)

    def _found(self, tape):
        if tape is None and self._tape is None:
            raise RuntimeError("backward: no tape, expected a forward pass first (and not with tape=False)")
        tape = self._tape if tape is None else tape
        if not isinstance(tape, Tape):
            raise TypeError(f"tape: got {type(tape).__name__}, expected the one that forward(..., tape=True) returned")
        if tape.layer is not self:
            raise ValueError(f"tape: it belongs to {tape.layer!r}, expected one of this layer")
        if tape.used:
            raise RuntimeError("backward: this tape was used before, expected a new forward pass")
        return tape

    def _use(self, tape):
        """What a tape saved; from here on it is used up."""
        tape.used = True
        if tape is self._tape:
            self._tape = None
        saved, tape.saved = tape.saved, None
        return saved

    def _forward(self, x, state, lengths, keep):
        raise NotImplementedError

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        raise NotImplementedError

"""Gradient clipping, and the gradient's norm, replica by replica.

===========  ==========================================================================================================
``value``    every number into [-v, v]
``norm``     g <- g v/||g|| where ||g|| > v; the norm is that of all parameters together
``squared``  g <- g v/||g||^2 where ||g||^2 > v: what a lecture's slide does, see below
===========  ==========================================================================================================

The slide sums the squares of the gradient, calls that the norm, compares it with the threshold v and multiplies by
v / sum. That is no bound on the norm that it means to bound: what comes out has the norm v/||g||, so a gradient *above*
the threshold comes out the *smaller* the larger it was. Clipping starts at ||g|| = sqrt(v), where it changes nothing,
and a gradient a hundred times as long comes out a hundred times as short: at v = 5 a norm of 2.3 gives 2.17, one of 100
gives 0.05. After a wall of the error surface almost no step is made. For v = 1 the threshold is that of ``norm``, but
not what follows.

Sources: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013,
algorithm 1 (``norm``); T. Mikolov, Statistical Language Models Based on Neural Networks, PhD thesis, Brno, 2012
(``value``); Recurrent Neural Networks, COSC 4368, University of Houston, 2023, after Stanford's CS231n (``squared``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba.core import types

from rnnbench.kernels.build import compile_function
from rnnbench.kernels.engine import NUMBA_TYPES
from rnnbench.layers import arguments

KINDS = ("value", "norm", "squared")


@dataclass(frozen=True)
class Clip:
    """A kind of clipping and its threshold.

    Attributes
    ----------
    kind : "value", "norm" or "squared"
    threshold : float > 0
    """

    kind: str
    threshold: float

    def __post_init__(self):
        arguments.one_of("clip", self.kind, KINDS)
        number = not isinstance(self.threshold, bool) and isinstance(self.threshold, int | float | np.number)
        if not number or not 0 < self.threshold < np.inf:
            raise ValueError(f"clip threshold: got {self.threshold!r}, expected a number > 0")

    def __call__(self, grads: np.ndarray, norms: np.ndarray) -> None:
        """Clip (R, P) gradients in place, whose norms (R,) are known."""
        if self.kind == "value":
            np.clip(grads, -self.threshold, self.threshold, out=grads)
            return
        measured = norms if self.kind == "norm" else norms * norms
        above = measured > self.threshold
        if above.any():
            factors = np.divide(self.threshold, measured, out=np.ones(len(grads)), where=above)
            grads *= factors.astype(grads.dtype)[:, None]


def norms(grads: np.ndarray) -> np.ndarray:
    """Return the Euclidean norm of every replica's gradient: (R, P) to (R,), summed in double precision.

    The order of the sum does not depend on R. NaN and infinity pass through: a norm that is not finite tells of one.
    """
    out = np.empty(len(grads))
    _compiled(grads.dtype)(grads, out)
    return np.sqrt(out)


@cache
def _compiled(dtype):
    grads, out = types.Array(NUMBA_TYPES[dtype], 2, "C"), types.Array(types.float64, 1, "C")
    return compile_function(_squares, types.void(grads, out))


LANES = 16


def _squares(grads, out):
    """Sums of squares; sixteen at a time, which the compiler makes into vectors."""
    copies, size = grads.shape
    sums = np.empty(LANES)
    for r in range(copies):
        sums[:] = 0.0
        whole = size // LANES * LANES
        for first in range(0, whole, LANES):
            for lane in range(LANES):
                value = np.float64(grads[r, first + lane])
                sums[lane] += value * value
        for i in range(whole, size):
            sums[i - whole] += np.float64(grads[r, i]) * np.float64(grads[r, i])
        total = 0.0
        for lane in range(LANES):
            total += sums[lane]
        out[r] = total

"""Loss scaling: the gradient of the loss is multiplied before BPTT and divided by the same number after it.

In half precision (``precision="fp16"`` on a GPU) what is smaller than 6e-8 becomes 0 on its way back through a product.
Multiplied by a large number it is kept. Where that is too much, something overflows and a gradient is infinite or NaN:
then the update is left out and the number halved; after many good steps it is doubled. It is always a power of 2, so
that in float32 nothing else is changed by it, not even a bit, as long as nothing over- or underflows there.

Source: P. Micikevicius et al., Mixed Precision Training, International Conference on Learning Representations, 2018,
section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import frexp

import numpy as np

from rnnbench.layers import arguments


@dataclass
class LossScale:
    """A scale for each replica, which finds its size by itself.

    Attributes
    ----------
    first : float
        The scale to begin with, a power of 2 of at least 1.
    every : int
        So many good steps in a row double it.
    scales : (R,) float array
        At this moment.
    good : (R,) int array
        Good steps since it was last changed.
    """

    first: float = 2.0**15
    every: int = 2000
    scales: np.ndarray = field(default=None, init=False, repr=False)
    good: np.ndarray = field(default=None, init=False, repr=False)

    def __post_init__(self):
        number = not isinstance(self.first, bool) and isinstance(self.first, int | float)
        if not number or not 1 <= self.first < np.inf or frexp(self.first)[0] != 0.5:
            raise ValueError(f"first: got {self.first!r}, expected a power of 2 of at least 1")
        arguments.integer("every", self.every, 1)

    def start(self, replicas: int) -> None:
        """Forget everything and get ready for so many replicas."""
        self.scales, self.good = np.full(replicas, float(self.first)), np.zeros(replicas, np.int64)

    def multiply(self, dy: np.ndarray) -> None:
        """Scale the gradient by the network's output, (R, ...), in place."""
        dy *= self._like(dy)

    def divide(self, grads: np.ndarray) -> None:
        """Undo it in the gradients by the parameters, (R, P), in place."""
        grads /= self._like(grads)

    def judge(self, finite: np.ndarray) -> np.ndarray:
        """Take note of the replicas whose gradients are finite, and return those whose scale was too large.

        A gradient that is not finite at a scale of 1 is not the scale's doing.
        """
        too_large = ~finite & (self.scales > 1)
        self.good = np.where(finite, self.good + 1, 0)
        grown = self.good == self.every
        self.scales = np.where(too_large, self.scales / 2, np.where(grown, 2 * self.scales, self.scales))
        self.good[grown] = 0
        return too_large

    def _like(self, array):
        return self.scales.astype(array.dtype).reshape(-1, *[1] * (array.ndim - 1))

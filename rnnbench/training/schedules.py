"""Learning-rate schedules: the factor of the learning rate at step 0, 1, 2 ...

Each is a function of the step with its settings as fields, so that it prints, compares and is written down.

Sources: I. Loshchilov and F. Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017 (``Cosine``,
without restarts); P. Goyal et al., Accurate, Large Minibatch SGD, 2017 (``WarmUp``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rnnbench.layers import arguments


@dataclass(frozen=True)
class Constant:
    """Always 1."""

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return 1.0


@dataclass(frozen=True)
class Step:
    """Times `factor` after every `every` steps."""

    every: int
    factor: float = 0.1

    def __post_init__(self):
        arguments.integer("every", self.every, 1)
        _at_least("factor", self.factor)

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return _power(self.factor, step // self.every)


@dataclass(frozen=True)
class Exponential:
    """Times `factor` after every step."""

    factor: float

    def __post_init__(self):
        _at_least("factor", self.factor)

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return _power(self.factor, step)


@dataclass(frozen=True)
class Cosine:
    """From 1 down to `last` along half a cosine within `steps`, and `last` from there on."""

    steps: int
    last: float = 0.0

    def __post_init__(self):
        arguments.integer("steps", self.steps, 1)
        _at_least("last", self.last)

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return self.last + (1 - self.last) * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1)))


@dataclass(frozen=True)
class WarmUp:
    """Linear from 1/steps to 1 at step ``steps - 1``, then what `after` says, counted from there."""

    steps: int
    after: Constant | Step | Exponential | Cosine = Constant()

    def __post_init__(self):
        arguments.integer("steps", self.steps, 1)
        if not callable(self.after):
            raise ValueError(f"after: got {self.after!r}, expected a schedule")

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return (step + 1) / self.steps if step < self.steps else self.after(step - self.steps)


def _power(factor, times):
    try:
        return float(factor) ** times
    except OverflowError:
        return math.inf


def _at_least(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name}: got {value!r}, expected a number >= 0")

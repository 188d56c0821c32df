"""Optimisers: one fused pass over all parameters of all replicas.

=============  =========================================================================================================
``SGD``        p <- p - a g
``Momentum``   v <- m v + g;  p <- p - a v, or with ``nesterov`` p <- p - a (g + m v)
``Adagrad``    s <- s + g^2;  p <- p - a g / (sqrt(s) + e)
``RMSProp``    s <- d s + (1 - d) g^2;  p <- p - a g / (sqrt(s) + e)
``Adam``       m <- b1 m + (1 - b1) g;  s <- b2 s + (1 - b2) g^2;  p <- p - a m' / (sqrt(s') + e), where m' and s' are
               m / (1 - b1^n) and s / (1 - b2^n) at the n-th step
``AdamW``      as Adam, after p <- p - a w p
=============  =========================================================================================================

The forms are PyTorch's. The learning rate a may be a number for each replica, so that settings of equal shape train
side by side.

Sources: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR Computational Mathematics
and Mathematical Physics, 1964 (momentum); I. Sutskever, J. Martens, G. Dahl and G. Hinton, On the importance of
initialization and momentum in deep learning, ICML 2013 (Nesterov); J. Duchi, E. Hazan and Y. Singer, Adaptive
Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011 (Adagrad); T. Tieleman and G. Hinton,
Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012 (RMSProp); D. P. Kingma and J. Ba, Adam: A Method for
Stochastic Optimization, ICLR 2015; I. Loshchilov and F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import ClassVar

import numpy as np
from numba.core import types

from rnnbench import ops
from rnnbench.kernels.build import compile_function
from rnnbench.kernels.engine import NUMBA_TYPES
from rnnbench.layers import arguments
from rnnbench.ops import jit  # noqa: F401 (what sqrt means in compiled code)


class Optimiser:
    """Updates parameters by their gradients; a subclass says how.

    Parameters
    ----------
    rate : float or (R,) floats
        Learning rate, of each replica where there are several.

    Attributes
    ----------
    steps : int
        Updates made so far.
    state : dict of (R, P) arrays
        What it remembers of earlier gradients.
    """

    slots: ClassVar[tuple[str, ...]] = ()  # of the state
    kernel: ClassVar[Callable]

    def __init__(self, rate):
        self.rate = _rates(rate)
        self.steps, self.state = 0, {}

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.settings().items())
        return f"{type(self).__name__}({told})"

    def settings(self) -> dict:
        """Return its hyperparameters as JSON types."""
        own = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        return own | {"rate": self.rate.tolist()}

    def start(self, values) -> None:
        """Forget everything and get ready for parameters such as `values`, (R, P).

        Raises
        ------
        ValueError
            For learning rates of another number of replicas.
        """
        if self.rate.size not in (1, len(values)):
            raise ValueError(
                f"rate: got {self.rate.size} learning rates, expected one, or one for each of {len(values)} replicas"
            )
        self.steps = 0
        self.state = {name: np.full_like(values, self._first(name)) for name in self.slots}

    def update(self, values, grads, factor=1.0, active=None) -> None:
        """Update the parameters in place.

        Parameters
        ----------
        values, grads : (R, P) arrays
        factor : float
            Of the learning rate at this step; a schedule's.
        active : (R,) bool array, optional
            Replicas that are updated; the others, and what is remembered of them, stay as they are.
        """
        active = np.ones(len(values), bool) if active is None else active
        active = arguments.array("active", active, values.shape[:1], bool)
        shapes = [self.state[name].shape for name in self.slots if name in self.state]
        if len(shapes) < len(self.slots) or any(shape != values.shape for shape in (grads.shape, *shapes)):
            raise ValueError(f"values: got {values.shape}, gradients {grads.shape}, expected those of start() for both")
        for name, array in (("values", values), ("gradients", grads), *self.state.items()):
            if array.dtype != values.dtype or not array.flags.carray:
                raise TypeError(f"{name}: got {array.dtype}, expected writeable, contiguous {values.dtype}")
        self.steps += 1
        given = self._numbers(self.rate * factor)
        numbers = np.empty((len(values), len(given)), values.dtype)
        for column, number in enumerate(given):
            numbers[:, column] = number
        states = [self.state[name] for name in self.slots]
        _compiled(type(self).kernel, values.dtype, len(states))(values, grads, *states, numbers, active)

    def _first(self, slot):
        return 0.0

    def _numbers(self, rates):
        """What the kernel computes with, in its order: computed in double precision, rounded once."""
        raise NotImplementedError


def names() -> list[str]:
    """Return the names that :func:`get` takes."""
    return sorted(_classes())


def get(name: str, **options) -> Optimiser:
    """Build the optimiser called `name`, such as ``"adam"``.

    Raises
    ------
    ValueError
        For an unknown name, option or value.
    """
    found = _classes()
    if name not in found:
        raise ValueError(f"optimiser: got {name!r}, expected one of {', '.join(sorted(found))}")
    known = inspect.signature(found[name]).parameters
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"optimiser {name!r}: got options {unknown}, expected some of {list(known)}")
    return found[name](**options)


def _classes():
    """Every class of this file by its name in lower case."""
    made = {name.lower(): value for name, value in globals().items() if isinstance(value, type)}
    return {name: value for name, value in made.items() if issubclass(value, Optimiser) and value is not Optimiser}


@cache
def _compiled(kernel, dtype, states):
    number = NUMBA_TYPES[dtype]
    array, flags = types.Array(number, 2, "C"), types.Array(types.boolean, 1, "C")
    return compile_function(kernel, types.void(*[array] * (3 + states), flags))


def _sgd(p, g, numbers, active):
    for r in range(len(p)):
        rate = numbers[r, 0]
        for i in range(p.shape[1] if active[r] else 0):
            p[r, i] -= rate * g[r, i]


class SGD(Optimiser):
    """Stochastic gradient descent."""

    kernel = staticmethod(_sgd)

    def __init__(self, rate=0.01):
        super().__init__(rate)

    def _numbers(self, rates):
        return (rates,)


def _momentum(p, g, v, numbers, active):
    for r in range(len(p)):
        rate, momentum, ahead, here = numbers[r, 0], numbers[r, 1], numbers[r, 2], numbers[r, 3]
        for i in range(p.shape[1] if active[r] else 0):
            v[r, i] = momentum * v[r, i] + g[r, i]
            p[r, i] -= rate * (here * g[r, i] + ahead * v[r, i])


class Momentum(Optimiser):
    """Momentum, or with ``nesterov=True`` Nesterov's."""

    slots = ("velocity",)
    kernel = staticmethod(_momentum)

    def __init__(self, rate=0.01, momentum=0.9, nesterov=False):
        super().__init__(rate)
        self.momentum = _fraction("momentum", momentum)
        self.nesterov = arguments.one_of("nesterov", nesterov, (True, False))

    def _numbers(self, rates):
        return (rates, self.momentum, *((self.momentum, 1.0) if self.nesterov else (1.0, 0.0)))


def _adagrad(p, g, s, numbers, active):
    for r in range(len(p)):
        rate, eps = numbers[r, 0], numbers[r, 1]
        for i in range(p.shape[1] if active[r] else 0):
            s[r, i] += g[r, i] * g[r, i]
            p[r, i] -= rate * g[r, i] / (ops.sqrt(s[r, i]) + eps)


class Adagrad(Optimiser):
    """Adagrad."""

    slots = ("squares",)
    kernel = staticmethod(_adagrad)

    def __init__(self, rate=0.01, eps=1e-10):
        super().__init__(rate)
        self.eps = _positive("eps", eps)

    def _numbers(self, rates):
        return rates, self.eps


def _rmsprop(p, g, s, numbers, active):
    for r in range(len(p)):
        rate, decay, fresh, eps = numbers[r, 0], numbers[r, 1], numbers[r, 2], numbers[r, 3]
        for i in range(p.shape[1] if active[r] else 0):
            s[r, i] = decay * s[r, i] + fresh * g[r, i] * g[r, i]
            p[r, i] -= rate * g[r, i] / (ops.sqrt(s[r, i]) + eps)


class RMSProp(Optimiser):
    """RMSProp; `first` is what the mean square starts from."""

    slots = ("squares",)
    kernel = staticmethod(_rmsprop)

    def __init__(self, rate=0.01, decay=0.99, eps=1e-8, first=0.0):
        super().__init__(rate)
        self.decay = _fraction("decay", decay)
        self.eps = _positive("eps", eps)
        self.first = 0.0 if first == 0 else _positive("first", first)

    @classmethod
    def urnn(cls, rate=1e-3):
        """Return the RMSProp of the code of Arjovsky, Shah and Bengio, Unitary Evolution Recurrent Neural Networks.

        The mean square starts at 0.001 and nothing is added to its root; here it is next to nothing, so that a
        parameter that never had a gradient stays where it is.
        """
        return cls(rate, decay=0.9, eps=1e-30, first=1e-3)

    def _first(self, slot):
        return self.first

    def _numbers(self, rates):
        return rates, self.decay, 1 - self.decay, self.eps


def _adam(p, g, m, s, numbers, active):
    for r in range(len(p)):
        rate, keep, root, eps = numbers[r, 0], numbers[r, 1], numbers[r, 2], numbers[r, 3]
        decay1, fresh1, decay2, fresh2 = numbers[r, 4], numbers[r, 5], numbers[r, 6], numbers[r, 7]
        for i in range(p.shape[1] if active[r] else 0):
            m[r, i] = decay1 * m[r, i] + fresh1 * g[r, i]
            s[r, i] = decay2 * s[r, i] + fresh2 * g[r, i] * g[r, i]
            p[r, i] = keep * p[r, i] - rate * m[r, i] / (ops.sqrt(s[r, i]) * root + eps)


class Adam(Optimiser):
    """Adam."""

    slots = ("mean", "squares")
    kernel = staticmethod(_adam)

    def __init__(self, rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(rate)
        self.beta1, self.beta2 = _fraction("beta1", beta1), _fraction("beta2", beta2)
        self.eps = _positive("eps", eps)

    def _numbers(self, rates):
        mean, root = 1 - self.beta1**self.steps, (1 - self.beta2**self.steps) ** 0.5
        fresh = 1 - self.beta1, 1 - self.beta2
        return rates / mean, self._keep(rates), 1 / root, self.eps, self.beta1, fresh[0], self.beta2, fresh[1]

    def _keep(self, rates):
        return 1.0


class AdamW(Adam):
    """Adam with decoupled weight decay."""

    def __init__(self, rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        super().__init__(rate, beta1, beta2, eps)
        self.weight_decay = _fraction("weight_decay", weight_decay)

    def _keep(self, rates):
        return 1 - rates * self.weight_decay


def _rates(value):
    """Learning rates as a float64 array of one number or (R,), or refuse them."""
    try:
        rates = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        rates = np.array([np.nan])
    if (
        isinstance(value, bool)
        or rates.ndim != 1
        or not (np.isfinite(rates).all() and (rates >= 0).all() and rates.size)
    ):
        raise ValueError(f"rate: got {value!r}, expected a number >= 0, or one for each replica")
    return rates


def _positive(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise ValueError(f"{name}: got {value!r}, expected a number > 0")
    return float(value)


def _fraction(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
        raise ValueError(f"{name}: got {value!r}, expected a number in [0, 1)")
    return float(value)

"""A dense layer: one matrix, a bias, an activation, at every step alike."""

from __future__ import annotations

import math

import numpy as np

from rnnbench.kernels import dense as kernel
from rnnbench.kernels import memory
from rnnbench.layers import arguments, weights
from rnnbench.layers.layer import Layer

# Name: the function, and its derivative from its value.
ACTIVATIONS = {
    "linear": (lambda a: a, lambda y: None),
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "relu": (lambda a: np.maximum(a, 0), lambda y: y > 0),
    "sigmoid": (lambda a: 0.5 * (1 + np.tanh(0.5 * a)), lambda y: y * (1 - y)),
}
NAMES = {"weight": "weight_ih", "bias": "bias"}  # of parameters, to the kernel


class Dense(Layer):
    """y = phi(W x + b) over the last axis of x.

    A readout is a ``Dense`` without activation: the losses take logits.

    Parameters
    ----------
    input_size, output_size : int
        I >= 0 and O >= 1.
    activation : "linear", "tanh", "relu" or "sigmoid"
    bias : bool
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas
        ``weight`` (O, I) and ``bias`` (O,) are drawn from U(-1/sqrt(I), 1/sqrt(I)).

    Notes
    -----
    x has any number of axes before its last one (after that of the replicas), so one layer serves (T, B, I) and (B, I).
    """

    stateful = False

    def __init__(self, input_size, output_size, *, activation="linear", bias=True, dtype="float32", seed=0):
        self.input_size = arguments.integer("input_size", input_size, 0)
        self.output_size = arguments.integer("output_size", output_size, 1)
        self.activation = arguments.one_of("activation", activation, ACTIVATIONS)
        arguments.one_of("bias", bias, (True, False))
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        bound = 1 / np.sqrt(max(self.input_size, 1))
        shapes = {"weight": (self.output_size, self.input_size)} | ({"bias": (self.output_size,)} if bias else {})
        self._own([{k: rng.uniform(-bound, bound, shape) for k, shape in shapes.items()} for rng in rngs])

    def __repr__(self) -> str:
        return f"Dense({self.input_size}, {self.output_size}, activation={self.activation!r})"

    def _forward(self, x, state, lengths, keep):
        x = arguments.features("x", x, self.lead, self.input_size, self.dtype)
        rows = self._rows(x)
        if self._is_large(rows):
            arguments.check_params(self)
            y = kernel.forward(self._steps(x), self._weights())
        else:
            y = memory.empty((*rows.shape[:2], self.output_size), self.dtype)
            np.matmul(rows, self.led(self.params["weight"]).swapaxes(-1, -2), out=y)
            if "bias" in self.params:
                y += self.led(self.params["bias"])[:, None]
        y = ACTIVATIONS[self.activation][0](y).reshape(*x.shape[:-1], self.output_size)
        if not keep or self.activation == "linear":
            return y, {}, (x, None)
        return y, {}, (x, y.copy())  # what is returned may be edited before the backward pass

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        x, y = self._use(tape)
        if dy is None:
            dy = np.zeros(tape.shape, self.dtype)
        if y is not None:
            dy = dy * ACTIVATIONS[self.activation][1](y)
        rows, da = self._rows(x), self._rows(dy)
        if self._is_large(rows):
            return self._large_backward(x, dy, need_dx), {}
        self.led(self.grads["weight"])[...] += np.matmul(da.swapaxes(-1, -2), rows)
        if "bias" in self.params:
            ones = np.ones((1, da.shape[1]), self.dtype)  # a product is much faster than a sum over a few columns
            self.led(self.grads["bias"])[...] += np.matmul(ones, da)[:, 0]
        return self._input_gradient(da).reshape(x.shape) if need_dx else None, {}

    def _input_gradient(self, da):
        dx, weight = memory.empty((*da.shape[:2], self.input_size), self.dtype), self.led(self.params["weight"])
        if self.output_size > 1:
            return np.matmul(da, weight, out=dx)
        kernel.outer(np.ascontiguousarray(da), np.ascontiguousarray(weight), dx)
        return dx

    def _large_backward(self, x, dy, need_dx):
        weights.check_grads(self)
        own = {NAMES[key]: self.led(grad) for key, grad in self.grads.items()}
        grads = {key: np.ascontiguousarray(grad) for key, grad in own.items()}
        dx = kernel.backward(self._steps(x), self._steps(dy), self._weights(), grads, need_dx)
        for key, grad in grads.items():
            if not np.may_share_memory(grad, own[key]):
                own[key][...] = grad
        return dx.reshape(x.shape) if need_dx else None

    def _is_large(self, rows):
        """Whether one replica's product is; so that a replica alone takes the same way."""
        return 2 * rows.shape[1] * self.input_size * self.output_size >= kernel.ENOUGH

    def _weights(self):
        return {NAMES[key]: self.led(value) for key, value in self.params.items()}

    def _steps(self, value):
        """(*lead, ..., B, features) as (R, T, B, features)."""
        *before, rows = (1, *value.shape[len(self.lead) : -1])
        return value.reshape(self.copies, math.prod(before), rows, value.shape[-1])

    def _rows(self, value):
        """(*lead, ..., features) as (R, N, features); N is counted, for there may be no features."""
        return value.reshape(self.copies, math.prod(value.shape[len(self.lead) : -1]), value.shape[-1])

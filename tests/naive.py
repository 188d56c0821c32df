"""Textbook loops, one function per cell: slow, obvious, and independent of the package.

Each function takes x (T, B, I), weights {(gate, source): matrix}, biases {gate: vector}, unit parameters
{name: vector}, initial states {name: (B, width), or (lag, B, width) oldest first}, and the cell's options; it returns
the outputs (T, B, width) and the final states. Every number is worked out one unit at a time with the math module.

The cell ``foo`` is checked against the function ``foo`` of this file or of a ``naive_*.py`` beside it: a new cell needs
a new function there, written from the paper, not from the cell.
"""

import importlib
import math
import sys
import types
from pathlib import Path

import numpy as np


def find(cell):
    """Return the loop for a cell, or say what is missing."""
    others = [importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("naive_*.py"))]
    loop = next((vars(m)[cell] for m in (sys.modules[__name__], *others) if cell in vars(m)), None)
    if cell.startswith("_") or cell == "find" or not isinstance(loop, types.FunctionType):
        raise LookupError(
            f"tests/naive.py (or naive_*.py) has no function {cell!r}: write this cell's textbook loop, from its paper "
            "and not from rnnbench/cells"
        )
    return loop


def _sigmoid(a):
    return 1.0 / (1.0 + math.exp(-a)) if a >= 0 else math.exp(a) / (1.0 + math.exp(a))


def _relu(a):
    return a if a > 0 else 0.0


def _step(a):
    return 1.0 if a > 0 else 0.0


def _linear(a):
    return a


_PHI = {"tanh": math.tanh, "sigmoid": _sigmoid, "relu": _relu, "step": _step, "linear": _linear}


def _dot(row, vector):
    total = 0.0
    for w, v in zip(row, vector, strict=True):
        total += float(w) * float(v)
    return total


def elman(x, weights, biases, parameters, states, activation="tanh"):
    """h = phi(W x + R h + b)."""
    phi, w, r, b = _PHI[activation], weights["h", "x"], weights["h", "h"], biases["h"]
    steps, rows, units = x.shape[0], x.shape[1], len(b)
    h = states["h"].copy()
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                h[row, unit] = phi(_dot(w[unit], x[t, row]) + _dot(r[unit], before) + b[unit])
        outputs[t] = h
    return outputs, {"h": h}


def leaky(x, weights, biases, parameters, states, activation="tanh", alpha=0.9, trained=False):
    """h = alpha h + (1 - alpha) phi(W x + R h + b); the leak rates come in `parameters`."""
    phi, w, r, b = _PHI[activation], weights["h", "x"], weights["h", "h"], biases["h"]
    leak = parameters["alpha"]
    steps, rows, units = x.shape[0], x.shape[1], len(b)
    h = states["h"].copy()
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                new = phi(_dot(w[unit], x[t, row]) + _dot(r[unit], before) + b[unit])
                h[row, unit] = leak[unit] * before[unit] + (1.0 - leak[unit]) * new
        outputs[t] = h
    return outputs, {"h": h}


def skip(x, weights, biases, parameters, states, activation="tanh", delay=2):
    """h_t = phi(W x_t + R h_(t-1) + S h_(t-d) + b)."""
    phi, w, r, s, b = _PHI[activation], weights["h", "x"], weights["h", "h"], weights["h", f"h@{delay}"], biases["h"]
    steps, rows, units = x.shape[0], x.shape[1], len(b)
    history = [states["h"][i].copy() for i in range(delay)]  # history[-1] is the last step, history[-d] the d-th last
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        new = np.zeros((rows, units))
        for row in range(rows):
            for unit in range(units):
                total = _dot(w[unit], x[t, row]) + _dot(r[unit], history[-1][row])
                new[row, unit] = phi(total + _dot(s[unit], history[-delay][row]) + b[unit])
        history.append(new)
        outputs[t] = new
    return outputs, {"h": np.array(history[-delay:])}


def jordan(x, weights, biases, parameters, states, activation="tanh", output_activation="linear", output_size=None):
    """h = phi(W x + R y + b), y = psi(V h + c)."""
    phi, psi = _PHI[activation], _PHI[output_activation]
    w, r, v = weights["h", "x"], weights["h", "y"], weights["y", "h@0"]
    steps, rows, units, width = x.shape[0], x.shape[1], len(biases["h"]), len(biases["y"])
    y = states["y"].copy()
    outputs = np.zeros((steps, rows, width))
    for t in range(steps):
        for row in range(rows):
            before, h = y[row].copy(), np.zeros(units)
            for unit in range(units):
                h[unit] = phi(_dot(w[unit], x[t, row]) + _dot(r[unit], before) + biases["h"][unit])
            for unit in range(width):
                y[row, unit] = psi(_dot(v[unit], h) + biases["y"][unit])
        outputs[t] = y
    return outputs, {"y": y}


def lstm(x, weights, biases, parameters, states):
    """c = f c + i g, h = o tanh(c)."""
    steps, rows, units = x.shape[0], x.shape[1], len(biases["i"])
    h, c = states["h"].copy(), states["c"].copy()
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                a = {
                    gate: _dot(weights[gate, "x"][unit], x[t, row])
                    + _dot(weights[gate, "h"][unit], before)
                    + biases[gate][unit]
                    for gate in ("i", "f", "g", "o")
                }
                c[row, unit] = _sigmoid(a["f"]) * c[row, unit] + _sigmoid(a["i"]) * math.tanh(a["g"])
                h[row, unit] = _sigmoid(a["o"]) * math.tanh(c[row, unit])
        outputs[t] = h
    return outputs, {"h": h, "c": c}


def gru(x, weights, biases, parameters, states):
    """The reset gate multiplies the state before the candidate's product."""
    steps, rows, units = x.shape[0], x.shape[1], len(biases["r"])
    h = states["h"].copy()
    outputs = np.zeros((steps, rows, units))

    def gate(name, unit, inputs, source, vector):
        return _dot(weights[name, "x"][unit], inputs) + _dot(weights[name, source][unit], vector) + biases[name][unit]

    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            reset = np.zeros(units)
            for unit in range(units):
                reset[unit] = _sigmoid(gate("r", unit, x[t, row], "h", before)) * before[unit]
            for unit in range(units):
                z = _sigmoid(gate("z", unit, x[t, row], "h", before))
                n = math.tanh(gate("n", unit, x[t, row], "rh@0", reset))
                h[row, unit] = z * before[unit] + (1.0 - z) * n
        outputs[t] = h
    return outputs, {"h": h}


def gru_reset_after(x, weights, biases, parameters, states):
    """The reset gate multiplies the candidate's product with the state, its bias included."""
    steps, rows, units = x.shape[0], x.shape[1], len(biases["r"])
    h = states["h"].copy()
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):

                def product(gate, source, vector, unit=unit):
                    return _dot(weights[gate, source][unit], vector)

                r = _sigmoid(product("r", "x", x[t, row]) + product("r", "h", before) + biases["r"][unit])
                z = _sigmoid(product("z", "x", x[t, row]) + product("z", "h", before) + biases["z"][unit])
                from_h = product("n_h", "h", before) + biases["n_h"][unit]
                n = math.tanh(product("n_x", "x", x[t, row]) + biases["n_x"][unit] + r * from_h)
                h[row, unit] = z * before[unit] + (1.0 - z) * n
        outputs[t] = h
    return outputs, {"h": h}

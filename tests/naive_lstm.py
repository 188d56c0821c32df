"""Textbook loops of the LSTM line; what they take and return stands in naive.py.

Each cell spells out which vectors its net inputs read and what one unit does with them. A peephole comes in
`parameters` and is handed on as ``p["i"]`` and so on.
"""

import math

import numpy as np
from naive import _dot, _sigmoid

XH = ("x", "h")


def _loop(sources, unit_step, x, weights, biases, parameters, states):
    """Run ``unit_step(a, old, p) -> new`` for every step, row and unit.

    `a` holds the net inputs {gate: number}, `old` and `new` one unit's states {name: number}; `sources` says which
    vectors each net input reads.
    """
    assert set(weights) == {(gate, source) for gate in sources for source in sources[gate]}
    peepholes = {name.removeprefix("peephole_"): values for name, values in parameters.items()}
    steps, rows, units = x.shape[0], x.shape[1], len(biases["g"])
    states = {name: value.copy() for name, value in states.items()}
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = {"x": x[t, row]} | {name: value[row].copy() for name, value in states.items()}
            for unit in range(units):
                a = {}
                for gate, read in sources.items():
                    a[gate] = biases[gate][unit]
                    for source in read:
                        a[gate] += _dot(weights[gate, source][unit], before[source])
                old = {name: before[name][unit] for name in states}
                new = unit_step(a, old, {name: values[unit] for name, values in peepholes.items()})
                for name in states:
                    states[name][row, unit] = new[name]
                outputs[t, row, unit] = new["h"]
    return outputs, states


def cec(x, weights, biases, parameters, states):
    """c = c + tanh(net), h = tanh(c)."""

    def unit(a, old, p):
        c = old["c"] + math.tanh(a["g"])
        return {"h": math.tanh(c), "c": c}

    return _loop({"g": XH}, unit, x, weights, biases, parameters, states)


def lstm_1997(x, weights, biases, parameters, states, fully_recurrent=False):
    """Equations 3 to 9 of the paper: f logistic, g in [-2, 2], h in [-1, 1], s = s + in g(net), y = out h(s)."""

    def unit(a, old, p):
        y_in, y_out = _sigmoid(a["i"]), _sigmoid(a["o"])
        g = 4.0 / (1.0 + math.exp(-a["g"])) - 2.0
        s = old["c"] + y_in * g
        h = 2.0 / (1.0 + math.exp(-s)) - 1.0
        return {"h": y_out * h, "c": s, "i": y_in, "o": y_out}

    read = ("x", "h", "i", "o") if fully_recurrent else XH
    return _loop({"i": read, "g": read, "o": read}, unit, x, weights, biases, parameters, states)


def lstm_linear_output(x, weights, biases, parameters, states):
    """c = f c + i g, h = o c."""

    def unit(a, old, p):
        c = _sigmoid(a["f"]) * old["c"] + _sigmoid(a["i"]) * math.tanh(a["g"])
        return {"h": _sigmoid(a["o"]) * c, "c": c}

    return _loop({"i": XH, "f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_sigmoid_candidate(x, weights, biases, parameters, states):
    """Equations 10.40 to 10.44 of the book, its g (the external input gate) being i here, its q being o."""

    def unit(a, old, p):
        forget, external, q = _sigmoid(a["f"]), _sigmoid(a["i"]), _sigmoid(a["o"])
        s = forget * old["c"] + external * _sigmoid(a["g"])
        return {"h": math.tanh(s) * q, "c": s}

    return _loop({"i": XH, "f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_peephole(x, weights, biases, parameters, states):
    """The vanilla LSTM: i and f see the old cell state, o the new one."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        f = _sigmoid(a["f"] + p["f"] * old["c"])
        c = z * i + old["c"] * f
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": math.tanh(c) * o, "c": c}

    return _loop({"i": XH, "f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_nig(x, weights, biases, parameters, states):
    """Vanilla with i = 1."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        f = _sigmoid(a["f"] + p["f"] * old["c"])
        c = z + old["c"] * f
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": math.tanh(c) * o, "c": c}

    return _loop({"f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_nfg(x, weights, biases, parameters, states):
    """Vanilla with f = 1."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        c = z * i + old["c"]
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": math.tanh(c) * o, "c": c}

    return _loop({"i": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_nog(x, weights, biases, parameters, states):
    """Vanilla with o = 1."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        f = _sigmoid(a["f"] + p["f"] * old["c"])
        c = z * i + old["c"] * f
        return {"h": math.tanh(c), "c": c}

    return _loop({"i": XH, "f": XH, "g": XH}, unit, x, weights, biases, parameters, states)


def lstm_niaf(x, weights, biases, parameters, states):
    """Vanilla with g(x) = x."""

    def unit(a, old, p):
        z = a["g"]
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        f = _sigmoid(a["f"] + p["f"] * old["c"])
        c = z * i + old["c"] * f
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": math.tanh(c) * o, "c": c}

    return _loop({"i": XH, "f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_noaf(x, weights, biases, parameters, states):
    """Vanilla with h(x) = x."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        f = _sigmoid(a["f"] + p["f"] * old["c"])
        c = z * i + old["c"] * f
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": c * o, "c": c}

    return _loop({"i": XH, "f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_np(x, weights, biases, parameters, states):
    """Vanilla without peepholes."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i, f, o = _sigmoid(a["i"]), _sigmoid(a["f"]), _sigmoid(a["o"])
        c = z * i + old["c"] * f
        return {"h": math.tanh(c) * o, "c": c}

    return _loop({"i": XH, "f": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_cifg(x, weights, biases, parameters, states):
    """Vanilla with f = 1 - i."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        f = 1.0 - i
        c = z * i + old["c"] * f
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": math.tanh(c) * o, "c": c}

    return _loop({"i": XH, "g": XH, "o": XH}, unit, x, weights, biases, parameters, states)


def lstm_fgr(x, weights, biases, parameters, states):
    """Vanilla with three gates that read all three of the step before."""

    def unit(a, old, p):
        z = math.tanh(a["g"])
        i = _sigmoid(a["i"] + p["i"] * old["c"])
        f = _sigmoid(a["f"] + p["f"] * old["c"])
        c = z * i + old["c"] * f
        o = _sigmoid(a["o"] + p["o"] * c)
        return {"h": math.tanh(c) * o, "c": c, "i": i, "f": f, "o": o}

    read = ("x", "h", "i", "f", "o")
    return _loop({"i": read, "f": read, "g": XH, "o": read}, unit, x, weights, biases, parameters, states)

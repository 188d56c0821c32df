"""Textbook loops of the GRU's relatives and of later cells with few gates; see naive.py."""

import math

import numpy as np
from naive import _PHI, _dot, _sigmoid


def _loop(x, states, units, step):
    """Run ``step(inputs, states before) -> states after`` over time, one row at a time; h is the output."""
    steps, rows = x.shape[:2]
    now = {name: value.copy() for name, value in states.items()}
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            new = step(x[t, row], {name: value[row].copy() for name, value in now.items()})
            for name, values in new.items():
                now[name][row] = values
        outputs[t] = now["h"]
    return outputs, now


def gru_textbook(x, weights, biases, parameters, states):
    """h_t = u_(t-1) h_(t-1) + (1 - u_(t-1)) sigma(b + U x_t + W (r_(t-1) h_(t-1))); u_t and r_t see x_t and h_t."""
    units = len(biases["u"])

    def step(inputs, before):
        h, u, r = before["h"], before["u"], before["r"]
        remembered = [r[j] * h[j] for j in range(units)]
        new_h, new_u, new_r = [], [], []
        for i in range(units):
            total = biases["n"][i] + _dot(weights["n", "x"][i], inputs) + _dot(weights["n", "rh@0"][i], remembered)
            new_h.append(u[i] * h[i] + (1.0 - u[i]) * _sigmoid(total))
        for i in range(units):
            total = biases["u"][i] + _dot(weights["u", "x"][i], inputs) + _dot(weights["u", "h@0"][i], new_h)
            new_u.append(_sigmoid(total))
            total = biases["r"][i] + _dot(weights["r", "x"][i], inputs) + _dot(weights["r", "h@0"][i], new_h)
            new_r.append(_sigmoid(total))
        return {"h": new_h, "u": new_u, "r": new_r}

    return _loop(x, states, units, step)


def mgu(x, weights, biases, parameters, states):
    """f = sigma(W_f [h, x] + b_f), h~ = tanh(W_h [f h, x] + b_h), h = (1 - f) h + f h~."""
    units = len(biases["f"])

    def step(inputs, before):
        h = before["h"]
        f = [
            _sigmoid(_dot(weights["f", "h"][i], h) + _dot(weights["f", "x"][i], inputs) + biases["f"][i])
            for i in range(units)
        ]
        forgotten = [f[j] * h[j] for j in range(units)]
        new = []
        for i in range(units):
            total = _dot(weights["n", "fh@0"][i], forgotten) + _dot(weights["n", "x"][i], inputs) + biases["n"][i]
            new.append((1.0 - f[i]) * h[i] + f[i] * math.tanh(total))
        return {"h": new}

    return _loop(x, states, units, step)


def mut1(x, weights, biases, parameters, states):
    """z sees only x; h = tanh(W_hh (r h) + tanh(V x) + b_h) z + h (1 - z)."""
    units = len(biases["z"])

    def step(inputs, before):
        h = before["h"]
        z = [_sigmoid(_dot(weights["z", "x"][i], inputs) + biases["z"][i]) for i in range(units)]
        r = [
            _sigmoid(_dot(weights["r", "x"][i], inputs) + _dot(weights["r", "h"][i], h) + biases["r"][i])
            for i in range(units)
        ]
        kept = [r[j] * h[j] for j in range(units)]
        new = []
        for i in range(units):
            total = _dot(weights["n", "rh@0"][i], kept) + math.tanh(_dot(weights["v", "x"][i], inputs)) + biases["n"][i]
            new.append(math.tanh(total) * z[i] + h[i] * (1.0 - z[i]))
        return {"h": new}

    return _loop(x, states, units, step)


def mut2(x, weights, biases, parameters, states):
    """r = sigma(V x + W_hr h + b_r); h = tanh(W_hh (r h) + W_xh x + b_h) z + h (1 - z)."""
    units = len(biases["z"])

    def step(inputs, before):
        h = before["h"]
        z, kept = [], []
        for i in range(units):
            z.append(_sigmoid(_dot(weights["z", "x"][i], inputs) + _dot(weights["z", "h"][i], h) + biases["z"][i]))
            r = _sigmoid(_dot(weights["r", "x"][i], inputs) + _dot(weights["r", "h"][i], h) + biases["r"][i])
            kept.append(r * h[i])
        new = []
        for i in range(units):
            total = _dot(weights["n", "rh@0"][i], kept) + _dot(weights["n", "x"][i], inputs) + biases["n"][i]
            new.append(math.tanh(total) * z[i] + h[i] * (1.0 - z[i]))
        return {"h": new}

    return _loop(x, states, units, step)


def mut3(x, weights, biases, parameters, states):
    """z = sigma(W_xz x + W_hz tanh(h) + b_z); the rest is MUT2 with a matrix in r."""
    units = len(biases["z"])

    def step(inputs, before):
        h = before["h"]
        squashed = [math.tanh(value) for value in h]
        z, kept = [], []
        for i in range(units):
            from_h = _dot(weights["z", "s@0"][i], squashed)
            z.append(_sigmoid(_dot(weights["z", "x"][i], inputs) + from_h + biases["z"][i]))
            r = _sigmoid(_dot(weights["r", "x"][i], inputs) + _dot(weights["r", "h"][i], h) + biases["r"][i])
            kept.append(r * h[i])
        new = []
        for i in range(units):
            total = _dot(weights["n", "rh@0"][i], kept) + _dot(weights["n", "x"][i], inputs) + biases["n"][i]
            new.append(math.tanh(total) * z[i] + h[i] * (1.0 - z[i]))
        return {"h": new}

    return _loop(x, states, units, step)


def indrnn(x, weights, biases, parameters, states, activation="relu"):
    """h = phi(W x + u h + b), u one number per unit."""
    phi, units = _PHI[activation], len(biases["h"])

    def step(inputs, before):
        totals = [
            _dot(weights["h", "x"][i], inputs) + parameters["u"][i] * before["h"][i] + biases["h"][i]
            for i in range(units)
        ]
        return {"h": [phi(total) for total in totals]}

    return _loop(x, states, units, step)


def minimal_rnn(x, weights, biases, parameters, states):
    """z = tanh(W_x x + b_z), u = sigma(U_h h + U_z z + b_u), h = u h + (1 - u) z."""
    units = len(biases["u"])

    def step(inputs, before):
        h = before["h"]
        z = [math.tanh(_dot(weights["z", "x"][i], inputs) + biases["z"][i]) for i in range(units)]
        new = []
        for i in range(units):
            u = _sigmoid(_dot(weights["u", "h"][i], h) + _dot(weights["u", "z@0"][i], z) + biases["u"][i])
            new.append(u * h[i] + (1.0 - u) * z[i])
        return {"h": new}

    return _loop(x, states, units, step)


def janet(x, weights, biases, parameters, states, beta=1.0):
    """s = U_f h + W_f x + b_f, c = sigma(s) c + (1 - sigma(s - beta)) tanh(U_c h + W_c x + b_c), h = c."""
    units = len(biases["f"])

    def step(inputs, before):
        c = before["h"]
        new = []
        for i in range(units):
            s = _dot(weights["f", "h"][i], c) + _dot(weights["f", "x"][i], inputs) + biases["f"][i]
            candidate = math.tanh(_dot(weights["n", "h"][i], c) + _dot(weights["n", "x"][i], inputs) + biases["n"][i])
            new.append(_sigmoid(s) * c[i] + (1.0 - _sigmoid(s - beta)) * candidate)
        return {"h": new}

    return _loop(x, states, units, step)


def ugrnn(x, weights, biases, parameters, states, activation="tanh"):
    """c = s(W_ch h + W_cx x + b_c), g = sigma(W_gh h + W_gx x + b_g), h = g h + (1 - g) c."""
    phi, units = _PHI[activation], len(biases["c"])

    def step(inputs, before):
        h = before["h"]
        new = []
        for i in range(units):
            c = phi(_dot(weights["c", "h"][i], h) + _dot(weights["c", "x"][i], inputs) + biases["c"][i])
            g = _sigmoid(_dot(weights["g", "h"][i], h) + _dot(weights["g", "x"][i], inputs) + biases["g"][i])
            new.append(g * h[i] + (1.0 - g) * c)
        return {"h": new}

    return _loop(x, states, units, step)


def min_gru(x, weights, biases, parameters, states):
    """z = sigma(Linear(x)), h~ = Linear(x), h = (1 - z) h + z h~."""
    units = len(biases["z"])

    def step(inputs, before):
        new = []
        for i in range(units):
            z = _sigmoid(_dot(weights["z", "x"][i], inputs) + biases["z"][i])
            candidate = _dot(weights["n", "x"][i], inputs) + biases["n"][i]
            new.append((1.0 - z) * before["h"][i] + z * candidate)
        return {"h": new}

    return _loop(x, states, units, step)

"""Textbook loops of the cells that came after the textbooks; see naive.py."""

import math

import numpy as np
from naive import _PHI, _dot, _sigmoid


def _used(raw, gamma):
    """W - W^T - gamma I, number by number."""
    n = len(raw)
    return np.array([[raw[i, j] - raw[j, i] - (gamma if i == j else 0.0) for j in range(n)] for i in range(n)])


def _solve(matrix, right):
    """Gaussian elimination with partial pivoting: X in matrix X = right."""
    n = len(matrix)
    rows = [[float(v) for v in (*matrix[i], *right[i])] for i in range(n)]
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k:
                factor = rows[i][k]
                rows[i] = [v - factor * w for v, w in zip(rows[i], rows[k], strict=True)]
    return np.array([row[n:] for row in rows])


def antisymmetric(x, weights, biases, parameters, states, eps=0.01, gamma=0.01, gated=False):
    """h = h + eps z tanh((W - W^T - gamma I) h + V x + b); z = 1, or a gate with the same recurrent matrix."""
    recurrent = _used(weights["r" if gated else "h", "h"], gamma)
    steps, rows, units = x.shape[0], x.shape[1], len(biases["h"])
    h = states["h"].copy()
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                product = _dot(recurrent[unit], before)
                new = math.tanh(product + _dot(weights["h", "x"][unit], x[t, row]) + biases["h"][unit])
                if gated:
                    new *= _sigmoid(product + _dot(weights["z", "x"][unit], x[t, row]) + biases["z"][unit])
                h[row, unit] = before[unit] + eps * new
        outputs[t] = h
    return outputs, {"h": h}


def orthogonal(x, weights, biases, parameters, states, activation="tanh", reflections=0.0):
    """h = phi(W x + Q h + b) with (I + A) Q = (I - A) D, A = R - R^T, D of minus ones and ones."""
    phi, w, b = _PHI[activation], weights["h", "x"], biases["h"]
    steps, rows, units = x.shape[0], x.shape[1], len(b)
    a, eye = _used(weights["h", "h"], 0.0), np.eye(units)
    d = [-1.0 if unit < round(reflections * units) else 1.0 for unit in range(units)]
    q = _solve(eye + a, (eye - a) * d)
    h = states["h"].copy()
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                h[row, unit] = phi(_dot(w[unit], x[t, row]) + _dot(q[unit], before) + b[unit])
        outputs[t] = h
    return outputs, {"h": h}


def slstm(x, weights, biases, parameters, states, forget="sigmoid"):
    """Exponential gates, stabilised by m: the equations of the paper's appendix."""
    steps, rows, units = x.shape[0], x.shape[1], len(biases["i"])
    h, c, n, m = (states[name].copy() for name in "hcnm")
    outputs = np.zeros((steps, rows, units))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                tilde = {
                    gate: _dot(weights[gate, "x"][unit], x[t, row])
                    + _dot(weights[gate, "h"][unit], before)
                    + biases[gate][unit]
                    for gate in "ifzo"
                }
                log_f = tilde["f"] if forget == "exp" else math.log(_sigmoid(tilde["f"]))
                m_before, m[row, unit] = m[row, unit], max(log_f + m[row, unit], tilde["i"])
                i = math.exp(tilde["i"] - m[row, unit])
                f = math.exp(log_f + m_before - m[row, unit])
                c[row, unit] = f * c[row, unit] + i * math.tanh(tilde["z"])
                n[row, unit] = f * n[row, unit] + i
                h[row, unit] = _sigmoid(tilde["o"]) * c[row, unit] / n[row, unit]
        outputs[t] = h
    return outputs, {"h": h, "c": c, "n": n, "m": m}


def scrn(
    x, weights, biases, parameters, states, alpha=0.95, trained=False, context_size=None, output_size=None
):  # fmt: skip
    """s = (1 - alpha) B x + alpha s, h = sigmoid(P s + A x + R h), y = U h + V s."""
    steps, rows = x.shape[:2]
    s, h = states["s"].copy(), states["h"].copy()
    outputs = np.zeros((steps, rows, len(weights["y", "h@0"])))
    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(s.shape[1]):
                keep = _sigmoid(parameters["beta"][unit]) if trained else alpha
                s[row, unit] = (1 - keep) * _dot(weights["s", "x"][unit], x[t, row]) + keep * s[row, unit]
            for unit in range(h.shape[1]):
                total = _dot(weights["h", "s@0"][unit], s[row]) + _dot(weights["h", "x"][unit], x[t, row])
                h[row, unit] = _sigmoid(total + _dot(weights["h", "h"][unit], before))
            for unit in range(outputs.shape[2]):
                u, v = weights["y", "h@0"][unit], weights["y", "s@0"][unit]
                outputs[t, row, unit] = _dot(u, h[row]) + _dot(v, s[row])
    return outputs, {"s": s, "h": h}


def lem(x, weights, biases, parameters, states, dt=1.0):
    """z moves by its own time step, then h (the paper's y) by its own, looking at the new z."""
    steps, rows, units = x.shape[0], x.shape[1], len(biases["h"])
    h, z = states["h"].copy(), states["z"].copy()
    outputs = np.zeros((steps, rows, units))

    def affine(gate, unit, inputs, source, vector):
        w = weights[gate, "x"][unit], weights[gate, source][unit]
        return _dot(w[0], inputs) + _dot(w[1], vector) + biases[gate][unit]

    for t in range(steps):
        for row in range(rows):
            before = h[row].copy()
            for unit in range(units):
                step = dt * _sigmoid(affine("dt_z", unit, x[t, row], "h", before))
                target = math.tanh(affine("z", unit, x[t, row], "h", before))
                z[row, unit] = (1 - step) * z[row, unit] + step * target
            for unit in range(units):
                step = dt * _sigmoid(affine("dt_h", unit, x[t, row], "h", before))
                target = math.tanh(affine("h", unit, x[t, row], "z@0", z[row]))
                h[row, unit] = (1 - step) * before[unit] + step * target
        outputs[t] = h
    return outputs, {"h": h, "z": z}

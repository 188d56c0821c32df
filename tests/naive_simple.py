"""Textbook loops of the simple cells: recurrence through the output, delays, clocks, depth, no input at all."""

import numpy as np
from naive import _PHI, _dot


def _run(x, start, width, step):
    """Call ``step(t, row, state) -> (output, state)`` over all steps of each row, states being dicts of (width,)."""
    steps, rows = x.shape[:2]
    outputs = np.zeros((steps, rows, width))
    final = {name: value.copy() for name, value in start.items()}
    for row in range(rows):
        state = {name: value[row].copy() for name, value in start.items()}
        for t in range(steps):
            outputs[t, row], state = step(t, row, state)
        for name, value in state.items():
            final[name][row] = value
    return outputs, final


def output_hidden(
    x, weights, biases, parameters, states, activation="tanh", output_activation="linear", output_size=None
):
    """h_t = phi(W x_t + R h_(t-1) + S y_(t-1) + b), y_t = psi(V h_t + c)."""
    phi, psi = _PHI[activation], _PHI[output_activation]
    w, r, s, v = weights["h", "x"], weights["h", "h"], weights["h", "y"], weights["y", "h@0"]
    b, c = biases["h"], biases["y"]

    def step(t, row, state):
        h = [phi(_dot(w[i], x[t, row]) + _dot(r[i], state["h"]) + _dot(s[i], state["y"]) + b[i]) for i in range(len(b))]
        y = [psi(_dot(v[i], h) + c[i]) for i in range(len(c))]
        return y, {"h": h, "y": y}

    return _run(x, states, len(c), step)


def identity(x, weights, biases, parameters, states, activation="tanh"):
    """h_t = h_(t-1) + F(x_t), with F(x) = phi(W x + b)."""
    phi, w, b = _PHI[activation], weights["h", "x"], biases["h"]

    def step(t, row, state):
        h = [state["h"][i] + phi(_dot(w[i], x[t, row]) + b[i]) for i in range(len(b))]
        return h, {"h": h}

    return _run(x, states, len(b), step)


def irnn(x, weights, biases, parameters, states):
    """h_t = max(0, W x_t + R h_(t-1) + b)."""
    w, r, b = weights["h", "x"], weights["h", "h"], biases["h"]

    def step(t, row, state):
        h = [max(0.0, _dot(w[i], x[t, row]) + _dot(r[i], state["h"]) + b[i]) for i in range(len(b))]
        return h, {"h": h}

    return _run(x, states, len(b), step)


def delayed(x, weights, biases, parameters, states, activation="tanh", delay=2):
    """h_t = phi(W x_t + R h_(t-d) + b): d networks that take turns."""
    phi, w, r, b = _PHI[activation], weights["h", "x"], weights["h", f"h@{delay}"], biases["h"]
    steps, rows, units = x.shape[0], x.shape[1], len(b)
    outputs, turns = np.zeros((steps, rows, units)), states["h"].copy()  # turns[k] belongs to the steps k, k + d, ...
    for t in range(steps):
        for row in range(rows):
            before = turns[t % delay, row].copy()
            for i in range(units):
                outputs[t, row, i] = phi(_dot(w[i], x[t, row]) + _dot(r[i], before) + b[i])
            turns[t % delay, row] = outputs[t, row]
    oldest_first = [turns[(steps + k) % delay] for k in range(delay)]
    return outputs, {"h": np.array(oldest_first)}


def clockwork(x, weights, biases, parameters, states, activation="tanh", periods=(1, 2, 4, 8)):
    """Group g runs at the steps that its period divides, and sees itself and the slower groups."""
    phi, w, r, b = _PHI[activation], weights["h", "x"], weights["h", "h"], biases["h"]
    units, groups = len(b), len(periods)
    group_of, small = [], units // groups
    for g in range(groups):
        group_of += [g] * (small + 1 if g < units - small * groups else small)
    assert len(group_of) == units
    assert not states["clock"].any(), "step 0 is the first"

    def step(t, row, state):
        before, h = state["h"], list(state["h"])
        for i, g in enumerate(group_of):
            if t % periods[g] == 0:
                total = sum(float(r[i, j]) * float(before[j]) for j in range(units) if group_of[j] >= g)
                h[i] = phi(_dot(w[i], x[t, row]) + total + b[i])
        return h, {"h": h, "clock": [(t + 1) % periods[g] for g in group_of]}

    return _run(x, states, units, step)


def deep_transition(x, weights, biases, parameters, states, activation="tanh", depth=2, shortcut=False):
    """The hidden state, with the input, passes through a perceptron of `depth` layers to become the next one."""
    phi = _PHI[activation]

    def layer(name, terms):
        sums = [sum(_dot(w[i], v) for w, v in terms) + bias for i, bias in enumerate(biases[name])]
        return [phi(a) for a in sums]

    def step(t, row, state):
        z = layer("z1", [(weights["z1", "x"], x[t, row]), (weights["z1", "h"], state["h"])])
        for k in range(2, depth):
            z = layer(f"z{k}", [(weights[f"z{k}", f"z{k - 1}@0"], z)])
        top = [(weights["h", f"z{depth - 1}@0"], z)]
        if shortcut:
            top.append((weights["h", "h"], state["h"]))
        h = layer("h", top)
        return h, {"h": h}

    return _run(x, states, len(biases["h"]), step)


def dynamical(x, weights, biases, parameters, states, activation="tanh"):
    """s_t = phi(R s_(t-1) + b), whatever x is."""
    phi, r, b = _PHI[activation], weights["s", "s"], biases["s"]

    def step(t, row, state):
        s = [phi(_dot(r[i], state["s"]) + b[i]) for i in range(len(b))]
        return s, {"s": s}

    return _run(x, states, len(b), step)

r"""One unit that sees itself: where its fixed points are born, how long it holds a bit, and its error's surface.

A sigmoid unit :math:`x_t = w\,\sigma(x_{t-1}) + b` has a fold where a fixed point is born: :math:`x = w\,\sigma(x) + b`
and :math:`w\,\sigma'(x) = 1`. With :math:`s = \sigma(x)` the second says :math:`s(1-s) = 1/w`, so :math:`s = (1 \pm
\sqrt{1 - 4/w})/2` and :math:`b = \ln(s/(1-s)) - w s`. A tanh unit
:math:`a_t = w \tanh(a_{t-1}) + h` stays on its side of 0 while :math:`|h| < h^*`,
:math:`h^* = w \sqrt{1-1/w} - \operatorname{artanh}\sqrt{1-1/w}`.

Many units with weights and biases of their own run as one layer of ``indrnn`` without input, whose state is
:math:`\sigma(x_t)` or :math:`\tanh(a_t)`.

Sources: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013
(figures 3 and 6); K. Doya, Bifurcations in the learning of recurrent neural networks, IEEE International Symposium on
Circuits and Systems, 1992; Y. Bengio, P. Simard and P. Frasconi, Learning Long-Term Dependencies with Gradient Descent
is Difficult, IEEE Transactions on Neural Networks 5, 1994 (h*).
"""

from __future__ import annotations

import itertools

import numpy as np

from rnnbench.layers.recurrent import Recurrent

LOW, HIGH = 0.0, 1.0  # states of a sigmoid unit below and above all fixed points


def logistic(x):
    """Return 1/(1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-np.asarray(x, dtype=float)))


def saddle_nodes(w: float) -> tuple[float, float]:
    """Return the biases between which a sigmoid unit has two stable states, in closed form, for w > 4."""
    if not w > 4:
        raise ValueError(f"w: got {w}, expected more than 4: below, a sigmoid unit has one fixed point for every bias")
    s = (1 + np.array([1.0, -1.0]) * np.sqrt(1 - 4 / w)) / 2
    low, high = np.log(s / (1 - s)) - w * s
    return float(low), float(high)


def saddle_nodes_by_roots(w: float) -> tuple[float, float]:
    """Return the same biases by root finding on the two equations of a fold; nothing is solved by hand."""
    from scipy.optimize import root

    def fold(unknown):
        x, b = unknown
        s = logistic(x)
        return x - w * s - b, 1 - w * s * (1 - s)

    found = [root(fold, guess, tol=1e-13) for guess in ((3.0, -w / 2), (-3.0, -w / 2))]
    if not all(result.success for result in found):
        raise ValueError(f"w: got {w}, for which no two folds were found, expected more than 4")
    low, high = sorted(float(result.x[1]) for result in found)
    return low, high


def fixed_points(w: float, b: float) -> list[tuple[float, bool]]:
    """Return all fixed points sigma(x) of a sigmoid unit, lowest first, each with whether it is stable."""
    from scipy.optimize import brentq

    def excess(x):
        return w * logistic(x) + b - x

    between = (1 + np.array([-1.0, 1.0]) * np.sqrt(1 - 4 / w)) / 2 if w > 4 else np.array([])
    turns = np.log(between / (1 - between))  # where the excess turns round
    ends = [min(b, b + w) - 1.0, *turns, max(b, b + w) + 1.0]
    found = []
    for left, right in itertools.pairwise(ends):
        if excess(left) * excess(right) < 0:
            s = float(logistic(brentq(excess, left, right, xtol=1e-14)))
            found.append((s, abs(w * s * (1 - s)) < 1))
    return found


def latch_threshold(w: float) -> float:
    """Return h*, the input that a tanh unit of weight w > 1 withstands, in closed form."""
    if not w > 1:
        raise ValueError(f"w: got {w}, expected more than 1: below, a tanh unit holds nothing")
    root = np.sqrt(1 - 1 / w)
    return float(w * root - np.arctanh(root))


def run_units(w, b, start, steps: int, activation: str = "sigmoid", device: str = "cpu") -> np.ndarray:
    """Return the final states of units with weights `w` and biases `b`, all (n,) arrays, from the states `start`."""
    layer = _layer(w, b, activation, device)
    _, state = layer.forward(np.zeros((steps, 1, 0)), {"h": _row(start, len(w))}, tape=False)
    return state["h"][0]


def error_surface(
    w, b, *, start: float = 0.5, target: float = 0.7, steps: int = 50, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (sigma(x_T) - target)^2 of sigmoid units, and its gradients by w and by b through BPTT.

    Parameters
    ----------
    w, b : (n,) arrays
    start : float
        x_0, the same for all.
    target : float
    steps : int
        T.
    device : str

    Returns
    -------
    error, dw, db : (n,) arrays
    """
    layer = _layer(w, b, "sigmoid", device)
    _, state = layer.forward(np.zeros((steps, 1, 0)), {"h": _row(logistic(start), len(w))})
    off = state["h"] - target
    layer.backward(None, {"h": 2 * off})
    return off[0] ** 2, layer.grads["u"].copy(), layer.grads["bias"].copy()


def border(inside, low: float, high: float, places: int = 64, rounds: int = 5) -> float:
    """Return where a property that holds at `low` and not at `high` ends, to (high - low)/(places - 1)^rounds.

    `inside` takes an array of places, rising from low to high, and returns whether it holds at each; it is asked
    `rounds` times, each time within the step where it ended before.
    """
    for _ in range(rounds):
        at = np.linspace(low, high, places)
        holds = np.asarray(inside(at))
        if not holds[0] or holds[-1]:
            raise ValueError(
                f"border: the property holds at {low}: {holds[0]}, at {high}: {holds[-1]}, expected one end"
            )
        last = int(np.flatnonzero(~holds)[0]) - 1
        low, high = at[last], at[last + 1]
    return float((low + high) / 2)


def _layer(w, b, activation, device):
    layer = Recurrent("indrnn", 0, len(w), dtype="float64", device=device, activation=activation)
    layer.params["u"][...], layer.params["bias"][...] = w, b
    return layer


def _row(start, units):
    return np.broadcast_to(np.asarray(start, dtype=float), units)[None].copy()

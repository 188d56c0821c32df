"""The gradient check: hand-derived BPTT against a complex step, and where a cell has kinks against differences too.

A complex step stays on the branch that it starts on, which is all that a check away from the kinks needs; central
differences know nothing of branches. Every number of an array is perturbed at once: the replica axis carries one
perturbation each.
"""

import numpy as np
from helpers import away_from_kinks, problem

from rnnbench.kernels import reference
from rnnbench.layout import Layout

COMPLEX_STEP = 1e-30
REAL_STEP = 1e-5
KINK_DISTANCE = 2e-3  # far more than a perturbation of REAL_STEP moves anything
TOLERANCE = {"complex step": 1e-10, "central differences": 1e-7}


def objective(p):
    """One number per replica whose gradient `backward` returns for (dy, dstate)."""
    y, final, _ = p.run(reference, keep=False)
    total = (y * p.dy).sum(axis=(1, 2, 3))
    return total + sum((final[name] * p.dstate[name]).sum(axis=(1, 2, 3)) for name in final)


def perturbed(p, name, size, dtype):
    """The problem once per number of the array `name`, with `size` added to that number."""
    count = p.arrays()[name].size
    wide = p
    for key, value in p.arrays().items():
        wide = wide.with_array(key, np.repeat(value.astype(dtype), count, axis=0))
    value = wide.arrays()[name]
    value.reshape(count, count)[np.arange(count), np.arange(count)] += size
    wide.feed = {key: (np.repeat(v.astype(dtype), count, axis=0), mask) for key, (v, mask) in p.feed.items()}
    return wide


def numeric(p, name, method):
    """The gradient by the array `name`, without `backward`."""
    shape = p.arrays()[name].shape
    if not np.prod(shape):
        return np.zeros(shape)
    if method == "complex step":
        return objective(perturbed(p, name, 1j * COMPLEX_STEP, np.complex128)).imag.reshape(shape) / COMPLEX_STEP
    above, below = (objective(perturbed(p, name, h, np.float64)) for h in (REAL_STEP, -REAL_STEP))
    return (above - below).reshape(shape) / (2 * REAL_STEP)


def methods_for(cell):
    """The methods that a cell is checked by, the sharpest first."""
    return ("complex step",) if cell.smooth else ("complex step", "central differences")


def errors(p, method="complex step"):
    """{array: error of its gradient, relative to the largest number in it}; `p` has one replica."""
    results, found = p.both(reference), {}
    differentiable, fixed = p.layout.cell.differentiable, {u.name for u in p.layout.cell.parameters if not u.trained}
    for name in p.arrays():
        if not differentiable.get(name.removeprefix("state "), True):
            continue  # declared a constant: it has a test of its own
        if name in fixed:
            assert not results[f"d {name}"].any(), f"{name} is not trained, expected no gradient"
            continue
        expected, got = numeric(p, name, method), results[f"d {name}" if name != "x" else "dx"]
        scale = max(float(np.abs(expected).max(initial=0)), 1e-6 if method == "complex step" else 1e-2)
        found[name] = float(np.abs(got - expected).max(initial=0)) / scale
    return found


def check_problem(cell, **sizes):
    """A small problem for a cell, ragged, away from its kinks, with every state long enough to matter."""
    longest = max(2, *(lag + 1 for lag in Layout(cell, 1, 1).lags.values()))
    sizes = {"T": longest + 2, "B": 3, "I": 2, "H": 3} | sizes
    sizes.setdefault("lengths", [sizes["T"], sizes["T"] - 1, 1])
    return away_from_kinks(cell, lambda seed: problem(cell, seed, **sizes), KINK_DISTANCE)

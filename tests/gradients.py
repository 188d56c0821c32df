"""The gradient check: hand-derived BPTT against a complex step, and where a cell has kinks against differences too.

What `rnnbench.probes.numeric` does with a layer is done here with a driver: feeds, truncation and odd cells included.
"""

import numpy as np
from helpers import away_from_kinks, problem

from rnnbench.kernels import reference
from rnnbench.layout import Layout
from rnnbench.probes import numeric
from rnnbench.probes.numeric import CENTRAL, COMPLEX

KINK_DISTANCE = 2e-3  # far more than a perturbation of numeric.REAL_STEP moves anything
TOLERANCE = {COMPLEX: 1e-10, CENTRAL: 1e-7}


def objective(p, arrays):
    """One number per replica whose gradient `backward` returns for (dy, dstate), with other arrays of some replicas."""
    wide = p
    for name, value in arrays.items():
        wide = wide.with_array(name, value)
    dtype, count = arrays["x"].dtype, len(arrays["x"])
    wide.feed = {key: (np.repeat(v.astype(dtype), count, axis=0), mask) for key, (v, mask) in p.feed.items()}
    y, final, _ = wide.run(reference, keep=False)
    total = (y * p.dy).sum(axis=(1, 2, 3))
    return total + sum((final[name] * p.dstate[name]).sum(axis=(1, 2, 3)) for name in final)


def methods_for(cell):
    """The methods that a cell is checked by, the sharpest first."""
    return (COMPLEX,) if cell.smooth else (COMPLEX, CENTRAL)


def errors(p, method=COMPLEX):
    """{array: error of its gradient, relative to the largest number in it}; `p` has one replica."""
    results, found = p.both(reference), {}
    differentiable, fixed = p.layout.cell.differentiable, {u.name for u in p.layout.cell.parameters if not u.trained}
    for name in p.arrays():
        if not differentiable.get(name.removeprefix("state "), True):
            continue  # declared a constant: it has a test of its own
        if name in fixed:
            assert not results[f"d {name}"].any(), f"{name} is not trained, expected no gradient"
            continue
        expected = numeric.gradient(lambda arrays: objective(p, arrays), p.arrays(), name, method)
        found[name] = numeric.relative_error(results[f"d {name}" if name != "x" else "dx"], expected, method)
    return found


def check_problem(cell, **sizes):
    """A small problem for a cell, ragged, away from its kinks, with every state long enough to matter."""
    longest = max(2, *(lag + 1 for lag in Layout(cell, 1, 1).lags.values()))
    sizes = {"T": longest + 2, "B": 3, "I": 2, "H": 3} | sizes
    sizes.setdefault("lengths", [sizes["T"], sizes["T"] - 1, 1])
    return away_from_kinks(cell, lambda seed: problem(cell, seed, **sizes), KINK_DISTANCE)

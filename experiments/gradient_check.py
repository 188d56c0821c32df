"""Is every cell's back-propagation through time right?

Method: float64. At a random place (weights, biases, inputs, and states that the cell itself made; rows of several
lengths; a cost that sums all outputs and final states with random weights) the gradient of BPTT by every parameter,
initial state and input is held against a numeric one. The numeric one is a complex step, Im f(p + ih)/h with h = 1e-30,
which is exact to rounding. A cell with kinks (relu, maximum, a choice between two values) is also held against central
differences, h = 1e-5, at a place where both methods agree: the complex step stays on the branch that it starts on,
differences know of no branch. BPTT runs twice: in NumPy, and compiled for the device. The error of an array is its
largest, relative to the largest number of that gradient. A cell of your own is checked beside the others by
``--cells my_cell.py``.

Sources: J. N. Lyness and C. B. Moler, Numerical differentiation of analytic functions, SIAM Journal on Numerical
Analysis 4, 1967 (the complex step); R. J. Williams and D. Zipser, Gradient-based learning algorithms for recurrent
networks and their computational complexity, in Backpropagation: Theory, Architectures, and Applications, 1995 (BPTT).
"""

import numpy as np

from rnnbench import cells
from rnnbench.report.style import BLUE, GREY, ORANGE, VERMILION
from rnnbench.runner.claims import bound
from rnnbench.runner.frames import measured

CHECKS = True
# units, inputs, rows, steps (None: as many as the longest lag needs), random places
SIZES = {"smoke": (3, 2, 3, None, 1), "quick": (4, 3, 3, 8, 3), "paper": (8, 4, 4, 20, 5)}
COMPLEX, CENTRAL = "complex step", "central differences"
LIMITS = {COMPLEX: 1e-12, CENTRAL: 1e-7}
NUMPY, COMPILED = "NumPy", "compiled"
LOOKS = {(COMPLEX, NUMPY): (BLUE, "o"), (COMPLEX, COMPILED): (VERMILION, "x"), (CENTRAL, COMPILED): (ORANGE, "d")}
EXACT = 1e-17  # where an error of 0 is drawn


def sweep(preset, device):
    """Every cell; Elman with every activation."""
    if preset not in SIZES:
        return []
    hidden, inputs, rows, steps, places = SIZES[preset]
    sizes = {"hidden": hidden, "inputs": inputs, "rows": rows, "steps": steps}
    found = []
    for cell in cells.names():
        own = cells.option_defaults(cell).get("activation")
        activations = ("tanh", "linear", "sigmoid", "relu", "step") if cell == "elman" else (own,)
        for activation in activations:
            first = {"cell": cell, "activation": activation}
            found += [first | sizes | {"replicate": replicate} for replicate in range(places)]
    return found


def run(setting, rng):
    """A row per array, method and driver."""
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import gradient_check

    options = {} if setting["activation"] is None else {"activation": setting["activation"]}
    seed, rows = int(rng.integers(2**31)), []
    for driver, device in ((NUMPY, "reference"), (COMPILED, setting["device"])):
        layer = Recurrent(
            setting["cell"], setting["inputs"], setting["hidden"], dtype="float64", device=device, **options
        )
        place = np.random.default_rng(seed)  # both drivers at the same one
        for found in gradient_check.gradient_errors(layer, place, rows=setting["rows"], steps=setting["steps"]):
            row = {"array": found.array, "method": found.method, "driver": driver, "error": float(f"{found.error:.1e}")}
            rows.append(row | {"largest": float(f"{found.largest:.2e}")})
    return rows


def claims(df):
    """Every cell is below the bound, by either method."""
    found = _errors(df)
    for method, limit in LIMITS.items():
        rows = found[found["method"] == method]
        by_cell = rows.groupby("cell")["error"].max()
        wrong = by_cell[~(by_cell <= limit)]
        note = f"Largest relative error of {len(by_cell)} cells"
        if len(rows):
            at = rows.loc[rows["error"].idxmax()]
            note += f", at {at['cell']}, {at['array']}, {at['driver']}."
            note += f" Above the bound: {', '.join(wrong.index)}." if len(wrong) else ""
        yield bound(
            method,
            f"Hand-derived BPTT agrees with {'a ' if method == COMPLEX else ''}{method} by every parameter, initial "
            f"state and input{'' if method == COMPLEX else ', for every cell with a kink'}, in NumPy and compiled.",
            "derived; the bound is ours", measured=by_cell.max() if len(by_cell) else None, at_most=limit,
            note=note if len(rows) else "",
        )  # fmt: skip


def figures(df):
    """The largest error of every cell."""
    found = _errors(df)
    return {"errors": _chart(found)} if len(found) else {}


def tables(df):
    """Per cell the largest error, and the array that has it."""
    found = _errors(df)
    worst = found.loc[found.groupby(["cell", "activation", "method", "driver"], dropna=False)["error"].idxmax()]
    columns = ["cell", "activation", "method", "driver", "error", "array"]
    return {"errors": (worst[columns], "The largest relative error over all arrays and places, and the array of it.")}


def _errors(df):
    return measured(df, ["cell", "activation", "array", "method", "driver"], ["error", "largest"], has="error")


def _chart(found):
    import matplotlib.pyplot as plt

    order = found[found["method"] == COMPLEX].groupby("cell")["error"].max().sort_values(kind="stable").index
    figure, ax = plt.subplots(figsize=(8.5, 1.6 + 0.2 * len(order)))
    for (method, driver), (colour, marker) in LOOKS.items():
        part = found[(found["method"] == method) & (found["driver"] == driver)]
        worst = part.groupby("cell")["error"].max().reindex(order)
        ax.plot(
            np.maximum(worst, EXACT), range(len(order)), marker, color=colour, markerfacecolor="none", markersize=6,
            label=f"{method}, {driver}",
        )  # fmt: skip
    for method, limit in LIMITS.items():
        ax.axvline(limit, color=GREY, linestyle="--", linewidth=1)
        ax.text(limit, len(order) - 0.3, f"bound:\n{method}", fontsize=9, ha="center", va="bottom", color=GREY)
    ax.set_xscale("log")
    ax.set_yticks(range(len(order)), order, fontsize=9.5)
    ax.set(xlabel="largest relative error of a gradient", ylim=(-1, len(order)))
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.5 / (0.6 + 0.2 * len(order))), ncols=3, fontsize=9)
    return figure, (
        "The worst of all gradients of each cell (parameters, initial states, inputs). By complex step BPTT is right "
        "to the rounding of float64, in NumPy and compiled. Central differences, for the cells with kinks, carry an "
        "error of their own and can say no more than 1e-10."
    )

"""Is a network with output recurrence, fed with its targets, trained exactly by single steps?

Method: float64. A network whose only state is its output (``jordan``), or hidden units and output (``output_hidden``).
``epsilon`` is the probability that a step reads the target of the step before in place of the output (scheduled
sampling): 1 is teacher forcing, 0 runs free. The gradient of the whole sequence by BPTT is held against the sum of the
gradients of single steps: each starts from the state that the network read there, as a constant, and knows of no other
step. The distance of the two is relative to the norm of BPTT's.

Sources: R. J. Williams and D. Zipser, A Learning Algorithm for Continually Running Fully Recurrent Neural Networks,
Neural Computation 1(2), 1989 (teacher forcing); I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016,
section 10.2.1; S. Bengio, O. Vinyals, N. Jaitly and N. Shazeer, Scheduled Sampling for Sequence Prediction with
Recurrent Neural Networks, NeurIPS 2015. Derived: with the output as only state teacher forcing cuts every path from
step to step.
"""

import numpy as np

from rnnbench.report.style import line_styles
from rnnbench.runner.claims import bound, holds
from rnnbench.runner.frames import measured

STEPS = {"smoke": (5,), "quick": (5, 20, 100), "paper": (5, 20, 100, 1000)}
SEEDS = {"smoke": 1, "quick": 5, "paper": 20}
EPSILONS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
HIDDEN, INPUTS, OUTPUTS, ROWS = 16, 4, 3, 8
JORDAN, BOTH = "jordan", "output_hidden"


def sweep(preset, device):
    """Both networks over epsilon and length."""
    if preset not in STEPS:
        return []
    return [
        {"cell": cell, "epsilon": epsilon, "steps": steps, "replicate": replicate}
        for cell in (JORDAN, BOTH)
        for steps in STEPS[preset]
        for epsilon in EPSILONS
        for replicate in range(SEEDS[preset])
    ]


def run(setting, rng):
    """The distance to single steps; at epsilon 1 also whether other ways to get there have the same bits."""
    from rnnbench.layers.output_recurrence import OutputRecurrence

    cell, steps, epsilon = setting["cell"], setting["steps"], setting["epsilon"]
    seed = int(rng.integers(2**31))

    def make(of):
        return OutputRecurrence(
            INPUTS, HIDDEN, OUTPUTS, cell=cell, epsilon=of, seed=seed, dtype="float64", device=setting["device"],
            init={"name": "gaussian", "gain": 0.9},
        )  # fmt: skip

    x, target, dy = (rng.normal(size=(steps, ROWS, size)) for size in (INPUTS, OUTPUTS, OUTPUTS))
    fed = rng.random((steps, ROWS)) < epsilon
    fed[0] = False  # there is no step before
    whole, single = _both(make(epsilon).parts["recurrent"], x, target, dy, fed)
    row = {"distance": float(np.linalg.norm(whole - single) / np.linalg.norm(whole))}
    if epsilon == 1:
        forced, scheduled = make(1.0), make(0.5)
        scheduled.epsilon = 1.0
        row["same_bits"] = all(
            np.array_equal(a, b)
            for a, b in zip(_results(forced, x, target, dy), _results(scheduled, x, target, dy), strict=True)
        )
        at_once, by_steps = forced.forward((x, target))[0], _run(forced.parts["recurrent"], x, target, fed)[0]
        row["parallel_bits"] = bool(np.array_equal(at_once, by_steps))
    return [row]


def _both(recurrent, x, target, dy, fed):
    """The gradient of the whole sequence, and the sum of those of single steps; all parameters in one vector."""
    y, _ = _run(recurrent, x, target, fed)
    recurrent.zero_grad()
    recurrent.backward(dy)
    whole = np.concatenate([grad.ravel() for grad in recurrent.grads.values()])
    recurrent.zero_grad()
    state = {name: np.zeros((x.shape[1], recurrent.layout.widths[name])) for name in recurrent.layout.states}
    for t in range(len(x)):
        if t:
            state["y"] = np.where(fed[t][:, None], target[t - 1], y[t - 1])
        _, state = recurrent.forward(x[t : t + 1], state)
        recurrent.backward(dy[t : t + 1])  # by the parameters only: what the step started from is a constant
    return whole, np.concatenate([grad.ravel() for grad in recurrent.grads.values()])


def _run(recurrent, x, target, fed):
    before = np.concatenate([np.zeros_like(target[:1]), target[:-1]])
    return recurrent.forward(x, feed={"y": (before, fed)})


def _results(network, x, target, dy):
    y, final = network.forward((x, target))
    (dx, _), _ = network.backward(dy)
    return [y, dx, *final.values(), *network.gradients().values()]


def claims(df):
    """What teacher forcing makes of the gradient, and what it leaves."""
    runs = _runs(df)
    forced, free = (runs[runs["epsilon"] == epsilon] for epsilon in (1.0, 0.0))
    exact = forced[forced["cell"] == JORDAN]
    yield bound(
        "teacher forcing is exact", "With the output as only state and targets fed back, BPTT's gradient is the sum of "
        "the gradients of single steps (to rounding).", "Goodfellow, Bengio & Courville 2016, section 10.2.1",
        measured=exact["distance"].max() if len(exact) else None, at_most=1e-13,
        note=f"Largest relative distance of {len(exact)} runs of up to {exact['steps'].max():.0f} steps."
        if len(exact) else "",
    )  # fmt: skip
    for name, statement, part in (
        ("free running is not", "Run free, the same network's gradient is not the sum of single steps: it flows "
         "through the outputs.", free[free["cell"] == JORDAN]),
        ("hidden units stay coupled", "With hidden recurrence beside that through the output, teacher forcing does not "
         "take the steps apart.", forced[forced["cell"] == BOTH]),
    ):  # fmt: skip
        yield holds(
            name, f"{statement} (Relative distance above 0.01.)", "derived", part["distance"] > 0.01,
            note=f"{part['distance'].min():.2g} to {part['distance'].max():.2g}." if len(part) else "",
        )  # fmt: skip
    yield holds(
        "scheduled sampling at epsilon 1", "Scheduled sampling whose epsilon is raised to 1 equals teacher forcing bit "
        "by bit: outputs, states and all gradients.", "Bengio, Vinyals, Jaitly & Shazeer 2015; derived",
        forced["same_bits"].dropna() == 1,
    )  # fmt: skip
    yield holds(
        "parallel over time", "All steps in one go give the outputs of the steps one after the other, bit by bit.",
        "U Kang's lecture: teacher forcing enables parallel learning", exact["parallel_bits"].dropna() == 1,
    )  # fmt: skip


def figures(df):
    """The distance to single steps against epsilon."""
    runs = _runs(df)
    return {"by_epsilon": _by_epsilon(runs)} if len(runs) else {}


def tables(df):
    """Medians and ranges of the distance."""
    table = _runs(df).groupby(["cell", "steps", "epsilon"])["distance"].agg(["median", "min", "max"]).reset_index()
    return {"distance": (table, "Relative distance of BPTT's gradient to the sum of single steps, over seeds.")}


def _runs(df):
    return measured(df, ["cell"], ["epsilon", "steps", "distance", "same_bits", "parallel_bits"], has="distance")


def _by_epsilon(runs):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.3), sharey=True)
    titles = {JORDAN: "the output is the only state", BOTH: "hidden units and output"}
    for ax, (cell, title) in zip(axes, titles.items(), strict=True):
        for steps, look in line_styles(sorted(runs["steps"].unique())).items():
            part = runs[(runs["cell"] == cell) & (runs["steps"] == steps)].groupby("epsilon")["distance"]
            ax.plot(part.median(), label=f"{steps:.0f} steps", **look | {"linestyle": "-"})
            ax.fill_between(part.min().index, part.min(), part.max(), color=look["color"], alpha=0.2, linewidth=0)
        ax.set(title=title, xlabel="ε, probability of being fed the target")
    axes[0].set(ylabel="distance to single steps", ylim=(0, None))
    axes[1].legend()
    return figure, (
        "How far BPTT's gradient is from the sum of single steps (medians, ranges over seeds). Fed with its targets "
        "(ε = 1) a network with output recurrence alone is exactly a set of single steps, so all can be trained at "
        "once; with hidden recurrence something always flows from step to step."
    )

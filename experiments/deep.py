"""Which way of making a recurrent network deep lengthens the way of its gradients?

Method: five networks of tanh units with as many parameters each (so the deep ones have fewer units to a layer): one
recurrent layer; two stacked; two stacked that all see the input and are all seen by the output (skip); a perceptron of
two layers from one state to the next, with perceptrons around it (transition); the same with a shortcut from state to
state (shortcut).

Path lengths are measured, not counted: in a linear network of width 1 whose weights are all w, the gradient of the last
output by the first input is the sum over all paths of w to the power of the path's length. Its log-log slope is the
length of the shortest path where w is small, of the longest where w is large. The gradient norms by lag are those of
the tanh networks at their start, five seeds, float64, random inputs.

Training: the task ``temporal_order`` (variant pascanu: which two of the symbols came in which order? Naive: loss ln 4,
success 1/4), the answer after the last symbol, Adam with a batch of 20 and gradient norms clipped at 1, default
initialisation, five seeds side by side, each network at the learning rate that the preset "search" chose for it at that
length; success is of 1,000 fresh sequences.

Sources: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.5 and figure 10.13; R. Pascanu, C.
Gulcehre, K. Cho and Y. Bengio, How to Construct Deep Recurrent Neural Networks, ICLR 2014; A. Graves, Generating
Sequences With Recurrent Neural Networks, arXiv 1308.0850, 2013 (skip).
"""

import math

from rnnbench.report.charts import BESIDE, log_axes
from rnnbench.report.style import line_styles
from rnnbench.runner.claims import compare, holds, ranking
from rnnbench.runner.intervals import bootstrap_median
from rnnbench.studies import choices, curves, misses

NETWORKS = ("shallow", "stacked", "skip", "transition", "shortcut")
CHOSEN = {
    "shallow/10": 0.01, "shallow/20": 0.01, "shallow/30": 0.001, "shortcut/10": 0.01, "shortcut/20": 0.001,
    "shortcut/30": 0.001, "skip/10": 0.01, "skip/20": 0.01, "skip/30": 0.01, "stacked/10": 0.01, "stacked/20": 0.01,
    "stacked/30": 0.003, "transition/10": 0.01, "transition/20": 0.01, "transition/30": 0.001,
}  # fmt: skip
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.001
SEEDS, BATCH, CLIP, PARAMETERS = 5, 20, 1.0, 5000
STEPS, LENGTHS, LAGS = 1500, (10, 20, 30), 30
BOOK = "Goodfellow, Bengio & Courville 2016, figure 10.13"
# Paths in T steps, by kind: shortest and longest in matrices per further step.
PER_STEP = {"shallow": (1, 1), "stacked": (1, 1), "skip": (1, 1), "transition": (2, 2), "shortcut": (1, 2)}


def sweep(preset, device):
    """Paths and gradients of each network, then training by length."""
    match preset:
        case "smoke":
            return [*_gradients(300, 10, 1), *(_training(kind, 10, 20, 300, 2) for kind in ("shallow", "transition"))]
        case "search":
            return [
                _training(kind, length, 1000, PARAMETERS, 2) | {"rate": rate}
                for kind in NETWORKS for length in LENGTHS for rate in RATES
            ]  # fmt: skip
        case "quick":
            trained = [_training(kind, length, STEPS, PARAMETERS) for length in LENGTHS for kind in NETWORKS]
            return [*_gradients(PARAMETERS, LAGS, SEEDS), *trained]
        case "paper":
            lengths = (50, 100, 150, 200)
            trained = [_training(kind, length, 50_000, 100_000) for length in lengths for kind in NETWORKS]
            return [*_gradients(100_000, 200, SEEDS), *trained]


def _gradients(budget, length, seeds):
    common = {"study": "gradient", "length": length, "budget": budget, "seeds": seeds}
    return [{"network": kind} | common for kind in NETWORKS]


def _training(kind, length, steps, budget, seeds=SEEDS):
    setting = {"network": kind, "study": "training", "length": length, "budget": budget, "seeds": seeds}
    return setting | {"steps": steps, "batch": BATCH, "rate": CHOSEN.get(f"{kind}/{length}", DEFAULT)}


def run(setting, rng):
    """One network: its gradients, or its training."""
    from functools import partial

    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn
    from rnnbench.training.clipping import Clip

    task = tasks.get("temporal_order")
    build = partial(_network, setting["network"], task.inputs, task.outputs, device=setting["device"])
    hidden = sizes.units_of(lambda units: build(units, seed=0), setting["budget"])
    if setting["study"] == "gradient":
        paths = {"kind": "paths", "shortest": _slope(setting, 1e-3), "longest": _slope(setting, 1e3)}
        return [paths, *_norms(build, hidden, task.inputs, setting, rng)]
    rows = learn(
        lambda seed: build(hidden, seed=seed, embedding="one_hot"), task, rng, seeds=setting["seeds"],
        steps=setting["steps"], rate=setting["rate"], length=setting["length"], batch_size=setting["batch"],
        clip=Clip("norm", CLIP),
    )  # fmt: skip
    return [row | {"hidden": hidden} if row["kind"] == "end" else row for row in rows]


def _network(kind, inputs, outputs, hidden, *, seed, activation="tanh", embedding=None, dtype="float32", device="cpu"):
    from rnnbench.layers import Network, OneHot, ThreeBlocks

    options = {"seed": seed, "activation": activation, "dtype": dtype, "device": device}
    if kind in ("transition", "shortcut"):
        blocks = ThreeBlocks(inputs, hidden, outputs, shortcut=kind == "shortcut", **options)
        before = {"embedding": OneHot(inputs, dtype=dtype, replicas=blocks.replicas)} if embedding else {}
        return Network(**before, blocks=blocks)
    layers = 1 if kind == "shallow" else 2
    return Network.build(
        "elman", inputs, outputs, hidden, layers=layers, skip=kind == "skip", embedding=embedding, **options
    )


def _slope(setting, w):
    """Log-log slope, from w to 2 w, of the last output's gradient by the first input, per further step."""
    import numpy as np

    logs = []
    for steps in (5, 10):
        for weight in (w, 2 * w):
            network = _network(setting["network"], 1, 1, 1, seed=0, activation="linear", dtype="float64")
            for value in network.parameters().values():
                value[...] = weight if value.ndim > 1 else 0
            y, _ = network.forward(np.zeros((steps, 1, 1)))
            dy = np.zeros_like(y)
            dy[-1] = 1
            dx, _ = network.backward(dy)
            logs.append(math.log(dx[0].item()))
    short, long = logs[1] - logs[0], logs[3] - logs[2]
    return (long - short) / 5 / math.log(2)


def _norms(build, hidden, inputs, setting, rng):
    """ln of the norm of the gradient of a random combination of the last outputs, by the input at each lag."""
    import numpy as np

    rows = []
    for replica, seed in enumerate(rng.spawn(setting["seeds"])):
        network = build(hidden, seed=seed, dtype="float64")
        y, _ = network.forward(seed.normal(size=(setting["length"] + 1, 20, inputs)))
        dy = np.zeros_like(y)
        dy[-1] = seed.normal(size=dy[-1].shape)
        dx, _ = network.backward(dy)
        norms = np.log(np.linalg.norm(dx[::-1], axis=2)).mean(axis=1)
        norms -= norms[0]
        last = np.arange(len(norms)) > len(norms) // 3
        slope = np.polyfit(np.flatnonzero(last), norms[last], 1)[0]
        rows.append({"kind": "slope", "replica": replica, "slope": float(slope)})
        lags = np.unique(np.linspace(0, setting["length"], 11).astype(int))
        rows += [{"kind": "norm", "replica": replica, "lag": int(lag), "log_norm": float(norms[lag])} for lag in lags]
    return rows


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df, by=("network", "length"))


def claims(df):
    """Lengths of paths, what they do to gradients, and what that does to learning."""
    paths = curves.of_kind(df, "paths", "shortest", "longest", words=["network"]).drop_duplicates("network")
    cases = [
        abs(row.shortest - PER_STEP[row.network][0]) < 0.05 and abs(row.longest - PER_STEP[row.network][1]) < 0.05
        for row in paths.itertuples()
    ]
    slopes = curves.of_kind(df, "slope", "slope", "budget", words=["network"])
    slopes = slopes[slopes["budget"] >= PARAMETERS]
    single, double = (slopes.loc[slopes["network"] == kind, "slope"] for kind in ("shallow", "transition"))
    ratio = [b / a for a, b in zip(single, double, strict=True)] if len(single) == len(double) else []
    ends = curves.of_kind(df, "end", "length", "loss", "budget", words=["network"])
    ends = ends[ends["budget"] >= PARAMETERS]
    found = [
        holds(
            "paths", "From one step to the next, the shortest path of a gradient has one matrix in stacked layers, two "
            "in a transition by a perceptron of two layers, and one again with a shortcut (the longest still has two).",
            BOOK, cases, note="Case by case the five networks; lengths measured on linear networks.",
        ),
        compare(
            "decay", "At the start of training the gradient falls twice as fast by step through a transition of two "
            "layers as through one recurrent layer.", "derived: two matrices and two tanh of the same scale a step",
            published=2.0, tolerance=0.2, measured=float(sorted(ratio)[len(ratio) // 2]) if ratio else None,
            interval=bootstrap_median(ratio) if len(ratio) > 1 else None,
            note=f"Ratio of the slopes of the log norm, median of {len(ratio)} seeds." if ratio else "",
        ),
        ranking(
            "depth in time is harder", "Over long lags a network with a deep transition ends with a higher loss than "
            "one recurrent layer of as many parameters.", "Goodfellow, Bengio & Courville 2016, section 10.5",
            _against(ends, "transition", "shallow"), of="losses",
        ),
        ranking(
            "shortcuts help", "With a shortcut from state to state the deep transition has a lower loss.",
            "Pascanu et al. 2014, section 3.3.1; Goodfellow, Bengio & Courville 2016, section 10.5",
            _against(ends, "transition", "shortcut"), of="losses",
        ),
    ]  # fmt: skip
    return misses.told(found, MISSES)


MISSES = {
    "depth in time is harder": "No deep transition learned T = 20 or 30; nor did two of five single "
    "layers at 20, and one at 30.",
}


def _against(ends, worse, better):
    """Losses of two networks at every length but the shortest."""
    return {
        f"T = {length:g}": tuple(rows.loc[rows["network"] == kind, "loss"] for kind in (worse, better))
        for length, rows in ends.groupby("length")
        if length > LENGTHS[0]
    }


def figures(df):
    """Gradient norms by lag, and learning curves by length."""
    found = {}
    norms = curves.of_kind(df, "norm", "lag", "log_norm")
    if len(norms):
        figure, axes = log_axes("lag (steps)", "gradient by the input, against lag 0")
        for name, look in line_styles(NETWORKS).items():
            rows = norms[norms["network"] == name]
            rows = rows.assign(decades=rows["log_norm"] / math.log(10))
            curves.band(axes[0, 0], rows, "lag", "decades", name, look)
        axes[0, 0].locator_params(axis="y", integer=True)
        axes[0, 0].legend(**BESIDE)
        found["gradients"] = (figure, GRADIENTS)
    trained = df[df["study"] == "training"]
    if len(curves.of_kind(trained, "curve", "step")):
        curve = curves.learning_curves(
            trained, by="network", groups=NETWORKS, parts="length", title="T = {:g}", ylabel="loss (nats)"
        )
        found["curves"] = (curve, CURVES)
    return found


GRADIENTS = (
    "Untrained tanh networks of equal size: norm of the gradient of the last output by an input so many steps before. "
    "A transition of two layers has two matrices to a step and loses the gradient twice as fast; layers on top of each "
    "other do not; a shortcut from state to state takes the length of the way back."
)
CURVES = (
    "Temporal order over T steps: median loss over the seeds, with their range; the dotted line is the naive loss, "
    "ln 4. What loses the gradient at once learns short sequences only."
)


def tables(df):
    """Path lengths, and how training ended."""
    paths = curves.of_kind(df, "paths", "shortest", "longest")
    found = {
        "paths": (paths[["network", "shortest", "longest"]].round(3), "Matrices on the way of a gradient, per step."),
        "ends": (
            curves.ends(df, ["length", "network", "hidden", "rate"]),
            "Medians over the seeds at the end of training, on fresh sequences; naive: loss 1.386, success 0.25.",
        ),
    }
    return {name: told for name, told in found.items() if len(told[0])}

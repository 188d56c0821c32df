"""How deep is a tree beside a chain, and what does that help?

Method: depth is measured as the number of products between a leaf and the root. In float64, with weights that multiply
a gradient by 0.9 at each product (orthogonal blocks times 0.9) and inputs of 0, where tanh has the slope 1, the
gradient of the root by a leaf is 0.9^depth; the same for a tanh network's last state and first step. Training: the task
``latch`` (one step tells a sign, then noise of variance 0.2; the sign is asked for at the end, target 0.8) on T steps,
by a recursive network over balanced trees (16 units) and recurrent networks of as many parameters (the LSTM with forget
bias 1); Adam, batches of 32, 1,000 steps, gradient norms clipped at 1, five seeds side by side, each model at the
learning rate that the preset "search" chose for it at T = 16, where all of them learn. The naive predictor says 0: loss
0.64, right in a half.

Sources: J. B. Pollack, Recursive Distributed Representations, Artificial Intelligence 46, 1990; I. Goodfellow, Y.
Bengio and A. Courville, Deep Learning, 2016, section 10.6 (depth log T for T); Y. Bengio, P. Simard and P. Frasconi,
Learning Long-Term Dependencies with Gradient Descent is Difficult, IEEE Transactions on Neural Networks 1994 (the
task).
"""

from rnnbench import cells
from rnnbench.runner.claims import compare, holds, ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.misses import told

CELLS = ("elman", "lstm")
CHOSEN = {"elman": 0.01, "lstm": 0.01, "tree": 0.01}
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.003
SEEDS, STEPS, UNITS, RHO = 5, 1000, 16, 0.9
LENGTHS, DEPTHS = (16, 64, 128), (2, 4, 8, 16, 32, 64, 128, 256)
BOOK = "Goodfellow, Bengio & Courville 2016, section 10.6"


def sweep(preset, device):
    """Models by lengths, and the depth; the search has two seeds at each rate, and half the steps."""
    match preset:
        case "smoke":
            return [_trained("tree", 4, 5, seeds=2), {"part": "depth", "longest": 16}]
        case "search":
            return [
                _trained(model, LENGTHS[0], STEPS // 2, seeds=2, rate=rate) for model in _models() for rate in RATES
            ]
        case "quick":
            return _all(LENGTHS, STEPS)
        case "paper":
            return _all((16, 64, 256, 1024), 10_000)


def _models():
    return dict.fromkeys(("tree", *CELLS, *cells.added()))


def _all(lengths, steps):
    found = [_trained(model, length, steps) for model in _models() for length in lengths]
    return [*found, {"part": "depth", "longest": DEPTHS[-1]}]


def _trained(model, length, steps, seeds=SEEDS, **others):
    setting = {"part": "training", "model": model} | ({} if model == "tree" else {"cell": model})
    setting |= {"forget_bias": 1.0} if model == "lstm" else {}
    setting |= {"length": length, "steps": steps, "seeds": seeds}
    return setting | {"rate": CHOSEN.get(model, DEFAULT)} | others


def run(setting, rng):
    """Measure depths, or train all seeds of one model side by side."""
    if setting["part"] == "depth":
        return [row for length in DEPTHS if length <= setting["longest"] for row in _depths(length, rng)]

    from rnnbench import tasks
    from rnnbench.studies.learning import learn
    from rnnbench.training.clipping import Clip

    task = tasks.get("latch", informative=1)
    return learn(
        _builder(setting, task), task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"],
        batch_size=32, length=setting["length"], clip=Clip("norm", 1.0),
    )  # fmt: skip


def _builder(setting, task):
    """A function of a seed to the recursive network, or to a recurrent one with as many parameters."""
    from rnnbench.layers import Chain, Dense
    from rnnbench.layers.tree import Tree
    from rnnbench.studies.learning import network_for
    from rnnbench.studies.sizes import units

    def build(seed):
        return Chain(tree=Tree(task.inputs, UNITS, seed=seed), readout=Dense(UNITS, task.outputs, seed=seed))

    if setting["model"] == "tree":
        return build
    size = sum(value.size for value in build(0).parameters().values())
    hidden = units(setting["cell"], task.inputs, task.outputs, size)
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if "forget_bias" in setting else None
    return network_for(task, setting["cell"], hidden, readout="last", init=init)


def _depths(length, rng):
    """How many products lie between the first of so many steps and the end: of a tree, and of a chain."""
    import numpy as np

    from rnnbench.layers import Recurrent
    from rnnbench.layers.initialise import orthogonal
    from rnnbench.layers.tree import Tree

    x = np.zeros((length, 1, UNITS))
    tree = Tree(UNITS, UNITS, dtype="float64")
    chain = Recurrent("elman", UNITS, UNITS, dtype="float64")
    square = {name: orthogonal(rng, (UNITS, UNITS), RHO) for name in ("left", "right", "again")}
    for layer in (tree, chain):
        for path, value in layer.parameters().items():
            value[...] = 0
            if path in ("leaf.weight", "weight_ih"):
                value[...] = np.eye(UNITS)
    tree.parameters()["node.weight"][...] = np.concatenate([square["left"], square["right"]], axis=1)
    chain.parameters()["weight_hh"][...] = square["again"]
    for name, layer in (("tree", tree), ("chain", chain)):
        y, _ = layer.forward(x)
        dy = np.zeros(y.shape)
        dy[-1] = rng.normal(size=dy[-1].shape)
        dx, _ = layer.backward(dy)
        depth = np.log(np.linalg.norm(dx[0]) / np.linalg.norm(dy)) / np.log(RHO)
        yield {"kind": "depth", "model": name, "length": length, "depth": float(depth)}


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df, by=("model",))


def claims(df):
    """Depths, and what is learned at each length."""
    from math import log2

    depth = curves.of_kind(df, "depth", "depth", "length")
    ends = curves.of_kind(df, "end", "loss", "success", "length", "steps")
    ends = ends[ends["steps"] >= STEPS]
    ends["model"] = ends.get("model")
    loss = {
        (model, length): rows["loss"]
        for (model, length), rows in (ends.groupby(["model", "length"]) if len(ends) else ())
    }
    of_tree = [(row.length, row.depth) for row in depth.itertuples() if row.model == "tree"]
    of_chain = [(row.length, row.depth) for row in depth.itertuples() if row.model == "chain"]
    of_trees = ends[ends["model"] == "tree"]
    longest = max(length for length, _ in of_tree) if of_tree else 0
    found = [
        holds(
            "depth of a tree", "A balanced tree over T leaves has the depth log2 T.", BOOK,
            [abs(found - log2(length)) < 1e-4 for length, found in of_tree],
            note="Measured by gradients, T = 2 to 256.",
        ),
        holds(
            "depth of a chain", "A chain of T steps has the depth T - 1.", BOOK,
            [abs(found - (length - 1)) < 1e-4 for length, found in of_chain],
        ),
        compare(
            "depth at the longest", "Over 256 leaves the depth is 8.", "derived", published=8.0, tolerance=1e-4,
            measured=dict(of_tree)[longest] if longest == DEPTHS[-1] else None,
        ),
        median(
            "a tree latches", "The recursive network tells the first step's sign after up to 128 noisy ones: 99 % are "
            "right.", "derived", of_trees["success"], where=of_trees[["length"]],
            note="Naive: a half.", at_least=0.99,
        ),
        *(
            ranking(
                f"tree before {cell}", f"At as many parameters the recursive network has a lower loss than {cell}, "
                "from T = 64 on.", f"derived; {BOOK}",
                {f"T = {length:g}": (loss[cell, length], loss[model, length])
                 for model, length in loss if model == "tree" and length >= 64 and (cell, length) in loss},
                of="losses",
            )
            for cell in CELLS
        ),
    ]  # fmt: skip
    return told(found, MISSES)


def figures(df):
    """Depth by length, and losses while training."""
    import matplotlib.pyplot as plt

    from rnnbench.report.style import line_styles

    drawn = {}
    depth = curves.of_kind(df, "depth", "depth", "length")
    if len(depth):
        figure, ax = plt.subplots(figsize=(8, 4.3))
        for name, look in line_styles(("tree", "chain")).items():
            rows = depth[depth["model"] == name].sort_values("length")
            ax.plot(rows["length"], rows["depth"], label=name, **look)
        ax.set(xlabel="length T", ylabel="products between first step and end", xscale="log", yscale="log")
        ax.legend()
        drawn["depth"] = figure, DEPTH
    training = df[df["part"] == "training"]
    if len(training):
        figure = curves.learning_curves(training, by="model", parts="length", title="T = {:g}", ylabel="squared error")
        drawn["curves"] = figure, CURVES
    return drawn


MISSES = {
    "tree before elman": "Some seeds of the tanh network latch, at any length: one unit with a weight above 1 does, "
    "and the chosen rate is the highest of three.",
}
DEPTH = (
    "How many products a gradient passes between the first of T steps and the end, measured on the networks: "
    "log2 T in a balanced tree, T - 1 in a chain."
)
CURVES = (
    "One sign, then noise: median loss over the seeds, with their range; dotted: the naive loss. What a chain has "
    "to carry over T steps is only log2 T nodes away from the root of a tree."
)


def tables(df):
    """How training ended."""
    ends = curves.of_kind(df, "end", "length")
    if not len(ends):
        return {}
    caption = "Medians over the seeds on fresh sequences; naive: loss 0.64, success a half."
    return {"ends": (curves.ends(df, ["length", "model", "rate"]), caption)}

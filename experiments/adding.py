"""Which cells learn to add two numbers that stand far apart?

Method: the task ``adding`` (variant urnn: values from U(0, 1), one marked in each half, the answer at the last step,
squared error). RMSProp with a batch of 20 and gradient norms clipped at 1, H = 128, the LSTM with forget bias 1, five
seeds side by side, each cell at the learning rate that the preset "search" chose for it on random numbers of its own.
The naive predictor says 1 and has the loss 1/6. Loss and success (error below 0.04) are of 1,000 fresh sequences for
each seed. ``--cells my_cell.py`` adds a cell of your own; one that was not searched for has the rate 0.001.

Sources: M. Arjovsky, A. Shah and Y. Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016, section 5.2 and the
authors' code (H = 128, RMSProp, 0.001); S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9,
1997, experiment 4; Q. V. Le, N. Jaitly and G. E. Hinton, A Simple Way to Initialize Recurrent Networks of Rectified
Linear Units, arXiv 1504.00941, 2015.
"""

from rnnbench import cells
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median

CELLS = ("elman", "irnn", "gru", "lstm")
CHOSEN = {"elman": 0.001, "gru": 0.003, "irnn": 0.003, "lstm": 0.01}
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.001
FORGET_BIAS = {"lstm": 1.0}
SEEDS, HIDDEN, BATCH, CLIP = 5, 128, 20, 1.0
SOLVED, NAIVE = 0.01, 1 / 6
ORDER = "Arjovsky, Shah & Bengio 2016, section 5.2"


def sweep(preset, device):
    """Cells by lengths; the search has two seeds at each learning rate, and two thirds of the steps."""
    match preset:
        case "smoke":
            return [_setting(cell, 10, 20, 16, 2) for cell in _cells(("elman", "lstm"))]
        case "search":
            return [_setting(cell, 50, 2000, HIDDEN, 2, rate=rate) for cell in _cells(CELLS) for rate in RATES]
        case "quick":
            return [_setting(cell, 50, 3000, HIDDEN) for cell in _cells(CELLS)]
        case "paper":
            lengths = {100: 10_000, 200: 20_000, 400: 40_000, 750: 40_000}
            return [_setting(cell, n, steps, HIDDEN) for n, steps in lengths.items() for cell in _cells(CELLS)]


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _setting(cell, length, steps, hidden, seeds=SEEDS, **others):
    setting = {"cell": cell, "length": length, "steps": steps, "hidden": hidden, "batch": BATCH, "seeds": seeds}
    setting |= {"forget_bias": FORGET_BIAS.get(cell, 0.0)}
    return setting | {"rate": CHOSEN.get(cell, DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip

    task = tasks.get("adding")
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None
    build = network_for(task, setting["cell"], setting["hidden"], readout="last", init=init, device=setting["device"])
    return learn(
        build, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"],
        optimiser="rmsprop", length=setting["length"], batch_size=setting["batch"], clip=Clip("norm", CLIP),
    )  # fmt: skip


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df)


def claims(df):
    """The published outcomes, at the lengths that were run."""
    ends = curves.of_kind(df, "end", "length", "loss", "success")
    ends = ends[(ends["hidden"] >= HIDDEN) & (ends["steps"] >= 3000)]
    short, long = ends[ends["length"] == 50], ends[ends["length"] >= 100]
    losses = {cell: short.loc[short["cell"] == cell, "loss"] for cell in CELLS}
    return [
        _median(
            "LSTM, T = 50", "An LSTM of 128 units adds over 50 steps: its loss is below 0.01 after 3,000 updates.",
            losses["lstm"], at_most=SOLVED,
        ),
        _median(
            "tanh, T = 50", "A tanh network stays near the naive loss of 1/6 (above 0.15) over 50 steps.",
            losses["elman"], at_least=0.15,
        ),
        ranking(
            "gates add, T = 50", "LSTM and GRU have a lower loss than a tanh network, every seed of one than every "
            "seed of the other.", ORDER,
            {name: (losses["elman"], losses[name]) for name in ("lstm", "gru")}, of="losses",
        ),
        ranking(
            "IRNN before tanh, T = 50", "Rectified linear units that start as the identity have a lower loss than tanh "
            "units.", "Le, Jaitly & Hinton 2015, section 4.1 (there from T = 150 on)",
            {"T = 50": (losses["elman"], losses["irnn"])}, of="losses",
        ),
        _median(
            "LSTM, T >= 100", "An LSTM solves T = 100 to 400 (loss below 0.01).",
            long.loc[(long["cell"] == "lstm") & (long["length"] <= 400), "loss"], at_most=SOLVED,
        ),
        _median(
            "tanh, T >= 100", "At T of 100 and more a tanh network never beats the naive loss by a tenth.",
            long.loc[long["cell"] == "elman", "loss"], at_least=0.9 * NAIVE,
        ),
    ]  # fmt: skip


def _median(name, statement, values, **limits):
    return median(name, statement, ORDER, values, note=f"The naive loss is {NAIVE:.3f}.", **limits)


def figures(df):
    """Losses against steps, beside the naive one."""
    figure = curves.learning_curves(df, parts="length", title="T = {:g}", ylabel="squared error")
    return {"curves": (figure, CURVES)}


CURVES = (
    "Adding two marked numbers: median loss over the seeds, with their range; the dotted line is the naive loss, 1/6. "
    "A tanh network stays there; those whose state can hold a value leave it."
)


def tables(df):
    """Loss and success at the end, beside the naive predictor's."""
    caption = "Medians over the seeds at the end of training, on fresh sequences; naive: loss 1/6, success 0.078."
    return {"ends": (curves.ends(df, ["length", "cell", "hidden", "rate"]), caption)}

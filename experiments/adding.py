"""Which cells learn to add two numbers that stand far apart?

Method: the task ``adding`` (variant urnn: values from U(0, 1), one marked in each half, the answer at the last step,
squared error). RMSProp with a batch of 20 and gradient norms clipped at 1 (the authors' code clips each number of the
gradient), the LSTM with forget bias 1, five seeds side by side. Claims about the published size are of 128 units.
Architectures are ranked with as many parameters, readout included, as 128 tanh units have, 16,897: an LSTM then has 63
units, a GRU 73. Each network has the learning rate that the preset "search" chose for it, at its size, on random
numbers of its own. The naive predictor says 1 and has the loss 1/6. Loss and success (error below 0.04) are of 1,000
fresh sequences for each seed. ``--cells my_cell.py`` adds a cell of your own with as many parameters; one that was not
searched for has the rate 0.001.

Sources: M. Arjovsky, A. Shah and Y. Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016, section 5.2 and the
authors' code (H = 128, RMSProp, 0.001); S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9,
1997, experiment 4; Q. V. Le, N. Jaitly and G. E. Hinton, A Simple Way to Initialize Recurrent Networks of Rectified
Linear Units, arXiv 1504.00941, 2015.
"""

from rnnbench import cells
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.misses import told

CELLS, GATED = ("elman", "irnn", "gru", "lstm"), ("gru", "lstm")
CHOSEN = {
    "elman": 0.001, "gru": 0.003, "gru, matched": 0.01, "irnn": 0.003, "lstm": 0.01, "lstm, matched": 0.01,
}  # fmt: skip
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.001
FORGET_BIAS = {"lstm": 1.0}
SEEDS, HIDDEN, PARAMETERS, BATCH, CLIP, STEPS = 5, 128, 16_897, 20, 1.0, 3000
SOLVED, NAIVE = 0.01, 1 / 6
ORDER = "Arjovsky, Shah & Bengio 2016, section 5.2"


def sweep(preset, device):
    """Cells by lengths and sizes; the search has two seeds at each learning rate, and two thirds of the steps."""
    match preset:
        case "smoke":
            return [_setting("elman", 10, 20, 2, hidden=16), *_matched(GATED, 10, 20, 2, parameters_wanted=321)]
        case "search":
            found = [_setting(cell, 50, 2000, 2, hidden=HIDDEN, rate=rate) for cell in CELLS for rate in RATES]
            return found + [one for rate in RATES for one in _matched(GATED, 50, 2000, 2, rate=rate)]
        case "quick":
            return _short()
        case "paper":
            lengths = {100: 10_000, 200: 20_000, 400: 40_000, 750: 40_000}
            found = _short()
            for length, steps in lengths.items():
                found += [_setting(cell, length, steps, hidden=HIDDEN) for cell in CELLS]
                found += _matched((), length, steps)
            return found


def _short():
    """At T = 50 tanh and rectified units, which have as many parameters; LSTMs of both sizes; a matched GRU."""
    published = [_setting(cell, 50, STEPS, hidden=HIDDEN) for cell in ("lstm", "elman", "irnn")]
    return published + _matched(GATED, 50, STEPS)


def _matched(names, *arguments, parameters_wanted=PARAMETERS, **others):
    everyone = dict.fromkeys((*names, *cells.added()))
    return [_setting(cell, *arguments, parameters_wanted=parameters_wanted, **others) for cell in everyone]


def _setting(cell, length, steps, seeds=SEEDS, **others):
    """`others` has the size: either ``hidden`` or ``parameters_wanted``."""
    name = f"{cell}, matched" if "parameters_wanted" in others else cell
    setting = {"cell": cell, "length": length, "steps": steps, "batch": BATCH, "seeds": seeds}
    setting |= {"forget_bias": FORGET_BIAS.get(cell, 0.0)}
    return setting | {"rate": CHOSEN.get(name, DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip

    task, cell = tasks.get("adding"), setting["cell"]
    hidden = setting.get("hidden") or sizes.units(cell, task.inputs, task.outputs, setting["parameters_wanted"])
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None
    build = network_for(task, cell, hidden, readout="last", init=init, device=setting["device"])
    rows = learn(
        build, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"],
        optimiser="rmsprop", length=setting["length"], batch_size=setting["batch"], clip=Clip("norm", CLIP),
    )  # fmt: skip
    return [row | {"hidden": hidden} for row in rows]


def choose(df):
    """The learning rate with the lowest median loss, for each cell and size."""
    return choices.best(_named(df), by=["network"])


def _named(df):
    """The frame with a network's name, its cell and whether its size is matched."""
    matched = df.reindex(columns=["parameters_wanted"]).notna()["parameters_wanted"]
    return df.assign(network=df["cell"].mask(matched, df["cell"] + ", matched"))


def claims(df):
    """The published outcomes, at the lengths that were run."""
    ends = curves.of_kind(df, "end", "length", "loss", "steps", "hidden", "parameters", words=["cell"])
    ends = ends[ends["steps"] >= STEPS]
    alike = ends[(ends["length"] == 50) & (abs(ends["parameters"] / PARAMETERS - 1) < 0.05)]
    ends = ends[ends["hidden"] >= HIDDEN]
    short, long = ends[ends["length"] == 50], ends[ends["length"] >= 100]
    solved, tanh = long[(long["cell"] == "lstm") & (long["length"] <= 400)], long[long["cell"] == "elman"]
    losses, of_size = ({cell: rows.loc[rows["cell"] == cell, "loss"] for cell in CELLS} for rows in (short, alike))
    found = [
        _median(
            "LSTM, T = 50", "An LSTM of 128 units adds over 50 steps: its loss is below 0.01 after 3,000 updates.",
            losses["lstm"], at_most=SOLVED,
        ),
        _median(
            "tanh, T = 50", "A tanh network stays near the naive loss of 1/6 (above 0.15) over 50 steps.",
            losses["elman"], at_least=0.15,
        ),
        ranking(
            "gates add, T = 50", "With as many parameters LSTM and GRU have a lower loss than a tanh network, every "
            "seed of one than every seed of the other.", ORDER + " (there with as many units)",
            {name: (of_size["elman"], of_size[name]) for name in ("lstm", "gru")}, of="losses",
        ),
        ranking(
            "IRNN before tanh, T = 50", "Rectified linear units that start as the identity have a lower loss than as "
            "many tanh units.", "Le, Jaitly & Hinton 2015, section 4.1 (there from T = 150 on)",
            {"T = 50": (losses["elman"], losses["irnn"])}, of="losses",
        ),
        _median(
            "LSTM, T >= 100", "An LSTM solves T = 100 to 400 (loss below 0.01).",
            solved["loss"], where=solved[["length"]], at_most=SOLVED,
        ),
        _median(
            "tanh, T >= 100", "At T of 100 and more a tanh network never beats the naive loss by a tenth.",
            tanh["loss"], where=tanh[["length"]], at_least=0.9 * NAIVE,
        ),
    ]  # fmt: skip
    return told(found, MISSES)


def _median(name, statement, values, **more):
    return median(name, statement, ORDER, values, note=f"The naive loss is {NAIVE:.3f}.", **more)


MISSES = {
    "LSTM, T = 50": "At the rate that the search chose, 0.01, two of five seeds are still near the naive loss after "
    "the 3,000 updates; in the search, at 0.001 and 0.003, both were after 2,000. All five seeds of 63 units solve it.",
}


def figures(df):
    """Losses against steps, beside the naive one."""
    named = _named(df)
    figure = curves.learning_curves(named, by="network", parts="length", title="T = {:g}", ylabel="squared error")
    return {"curves": (figure, CURVES)}


CURVES = (
    "Adding two marked numbers: median loss over the seeds, with their range; the dotted line is the naive loss, 1/6. "
    "A tanh network stays there; those whose state can hold a value leave it. 'Matched' is what has as many "
    "parameters as 128 tanh units; all else has 128 units."
)


def tables(df):
    """Loss and success at the end, beside the naive predictor's."""
    caption = "Medians over the seeds at the end of training, on fresh sequences; naive: loss 1/6, success 0.078."
    return {"ends": (curves.ends(df, ["length", "cell", "hidden", "rate"]), caption)}

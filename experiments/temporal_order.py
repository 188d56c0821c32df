"""Which cells learn the order of symbols that stand far apart?

Method: the task ``temporal_order`` as in the LSTM paper (variants lstm_97, experiment 6a: two relevant symbols among
distractors in 100 to 110 steps, four classes at the last step; lstm_97_3, experiment 6b: three of them, eight classes).
Every cell has the hidden size with which it and its readout come nearest to 1,000 weights, the LSTM the forget bias 5
(a time constant of 149 steps; with the bias 1, one of 3, it did not leave the naive loss in the search), Adam with
batches of 20, gradient norms clipped at 1, five seeds side by side, the learning rate that "search" chose on random
numbers of its own. A run succeeds once 2,000 fresh sequences are all right, each class within 0.3 of what it should be
(the paper's criterion, with its squared error below 0.1 implied); this is looked at every 100 updates. The naive
predictor calls all classes alike: loss ln 4 (ln 8), no sequence right, so it never succeeds.
``--cells my_cell.py`` adds a cell of your own; one that was not searched for has the rate 0.01.

What differs from the paper: its LSTM has 156 (6a) or 308 (6b) weights and no forget gate, cuts errors off where they
leave a memory cell, and learns from one sequence at a time with a fixed step. ``lstm_1997`` has its equations.

Source: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, experiment 6.
"""

from rnnbench import cells
from rnnbench.report.charts import BESIDE
from rnnbench.report.style import line_styles
from rnnbench.studies import choices, curves, rates
from rnnbench.studies.medians import median

CELLS = ("elman", "gru", "lstm_1997", "lstm")
CHOSEN = {"elman": 0.003, "gru": 0.03, "lstm": 0.003, "lstm_1997": 0.01}
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
FORGET_BIAS = {"lstm": 5.0}
SEEDS, WEIGHTS, BATCH, CLIP, STEPS = 5, 1000, 20, 1.0, 3000
VARIANTS = {2: "lstm_97", 3: "lstm_97_3"}
PLATEAU = (
    "All runs start with a plateau at the naive loss, which in one trial some leave after 200 updates and others after "
    "2,900: what fails has not left it, or has lost what it had learned, when the updates are used up."
)
ORDER = "Hochreiter & Schmidhuber 1997, experiment 6"


def sweep(preset, device):
    """Cells by number of relevant symbols; the search has two seeds at each learning rate, and fewer steps."""
    match preset:
        case "smoke":
            return [_setting(cell, 2, 10, 10, seeds=2, weights=100, every=5) for cell in _cells(("elman", "lstm"))]
        case "search":
            return [_setting(cell, 2, 100, 1200, seeds=2, rate=rate, every=0) for cell in CELLS for rate in RATES]
        case "quick":
            return [_setting(cell, 2, 100, STEPS) for cell in _cells(CELLS)]
        case "paper":
            most = {2: 10_000, 3: 60_000}
            return [_setting(cell, symbols, 100, most[symbols]) for symbols in most for cell in _cells(CELLS)]


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _setting(cell, symbols, length, steps, **others):
    setting = {"cell": cell, "symbols": symbols, "length": length, "steps": steps, "weights": WEIGHTS, "batch": BATCH}
    setting |= {"seeds": SEEDS, "every": 100, "forget_bias": FORGET_BIAS.get(cell, 0.0)}
    return setting | {"rate": CHOSEN.get(cell, DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training import Stopping
    from rnnbench.training.clipping import Clip

    task = tasks.get("temporal_order", VARIANTS[setting["symbols"]])
    hidden = sizes.units(setting["cell"], task.inputs, task.outputs, setting["weights"])
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None
    build = network_for(task, setting["cell"], hidden, init=init, device=setting["device"])
    every = setting["every"]
    return learn(
        build, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"],
        length=setting["length"], batch_size=setting["batch"], clip=Clip("norm", CLIP),
        stopping=Stopping(every=every, size=2000, wrong=1 / 2000) if every else None,
    )  # fmt: skip


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df)


def claims(df):
    """What the LSTM paper says of experiment 6, and of those before it."""
    ends = _ends(df)
    ends = ends[ends["length"] >= 100]
    found = []
    for symbols, published, steps in ((2, 31_390, STEPS), (3, 571_100, 60_000)):
        here = ends[(ends["symbols"] == symbols) & (ends["steps"] >= steps)]
        solved = {cell: here.loc[here["cell"] == cell, "solved"] for cell in CELLS}
        told = f"{symbols} symbols"
        used = here.loc[here["cell"] == "lstm_1997", "sequences"]
        found += [
            rates.rate(
                f"LSTM of 1997, {told}", f"Every LSTM without forget gates learns the order of {told}.", ORDER,
                solved["lstm_1997"], at_least=1.0, note=PLATEAU,
            ),
            rates.rate(
                f"LSTM, {told}", f"So does every LSTM with forget gates ({told}).", ORDER + " (there without)",
                solved["lstm"], at_least=1.0, note=PLATEAU,
            ),
            median(
                f"sequences, {told}", f"The LSTM of 1997 needs no more than the {published:,} sequences of the paper "
                f"({told}).", ORDER + " (unconfirmed)", used, at_most=published,
                note="Those that do not succeed count with all that they saw; ours are in batches of 20, by Adam.",
            ),
            rates.rate(
                f"tanh, {told}", f"No tanh network learns the order of {told} (the paper: no recurrent net had "
                "before).", ORDER, solved["elman"], at_most=0.0,
            ),
            rates.gain(
                f"LSTM against tanh, {told}", f"More LSTMs than tanh networks learn the order of {told} (at least two "
                "seeds of five more).", ORDER, solved["lstm"], solved["elman"], at_least=2 / SEEDS,
            ),
        ]  # fmt: skip
    return found


def _ends(df):
    numbers = "symbols", "length", "steps", "stopped", "batch", "success", "loss"
    ends = curves.of_kind(df, "end", *numbers, words=("cell", "outcome"))
    return ends.assign(solved=ends["outcome"] == "solved", sequences=ends["stopped"] * ends["batch"])


def figures(df):
    """How many runs have succeeded after so many sequences."""
    if "kind" not in df:  # nothing was measured
        return {}
    import matplotlib.pyplot as plt

    ends = _ends(df)
    places = sorted(ends["symbols"].unique())
    figure, axes = plt.subplots(1, len(places), figsize=(3 + 4.6 * len(places), 4.3), squeeze=False, sharey=True)
    for ax, symbols in zip(axes[0], places, strict=True):
        here = ends[ends["symbols"] == symbols]
        for name, look in line_styles(dict.fromkeys(here["cell"])).items():
            mine = here[here["cell"] == name]
            when = sorted(mine.loc[mine["solved"], "sequences"])
            part = [n / len(mine) for n in range(len(when) + 1)]
            ax.step([0, *when, (here["steps"] * here["batch"]).max()], [*part, part[-1]], where="post", label=name,
                    color=look["color"], linestyle=look["linestyle"])  # fmt: skip
        ax.set(xlabel="sequences seen", title=f"{symbols:g} relevant symbols", ylim=(-0.03, 1.03))
    axes[0, 0].set_ylabel("part of the runs that have succeeded")
    axes[0, -1].legend(**BESIDE)
    return {"success": (figure, SUCCESS)}


SUCCESS = (
    "Temporal order over 100 to 110 steps: part of the runs that have succeeded after so many sequences. All cells "
    "have about 1,000 weights. A tanh network never does; those that can hold a value do, after a plateau of random "
    "length."
)


def tables(df):
    """How many runs succeed, and after how many sequences."""
    ends = _ends(df)
    grouped = ends.assign(when=ends["sequences"].where(ends["solved"])).groupby(["symbols", "cell"], sort=False)
    told = {"weights": ("parameters", "median"), "rate": ("rate", "median"), "solved": ("solved", "sum")}
    told |= {"seeds": ("solved", "size"), "sequences": ("when", "median"), "right": ("success", "median")}
    caption = (
        "Runs that succeed, the median number of sequences that these need, and the median part of fresh sequences "
        "that are right in the end; naive: none right."
    )
    return {"success": (grouped.agg(**told).reset_index(), caption)} if len(ends) else {}

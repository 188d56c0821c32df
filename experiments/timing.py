"""Do peepholes help an LSTM to measure time?

Method: the task ``timing``: spikes come after F + I steps, F = 10 and the delay I drawn from {0, 1}. Measuring ("msd"),
the network says I at each spike; generating ("gts"), it is given I and has to spike in time. Ten spikes to a sequence,
scored by squared error; a step is right if its error is below 0.49. The LSTM with peepholes and the one without have
the hidden size with which they and their readout come nearest to 150 weights and the forget bias 1; Adam with batches
of 10, gradient norms clipped at 1, 3,000 updates, five seeds side by side, each at the learning rate that the preset
"search" chose for each task on random numbers of its own. A run succeeds if 100 fresh sequences, 1,000 spikes in all,
are right (the paper: 1,000 spikes in a row). The naive predictor measures with the loss 1/4 and generates with
0.0862, and is never right. ``--cells my_cell.py`` adds a cell of your own at the rate 0.01.

What differs from the paper: there a net has one cell, learns online from endless spike trains and is stopped when it
succeeds; in the preset "paper" F goes to 50 and a sequence has 100 spikes.

Source: F. A. Gers, N. N. Schraudolph and J. Schmidhuber, Learning Precise Timing with LSTM Recurrent Networks, Journal
of Machine Learning Research 3, 2002, sections 4.1 and 4.2; F. A. Gers and J. Schmidhuber, Recurrent Nets that Time and
Count, IJCNN 2000.
"""

from rnnbench import cells
from rnnbench.studies import choices, curves, rates

CELLS = ("lstm", "lstm_peephole")
TASKS = {"msd": "measuring", "gts": "generating"}
CHOSEN = {"gts/lstm": 0.003, "gts/lstm_peephole": 0.03, "msd/lstm": 0.03, "msd/lstm_peephole": 0.03}
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
FORGET_BIAS = {"lstm": 1.0, "lstm_peephole": 1.0}
SEEDS, WEIGHTS, BATCH, CLIP, STEPS, SPIKES = 5, 150, 10, 1.0, 3000, 10
SEEDS_DIFFER = (
    "At F = 10 both cells can learn both tasks, and seeds differ more than cells: a run that fails has hardly left the "
    "naive loss, or is still learning. Generating is learned sooner with peepholes. The rates were chosen by two seeds "
    "each, a higher one for peepholes in generating."
)
GERS = "Gers, Schraudolph & Schmidhuber 2002"


def sweep(preset, device):
    """Cells by tasks; the search has two seeds at each learning rate, and fewer steps."""
    match preset:
        case "smoke":
            return [_setting(cell, task, 5, seeds=2, weights=50, spikes=2) for task in TASKS for cell in _cells()]
        case "search":
            return [_setting(c, task, 1500, rate=rate, seeds=2) for task in TASKS for c in CELLS for rate in RATES]
        case "quick":
            return [_setting(cell, task, STEPS) for task in TASKS for cell in _cells()]
        case "paper":
            return [
                _setting(cell, task, 50_000, interval=interval, spikes=100, seeds=10)
                for task in TASKS for interval in (10, 20, 30, 40, 50) for cell in _cells()
            ]  # fmt: skip


def _cells():
    return dict.fromkeys((*CELLS, *cells.added()))


def _setting(cell, task, steps, **others):
    setting = {"cell": cell, "task": task, "interval": 10, "spikes": SPIKES, "steps": steps, "weights": WEIGHTS}
    setting |= {"batch": BATCH, "seeds": SEEDS, "forget_bias": FORGET_BIAS.get(cell, 0.0)}
    return setting | {"rate": CHOSEN.get(f"{task}/{cell}", DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip

    task = tasks.get("timing", setting["task"], interval=setting["interval"], spikes=setting["spikes"])
    hidden = sizes.units(setting["cell"], task.inputs, task.outputs, setting["weights"])
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None
    build = network_for(task, setting["cell"], hidden, init=init, device=setting["device"])
    return learn(
        build, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"], test=100,
        batch_size=setting["batch"], clip=Clip("norm", CLIP), mean="positions",
    )  # fmt: skip


def choose(df):
    """The learning rate with the lowest median loss, for each task and cell."""
    return choices.best(df, by=("task", "cell"))


def claims(df):
    """Success with and without peepholes."""
    ends = _ends(df)
    ends = ends[ends["steps"] >= STEPS]
    found = []
    for interval in (10, 50):
        here = ends[ends["interval"] == interval]
        solved = {
            (task, cell): here.loc[(here["task"] == task) & (here["cell"] == cell), "solved"]
            for task in TASKS for cell in CELLS
        }  # fmt: skip
        for task, told in TASKS.items():
            note = SEEDS_DIFFER if interval == 10 else ""
            plain, peephole = solved[task, "lstm"], solved[task, "lstm_peephole"]
            found += [
                rates.rate(
                    f"{told}, peepholes, F = {interval}", f"Every LSTM with peepholes learns {told} delays of "
                    f"{interval} and {interval + 1} steps.", GERS + " (unconfirmed)", peephole, at_least=1.0,
                    note=note,
                ),
                rates.gain(
                    f"{told}, peepholes against none, F = {interval}", "More LSTMs succeed with peepholes than without "
                    f"(at least two of five), {told} delays of {interval} and {interval + 1} steps.",
                    GERS + " (unconfirmed; the gain is clearest in generating)", peephole, plain, at_least=2 / SEEDS,
                    note=note,
                ),
            ]  # fmt: skip
    return found


def _ends(df):
    numbers = "interval", "steps", "rate", "parameters", "loss", "success"
    ends = curves.of_kind(df, "end", *numbers, words=("task", "cell"))
    return ends.assign(solved=ends["success"] == 1.0)


def figures(df):
    """Losses against steps, beside the naive one."""
    df = df.assign(part=df["task"].map(TASKS) + ", F = " + df["interval"].astype(str))
    return {"curves": (curves.learning_curves(df, parts="part", ylabel="squared error"), CURVES)}


CURVES = (
    "Measuring and generating intervals of F and F + 1 steps: median squared error over the seeds, with their range; "
    "dotted: the naive loss. Both LSTMs have about 150 weights."
)


def tables(df):
    """Success and loss at the end."""
    ends = _ends(df)
    told = {"weights": ("parameters", "median"), "rate": ("rate", "median"), "solved": ("solved", "sum")}
    told |= {"seeds": ("solved", "size"), "right": ("success", "median"), "loss": ("loss", "median")}
    grouped = ends.groupby(["task", "interval", "cell"], sort=False).agg(**told).reset_index()
    caption = (
        "Runs that succeed, the median part of fresh sequences (of ten spikes) that are right in the end, and the "
        "median loss; naive: 0.25 measuring, 0.0862 generating, none right."
    )
    return {"ends": (grouped, caption)}

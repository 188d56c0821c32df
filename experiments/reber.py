"""Which cells learn Reber's grammar, the embedded one and an endless stream of it, and how near to the best loss?

Method: the tasks ``reber``, ``embedded_reber`` and ``continual_reber``; in each the next symbol is predicted, and a
sequence is right if at every step the one or two symbols that may come next have the largest outputs. Every choice is
a fair coin, so the entropy is known: exactly 6 bits a string, 7 in the embedded grammar; no predictor's loss is below
it. Every cell has the hidden size with which it and its readout come nearest to 276 weights, as the LSTM of 1997 had
(three blocks of two cells), LSTMs with a forget gate the forget bias 1; Adam with batches of 10, gradient norms clipped
at 1, five seeds side by side, each cell at the learning rate that the preset "search" chose for each task on random
numbers of its own. Gradients are those of the whole string; "elman, one step" is the simple recurrent network as its
inventor trained it, with the gradient cut after every step. ``--cells my_cell.py`` adds a cell of your own; one that
was not searched for has the rate 0.01.

Strings: 39,740 of them, the most that the LSTM of 1997 needed; a run succeeds if 1,000 fresh strings are all right
afterwards (the paper: 256). Stream: rows of 1,000 symbols, an update after every 25 with the state carried on, 5,000 of
them; tested on fresh rows of 100 and 1,000 symbols. A run succeeds if nine in ten rows of 1,000 symbols are right (Gers
et al. ask for streams of 10^6 symbols). The naive predictor, which knows the current symbol only, loses 1.164, 1.335
and 1.281 nats a symbol, and is never right.

Sources: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, experiment 1, table 1;
F. A. Gers, J. Schmidhuber and F. Cummins, Learning to Forget: Continual Prediction with LSTM, Neural Computation 12,
2000; A. Cleeremans, D. Servan-Schreiber and J. L. McClelland, Finite State Automata and Simple Recurrent Networks,
Neural Computation 1, 1989.
"""

import math

from rnnbench import cells
from rnnbench.runner.claims import holds
from rnnbench.studies import choices, curves, rates
from rnnbench.studies.medians import median

CELLS = ("elman", "gru", "lstm_1997", "lstm")
TASKS = {  # name: bits of a string, symbols predicted for each string, length of the training's sequences
    "reber": (6, 7, 1), "embedded_reber": (7, 11, 1), "continual_reber": (7, 12, 1000),
}  # fmt: skip
CHOSEN = {
    "reber/elman": 0.003, "reber/elman, one step": 0.003, "reber/gru": 0.01, "reber/lstm": 0.01,
    "reber/lstm_1997": 0.03,
    "embedded_reber/elman": 0.01, "embedded_reber/elman, one step": 0.01, "embedded_reber/gru": 0.01,
    "embedded_reber/lstm": 0.03, "embedded_reber/lstm_1997": 0.03,
    "continual_reber/elman": 0.01, "continual_reber/gru": 0.01, "continual_reber/lstm": 0.01,
    "continual_reber/lstm_1997": 0.03,
}  # fmt: skip
ONE_STEP, EMBEDDED = "elman, one step", "embedded_reber"
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
FORGET_BIAS = {"lstm": 1.0}
SEEDS, WEIGHTS, BATCH, CLIP, WINDOW = 5, 276, 10, 1.0, 25
STEPS = {"reber": 3974, "embedded_reber": 3974, "continual_reber": 5000}
SHORT, LONG, RIGHT = 100, 1000, 0.9
LSTM_97 = "Hochreiter & Schmidhuber 1997, table 1"
MISSED = (
    "A run that fails stays near 8 bits a string, one more than the entropy: it does not remember the second symbol. "
    "The numbers of weights and of strings are the paper's, for nets without forget gates."
)
FORGET = "Gers, Schmidhuber & Cummins 2000, section 4 (unconfirmed)"
DECAY = "The paper's learning rate decays, ours does not."


def sweep(preset, device):
    """Cells by tasks; the search has two seeds at each learning rate, and fewer steps."""
    match preset:
        case "smoke":
            tiny = {"steps": 10, "seeds": 2, "weights": 100, "test": 10, "longest": SHORT}
            return [_setting(*pair, **tiny) for pair in _pairs(_cells(("elman", "lstm")))]
        case "search":
            few = {"steps": 2000, "seeds": 2}
            return [_setting(*pair, rate=rate, **few) for pair in _pairs(CELLS) for rate in RATES]
        case "quick":
            return [_setting(*pair) for pair in _pairs(_cells(CELLS))]
        case "paper":
            longer = [
                _setting(cell, task, steps=8 * STEPS[task], seeds=30, longest=10_000)
                for cell, task in _pairs(_cells(CELLS))
            ]
            return longer + [_setting(cell, EMBEDDED, seeds=30) for cell in ("lstm_1997", "lstm")]


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _pairs(names):
    """Cells with tasks; the stream is one string, from which no gradient is cut out after a step."""
    return [
        (cell, task) for task, (_, _, length) in TASKS.items()
        for cell in (*names, *([ONE_STEP] if length == 1 else []))
    ]  # fmt: skip


def _setting(name, task, **others):
    cell, *cut = name.split(", ")
    setting = {"cell": cell, "task": task, "steps": STEPS[task], "weights": WEIGHTS, "batch": BATCH, "seeds": SEEDS}
    setting |= {"truncate": 1} if cut else {}
    setting |= {"forget_bias": FORGET_BIAS.get(cell, 0.0), "test": 1000, "longest": LONG}
    return setting | {"rate": CHOSEN.get(f"{task}/{name}", DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip

    task, (_, _, length) = tasks.get(setting["task"]), TASKS[setting["task"]]
    hidden = sizes.units(setting["cell"], task.inputs, task.outputs, setting["weights"])
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None
    build = network_for(task, setting["cell"], hidden, init=init, device=setting["device"])
    stream = length > 1
    return learn(
        build, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"], length=length,
        batch_size=setting["batch"], clip=Clip("norm", CLIP), window=WINDOW if stream else None, mean="positions",
        truncate=setting.get("truncate"),
        lengths=[n for n in (SHORT, LONG, 10_000) if n <= setting["longest"]] if stream else (),
        test=min(setting["test"], 100) if stream else setting["test"],
    )  # fmt: skip


def choose(df):
    """The learning rate with the lowest median loss, for each task and cell."""
    return choices.best(_named(df), by=("task", "cell"))


def _named(df):
    """The frame with "elman, one step" as a cell of its own."""
    return df.assign(cell=df["cell"].where(df["truncate"] != 1, ONE_STEP)) if "truncate" in df else df


def claims(df):
    """Success by cell, and how near the loss comes to the entropy."""
    ends = _ends(df)
    ends = ends[ends["steps"] >= ends["task"].map(STEPS)]
    solved = {
        (task, cell): ends.loc[(ends["task"] == task) & (ends["cell"] == cell) & ends["judged"], "solved"]
        for task in TASKS for cell in (*CELLS, ONE_STEP)
    }  # fmt: skip
    at_most = ends[(ends["task"] == EMBEDDED) & (ends["steps"] == STEPS[EMBEDDED])]  # and no more strings than those
    means = ends[ends["judged"]].groupby(["task", "cell"])[["bits", "entropy"]].mean()
    forget = solved["continual_reber", "lstm"]
    embedded = ends[(ends["task"] == "embedded_reber") & (ends["cell"] == "lstm")]["bits"]
    return [
        rates.rate(
            "plain, simple recurrent network", "A simple recurrent network, trained by gradients that are cut after a "
            "step, learns Reber's grammar: every string right.", "Cleeremans, Servan-Schreiber & McClelland 1989",
            solved["reber", ONE_STEP], at_least=1.0,
        ),
        *(
            rates.rate(
                f"embedded, {cell}", f"{told} learns the embedded grammar from at most 39,740 strings in 97 to 100 % "
                "of the runs.", LSTM_97, at_most.loc[at_most["cell"] == cell, "solved"], at_least=0.97, note=MISSED,
            )
            for cell, told in (("lstm_1997", "The LSTM of 1997"), ("lstm", "The LSTM with forget gates (our addition)"))
        ),
        rates.rate(
            "embedded, simple recurrent network", "No simple recurrent network, trained by gradients that are cut "
            "after a step, learns the embedded grammar.", LSTM_97, solved["embedded_reber", ONE_STEP], at_most=0.0,
        ),
        rates.rate(
            "embedded, tanh with whole gradients", "With the gradients of the whole string only some of the tanh "
            "networks learn it (RTRL: \"some fraction\"), fewer than 97 %.", LSTM_97, solved["embedded_reber", "elman"],
            at_least=0.01, at_most=0.97,
        ),
        holds(
            "no loss below the entropy", "No cell's loss (fresh sequences, mean of the seeds) is below 6 (plain) "
            "or 7 bits a string by more than 2 %, the error of the sample.", "derived",
            means["bits"] > 0.98 * means["entropy"],
        ),
        median(
            "embedded, bits", "The LSTM comes within 2 % of the 7 bits of a string.", "derived (our limit)", embedded,
            note=f"The naive predictor needs {1.335 * 11 / math.log(2):.1f} bits.", at_most=7.14,
        ),
        rates.rate(
            "stream, forget gates", "With forget gates the endless stream is learned in 62 % of the runs.", FORGET,
            forget, at_least=0.62, note=DECAY,
        ),
        rates.rate(
            "stream, no forget gates", "Without forget gates it is never learned.", FORGET,
            solved["continual_reber", "lstm_1997"], at_most=0.0,
        ),
        rates.gain(
            "stream, forget gates against none", "With forget gates more runs learn the stream than without (at least "
            "two of five).", FORGET, forget, solved["continual_reber", "lstm_1997"], at_least=2 / SEEDS,
        ),
    ]  # fmt: skip


def _ends(df):
    """How training ended: bits of a string, its entropy, whether the run succeeded (where `judged`)."""
    numbers = "steps", "rate", "test_length", "parameters", "loss", "success"
    ends = curves.of_kind(_named(df), "end", *numbers, words=("task", "cell"))
    entropy, symbols = (ends["task"].map({task: known[i] for task, known in TASKS.items()}) for i in range(2))
    stream = ends["task"] == "continual_reber"
    ends = ends.assign(bits=ends["loss"] * symbols / math.log(2), entropy=entropy)
    ends["judged"] = ~stream | (ends["test_length"] == LONG)
    return ends.assign(solved=ends["success"] >= stream.map({True: RIGHT, False: 1.0}))


def figures(df):
    """Bits of a string against steps, beside the naive predictor's and the entropy."""
    if "kind" not in df:  # nothing was measured
        return {}
    symbols = df["task"].map({task: known[1] for task, known in TASKS.items()})
    told = {name: df[name].astype(float) * symbols / math.log(2) for name in ("loss", "least_loss")}
    figure = curves.learning_curves(_named(df).assign(**told), parts="task", ylabel="bits of a string", log=False)
    lowest = told["loss"][df["kind"] == "curve"].groupby(df["task"]).min()
    for ax in figure.axes:
        if (task := ax.get_title("left")) in TASKS:
            entropy = TASKS[task][0]
            ax.set_ylim(entropy - 0.2, max(entropy + 3, lowest[task] + 1))
    return {"curves": (figure, CURVES)}


CURVES = (
    "Median bits of a string over the seeds, with their range. Solid grey: the entropy, below which none can be. Who "
    "does not remember the second symbol to the end of an embedded string loses one bit of it: there the simple "
    "recurrent network stays, and in the stream the LSTM without forget gates. All cells have about 276 weights."
)


def tables(df):
    """Success and bits of a string at the end."""
    ends = _ends(df)
    told = {"weights": ("parameters", "median"), "rate": ("rate", "median"), "solved": ("solved", "sum")}
    told |= {"seeds": ("solved", "size"), "right": ("success", "median"), "bits": ("bits", "median")}
    told |= {"least": ("bits", "min"), "entropy": ("entropy", "median")}
    grouped = ends.groupby(["task", "test_length", "cell"], sort=False).agg(**told).reset_index()
    caption = (
        "Runs that succeed, the median part of fresh sequences that are right, and the bits that a string costs: "
        "median and least of the seeds, beside the entropy."
    )
    return {"ends": (grouped, caption)}

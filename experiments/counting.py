"""Which cells learn to count, and how far beyond what they were trained on?

Method: the tasks ``anbn`` and ``anbncn``: # a^n b^n (c^n) with n from 1 to 10; after each symbol the network says which
may come next, and a sequence is right if it is right at every step. Every cell has the hidden size with which it and
its readout come nearest to 400 weights, LSTMs the forget bias 1; Adam with batches of 20, gradient norms clipped at 1,
3,000 updates (60,000 sequences), five seeds side by side, each cell at the learning rate that the preset "search" chose
for each language on random numbers of its own, by the loss at n up to 10: nothing longer was looked at. ``--cells
my_cell.py`` adds a cell of your own; one that was not searched for has the rate 0.01. Afterwards every n is tried, up
to 1,024; the *reach* of a run is the largest n such that it and all smaller ones are right. The naive predictor, which
knows the current symbol only, has the reach 0.

The paper's LSTM has peepholes and shows its cell state unsquashed, so that a count of any size is seen: ``lstm_noaf``.
It is trained with 400 weights like the others, and at the paper's size: one cell (a^n b^n) or two, and outputs that see
the symbol, too, by a shortcut ("lstm_noaf, shortcut": 38 and 90 weights). What differs: the paper has no forget bias
and learns from one sequence at a time; it trained ten nets for each language (all unconfirmed).

Sources: F. A. Gers and J. Schmidhuber, LSTM Recurrent Networks Learn Simple Context-Free and Context-Sensitive
Languages, IEEE Transactions on Neural Networks 12, 2001, tables 2 and 3; G. Weiss, Y. Goldberg and E. Yahav, On the
Practical Computational Power of Finite Precision RNNs for Language Recognition, ACL 2018.
"""

from rnnbench import cells
from rnnbench.report.charts import BESIDE
from rnnbench.report.style import GREY, line_styles
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves, rates
from rnnbench.studies.medians import median

CELLS = ("elman", "gru", "lstm", "lstm_peephole", "lstm_noaf")
TASKS = {"anbn": "$a^n b^n$", "anbncn": "$a^n b^n c^n$"}
SHORTCUT = "lstm_noaf, shortcut"
CELLS_OF_PAPER = {"anbn": 1, "anbncn": 2}  # units of the nets with the shortcut
CHOSEN = {
    "anbn/elman": 0.03, "anbn/gru": 0.03, "anbn/lstm": 0.03, "anbn/lstm_peephole": 0.03, "anbn/lstm_noaf": 0.03,
    "anbncn/elman": 0.03, "anbncn/gru": 0.01, "anbncn/lstm": 0.03, "anbncn/lstm_peephole": 0.03,
    "anbncn/lstm_noaf": 0.03, "anbn/lstm_noaf, shortcut": 0.03, "anbncn/lstm_noaf, shortcut": 0.03,
}  # fmt: skip
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
FORGET_BIAS = {"lstm": 1.0, "lstm_peephole": 1.0, "lstm_noaf": 1.0}
SEEDS, WEIGHTS, BATCH, CLIP, STEPS, TRAINED = 5, 400, 20, 1.0, 3000, 10
FIRST, FARTHEST = 128, 1024  # the greatest n of the first look, and of the last
SHOWN, UNITS = 20, 3  # n of the string whose states are told, and of how many units
GERS = "Gers & Schmidhuber 2001, tables 2 and 3 (unconfirmed)"
TRIED = (
    "Eight units share the counting and need not be exact one by one, which may be why they do not go farther; nets of "
    "the paper's size are trained, too."
)
TRIED_SMALL = (
    "Root seeds 0 to 3 together: 13 of 20 nets with one cell learn it and 18 of 20 with two; with 20,000 updates all "
    "five of both. Without the shortcut from the symbol to the outputs none of five and three of five did."
)
TRIED_LONGER = "With 20,000 updates the median is 26 with one cell (the best: 59) and 11 with two."
WEISS = "Weiss, Goldberg & Yahav 2018 (there trained up to n = 100 and 50)"


def sweep(preset, device):
    """Cells by languages; the search has two seeds at each learning rate, and fewer steps."""
    match preset:
        case "smoke":
            tiny = {"seeds": 2, "weights": 60, "farthest": 16}
            found = [_setting(cell, task, 10, **tiny) for task in TASKS for cell in _cells(("elman", "lstm"))]
            return [*found, _of_paper("anbn", 10, seeds=2, farthest=16)]
        case "search":
            few = {"seeds": 2, "farthest": TRAINED}
            found = [_setting(c, task, 1500, rate=rate, **few) for task in TASKS for c in CELLS for rate in RATES]
            return found + [_of_paper(task, 1500, rate=rate, **few) for task in TASKS for rate in RATES]
        case "quick":
            found = [_setting(cell, task, STEPS) for task in TASKS for cell in _cells(CELLS)]
            return found + [_of_paper(task, STEPS) for task in TASKS]
        case "paper":
            found = [_setting(cell, task, 20_000, seeds=10) for task in TASKS for cell in _cells(CELLS)]
            return found + [_of_paper(task, 20_000, seeds=10) for task in TASKS]


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _setting(cell, task, steps, **others):
    setting = {"cell": cell, "task": task, "steps": steps, "weights": WEIGHTS, "batch": BATCH, "seeds": SEEDS}
    setting |= {"forget_bias": FORGET_BIAS.get(cell, 0.0), "farthest": FARTHEST}
    return setting | {"rate": CHOSEN.get(f"{task}/{cell}", DEFAULT)} | others


def _of_paper(task, steps, **others):
    """A net of the paper's size, whose outputs see the symbol."""
    size = {"hidden": CELLS_OF_PAPER[task], "shortcut": True, "rate": CHOSEN[f"{task}/{SHORTCUT}"]}
    setting = _setting("lstm_noaf", task, steps) | size | others
    del setting["weights"]
    return setting


def _named(df):
    """The frame with the net of the paper's size as a cell of its own."""
    return df.assign(cell=df["cell"].mask(df["shortcut"].eq(True), SHORTCUT)) if "shortcut" in df else df


def with_shortcut(cell, outputs):
    """The cell with linear outputs of its own, which see the symbol as well as its h."""
    from dataclasses import replace

    from rnnbench.contract import Gate, Stage, Vector

    def forward(a, reads, p):
        return a

    made = cells.get(cell)
    readout = Stage(forward, makes=("y",), gates=(Gate("y", ("x", f"{made.output}@0")),))
    vectors = *made.vectors, Vector("y", width=outputs)
    return replace(made, vectors=vectors, stages=(*made.stages, readout), output="y")


def run(setting, rng):
    """Train all seeds of one cell side by side, try every n, and tell the states of the run that got farthest."""
    from functools import partial

    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip

    task = tasks.get(setting["task"])
    init, made = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None, []
    if "shortcut" in setting:
        build = partial(_small, task, setting, init)
    else:
        hidden = sizes.units(setting["cell"], task.inputs, task.outputs, setting["weights"])
        build = network_for(task, setting["cell"], hidden, init=init, device=setting["device"])

    def keep(seeds):
        made.append(build(seeds))
        return made[0]

    rows = learn(
        keep, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"], length=TRAINED,
        batch_size=setting["batch"], clip=Clip("norm", CLIP), mean="positions",
    )  # fmt: skip
    reach = _reach(made[0], setting)
    rows += [{"kind": "reach", "replica": r, "reach": int(n)} for r, n in enumerate(reach)]
    return rows + _states(made[0], setting, int(reach.argmax()))


def _small(task, setting, init, seed):
    from rnnbench.layers import Chain, OneHot, Recurrent

    cell = with_shortcut(setting["cell"], task.outputs)
    hidden = Recurrent(cell, task.inputs, setting["hidden"], init=init, device=setting["device"], seed=seed)
    return Chain(embedding=OneHot(task.inputs, replicas=len(seed)), hidden=hidden)


def _reach(network, setting):
    """Of each replica the largest n such that it and all smaller ones are right; more are tried while any is right."""
    import numpy as np

    right, most = np.ones((setting["seeds"], 0), bool), 0
    while most < setting["farthest"] and (not most or right.all(axis=1).any()):
        least, most = most + 1, min(max(2 * most, FIRST), setting["farthest"])
        right = np.concatenate([right, _right(network, setting, least, most)], axis=1)
    return np.where(right.all(axis=1), most, right.argmin(axis=1))


def _right(network, setting, least, most):
    """Which n from `least` to `most` are right, (R, most - least + 1)."""
    import numpy as np

    from rnnbench import tasks
    from rnnbench.tasks import Batch

    longest = None
    columns = []
    for n in range(most, least - 1, -1):  # one string of each n, longest first
        one = tasks.get(setting["task"], least=n).batch(np.random.default_rng(0), 1, n)
        longest = longest or len(one.x)
        space = (0, longest - len(one.x))
        columns.append((np.pad(one.x, (space, (0, 0))), np.pad(one.target, (space, (0, 0), (0, 0))), one.lengths))
    x, target = (np.concatenate([column[i] for column in columns], axis=1) for i in range(2))
    lengths = np.concatenate([column[2] for column in columns])
    batch = Batch(x, target, np.arange(longest)[:, None] < lengths, lengths)
    y, _ = network.forward(np.repeat(x[None], setting["seeds"], axis=0), lengths=lengths, tape=False)
    return np.stack([tasks.get(setting["task"]).correct(one, batch) for one in y])[:, ::-1]


def _states(network, setting, replica):
    """The states of those units of a replica that vary most, step by step: final states of all that a string begins."""
    import numpy as np

    from rnnbench import tasks

    n = min(SHOWN, setting["farthest"])
    task = tasks.get(setting["task"], least=n)
    x = task.batch(np.random.default_rng(0), 1, n).x
    lengths = np.arange(len(x), 0, -1)
    started = np.where(np.arange(len(x))[:, None] < lengths, x, 0)
    _, state = network.forward(np.repeat(started[None], setting["seeds"], axis=0), lengths=lengths, tape=False)
    while isinstance(first := next(iter(state.values()), None), dict):  # of a layer in a network
        state = first
    if not state:
        return []
    values = state.get("c", state.get("h", first))
    values = (values if values.ndim == 3 else values[:, -1])[replica, ::-1]  # of one carried several steps, the newest
    units = np.argsort(-np.ptp(values, axis=0), kind="stable")[:UNITS]
    return [
        {"kind": "state", "replica": replica, "unit": rank + 1, "step": t, "value": round(float(values[t, unit]), 4),
         "symbol": task.alphabet[x[t, 0]]}
        for rank, unit in enumerate(units) for t in range(len(x))
    ]  # fmt: skip


def choose(df):
    """The learning rate with the lowest median loss at the lengths of the training, for each language and cell."""
    return choices.best(_named(df), by=("task", "cell"))


def claims(df):
    """How far each cell counts."""
    runs = _runs(df)
    runs = runs[(runs["steps"] >= STEPS) & (runs["farthest"] >= FARTHEST)]
    reach = {
        (task, cell): runs.loc[(runs["task"] == task) & (runs["cell"] == cell), "reach"]
        for task in TASKS for cell in (*CELLS, SHORTCUT)
    }  # fmt: skip
    found = []
    for task, average in (("anbn", 118), ("anbncn", 28)):
        small = reach[task, SHORTCUT]
        told = "one cell" if task == "anbn" else "two cells"
        paper, squashed, plain = (reach[task, cell] for cell in ("lstm_noaf", "lstm_peephole", "lstm"))
        found += [
            rates.rate(
                f"{task}, learned", "Every LSTM with peepholes and an unsquashed state gets all strings right that it "
                "has seen (n to 10).", GERS, paper >= TRAINED, at_least=1.0,
            ),
            _median(
                f"{task}, unsquashed", f"With 400 weights it generalises as far as the paper's small nets did on "
                f"average, n = {average}.", GERS, paper, average, TRIED,
            ),
            _median(
                f"{task}, squashed", "So does one that shows its state squashed by tanh (our addition).",
                GERS, squashed, average, TRIED,
            ),
            rates.rate(
                f"{task}, {told}", f"Every net of the paper's size, {told} and outputs that see the symbol, gets all "
                "strings right that it has seen (n to 10).", GERS, small >= TRAINED, at_least=1.0,
                note=TRIED_SMALL,
            ),
            _median(
                f"{task}, {told}, reach", f"They generalise as far as the paper's did on average, n = {average}.", GERS,
                small, average, TRIED_LONGER,
            ),
            _median(
                f"{task}, no peepholes", "An LSTM without peepholes generalises beyond what it was trained on, too.",
                WEISS, plain, TRAINED + 1,
            ),
        ]  # fmt: skip
    for cell, called in (("gru", "a GRU"), ("elman", "a tanh network")):
        found.append(
            ranking(
                f"LSTM against {cell}",
                f"An LSTM counts farther than {called} of as many weights.",
                WEISS,
                {task: (reach[task, "lstm"], reach[task, cell]) for task in TASKS},
                of="reaches",
            )
        )
    return found


def _median(name, statement, source, values, at_least, note=""):
    if len(values):
        note = f"The best: {values.max():g}; nothing beyond {FARTHEST} was tried. {note}".strip()
    return median(name, statement, source, values, of="runs", note=note, at_least=at_least)


def _runs(df):
    return _named(curves.of_kind(df, "reach", "reach", "steps", "rate", "farthest", words=("task", "cell")))


def figures(df):
    """How many runs get how far, and a state that counts."""
    drawn = {}
    if len(runs := _runs(df)):
        drawn["reach"] = _draw_reach(runs), REACH
    states = curves.of_kind(df, "state", "step", "value", "unit", words=("cell",))
    peepholes = (states["cell"] == "lstm_peephole").any()
    states = states[states["cell"] == ("lstm_peephole" if peepholes else "lstm")]
    if len(states):
        drawn["states"] = _draw_states(states), STATES
    return drawn


def _draw_reach(runs):
    import matplotlib.pyplot as plt
    import numpy as np

    places = [task for task in TASKS if (runs["task"] == task).any()]
    figure, axes = plt.subplots(1, len(places), figsize=(3 + 4.6 * len(places), 4.3), squeeze=False, sharey=True)
    for ax, task in zip(axes[0], places, strict=True):
        for name, look in line_styles(dict.fromkeys(runs["cell"])).items():
            reach = np.sort(runs.loc[(runs["task"] == task) & (runs["cell"] == name), "reach"])
            n = np.unique([1, *reach[reach > 0], *(reach + 1), TRAINED, runs["farthest"].max()])
            part = [(reach >= at).mean() for at in n] if len(reach) else n * np.nan
            ax.step(n, part, where="mid", color=look["color"], linestyle=look["linestyle"], label=name)
        ax.axvspan(1, TRAINED, color=GREY, alpha=0.15, linewidth=0)
        ax.set(xscale="log", xlabel="n", title=TASKS[task], ylim=(-0.03, 1.03))
    axes[0, 0].set_ylabel("part of the runs right up to n")
    axes[0, -1].legend(**BESIDE)
    return figure


def _draw_states(rows):
    import matplotlib.pyplot as plt

    places = [task for task in TASKS if (rows["task"] == task).any()]
    figure, axes = plt.subplots(1, len(places), figsize=(3 + 4.6 * len(places), 4.3), squeeze=False)
    for ax, task in zip(axes[0], places, strict=True):
        here = rows[rows["task"] == task]
        for number, look in line_styles(sorted(here["unit"].unique())).items():
            unit = here[here["unit"] == number]
            ax.plot(unit["step"], unit["value"], **look | {"markersize": 3}, label=f"unit {number:g}")
        for letter in "bc":
            start = here.loc[here["symbol"] == letter, "step"].min()
            if start == start:
                ax.axvline(start - 0.5, color=GREY, linestyle=":", linewidth=1.5)
        ax.set(xlabel="step", title=TASKS[task])
    axes[0, 0].set_ylabel("cell state")
    axes[0, -1].legend(**BESIDE)
    return figure


REACH = (
    "Part of the runs that are right for every n up to this one; what was trained on is shaded. A cell that counts "
    "goes on far beyond, one that has learned the strings by heart stops."
)
STATES = (
    f"The cell states that vary most of the run that got farthest, over a string with n = {SHOWN}; dotted lines: the "
    "first b and the first c. A unit that counts goes one way by equal steps at each a and back at each b."
)


def tables(df):
    """The reach of each cell."""
    runs = _runs(df)
    told = {"runs": ("reach", "size"), "median": ("reach", "median"), "least": ("reach", "min")}
    told |= {"most": ("reach", "max"), "learned": ("reach", lambda n: int((n >= TRAINED).sum()))}
    grouped = runs.groupby(["task", "cell", "rate"], sort=False).agg(**told).reset_index()
    caption = "The largest n up to which all are right: median, least and most of the runs, and how many runs reach 10."
    return {"reach": (grouped, caption)}

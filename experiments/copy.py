"""Which recurrences hold ten symbols through a long pause?

Method: the task ``copy`` (ten symbols out of eight, T - 1 blanks, a delimiter, ten blanks, in which they are to be said
again: T + 20 steps). What knows the form but remembers nothing has the loss 10 ln 8/(T + 20), a mean over all steps,
and recalls 8^-10 of the sequences: that is the baseline. A sequence counts as right where all ten symbols are recalled;
the blanks before do not count. Every network has about 6,500 parameters, of a skew-symmetric matrix one half: 71 tanh
units or rectified linear units that start as the identity, 40 GRU units, 34 LSTM units with forget bias 1, 96 units
with an orthogonal recurrence. That is linear, starts with as many eigenvalues near 1 as near -1, and stays orthogonal
by Cayley's transform; the paper has a complex unitary matrix instead. RMSProp as in the authors' code (decay 0.9, batch
20, numbers of the gradient clipped at 1, mean over the steps), five seeds side by side, each cell at the learning rate
that the preset "search" chose for it, at T = 10 and at T = 100, on random numbers of its own. Fewer updates than in the
paper are made in "quick": 3,000. ``--cells my_cell.py`` adds a cell of your own, at the rate 0.001.

Sources: M. Arjovsky, A. Shah and Y. Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016, section 5.1,
figure 1, and the authors' code; M. Henaff, A. Szlam and Y. LeCun, Recurrent Orthogonal Networks and Long-Memory Tasks,
ICML 2016 (linear orthogonal recurrences); K. Helfrich, D. Willmott and Q. Ye, Orthogonal Recurrent Neural Networks with
Scaled Cayley Transform, ICML 2018 (the parametrisation).
"""

from rnnbench import cells
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.rates import rate

CELLS = ("elman", "irnn", "gru", "lstm", "orthogonal")
CHOSEN = {
    "elman/10": 0.003, "elman/100": 0.003, "irnn/10": 0.001, "irnn/100": 0.01, "gru/10": 0.01, "gru/100": 0.003,
    "lstm/10": 0.01, "lstm/100": 0.003, "orthogonal/10": 0.001, "orthogonal/100": 0.0003,
}  # fmt: skip
RATES, DEFAULT = (0.0003, 0.001, 0.003, 0.01), 0.001
OPTIONS = {"orthogonal": {"activation": "linear", "reflections": 0.5}, "lstm": {"forget_bias": 1.0}}
SEEDS, PARAMETERS, BATCH, CLIP, RECALL = 5, 6500, 20, 1.0, 10
URNN = {"decay": 0.9, "eps": 1e-30, "first": 1e-3}  # the RMSProp of the authors' code
SHORT, LONG = 10, 100
STEPS, PUBLISHED = 3000, 20_000  # updates: in quick, and about as many as in the paper (unconfirmed)
BEATEN, SOLVED = 0.9, 0.99  # of the baseline; of the sequences
PAPER = "Arjovsky, Shah & Bengio 2016, section 5.1, figure 1"


def sweep(preset, device):
    """Cells by lengths; the search has two seeds at each learning rate, and half of the steps."""
    match preset:
        case "smoke":
            few = "elman", "gru", "lstm", "orthogonal"
            return [_setting(cell, 3, 12, 2, parameters=600, recall=2) for cell in _cells(few)]
        case "search":
            places = [(cell, length, rate) for length in (SHORT, LONG) for cell in _cells(CELLS) for rate in RATES]
            return [_setting(cell, length, STEPS // 2, 2, rate=rate) for cell, length, rate in places]
        case "quick":
            return [_setting(cell, length, STEPS) for length in (SHORT, LONG) for cell in _cells(CELLS)]
        case "paper":
            return [_setting(cell, length, PUBLISHED) for length in (100, 200, 300, 500) for cell in _cells(CELLS)]


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _setting(cell, length, steps, seeds=SEEDS, parameters=PARAMETERS, recall=RECALL, rate=None):
    rate = CHOSEN.get(f"{cell}/{min(length, LONG)}", DEFAULT) if rate is None else rate
    setting = {"cell": cell, "length": length, "recall": recall, "steps": steps, "parameters_wanted": parameters}
    return setting | {"batch": BATCH, "seeds": seeds, "rate": rate} | OPTIONS.get(cell, {})


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.studies.sizes import units
    from rnnbench.training.clipping import Clip

    task, cell = tasks.get("copy", recall=setting["recall"]), setting["cell"]
    options = {name: setting[name] for name in ("activation", "reflections") if name in setting}
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if "forget_bias" in setting else None
    hidden = units(cell, task.inputs, task.outputs, setting["parameters_wanted"], **options)
    rows = learn(
        network_for(task, cell, hidden, init=init, device=setting["device"], **options), task, rng,
        seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"], optimiser="rmsprop",
        optimiser_options=URNN, length=setting["length"], batch_size=setting["batch"], clip=Clip("value", CLIP),
        mean="positions",
    )  # fmt: skip
    return [row | {"units": hidden} for row in rows]


def choose(df):
    """The learning rate with the lowest median loss, for each cell and length."""
    return choices.best(df, by=("cell", "length"))


def baseline(length, recall=RECALL, symbols=8):
    """The loss of what remembers nothing, in nats a step."""
    import math

    return recall * math.log(symbols) / (length + 2 * recall)


def claims(df):
    """The published outcomes, at the lengths that were run; losses in parts of the baseline."""
    numbers = "length", "loss", "success", "steps", "parameters_wanted", "recall"
    ends = curves.of_kind(df, "end", *numbers, words=["cell"])
    ends = ends[(ends["steps"] >= STEPS) & (ends["parameters_wanted"] >= PARAMETERS) & (ends["recall"] == RECALL)]
    ends = ends.assign(part=ends["loss"] / [baseline(length) for length in ends["length"]])

    def of(cell, shortest, longest=None, updates=0):
        place = ends["length"].between(shortest, longest or shortest) & (ends["steps"] >= updates)
        return ends[place & (ends["cell"] == cell)]

    long, longer = {cell: of(cell, LONG)["part"] for cell in CELLS}, of("lstm", 200, 500)
    return [
        _median(
            "tanh, T = 100", "A tanh network stays at the baseline at T = 100: its loss is not a tenth below it.",
            PAPER, long["elman"], at_least=BEATEN,
        ),
        _median(
            "IRNN, T = 100", "So do rectified linear units that start as the identity.",
            PAPER, long["irnn"], at_least=BEATEN,
        ),
        _median(
            "LSTM, T = 10", "An LSTM beats the baseline (by a tenth) over a short pause, T = 10.",
            "derived from " + PAPER, of("lstm", SHORT)["part"], at_most=BEATEN,
        ),
        _median(
            "LSTM, T = 100", "With 20,000 updates an LSTM beats the baseline at T = 100.",
            PAPER, of("lstm", LONG, updates=PUBLISHED)["part"], at_most=BEATEN,
        ),
        _median(
            "LSTM, T >= 200", "An LSTM does not beat the baseline at T = 200 to 500.",
            PAPER, longer["part"], where=longer[["length"]], at_least=BEATEN,
        ),
        ranking(
            "orthogonal before the others, T = 100", "At T = 100 a linear orthogonal recurrence has a lower loss than "
            "tanh units, identity-started units and an LSTM, every seed of it than every seed of theirs.",
            PAPER + " (there: unitary)",
            {name: (long[name], long["orthogonal"]) for name in ("elman", "irnn", "lstm")}, of="losses in baselines",
        ),
        _rate(
            "orthogonal, T = 100", "A linear orthogonal recurrence solves T = 100: it recalls 99 % of the sequences, "
            "for every seed.", of("orthogonal", LONG),
        ),
        _rate(
            "orthogonal, T >= 200", "It solves T = 200 to 500 too, for every seed.", of("orthogonal", 200, 500),
        ),
    ]  # fmt: skip


def _median(name, statement, source, parts, **more):
    return median(name, statement, source, parts, note="Losses in parts of the baseline.", **more)


def _rate(name, statement, rows):
    note = ""
    if len(rows):
        note = f"Medians: {rows['success'].median():.3f} of the sequences, {rows['part'].median():.3f} of the loss of "
        note += "the baseline. Nothing remembered: 0 of the sequences. "
        if rows["steps"].min() < PUBLISHED:
            note += f"After {int(rows['steps'].min()):,} updates, when the losses are noisy and still falling."
    return rate(name, statement, PAPER + " (there: unitary)", rows["success"] >= SOLVED, at_least=1.0, note=note)


def figures(df):
    """Losses against steps, beside the baseline."""
    groups, recall = dict.fromkeys((*CELLS, *df["cell"])), df["recall"].max()
    lengths = sorted(df["length"].unique())
    figure = curves.learning_curves(
        df, parts="length", groups=[*groups], title="T = {:g}", ylabel="cross-entropy, nats a step"
    )
    for ax, length in zip(figure.axes, lengths, strict=False):  # at the beginning some losses are astronomical
        ax.set_ylim(top=4 * baseline(length, recall))
    told = (
        f"{recall:g} symbols recalled after T steps: median loss over the seeds, with their range; the dotted line is "
    )
    told += (
        f"the baseline {recall:g} ln 8/(T + {2 * recall:g}), of what knows the form of the task but remembers nothing. "
    )
    return {
        "curves": (figure, told + (CURVES if recall == RECALL else "") + "Losses above four baselines are cut off.")
    }


CURVES = "At T = 10 the LSTM leaves it too, at T = 100 only the orthogonal recurrence goes far below. "


def tables(df):
    """Loss and recalled sequences at the end."""
    n = int(df["recall"].max()) if "recall" in df and len(df) else RECALL
    caption = (
        f"Medians over the seeds at the end of training, on 1,000 fresh sequences each; success: all {n} symbols "
        f"recalled. The baseline: loss {n} ln 8/(T + {2 * n}), success 8^-{n}. Parameters are counted as trained, with "
        "both halves of a skew-symmetric matrix."
    )
    return {"ends": (curves.ends(df, ["length", "cell", "units", "rate"]), caption)}

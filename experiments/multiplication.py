"""Can a network whose memory adds learn to multiply two numbers that stand far apart?

Method: the task ``multiplication`` (variant lstm_97: values from U(0, 1), one of the first ten steps is marked and one
of the first half, the product is asked for at the last of T to 1.1 T steps, squared error). The carousel of the LSTM
adds; the paper asks for products to show that it is not tied to sums. In "quick" T = 50: a tanh network, the LSTM of
1997 and an LSTM with forget bias 1, of about 2,000 parameters each, Adam with batches of 20, gradient norms clipped at
1, five seeds side by side, each cell at the learning rate that the preset "search" chose for it on random numbers of
its own. The preset "paper" has the paper's T = 100 and 93 parameters, 1,273,000 sequences. A sequence is right within
0.04 of the product, and the paper counts the wrong ones of 2,000: up to 139, or, with longer training, up to 12. The
naive predictor says 1/4; it has the loss (1 - q) 7/144 + q 7/48, where q = 1/10 + (9/10)/(T/2 - 1) is the probability
that one of the values is that of the first step, which counts as 1, and is right about 0.11 of the sequences.
``--cells my_cell.py`` adds a cell of your own, at the rate 0.01.

Source: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, experiment 5 and its
table; its numbers of sequences are quoted from memory and unconfirmed.
"""

from rnnbench import cells
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.misses import told

CELLS = ("elman", "lstm", "lstm_1997")
CHOSEN = {"elman": 0.003, "lstm": 0.003, "lstm_1997": 0.03}
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
SEEDS, BATCH, CLIP = 5, 20, 1.0
QUICK, PAPER = 50, 100  # steps of a sequence
SEQUENCES = {QUICK: 50_000, PAPER: 1_273_000}
PARAMETERS = {QUICK: 2000, PAPER: 93}
LSTM_97 = "Hochreiter & Schmidhuber 1997, experiment 5"


def sweep(preset, device):
    """Cells at one length; the search has two seeds at each learning rate, and half of the sequences."""
    match preset:
        case "smoke":
            return [_setting(cell, 20, 200, 2, 100) for cell in _cells(("elman", "lstm_1997"))]
        case "search":
            few = SEQUENCES[QUICK] // 2
            return [_setting(cell, QUICK, few, 2, PARAMETERS[QUICK], rate) for cell in CELLS for rate in RATES]
        case "quick" | "paper":
            length = QUICK if preset == "quick" else PAPER
            return [_setting(cell, length, SEQUENCES[length], SEEDS, PARAMETERS[length]) for cell in _cells(CELLS)]


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _setting(cell, length, sequences, seeds, parameters, rate=None):
    rate = CHOSEN.get(cell, DEFAULT) if rate is None else rate
    setting = {"cell": cell, "length": length, "sequences": sequences, "parameters_wanted": parameters, "batch": BATCH}
    return setting | {"seeds": seeds, "rate": rate, "forget_bias": 1.0 if cell == "lstm" else 0.0}


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.studies.sizes import units
    from rnnbench.training.clipping import Clip

    task, cell = tasks.get("multiplication", "lstm_97"), setting["cell"]
    init = {"name": "uniform", "forget_bias": setting["forget_bias"]} if setting["forget_bias"] else None
    hidden = units(cell, task.inputs, task.outputs, setting["parameters_wanted"])
    rows = learn(
        network_for(task, cell, hidden, init=init, device=setting["device"]), task, rng, seeds=setting["seeds"],
        steps=setting["sequences"] // setting["batch"], rate=setting["rate"], length=setting["length"],
        batch_size=setting["batch"], clip=Clip("norm", CLIP), test=2000,
    )  # fmt: skip
    return [row | {"units": hidden} for row in rows]


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df)


def naive(length):
    """The loss of the predictor that says 1/4."""
    one = 0.1 + 0.9 / (length // 2 - 1)
    return (1 - one) * 7 / 144 + one * 7 / 48


def claims(df):
    """The published outcomes at the published size, and ours at half of its length."""
    ends = curves.of_kind(df, "end", "length", "loss", "success", "sequences", words=["cell"])

    def of(cell, length, column):
        rows = ends[(ends["length"] == length) & (ends["sequences"] >= SEQUENCES[length])]
        return rows.loc[rows["cell"] == cell, column]

    quick, elman = {cell: of(cell, QUICK, "loss") for cell in CELLS}, of("elman", PAPER, "loss")
    half = naive(QUICK) / 2
    found = [
        _median("LSTM of 1997, T = 50", "The LSTM of 1997 multiplies over 50 steps: its loss is below half the naive "
                "one after 50,000 sequences.", "derived from " + LSTM_97, quick["lstm_1997"], at_most=half),
        _median("LSTM, T = 50", "So does an LSTM with forget bias 1.", "derived from " + LSTM_97, quick["lstm"],
                at_most=half),
        ranking(
            "LSTMs before tanh, T = 50", "Both have a lower loss than a tanh network with as many parameters, every "
            "seed of one than every seed of the other.", "derived from " + LSTM_97,
            {cell: (quick["elman"], quick[cell]) for cell in ("lstm", "lstm_1997")}, of="losses",
        ),
        _median("LSTM of 1997, T = 100", "With 93 weights and 1,273,000 sequences the LSTM of 1997 is wrong about "
                "fewer than 13 of 2,000 sequences.", LSTM_97 + " (unconfirmed)", of("lstm_1997", PAPER, "success"),
                at_least=1 - 12 / 2000),
        _median("tanh, T = 100", "A tanh network of that size stays above 0.9 of the naive loss.",
                "derived from " + LSTM_97, elman, at_least=0.9 * naive(PAPER)),
    ]  # fmt: skip
    return told(found, MISSES)


MISSES = {
    "LSTM, T = 50": "In the search it stayed at the naive loss at all three rates: with a forget bias of 1 a cell keeps"
    " 0.73 of its state a step, 1e-7 of it over 50 steps.",
    "LSTMs before tanh, T = 50": "The LSTM with a forget bias of 1 stays at the naive loss with the tanh network, and "
    "so does one of five seeds of the LSTM of 1997; the other four end below 0.0012.",
}


def _median(name, statement, source, values, **limits):
    note = f"The naive loss is {naive(QUICK):.4f} at T = 50, {naive(PAPER):.4f} at 100."
    if len(values) and "at_most" in limits:
        note += f" Seeds above the bound: {(values > limits['at_most']).sum()}."
    return median(name, statement, source, values, note=note, **limits)


def figures(df):
    """Losses against steps, beside the naive one."""
    return {"curves": (curves.learning_curves(df, parts="length", title="T = {:g}", ylabel="squared error"), CURVES)}


CURVES = (
    "The product of two marked values: median loss over the seeds, with their range; the dotted line is the naive "
    "loss. An LSTM with forget bias 1, which at first keeps 0.73 of its state a step, stays there with the tanh "
    "network; the LSTM of 1997, which keeps all, leaves it with most of its seeds."
)


def tables(df):
    """Loss and success at the end."""
    caption = "Medians over the seeds, on 2,000 fresh sequences; naive: loss 0.062 (T = 50), 0.060 (100), success 0.11."
    return {"ends": (curves.ends(df, ["length", "cell", "units", "rate"]), caption)}

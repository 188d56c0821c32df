"""How is a vector best told to a network that shall say it: at every step, as initial state, or both?

Method: the vector is 8 random bits (1 or -1), the sequence says them one after another, again and again, for T steps;
the network has no other input. The context comes as an extra input of every step, as initial state, V c + b, or as
both. Tanh units and LSTMs have as many parameters in all three ways as with an input at every step and 32 (16) units.
Adam, batches of 32, gradient norms clipped at 1, 1,500 steps, five seeds side by side, each cell and way at the
learning rate that the preset "search" chose for it at T = 16. A sequence is right if all T bits are; losses are in nats
a bit. The naive predictor has the loss ln 2, and what says one sequence for all vectors is right in 1/256.

Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.2.4 and figure 10.9 (the three ways).
"""

from rnnbench import cells
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.misses import told

CELLS, WAYS, LENGTHS = ("elman", "lstm"), ("input", "state", "both"), (16, 32)
CHOSEN = {f"{cell}/{way}": 0.01 for cell in CELLS for way in WAYS}
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.003
SEEDS, STEPS, UNITS = 5, 1500, {"elman": 32, "lstm": 16}
BOOK = "Goodfellow, Bengio & Courville 2016, section 10.2.4"


def sweep(preset, device):
    """Cells and ways by lengths; the search has two seeds at each rate, and two thirds of the steps."""
    match preset:
        case "smoke":
            return [_setting("lstm", way, 8, 5, seeds=2) for way in WAYS]
        case "search":
            pairs = [(cell, way) for cell in CELLS for way in WAYS]
            return [_setting(*pair, LENGTHS[0], 1000, seeds=2, rate=rate) for pair in pairs for rate in RATES]
        case "quick":
            return _all(LENGTHS, STEPS)
        case "paper":
            return _all((16, 32, 200), 20_000)


def _all(lengths, steps):
    names = dict.fromkeys((*CELLS, *cells.added()))
    return [_setting(cell, way, length, steps) for length in lengths for cell in names for way in WAYS]


def _setting(cell, way, length, steps, seeds=SEEDS, **others):
    setting = {"cell": cell, "context": way, "length": length, "steps": steps, "units": UNITS.get(cell, 16)}
    return setting | {"seeds": seeds, "rate": CHOSEN.get(f"{cell}/{way}", DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one cell and way side by side."""
    from rnnbench.studies.context import Speaker, learn_to_say, parameters

    cell, way, units = setting["cell"], setting["context"], setting["units"]
    wanted = parameters(cell, units, "input")
    hidden = min(range(units // 2, 2 * units), key=lambda size: abs(parameters(cell, size, way) - wanted))
    options = {name: setting[name] for name in ("seeds", "steps", "length", "rate")}
    return learn_to_say(rng, lambda seed: Speaker(cell, hidden, way, seed=seed), **options)


def choose(df):
    """The learning rate with the lowest median loss, for each cell and way."""
    return choices.best(df, by=("cell", "context"))


def claims(df):
    """That each way works, and what a long sequence makes of it."""
    ends = curves.of_kind(df, "end", "loss", "success", "length", "steps")
    ends = ends[ends["steps"] >= STEPS]
    groups = ends.groupby(["cell", "context", "length"]) if len(ends) else ()
    found = {names: rows for names, rows in groups}
    none = ends[:0]

    def losses(cell, way, length):
        return found.get((cell, way, length), none)["loss"]

    short, long = LENGTHS
    outcomes = [
        *(
            _median(f"{way}, T = {short}", f"Told {words}, an LSTM says the vector for {short} steps: 95 % are right.",
                    found.get(("lstm", way, short), none)["success"], at_least=0.95)
            for way, words in (("input", "at every step"), ("state", "as initial state"), ("both", "both ways"))
        ),
        ranking(
            f"input before state, T = {long}", "What is told at every step need not be held: over long sequences the "
            "loss of tanh units is lower with an input at every step than with an initial state.", "derived",
            {f"T = {long}": (losses("elman", "state", long), losses("elman", "input", long))}, of="losses",
        ),
        ranking(
            "both before state", "Both ways together have a lower loss than the initial state alone.", "derived",
            {f"{cell}, T = {length}": (losses(cell, "state", length), losses(cell, "both", length))
             for cell in CELLS for length in LENGTHS}, of="losses",
        ),
    ]  # fmt: skip
    return told(outcomes, MISSES)


def _median(name, statement, values, **limits):
    return median(name, statement, BOOK, values, note="Naive: 1/256.", **limits)


def figures(df):
    """Losses against steps, cell by cell, at the longest sequences."""
    longest = df[df["length"] == df["length"].max()]
    figure = curves.learning_curves(longest, by="context", parts="cell", ylabel="nats a bit")
    return {"curves": (figure, CURVES)}


SLOW = "Some seeds of 16 LSTM units are still learning when to say which bit after 1,500 steps; tanh units are not."
MISSES = {
    **{f"{way}, T = {LENGTHS[0]}": SLOW for way in WAYS},
    f"input before state, T = {LENGTHS[1]}": "Tanh units hold 8 bits without loss in all three ways: every loss is "
    "below 0.0001, and the lowest is that of the initial state.",
    "both before state": "What the second way costs in parameters is taken from the units, and those are short.",
}

CURVES = (
    "Saying 8 bits again and again: median loss over the seeds, with their range, at the longest sequences; dotted: "
    "the naive loss, ln 2. The vector comes in at every step, as initial state, or both."
)


def tables(df):
    """How training ended."""
    caption = "Medians over the seeds on fresh vectors; naive: loss ln 2, success 1/256."
    return {"ends": (curves.ends(df, ["length", "cell", "context", "rate"]), caption)}

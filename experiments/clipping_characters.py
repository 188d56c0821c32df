"""What does clipping do for a network that learns to predict characters by plain gradient descent?

Method: the network of min-char-rnn (100 tanh units, windows of 25 characters with the state carried on, a batch of one,
threshold 5) reads the grammar of the task ``characters``, but by plain gradient descent: Adagrad divides by the size of
past gradients and so tames long ones by itself (the experiment char_lm has it). Gradients are not clipped, or
elementwise ("value"), by the norm, or as a lecture's snippet does it, which compares the *squared* norm with the
threshold and divides by it ("squared"). Each way has the rate that the preset "search" chose for it on random numbers
of its own; and all have the one that was chosen for the norm, too. Five seeds side by side. Losses are in nats a
character, on fresh text; the naive predictor knows the current character only, and nothing can be better than 0.237.

Sources: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013,
section 4.2 and table 2; A. Karpathy, min-char-rnn, 2015 (settings); Recurrent Neural Networks, COSC 4368, University of
Houston, 2023 (the snippet, after Stanford's CS231n).
"""

from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.misses import told

WAYS = ("none", "value", "norm", "squared")
CHOSEN = {"none": 0.003, "value": 0.003, "norm": 0.03, "squared": 0.3}
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SEEDS, UNITS, WINDOW, PASSAGE, THRESHOLD, STEPS = 5, 100, 25, 2500, 5.0, 10_000


def sweep(preset, device):
    """Ways to clip by rates; the search has two seeds at each rate, and half of the steps."""
    match preset:
        case "smoke":
            return [_setting(way, 40, CHOSEN[way], units=12, seeds=2) for way in WAYS]
        case "search":
            return [_setting(way, STEPS // 2, rate, seeds=2) for way in WAYS for rate in RATES]
        case "quick" | "paper":
            steps = STEPS if preset == "quick" else 10 * STEPS
            pairs = dict.fromkeys((way, rate) for way in WAYS for rate in (CHOSEN[way], CHOSEN["norm"]))
            return [_setting(way, steps, rate) for way, rate in pairs]


def _setting(way, steps, rate, units=UNITS, seeds=SEEDS):
    return {"clip": way, "steps": steps, "rate": rate, "units": units, "seeds": seeds}


def run(setting, rng):
    """Train all seeds of one way at one rate side by side."""
    from rnnbench import tasks
    from rnnbench.studies.learning import learn
    from rnnbench.studies.writing import min_char_rnn
    from rnnbench.training.clipping import Clip

    task = tasks.get("characters", "grammar")
    clip = None if setting["clip"] == "none" else Clip(setting["clip"], THRESHOLD)
    return learn(
        min_char_rnn(task, "elman", setting["units"], setting["device"]), task, rng, seeds=setting["seeds"],
        steps=setting["steps"], rate=setting["rate"], optimiser="sgd", batch_size=1, length=PASSAGE, window=WINDOW,
        clip=clip, lengths=(500,), test=100,
    )  # fmt: skip


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df, by=["clip"])


def claims(df):
    """What clipping gains at rates of the ways' own, and at one rate."""
    ends = curves.of_kind(df, "end", "loss", "rate", "units", "steps", words=["clip"])
    ends = ends[(ends["units"] >= UNITS) & (ends["steps"] >= STEPS)]
    own = {way: curves.pick(ends, clip=way, rate=CHOSEN[way])["loss"] for way in WAYS}
    one = {way: curves.pick(ends, clip=way, rate=CHOSEN["norm"])["loss"] for way in WAYS}
    found = [
        ranking(
            "norm against none", "Clipped by the norm a network ends with a lower loss than unclipped, each at a rate "
            "of its own.", "Pascanu, Mikolov & Bengio 2013, table 2 (Penn Treebank; figures unconfirmed)",
            {"the grammar": (own["none"], own["norm"])}, of="losses",
        ),
        ranking(
            "one rate", f"At the rate that suits clipping by the norm, {CHOSEN['norm']:g}, networks that are not "
            "clipped, or in another way, end with a higher loss.", "derived",
            {way: (one[way], one["norm"]) for way in WAYS if way != "norm"}, of="losses",
        ),
        ranking(
            "squared against norm", "Clipped as the snippet does it, at the same threshold, a network ends with a "
            "higher loss than by the norm, each at a rate of its own.", "derived",
            {"the grammar": (own["squared"], own["norm"])}, of="losses",
        ),
    ]  # fmt: skip
    return told(found, MISSES)


MISSES = {
    "norm against none": "Unclipped, a rate a tenth as large keeps steps short enough, and ends 0.013 lower (medians "
    "0.267 and 0.280); after the 5,000 updates of the search both were alike (0.296 and 0.299). On this text clipping "
    "allows a larger rate, which gains nothing in the end.",
    "squared against norm": "At ten times the norm's rate it gets nearly as far (medians 0.292 and 0.280). At the same "
    "rate it ends at 0.888.",
}


def figures(df):
    """Losses by step, at rates of the ways' own and at one rate, beside the naive one and the entropy."""
    import pandas as pd

    own = df[df["rate"] == df["clip"].map(CHOSEN)].assign(at="each at its own rate")
    one = df[df["rate"] == CHOSEN["norm"]].assign(at=f"rate {CHOSEN['norm']:g}")
    both = pd.concat([own, one], ignore_index=True)
    figure = curves.learning_curves(both, by="clip", groups=WAYS, parts="at", ylabel="nats a character")
    return {"curves": (figure, CURVES)}


CURVES = (
    "Characters by plain gradient descent: median loss over the seeds, with their range. Dotted: a predictor that knows"
    " the current character only. Solid grey: the grammar's entropy. Unclipped, only small steps are safe; clipped as "
    "the snippet does it, a steep slope is hardly descended."
)


def tables(df):
    """How training ended."""
    return {"ends": (curves.ends(df, ["clip", "rate"]), "Medians over the seeds, on fresh text; nats a character.")}

"""Why does it help to read a sentence backwards, and what does attention change?

Method: an encoder reads ten random digits, a decoder with parameters of its own writes them (task ``memorization``).
Three arrangements of LSTMs, of as many parameters: "plain" reads the digits in order, "reversed" from the last to the
first, "attention" in order, and the decoder looks at all the encoder's outputs by dot products. 64 units (fewer with
attention), vectors of 16 numbers, Adam, batches of 32, gradient norms clipped at 1, 1,500 steps, five seeds side by
side, each arrangement at the learning rate that the preset "search" chose for it. A row is right if all its digits and
the end are; the naive predictor knows only where the end is. Losses are in nats a symbol. Gradients by lag are those of
the log-probability of the first digit written, by the vector of each digit read, in the untrained network on 20 digits.
``--cells my_cell.py`` adds a cell of your own, at the LSTM's rates.

Sources: I. Sutskever, O. Vinyals and Q. V. Le, Sequence to Sequence Learning with Neural Networks, NIPS 2014, section
3.3 (reversed sources: perplexity 4.7 for 5.8, BLEU 30.6 for 25.9); D. Bahdanau, K. Cho and Y. Bengio, Neural Machine
Translation by Jointly Learning to Align and Translate, ICLR 2015; M.-T. Luong, H. Pham and C. Manning, Effective
Approaches to Attention-based Neural Machine Translation, EMNLP 2015 (dot products); W. Zaremba and I. Sutskever,
Learning to Execute, arXiv 1410.4615, 2014 (the task).
"""

from rnnbench import cells
from rnnbench.runner.claims import bound, holds, ranking
from rnnbench.studies import choices, curves

ARRANGEMENTS = ("plain", "reversed", "attention")
CHOSEN = {"attention": 0.002, "plain": 0.01, "reversed": 0.01}
RATES, DEFAULT = (0.002, 0.005, 0.01), 0.005
SEEDS, DIGITS, STEPS, HIDDEN, EMBEDDING, PROBED = 5, 10, 1500, 64, 16, 20
SUTSKEVER = "Sutskever, Vinyals & Le 2014, section 3.3"


def sweep(preset, device):
    """The three arrangements; the search has two seeds at each learning rate and two thirds of the steps."""
    match preset:
        case "smoke":
            return [_setting("lstm", one, 3, 10, hidden=8, seeds=2) for one in ARRANGEMENTS]
        case "search":
            return [_setting("lstm", one, DIGITS, 1000, seeds=2, rate=rate) for one in ARRANGEMENTS for rate in RATES]
        case "quick":
            return _all(DIGITS, STEPS)
        case "paper":
            return [setting for digits in (10, 20, 40) for setting in _all(digits, 20_000, hidden=128)]


def _all(digits, steps, **others):
    names = dict.fromkeys(("lstm", *cells.added()))
    return [_setting(cell, one, digits, steps, **others) for cell in names for one in ARRANGEMENTS]


def _setting(cell, arrangement, digits, steps, hidden=HIDDEN, seeds=SEEDS, **others):
    setting = {"cell": cell, "arrangement": arrangement, "digits": digits, "steps": steps, "hidden": hidden}
    return setting | {"seeds": seeds, "rate": CHOSEN[arrangement]} | others


def run(setting, rng):
    """Train all seeds of one arrangement side by side; measure lags and gradients before."""
    from rnnbench import tasks
    from rnnbench.studies.pairs import learn_pairs

    task = tasks.get("memorization", "reversed" if setting["arrangement"] == "reversed" else "plain")
    build = _builder(setting, task)
    before = _lags(task, build, setting, rng.spawn(1)[0])
    trained = learn_pairs(
        build, {setting["arrangement"]: task}, rng, seeds=setting["seeds"], steps=setting["steps"],
        rate=setting["rate"], length=setting["digits"],
    )  # fmt: skip
    return [*before, *trained]


def _builder(setting, task):
    """A function of a seed to the network; with attention it has fewer units, and as many parameters."""
    from rnnbench.layers.decoder import Decoder
    from rnnbench.layers.encoder_decoder import Encoder, EncoderDecoder

    def sized(hidden, attention, seed, dtype="float32"):
        options = {"cell": setting["cell"], "device": setting.get("device", "cpu"), "seed": seed, "dtype": dtype}
        encoder = Encoder(task.inputs, EMBEDDING, hidden, **options)
        return EncoderDecoder(
            encoder, Decoder(task.inputs, EMBEDDING, hidden, attention=attention, **options), eos=task.inputs - 1
        )

    def size(hidden, attention):
        return sum(value.size for value in sized(hidden, attention, 0).parameters().values())

    attention, hidden = ("dot" if setting["arrangement"] == "attention" else None), setting["hidden"]
    if attention:
        wanted = size(hidden, None)
        hidden = min(range(hidden // 2, hidden + 1), key=lambda units: abs(size(units, attention) - wanted))
    return lambda seed, dtype="float32": sized(hidden, attention, seed, dtype)


def _lags(task, build, setting, rng):
    """How many steps lie between reading a digit and writing it, and what is left of the gradient."""
    import numpy as np

    from rnnbench.studies.pairs import source_gradients

    reverse, digits = setting["arrangement"] == "reversed", setting["digits"]
    pair = task.pairs(rng, 100, digits)
    same = (pair.source[:, None] == pair.target[None, :digits]).all(axis=2)  # in all rows: no other digit is by chance
    lags = len(pair.source) + np.arange(digits) - same.argmax(axis=0)
    yield {"kind": "lag", "first": int(lags[0]), "mean": float(lags.mean())}
    for r, one in enumerate(rng.spawn(setting["seeds"])):
        pair = task.pairs(one, 20, PROBED)
        norms = source_gradients(build(one, "float64"), pair.source, pair.target)
        for lag, norm in zip(range(PROBED, 0, -1), norms, strict=True):
            row = {"kind": "gradient", "replica": r, "lag": lag, "log_norm": float(np.log10(norm))}
            yield row | {"own": lag == (1 if reverse else PROBED)}


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df, by=("arrangement",))


def claims(df):
    """The lags, the gradients, and how well each arrangement learns."""
    ends = curves.of_kind(df, "end", "loss", "digits", "steps")
    ends = curves.pick(ends[ends["steps"] >= STEPS], cell="lstm")
    loss = {
        one: {digits: rows["loss"] for digits, rows in curves.pick(ends, arrangement=one).groupby("digits")}
        for one in ARRANGEMENTS
    }

    def pairs(worse, better):
        return {
            f"{better} against {worse}, {digits:g} digits": (loss[worse][digits], loss[better][digits])
            for digits in loss[worse]
            if digits in loss[better]
        }

    lags = curves.of_kind(df, "lag", "first", "mean", "digits")
    right = []
    for row in lags.itertuples():
        right.append(row.first == (1 if row.arrangement == "reversed" else row.digits) and row.mean == row.digits)
    rows = curves.of_kind(df, "gradient", "lag", "log_norm")
    rows = curves.pick(rows, cell="lstm")
    first = {one: curves.pick(rows, arrangement=one, own=True)["log_norm"] for one in ARRANGEMENTS}
    return [
        holds(
            "lags", "Reversal shortens the lag of the first symbol from T to 1 and leaves the mean lag T.", SUTSKEVER,
            right, note="Steps from reading a digit to writing it, counted on the sequences.",
        ),
        ranking(
            "gradient of the first symbol", "So the first symbol that is written sends a larger gradient to the one "
            "that it is a copy of.", "derived", {f"{PROBED} digits": (first["reversed"], first["plain"])},
            of="decimal logarithms of the gradient's norm",
        ),
        ranking(
            "reversed before plain", "In as many steps a network that reads backwards reaches a lower loss.", SUTSKEVER,
            pairs("plain", "reversed"), of="losses",
        ),
        ranking(
            "attention before both", "With attention the loss is lower than without, in either order.",
            "Bahdanau, Cho & Bengio 2015; Luong, Pham & Manning 2015 (there on translation)",
            pairs("plain", "attention") | pairs("reversed", "attention"), of="losses",
        ),
        bound(
            "attention's path", "With attention the gradient hardly falls with the lag: the slope of its logarithm is "
            "less than a fifth of the one without.", "derived", at_most=0.2, measured=_slope_ratio(rows),
            note="Slope with attention over slope without, lags 5 to 20, untrained.",
        ),
    ]  # fmt: skip


def _slope_ratio(rows):
    """Slope of the log norm by lag with attention, as a part of the one without."""
    import numpy as np

    if not len(rows):
        return None
    slopes = {}
    for one in ("plain", "attention"):
        here = rows[(rows["arrangement"] == one) & (rows["lag"] >= 5)]
        if not len(here):
            return None
        slopes[one] = np.polyfit(here["lag"], here["log_norm"], 1)[0]
    return slopes["attention"] / slopes["plain"]


def figures(df):
    """Success by step, loss by place, gradient by lag."""
    if "kind" not in df:  # nothing was measured
        return {}
    import matplotlib.pyplot as plt

    from rnnbench.report.style import line_styles

    df = df[(df["cell"] == "lstm") & df["kind"].notna()]
    df = df[df["digits"] == df["digits"].min()]
    figure, axes = plt.subplots(1, 3, figsize=(14, 4))
    panels = (
        ("look", "step", "success", "training step", "part of the rows that are right"),
        ("place", "place", "loss", "place in what is written", "nats for the digit"),
        ("gradient", "lag", "log_norm", "steps between reading and writing", "log10 of the gradient's norm"),
    )
    for ax, (kind, x, y, xlabel, ylabel) in zip(axes, panels, strict=True):
        rows = curves.of_kind(df, kind, x, y)
        rows = rows[rows["arrangement"] != "reversed"] if kind == "gradient" else rows
        for name, look in line_styles(ARRANGEMENTS).items():
            curves.band(ax, rows[rows["arrangement"] == name], x, y, name, look)
        ax.set(xlabel=xlabel, ylabel=ylabel)
    axes[0].set_ylim(-0.03, 1.03)
    axes[0].legend(loc="best")
    axes[1].set_yscale("log")
    return {"arrangements": (figure, CAPTION)}


CAPTION = (
    "Copying ten digits: read backwards, the first digit is near to its copy, and training gets off the ground sooner; "
    "with attention every digit is near. Right: gradient of the first digit written by those read, before training. "
    "Without attention it falls with every step between, in either order; with it, it hardly does."
)


def tables(df):
    """How training ended."""
    caption = "Medians over the seeds on fresh rows; naive, of T digits: loss T ln 10 / (T + 1), none right."
    caption += choices.borrowed(df)
    return {"ends": (curves.ends(df, ["digits", "arrangement", "cell", "hidden", "rate"]), caption)}

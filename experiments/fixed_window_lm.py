"""What can a language model with a fixed window not know?

Method: counted n-grams (backoff), the window network of Bengio et al. (a vector for each of the last K words, 64 tanh
units) and recurrent networks of as many parameters, all from one text of 50,000 words or characters, for each of five
seeds another. Two languages whose entropy is known. "words": a verb that is certain to those who remember the subject,
n + 1 words back (``rnnbench.studies.words``); a window of 4 words has lost it in a third of all sentences, and pays for
the verb the entropy of the verbs' shares at least. "characters": the grammar of the task ``characters``, where the last
letters of a verb agree with a noun more characters back than a window has. Adam, batches of 20 rows of 50; the learning
rates are what the preset "search" chose. Losses are in nats a symbol (perplexity is their exponential), on fresh text.
The naive predictor knows what kind of word, or which character, it has just read.

How the softmax is computed is compared for LSTMs (32 units) on a vocabulary of 2,000 words: in full, in two levels of
45 classes, or told apart from 64 drawn words while it trains, each at the rate 0.01 and judged by the exact loss.

Sources: Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, A Neural Probabilistic Language Model, Journal of Machine
Learning Research 3, 2003; T. Mikolov et al., Recurrent Neural Network Based Language Model, Interspeech 2010; F. Morin
and Y. Bengio, Hierarchical Probabilistic Neural Network Language Model, AISTATS 2005; Y. Bengio and J.-S. Senecal, IEEE
Transactions on Neural Networks 19(4), 2008 (sampled softmax).
"""

from itertools import pairwise

from rnnbench import cells
from rnnbench.runner.claims import compare, holds, ranking
from rnnbench.runner.intervals import bootstrap_median
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.misses import told

LEVELS, CELLS, READOUTS = ("words", "characters"), ("elman", "lstm"), ("full", "hierarchical", "sampled")
CHOSEN = {
    "characters/elman": 0.01, "characters/lstm": 0.01, "characters/window": 0.01,
    "words/elman": 0.01, "words/lstm": 0.01, "words/window": 0.003,
}  # fmt: skip
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.003
SEEDS, STEPS, TEXT, HIDDEN = 5, 800, 50_000, 64
WINDOWS = {"words": 4, "characters": 6}
ORDERS, SMALL_TEXT = {"words": (1, 2, 3, 4, 5), "characters": (1, 2, 3, 4, 5, 7)}, 1000
BENGIO = "Bengio et al. 2003"


def sweep(preset, device):
    """Counted n-grams by order, networks by level, ways to compute the softmax."""
    match preset:
        case "smoke":
            return [_counted("words", 3, 500, 2), _trained("words", "window", 20, text=500, hidden=8, seeds=2)]
        case "search":
            kinds = [(level, model) for level in LEVELS for model in ("window", *CELLS)]
            return [_trained(*kind, STEPS // 2, seeds=2, rate=rate) for kind in kinds for rate in RATES]
        case "quick":
            return _all(STEPS, 300)
        case "paper":
            return _all(20_000, 10_000)


def _all(steps, of_softmax):
    found = [_counted(level, order, TEXT) for level in LEVELS for order in ORDERS[level]]
    found += [_counted("words", order, SMALL_TEXT) for order in ORDERS["words"]]
    found += [_trained(level, model, steps) for level in LEVELS for model in ("window", *_cells())]
    return found + [{"model": "softmax", "readout": one, "steps": of_softmax, "seeds": SEEDS} for one in READOUTS]


def _cells():
    return dict.fromkeys((*CELLS, *cells.added()))


def _counted(level, order, text, seeds=SEEDS):
    return {"model": "counted", "level": level, "order": order, "text": text, "seeds": seeds}


def _trained(level, model, steps, text=TEXT, hidden=HIDDEN, seeds=SEEDS, **others):
    setting = {"model": "window"} if model == "window" else {"model": "recurrent", "cell": model}
    setting |= {"level": level, "text": text, "window": WINDOWS[level], "hidden": hidden, "steps": steps}
    return setting | {"seeds": seeds, "rate": CHOSEN.get(f"{level}/{model}", DEFAULT)} | others


def run(setting, rng):
    """Count n-grams of several texts, or train the seeds of a network side by side on one."""
    from rnnbench.studies import language_models

    match setting["model"]:
        case "counted":
            return language_models.count(setting, rng)
        case "softmax":
            return language_models.softmax(setting, rng)
        case _:
            return language_models.train(setting, rng)


def _unsure():
    """What a verb costs those who do not know the subject."""
    from scipy.stats import entropy

    from rnnbench.studies.language_models import WORDS

    return float(entropy(WORDS.of_verbs))


def choose(df):
    """The learning rate with the lowest median loss, for each level and model."""
    names = df["cell"].fillna("window") if "cell" in df else "window"
    return choices.best(df.assign(name=names), by=("level", "name"))


def claims(df):
    """What counting cannot do, what a window cannot know, what the softmax costs."""
    ends = curves.of_kind(
        df, "end", "loss", "order", "parameters", "text", "seen", "unknown", "unknown_expected", "steps"
    )
    for name in ("model", "level", "cell", "readout"):
        ends[name] = ends.get(name)
    counted = ends[(ends["model"] == "counted") & (ends["text"] == TEXT)]
    of_order = counted.groupby(["level", "order"])[["seen", "parameters", "loss"]].median()
    steps = [pair for level in LEVELS if level in of_order.index for pair in pairwise(of_order.loc[level].itertuples())]
    short = ends[(ends["model"] == "counted") & (ends["text"] == SMALL_TEXT)]
    unknown = short["unknown"] / short["unknown_expected"]
    nets = ends[ends["steps"] >= STEPS]
    loss = {
        (level, model): nets[(nets["level"] == level) & (nets["cell"].fillna(nets["model"]) == model)]["loss"]
        for level in LEVELS
        for model in ("window", *CELLS)
    }
    ngram = {level: counted[(counted["level"] == level) & (counted["order"] == WINDOWS[level] + 1)]["loss"]
             for level in LEVELS}  # fmt: skip
    full = {name: ends[(ends["model"] == "softmax") & (ends["readout"] == name)]["loss"] for name in READOUTS}
    found = [
        holds(
            "sparse", "The longer the n-grams, the smaller the part of all possible ones that a text holds.", BENGIO,
            [after.seen < before.seen for before, after in steps], note="Of 50,000 words or characters.",
        ),
        holds(
            "large", "The longer the n-grams, the more of them have to be kept.", BENGIO,
            [after.parameters > before.parameters for before, after in steps],
        ),
        compare(
            "unknown words", "A text of N words leaves the part sum_w p_w (1 - p_w)^N of all running text unknown.",
            "derived", published=1.0, tolerance=0.1, measured=unknown.median() if len(unknown) else None,
            interval=bootstrap_median(unknown) if len(unknown) > 1 else None,
            note="Measured over expected, N = 1,000, 25 texts; the formula takes words for independent.",
        ),
        holds(
            "no unknown characters", "Of characters none is unknown.", "derived",
            [one == 0 for one in counted[counted["level"] == "characters"]["unknown"]],
        ),
        ranking(
            "window before counts", "The window network has a lower loss than counted n-grams of the same context.",
            f"{BENGIO}, tables 1, 2", {level: (ngram[level], loss[level, "window"]) for level in LEVELS}, of="losses",
        ),
        ranking(
            "recurrence before window", "At as many parameters a recurrent network has a lower loss than the window's.",
            "Mikolov et al. 2010 (there against n-grams and feed-forward networks, word errors)",
            {f"{cell}, {level}": (loss[level, "window"], loss[level, cell]) for level in LEVELS for cell in CELLS},
            of="losses",
        ),
        *_verbs(df),
        ranking(
            "hierarchical softmax", "In as many steps the full softmax reaches a lower loss than that of two levels.",
            "Morin & Bengio 2005, table 1 (a binary tree; figures unconfirmed)",
            {"2,000 words": (full["hierarchical"], full["full"])}, of="losses",
        ),
        ranking(
            "sampled softmax", "In as many steps the full softmax reaches a lower loss than 64 drawn words do.",
            "Bengio & Senecal 2008 (figures unconfirmed)", {"2,000 words": (full["sampled"], full["full"])},
            of="losses",
        ),
    ]  # fmt: skip
    return told(found, MISSES)


def _verbs(df):
    """What is paid for a verb whose subject lies beyond the window."""
    unsure = _unsure()
    rows = curves.of_kind(df, "verb", "gap", "loss", "steps", "window")
    far = rows[(rows["steps"] >= STEPS) & (rows["gap"] >= WINDOWS["words"])] if len(rows) else rows
    cell = far["cell"] if "cell" in far else far["kind"]
    found = {}
    for name, own in (("window", cell.isna()), ("lstm", cell == "lstm")):
        found[name] = far[own].groupby("replica")["loss"].mean() if len(far) else far["loss"]
    return [
        median(f"verb beyond the window, {name}", statement, "derived", found[name], **limits)
        for name, statement, limits in (
            ("window", f"Where the subject is beyond it, a window network pays the verbs' entropy ({unsure:.2f} nats) "
             "or all but a tenth of it.", {"at_least": 0.9 * unsure}),
            ("lstm", "There an LSTM still knows the verb: it pays less than a quarter of that.",
             {"at_most": 0.25 * unsure}),
        )
    ]  # fmt: skip


def figures(df):
    """The loss at the verb against what stands between; losses by order and text; learning; ways to the softmax."""
    if "kind" not in df:  # nothing was measured
        return {}
    import matplotlib.pyplot as plt

    from rnnbench.report.charts import BESIDE
    from rnnbench.report.style import GREY, line_styles

    drawn = {}
    rows = curves.of_kind(df, "verb", "gap", "loss", "order", "text")
    rows = rows[(rows["text"] > SMALL_TEXT) & ~(rows["order"] < WINDOWS["words"])]
    if len(rows):
        names = _names(rows)
        figure, ax = plt.subplots(figsize=(8, 4.3))
        for name, look in line_styles(dict.fromkeys(names)).items():
            curves.band(ax, rows[names == name], "gap", "loss", name, look)
        ax.axhline(_unsure(), color=GREY, linestyle=":")
        ax.set(xlabel="fillers between subject and verb", ylabel="nats for which verb it is", ylim=(0, None))
        ax.legend(**BESIDE)
        drawn["verb"] = figure, VERB
    softmax = df[(df["model"] == "softmax") & df["kind"].isin(["look", "naive"])].replace({"kind": {"look": "curve"}})
    if len(softmax):
        drawn["softmax"] = curves.learning_curves(softmax, by="readout", ylabel="nats a word"), SOFTMAX
    nets = df[df["model"].isin(["window", "recurrent"])]
    if len(nets):
        nets = nets.assign(name=_names(nets))
        drawn["curves"] = curves.learning_curves(nets, by="name", parts="level", ylabel="nats a symbol"), CURVES
    return drawn


def _names(rows):
    """What to call the model of each row."""
    cell = rows["cell"] if "cell" in rows else rows["model"].where(rows["model"] != "recurrent")
    names = cell.fillna(rows["model"])
    orders = rows.get("order")
    return names if orders is None else names.where(rows["model"] != "counted", orders.map("{:.0f}-grams".format))


MISSES = {
    "window before counts": "On characters a text holds the few 7-grams of the grammar many times each, so that counts "
    "are all but exact; the network has had 800 updates.",
    "recurrence before window": "On words it is clear; on characters all networks are within a tenth of each other "
    "after 800 updates.",
    "hierarchical softmax": "Neighbours in this vocabulary are words of one kind, so that the classes help from the "
    "first step on; after 300 steps the two are level.",
}

VERB = (
    "What a model pays for which verb it is, which is certain once the subject is known. With 4 fillers between, "
    "a window of 4 words and 5-grams pay what someone pays who knows no subject (dotted); a recurrent network does not."
)
CURVES = (
    "Losses on the training text: median over the seeds, with their range. Dotted: naive predictor. Grey: the "
    "entropy of the language, below which a network knows parts of this one text by heart."
)
SOFTMAX = (
    "Exact losses of LSTMs on a vocabulary of 2,000 words, trained with the full softmax, with one in two levels, and "
    "with 64 drawn words; grey: the naive loss (dotted) and the entropy."
)


def tables(df):
    """Counts, networks, ways to the softmax; times are for orientation, other programs ran beside them."""
    ends = curves.of_kind(df, "end", "loss", "order", "seen", "unknown", "parameters", "steps", "text")
    counted = ends[ends["model"] == "counted"].groupby(["level", "text", "order"])
    columns = ["loss", "parameters", "seen", "unknown"]
    table = counted[columns].median().reset_index().assign(perplexity=lambda t: 2.718281828459045 ** t["loss"])
    found = {"counted": (table, "N-grams, medians over the texts. parameters: those kept; seen: of all V^n.")}
    nets = ends[ends["model"].isin(["window", "recurrent"])]
    if len(nets):
        nets = nets.assign(name=_names(nets))
        caption = "Networks: medians over the seeds on fresh text, nats a symbol."
        found["networks"] = curves.ends(nets, ["level", "name", "rate"]).drop(columns="success"), caption
    softmax = ends[ends["model"] == "softmax"]
    if len(softmax):
        softmax = softmax.assign(milliseconds=1000 * softmax["seconds"] / softmax["steps"])
        told = softmax.groupby("readout", sort=False)[["loss", "parameters", "milliseconds"]].median().reset_index()
        found["softmax"] = (
            told,
            "Ways to compute the softmax: exact loss; time per step of five seeds, judging included.",
        )
    return found

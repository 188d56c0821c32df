"""Can one translate between two languages that were never seen together?

Method: three languages of the project's own (task ``transduction``) that differ in words, word order and length, and
whose subjects are ambiguous in every other language until the sentence is over. Each has an encoder and a decoder of
its own (LSTMs, 64 units, vectors of 16 numbers), which all pairs share: the decoders start from the encoders' last
state and have nothing else. Trained are five of the six pairs in turn, never sov to vso; in the arrangement "and
itself" also each language into itself, for which no translation is needed. Sentences have one object. Adam, batches of
32, gradient norms clipped at 1, five seeds side by side, at the learning rate that the preset "search" chose for the
arrangement by the loss on the trained pairs. A sentence is right if all its words and the end are, each given the right
ones before it. The naive predictor knows which kind of word stands where. ``--cells my_cell.py`` adds a cell of
your own, at the LSTM's rates.

Sources: I. Sutskever, O. Vinyals and Q. V. Le, Sequence to Sequence Learning with Neural Networks, NIPS 2014; R.
Grosse, Lecture 7: Recurrent Neural Nets, section 4.2 (shared encoders and decoders, pairs never aligned); O. Firat, K.
Cho and Y. Bengio, Multi-Way, Multilingual Neural Machine Translation with a Shared Attention Mechanism, NAACL 2016; M.
Johnson et al., Google's Multilingual Neural Machine Translation System: Enabling Zero-Shot Translation, TACL 2017.
"""

from rnnbench import cells
from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median
from rnnbench.studies.misses import told

LANGUAGES = ("svo", "sov", "vso")
PAIRS = tuple(f"{a}_{b}" for a in LANGUAGES for b in LANGUAGES if a != b)
UNSEEN = "sov_vso"
ARRANGEMENTS = ("pairs", "and itself")
CHOSEN = {"and itself": 0.01, "pairs": 0.01}
RATES = (0.002, 0.005, 0.01)
SEEDS, STEPS, HIDDEN, EMBEDDING, OBJECTS = 5, 2400, 64, 16, 1
GROSSE = "Grosse, Lecture 7, section 4.2; Johnson et al. 2017, section 4.5"


def sweep(preset, device):
    """The arrangements; the search has two seeds at each learning rate, and half the steps."""
    match preset:
        case "smoke":
            return [_setting("lstm", "and itself", 9, hidden=8, seeds=2)]
        case "search":
            return [_setting("lstm", one, STEPS // 2, seeds=2, rate=rate) for one in ARRANGEMENTS for rate in RATES]
        case "quick":
            return _all(STEPS)
        case "paper":
            return _all(40_000, objects=3, hidden=256)


def _all(steps, **others):
    names = dict.fromkeys(("lstm", *cells.added()))
    return [_setting(cell, one, steps, **others) for cell in names for one in ARRANGEMENTS]


def _setting(cell, arrangement, steps, objects=OBJECTS, hidden=HIDDEN, seeds=SEEDS, **others):
    setting = {"cell": cell, "arrangement": arrangement, "objects": objects, "hidden": hidden, "steps": steps}
    return setting | {"seeds": seeds, "rate": CHOSEN[arrangement]} | others


def run(setting, rng):
    """Train all seeds of one arrangement side by side."""
    from rnnbench import tasks
    from rnnbench.layers.decoder import Decoder
    from rnnbench.layers.encoder_decoder import Encoder, Languages
    from rnnbench.studies.pairs import learn_pairs

    every = {name: tasks.get("transduction", name) for name in PAIRS}
    trained = {name: task for name, task in every.items() if name != UNSEEN}
    if setting["arrangement"] == "and itself":
        trained |= {f"{one}_{one}": _itself(every[next(p for p in PAIRS if p.startswith(one))]) for one in LANGUAGES}
    words, cell = every[UNSEEN].inputs, setting["cell"]

    def build(seed):
        sizes, options = (words, EMBEDDING, setting["hidden"]), {"cell": cell, "seed": seed}
        return Languages(
            {one: Encoder(*sizes, **options) for one in LANGUAGES},
            {one: Decoder(*sizes, **options) for one in LANGUAGES},
        )

    return learn_pairs(
        build, trained, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"],
        length=setting["objects"], judged=every, part=lambda network, name: network.pair(*name.split("_")),
    )  # fmt: skip


def _itself(task):
    """The task of saying a sentence again in its own language."""
    from dataclasses import replace

    from rnnbench.layers.encoder_decoder import ended
    from rnnbench.tasks import Pair

    def pairs(rng, size, length):
        pair = task.pairs(rng, size, length)
        return Pair(pair.source, pair.source_lengths, *ended(pair.source, pair.source_lengths, 0))

    return replace(task, pairs=pairs)


def choose(df):
    """The learning rate with the lowest median loss on the pairs that are trained."""
    return choices.best(df[df["pair"] != UNSEEN] if "pair" in df else df, by=("arrangement",))


def claims(df):
    """The trained pairs, the one that never was, and the word that only the end decides."""
    ends = curves.of_kind(df, "end", "loss", "success", "objects", "steps")
    ends = curves.pick(ends[ends["steps"] >= STEPS], cell="lstm")
    trained = ends[ends["pair"] != UNSEEN] if "pair" in ends else ends
    unseen = {one: curves.pick(ends, pair=UNSEEN, arrangement=one) for one in ARRANGEMENTS}
    places = curves.of_kind(df, "place", "place", "success", "steps")
    first = curves.pick(places[places["steps"] >= STEPS], place=1, pair="svo_sov", cell="lstm")["success"]
    found = [
        _median(
            "trained pairs", "An encoder and a decoder translate between languages of other lengths and word orders: "
            "95 % of the sentences of the trained pairs are right.", "Sutskever, Vinyals & Le 2014; Grosse, Lecture 7",
            trained["success"], where=trained.reindex(columns=["arrangement", "pair"]), at_least=0.95,
        ),
        _median(
            "ambiguity", "The first word to be written, which only the end of what is read decides, is right in 95 % "
            "of svo to sov; who writes while reading knows it in a half at most.", "derived; Grosse, Lecture 7",
            first, at_least=0.95,
        ),
        *(
            _median(
                f"never trained, {one}", f"Sentences of the pair that was never trained ({words}) are translated: half "
                "of them or more are right.", GROSSE, unseen[one]["success"], at_least=0.5,
            )
            for one, words in zip(ARRANGEMENTS, ("five pairs", "five pairs and each language itself"), strict=True)
        ),
        ranking(
            "languages into themselves", "The pair that was never trained has a lower loss where each language was "
            "also said again in its own words.", "derived",
            {UNSEEN: (unseen["pairs"]["loss"], unseen["and itself"]["loss"])}, of="losses",
        ),
    ]  # fmt: skip
    return told(found, MISSES)


def _median(name, statement, source, values, **limits):
    return median(name, statement, source, values, of="networks and pairs", **limits)


def figures(df):
    """Success of every pair while training, an arrangement to a panel."""
    if "kind" not in df:  # nothing was measured
        return {}
    import matplotlib.pyplot as plt

    from rnnbench.report.charts import BESIDE
    from rnnbench.report.style import line_styles

    looks = curves.of_kind(df, "look", "step", "success")
    looks["arrangement"] = curves.beside_lstm(looks, "arrangement")
    told = dict.fromkeys((*ARRANGEMENTS, *looks["arrangement"]))
    names = [one for one in told if (looks["arrangement"] == one).any()]
    figure, axes = plt.subplots(1, max(1, len(names)), figsize=(3 + 4.6 * max(1, len(names)), 4.3), squeeze=False)
    for ax, name in zip(axes[0], names, strict=False):
        for pair, look in line_styles(PAIRS).items():
            rows = looks[(looks["arrangement"] == name) & (looks["pair"] == pair)]
            label = pair.replace("_", " to ") + (" (never)" if pair == UNSEEN else "")
            curves.band(ax, rows, "step", "success", label, look)
        ax.set(xlabel="training step", ylabel="part of the sentences that are right", ylim=(-0.03, 1.03), title=name)
    axes[0, -1].legend(**BESIDE)
    return {"pairs": (figure, CAPTION)}


MISSES = {
    "never trained, pairs": "Each decoder only has to understand the two encoders that it was trained with, which need "
    "not write alike; saying each language again in its own words makes them.",
}
CAPTION = (
    "Translating between three languages with shared encoders and decoders: median over the seeds, with their range. "
    "Five pairs are trained, sov to vso is not; right, each language was also said again in its own words."
)


def tables(df):
    """How each pair ended."""
    caption = "Medians over the seeds on fresh sentences; losses in nats a word." + choices.borrowed(df)
    ends = curves.ends(df, ["arrangement", "pair", "cell", "objects", "rate"])
    naive = curves.of_kind(df, "naive", "loss", "success", words=["pair"]).groupby("pair")[["loss", "success"]].first()
    return {"ends": (ends.join(naive.add_prefix("naive "), on="pair"), caption)}

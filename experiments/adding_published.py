"""Is adding still learned by the LSTM and by the identity network that were first published for it?

Method, 1997: the task ``adding`` (variant lstm_97: values from U(-1, 1), one of the first ten steps is marked and one
of the first half, the target at the last of T to 1.1 T steps is 0.5 + (X1 + X2)/4, squared error). The paper has two
blocks of two cells, 93 weights; here each of four cells has gates of its own and no gate reads another, 89 weights. The
recurrent layer starts as the paper's: weights from U(-0.1, 0.1), biases of the input gates -3 and -6, against the noise
that would drift into the cells. It is trained on as many sequences as the paper needed on average until the last 2,000
were right, but by Adam in batches of 10, at a rate that falls along a cosine, gradient norms clipped at 1, with the
full gradient; the paper makes an update after each sequence and cuts the gradient off at the gates. Five seeds side by
side, at the rate that the preset "search" chose on random numbers of its own. A sequence is right within 0.04 of the
target, and 2,560 fresh ones are asked for. The naive predictor always says 0.5; it is right about 0.154 of them at T =
100 and has the loss 0.039.

Method, 2015: the variant urnn (values from U(0, 1), one marked in each half, the answer is their sum; naive loss 1/6).
100 rectified units that start as the identity, and as many tanh units, by plain gradient descent at the rate 0.01 in
batches of 16, gradient norms clipped at 1; the paper has thresholds from 1 to 100 and takes the best of each network
(``--set clip=100``). In "quick" over 20 steps, 6,000 updates; in "paper" over 150 and 200, as published, 400,000
updates (our choice).

Sources: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, experiment 4 and table 7;
Q. V. Le, N. Jaitly and G. E. Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, arXiv
1504.00941, 2015, section 4.1. Numbers of sequences, rate and thresholds are quoted from memory and unconfirmed.
"""

from rnnbench.runner.claims import ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median

CHOSEN = {"lstm_1997": 0.03}
RATES = (0.003, 0.01, 0.03)
SEEDS, CLIP = 5, 1.0
PUBLISHED = {100: (74_000, 1), 500: (209_000, 0), 1000: (853_000, 1)}  # T: sequences, how many are wrong of TEST
WEIGHTS, BATCH, TEST = 93, 10, 2560
WIDTH, BIASES = 0.1, (-3.0, -6.0)  # of the first weights; of the input gates, block by block
IRNN = {"hidden": 100, "batch": 16, "published_rate": 0.01}
UPDATES = {20: 6000, 150: 400_000, 200: 400_000}  # T: of plain gradient descent
CELLS = ("elman", "irnn")
LSTM_97, LE = "Hochreiter & Schmidhuber 1997, experiment 4", "Le, Jaitly & Hinton 2015, section 4.1"


def sweep(preset, device):
    """Each paper's networks; the search has the LSTM of 1997 alone, with two seeds at each rate."""
    match preset:
        case "smoke":
            return [_lstm(20, 40, 2), *(_descent(cell, 10, 2, hidden=8, steps=2) for cell in CELLS)]
        case "search":
            return [_lstm(100, PUBLISHED[100][0], 2) | {"rate": rate} for rate in RATES]
        case "quick":
            return [_lstm(100, PUBLISHED[100][0]), *(_descent(cell, 20) for cell in CELLS)]
        case "paper":
            found = [_lstm(length, sequences) for length, (sequences, _) in PUBLISHED.items()]
            return found + [_descent(cell, length) for length in (150, 200) for cell in CELLS]


def _lstm(length, sequences, seeds=SEEDS):
    setting = {"study": "1997", "cell": "lstm_1997", "length": length, "sequences": sequences, "seeds": seeds}
    return setting | {"parameters_wanted": WEIGHTS, "batch": BATCH, "rate": CHOSEN["lstm_1997"]}


def _descent(cell, length, seeds=SEEDS, **others):
    setting = {"study": "2015", "cell": cell, "length": length, "seeds": seeds, "clip": CLIP}
    return setting | IRNN | {"steps": UPDATES.get(length)} | others


def run(setting, rng):
    """Train all seeds of one cell side by side."""
    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip
    from rnnbench.training.schedules import Cosine

    cell = setting["cell"]
    if setting["study"] == "1997":
        task, steps = tasks.get("adding", "lstm_97"), setting["sequences"] // setting["batch"]
        hidden = sizes.units(cell, task.inputs, task.outputs, setting["parameters_wanted"])
        build = _of_1997(task, cell, hidden, setting["device"])
        how = {"optimiser": "adam", "rate": setting["rate"], "schedule": Cosine(steps), "clip": Clip("norm", CLIP)}
        how |= {"test": TEST}
    else:
        task, steps, hidden = tasks.get("adding"), setting["steps"], setting["hidden"]
        build = network_for(task, cell, hidden, readout="last", device=setting["device"])
        how = {"optimiser": "sgd", "rate": setting["published_rate"], "clip": Clip("norm", setting["clip"])}
    return learn(
        build, task, rng, seeds=setting["seeds"], steps=steps, length=setting["length"], batch_size=setting["batch"],
        **how,
    )  # fmt: skip


def _of_1997(task, cell, hidden, device):
    """Networks that start as the paper's; the halves of the cells have the biases of its two blocks."""
    from rnnbench.studies.learning import network_for

    init = {"name": "uniform", "gain": WIDTH * hidden**0.5}
    plain = network_for(task, cell, hidden, init=init, device=device)

    def build(seed):
        network = plain(seed)
        gates = network.parts["hidden"].parts["layer"].gate_bias("i")
        gates[..., : hidden // 2], gates[..., hidden // 2 :] = BIASES
        return network

    return build


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df)


def claims(df):
    """The published outcomes, at the published sizes."""
    found = [_before_the_constant(df)]
    ends = _of(df, "1997")
    for length, (sequences, wrong) in PUBLISHED.items():
        rows = ends[(ends["length"] == length) & (ends["sequences"] >= sequences)]
        found.append(median(
            f"LSTM of 1997, T = {length}", f"After {sequences:,} sequences of {length} steps and more an LSTM of 1997 "
            f"with four cells is wrong about at most {wrong} of {TEST:,}.", LSTM_97, rows["success"],
            at_least=1 - wrong / TEST,
        ))  # fmt: skip
    descended = "By plain gradient descent rectified units that start as the identity have a lower loss than as many "
    descended += "tanh units, every seed of one than every seed of the other"
    found += [
        ranking("IRNN before tanh, T = 20", f"{descended}: over 20 steps, after {UPDATES[20]:,} updates.",
                LE + " (there from T = 150 on)", _descended(df, 20, 20), of="losses"),
        ranking("IRNN before tanh, T >= 150", f"{descended}: over 150 steps and more.", LE, _descended(df, 150, 1000),
                of="losses"),
    ]  # fmt: skip
    return found


def _descended(df, shortest, longest):
    """Losses of tanh and of rectified units, by place."""
    ends = _of(df, "2015")
    ends = ends[ends["length"].between(shortest, longest) & (ends["hidden"] >= IRNN["hidden"])]
    ends = ends[ends["steps"] >= ends["length"].map(UPDATES)]
    return {
        f"T = {length:g}, clipped at {clip:g}": [rows.loc[rows["cell"] == cell, "loss"] for cell in CELLS]
        for (length, clip), rows in ends.groupby(["length", "clip"])
    }


def _before_the_constant(df):
    """That what is learned at the published size is no constant."""
    ends, naive = _of(df, "1997"), _of(df, "1997", "naive")
    ends, naive = (rows[rows["length"] == 100] for rows in (ends, naive))
    ends = ends[ends["sequences"] >= PUBLISHED[100][0]]
    return median(
        "LSTM of 1997 before the constant, T = 100", "The LSTM of 1997 has less than a tenth of the naive loss over "
        "100 steps.", "derived from " + LSTM_97, ends["loss"] / naive["loss"].max(), at_most=0.1,
        note="Losses are parts of the naive one.",
    )  # fmt: skip


def _of(df, study, kind="end"):
    rows = curves.of_kind(df, kind, "length", "loss", "success", "sequences", "steps", "hidden", "clip",
                          words=["study", "cell"])  # fmt: skip
    return rows[rows["study"] == study]


def figures(df):
    """Losses against steps, beside the naive one."""
    parts = {study: df[df["study"] == study] if "study" in df else df for study in CAPTIONS}
    return {
        study: (curves.learning_curves(rows, parts="length", title="T = {:g}", ylabel="squared error"), CAPTIONS[study])
        for study, rows in parts.items()
        if len(rows)
    }


CAPTIONS = {
    "1997": "The LSTM of 1997, four cells, on the adding of 1997: median loss over the seeds, with their range; the "
    "dotted line is the naive loss, that of always saying 0.5.",
    "2015": "Plain gradient descent on adding: median loss over the seeds, with their range; the dotted line is the "
    "naive loss, 1/6.",
}


def tables(df):
    """Loss and success at the end, beside the naive predictor's."""
    caption = (
        "Medians over the seeds at the end of training, on fresh sequences. Naive: loss 0.039, success 0.154 (1997, "
        "T = 100); loss 1/6, success 0.078 (2015)."
    )
    rates = df.reindex(columns=["rate", "published_rate"])
    known = df.assign(rate=rates["rate"].fillna(rates["published_rate"]))
    return {"ends": (curves.ends(known, ["study", "length", "cell", "rate"]), caption)}

"""Do gate biases drawn for the lags of a task make an LSTM learn them sooner than a forget bias of 1?

Method: chrono initialisation draws the forget gate's bias as ln U(1, T - 1) and gives the input gate its negative, so
that the units' time constants are spread up to T, the length of the task; it is compared with the usual forget bias
of 1, all else alike. The tasks are adding (naive loss 1/6) and copy, both at T = 100 with 32 units in "quick", and copy
with one symbol out of eight to hold instead of ten (the baseline is ln 8/(T + 2)). That size was chosen by runs on
other random numbers: with T = 200 neither start had learned anything after 750 updates, and with three symbols and
T = 60 a forget bias of 1 was ahead after 1,000, for chrono initialisation begins with input gates nearly closed.
RMSProp with decay 0.9 as in the paper, batch 20, gradient norms clipped at 1, mean over the scored steps, five seeds
side by side, each start at the learning rate that the preset "search" chose for it, for each task, on random numbers of
its own. The paper has 128 units, batch 50, T = 200 and 750 for adding, 500 and 2,000 for copy: so has the preset
"paper". T of the bias is the task's T.

What a start remembers, by derivation: a cell state keeps the part f^T over T steps, f = sigmoid(b) as long as weights
are small. With b = 1 that is 0.731^T. With b = ln u it is (u/(1 + u))^T, near exp(-T/u), and the mean over u, uniform
up to T, is the integral of exp(-1/s) over s from 0 to 1, 1/e - E1(1) = 0.1485, whatever T is.

Source: C. Tallec and Y. Ollivier, Can recurrent neural networks warp time?, ICLR 2018, sections 2.2 and 3; the sizes of
its section 3 are quoted from memory and unconfirmed.
"""

from rnnbench.runner.claims import bound, compare, ranking
from rnnbench.runner.intervals import bootstrap_mean
from rnnbench.studies import choices, curves
from rnnbench.studies.medians import median

STARTS = ("forget bias 1", "chrono")
CHOSEN = {
    "adding/chrono": 0.01, "adding/forget bias 1": 0.003, "copy/chrono": 0.01, "copy/forget bias 1": 0.003,
}  # fmt: skip
RATES, DEFAULT = (0.001, 0.003, 0.01), 0.003
SEEDS, CLIP, STEPS, QUICK, RECALL = 5, 1.0, 2000, 100, 1
KEPT = 0.14850  # 1/e - E1(1)
HALF = 0.5  # of the naive loss
PAPER = "Tallec & Ollivier 2018, section 3"


def sweep(preset, device):
    """Tasks by starts; the search has two seeds at each learning rate, and half of the steps."""
    both = [(task, start) for task in ("adding", "copy") for start in STARTS]
    match preset:
        case "smoke":
            return [_setting("adding", start, 12, 10, 2, units=8) for start in STARTS] + _starts(12, 32)
        case "search":
            return [_setting(*one, QUICK, STEPS // 2, 2, rate=rate) for one in both for rate in RATES]
        case "quick":
            return [_setting(*one, QUICK, STEPS) for one in both] + _starts(QUICK, 256)
        case "paper":
            sizes = {"units": 128, "batch": 50, "recall": 10}
            places = [("adding", 200), ("adding", 750), ("copy", 500), ("copy", 2000)]
            return [_setting(task, start, T, 30_000, **sizes) for task, T in places for start in STARTS]


def _setting(task, start, length, steps, seeds=SEEDS, rate=None, units=32, batch=20, recall=RECALL):
    rate = CHOSEN.get(f"{task}/{start}", DEFAULT) if rate is None else rate
    setting = {"cell": "lstm", "task": task, "start": start, "length": length, "steps": steps, "units": units}
    return setting | {"batch": batch, "seeds": seeds, "rate": rate} | ({"recall": recall} if task == "copy" else {})


def _starts(length, units):
    """Looks at what is kept at the start, without training."""
    return [{"cell": "lstm", "start": start, "length": length, "units": units, "layers": 16} for start in STARTS]


def run(setting, rng):
    """Train all seeds of one start side by side; or look at untrained layers."""
    init = {"name": "uniform"}
    init |= {"chrono": setting["length"]} if setting["start"] == "chrono" else {"forget_bias": 1.0}
    if "layers" in setting:
        return _kept(init, setting["units"], setting["layers"], setting["length"], rng)
    from rnnbench import tasks
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip

    adding = setting["task"] == "adding"
    task = tasks.get("adding") if adding else tasks.get("copy", recall=setting["recall"])
    build = network_for(
        task, "lstm", setting["units"], readout="last" if adding else "every", init=init, device=setting["device"]
    )
    return learn(
        build, task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"], optimiser="rmsprop",
        optimiser_options={"decay": 0.9}, length=setting["length"], batch_size=setting["batch"],
        clip=Clip("norm", CLIP), mean="positions",
    )  # fmt: skip


def _kept(init, units, layers, length, rng):
    """Which part of a cell state the forget gates of new layers keep over the length, as their bias says."""
    import numpy as np

    from rnnbench.layers import Recurrent

    layer = Recurrent("lstm", 1, units, init=init, seed=list(rng.spawn(layers)))
    gate = 1 / (1 + np.exp(-np.asarray(layer.gate_bias("f"), float)))
    return [{"kind": "kept", "replica": r, "kept": float((f**length).mean())} for r, f in enumerate(gate)]


def choose(df):
    """The learning rate with the lowest median loss, for each task and start."""
    return choices.best(df, by=("task", "start"))


def claims(df):
    """What a start remembers, and what it leads to."""
    kept = curves.of_kind(df, "kept", "length", "kept", "units", words=["start"])
    kept = kept[kept["units"] >= 256]
    ends = curves.of_kind(df, "end", "length", "loss", "steps", "units", words=["task", "start"])
    ends = ends[ends["steps"] >= STEPS]
    long = kept.loc[(kept["start"] == "forget bias 1") & (kept["length"] >= QUICK), "kept"]
    parts = {start: kept.loc[kept["start"] == start, "kept"] for start in STARTS}

    def of(task, start, length, units):
        place = (ends["length"] == length) & (ends["units"] == units)
        return ends.loc[place & (ends["task"] == task) & (ends["start"] == start), "loss"]

    def both(task, length, units):
        return tuple(of(task, start, length, units) for start in STARTS)

    return [
        compare(
            "kept, chrono", "With chrono initialisation the cell states keep 0.1485 of what they hold over T steps, in "
            "the mean over the units.", "derived (module's docstring)", published=KEPT, tolerance=0.01,
            measured=parts["chrono"].mean() if len(kept) else None,
            interval=bootstrap_mean(parts["chrono"]) if len(parts["chrono"]) > 1 else None,
        ),
        bound(
            "kept, forget bias 1", "With a forget bias of 1 they keep nothing over 100 steps (less than 1e-10).",
            "derived (module's docstring)", at_most=1e-10,
            measured=long.max() if len(long) else None,
        ),
        ranking(
            "adding, T = 100", "With 32 units chrono initialisation has a lower loss than a forget bias of 1 after "
            "2,000 updates, every seed of one than every seed of the other.", PAPER + " (there: 128 units, T = 200)",
            {"T = 100": both("adding", QUICK, 32)}, of="losses",
        ),
        ranking(
            "copy, T = 100, one symbol", "So it has on copy with one symbol.",
            PAPER + " (there: ten symbols, T = 500)", {"T = 100": both("copy", QUICK, 32)}, of="losses",
        ),
        *(
            ranking(
                f"{task}, T = {length}, 128 units", "At the published size chrono initialisation has a lower loss on "
                f"{task} over {length} steps.", PAPER + ", unconfirmed", {f"T = {length}": both(task, length, 128)},
                of="losses",
            )
            for task, length in (("adding", 200), ("adding", 750), ("copy", 500), ("copy", 2000))
        ),
        _learns("chrono learns adding, T = 100", "With chrono initialisation the loss on adding falls below half the "
                "naive one.", of("adding", "chrono", QUICK, 32), at_most=HALF / 6),
    ]  # fmt: skip


def _learns(name, statement, losses, **limits):
    return median(name, statement, PAPER, losses, note="The naive loss is 1/6.", **limits)


def figures(df):
    """Losses against steps, beside the naive ones."""
    trained = df[df["task"].notna()] if "task" in df else df[:0]
    if trained.empty:
        return {}
    places = trained["task"] + ", T = " + trained["length"].astype(int).astype(str)
    figure = curves.learning_curves(trained.assign(place=places), by="start", parts="place", ylabel="loss")
    return {"curves": (figure, CURVES)}


CURVES = (
    "An LSTM with chrono initialisation and with a forget bias of 1: median loss over the seeds, with their range; the "
    "dotted lines are the naive losses. Copy holds one symbol."
)


def tables(df):
    """Loss at the end, and what the starts keep."""
    kept = curves.of_kind(df, "kept", "length", "kept").groupby(["start", "length"])["kept"].mean().reset_index()
    trained = df[df["task"].notna()] if "task" in df else df
    return {
        "ends": (
            curves.ends(trained, ["task", "length", "start", "units", "rate"]) if len(trained) else trained[[]],
            "Medians over the seeds; naive: adding 1/6, copy of n symbols n ln 8/(T + 2 n).",
        ),
        "kept": (kept, "Part of a cell state that is kept over T steps at the start, mean over the units."),
    }

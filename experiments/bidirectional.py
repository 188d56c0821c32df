"""What does a network that also reads backwards know that one reading forwards cannot?

Method: the task ``lookahead``: random symbols of an alphabet of four, T = 20, and at every step t the symbol of step t
+ k is asked for, k = 1, 3 and 6. A recurrent layer that reads forwards is held against a bidirectional one with as many
parameters in all (it has fewer units), tanh units and LSTM, Adam with a batch of 20, gradient norms clipped at 1 and a
rate that falls along a cosine, each of the four at the learning rate that the preset "search" chose for it. The further
ahead, the more steps (200, 600, 2,400): after 1,200 the LSTM, whose 13 units have 12 bits to keep at k = 6, had 69 % of
the rows right. Five seeds side by side; success (every symbol of a row right) is of 1,000 fresh rows for each. The
naive predictor says all symbols alike: loss ln 4, success 4^-(T - k). What an output sees is measured on the trained
networks: the symbol of one step is replaced by another, and the mean change of the logits at every step is told.

Sources: M. Schuster and K. K. Paliwal, Bidirectional Recurrent Neural Networks, IEEE Transactions on Signal Processing
45(11), 1997. That nothing read forwards beats chance is derived: the symbols are independent.
"""

import math

from rnnbench import cells
from rnnbench.runner.claims import bound, compare, holds
from rnnbench.runner.intervals import bootstrap_median
from rnnbench.studies import choices, curves

CELLS, DIRECTIONS = ("elman", "lstm"), ("forward", "bidirectional")
CHOSEN = {"elman/bidirectional": 0.03, "elman/forward": 0.01, "lstm/bidirectional": 0.03, "lstm/forward": 0.03}
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
SEEDS, BATCH, CLIP, PARAMETERS, LENGTH = 5, 20, 1.0, 2000, 20
STEPS, SHOWN, SEEN_STEPS = {1: 200, 3: 600, 6: 2400}, 3, 12
DERIVED, PAPER = "derived", "Schuster & Paliwal 1997, section II"


def sweep(preset, device):
    """Cells by directions by how far ahead; the search is of one distance, with two seeds at each rate."""
    names = tuple(dict.fromkeys((*CELLS, *cells.added())))
    match preset:
        case "smoke":
            few = ("elman", *cells.added())
            return [_setting(cell, direction, 1, 20, 300, 2, length=8) for cell in few for direction in DIRECTIONS]
        case "search":
            return [
                _setting(cell, direction, SHOWN, 400, PARAMETERS, 2, rate=rate)
                for cell in CELLS for direction in DIRECTIONS for rate in RATES
            ]  # fmt: skip
        case "quick":
            places = [(ahead, steps, PARAMETERS, LENGTH) for ahead, steps in STEPS.items()]
        case "paper":
            places = [(ahead, 5000, 20_000, 100) for ahead in (1, SHOWN, 20)]
    return [
        _setting(cell, direction, ahead, steps, parameters, length=length)
        for ahead, steps, parameters, length in places for cell in names for direction in DIRECTIONS
    ]  # fmt: skip


def _setting(cell, direction, ahead, steps, parameters, seeds=SEEDS, length=LENGTH, **others):
    setting = {"cell": cell, "direction": direction, "ahead": ahead, "length": length, "steps": steps}
    setting |= {"budget": parameters, "batch": BATCH, "seeds": seeds}
    return setting | {"rate": CHOSEN.get(f"{cell}/{direction}", DEFAULT)} | others


def run(setting, rng):
    """Train all seeds of one architecture side by side, then ask what its outputs see."""
    from functools import partial

    from rnnbench import tasks
    from rnnbench.studies import sizes
    from rnnbench.studies.learning import learn, network_for
    from rnnbench.training.clipping import Clip
    from rnnbench.training.schedules import Cosine

    task, both = tasks.get("lookahead", ahead=setting["ahead"]), setting["direction"] == "bidirectional"
    build = partial(network_for, task, setting["cell"], bidirectional=both, device=setting["device"])
    hidden = sizes.units_of(lambda units: build(units)(0), setting["budget"])
    rows = learn(
        build(hidden), task, rng, seeds=setting["seeds"], steps=setting["steps"], rate=setting["rate"],
        length=setting["length"], batch_size=setting["batch"], clip=Clip("norm", CLIP),
        schedule=Cosine(setting["steps"]),
        also=partial(_seen, task, min(setting["length"], SEEN_STEPS)) if setting["ahead"] == SHOWN else None,
    )  # fmt: skip
    return [row | {"hidden": hidden} if row["kind"] == "end" else row for row in rows]


def _seen(task, length, trainer, rngs):
    """How much the logits at each step change with the symbol at another, mean over rows and replicas."""
    import numpy as np

    network, x = trainer.network, np.stack([task.batch(rng, 50, length).x for rng in rngs])
    y, _ = network.forward(x, tape=False)
    rows = []
    for changed in range(length):
        other = x.copy()
        other[:, changed] = (x[:, changed] + 1) % task.inputs
        moved = np.abs(network.forward(other, tape=False)[0] - y).mean(axis=(0, 2, 3))
        rows += [{"kind": "seen", "step": t, "changed": changed, "change": float(moved[t])} for t in range(length)]
    return rows


def choose(df):
    """The learning rate with the lowest median loss."""
    return choices.best(df, by=("cell", "direction"))


def claims(df):
    """What is derived, and what the paper made its network for."""
    ends = curves.of_kind(df, "end", "ahead", "loss", "success", "budget", words=["cell", "direction"])
    ends = ends[(ends["budget"] >= PARAMETERS) & ends["cell"].isin(CELLS)]
    forward, both = (ends[ends["direction"] == direction] for direction in DIRECTIONS)
    worst = _furthest(forward, "loss", math.log(4))
    least = _furthest(both, "success", 1.0)
    seen = curves.of_kind(df, "seen", "step", "changed", "change", "budget", words=["cell"])
    seen = seen[(seen["budget"] >= PARAMETERS) & seen["cell"].isin(CELLS)]
    blind = seen[seen["changed"] > seen["step"]]
    return [
        compare(
            "forward: chance", "A network that reads forwards stays at the loss of chance, ln 4, whatever its cell and "
            "however near the symbol asked for.", DERIVED, published=math.log(4), tolerance=0.01, relative=True,
            measured=None if worst is None else worst["loss"].median(), interval=_interval(worst, "loss"),
            note=_where(worst, "loss furthest from ln 4"),
        ),
        bound(
            "bidirectional: all right", "A bidirectional network of as many parameters gets 99.9 % of fresh rows "
            "right, every symbol of them.", PAPER, at_least=0.999,
            measured=None if least is None else least["success"].median(), interval=_interval(least, "success"),
            note=_where(least, "least success"),
        ),
        holds(
            "forward: blind", "No output of a network that reads forwards changes with a symbol of a later step; in a "
            f"bidirectional one the output at t changes most with the symbol at t + {SHOWN}.", DERIVED,
            _cases(seen, blind),
        ),
    ]  # fmt: skip


def _furthest(ends, column, goal):
    """The seeds of the cell and distance whose median is furthest from the goal."""
    groups = [rows for _, rows in ends.groupby(["cell", "ahead"])] if len(ends) else []
    return max(groups, key=lambda rows: abs(rows[column].median() - goal), default=None)


def _interval(rows, column):
    return None if rows is None or len(rows) < 2 else bootstrap_median(rows[column])


def _where(rows, what):
    if rows is None:
        return ""
    cell, ahead = rows.iloc[0][["cell", "ahead"]]
    return f"The {what}: {cell}, k = {ahead:g}, median of {len(rows)} seeds. Naive: loss ln 4, success below 1e-8."


def _cases(seen, blind):
    if not len(seen):
        return []
    cases = [not (rows["change"] > 0).any() for _, rows in blind[blind["direction"] == "forward"].groupby("cell")]
    for _, rows in seen[seen["direction"] == "bidirectional"].groupby("cell"):
        scored = rows[rows["step"] < rows["step"].max() + 1 - SHOWN]
        most = scored.loc[scored.groupby("step")["change"].idxmax()]
        cases.append(bool((most["changed"] - most["step"] == SHOWN).all()))
    return cases


def figures(df):
    """Curves by distance, and what each output sees."""
    frame = df.assign(network=df["cell"] + ", " + df["direction"])
    curve = curves.learning_curves(frame, by="network", parts="ahead", title="k = {:g}", ylabel="loss (nats)")
    found = {"curves": (curve, CURVES)}
    seen = curves.of_kind(frame, "seen", "step", "changed", "change")
    if len(seen):
        found["seen"] = (_maps(seen), SEEN)
    return found


def _maps(seen):
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(seen["network"]))
    figure, axes = plt.subplots(1, len(names), figsize=(0.6 + 3.2 * len(names), 3.6), squeeze=False, sharey=True)
    for ax, name in zip(axes[0], names, strict=True):
        table = seen[seen["network"] == name].pivot_table("change", "step", "changed")
        image = ax.imshow(table / table.to_numpy().max(), vmin=0, vmax=1, origin="lower")
        ticks = range(0, len(table), 3)
        ax.set(title=name, xlabel="step whose symbol changes", xticks=ticks, yticks=ticks)
        ax.grid(False)
    axes[0, 0].set_ylabel("step of the output")
    figure.colorbar(image, ax=axes, label="change of the logits", shrink=0.8)
    return figure


CURVES = (
    "Naming the symbol k steps ahead: median loss over the seeds, with their range; the dotted line is chance, ln 4. "
    "Who reads forwards stays there, with any cell and for any k; who also reads backwards leaves it at once."
)
SEEN = (
    f"What the outputs of the trained networks see (k = {SHOWN}): how much the logits at a step change when the symbol "
    "of another step does, each network's largest change being 1. Reading forwards, nothing right of the diagonal; "
    f"reading both ways, the line {SHOWN} steps right of it."
)


def tables(df):
    """Loss and success at the end."""
    caption = "Medians over the seeds at the end of training, on fresh rows; naive: loss ln 4 = 1.386."
    return {"ends": (curves.ends(df, ["ahead", "cell", "direction", "hidden", "rate"]), caption)}

"""How long does a unit remember, and which number of the cell says so?

Method: float64. A gradient goes back through a cell whose weights are set so that one number alone decides: ``leaky``,
linear leaky units with recurrent matrix lambda I; ``lstm``, an LSTM with all weights 0 and a forget bias, the cost put
on the cell state; ``carousel``, cells whose state feeds back to itself with weight 1, recurrent weights 0, random
inputs. The rate is the slope of the gradient's log norm, the time constant -1/slope: the steps after which 1/e is left.
``hold``, an LSTM with f = 1 and i = 0 under random inputs: how many states have changed after all steps. ``gates``,
one LSTM unit whose weights are set by hand: it writes at a mark, holds against noise, and reveals at another mark.

Sources: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997 (constant error carousel);
F. A. Gers, J. Schmidhuber and F. Cummins, Learning to Forget, Neural Computation 12, 2000; H. Jaeger et al.,
Optimization and applications of echo state networks with leaky-integrator neurons, Neural Networks 20, 2007. Derived:
alpha + (1 - alpha) lambda and sigma(b_f).
"""

import numpy as np

from rnnbench.report import charts
from rnnbench.report.style import BLUE, GREEN, GREY, ORANGE, VERMILION, line_styles
from rnnbench.runner.claims import bound, compare, holds
from rnnbench.runner.frames import measured
from rnnbench.runner.record import short

STEPS = {"smoke": 30, "quick": 200, "paper": 1000}
ALPHAS, LAMBDAS = (0.5, 0.9, 0.99), (0.0, 0.5, 1.0)
PUBLISHED = {0.0: 1.44, 1.0: 3.19, 2.0: 7.88, 3.0: 20.6, 5.0: 148.9}  # forget bias: steps
CAROUSELS = ("identity", "cec", "lstm_1997", "lstm_nfg")
HIDDEN, INPUTS, ROWS = 8, 4, 4
OPEN, SHUT = 50.0, -1000.0  # biases at which a gate is 1 and 0 to the last bit
WRITE, READ, SEQUENCE, SURE = 5, 50, 60, 12.0
GATES = {"i": BLUE, "f": GREEN, "o": VERMILION}


def sweep(preset, device):
    """Leaks, forget biases, carousels, and two LSTMs set by hand."""
    if preset not in STEPS:
        return []

    def trial(part, cell, **numbers):
        first = {"part": part, "cell": cell, "alpha": None, "gain": None, "bias": None, "steps": STEPS[preset]}
        return first | numbers

    found = [trial("leaky", "leaky", alpha=alpha, gain=gain) for alpha in ALPHAS for gain in LAMBDAS]
    found += [trial("lstm", "lstm", bias=bias) for bias in PUBLISHED]
    found += [trial("carousel", cell) for cell in CAROUSELS]
    found += [trial("hold", "lstm", steps=100 * STEPS[preset]), trial("gates", "lstm", steps=SEQUENCE)]
    return found


def run(setting, rng):
    """The slope and some norms, or what a cell set by hand does."""
    made = {"hold": _hold, "gates": _gates}.get(setting["part"])
    if made is not None:
        return [short(row, 8) for row in made(setting, rng)]
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import norms, stepwise, theory

    steps, options = setting["steps"], {}
    if setting["part"] == "leaky":
        options = {"alpha": setting["alpha"], "activation": "linear"}
    gain = setting["gain"] or 0.0
    layer = Recurrent(
        setting["cell"], INPUTS, HIDDEN, dtype="float64", device=setting["device"], seed=rng,
        init={"name": "identity", "gain": gain}, **options,
    )  # fmt: skip
    cotangent = stepwise.random_cotangent(layer, ROWS, rng)
    if setting["part"] == "lstm":
        for value in layer.params.values():
            value[...] = 0
        layer.gate_bias("f")[...] = setting["bias"]
        cotangent[:, stepwise.columns_of(layer, "h")] = 0
    cotangent /= np.linalg.norm(cotangent, axis=1, keepdims=True)
    found = norms.gradient_norms(layer, rng.normal(size=(steps, ROWS, INPUTS)), cotangent=cotangent)
    # The h of a carousel is gone after the first step back: from there on the norm stays as it is.
    slope = float(np.mean(theory.slope(found.lags, found.joint, 1)))
    lags = np.unique(np.linspace(0, steps, 11).astype(int))
    rows = [{"kind": "lag", "lag": int(lag), "log_norm": float(found.joint[lag].mean())} for lag in lags]
    return [{"kind": "rate", "slope": slope}, *(short(row, 8) for row in rows)]


def _hold(setting, rng):
    from rnnbench.layers.recurrent import Recurrent

    layer = Recurrent("lstm", INPUTS, HIDDEN, dtype="float64", device=setting["device"], seed=rng)
    for gate, value in (("f", OPEN), ("i", SHUT)):
        layer.gate_bias(gate)[...] = value
    start = {"c": rng.normal(size=(ROWS, HIDDEN)), "h": rng.normal(size=(ROWS, HIDDEN))}
    _, end = layer.forward(rng.normal(size=(setting["steps"], ROWS, INPUTS)), start, tape=False)
    return [{"kind": "hold", "changed": int(np.count_nonzero(end["c"] != start["c"])), "numbers": end["c"].size}]


def _gates(setting, rng):
    """One LSTM unit; inputs: a noisy value, a mark to write, a mark to read."""
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import gates, stepwise

    layer = Recurrent("lstm", 3, 1, dtype="float64", device="reference")
    for value in layer.params.values():
        value[...] = 0
    for gate, mark, sign in (("i", 1, 1), ("f", 1, -1), ("o", 2, 1)):
        layer.blocks[gate, "x"][0, mark] = 2 * sign * SURE
        layer.gate_bias(gate)[...] = -sign * SURE
    layer.blocks["g", "x"][0, 0] = 1
    x = np.zeros((SEQUENCE, 1, 3))
    x[:, 0, 0] = rng.normal(size=SEQUENCE)
    x[WRITE, 0, :2] = 0.8, 1
    x[READ, 0, 2] = 1
    told, made = gates.pre_activations(layer, x)
    # The gradient of h at the mark to read by the cell state before each step.
    through = stepwise.backpropagate(layer, x[: READ + 1], np.array([[1.0, 0.0]]))
    back = {READ + 1 - lag: float(direction[0, 1] * np.exp(log[0])) for lag, (direction, log) in enumerate(through)}
    rows = []
    for t in range(SEQUENCE):
        row = {"kind": "step", "step": t, "value": float(x[t, 0, 0]), "c": float(made["c"][t, 0, 0])}
        row |= {gate: float(1 / (1 + np.exp(-told[gate][t, 0, 0]))) for gate in GATES}
        rows.append(row | {"h": float(made["h"][t, 0, 0]), "gradient": back.get(t, 0.0)})
    return rows


def claims(df):
    """Time constants, carousels, and a bit held by hand."""
    rates, lstm = (
        _rows(df, "rate"),
        "Gers, Schmidhuber & Cummins 2000 for the gate; derived: sigma(b_f) to the power of T",
    )
    for bias, published in PUBLISHED.items():
        here = rates[(rates["part"] == "lstm") & (rates["bias"] == bias)]["slope"]
        yield compare(
            f"LSTM, forget bias {bias:g}",
            f"The gradient along the cell of an LSTM with zero weights has a time constant of {published:g} steps.",
            lstm, published=published, tolerance=0.005, relative=True,
            measured=-1 / here.iloc[0] if len(here) else None,
        )  # fmt: skip
    here = rates[rates["part"] == "lstm"]
    off = (here["slope"] + np.logaddexp(0, -here["bias"].astype(float))).abs()
    yield bound(
        "LSTM, exact", "That slope is ln sigma(b_f) to rounding.", "derived", measured=off.max() if len(off) else None,
        at_most=1e-10,
    )  # fmt: skip
    here = rates[rates["part"] == "leaky"]
    off = (here["slope"] - np.log(here["alpha"] + (1 - here["alpha"]) * here["gain"])).abs()
    yield bound(
        "leaky units",
        "A linear leaky unit's gradient changes by alpha + (1 - alpha) lambda a step, with recurrent weight lambda: "
        "the time constant is -1/ln(alpha) at lambda = 0.", "derived", measured=off.max() if len(off) else None,
        at_most=1e-10, note=f"Largest error of {len(off)} slopes." if len(off) else "",
    )  # fmt: skip
    here = rates[rates["part"] == "carousel"]
    yield holds(
        "constant error carousel", "Where a state feeds back to itself with weight 1, and nothing else does, the "
        "gradient is the same at all lags (slope below 1e-12).", "Hochreiter & Schmidhuber 1997, section 3.2",
        here["slope"].abs() < 1e-12, note=", ".join(here["cell"]),
    )  # fmt: skip
    held = _rows(df, "hold")
    yield bound(
        "f = 1, i = 0", "An open forget gate and a shut input gate keep the cell for ever, to the last bit.",
        "Hochreiter & Schmidhuber 1997", measured=held["changed"].max() if len(held) else None, at_most=0.0,
        note=f"Changed, of {held['numbers'].max():.0f}, in {held['steps'].max():.0f} steps." if len(held) else "",
    )  # fmt: skip
    steps = _rows(df, "step").set_index("step")
    wanted = np.tanh(np.tanh(0.8))
    yield compare(
        "write, hold, read", f"An LSTM unit set by hand reveals at step {READ} what it was told at step {WRITE}, "
        "in spite of noise between.", "derived", published=round(float(wanted), 6), tolerance=1e-3,
        measured=steps["h"].get(READ) if len(steps) else None,
    )  # fmt: skip


def figures(df):
    """Decay by forget bias and by leak; the gates of the unit that remembers."""
    rates, lags, steps = (_rows(df, kind) for kind in ("rate", "lag", "step"))
    drawn = {}
    if len(rates) and len(lags):
        drawn["decay"] = _decay(lags[lags["part"].isin(("lstm", "leaky"))])
    if len(steps):
        drawn["gates"] = _activity(steps.sort_values("step"))
    return drawn


def tables(df):
    """All rates with their time constants."""
    rates = _rows(df, "rate")[["part", "cell", "alpha", "gain", "bias", "slope"]]
    constants = -1 / rates["slope"].where(rates["slope"] < -1e-12)
    return {"rates": (rates.assign(time_constant=constants), "Slopes of the log norm per step, and -1/slope in steps.")}


def _rows(df, kind):
    numbers = ["alpha", "gain", "bias", "steps", "slope", "lag", "log_norm", "changed", "numbers"]
    found = measured(
        df, ["part", "cell", "kind"], [*numbers, "step", "value", *GATES, "c", "h", "gradient"], has="kind"
    )
    return found[found["kind"] == kind]


def _decay(lags):
    figure, axes = charts.log_axes("lag T − k (steps)", "norm of the gradient", 13, 2)
    panels = (
        ("lstm", "bias", "LSTM, zero weights, forget bias b", "b = {:g}", lambda b: 1 / (1 + np.exp(-b))),
        ("leaky", "alpha", "leaky units, no recurrent weights", "α = {:g}", lambda alpha: alpha),
    )
    for ax, (part, column, title, words, factor) in zip(axes[0], panels, strict=True):
        here = lags[(lags["part"] == part) & (lags["gain"].fillna(0) == 0)]
        for number, look in line_styles(sorted(here[column].unique())).items():
            curve = here[here[column] == number].sort_values("lag")
            ax.plot(curve["lag"], curve["lag"] * np.log10(factor(number)), color=GREY, linewidth=1.2)
            label = f"{words.format(number)}: {-1 / np.log(factor(number)):.3g} steps"
            ax.plot(curve["lag"], curve["log_norm"] / np.log(10), "o", color=look["color"], label=label)
        ax.set_title(title)
        ax.set_ylim(-20, 1)
        if len(here):
            ax.legend(**charts.BESIDE, fontsize=9, title="time constant")
    return figure, (
        "The gradient by the state against the lag: dots are measured, grey lines σ(b)^lag and α^lag. One number sets "
        "the time constant: a forget bias of 1 remembers for 3 steps, one of 5 for 149."
    )


def _activity(steps):
    import matplotlib.pyplot as plt

    figure, (inputs, gates, cell, back) = plt.subplots(4, 1, figsize=(8.5, 7.5), sharex=True)
    at = steps["step"]
    inputs.plot(at, steps["value"], color=GREY)
    inputs.set_ylabel("input")
    for place, (gate, colour) in enumerate(reversed(GATES.items())):
        gates.fill_between(at, place, place + 0.8 * steps[gate], step="mid", color=colour, linewidth=0)
    gates.set_yticks([place + 0.4 for place in range(len(GATES))], [*reversed(GATES)])
    gates.set(ylabel="gates (full: open)", ylim=(-0.1, len(GATES)))
    cell.plot(at, steps["c"], color=BLUE, label="c", drawstyle="steps-mid")
    cell.plot(at, steps["h"], color=ORANGE, label="h", drawstyle="steps-mid")
    cell.set_ylabel("states")
    cell.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    back.plot(at, steps["gradient"], color=VERMILION, drawstyle="steps-mid")
    back.set(ylabel=f"$\\partial h_{{{READ}}} / \\partial c$", xlabel="step")
    for ax in (inputs, gates, cell, back):
        for mark, words in ((WRITE, "write"), (READ, "read")):
            ax.axvline(mark, color=GREY, linestyle=":", linewidth=1)
            if ax is inputs:
                ax.text(mark, ax.get_ylim()[1], words, ha="center", va="bottom", fontsize=10)
    return figure, (
        "One LSTM unit set by hand. At 'write' the input gate opens and the forget gate shuts for a step; then f = 1 "
        "and i = 0, and the cell stays as it is whatever the input does; at 'read' the output gate shows it. The "
        "gradient (last row) runs back over all these steps undiminished, and ends where the value was written."
    )

"""Do connections that skip d steps make gradients last d times as long?

Method: float64, linear networks first. ``delayed`` nets see their state of d steps ago and nothing else: the cost lies
on h_{T-d+1}, the oldest part of the state, so that every d-th step back is a product with W and the others only move
the state along. ``skip`` nets have a delay of d beside the delay of 1, with W and S of the same spectral radius; what
they do over many steps is the largest eigenvalue of the companion matrix [[W, 0 ... S], [I, 0 ...], ...], computed
apart. Delays alone with tanh units and inputs too. Slopes of the gradient's log norm are fitted over the last three
quarters of the lags, over whole multiples of d.

Sources: T. Lin, B. G. Horne, P. Tino and C. L. Giles, Learning long-term dependencies in NARX recurrent neural
networks, IEEE Transactions on Neural Networks 7, 1996; S. El Hihi and Y. Bengio, Hierarchical Recurrent Neural Networks
for Long-Term Dependencies, NIPS 8, 1996; I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, sections
10.9.1 and 10.9.3. Derived: rho^floor(t/d), the companion matrix.
"""

import numpy as np

from rnnbench.report import charts
from rnnbench.report.style import GREY, line_styles
from rnnbench.runner.claims import bound, holds, ranking
from rnnbench.runner.frames import measured
from rnnbench.runner.record import short

SIZES = {"smoke": (8, 40), "quick": (32, 240), "paper": (128, 1000)}  # units, steps
SEEDS = {"smoke": 1, "quick": 5, "paper": 10}
DELAYS = (2, 5, 10)
RADII = (0.5, 0.9, 1.1)
SKIP_RADII = (0.4, 0.6, 0.9)
ROWS, INPUTS = 4, 8


def sweep(preset, device):
    """Elman, delayed and skip nets; linear and tanh."""
    if preset not in SIZES:
        return []
    hidden, steps = SIZES[preset]

    def trial(cell, delay, activation, init, gain, replicate):
        first = {"cell": cell, "delay": delay, "activation": activation, "init": init, "gain": gain}
        return first | {"hidden": hidden, "steps": steps, "replicate": replicate}

    found = []
    for replicate in range(SEEDS[preset]):
        for gain, activation in [*((gain, "linear") for gain in RADII), (0.9, "tanh")]:
            found.append(trial("elman", 1, activation, "orthogonal", gain, replicate))
            found += [trial("delayed", delay, activation, "orthogonal", gain, replicate) for delay in DELAYS]
        for gain in SKIP_RADII:
            for init in ("spectral_radius", "identity")[: 1 if replicate else 2]:  # multiples of I need one seed
                found += [trial("skip", delay, "linear", init, gain, replicate) for delay in DELAYS]
    return found


def run(setting, rng):
    """Norms by lag, the slope, and the theory beside it."""
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import norms, theory

    cell, delay, steps = setting["cell"], setting["delay"], setting["steps"]
    linear = setting["activation"] == "linear"
    layer = Recurrent(
        cell, INPUTS, setting["hidden"], dtype="float64", device=setting["device"], seed=rng, bias=False,
        init={"name": setting["init"], "gain": setting["gain"]}, activation=setting["activation"],
        **({} if cell == "elman" else {"delay": delay}),
    )  # fmt: skip
    hidden = setting["hidden"]
    cotangent = np.zeros((ROWS, delay * hidden))
    cotangent[:, :hidden] = rng.normal(size=(ROWS, hidden))  # the oldest part comes first
    cotangent /= np.linalg.norm(cotangent, axis=1, keepdims=True)
    x = 0.5 * rng.normal(size=(steps, ROWS, INPUTS))
    with np.errstate(over="ignore", invalid="ignore"):
        # A linear network's gradient is the same whatever its states are; these would leave float64.
        found = norms.gradient_norms(layer, np.zeros_like(x) if linear else x, cotangent=cotangent)
    whole = found.lags[found.lags % delay == 0]
    slope = float(np.mean(theory.slope(whole, found.joint[whole], steps // 4)))
    summary = {"kind": "summary", "slope": slope}
    if linear and cell == "skip":
        summary["theory"] = float(np.log(_growth(layer, delay)))
    if linear and cell != "skip":
        exact = (found.lags // delay) * np.log(setting["gain"])
        summary |= {
            "theory": np.log(setting["gain"]) / delay,
            "error": float(np.abs(found.joint - exact[:, None]).max()),
        }
    rows = [short(summary, 12)]
    if setting["replicate"] == 0:
        lags = np.unique([*range(0, min(30, steps + 1)), *range(0, steps + 1, 5)])
        rows += [short({"kind": "lag", "lag": int(lag), "log_norm": float(found.joint[lag].mean())}, 5) for lag in lags]
    return rows


def _growth(layer, delay):
    """The largest magnitude of an eigenvalue of the companion matrix of h_t = W h_{t-1} + S h_{t-d}."""
    size = layer.hidden_size
    companion = np.eye(delay * size, k=-size)
    companion[:size, :size] = layer.blocks["h", "h"]
    companion[:size, -size:] += layer.blocks["h", f"h@{delay}"]
    return np.abs(np.linalg.eigvals(companion)).max()


def claims(df):
    """The delay divides the slope; beside a delay of 1 it need not save anything."""
    runs = _rows(df, "summary")
    linear, tanh = (runs[runs["activation"] == name] for name in ("linear", "tanh"))
    delayed = linear[linear["cell"] == "delayed"]
    yield bound(
        "delay d only", "In a linear network that sees h_{t-d} alone the gradient is rho^floor(t/d) at every lag t "
        "(largest error of the log norm).", "derived; Goodfellow, Bengio & Courville 2016, section 10.9.3",
        measured=delayed["error"].max() if len(delayed) else None, at_most=1e-9,
        note=f"{len(delayed)} networks, d = {', '.join(f'{d:g}' for d in sorted(delayed['delay'].unique()))}.",
    )  # fmt: skip
    off = (delayed["slope"] - delayed["theory"]).abs()
    yield bound(
        "slope divided by d", "The slope of the log norm over whole multiples of d is ln(rho)/d.", "derived; the same",
        measured=off.max() if len(off) else None, at_most=1e-9,
    )  # fmt: skip
    skip = linear[linear["cell"] == "skip"]
    off = (skip["slope"] - skip["theory"]).abs()
    yield bound(
        "delay 1 and d", "With a delay of 1 beside that of d the slope is the logarithm of the companion matrix's "
        "largest eigenvalue, to 0.01 per step.", "derived", measured=off.max() if len(off) else None, at_most=0.01,
        note=f"Largest error of {len(off)} networks." if len(off) else "",
    )  # fmt: skip
    both = skip[(skip["init"] == "identity") & (skip["gain"] > 0.5) & (skip["gain"] < 1)]
    slopes = both.groupby(["gain", "delay"])["slope"].median()
    yield holds(
        "may still explode", "Both matrices may have a spectral radius below 1 and the gradient explode all the same: "
        "with W = S = rho I, 1/2 < rho < 1, it does.", "Goodfellow, Bengio & Courville 2016, section 10.9.1, in words",
        both["slope"] > 0, note=" ".join(f"rho {g:g}, d {d:g}: {s:+.3f}." for (g, d), s in slopes.items()),
    )  # fmt: skip
    at = tanh[tanh["gain"] == 0.9]
    short_lags = at.loc[at["cell"] == "elman", "slope"]
    yield ranking(
        "tanh units", "With tanh units and inputs too gradients last longer with a delay of d alone than with one of 1 "
        "(rho = 0.9).", "El Hihi & Bengio 1996",
        {f"d = {d}": (at.loc[(at["cell"] == "delayed") & (at["delay"] == d), "slope"], short_lags) for d in DELAYS},
        of="slopes per step",
    )  # fmt: skip


def figures(df):
    """Norms against the lag by delay, alone and beside a delay of 1."""
    lags = _rows(df, "lag")
    linear = lags[lags["activation"] == "linear"]
    alone = linear[linear["cell"].isin(("elman", "delayed")) & (linear["gain"] == 0.9)]
    beside = linear[(linear["cell"] == "skip") & (linear["init"] == "identity")]
    drawn = {"delayed": (_delayed, alone), "skip": (_skip, beside)}
    return {name: draw(part) for name, (draw, part) in drawn.items() if len(part)}


def tables(df):
    """All slopes."""
    keys = ["cell", "activation", "init", "delay", "gain"]
    table = _rows(df, "summary").groupby(keys)[["slope", "theory"]].median().reset_index()
    return {
        "slopes": (table, "Slopes of the log norm per step (medians over seeds), and what theory says of linear nets.")
    }


def _rows(df, kind):
    numbers = ["delay", "gain", "hidden", "steps", "slope", "theory", "error", "lag", "log_norm"]
    found = measured(df, ["kind", "cell", "activation", "init"], numbers, has="kind")
    return found[found["kind"] == kind]


def _delayed(lags):
    figure, ((whole, start),) = charts.log_axes("lag t (steps)", "norm of the gradient", 11, 2, sharey=False)
    for delay, look in line_styles(sorted(lags["delay"].unique())).items():
        part = lags[lags["delay"] == delay].sort_values("lag")
        for ax, shown in ((whole, part), (start, part[part["lag"] < 30])):
            t = np.arange(shown["lag"].max() + 1)
            ax.step(t, (t // delay) * np.log10(0.9), where="post", color=GREY, linewidth=1)
            values = shown[shown["lag"] % (15 if ax is whole else 1) == 0]
            ax.plot(values["lag"], values["log_norm"] / np.log(10), color=look["color"], marker="o", linestyle="",
                    markersize=4, label=f"d = {delay:g}")  # fmt: skip
    start.set_title("the first 30 steps")
    start.legend(**charts.BESIDE)
    return figure, (
        "Linear networks with an orthogonal W of spectral radius 0.9 that see the state of d steps ago alone: dots are "
        "measured, grey lines 0.9^floor(t/d). A gradient passes W once in d steps, so it lasts d times as long."
    )


def _skip(lags):
    gains = sorted(lags["gain"].unique())
    figure, axes = charts.log_axes("lag t (steps)", "norm of the gradient", 4 * len(gains), len(gains), sharey=False)
    for ax, gain in zip(axes[0], gains, strict=True):
        ax.axhline(0, color="black", linewidth=1)
        for delay, look in line_styles(sorted(lags["delay"].unique())).items():
            part = lags[(lags["gain"] == gain) & (lags["delay"] == delay)].sort_values("lag")
            ax.plot(part["lag"], part["log_norm"] / np.log(10), color=look["color"], label=f"1 and {delay:g}")
        ax.set_title(f"W = S = {gain:g} I")
    axes[0][-1].legend(**charts.BESIDE, title="delays")
    return figure, (
        "A delay of d beside that of 1, both matrices with spectral radius below 1. Each alone would make gradients "
        "vanish; together they explode as soon as their sum is above 1, though slower for a longer delay."
    )

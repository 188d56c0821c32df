"""How fast does a gradient vanish or explode on its way back through time?

Method: float64. A random unit cotangent over the joint state (all that a cell carries) goes back step by step,
renormalised on the way; the logarithms of its norm are summed. Eight batch rows are eight trajectories and cotangents;
inputs are normal with standard deviation ``drive``, after a burn-in of 50 steps. ``gain``, of every recurrent block,
is the spectral radius (orthogonal, symmetric, identity, spectral_radius), the largest singular value (singular_value),
or g for entries of std g/sqrt(N) (gaussian). Elman nets are swept over activations too, with gains in units of
1/gamma, gamma being the activation's largest derivative. The slope of the log norm is fitted over the last three
quarters of the lags. Elman, LSTM and leaky nets, whose rates are compared, have more seeds than the other cells, whose
other initialisers have one.

Sources: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013; I.
Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.7 (its Q L^t Q^T needs a symmetric W); S.
Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997; B. Chang, M. Chen, E. Haber and E.
Chi, AntisymmetricRNN: A Dynamical System View on Recurrent Neural Networks, ICLR 2019. Derived: rho^lag for linear
networks, the circular law, the Marchenko-Pastur edge.
"""

from itertools import product

import numpy as np

from rnnbench import cells
from rnnbench.probes import theory
from rnnbench.report import charts
from rnnbench.report.style import GREY, PALETTE, line_styles
from rnnbench.runner.claims import bound, compare, holds, ranking
from rnnbench.runner.frames import measured
from rnnbench.runner.intervals import bootstrap_median
from rnnbench.runner.record import short

SIZES = {"smoke": (32, 60), "quick": (64, 200), "paper": (256, 1000)}  # units, steps
SEEDS = {"smoke": 1, "quick": 5, "paper": 10}
RADII = (0.5, 0.9, 1.0, 1.1)
GAINS = dict.fromkeys(("orthogonal", "spectral_radius", "symmetric", "identity"), RADII)
GAINS |= {"gaussian": (0.4, 0.6, 0.8, 0.95, 1.1), "singular_value": (0.5, 0.9, 1.5, 2.5)}
ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu")
ROWS, INPUTS, BURN_IN = 8, 8, 50
COMPARED, FEW_SEEDS = ("elman", "leaky", "lstm"), 3
CAROUSELS = ("cec", "lstm_1997", "lstm_nfg")  # their state feeds back to itself with weight 1
PANELS = {"orthogonal": "orthogonal W", "spectral_radius": "Gaussian W", "symmetric": "symmetric W"}
LAG, NORM = "lag T − k (steps)", "norm of the gradient"
LINES = ["gain", "forget_bias", "drive", "hidden", "steps", "replicate"]
SUMMARY = ["slope", "rho", "sigma_max", "gamma", "excess", "eigen_error"]


def sweep(preset, device):
    """Elman over activations, initialisers and gains; every cell over initialisers and spectral radii."""
    found = {}
    for size in ("quick", "paper") if preset == "paper" else (preset,):
        for setting in _design(*SIZES[size], SEEDS[size], thin=size == "smoke"):
            found.setdefault(tuple(setting.values()), setting)
    return list(found.values())


def _design(hidden, steps, seeds, thin):
    def trial(cell, activation, init, gain, replicate, **others):
        first = {"cell": cell, "activation": activation, "init": init, "gain": gain, "forget_bias": 0.0}
        return first | {"drive": 1.0, "hidden": hidden, "steps": steps, "replicate": replicate} | others

    for activation in ACTIVATIONS:
        # Rates of linear runs are compared; of the others each has to keep the theorem on its own.
        for replicate in range(seeds if activation == "linear" else min(seeds, FEW_SEEDS)):
            for init, gains in GAINS.items():
                for gain in gains[1::2] if thin else gains:
                    yield trial("elman", activation, init, gain / theory.GAMMA[activation], replicate)
    for cell in cells.names():
        activation = cells.option_defaults(cell).get("activation")
        biased = any(gate.name == "f" and gate.bias for gate in cells.get(cell).gates)
        places = [(1.0, bias) for bias in ((0.0, 1.0, 3.0) if biased else (0.0,))] + ([] if thin else [(0.1, 0.0)])
        for replicate in range(seeds if cell in COMPARED else min(seeds, FEW_SEEDS)):
            for (drive, bias), gain in product(places, RADII):
                yield trial(cell, activation, "spectral_radius", gain, replicate, forget_bias=bias, drive=drive)
            if cell in CAROUSELS:
                yield trial(cell, activation, "spectral_radius", 0.0, replicate)
        for init in () if thin else GAINS:
            yield trial(cell, activation, init, 1.0, 0)
    for replicate in range(0 if thin else seeds):  # for the limits of large N a few steps do
        yield trial("elman", "linear", "gaussian", 0.8, replicate, hidden=256, steps=20)


def run(setting, rng):
    """Measure one layer: a row per stored lag, and one row with what is fitted and compared."""
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import norms, recurrence, stepwise
    from rnnbench.runner.errors import Diverged

    activation, steps = setting["activation"], setting["steps"]
    layer = Recurrent(
        setting["cell"], INPUTS, setting["hidden"], dtype="float64", device=setting["device"], seed=rng,
        init={"name": setting["init"], "gain": setting["gain"], "forget_bias": setting["forget_bias"]},
        **({} if activation is None else {"activation": activation}),
    )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        x = setting["drive"] * rng.normal(size=(BURN_IN + steps, ROWS, INPUTS))
        _, state = layer.forward(x[:BURN_IN], tape=False)
        cotangent = stepwise.random_cotangent(layer, ROWS, rng)
        measured = norms.gradient_norms(layer, x[BURN_IN:], state, cotangent=cotangent)
    if not (measured.joint < np.inf).all():
        raise Diverged("the states or the gradient left the range of float64")

    early = [lag for lag in (1, 2, 5) if lag < steps]
    rows = measured.rows(np.unique([*early, *np.linspace(0, steps, 11).astype(int)]))
    summary = {"slope": np.mean(theory.slope(measured.lags, measured.joint, steps // 4))}
    summary["rho"], summary["sigma_max"] = recurrence.spectral_radius(layer), recurrence.largest_singular_value(layer)
    if setting["cell"] == "elman":
        limit = theory.log_bound(measured.lags, activation, summary["sigma_max"])
        summary["gamma"] = theory.GAMMA[activation]
        summary["excess"] = (measured.joint - limit[:, None])[1:].max()
        if (activation, setting["init"]) == ("linear", "symmetric"):
            curve = theory.log_eigen_decay(measured.lags, layer.params["weight_hh"], cotangent.T)
            summary["eigen_error"] = np.abs(np.expm1(measured.joint - curve)).max()
            rows = [row | {"log_eigen": curve[row["lag"]].mean()} for row in rows]
    return [*(short(row, 6) for row in rows), short(summary, 15)]


def claims(df):
    """What theory and the lectures say, held against the runs."""
    runs = _measured(df, SUMMARY)
    elman = runs[runs["cell"] == "elman"]
    linear = elman[elman["activation"] == "linear"]
    reach = elman["gamma"] * elman["sigma_max"]
    below, above, exploding = elman[reach < 1 - 1e-9], elman[reach > 1], elman[elman["slope"] > 1e-6]
    long = linear[(linear["hidden"] >= 64) & (linear["steps"] >= 200)]
    middle = long[(long["init"] == "gaussian") & long["gain"].between(0.5, 1, inclusive="neither")]
    grown = middle[middle["slope"] >= 0]
    medians = middle.groupby("gain")[["rho", "sigma_max", "slope"]].median().round(3)
    medians = (f"g {g}: rho {r}, sigma_max {s}, slope {k}. " for g, r, s, k in medians.itertuples())
    eigen = linear["eigen_error"].dropna()
    pascanu = "Pascanu, Mikolov & Bengio 2013, section 2.1"
    return [
        _rate(
            "linear, orthogonal",
            "In a linear network with W = rho * orthogonal the gradient's norm is rho^lag: the slope of its "
            "logarithm is ln rho within 1 % (1e-6 per step at rho = 1).",
            linear[linear["init"] == "orthogonal"], relative=0.01, absolute=1e-6,
        ),
        _rate(
            "linear, Gaussian",
            "In a linear network with Gaussian W of spectral radius rho (N >= 64, from lag 50 on) the slope is ln "
            "rho within 5 % or 0.01 per step, whichever is more.",
            long[long["init"] == "spectral_radius"], relative=0.05, absolute=0.01,
        ),
        holds(
            "sufficient for vanishing",
            "With sigma_max < 1/gamma the gradient of a simple recurrent network vanishes, and at no lag is it above "
            "(gamma sigma_max)^lag (gamma = 1/4 for sigmoid, 1 for linear, tanh and relu).",
            pascanu, (below["slope"] < 0) & (below["excess"] <= 1e-9),
            note=_worst("Largest log norm minus log bound", below["excess"]),
        ),
        holds(
            "necessary for exploding",
            "The gradient of a simple recurrent network explodes only if sigma_max > 1/gamma.",
            pascanu, exploding["gamma"] * exploding["sigma_max"] > 1,
            note=f"{len(exploding)} of {len(elman)} runs explode.",
        ),
        holds(
            "not sufficient for exploding",
            "A largest singular value above 1 need not explode: linear networks with entries of standard deviation "
            "g/sqrt(N), 0.5 < g < 1, have sigma_max > 1 and vanish.",
            "derived; against 'largest singular value > 1: exploding gradients' of the cs231n slides",
            (middle["sigma_max"] > 1) & (middle["slope"] < 0),
            note="".join(medians) + f"{(grown['rho'] > 1).sum()} of {len(grown)} misses have rho > 1: N is finite. "
            f"{(above['slope'] < 0).sum()} of all {len(above)} Elman runs with gamma sigma_max > 1 vanish.",
        ),
        bound(
            "Q L^t Q^T",
            "For symmetric W the norm is that of Q L^t Q^T v at every lag, to a relative error of 1e-6.",
            "Goodfellow, Bengio & Courville 2016, section 10.7, for a symmetric W",
            measured=eigen.max() if len(eigen) else None, at_most=1e-6,
            note=f"Largest relative error of {len(eigen)} runs.",
        ),
        *_limits(linear[(linear["init"] == "gaussian") & (linear["hidden"] >= 256)]),
        *_linear_paths(runs[runs["init"] == "spectral_radius"]),
        *_additive(runs[(runs["init"] == "spectral_radius") & (runs["steps"] >= 200)]),
    ]  # fmt: skip


def _measured(df, names):
    """The lines of finished trials that hold the first of these columns; all columns exist in any case."""
    return measured(df, ["cell", "activation", "init"], [*LINES, *names], has=names[0])


def _rate(name, statement, runs, relative, absolute):
    target = np.log(runs["gain"])
    error, critical = (runs["slope"] - target).abs(), target == 0
    note = _worst("Largest relative error", (error / target.abs())[~critical])
    note += _worst(" Largest error per step at rho = 1", error[critical])
    allowed = np.maximum(relative * target.abs(), absolute)
    if saved := int(((error > relative * target.abs()) & (error <= absolute) & ~critical).sum()):
        note += f" At rho other than 1, {saved} pass by the absolute tolerance alone."
    return holds(name, statement, "derived: the largest eigenvalue prevails", error <= allowed, note=note)


def _worst(words, values):
    return f"{words}: {values.max():.2g}." if len(values) else ""


def _limits(runs):
    for column, factor, law in (("rho", 1, "circular law"), ("sigma_max", 2, "Marchenko-Pastur edge")):
        ratio = runs[column] / runs["gain"]
        yield compare(
            f"Gaussian, {column}",
            f"With entries of standard deviation g/sqrt(N), {column}/g is {factor} within 10 % at N = 256.",
            f"derived: {law}", published=factor, tolerance=0.1, relative=True,
            measured=ratio.median() if len(ratio) else None,
            interval=bootstrap_median(ratio) if len(ratio) > 1 else None,
            note=f"Median over {len(ratio)} matrices.",
        )  # fmt: skip


def _linear_paths(runs):
    """Claims on cells with a path through time that is linear, whatever the weights are."""
    cut = runs[(runs["cell"] == "identity") | (runs["cell"].isin(CAROUSELS) & (runs["gain"] == 0))]
    fed = runs[runs["cell"].isin(CAROUSELS) & (runs["gain"] > 0)].groupby("cell")["slope"].agg(["min", "max"])
    fed = "".join(f" {cell} with recurrent weights: {low:.2g} to {high:.2g}." for cell, low, high in fed.itertuples())
    long = runs[runs["steps"] >= 200].set_index("cell")["slope"]
    cases = [
        (
            "constant error carousel",
            "An error that flows along a self-connection of weight 1 alone (identity; cec, lstm_1997 and lstm_nfg with "
            "recurrent weights 0) neither decays nor grows: the slope is 0 within 1e-9 per step.",
            "Hochreiter & Schmidhuber 1997, section 3.2", cut["slope"], 1e-9, fed,
        ),
        (
            "SCRN, slow context",
            "The context decays by alpha = 0.95 a step, the hidden units faster: whatever the recurrent matrix, the "
            "slope is ln alpha = -0.0513 within 0.0005 per step.",
            "derived", long[long.index == "scrn"] - np.log(0.95), 5e-4, "",
        ),
        (
            "antisymmetric",
            "An antisymmetric recurrent matrix keeps gradients from vanishing and exploding: the slope is within 0.01.",
            "Chang, Chen, Haber & Chi 2019; the limit is ours", long[long.index == "antisymmetric"], 0.01, "",
        ),
    ]  # fmt: skip
    for *words, error, limit, more in cases:
        yield holds(*words, error.abs() <= limit, note=_worst("Largest error", error.abs()) + more)


def _additive(runs):
    """Claims that one cell's gradient decays slower than another's at the same spectral radius."""
    tanh = runs[(runs["cell"] == "elman") & (runs["activation"] == "tanh")]
    lstm, leaky = (runs[runs["cell"] == cell] for cell in ("lstm", "leaky"))
    cases = {"leaky units (alpha = 0.9)": leaky}
    cases |= {f"LSTMs with forget bias {bias}": lstm[lstm["forget_bias"] == bias] for bias in (1, 3)}
    for name, slow in cases.items():
        statement = f"With inputs of unit variance {name} decay slower than Elman's tanh units of that rho."
        yield _slower(name, statement, slow[slow["drive"] == 1], tanh[tanh["drive"] == 1])
    gated = lstm[lstm["forget_bias"] == 0]
    yield _slower(
        "LSTM without forget bias, near rest",
        "An additive path is no guarantee: with small inputs (std 0.1), rho = 0.9 and no forget bias Elman's tanh "
        "units (near ln rho = -0.11) decay slower than an LSTM (near ln(0.5 + 0.25 rho) = -0.32).",
        *(cell[(cell["drive"] == 0.1) & (cell["gain"] == 0.9)] for cell in (tanh, gated)),
    )


def _slower(name, statement, slow, fast):
    """At every spectral radius each seed of one is slower than each of the other."""
    both = sorted({*slow["gain"]} & {*fast["gain"]})
    pairs = {f"rho = {g:g}": tuple(runs.loc[runs["gain"] == g, "slope"] for runs in (slow, fast)) for g in both}
    return ranking(name, statement, "derived", pairs, of="slopes per step")


def figures(df):
    """Norms against lag, the bound beside them, and every cell's rate."""
    runs = _one_size(_measured(df, SUMMARY))
    lags = _lags(runs, df)
    linear = lags[(lags["cell"] == "elman") & (lags["activation"] == "linear")]
    own = _own(runs)
    biased = own[own["cell"].isin(own.loc[own["forget_bias"] > 0, "cell"]) & (own["drive"] == 1)]
    middle = _own(lags[(lags["gain"] == 0.9) & (lags["drive"] == 1)])
    drawn = {
        "by_radius": (_by_radius, linear[linear["init"].isin([*PANELS])]),
        "bound": (_bound, linear[linear["init"] == "gaussian"]),
        "singular_values": (_singular_values, runs[runs["cell"] == "elman"]),
        "cells": (_cells, own[own["forget_bias"] == 0]),
        "forget_bias": (_forget_bias, biased),
        "cells_by_lag": (_cells_by_lag, middle[middle["forget_bias"] == 0]),
        "lstm_by_lag": (_lstm_by_lag, middle[middle["cell"] == "lstm"]),
    }
    return {name: draw(frame) for name, (draw, frame) in drawn.items() if len(frame)}


def tables(df):
    """Rates per cell, and the Gaussian networks in numbers."""
    captions = {
        "spectral_radius": "At spectral radius gain (medians over seeds; the slope's range over seeds).",
        "gaussian": "With entries of std gain/sqrt(N): the slope is below ln(gamma sigma_max), which is above 0 for "
        "many networks that vanish (medians over seeds; the slope's range).",
    }
    shown = {name: (name, "median") for name in ("rho", "sigma_max", "slope")}
    shown |= {name: ("slope", name) for name in ("min", "max", "size")}
    keys, runs = ["cell", "activation", "forget_bias", "drive", "gain"], _one_size(_measured(df, SUMMARY))
    groups = {init: runs[runs["init"] == init].groupby(keys, dropna=False) for init in captions}
    return {init: (groups[init].agg(**shown).reset_index(), caption) for init, caption in captions.items()}


def _lags(runs, df):
    """The norms by lag, as logarithms to base 10, each with its run's sigma_max."""
    columns = ["log_norm", "log_norm_h", "log_eigen"]
    lags = _measured(df, ["lag", *columns])
    lags = lags.assign(**lags[columns] / np.log(10))
    return lags.merge(runs[["trial", "sigma_max"]].drop_duplicates("trial"), on="trial")


def _one_size(frame):
    """The longest runs, and of those the widest: sizes are not mixed in a figure."""
    frame = frame[frame["steps"] == frame["steps"].max()]
    return frame[frame["hidden"] == frame["hidden"].max()]


def _own(frame):
    """Every cell with its own activation, at given spectral radii."""
    own = (frame["cell"] != "elman") | (frame["activation"] == "tanh")
    return frame[(frame["init"] == "spectral_radius") & own & (frame["gain"] > 0)]


def _by_radius(lags):
    figure, (axes,) = charts.log_axes(LAG, NORM, 11, 3)
    for ax, (init, title) in zip(axes, PANELS.items(), strict=True):
        ax.set_title(title)
        for colour, (gain, part) in zip(PALETTE, lags[lags["init"] == init].groupby("gain"), strict=False):
            curve = part.groupby("lag")[["log_norm", "log_eigen"]].mean()
            line = curve["log_eigen"] if init == "symmetric" else theory.log_decay(curve.index, gain) / np.log(10)
            ax.plot(curve.index, line, color=GREY, lw=1.2)
            ax.plot(curve.index, curve["log_norm"], "o", color=colour, label=f"ρ = {gain:g}")
    if axes[-1].has_data():
        axes[-1].legend(**charts.BESIDE)
    return figure, (
        "Linear networks: the gradient's norm (dots) against the lag for spectral radius ρ. Grey lines are theory: "
        "ρ^lag for orthogonal and Gaussian W, Q L^t Q^T v for symmetric W. The slopes agree."
    )


def _bound(lags):
    figure, ((ax,),) = charts.log_axes(LAG, NORM)
    for colour, (gain, part) in zip(PALETTE, lags.groupby("gain"), strict=False):
        curve, sigma = part.groupby("lag")["log_norm"].mean(), part["sigma_max"].median()
        ax.plot(curve.index, curve, color=colour, label=f"g = {gain:g}, σ = {sigma:.2f}")
        ax.plot(curve.index, theory.log_bound(curve.index, "linear", sigma) / np.log(10), ":", color=colour)
    ax.legend(**charts.BESIDE, title="dotted: the bound σ^lag")
    return figure, (
        "Linear networks with Gaussian weights of standard deviation g/sqrt(N); σ is the largest singular value, "
        "near 2g. The bound holds but is far off: for 0.5 < g < 1 it rises and the gradient vanishes."
    )


def _singular_values(runs):
    names = {"x": r"$\ln(\gamma\,\sigma_{max})$", "slope": "slope of the log norm per step"}
    runs = runs.assign(x=np.log(runs["gamma"] * runs["sigma_max"])).rename(columns=names)
    figure = charts.below_diagonal(runs, *names.values(), "activation", ACTIVATIONS, "forbidden by the bound")
    return figure, (
        "Every Elman network of the sweep. None lies in the grey region, so all left of 0 vanish. To the right most "
        "still vanish: σ_max > 1/γ is necessary for exploding, not sufficient."
    )


def _cells(runs):
    return _rates(runs, by="drive", parts=sorted(runs["drive"].unique(), reverse=True), title="inputs of std {:g}"), (
        "The decay rate of every cell (slope of the log norm per step, median over seeds), slowest decay first: blue "
        "vanishes, red explodes; exp(slope) is the factor per step, −∞ a gradient that became exactly 0. Strong "
        "inputs saturate units and speed the decay. Some cells have no matrix to scale."
    )


def _forget_bias(runs):
    return _rates(runs, by="forget_bias", parts=sorted(runs["forget_bias"].unique()), title="forget bias {:g}"), (
        "The same for cells with a gate f, by its bias, for inputs of unit variance. An open forget gate keeps the "
        "gradient; the f of mgu lets in what is new, and an open one forgets."
    )


def _rates(runs, **parts):
    names = {"slope": "slope per step", "gain": "spectral radius ρ"}
    return charts.rate_tables(runs.rename(columns=names), names["slope"], "cell", names["gain"], **parts)


def _cells_by_lag(lags):
    curves = lags.pivot_table("log_norm", "lag", "cell", "mean")
    order = curves.iloc[-1].sort_values(ascending=False, kind="stable").index
    return charts.by_rank(curves[order], LAG, NORM), (
        "The norm over the joint state against the lag at ρ = 0.9, inputs of unit variance, no forget bias: all cells, "
        "slowest decay first; every panel has a scale of its own. A curve ends where the gradient is exactly 0."
    )


def _lstm_by_lag(lags):
    figure, ((ax,),) = charts.log_axes(LAG, NORM)
    curves = lags.pivot_table(["log_norm", "log_norm_h"], "lag", "forget_bias", "mean")
    for bias, look in line_styles(sorted(lags["forget_bias"].unique(), reverse=True)).items():
        ax.plot(curves["log_norm", bias], color=look["color"], label=f"bias {bias:g}, joint")
        ax.plot(curves["log_norm_h", bias], ":", color=look["color"], label=f"bias {bias:g}, h")
    ax.legend(**charts.BESIDE, fontsize=9)
    return figure, (
        "The LSTM's forget bias sets the decay (ρ = 0.9, inputs of unit variance); the gradient by h alone (dotted) "
        "decays at the same rate, below the joint one."
    )

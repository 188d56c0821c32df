"""Which directions of the state survive many steps back, and does an orthogonal matrix keep them all?

Method: float64. The Jacobian dh_T/dh_k of the joint state is a product of one-step Jacobians along a driven trajectory,
after a burn-in; its singular values say what is left of a gradient in every direction. Dynamical isometry means that
all of them stay near 1. Part ``networks``: linear and tanh networks with orthogonal and Gaussian W, the tanh ones on
the critical line (the gain at which mean-field theory has the mean square of the singular values at 1), with inputs of
variance 0.01. Part ``cells``: every cell, all recurrent blocks orthogonal. In a product of float64 matrices singular
values below about 1e-14 of the largest are lost; they count as that. (With stronger inputs, variance 0.25, the mean
square at lag 10 came out at 0.87 rather than 1: the theory has a new W at every step.)

Sources: M. Chen, J. Pennington and S. S. Schoenholz, Dynamical Isometry and a Mean Field Theory of RNNs: Gating Enables
Signal Propagation in Recurrent Neural Networks, ICML 2018; J. Pennington, S. S. Schoenholz and S. Ganguli, Resurrecting
the sigmoid in deep learning through dynamical isometry: theory and practice, NeurIPS 2017 (the variance of squared
singular values).
"""

import numpy as np

from rnnbench import cells
from rnnbench.probes import mean_field
from rnnbench.report import charts
from rnnbench.report.style import BLUE, GREY, VERMILION
from rnnbench.runner.claims import bound, compare, holds, ranking
from rnnbench.runner.frames import measured
from rnnbench.runner.intervals import bootstrap_median
from rnnbench.runner.record import short

SIZES = {"smoke": (16, 8), "quick": (128, 32), "paper": (512, 32)}  # units of networks and of cells
SEEDS = {"smoke": 1, "quick": 5, "paper": 10}
LAGS = (1, 2, 5, 10, 20, 50)
CELL_LAG = 20
DRIVE = 0.1  # weak: the less units saturate, the nearer to isometry can tanh be
INPUTS, BURN_IN = 64, 50  # with few inputs their variance, and so the gain of a step, would be a matter of luck
LOST = 1e-14
NETWORKS, CELLS = "networks", "cells"
INITS = {"orthogonal": BLUE, "gaussian": VERMILION}
BIASES = (0.0, 5.0)
QUANTILES = {"smallest": 0.0, "lower": 0.25, "median": 0.5, "upper": 0.75, "largest": 1.0}


def sweep(preset, device):
    """Two activations by two initialisers; every cell, with an open forget gate where it has one."""
    if preset not in SIZES:
        return []
    critical = round(mean_field.critical_gain(DRIVE**2), 6)

    def trial(part, cell, activation, init, gain, bias, replicate):
        first = {"part": part, "cell": cell, "activation": activation, "init": init, "gain": gain, "forget_bias": bias}
        return first | {"drive": DRIVE, "hidden": SIZES[preset][part == CELLS], "replicate": replicate}

    found = [
        trial(NETWORKS, "elman", activation, init, gain, 0.0, replicate)
        for activation, gain in (("linear", 1.0), ("tanh", critical))
        for init in INITS
        for replicate in range(SEEDS[preset])
    ]
    for cell in cells.names():
        activation = cells.option_defaults(cell).get("activation")
        biased = any(gate.name == "f" and gate.bias for gate in cells.get(cell).gates)
        seeds = SEEDS[preset] if cell == "lstm" else 1
        for bias in BIASES if biased else BIASES[:1]:
            found += [trial(CELLS, cell, activation, "orthogonal", 1.0, bias, i) for i in range(seeds)]
    return found


def run(setting, rng):
    """A row per lag; of the first network of each kind one per singular value too."""
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import jacobian

    networks = setting["part"] == NETWORKS
    lags = LAGS if networks else (1, CELL_LAG)
    layer = Recurrent(
        setting["cell"], INPUTS, setting["hidden"], dtype="float64", device=setting["device"], seed=rng,
        init={"name": setting["init"], "gain": setting["gain"], "forget_bias": setting["forget_bias"]},
        **({} if setting["activation"] is None else {"activation": setting["activation"]}),
    )  # fmt: skip
    x = setting["drive"] * rng.normal(size=(BURN_IN + max(lags), 1, INPUTS))
    _, state = layer.forward(x[:BURN_IN], tape=False)
    rows, each = [], []
    for product in jacobian.jacobian_products(layer, x[BURN_IN:], state, lags=lags):
        logs = product.log_singular_values
        logs = np.maximum(logs, logs[0] + np.log(LOST)) if np.isfinite(logs[0]) else logs
        squares = np.exp(2 * logs)
        row = {name: float(np.quantile(logs, q, method="nearest")) for name, q in QUANTILES.items()}
        row |= {"mean_square": float(squares.mean()), "variance": float(squares.var())}
        rows.append({"lag": product.lag} | row | {"distance": float(np.abs(logs).mean())})
        if networks and setting["replicate"] == 0:
            each += [short({"lag": product.lag, "log_value": float(v)}, 4) for v in logs]
    return [*(short(row, 9) for row in rows), *each]


def claims(df):
    """Isometry, mean-field theory, and what gates do."""
    runs = _runs(df)
    networks, every = (runs[runs["part"] == part] for part in (NETWORKS, CELLS))
    linear, tanh = (networks[networks["activation"] == name] for name in ("linear", "tanh"))
    exact = linear[linear["init"] == "orthogonal"]
    off = np.maximum(exact["largest"].abs(), exact["smallest"].abs())
    yield bound(
        "linear, orthogonal", "In a linear network with orthogonal W every singular value is 1 at every lag "
        "(|ln sigma| at most 1e-9).", "Chen, Pennington & Schoenholz 2018; exact for a linear network",
        measured=off.max() if len(off) else None, at_most=1e-9,
        note=f"Largest |ln sigma| of {len(off)} spectra up to lag {max(LAGS)}." if len(off) else "",
    )  # fmt: skip
    q = mean_field.variance(mean_field.critical_gain(DRIVE**2), DRIVE**2)
    large = tanh[tanh["hidden"] >= 128]
    for init, lag in (("orthogonal", 1), ("orthogonal", 10), ("gaussian", 1)):
        here = large[(large["init"] == init) & (large["lag"] == lag)]
        for column, words, published, tolerance in (
            ("mean_square", "mean", 1.0, 0.1),
            ("variance", "variance", mean_field.spread(lag, q, init == "orthogonal"), 0.25),
        ):
            yield compare(
                f"tanh, {init}, lag {lag}, {words}",
                f"On the critical line the {words} of the squared singular values is that of mean-field theory "
                f"within {100 * tolerance:g} % (N >= 128).",
                "Pennington, Schoenholz & Ganguli 2017, for independent steps",
                published=round(published, 4), tolerance=tolerance, relative=True,
                measured=here[column].median() if len(here) else None,
                interval=bootstrap_median(here[column]) if len(here) > 1 else None,
                note=f"Median of {len(here)} networks; here W is the same in every step." if len(here) else "",
            )  # fmt: skip
    pairs = {}
    for lag in LAGS:
        at = tanh[tanh["lag"] == lag]
        pairs[f"lag {lag}"] = tuple(at.loc[at["init"] == init, "distance"] for init in ("gaussian", "orthogonal"))
    yield ranking(
        "orthogonal is nearer to isometry",
        "At the same critical gain tanh networks are nearer to isometry with orthogonal W than with Gaussian W, at "
        "every lag.", "Chen, Pennington & Schoenholz 2018", pairs, of="mean |ln sigma|",
    )  # fmt: skip
    lstm = every[(every["cell"] == "lstm") & (every["lag"] == CELL_LAG)]
    yield ranking(
        "an open gate is nearer to isometry", f"With a forget bias of {BIASES[1]:g} an LSTM is nearer to isometry than "
        "with none.", "Chen, Pennington & Schoenholz 2018, for the minimalRNN: gating enables signal propagation",
        {f"lag {CELL_LAG}": tuple(lstm.loc[lstm["forget_bias"] == bias, "distance"] for bias in BIASES)},
        of="mean |ln sigma|",
    )  # fmt: skip
    identity = every[every["cell"] == "identity"]
    yield holds(
        "identity", "Where the state is added to (identity) all singular values are 1.", "derived",
        identity["distance"] < 1e-9,
    )  # fmt: skip


def figures(df):
    """Spectra by lag, and how far every cell is from isometry."""
    runs = _runs(df)
    each = measured(df, ["part", "cell", "activation", "init"], ["hidden", "lag", "log_value"], has="log_value")
    drawn = {"by_lag": (_by_lag, each), "cells": (_cells, runs[(runs["part"] == CELLS) & (runs["lag"] == CELL_LAG)])}
    return {
        name: draw(part[part["hidden"] == part["hidden"].max()]) for name, (draw, part) in drawn.items() if len(part)
    }


def tables(df):
    """Medians over seeds for the networks."""
    runs = _runs(df)
    networks = runs[runs["part"] == NETWORKS]
    columns = [*QUANTILES, "mean_square", "variance"]
    table = networks.groupby(["activation", "init", "gain", "hidden", "lag"])[columns].median().reset_index()
    caption = (
        "Natural logarithms of singular values (quantiles), mean and variance of their squares: medians over seeds."
    )
    return {"networks": (table, caption)}


def _runs(df):
    numbers = ["gain", "forget_bias", "hidden", "lag", *QUANTILES, "mean_square", "variance", "distance"]
    return measured(df, ["part", "cell", "activation", "init"], numbers, has="distance")


def _by_lag(each):
    kinds = [(activation, init) for activation in ("linear", "tanh") for init in INITS]
    figure, axes = charts.log_axes("lag T − k (steps)", "singular values of $dh_T/dh_k$", 12, 4, height=4.4)
    for ax, (activation, init) in zip(axes[0], kinds, strict=True):
        part = each[(each["activation"] == activation) & (each["init"] == init)]
        places = part["lag"].map({lag: place for place, lag in enumerate(sorted(part["lag"].unique()))})
        ax.axhline(0, color=GREY, linewidth=1)
        ax.plot(places, part["log_value"] / np.log(10), "_", color=INITS[init], markersize=13, alpha=0.6)
        ax.set_xticks(range(len(LAGS)), LAGS)
        ax.set_title(f"{activation}, {init} W")
    return figure, (
        f"All singular values of one network of {each['hidden'].max():.0f} units each. An orthogonal W keeps them at 1 "
        "in a linear network, and tanh units spread them slowly; a Gaussian W of the same mean square loses most "
        "directions within twenty steps. (What is below 1e-14 of the largest is lost to rounding, and drawn there.)"
    )


def _cells(runs):
    import matplotlib.pyplot as plt

    biased = runs["forget_bias"] > 0
    names = runs["cell"] + np.where(biased, f" (forget bias {BIASES[1]:g})", "")
    middle = runs.assign(name=names).groupby("name")[[*QUANTILES, "distance"]].median().sort_values("distance")
    rates = middle[[*QUANTILES]] / CELL_LAG
    figure, ax = plt.subplots(figsize=(8.5, 1.5 + 0.19 * len(rates)))
    places = np.arange(len(rates))[::-1]
    ax.axvline(0, color=GREY, linewidth=1)
    ax.hlines(places, rates["smallest"], rates["largest"], color=BLUE, linewidth=1.5, alpha=0.5)
    ax.hlines(places, rates["lower"], rates["upper"], color=BLUE, linewidth=5)
    ax.plot(rates["median"], places, "o", color=VERMILION, markersize=4)
    ax.set_yticks(places, rates.index, fontsize=9)
    ax.set(xlabel=f"ln σ / lag at lag {CELL_LAG} (0: isometry)", ylim=(-1, len(rates)))
    return figure, (
        "Every cell, orthogonal recurrent blocks, nearest to isometry first: the range of its singular values per step "
        "(thin), the middle half (thick) and the median (dot). Additive paths and open forget gates keep their "
        "directions; of h and c together, h made of c, an LSTM can keep one half only."
    )

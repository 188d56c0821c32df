"""When is a recurrent network chaotic, and what does its input do about it?

Method: float64. Lyapunov exponents say how fast neighbouring states part, per step: QR decompositions of the Jacobian's
products along a trajectory, after a burn-in. Above 0 the network is chaotic. Three parts: ``theory``, the largest
exponent of large tanh networks with entries of standard deviation g/sqrt(N), without input (drive 0) and with inputs
that add variance 1 to every unit (drive 1), beside mean-field theory; ``spectrum``, all exponents of linear networks
beside ln|eigenvalue|; ``cells``, the largest exponent of every cell, all recurrent blocks with such entries. A run
without input starts where a few inputs have kicked it. Exponents of several trajectories are averaged.

Sources: G. Benettin, L. Galgani, A. Giorgilli and J.-M. Strelcyn, Lyapunov Characteristic Exponents for Smooth
Dynamical Systems, Meccanica 15, 1980 (QR); H. Sompolinsky, A. Crisanti and H. J. Sommers, Chaos in random neural
networks, Physical Review Letters 61, 1988; L. Molgedey, J. Schuchhardt and H. G. Schuster, Suppressing chaos in neural
networks by noise, Physical Review Letters 69, 1992; T. Laurent and J. von Brecht, A recurrent neural network without
chaos, ICLR 2017. Derived: ln(chi)/2 in discrete time, ln|eigenvalue| for linear networks.
"""

import numpy as np

from rnnbench import cells
from rnnbench.probes import mean_field
from rnnbench.report import charts
from rnnbench.report.style import BLUE, GREY, VERMILION, line_styles
from rnnbench.runner.claims import bound, compare, holds
from rnnbench.runner.frames import measured
from rnnbench.runner.intervals import bootstrap_median
from rnnbench.runner.record import short

SEEDS = {"smoke": 1, "quick": 5, "paper": 10}
LARGE = {"smoke": (32, 40), "quick": (256, 200), "paper": (1024, 2000)}  # units, steps
LINEAR = {"smoke": (8, 100), "quick": (32, 1000), "paper": (64, 20000)}
SMALL = {"smoke": (8, 20), "quick": (32, 120), "paper": (64, 1000)}
WITHOUT, WITH = (0.5, 0.8, 0.95, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0), (0.5, 1.0, 1.5, 1.75, 2.0, 3.0, 4.0)
COMPARED = ((0.0, 2.0), (0.0, 3.0), (1.0, 3.0))  # drives and gains that are held against theory in numbers
MORE_SEEDS = 3  # times as many there: a network of finite N has an exponent of its own
CELL_GAINS = (1.0, 4.0, 16.0)
ROWS, INPUTS, KICK, BURN_IN, SKIP = 12, 8, 20, 300, 50
STILL = 5  # times as many steps where all activity dies: W alone turns the directions, slowly
CHAOTIC = 0.01  # nats per step: smaller ones are not told from 0 in runs of this length
THEORY, SPECTRUM, CELLS = "theory", "spectrum", "cells"
DRIVES = {0.0: "no input", 1.0: "input of variance 1"}


def sweep(preset, device):
    """Gains with and without input; linear spectra; every cell."""
    if preset not in SEEDS:
        return []

    def trial(part, cell, activation, gain, drive, size, replicate):
        first = {"part": part, "cell": cell, "activation": activation, "gain": gain, "drive": drive}
        return first | {"hidden": size[0], "steps": size[1], "replicate": replicate}

    found = [
        trial(THEORY, "elman", "tanh", gain, drive, _large(preset, gain, drive), replicate)
        for drive, gains in ((0.0, WITHOUT), (1.0, WITH))
        for gain in (gains[1::3] if preset == "smoke" else gains)
        for replicate in range(SEEDS[preset] * (MORE_SEEDS if (drive, gain) in COMPARED else 1))
    ]
    found += [trial(SPECTRUM, "elman", "linear", 0.9, 0.0, LINEAR[preset], i) for i in range(SEEDS[preset])]
    for cell in cells.names():
        activation = cells.option_defaults(cell).get("activation")
        for drive in DRIVES:
            gains = CELL_GAINS[1:2] if preset == "smoke" else CELL_GAINS
            found += [trial(CELLS, cell, activation, gain, drive, SMALL[preset], 0) for gain in gains]
    return found


def _large(preset, gain, drive):
    hidden, steps = LARGE[preset]
    return hidden, steps * (STILL if drive == 0 and gain < 1 else 1)


def run(setting, rng):
    """A row with the largest exponent, or one per exponent of a linear network."""
    from rnnbench.layers.recurrent import Recurrent
    from rnnbench.probes import lyapunov, recurrence, stepwise

    gain, steps, part = setting["gain"], setting["steps"], setting["part"]
    options = {} if setting["activation"] is None else {"activation": setting["activation"]}
    layer = Recurrent(
        setting["cell"], INPUTS, setting["hidden"], dtype="float64", device=setting["device"], seed=rng,
        init={"name": "gaussian", "gain": gain}, **options,
    )  # fmt: skip
    if part == SPECTRUM:
        found = lyapunov.spectrum(layer, np.zeros((steps, 1, INPUTS)), rng=rng, skip=steps // 4)
        eigen = np.sort(np.log(np.abs(np.linalg.eigvals(layer.params["weight_hh"]))))[::-1]
        return [
            short({"place": i, "exponent": e, "log_eigenvalue": v}, 6)
            for i, (e, v) in enumerate(zip(found.tolist(), eigen.tolist(), strict=True))
        ]
    kick = rng.normal(size=(KICK, ROWS, INPUTS))
    x = setting["drive"] * rng.normal(size=(BURN_IN + steps, ROWS, INPUTS))
    with np.errstate(over="ignore", invalid="ignore"):
        _, state = layer.forward(kick, tape=False)
        pushed = stepwise.flatten(layer, state) + 0.1 * rng.normal(size=stepwise.flatten(layer, state).shape)
        _, state = layer.forward(x[:BURN_IN], state | stepwise.unflatten(layer, pushed), tape=False)
        found = lyapunov.largest(layer, x[BURN_IN:], state, rng=rng, skip=min(SKIP, steps // 4))
    row = {"exponent": float(found.mean())}
    if part == THEORY and setting["drive"] == 0 and gain < 1:
        row["log_rho"] = float(np.log(recurrence.spectral_radius(layer)))
    return [short(row, 6)]


def claims(df):
    """Theory of linear and of large networks; chaos and its suppression."""
    runs = _runs(df)
    theory, linear, every = (runs[runs["part"] == part] for part in (THEORY, SPECTRUM, CELLS))
    large = theory[theory["hidden"] >= 256]
    error = (linear["exponent"] - linear["log_eigenvalue"]).abs()
    yield bound(
        "linear", "All Lyapunov exponents of a linear network are ln|eigenvalue|, to 0.005 nats per step.", "derived",
        measured=error.max() if len(error) else None, at_most=0.005,
        note=f"Largest error of {len(error)} exponents of {linear['trial'].nunique()} networks." if len(error) else "",
    )  # fmt: skip
    below = large[large["log_rho"].notna()]
    quiet = below[below["log_rho"] < 0]
    error = (quiet["exponent"] - quiet["log_rho"]).abs()
    yield bound(
        "below g = 1",
        "Without input activity dies for g < 1 (where rho(W) < 1 too): the largest exponent is ln rho(W), to 0.01.",
        "derived", measured=error.max() if len(error) else None, at_most=0.01,
        note=f"Largest error of {len(error)} networks of N >= 256. Of finite N, {len(below) - len(quiet)} more have "
        "rho >= 1 although g < 1." if len(error) else "",
    )  # fmt: skip
    for drive, gain in COMPARED:
        here = large.loc[(large["drive"] == drive) & (large["gain"] == gain), "exponent"]
        yield compare(
            f"g = {gain:g}, {DRIVES[drive]}",
            "The largest exponent of a tanh network with N >= 256 units is that of mean-field theory within 8 %.",
            "derived: ln(chi)/2, after Molgedey, Schuchhardt & Schuster 1992",
            published=round(mean_field.largest_exponent(gain, drive**2), 4), tolerance=0.08, relative=True,
            measured=here.median() if len(here) else None,
            interval=bootstrap_median(here) if len(here) > 1 else None,
            note=f"Median of {len(here)} networks, {here.min():.3f} to {here.max():.3f}." if len(here) else "",
        )  # fmt: skip
    at = large[large["gain"] == 1.5]
    still, driven = (at.loc[at["drive"] == drive, "exponent"] for drive in DRIVES)
    yield holds(
        "input suppresses chaos",
        "At g = 1.5 a network is chaotic without input, and is not with inputs of unit variance (every network).",
        "Molgedey, Schuchhardt & Schuster 1992",
        [*(still > CHAOTIC), *(driven < 0)] if len(still) and len(driven) else [],
        note=f"Medians {still.median():.3f} and {driven.median():.3f}; theory "
        f"{mean_field.largest_exponent(1.5):.3f} and {mean_field.largest_exponent(1.5, 1.0):.3f}."
        if len(still) and len(driven) else "",
    )  # fmt: skip
    gated = every[every["cell"].isin(("lstm", "gru")) & (every["drive"] == 0)]
    top = gated.groupby("cell")["exponent"].max()
    yield holds(
        "gated cells",
        f"LSTM and GRU without input are chaotic at some gain: the exponent is above {CHAOTIC:g}.",
        "Laurent & von Brecht 2017 (for other weights)", top > CHAOTIC,
        note="".join(f"{cell}: at most {value:.3f}. " for cell, value in top.items()),
    )  # fmt: skip


def figures(df):
    """The exponent against the gain with theory; linear spectra; every cell."""
    runs = _runs(df)
    drawn = {"by_gain": (_by_gain, THEORY), "spectrum": (_spectrum, SPECTRUM), "cells": (_cells, CELLS)}
    parts = {name: (draw, _one_size(runs[runs["part"] == part])) for name, (draw, part) in drawn.items()}
    return {name: draw(part) for name, (draw, part) in parts.items() if len(part)}


def tables(df):
    """The exponents of tanh networks in numbers."""
    runs = _runs(df)
    theory = _one_size(runs[runs["part"] == THEORY])
    table = theory.groupby(["drive", "gain", "hidden"])["exponent"].agg(["median", "min", "max", "size"]).reset_index()
    lines = [mean_field.largest_exponent(gain, drive**2) for drive, gain, *_ in table.itertuples(index=False)]
    return {"theory": (table.assign(theory=np.round(lines, 5)), "Largest exponents of tanh networks over seeds.")}


def _runs(df):
    numbers = ["gain", "drive", "hidden", "steps", "place", "exponent", "log_rho", "log_eigenvalue"]
    return measured(df, ["part", "cell", "activation"], numbers, has="exponent")


def _one_size(frame):
    return frame[frame["hidden"] == frame["hidden"].max()]


def _by_gain(runs):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4.6))
    lowest, highest = runs["gain"].min(), runs["gain"].max()
    ax.axhline(0, color="black", linewidth=1)
    for (drive, words), colour in zip(DRIVES.items(), (VERMILION, BLUE), strict=True):
        part = runs[runs["drive"] == drive]
        gains = np.linspace(lowest, highest, 120)
        ax.plot(gains, [mean_field.largest_exponent(g, drive**2) for g in gains], color=colour, linewidth=1.5)
        ax.plot(part["gain"], part["exponent"], "o", color=colour, alpha=0.6, label=f"{words}")
    ax.plot([], [], color=GREY, linewidth=1.5, label="mean-field theory")
    ax.text(0.03, 0.95, "chaos", transform=ax.transAxes, va="top", style="italic")
    ax.text(0.97, 0.03, "order: the past is forgotten", transform=ax.transAxes, ha="right", style="italic")
    ax.set(xlabel="gain g (entries of W have std $g/\\sqrt{N}$)", ylabel="largest Lyapunov exponent\n(nats per step)")
    ax.legend(**charts.BESIDE)
    return figure, (
        f"Random tanh networks of {runs['hidden'].max():.0f} units: each dot is one network, lines are theory. Without "
        "input they are chaotic from a gain a little above 1 on, in theory from 1. An input drives units into "
        "saturation, where a perturbation shrinks, so the edge of chaos moves to larger gains."
    )


def _spectrum(runs):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4.3))
    for name, look in line_styles(sorted(runs["trial"].unique())).items():
        part = runs[runs["trial"] == name].sort_values("place")
        ax.plot(part["place"], part["log_eigenvalue"], color=GREY, linewidth=1)
        ax.plot(part["place"], part["exponent"], "o", color=look["color"], markersize=4)
    ax.plot([], [], color=GREY, linewidth=1, label="ln|eigenvalue|")
    ax.legend()
    ax.set(xlabel="place in the spectrum", ylabel="Lyapunov exponent (nats per step)")
    return figure, (
        "Linear networks with Gaussian W, one colour each: all exponents by QR (dots) beside ln|eigenvalue| of W "
        "(lines). They agree, from directions that die slowly to those that die at once."
    )


def _cells(runs):
    names = {"exponent": "largest exponent", "gain": "gain g"}
    runs = runs.assign(words=runs["drive"].map(DRIVES)).rename(columns=names)
    figure = charts.rate_tables(
        runs, names["exponent"], "cell", names["gain"], by="words", parts=list(DRIVES.values()), title="{}"
    )
    return figure, (
        f"The largest Lyapunov exponent of every cell with {runs['hidden'].max():.0f} units, recurrent entries of std "
        "g/sqrt(N) and biases 0, most chaotic first. Red: chaos, blue: order, −∞: a slope that is 0 in float64 (1 - "
        "tanh^2 from 19 on), so that a perturbation dies altogether, blank: the states left float64. Gates do not rule "
        "chaos out; a linear recurrence (identity, min_gru) does."
    )

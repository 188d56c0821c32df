"""How fast is each cell beside PyTorch, ONNX Runtime and JAX, and what part of the processor's peak does it use?

Method: float32, each engine in a process of its own with equal threads, timed in turn in rounds (A B A B ...) after
a warm-up. A round's time is the median of its calls; ratios are taken within rounds, and 95 % intervals of their median
come from the rounds' order statistics. Weights and inputs are the same. Outputs and, for training, gradients by the
input and all weights are compared first: what differs by more than 1e-4 of an array's magnitude gets no ratio.
Inference keeps nothing (``inference_mode``, ``tape=False``); training is zeroing gradients, forward, backward. Both
sides have both biases. The roof is a loop of multiply-adds in registers, timed in the same rounds. FLOPs: 2 B T per
weight, training three times that. Peak memory and start-up times come from fresh processes. A peer that is not
installed is a row. ``--set measure=speed --set shape=150x1x256x256`` times a shape of your own (T x B x I x H), and
``--set peers=torch+jax`` chooses. The other cells have the experiment throughput_cells, variable lengths
throughput_lengths.

Sources: the shapes are those of the field's benchmarks (DeepBench, FlashRNN, haste, MXNet, oneDNN issue 837), some with
fewer steps than published: what counts is the time per step. The limits in the claims are this project's own goals.
"""

import os

from rnnbench import cells
from rnnbench.peers import frames, tasks
from rnnbench.peers.spread import geometric_mean
from rnnbench.runner.claims import bound, holds

RNN, GRU, LSTM = "elman", "gru_reset_after", "lstm"
TIMED = True
TABLE = (
    "150x1x256x256", "100x4x128x128", "100x16x64x100", "200x20x2x128", "100x32x128x128", "150x64x256x256",
    "25x64x512x512", "5x128x1024x1024",
)  # fmt: skip
# DeepBench (of 50 and 1500 steps), FlashRNN (of 1024), haste (of 50), MXNet (of 50), oneDNN issue 837
MORE = (
    "10x32x1536x1536", "10x32x1760x1760", "10x64x1024x1024", "32x16x768x768", "50x64x128x256", "10x64x128x1024",
    "25x64x500x500", "63x1x24x32",
)  # fmt: skip
ONE = "100x32x128x128"
ENGINES = ("torch", "torch-plain", "onnxruntime", "jax")  # torch-compile: only where it is asked for
GOAL = "this project's goal"


def sweep(preset, device):
    """Speed beside the peers, growth along T, B and H, memory, start-up."""
    if device != "cpu":
        return []
    if preset == "smoke":
        few = {"rounds": 3}
        return [
            _setting("speed", LSTM, "20x8x16x32", peers="reference+torch+onnxruntime+jax", **few),
            _setting("speed", RNN, "20x8x16x32", peers="reference", **few),
            _setting("growth", RNN, "20x8x16x32", axis="T", **few),
        ]
    large, engines, found = preset == "paper", "+".join(ENGINES), []
    if large:
        engines = "+".join(("reference", "torch", "torch-plain", "torch-compile", "onnxruntime", "jax"))
    more = {"rounds": 15 if large else 9}
    for threads in _thread_counts():
        for shape in TABLE + (MORE if large else ()):
            found += [_setting("speed", cell, shape, threads, engines, **more) for cell in (RNN, GRU, LSTM)]
        found.append(_setting("speed", RNN, "10x32x1760x1760" if large else ONE, threads, engines, "relu", **more))
    for shape in TABLE if large else (ONE,):
        found += [_setting("speed", cell, shape, peers="reference", **more) for cell in (RNN, GRU, LSTM)]
    for cell in cells.names() if large else tasks.COMMON:
        found += [_setting("growth", cell, "40x32x128x128", axis=axis, **more) for axis in "TBH"]
    for cell in tasks.COMMON:
        found.append(_setting("memory", cell, "100x32x256x256", peers="torch", rounds=1))
        found.append(_setting("start", cell, "20x8x64x64", peers="torch+jax", rounds=1))
    return found


def _thread_counts():
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return (1, 2) if count > 1 else (1,)


def _setting(measure, cell, shape, threads=1, peers="none", activation=None, axis=None, rounds=9):
    return {
        "measure": measure, "cell": cell, "activation": activation, "shape": shape, "threads": threads, "axis": axis,
        "peers": peers, "rounds": rounds,
    }  # fmt: skip


def run(setting, rng):
    """Measure one setting; every row says what kind of measurement it is."""
    from rnnbench.peers import growth, once, trial

    shape, peers = tasks.parse_shape(setting["shape"]), tasks.parse_peers(setting["peers"])
    cell, file = setting["cell"], tasks.file_of(setting["cell"])
    task = tasks.Task(cell, setting["activation"], shape, "inference", setting["threads"], "cpu", file)
    if setting["measure"] == "growth":
        return growth.rows(task, setting["axis"], setting["rounds"], rng)
    if setting["measure"] == "speed":
        return trial.rows(task, peers, setting["rounds"], rng)
    if setting["measure"] in ("memory", "start"):
        return {"memory": once.memory_rows, "start": once.start_rows}[setting["measure"]](task, peers)
    raise ValueError(f"measure: got {setting['measure']!r}, expected speed, growth, memory or start")


# ---- claims ----


def claims(df):
    """The project's goals, held against the runs."""
    best, made = frames.best(df), []
    for threads in (1, 2):
        words = f"{threads} thread{'s' if threads > 1 else ''}"
        part = best[(best["threads"] == threads) & best["complete"].astype(bool)]
        for direction, goal in (("inference", 1.3), ("training", 1.8)):
            rows = part[(part["direction"] == direction) & part["shape"].isin(TABLE)]
            rows = rows[rows["cell"].isin((RNN, GRU, LSTM))]
            made.append(_mean(f"{direction}, {words}", "the three cells", rows, 24, goal))
            if direction == "training":
                goal = (1.1, 1.25)[threads - 1]
                made.append(_mean(f"LSTM {direction}, {words}", "the LSTM", rows[rows["cell"] == LSTM], 8, goal))
            made.append(_each(f"each shape, {direction}, {words}", part[part["direction"] == direction]))
            made.append(_roof(f"roof, {direction}, {words}", best, direction, threads))
    return [*made, *_agreement(df), *_growth_claims(df), *_once_claims(df)]


def _mean(name, cells, rows, expected, goal):
    rows = rows.drop_duplicates(["cell", "shape"], keep="last")
    whole = len(rows) == expected
    mean = geometric_mean(rows[["ratio", "ratio_low", "ratio_high"]].to_numpy()) if whole else (None,) * 3
    note = f"{len(rows)} of {expected} rows with all peers and without other load."
    if len(rows):
        worst = rows.loc[rows["ratio"].idxmin()]
        faster, slower = ((rows["verdict"] == word).sum() for word in ("faster", "slower"))
        note += f" {faster} faster, {slower} slower; the least is {worst['ratio']:.2f} ({worst['cell']}, "
        note += f"{worst['shape']}, against {worst['best']})."
    return bound(
        name, f"Geometric mean of the speed over the fastest peer's, {cells} and eight shapes.", GOAL,
        at_least=goal, measured=mean[0], interval=mean[1:] if whole else None, note=note,
    )  # fmt: skip


def _each(name, rows):
    cases = (rows["ratio"] >= 1) | (rows["roof_fraction"] >= 0.9)
    lost = [f"{r.cell} {r.shape} {r.ratio:.2f} ({r.best})" for r in rows[~cases].sort_values("ratio").itertuples()]
    return holds(
        name, "At every shape the fastest peer is not faster, or 90 % of the roof are reached.", GOAL, cases,
        note=f"Missed: {', '.join(lost)}." if lost else "",
    )  # fmt: skip


def _roof(name, best, direction, threads):
    goal = {"inference": 0.85, "training": 0.75}[direction]
    rows = best[(best["direction"] == direction) & (best["threads"] == threads)]
    sizes = rows["shape"].str.split("x", expand=True).reindex(columns=range(4)).apply(lambda c: c.astype(float))
    rows = rows[(sizes[1] >= 32) & (sizes[3] >= 128)]
    least = f"From {rows['roof_fraction'].min():.2f} to {rows['roof_fraction'].max():.2f} of it." if len(rows) else ""
    return holds(
        name, f"With B >= 32 and H >= 128 at least {100 * goal:g} % of the roof are reached.", GOAL,
        rows["roof_fraction"] >= goal, note=least,
    )  # fmt: skip


def _agreement(df):
    rows = frames.rows(df, "time")
    rows = rows[rows["outcome"].isin(("ok", "mismatch")) & ~rows["peer"].isin(("rnnbench", "roof"))]
    worst = f"Largest error {rows['error'].max():.1g} of an array's magnitude." if rows["error"].notna().any() else ""
    yield holds(
        "same numbers", "Every engine that was timed gave our outputs and gradients, to 1e-4 of an array's magnitude.",
        "derived", rows["outcome"] == "ok", note=worst,
    )  # fmt: skip


def _growth_claims(df):
    rows = frames.rows(df, "growth").dropna(subset="exponent")
    for axis, power in (("T", 1), ("B", 1), ("H", 2)):
        part = rows[rows["axis"] == axis]
        span = f"From {part['exponent'].min():.2f} to {part['exponent'].max():.2f}." if len(part) else ""
        yield holds(
            f"growth with {axis}", f"Cost grows with {axis} at most as {axis}^{power} (exponent within 0.05).",
            "derived: the products' operations", part["exponent"] <= power + 0.05, note=span,
        )  # fmt: skip


def _once_claims(df):
    memory = frames.rows(df, "memory").pivot_table("peak_mb", ["cell", "shape", "direction"], "peer")
    memory = memory.reindex(columns=["rnnbench", "torch"]).dropna()
    yield holds(
        "peak memory", "A call's peak memory is at most PyTorch's.", GOAL, memory["rnnbench"] <= memory["torch"],
        note=" ".join(f"{c} {d}: {r:.1f} MB, torch {t:.1f}." for (c, _, d), r, t in memory.itertuples()),
    )  # fmt: skip
    start = frames.rows(df, "start")
    start = start[(start["peer"] == "rnnbench") & (start["outcome"] == "ok")]
    goals = (("import", "import_s", "cached", 0.5), ("first call, cold", "first_call_s", "cold", 2.0))
    for name, column, cache, goal in (*goals, ("first call, cached", "first_call_s", "cached", 0.4)):
        values = start.loc[start["cache"] == cache, column]
        yield bound(
            name, f"Seconds, the most over the cells: {name}.", GOAL, at_most=goal,
            measured=values.max() if len(values) else None, note=f"{len(values)} cells.",
        )  # fmt: skip


# ---- tables and figures ----


def tables(df):
    """Every win and every loss, cells without peers, growth, memory, start-up, and who could not take part."""
    return frames.tables(df)


def figures(df):
    """Ratios per shape, fractions of the roof, growth."""
    best, growth = frames.best(df), frames.rows(df, "growth")
    drawn = {}
    for threads, part in best.groupby("threads"):
        drawn[f"ratios_{threads}"] = _ratios(part, threads)
        drawn[f"roof_{threads}"] = _at_roof(part, threads)
    if growth["exponent"].notna().any():
        drawn["growth"] = _growth(growth)
    return drawn


def _panels(rows):
    """A panel per direction, with a line per cell and shape from top to bottom."""
    import matplotlib.pyplot as plt

    rows = rows.assign(label=rows["cell"] + "  " + rows["shape"])
    names = list(dict.fromkeys(rows.sort_values(["cell", "shape"])["label"]))[::-1]
    figure, axes = plt.subplots(1, 2, figsize=(13, 1.6 + 0.3 * len(names)), sharey=True, squeeze=False)
    parts = []
    for ax, direction in zip(axes[0], ("inference", "training"), strict=True):
        part = rows[rows["direction"] == direction]
        parts.append((ax, part, part["label"].map(names.index)))
        ax.set(title=direction, ylim=(-0.7, len(names) - 0.3))
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=10)
    return figure, parts


def _ratios(rows, threads):
    from rnnbench.report.style import line_styles

    looks = line_styles(("torch", "onnxruntime", "jax", "torch-plain", "torch-compile"))
    figure, parts = _panels(rows)
    for ax, part, places in parts:
        for peer, look in looks.items():
            here = part["best"] == peer
            ends = part[here]
            spans = [ends["ratio"] - ends["ratio_low"], ends["ratio_high"] - ends["ratio"]]
            dots = {"color": look["color"], "marker": look["marker"], "linestyle": "", "capsize": 3}
            if here.any():
                ax.errorbar(ends["ratio"], places[here], xerr=spans, label=peer, **dots)
        ax.axvline(1, color="black", linewidth=1)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("speed over the fastest peer's")
        ax.legend(title="fastest peer", fontsize=9)
    return figure, (
        f"Our speed over that of the fastest peer, threads: {threads}, with the 95 % interval of the median over "
        "rounds. Right of the line we are faster. Cells and shapes T x B x I x H."
    )


def _at_roof(rows, threads):
    from rnnbench.report.charts import BESIDE
    from rnnbench.report.style import BLUE, VERMILION

    figure, parts = _panels(rows)
    for ax, part, places in parts:
        spans = [part["roof_fraction"] - part["roof_fraction_low"], part["roof_fraction_high"] - part["roof_fraction"]]
        ax.errorbar(part["roof_fraction"], places, xerr=spans, fmt="o", color=BLUE, capsize=3, label="rnnbench")
        ax.plot(part["best_roof"], places, "s", color=VERMILION, fillstyle="none", label="fastest peer")
        ax.axvline(1, color="black", linewidth=1)
        ax.set(xlabel="fraction of the roof", xlim=(0, None))
    ax.legend(fontsize=9, **BESIDE)
    return figure, (
        f"What part of the roof the matrix products reach, threads: {threads}. The roof is a loop of multiply-adds in "
        "registers on as many threads, timed in the same rounds."
    )


def _growth(rows):
    import matplotlib.pyplot as plt

    from rnnbench.report.style import GREY, line_styles

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), sharey=True)
    words = {"T": ("steps T", 1), "B": ("batch rows B", 1), "H": ("units H (= inputs I)", 2)}
    for ax, (axis, (label, power)) in zip(axes, words.items(), strict=True):
        part = rows[rows["axis"] == axis]
        for cell, look in line_styles(sorted(rows["cell"].unique())).items():
            for direction, dash in (("training", "-"), ("inference", ":")):
                line = part[(part["cell"] == cell) & (part["direction"] == direction)].sort_values("size")
                fit, line = line["exponent"].dropna(), line.dropna(subset="ms")
                told = f"{cell}, {direction}: {fit.iloc[-1]:.2f}" if len(fit) else None
                ax.plot(line["size"], line["ms"], dash, color=look["color"], marker=look["marker"], label=told)
        if len(part.dropna(subset="ms")):
            sizes = part["size"].min(), part["size"].max()
            start = part["ms"].min() / 2
            ax.plot(sizes, [start, start * (sizes[1] / sizes[0]) ** power], color=GREY, lw=1.2, label=f"power {power}")
            ax.legend(fontsize=8)
        ax.set(xscale="log", yscale="log", xlabel=label)
        sizes = sorted(part["size"].dropna().unique())
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
        ax.set_xticks([], minor=True)
    axes[0].set_ylabel("time of a call (ms)")
    return figure, (
        "Time of a call along T, B and H, one thread; the legend has the fitted exponents. Grey: as the operations do. "
        "Lower powers mean that larger sizes use the processor better."
    )

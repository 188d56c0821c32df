"""How fast is every cell that other libraries have not: beside a PyTorch loop, and beside a model of its time?

Method: as in the experiment throughput (float32, each engine in a process of its own, compared first, then timed in
turn with equal threads). The PyTorch loop is eager code made from the cell as a careful user would write it: products
with the input for all steps at once, one product per source and stage, gradients from autograd. The model is the time
of the cell's products at the rate of our LSTM of the same shape, threads and direction, plus its pointwise functions
alone in cache, plus its memory traffic at the rate of a copy; all of them are timed in the same rounds.
``docs/benchmarks.md`` says what each part holds. ``--set cell=leaky --set shape=50x8x64x64`` times one cell and a
shape of your own.

Sources: the limits in the claims are this project's own goals.
"""

import os

from rnnbench import cells
from rnnbench.peers import frames, tasks
from rnnbench.peers.model import LIMIT
from rnnbench.peers.spread import BUSY
from rnnbench.runner.claims import holds

TIMED = True
ONE = "100x32x128x128"
MORE = ("100x1x128x128", "100x4x128x128", "150x64x256x256", "25x64x512x512")
TWICE = ("gru", "leaky", "skip")  # in quick also on two threads: two stages, many pointwise functions, long products
LOOP, ENOUGH, ROOF = "torch-loop", 20, 0.75
GOAL = "this project's goal"


def sweep(preset, device):
    """All cells but those that torch.nn has; at one shape, in paper at more."""
    if device != "cpu":
        return []
    if preset == "smoke":
        few = ("leaky", *cells.added())
        return [_setting(cell, "20x8x16x32", peers=f"reference+{LOOP}", rounds=3) for cell in few]
    others = [name for name in cells.names() if name not in tasks.COMMON]
    if preset == "quick":
        found = [_setting(cell, ONE, rounds=10) for cell in others]
        return found + [_setting(cell, ONE, 2, rounds=10) for cell in TWICE if _processors() > 1]
    counts = (1, 2) if _processors() > 1 else (1,)
    peers = f"reference+{LOOP}"
    return [_setting(cell, shape, n, peers, 9) for n in counts for shape in (ONE, *MORE) for cell in others]


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _setting(cell, shape, threads=1, peers=LOOP, rounds=9):
    return {"cell": cell, "activation": None, "shape": shape, "threads": threads, "peers": peers, "rounds": rounds}


def run(setting, rng):
    """Rows of both directions: times, and the model's."""
    from rnnbench.peers import trial

    shape, peers = tasks.parse_shape(setting["shape"]), tasks.parse_peers(setting["peers"])
    cell, file = setting["cell"], tasks.file_of(setting["cell"])
    task = tasks.Task(cell, setting["activation"], shape, "inference", setting["threads"], "cpu", file)
    return trial.rows(task, peers, setting["rounds"], rng)


# ---- claims ----


def claims(df):
    """The goals for any other cell, held against the runs at the shape that all cells have."""
    made = []
    for threads in (1, 2):
        for direction in tasks.DIRECTIONS:
            words = f"{direction}, {threads} thread{'s' if threads > 1 else ''}"
            made.append(_modelled(f"model, {words}", _at(frames.rows(df, "model"), threads, direction)))
            made.append(_looped(f"PyTorch loop, {words}", _at(frames.rows(df, "time"), threads, direction)))
    times = frames.rows(df, "time")
    times = times[times["outcome"].isin(("ok", "mismatch")) & times["peer"].isin((LOOP, "reference"))]
    wrong = sorted(set(times.loc[times["outcome"] == "mismatch", "cell"]))
    note = f"{times['cell'].nunique()} cells. " + (f"Not: {', '.join(wrong)}." if wrong else "")
    same = holds(
        "same numbers", "The loop gave our outputs and gradients, to 1e-4 of an array's magnitude.", "derived",
        times["outcome"] == "ok", note=note,
    )  # fmt: skip
    return [*made, same]


def _at(rows, threads, direction):
    return rows[(rows["shape"] == ONE) & (rows["threads"] == threads) & (rows["direction"] == direction)]


def _modelled(name, rows):
    rows = rows[(rows["outcome"] == "ok") & (rows["verdict"] != BUSY)].drop_duplicates("cell", keep="last")
    cases = rows["over_model"] <= LIMIT
    lost = rows[~cases].sort_values("over_model", ascending=False)
    lost = [f"{row['cell']} {frames.span_words(row, 'over_model')}" for _, row in lost.iterrows()]
    note = f"From {rows['over_model'].min():.2f} to {rows['over_model'].max():.2f}, {len(rows)} cells. " * bool(
        len(rows)
    )
    return holds(
        name, f"The time is at most {LIMIT:g} times products at our LSTM's rate + pointwise functions + memory.", GOAL,
        cases, note=note + (f"Above: {', '.join(lost)}." if lost else ""),
    )  # fmt: skip


def _looped(name, rows):
    """Where a loop leaves no room for so many times its speed below the roof, a fraction of the roof counts."""
    loops = rows[(rows["peer"] == LOOP) & (rows["outcome"] == "ok") & (rows["verdict"] != BUSY)]
    loops = loops.drop_duplicates("cell", keep="last").set_index("cell")
    ours = rows[rows["peer"] == tasks.RNNBENCH].drop_duplicates("cell", keep="last").set_index("cell")
    at_roof = ours["roof_fraction"].reindex(loops.index)
    room = ENOUGH * loops["roof_fraction"] <= 1
    cases = (room & (loops["ratio"] >= ENOUGH)) | (~room & (at_roof >= ROOF))
    lost = [f"{cell} {loops['ratio'][cell]:.1f} times, {at_roof[cell]:.2f} of the roof" for cell in loops.index[~cases]]
    note = f"From {loops['ratio'].min():.1f} to {loops['ratio'].max():.1f} times as fast. " * bool(len(loops))
    return holds(
        name, f"{ENOUGH} times a PyTorch loop's speed where that is below the roof, else {ROOF:g} of the roof.", GOAL,
        cases, note=note + (f"Missed: {', '.join(lost)}." if lost else ""),
    )  # fmt: skip


# ---- tables and figures ----


def tables(df):
    """A line per cell, shape, threads and direction; the model's terms; who could not take part."""
    import pandas as pd

    times, models = frames.rows(df, "time"), frames.rows(df, "model")
    lines, terms = [], []
    key = ["cell", "shape", "threads", "direction"]
    for (*place, _), group in times.groupby([*key, "trial"]):
        by_peer = {row["peer"]: row for _, row in group.iterrows()}
        ours = by_peer[tasks.RNNBENCH]
        line = dict(zip(key, place, strict=True))
        line |= {"µs per step": ours["us_per_step"], "of roof": frames.span_words(ours, "roof_fraction")}
        beside = [name for name in by_peer if name not in (tasks.RNNBENCH, tasks.ROOF, tasks.PACKED)]
        lines.append(line | {f"over {name}": frames.ratio_words(by_peer[name]) for name in beside})
    for _, row in models[models["outcome"] == "ok"].sort_values(key).iterrows():
        parts = {name: row.get(f"{name}_us") for name in ("products", "weight_map", "pointwise", "memory", "model")}
        over = f"{frames.span_words(row, 'over_model')} {row['verdict']}"
        terms.append({name: row[name] for name in key} | {"ours": row["us_per_step"]} | parts | {"ours/model": over})
    told = pd.concat([times, models])
    told = told[told["outcome"] != "ok"].groupby(["cell", "peer", "direction", "outcome", "detail"], dropna=False)
    made = {
        "cells": (
            lines,
            "Our time per step, part of the roof, and speed over a PyTorch loop: every win and every loss.",
        ),
        "model": (
            terms,
            f"Microseconds per step, ours and the model's; the goal is at most {LIMIT:g}. within, beyond: the whole "
            "interval is below or above the goal; about: it reaches to both sides.",
        ),
        "left_out": (list(told.size().reset_index(name="rows").to_dict("records")), "Who took no part, and why."),
    }
    return {name: (pd.DataFrame(content), caption) for name, (content, caption) in made.items() if content}


def figures(df):
    """Our time over the model's, and our speed over the loop's."""
    drawn = {}
    models, times = frames.rows(df, "model"), frames.rows(df, "time")
    models, loops = models[models["shape"] == ONE], times[(times["shape"] == ONE) & (times["peer"] == LOOP)]
    for threads in sorted(set(models["threads"]) | set(loops["threads"])):
        for name, rows, column, words, goal in (
            ("model", models, "over_model", "our time over the model's", LIMIT),
            ("loop", loops, "ratio", "our speed over a PyTorch loop's", 1.0),
        ):
            part = rows[(rows["threads"] == threads) & rows[column].notna()]
            if len(part):
                caption = f"{words.capitalize()} at {ONE} (T x B x I x H), threads: {threads}, with 95 % intervals."
                drawn[f"{name}_{threads:g}"] = _dots(part, column, words, goal), f"{caption} Line: {goal:g}."
    return drawn


def _dots(rows, column, words, line):
    """A panel per direction, a dot per cell."""
    import matplotlib.pyplot as plt

    from rnnbench.report.style import BLUE

    names = sorted(set(rows["cell"]))[::-1]
    figure, axes = plt.subplots(1, 2, figsize=(11, 1.6 + 0.28 * len(names)), sharey=True)
    for ax, direction in zip(axes, tasks.DIRECTIONS, strict=True):
        part = rows[rows["direction"] == direction]
        spans = [part[column] - part[f"{column}_low"], part[f"{column}_high"] - part[column]]
        ax.errorbar(part[column], part["cell"].map(names.index), xerr=spans, fmt="o", color=BLUE, capsize=3)
        ax.axvline(line, color="black", linewidth=1)
        ax.set(title=direction, xlabel=words, xlim=(0, None), ylim=(-0.7, len(names) - 0.3))
    axes[0].set_yticks(range(len(names)), names, fontsize=10)
    return figure

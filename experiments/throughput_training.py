"""How fast are whole training steps beside PyTorch, and many seeds at once beside one after another?

Method: a step is a batch, forward, loss, back-propagation through time, clipping and the optimiser's update. Ours is
``training.Trainer``; PyTorch is eager ``torch.nn`` with the same initial weights, batches, loss, RMSProp and clipping
of the norm. The losses of the first twenty steps are compared first; what differs by more than 1e-4 gets no ratio. Then
both are timed in turn, five steps a call, in processes of their own with equal threads, as in the experiment
throughput. Replicas: 8 or 32 seeds in one call beside the same trainers one after another, to the same losses.
``--set workload=copy --set cells=lstm`` times one.

Batches: of the same steps, the part that goes by until the batch is there: drawn, sorted by length and put in place, on
one thread. Every task has its first variant, at the literature's size with each cell, or with the LSTM that the task's
own experiment trains in "quick", or with 32 units and 20 rows where there is no such experiment.

Sources: sizes are the literature's (adding and copying of unitary networks, character models of the courses, with 65
symbols); the limits in the claims are this project's own goals.
"""

import os

from rnnbench import cells
from rnnbench import tasks as all_tasks
from rnnbench.peers import frames, tasks
from rnnbench.peers.spread import BUSY
from rnnbench.peers.steps import PEERS, SEQUENTIAL, TORCH
from rnnbench.peers.workloads import PUBLISHED, SIDE_BY_SIDE, WORKLOADS
from rnnbench.runner.claims import holds

RNN, GRU, LSTM = "elman", "gru_reset_after", "lstm"
LOADS = PUBLISHED
GOALS = {RNN: 3.0, GRU: 3.0, LSTM: 1.5}
TOGETHER, THREADS = 3.0, 2
BATCH, MOST = 0.05, 3  # of a step, at most; how many are named
GOAL = "this project's goal"
TIMED = True


def sweep(preset, device):
    """Five workloads beside PyTorch, replicas, batches; on as many threads as the goals name, in paper on one too."""
    if device != "cpu" or preset not in ("smoke", "quick", "paper"):
        return []
    if preset == "smoke":
        tiny = [_setting("tiny", LSTM, 1, rounds=3), _setting("tiny-replicas", RNN, 1, SEQUENTIAL, 3)]
        return [*tiny, {"tasks": "lookahead", "cells": LSTM, "threads": 1, "rounds": 3}]
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most, every = min(THREADS, processors), "+".join(GOALS)
    rounds = 10 if preset == "quick" else 15
    found = []
    for threads in (most,) if preset == "quick" else sorted({1, most}):
        found += [_setting(load, every, threads, rounds=rounds) for load in LOADS]
        found += [_setting(load, every, threads, SEQUENTIAL, rounds) for load in SIDE_BY_SIDE]
        found.append({"tasks": "+".join(all_tasks.names()), "cells": every, "threads": threads, "rounds": rounds})
    return found


def _setting(workload, several, threads, peers=TORCH, rounds=9):
    return {"workload": workload, "cells": several, "threads": threads, "peers": peers, "rounds": rounds}


def run(setting, rng):
    """A row for us and one for the peer, of each cell; or a row for each task."""
    from rnnbench.peers import batches, steps

    allowed = {"workload": WORKLOADS, "peers": PEERS, "cells": cells.names(), "tasks": all_tasks.names()}
    found = {name: setting[name].split("+") for name in allowed if name in setting}
    for name, names in found.items():
        if unknown := [one for one in names if one not in allowed[name]]:
            raise ValueError(f"{name}: got {', '.join(unknown)}, expected of {', '.join(allowed[name])}")
    if "tasks" in setting:
        return batches.rows(found["tasks"], found["cells"], setting["threads"], setting["rounds"])
    return steps.rows(setting["workload"], found["cells"], setting["threads"], found["peers"], setting["rounds"])


def claims(df):
    """The goals, cell by cell; the same losses."""
    rows = _beside(df)
    for cell, goal in GOALS.items():
        here = rows[(rows["cell"] == cell) & (rows["peer"] == TORCH) & (rows["threads"] == THREADS)]
        here = here[here["workload"].isin(LOADS)]
        yield holds(
            f"training steps, {cell}", f"At the literature's sizes at least {goal:g} times PyTorch's steps per second.",
            GOAL, here["ratio"] >= goal, note=_told(here),
        )  # fmt: skip
    for load in SIDE_BY_SIDE:
        here = rows[(rows["workload"] == load) & (rows["peer"] == SEQUENTIAL) & (rows["threads"] == THREADS)]
        size = WORKLOADS[load]
        yield holds(
            load, f"{size.replicas} networks of {size.units} units, {size.rows} rows each, side by side train at least "
            f"{TOGETHER:g} times as fast as one by one.", GOAL, here["ratio"] >= TOGETHER, note=_told(here),
        )  # fmt: skip
    compared = frames.rows(df, "steps")
    compared = compared[compared["peer"].isin(PEERS) & compared["outcome"].isin(("ok", "mismatch"))]
    worst = f"Largest difference {compared['error'].max():.1g}." if compared["error"].notna().any() else ""
    yield holds(
        "same losses", "The losses of the first twenty steps are the peer's, to 1e-4 of the largest.", "derived",
        compared["outcome"] == "ok", note=worst,
    )  # fmt: skip

    here = _batches(df)
    here = here[(here["threads"] == THREADS) & (here["verdict"] != BUSY)]
    most = [_batch_words(row) for _, row in here.sort_values("part", ascending=False).head(MOST).iterrows()]
    yield holds(
        "batches", f"A batch takes at most {BATCH:.0%} of the training step that it is for, for every task.", GOAL,
        here["part"] <= BATCH, note=f"The most: {'; '.join(most)}." if most else "",
    )  # fmt: skip


def _batches(df):
    return frames.rows(df, "batch", numbers=("part", "part_low", "part_high"))


def _batch_words(row):
    return f"{row['workload']} {row['cell']} {100 * row['part']:.1f} %"


def _beside(df):
    """Peers that were timed while others left the processors alone."""
    rows = frames.rows(df, "steps")
    return rows[rows["peer"].isin(PEERS) & (rows["outcome"] == "ok") & (rows["verdict"] != BUSY)]


def _told(rows):
    words = [f"{row['workload']} {row['cell']}: {frames.span_words(row, 'ratio')}." for _, row in rows.iterrows()]
    return " ".join(words)


def tables(df):
    """Every workload and cell: milliseconds of a step, and the ratio."""
    import pandas as pd

    rows, lines = frames.rows(df, "steps"), []
    for (_, workload, cell, threads), group in rows.groupby(["trial", "workload", "cell", "threads"], sort=False):
        by_peer = {row["peer"]: row for _, row in group.iterrows()}
        ours = by_peer.pop(tasks.RNNBENCH)
        line = {"workload": workload, "sizes": str(WORKLOADS[workload]), "cell": cell, "threads": threads}
        line["ours (ms)"] = ours["ms"]
        for name, row in by_peer.items():
            line |= {"beside": name, "its (ms)": row["ms"], "ratio": frames.ratio_words(row)}
        lines.append(line)
    caption = (
        "Time of a training step (of all replicas), and the peer's over ours with its 95 % interval: every win and "
        "every loss. B rows, H units; T as the task counts its length."
    )
    told = rows[rows["outcome"] != "ok"].groupby(["cell", "workload", "peer", "outcome", "detail"], dropna=False)
    told = told.size().reset_index(name="rows")
    batches = _batches(df).sort_values("part", ascending=False)
    batches = pd.DataFrame(
        {
            "step": batches["workload"],
            "cell": batches["cell"],
            "threads": batches["threads"],
            "step (ms)": batches["ms"],
            "its batch (%)": [f"{100 * a:.1f} ({100 * b:.1f} to {100 * c:.1f})" for a, b, c in _spans(batches)],
        }
    )
    of_batches = "What part of a training step goes by until its batch is there, with its 95 % interval; most first."
    made = {
        "steps": (pd.DataFrame(lines), caption),
        "batches": (batches, of_batches),
        "left_out": (told, "Who could not take part, and why."),
    }
    return {name: (table, words) for name, (table, words) in made.items() if len(table)}


def _spans(batches):
    return batches[["part", "part_low", "part_high"]].to_numpy()


def figures(df):
    """Ratios per workload, a marker for each cell, and the goals."""
    rows = frames.rows(df, "steps")
    rows = rows[rows["ratio"].notna()]
    return {f"steps_{threads:g}": _ratios(part, threads) for threads, part in rows.groupby("threads")}


def _ratios(rows, threads):
    import matplotlib.pyplot as plt

    from rnnbench.report.style import line_styles

    names = [name for name in WORKLOADS if name in set(rows["workload"])][::-1]
    labels = [f"{name}\n{str(WORKLOADS[name]).partition(' ')[2]}" for name in names]
    figure, ax = plt.subplots(figsize=(9, 1.8 + 0.75 * len(names)))
    for number, (cell, look) in enumerate(line_styles(tuple(GOALS)).items()):
        part = rows[rows["cell"] == cell]
        places = part["workload"].map(names.index) + 0.22 * (1 - number)
        spans = [part["ratio"] - part["ratio_low"], part["ratio_high"] - part["ratio"]]
        dots = {"color": look["color"], "marker": look["marker"], "linestyle": "", "capsize": 3}
        if len(part):
            ax.errorbar(part["ratio"], places, xerr=spans, label=f"{cell} (goal {GOALS[cell]:g})", **dots)
    ax.axvline(1, color="black", linewidth=1)
    for goal in sorted({*GOALS.values()}):
        ax.axvline(goal, color="grey", linewidth=1, linestyle=":")
    ax.set_yticks(range(len(names)), labels, fontsize=10)
    ax.set(xscale="log", ylim=(-0.6, len(names) - 0.4), xlabel="the peer's time of a training step over ours")
    ticks = [1, 1.5, 2, 3, 4, 6, 8]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.legend(fontsize=10)
    beside = "PyTorch; of replicas, the same trainings one by one" if set(SIDE_BY_SIDE) & set(names) else "the peer"
    return figure, (
        f"Whole training steps beside {beside}: threads {threads:g}, 95 % intervals of the median over rounds. Right "
        "of the black line we are faster; the dotted lines are the goals; of replicas it is 3 for any cell."
    )

"""What do rows of several lengths cost: here, and in PyTorch's packed sequences?

Method: a batch of T = 1000 steps whose rows have lengths uniform in [1, T] (from the trial's seed), longest first.
Timed in turn: ours with ``lengths=``, ours at full length, and PyTorch's layer between ``pack_padded_sequence`` and
``pad_packed_sequence``. What goes in and comes out is the padded batch. PyTorch's outputs, final states and gradients
are compared with ours first. Its process runs with the allocator settings that are best for it. The rest is as in the
experiment throughput.

Sources: pytorch issue 149194 (packed sequences up to 96 times as slow as padded ones at T = 1000); the limits in the
claims are this project's own goals.
"""

import os

from rnnbench.peers import frames, tasks
from rnnbench.peers.spread import BUSY
from rnnbench.runner.claims import holds

TIMED = True
LONG = "1000x32x128x128"
PACKED, ENOUGH, LIMIT = "torch-packed", 10, 1.15
GOAL = "this project's goal"


def sweep(preset, device):
    """LSTM and GRU at T = 1000; in paper on two threads and the RNN too."""
    if device != "cpu":
        return []
    if preset == "smoke":
        return [_setting("lstm", "50x8x16x32", rounds=3)]
    if preset == "quick":
        return [_setting(cell, LONG, rounds=6) for cell in ("lstm", "gru_reset_after")]
    several = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1
    shapes = (LONG, "1000x8x64x64", "250x32x128x128")
    return [_setting(c, s, n) for n in ((1, 2) if several else (1,)) for s in shapes for c in tasks.COMMON]


def _setting(cell, shape, threads=1, peers=PACKED, rounds=9):
    return {"cell": cell, "activation": None, "shape": shape, "threads": threads, "peers": peers, "rounds": rounds}


def run(setting, rng):
    """Rows of both directions."""
    from rnnbench.peers import lengths

    shape, peers = tasks.parse_shape(setting["shape"]), tasks.parse_peers(setting["peers"])
    cell, file = setting["cell"], tasks.file_of(setting["cell"])
    task = tasks.Task(cell, setting["activation"], shape, "inference", setting["threads"], "cpu", file)
    return lengths.rows(task, peers, setting["rounds"], rng)


def claims(df):
    """Ten times PyTorch's packed path; cost in proportion to the sum of lengths."""
    rows = frames.rows(df, "lengths")
    rows = rows[(rows["shape"] == LONG) & (rows["verdict"] != BUSY)]
    packed = rows[(rows["peer"] == PACKED) & (rows["outcome"] == "ok")]
    ours = rows[rows["peer"] == tasks.RNNBENCH]
    yield holds(
        "packed sequences", f"At T = 1000 we are at least {ENOUGH} times as fast as PyTorch's packed sequences.", GOAL,
        packed["ratio"] >= ENOUGH, note=_told(packed, "ratio"),
    )  # fmt: skip
    yield holds(
        "sum of lengths",
        f"The time is at most {LIMIT:g} times that of full length times the part of all steps that is run.", GOAL,
        ours["over_sum"] <= LIMIT, note=_told(ours, "over_sum"),
    )  # fmt: skip
    compared = frames.rows(df, "lengths")
    compared = compared[(compared["peer"] == PACKED) & compared["outcome"].isin(("ok", "mismatch"))]
    yield holds(
        "same numbers", "PyTorch gave our outputs, states and gradients, to 1e-4 of an array's magnitude.", "derived",
        compared["outcome"] == "ok",
    )  # fmt: skip


def _told(rows, column):
    words = [
        f"{row['cell']}, {row['direction']}, threads {row['threads']:g}: {frames.span_words(row, column)}."
        for _, row in rows.iterrows()
    ]
    return " ".join(words)


def tables(df):
    """Ours, full length, packed sequences."""
    import pandas as pd

    rows, lines = frames.rows(df, "lengths"), []
    key = ["cell", "shape", "threads", "direction"]
    for (_, *place), group in rows.groupby(["trial", *key]):
        by_peer = {row["peer"]: row for _, row in group.iterrows()}
        ours = by_peer.pop(tasks.RNNBENCH)
        line = dict(zip(key, place, strict=True)) | {"part of all steps": ours["sum_fraction"], "ms": ours["ms"]}
        line["over full length x part"] = frames.span_words(ours, "over_sum")
        for name, row in by_peer.items():
            line |= {f"{name} (ms)": row["ms"], f"over {name}": frames.ratio_words(row)}
        lines.append(line)
    caption = "A call's time on rows of several lengths, and our speed over others: every win and every loss."
    told = rows[rows["outcome"] != "ok"].groupby(["cell", "peer", "direction", "outcome", "detail"], dropna=False)
    told = told.size().reset_index(name="rows")
    made = {"lengths": (pd.DataFrame(lines), caption), "left_out": (told, "Who could not take part, and why.")}
    return {name: (table, words) for name, (table, words) in made.items() if len(table)}


def figures(df):
    """None: the table has few lines."""
    return {}

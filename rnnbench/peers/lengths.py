"""Rows of several lengths: our time beside the same batch at full length, and beside PyTorch's packed sequences.

Lengths are uniform in [1, T] and come longest first, which spares PyTorch the sorting. Its time holds packing and
padding: what goes in and comes out is the padded batch on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnnbench.peers import agree, measure, own, quiet, spread
from rnnbench.peers.process import PeerError
from rnnbench.peers.tasks import DIRECTIONS, FAILED, MISMATCH, OK, OWN, PEERS, RNNBENCH, Task
from rnnbench.peers.trial import Refused, enter, numbers, session

FULL = "rnnbench, full length"


def rows(task: Task, peers: Sequence[str], rounds: int, rng: np.random.Generator, **timing) -> list[dict]:
    """Time a cell on rows of several lengths, in both directions, beside these peers; parameters as in `trial.rows`."""
    arrays = own.make_arrays(task, rng)
    lengths = np.sort(rng.integers(1, task.shape.T + 1, task.shape.B))[::-1].copy()
    with session(task.threads) as here:
        made = []
        for direction in DIRECTIONS:
            made += _direction(here, arrays, lengths, replace(task, direction=direction), peers, rounds, timing)
    return made


def _direction(here, arrays, lengths, task, names, rounds, timing):
    contestants, told, errors = {}, {}, {}
    wanted = {RNNBENCH: OWN, FULL: OWN._replace(variant="full")} | {name: PEERS[name] for name in names}
    for name, peer in wanted.items():
        given = here.store(arrays if name == FULL else arrays | {"lengths": lengths})
        try:
            contestants[name] = enter(here, given, task, name, peer)
        except Refused as refusal:
            told[name] = refusal.outcome, str(refusal)
    for name in (RNNBENCH, FULL):
        if name in told:
            raise PeerError(told[name][1])
    ours = here.results(contestants[RNNBENCH])
    needed = ("y", *(name for name in "hc" if name in ours), *(("dx", *own.trained(task)) if task.training else ()))
    for name in [name for name in contestants if name not in (RNNBENCH, FULL)]:
        try:
            errors[name], problem = agree.disagreement(ours, here.results(contestants[name]), needed)
        except PeerError as error:
            problem, told[name] = str(error), (FAILED, str(error))
        if problem:
            told.setdefault(name, (MISMATCH, problem))
            del contestants[name]
    watch = quiet.Watch(one.process.pid for one in contestants.values())
    measure.take_turns(list(contestants.values()), rounds, **timing)
    others = watch.others()
    for name in (RNNBENCH, FULL):  # what all others are told by
        if contestants[name].error:
            raise PeerError(contestants[name].error)
    for name, one in contestants.items():
        if one.error:
            told[name] = FAILED, one.error
    fraction = float(lengths.sum() / (task.shape.T * task.shape.B))
    made = []
    for name in wanted:
        outcome, detail = told.get(name, (OK, ""))
        row = {"kind": "lengths", "direction": task.direction, "peer": name, "outcome": outcome, "detail": detail}
        error = errors.get(name)
        row["error"] = error if error is not None and np.isfinite(error) else None
        row |= {"sum_fraction": round(fraction, 4), "others_cores": None if others is None else round(others, 2)}
        crowded = quiet.is_crowded(task.threads, others)
        made.append(row | (_times(name, contestants, fraction, crowded) if outcome == OK else {}))
    return made


def _times(name, contestants, fraction, crowded):
    """A contestant's time, and its ratio to ours; of ours, how it stands to full length and the sum of lengths."""
    seconds, ours = contestants[name].seconds, contestants[RNNBENCH].seconds
    time = spread.spread(seconds)
    made = numbers("ms", time, 1e3) | {"rounds_timed": time.count}
    if name == RNNBENCH:
        full = contestants[FULL].seconds
        cost = spread.spread(a / (fraction * b) for a, b in zip(ours, full, strict=False))
        return made | numbers("over_sum", cost) | {"verdict": spread.BUSY if crowded else ""}
    ratio = spread.ratios(ours, seconds)
    return made | numbers("ratio", ratio) | {"verdict": spread.verdict(ratio, crowded)}

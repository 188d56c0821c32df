"""Whole training steps beside a peer's: the losses of the first steps compared, then timed in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnbench.peers import agree, measure, quiet, spread
from rnnbench.peers.process import PeerError
from rnnbench.peers.tasks import FAILED, HERE, MISMATCH, OK, RNNBENCH, Peer, Shape, Task
from rnnbench.peers.trial import Refused, enter, numbers, session
from rnnbench.peers.workloads import CALL_STEPS, WORKLOADS

SEQUENTIAL = "one-by-one"
TORCH = "torch"
OWN = Peer(f"{HERE}.own_steps", "", ())
PEERS = {
    SEQUENTIAL: OWN._replace(variant="sequential"),
    TORCH: Peer(f"{HERE}.torch_steps", "", ("torch",)),
}


def rows(workload: str, cells: Sequence[str], threads: int, peers: Sequence[str], rounds: int, **timing) -> list[dict]:
    """Time the training of some cells on a workload.

    Parameters
    ----------
    workload : str
        Of `WORKLOADS`.
    cells : sequence of str
        One after another, in the same processes.
    threads : int
    peers : sequence of str
        Names of `PEERS`.
    rounds : int
    **timing
        `section` and `pause`, see `measure.take_turns`.
    """
    load = WORKLOADS[workload]
    with session(threads) as here:
        given, made = here.store({"workload": np.array(workload)}), []
        for cell in cells:
            task = Task(cell, None, Shape(load.length, load.rows, 0, load.units), "training", threads)
            made += _of_cell(here, given, task, peers, rounds, timing)
    return made


def _of_cell(here, given, task, peers, rounds, timing):
    contestants, told, errors = {}, {}, {}
    for name, peer in ({RNNBENCH: OWN} | {name: PEERS[name] for name in peers}).items():
        try:
            contestants[name] = enter(here, given, task, name, peer)
        except Refused as refusal:
            told[name] = refusal.outcome, str(refusal)
    if RNNBENCH in told:
        raise PeerError(told[RNNBENCH][1])
    ours = here.results(contestants[RNNBENCH])
    for name in [name for name in contestants if name != RNNBENCH]:
        try:
            errors[name], problem = agree.disagreement(ours, here.results(contestants[name]), ("loss",))
            problem = problem and (MISMATCH, problem)
        except PeerError as error:
            problem = FAILED, str(error)
        if problem:
            told[name] = problem
            del contestants[name]
    watch = quiet.Watch(one.process.pid for one in contestants.values())
    measure.take_turns(list(contestants.values()), rounds, **timing)
    others = watch.others()
    if contestants[RNNBENCH].error:
        raise PeerError(contestants[RNNBENCH].error)
    told |= {name: (FAILED, one.error) for name, one in contestants.items() if one.error}
    crowded, made = quiet.is_crowded(task.threads, others), []
    for name in (RNNBENCH, *peers):
        outcome, detail = told.get(name, (OK, ""))
        row = {"kind": "steps", "cell": task.cell, "peer": name, "outcome": outcome, "detail": detail}
        error = errors.get(name)
        row["error"] = error if error is not None and np.isfinite(error) else None
        row["others_cores"] = None if others is None else round(others, 2)
        made.append(row | (_times(name, contestants, crowded) if outcome == OK else {}))
    return made


def _times(name, contestants, crowded):
    """Milliseconds of a step (of all replicas), and of a peer the ratio to ours."""
    seconds, ours = contestants[name].seconds, contestants[RNNBENCH].seconds
    time = spread.spread(seconds)
    made = numbers("ms", time, 1e3 / CALL_STEPS) | {"rounds_timed": time.count}
    if name == RNNBENCH:
        return made
    ratio = spread.ratios(ours, seconds)
    return made | numbers("ratio", ratio) | {"verdict": spread.verdict(ratio, crowded)}

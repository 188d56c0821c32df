"""One cell of one shape beside its peers: prepared, compared, timed in turn, and told in rows."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rnnbench.peers import agree, measure, model, own, quiet, spread
from rnnbench.peers.process import PREPARE_SECONDS, PeerError, Process
from rnnbench.peers.tasks import (
    ABSENT,
    DIRECTIONS,
    FAILED,
    FROZEN,
    MISMATCH,
    OK,
    OWN,
    PACKED,
    PEERS,
    RNNBENCH,
    ROOF,
    UNSUPPORTED,
    NotSupported,
    Peer,
    Task,
    is_common,
    missing,
)

APART = ("reference", "full", "compile", "plain", "packed")


class Session:
    """The processes of a trial, and the files through which they get their arrays."""

    def __init__(self, stack: contextlib.ExitStack, threads: int):
        self.stack, self.threads = stack, threads
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rnnbench-")))
        self.processes: dict[tuple[str, str], Process] = {}

    def process(self, name: str, peer: Peer) -> Process:
        """The peer's process: the variants that `APART` names have one each, others share by module."""
        key = (peer.module, peer.variant if peer.variant in APART else "")
        if key not in self.processes or not self.processes[key].alive:
            self.processes[key] = self.stack.enter_context(Process(peer.module, self.threads, name, dict(peer.env)))
        return self.processes[key]

    def store(self, arrays: dict[str, np.ndarray]) -> str:
        """Write what every engine of a trial gets."""
        path = self.folder / "given.npz"
        np.savez(path, **arrays)
        return str(path)

    def results(self, one: measure.Contestant) -> dict[str, np.ndarray]:
        """What one call of a contestant gives."""
        path = self.folder / "made.npz"
        one.process.ask(do="results", job=one.job, path=str(path))
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}


@contextlib.contextmanager
def session(threads: int) -> Iterator[Session]:
    """The processes of a trial; none of them survives it."""
    with contextlib.ExitStack() as stack, measure.alone():
        yield Session(stack, threads)


def rows(task: Task, peers: Sequence[str], rounds: int, rng: np.random.Generator, **timing) -> list[dict]:
    """Time a cell in both directions beside these peers, and beside the model if it is none that peers have.

    Parameters
    ----------
    task : Task
        Its direction and variant are not looked at.
    peers : sequence of str
        Names of `PEERS`.
    rounds : int
    rng : numpy.random.Generator
        For weights and input.
    **timing
        `section` and `pause`, see `measure.take_turns`.
    """
    arrays = own.make_arrays(task, rng)
    with session(task.threads) as here:
        given = here.store(arrays)
        return [
            row for direction in DIRECTIONS for row in _direction(here, given, task, direction, peers, rounds, timing)
        ]


def _direction(here, given, task, direction, names, rounds, timing):
    task = replace(task, direction=direction)
    wanted = {RNNBENCH: OWN, ROOF: OWN._replace(variant="roof")}
    wanted |= {PACKED: FROZEN} if not task.training else {}
    wanted |= {name: PEERS[name] for name in names}
    modelled = not is_common(task.cell, task.activation)
    wanted |= model.PARTS if modelled else {}
    contestants, told = {}, {}
    for name, peer in wanted.items():
        try:
            contestants[name] = enter(here, given, task, name, peer)
        except Refused as refusal:
            told[name] = refusal.outcome, str(refusal)
    if RNNBENCH not in contestants:
        raise PeerError(told[RNNBENCH][1])
    ours = here.results(contestants[RNNBENCH])
    compared = [name for name in contestants if name not in (RNNBENCH, ROOF, *model.PARTS)]
    errors = keep_who_agrees(here, task, contestants, told, compared, ours, agree.TOLERANCE)
    watch = quiet.Watch(one.process.pid for one in contestants.values())
    measure.take_turns(list(contestants.values()), rounds, **timing)
    others = watch.others()
    if contestants[RNNBENCH].error:
        raise PeerError(contestants[RNNBENCH].error)
    for name, one in contestants.items():
        if one.error:
            told[name] = FAILED, one.error
    rows = [_row(task, name, contestants, told.get(name), errors.get(name), others) for name in wanted]
    if not modelled:
        return rows
    return [row for row in rows if row["peer"] not in model.PARTS] + [model.row(task, contestants, told, others)]


def keep_who_agrees(
    here: Session, task: Task, contestants: dict, told: dict, compared: Sequence[str], expected: dict, tolerance: float
) -> dict[str, float]:
    """Hold contestants against what is expected; who is too far off, or fails, takes no further part.

    Returns
    -------
    dict
        The error of each that gave results. `contestants` loses, and `told` gains, who takes no further part.
    """
    needed, errors = ("y", "dx", *own.trained(task)) if task.training else ("y",), {}
    for name in compared:
        try:
            errors[name], problem = agree.disagreement(expected, here.results(contestants[name]), needed, tolerance)
        except PeerError as error:
            told[name] = FAILED, str(error)
        else:
            if problem is None:
                continue
            told[name] = MISMATCH, problem
        del contestants[name]
    return errors


class Refused(Exception):
    """A peer that can't take part: the outcome, and the sentence."""

    def __init__(self, outcome: str, sentence: str):
        super().__init__(sentence)
        self.outcome = outcome


def enter(here: Session, given: str, task: Task, name: str, peer: Peer) -> measure.Contestant:
    """Have a peer prepare a task; `given` is the file with its arrays.

    Raises
    ------
    Refused
        It is not installed, has no such thing, or failed.
    """
    absent = missing(peer.needs)
    if absent:
        raise Refused(ABSENT, absent)
    job = f"{name} {task.direction}"
    process = here.process(name if peer.needs else RNNBENCH, peer)
    try:
        process.ask(
            PREPARE_SECONDS, do="prepare", job=job, task=replace(task, variant=peer.variant).as_json(), arrays=given
        )
    except NotSupported as reason:
        raise Refused(UNSUPPORTED, str(reason)) from None
    except PeerError as error:
        raise Refused(FAILED, str(error)) from None
    return measure.Contestant(name, process, job)


def _row(task, name, contestants, refusal, error, others):
    outcome, detail = refusal or (OK, "")
    row = {"kind": "time", "direction": task.direction, "peer": name, "outcome": outcome, "detail": detail}
    row["error"] = error if error is not None and np.isfinite(error) else None
    row["others_cores"] = None if others is None else round(others, 2)
    one, ours, roof = contestants.get(name), contestants[RNNBENCH].seconds, contestants[ROOF].seconds
    if outcome != OK or not one.seconds:
        return row
    if name == ROOF:
        rate = spread.spread(roof_flops(task.threads) / s for s in one.seconds)
        return row | numbers("gflops", rate, 1e-9) | {"rounds_timed": rate.count, "cores": _middle(one.cores)}
    flops, steps = own.flops(task), task.shape.T
    at_roof = spread.spread(
        (flops / s) / (roof_flops(task.threads) / r) for s, r in zip(one.seconds, roof, strict=False)
    )
    time, ratio = spread.spread(one.seconds), spread.ratios(ours, one.seconds)
    row |= numbers("us_per_step", time, 1e6 / steps) | {"gflops": round(1e-9 * flops / time.median, 3)}
    row |= numbers("roof_fraction", at_roof) | {"rounds_timed": time.count, "cores": _middle(one.cores)}
    if name != RNNBENCH:
        row |= numbers("ratio", ratio) | {"verdict": spread.verdict(ratio, quiet.is_crowded(task.threads, others))}
    return row


def roof_flops(threads: int) -> float:
    """Operations of one call of the roof's job."""
    from rnnbench.peers import roof

    return threads * own.ROOF_LOOPS * roof.flops_per_loop()


def numbers(name: str, value: spread.Spread, scale: float = 1.0) -> dict[str, float]:
    """A median with the ends of its interval, as columns."""
    triple = zip(("", "_low", "_high"), value[:3], strict=True)
    return {name + end: float(f"{scale * number:.5g}") for end, number in triple}


def _middle(values):
    return round(float(np.median(values)), 2)

"""How cost grows with steps, batch rows and units: sizes timed in turn, and the power that fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnnbench.peers import measure, own, spread
from rnnbench.peers.process import PREPARE_SECONDS
from rnnbench.peers.tasks import DIRECTIONS, FAILED, OK, OWN, RNNBENCH, Shape, Task
from rnnbench.peers.trial import session

FACTORS = (0.25, 0.5, 1, 2, 4)
AXES = ("T", "B", "H")


def shapes(base: Shape, axis: str) -> list[Shape]:
    """Shapes along an axis, around the base; I follows H."""
    sizes = sorted({max(1, round(getattr(base, axis) * factor)) for factor in FACTORS})
    return [base._replace(H=size, I=size) if axis == "H" else base._replace(**{axis: size}) for size in sizes]


def rows(task: Task, axis: str, rounds: int, rng: np.random.Generator, **timing) -> list[dict]:
    """Time a cell along an axis, in both directions: a row per size, and one with the exponent.

    Raises
    ------
    ValueError
        For an axis that is none.
    """
    if axis not in AXES:
        raise ValueError(f"axis: got {axis!r}, expected one of {', '.join(AXES)}")
    made = []
    with session(task.threads) as here:
        process = here.process(RNNBENCH, OWN)
        for direction in DIRECTIONS:
            tasks = [replace(task, shape=s, direction=direction, variant="cpu") for s in shapes(task.shape, axis)]
            contestants = []
            for one in tasks:
                given, job = here.store(own.make_arrays(one, rng)), f"{direction} {one.shape}"
                process.ask(PREPARE_SECONDS, do="prepare", job=job, task=one.as_json(), arrays=given)
                contestants.append(measure.Contestant(job, process, job))
            measure.take_turns(contestants, rounds, **timing)
            made += _told(tasks, contestants, axis, direction)
    return made


def _told(tasks, contestants, axis, direction):
    sizes = [getattr(task.shape, axis) for task in tasks]
    common = {"kind": "growth", "direction": direction, "peer": RNNBENCH, "outcome": OK}
    made = []
    for task, size, one in zip(tasks, sizes, contestants, strict=True):
        if one.error:
            made.append(common | {"size": size, "outcome": FAILED, "detail": one.error})
            continue
        time = spread.spread(one.seconds)
        made.append(
            common
            | {"size": size, "ms": time.median * 1e3, "ms_low": time.low * 1e3, "ms_high": time.high * 1e3}
            | {"gflops": 1e-9 * own.flops(task) / time.median, "rounds_timed": time.count}
        )
    if len(sizes) > 1 and not any(one.error for one in contestants):
        rounds = list(zip(*(one.seconds for one in contestants), strict=False))
        power = spread.exponent(sizes, rounds)
        made.append(
            common
            | {
                "exponent": power.median,
                "exponent_low": power.low,
                "exponent_high": power.high,
                "rounds_timed": power.count,
            }
        )
    return made

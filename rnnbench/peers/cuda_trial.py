"""One cell, shape and precision on a GPU: both drivers and PyTorch held against float64, timed in turn, and a floor.

Every time is that of a whole call, from Python's side, until the GPU has ended. Ratios are to the driver that "auto"
would take: the persistent one where it fits, else the portable one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnnbench.peers import cuda_floor, measure, own, spread
from rnnbench.peers.cuda_engines import BARRIER, DRIVERS, OWN_PRODUCTS, PARTS, READ, TOLERANCE, TORCH_PRODUCTS, engines
from rnnbench.peers.tasks import DIRECTIONS, FAILED, OK, Task
from rnnbench.peers.trial import Refused, enter, keep_who_agrees, numbers, session

FLOOR = "floor"
SECTION = 0.1  # seconds of a contestant in a round: a GPU takes some to reach its clock


def rows(task: Task, precision: str, peers: str, rounds: int, rng: np.random.Generator, **timing) -> list[dict]:
    """Time a cell in both directions.

    Parameters
    ----------
    task : Task
        Its direction and variant are not looked at.
    precision : str
        One of :data:`rnnbench.peers.cuda_engines.PRECISIONS`.
    peers : str
        "torch" or "none".
    rounds : int
    rng : numpy.random.Generator
        For weights and input.
    **timing
        `section` and `pause`, see `measure.take_turns`.

    Returns
    -------
    list of dict
        For each direction a row per engine, and the floor's.
    """
    wanted = engines(precision, peers)
    arrays = own.make_arrays(task, rng)
    made = []
    with session(task.threads) as here:
        given, expected = here.store(arrays), None
        for direction in DIRECTIONS:
            of = replace(task, direction=direction)
            contestants, told = _entered(here, given, of, wanted)
            errors = {}
            if any(name not in PARTS for name in contestants):
                expected = expected or reference(task, arrays)
                compared = [name for name in contestants if name not in PARTS]
                errors = keep_who_agrees(here, of, contestants, told, compared, expected, TOLERANCE[precision])
            measure.take_turns(list(contestants.values()), rounds, **{"section": SECTION} | timing)
            told |= {name: (FAILED, one.error) for name, one in contestants.items() if one.error}
            seconds = {name: one.seconds for name, one in contestants.items() if not one.error and one.seconds}
            floors, row = _floors(here, of, precision, contestants, told, seconds)
            for name in (name for name in wanted if name not in PARTS):
                made.append(_row(of, name, told.get(name), errors.get(name), seconds, floors))
            made.append(row)
    return made


def reference(task: Task, arrays: dict) -> dict[str, np.ndarray]:
    """Outputs, states and gradients of the reference driver in float64."""
    layer = own.make_layer(task, device="reference", dtype="float64")
    for name, value in layer.params.items():
        value[...] = arrays[name]
    y, state = layer.forward(arrays["x"].astype(np.float64))
    dx, _ = layer.backward(arrays["dy"].astype(np.float64))
    return {"y": y, "dx": dx} | {name: v for name, v in state.items() if name not in layer.grads} | layer.grads


def _entered(here, given, task, wanted):
    """Who takes part; of the others, why not."""
    contestants, told = {}, {}
    for name, peer in wanted.items():
        try:
            contestants[name] = enter(here, given, task, name, peer)
        except Refused as refusal:
            told[name] = refusal.outcome, str(refusal)
    return contestants, told


def _floors(here, task, precision, contestants, told, seconds):
    """The floor of a step, round by round, and its row."""
    row = {"kind": FLOOR, "direction": task.direction, "peer": FLOOR, "outcome": OK, "detail": ""}
    products = [name for name in (OWN_PRODUCTS, TORCH_PRODUCTS) if name in seconds]
    if not products or READ not in seconds or BARRIER not in seconds:
        first = next(told[name] for name in PARTS if name in told)
        return [], row | {"outcome": first[0], "detail": first[1]}
    facts = {name: here.results(contestants[name]) for name in (READ, BARRIER, *products)}
    sizes = (int(facts[READ][name]) for name in ("multiprocessors", "shared"))
    work = cuda_floor.work(own.make_layer(task).layout, task.shape, task.training, precision, *sizes)
    rates = [
        cuda_floor.Rates(
            max(facts[name]["flops"] / time for name, time in zip(products, times, strict=True)),
            facts[READ]["bytes"] / reading,
            waiting / facts[BARRIER]["waits"],
        )
        for reading, waiting, *times in zip(
            seconds[READ], seconds[BARRIER], *(seconds[name] for name in products), strict=False
        )
    ]
    floors = [cuda_floor.floor(work, rate) for rate in rates]
    for name in cuda_floor.Floor._fields:
        row |= numbers(f"{name}_us", spread.spread(getattr(one, name) for one in floors), 1e6)
    for name in cuda_floor.Rates._fields:
        row[f"{name}_rate"] = float(f"{np.median([getattr(rate, name) for rate in rates]):.5g}")
    for name in products:
        rate = np.median(facts[name]["flops"] / np.array(seconds[name]))
        row[{OWN_PRODUCTS: "own_products_rate", TORCH_PRODUCTS: "cublas_products_rate"}[name]] = float(f"{rate:.5g}")
    return [one.floor for one in floors], row | {"waits": work.barriers, "rounds_timed": len(floors)}


def _row(task, name, refusal, error, seconds, floors):
    outcome, detail = refusal or (OK, "")
    row = {"kind": "time", "direction": task.direction, "peer": name, "outcome": outcome, "detail": detail}
    row["error"] = error if error is not None and np.isfinite(error) else None
    if outcome != OK or name not in seconds:
        return row if outcome != OK else row | {"outcome": FAILED, "detail": "nothing was timed"}
    mine, steps = seconds[name], task.shape.T
    time = spread.spread(mine)
    row |= numbers("us_per_step", time, 1e6 / steps) | {"rounds_timed": time.count}
    if floors:
        row |= numbers("over_floor", spread.spread(s / (steps * f) for s, f in zip(mine, floors, strict=False)))
    ours = next((driver for driver in DRIVERS if driver in seconds), None)
    if ours not in (None, name):
        ratio = spread.ratios(seconds[ours], mine)
        row |= numbers("ratio", ratio) | {"verdict": spread.verdict(ratio), "ours": ours}
    return row

"""What part of a training step its batch takes: every task, at the literature's sizes or those of the experiments."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import numpy as np

from rnnbench.kernels import threads as threading
from rnnbench.peers import measure, quiet, spread
from rnnbench.peers.tasks import OK
from rnnbench.peers.trial import numbers
from rnnbench.peers.workloads import PUBLISHED, WORKLOADS, Workload, make_task, trainer_of

LSTM = "lstm"
SECTION = 0.03  # seconds of a round, at least; before the first one as long again, which does not count
ROWS, UNITS = 20, 32  # where neither a paper nor an experiment says anything
# T, B and H of an LSTM about as small as those that the experiments train in their preset "quick". Chosen by hand: this
# package may not import experiments, each of which finds its sizes in its own way, and committed times are of these.
TRAINED = {
    "anbn": (10, 20, 8),
    "anbncn": (10, 20, 7),
    "continual_reber": (100, 10, 5),
    "copy_vectors": (10, 16, 32),
    "embedded_reber": (1, 10, 5),
    "learning_to_execute": (2, 32, 64),
    "lookahead": (20, 20, 20),
    "memorization": (10, 20, 48),
    "multiplication": (50, 20, 21),
    "reber": (1, 10, 5),
    "temporal_order": (100, 20, 12),
    "timing": (10, 10, 5),
    "transduction": (1, 32, 64),
    "two_sequence": (100, 10, 4),
}


def loads(task: str) -> list[Workload]:
    """Return the workloads of a task: the literature's if there are any, else one."""
    published = [WORKLOADS[name] for name in PUBLISHED if WORKLOADS[name].task == task]
    if published:
        return published
    made = make_task(task)
    length, *sizes = TRAINED.get(task, (made.length, ROWS, UNITS))
    scored = made.batch(np.random.default_rng(0), 2, length).mask.sum(axis=0)
    return [Workload(task, length, *sizes, "last" if (scored == 1).all() else "every")]


def rows(names: Sequence[str], cells: Sequence[str], threads: int, rounds: int) -> list[dict]:
    """Time training steps and, within them, the wait for the batch.

    Parameters
    ----------
    names : sequence of str
        Tasks, each in its first variant.
    cells : sequence of str
        For the literature's workloads; the others are an LSTM's.
    threads : int
        Of the kernels; batches are drawn on one.
    rounds : int
    """
    with measure.alone(), _on(threads):
        return [
            _row(load, cell, threads, rounds)
            for name in names
            for load in loads(name)
            for cell in (cells if load in WORKLOADS.values() else (LSTM,))
        ]


def _row(load, cell, threads, rounds):
    one = trainer_of(load, cell)
    watch = quiet.Watch(())
    steps, batches = _times(one, rounds)
    others = watch.others()
    part = spread.ratios(steps, batches)
    row = {"kind": "batch", "workload": str(load), "cell": cell, "outcome": OK, "rounds_timed": part.count}
    row |= {"others_cores": None if others is None else round(others, 2)}
    row |= {"verdict": spread.BUSY if quiet.is_crowded(threads, others) else ""}
    return row | numbers("ms", spread.spread(steps), 1e3) | numbers("part", part)


def _times(one, rounds):
    """Seconds of a step and of its batch, round by round; a round has all steps whose batches are drawn together."""
    draw, drawing = one.feed.next, 0.0

    def timed(reached=None):
        nonlocal drawing
        start = time.perf_counter()
        batch = draw(reached)
        drawing += time.perf_counter() - start
        return batch

    one.feed.next = timed
    one.run(one.feed.together)  # compiles
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() < begun + SECTION:
        one.run(one.feed.together)
        steps += one.feed.together
    made = []
    for _ in range(rounds):
        drawing, start = 0.0, time.perf_counter()
        one.run(steps)
        made.append(((time.perf_counter() - start) / steps, drawing / steps))
    return zip(*made, strict=True)


@contextlib.contextmanager
def _on(count) -> Iterator[None]:
    """Inside, kernels have so many threads."""
    before = threading.get_num_threads()
    threading.set_num_threads(count)
    try:
        yield
    finally:
        threading.set_num_threads(before)

"""How well a network does a task: success and loss on fresh sequences."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer
from rnnbench.tasks import Task
from rnnbench.training import blas
from rnnbench.training.feed import Fed, joined, longest_first
from rnnbench.training.losses import loss as loss_of

ROWS = 500  # that run at once


@dataclass(frozen=True)
class Score:
    """Figures of each replica, (R,) arrays.

    Attributes
    ----------
    success : part of the sequences that the task's criterion takes for right
    loss : mean over the scored positions, comparable with ``task.chance(length).loss``
    """

    success: np.ndarray
    loss: np.ndarray


def evaluate(network, task: Task, *, size=1000, length=None, seed=0, rows=ROWS) -> Score:
    """Run a network on fresh sequences, without dropout.

    Parameters
    ----------
    network : Layer
    task : Task
    size : int
        Sequences.
    length : int, optional
        As the task counts it; its own unless given.
    seed : int or numpy.random.Generator, or a list of these for replicas
        A single one gives all replicas the same sequences.
    rows : int
        Sequences that run at once.

    Raises
    ------
    ValueError, TypeError
        Where network and task do not go together.
    """
    check_task(network, task)
    rngs, own = arguments.generators(seed)
    if own is None and network.copies > 1:
        rngs = [copy.deepcopy(rngs[0]) for _ in range(network.copies)]
    if len(rngs) != network.copies:
        raise ValueError(f"seed: got {len(rngs)} seeds, expected one for each of {network.copies} replicas")
    right, total, scored = np.zeros((3, network.copies))
    size = arguments.integer("size", size, 1)
    with blas.one_thread():
        for correct, lost, count in trials(network, task, rngs, size, length, rows):
            right += correct.sum(axis=1)
            total += lost
            scored += count
    return Score(right / size, total / np.maximum(scored, 1))


def trials(network, task, rngs, size, length=None, rows=ROWS) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, batch by batch: (R, rows) bools that say what is right, summed losses (R,), and scored positions (R,)."""
    rows = arguments.integer("rows", rows, 1)
    for start in range(0, size, rows):
        drawn = [longest_first(task.batch(rng, min(rows, size - start), length)) for rng in rngs]
        fed = Fed(*(None if a is None else a[0] for a in joined(drawn, 1, network.dtype)))
        check_fit(network, fed)
        with np.errstate(all="ignore"):  # a network that has diverged is wrong, no more
            y, _ = run(network, fed, tape=False)
        target, mask = fed.scored(at_end=y.ndim < 4)
        count = np.count_nonzero(mask, axis=tuple(range(1, mask.ndim)))
        value, _ = loss_of(task.loss, y, target, mask, mean="positions", replicas=True)
        right = [task.correct(_all_steps(one, batch), batch) for one, batch in zip(y, drawn, strict=True)]
        yield np.stack(right), value * count, count


def run(network, fed: Fed, state=None, tape=None):
    """Forward, on arrays that have the replica axis in any case."""
    y, state = network.forward(network.bare(fed.x), state, lengths=fed.lengths, tape=tape)
    return network.led(y), state


def check_task(network, task) -> None:
    """Refuse a network that does not take what the task gives, or gives what the task does not take."""
    if not isinstance(network, Layer):
        raise TypeError(f"network: got {type(network).__name__}, expected a layer or network")
    if not isinstance(task, Task):
        raise TypeError(f"task: got {task!r}, expected what rnnbench.tasks.get returns")
    if task.symbols != network.takes_symbols:
        gives, takes = (("symbols" if one else "numbers") for one in (task.symbols, network.takes_symbols))
        raise ValueError(f"network: it takes {takes}, but task {task.name!r} gives {gives}")
    for what, own in (("inputs", "input_size"), ("outputs", "output_size")):
        width = getattr(network, own, None)
        if width is not None and width != getattr(task, what):
            raise ValueError(f"network: got {own} {width}, expected {getattr(task, what)}, the {what} of {task.name!r}")


def check_fit(network, fed: Fed) -> None:
    """Refuse replicas whose rows differ in length if what follows a row's end matters to the network."""
    if not fed.uneven or getattr(network, "_causal", False):
        return
    after = np.arange(fed.x.shape[1])[:, None] >= fed.own[:, None]
    other = np.array(fed.x)
    other[after] = 1 - other[after]  # for symbols too: padding is 0
    y, changed = (run(network, fed._replace(x=x), tape=False)[0] for x in (fed.x, other))
    if y.ndim < 4 or not np.array_equal(y[fed.mask], changed[fed.mask], equal_nan=True):
        raise ValueError(
            "replicas: their rows differ in length, and the network's outputs depend on where a row ends; "
            "expected a network that reads from left to right and answers at every step, or one replica at a time"
        )
    network._causal = not np.array_equal(y, changed, equal_nan=True)  # where x does not matter yet, nothing is shown


def _all_steps(y, batch):
    """The outputs of one replica as the task wants them: at every step, in double precision."""
    if y.ndim == 3:
        return y[: len(batch.mask)].astype(np.float64)
    out = np.zeros((*batch.mask.shape, y.shape[-1]))
    out[-1 if batch.lengths is None else batch.lengths - 1, np.arange(len(y))] = y
    return out

"""A training run as rows of a result: the curve, how it ended, and how well it does at each length.

======== ==============================================================================================================
kind     columns, beside ``replica``
======== ==============================================================================================================
curve    step, loss: the mean over the steps since the row before, comparable with the naive predictor's
look     step, success: part of fresh sequences that were right, where the run looks for it
end      outcome ("training": the steps were used up; "solved", "diverged"), stopped: the steps it took, loss and
         success on fresh sequences of each test_length; parameters: how many are trained
naive    test_length, loss, success of the naive predictor, least_loss of the best there can be where that is known; no
         replica
======== ==============================================================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from rnnbench.layers import Network, arguments
from rnnbench.runner import scratch
from rnnbench.runner.record import short
from rnnbench.tasks import Task
from rnnbench.training import Trainer, evaluate, optimisers
from rnnbench.training.history import History

SAVE_AFTER = 60.0  # seconds between two checkpoints
DIGITS = 5


def network_for(task: Task, cell: str, hidden: int, *, init=None, **options) -> Callable:
    """Return a function ``seed -> Network`` for a task: one-hot symbols or numbers in, the task's outputs out.

    Parameters
    ----------
    task : Task
    cell : str
    hidden : int
    init, **options
        As for :meth:`rnnbench.layers.Network.build`; None leaves what it has.
    """
    given = {"embedding": "one_hot"} if task.symbols else {}
    given |= {} if init is None else {"init": init}
    given |= {name: value for name, value in options.items() if value is not None}
    return lambda seed: Network.build(cell, task.inputs, task.outputs, hidden, seed=seed, **given)


def optimiser_of(name: str, rate, **options):
    """Return the optimiser of this name (as in :mod:`rnnbench.training.optimisers`, in any case) and rate."""
    return optimisers.get(name.lower(), rate=rate, **options)


def learn(
    build: Callable, task: Task, rng: np.random.Generator, *, seeds: int, steps: int, rate: float, optimiser="adam",
    optimiser_options=None, lengths: Sequence[int] = (), test=1000, points=20, also: Callable | None = None,
    judged: Task | None = None, **settings,
) -> list[dict]:  # fmt: skip
    """Train replicas side by side, each from seeds of its own, and tell what happened.

    Parameters
    ----------
    build : function of a list of seeds to a Layer
        :func:`network_for` makes one.
    task : Task
    rng : numpy.random.Generator
        The trial's.
    seeds : int
        Replicas.
    steps : int
        Updates.
    rate : float
        Learning rate.
    optimiser : str
    optimiser_options : dict, optional
        Its other settings.
    lengths : sequence of int
        At which it is tested at the end; that of the training unless given.
    test : int
        Fresh sequences for each length.
    points : int
        Of the curve.
    also : function of the Trainer and a generator per replica to a list of rows, optional
        What else there is to tell once it has trained, in kinds of rows of the experiment's own.
    judged : Task, optional
        That it is tested on, where this is not the one that it is trained on.
    **settings
        Of :class:`rnnbench.training.Trainer`: batch_size, length, clip, schedule, mean, window, curriculum, stopping.

    Returns
    -------
    list of dict
        See the module's docstring.
    """
    steps = arguments.integer("steps", steps, 0)
    streams = [stream.spawn(4) for stream in rng.bit_generator.seed_seq.spawn(seeds)]
    first, data, tests, asked = ([np.random.default_rng(stream[i]) for stream in streams] for i in range(4))
    network = build(first)
    made = optimiser_of(optimiser, rate, **(optimiser_options or {}))
    trainer = Trainer(network, task, optimiser=made, seed=data, **settings)
    _run(trainer, steps)
    history, size = trainer.history, trainer.flat.values.shape[1]
    rows = curve(history, points) + _looks(history)
    judged = task if judged is None else judged
    for length in lengths or (trainer.length,):
        score = evaluate(network, judged, size=test, length=length, seed=tests)
        for r in range(seeds):
            end = {"outcome": history.outcomes[r], "stopped": int(history.ended[r]) or history.steps}
            end |= {"test_length": length, "loss": float(score.loss[r]), "success": float(score.success[r])}
            rows.append({"kind": "end", "replica": r} | end | {"parameters": size})
        rows.append(naive(judged, length))
    if also is not None:
        rows += also(trainer, asked)
    return [short(row, DIGITS) for row in rows]


def naive(task: Task, length: int) -> dict:
    """Return the row of the naive predictor."""
    chance = task.chance(length)
    row = {"kind": "naive", "test_length": length, "loss": float(chance.loss), "success": float(chance.success)}
    return row if task.least_loss is None else row | {"least_loss": float(task.least_loss(length))}


def _run(trainer, steps):
    """Train, and now and then keep a checkpoint, from which an interrupted trial goes on."""
    path = scratch.checkpoint()
    if path is not None and path.exists():
        trainer.load(path)
    saved = time.monotonic()

    def keep(event):
        nonlocal saved
        if path is not None and time.monotonic() - saved > SAVE_AFTER:
            trainer.save(path)
            saved = time.monotonic()

    trainer.run(max(0, steps - trainer.history.steps), keep)


def curve(history: History, points: int = 20) -> list[dict]:
    """Return the rows of the kind "curve"."""
    edges = np.unique(np.linspace(0, history.steps, min(points, history.steps) + 1).astype(int))
    rows = []
    for r in range(history.loss.shape[1]):
        for start, stop in pairwise(edges):
            part = history.loss[start:stop, r]
            part = part[np.isfinite(part)]
            if len(part):
                rows.append({"kind": "curve", "replica": r, "step": int(stop), "loss": float(part.mean())})
    return rows


def _looks(history):
    return [
        {"kind": "look", "replica": r, "step": int(step), "success": float(success[r])}
        for step, success in zip(history.looks, history.success, strict=True)
        for r in range(len(success))
        if np.isfinite(success[r])
    ]

"""The loop: data, forward, loss, back-propagation through time, clipping, update; step after step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from numbers import Real

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer
from rnnbench.tasks import Task
from rnnbench.training import blas, clipping, optimisers
from rnnbench.training.curricula import Curriculum
from rnnbench.training.evaluation import check_fit, check_task, run
from rnnbench.training.feed import Feed
from rnnbench.training.flat import Flat
from rnnbench.training.history import DIVERGED, SOLVED, Event, History
from rnnbench.training.losses import MEANS
from rnnbench.training.losses import loss as loss_of
from rnnbench.training.regularisers import Omega
from rnnbench.training.scaling import LossScale
from rnnbench.training.schedules import Constant
from rnnbench.training.stopping import Stopping

DATA, LOOKS = 0, 1  # streams of random numbers of a replica


class Trainer:
    """Trains a network on a task; all replicas of the network side by side, each with the bits it would have alone.

    Parameters
    ----------
    network : Layer
        Its parameters become views of one buffer, see :class:`rnnbench.training.flat.Flat`.
    task : Task
    optimiser : Optimiser, optional
        Adam unless given. The trainer has a copy of its own.
    batch_size : int
    length : int, optional
        Of the sequences, as the task counts it; its own unless given.
    seed : int or numpy.random.Generator, or for replicas a list of these
        For the data; its stream differs from that of a network made with the same seed.
    clip : Clip, optional
    schedule : function of the step (from 0) to a factor of the learning rate, optional
        One of :mod:`rnnbench.training.schedules`.
    mean : "batch" or "positions"
        What is minimised: the sum over time and mean over the batch, or the mean over the scored positions.
    truncate : int, optional
        Cut the gradient's paths through time between chunks of so many steps; one update per batch.
    window : int, optional
        Truncated back-propagation with carried state: an update after every so many steps of a batch, the state (not
        its gradient) going on into the next window; not with a layer that reads backwards.
    curriculum : Curriculum, optional
    stopping : Stopping, optional
    loss_scale : LossScale, optional
        For products in half precision, see :mod:`rnnbench.training.scaling`. The trainer has a copy of its own. Not
        with :class:`rnnbench.training.regularisers.Omega`, which adds its gradient unscaled.

    Attributes
    ----------
    history : History
    level : (R,) int array
        Reached in the curriculum, from 0.

    Raises
    ------
    ValueError, TypeError
        For settings that are none, and where task, network and optimiser do not go together.

    Notes
    -----
    A replica whose loss or gradient is NaN or infinite has *diverged*: its parameters stay what they were before that
    step, and it is trained no further; so is one that has *solved* the task. The others go on as if nothing had been.
    An update that `loss_scale` leaves out counts as a step.
    Where the task draws T, replicas are what they are alone to rounding only, see :mod:`rnnbench.training.feed`; with
    `window` not even that: all have as many windows, and updates, as the longest batch.
    """

    def __init__(
        self, network: Layer, task: Task, *, optimiser=None, batch_size=20, length=None, seed=0, clip=None,
        schedule=None, mean="batch", truncate=None, window=None, curriculum=None, stopping=None, loss_scale=None,
    ):  # fmt: skip
        check_task(network, task)
        self.network, self.task = network, task
        self.batch_size = arguments.integer("batch_size", batch_size, 1)
        self.length = task.length if length is None else task.checked_length(length, "length")
        self.clip, self.schedule = clip, Constant() if schedule is None else schedule
        if not callable(self.schedule):
            raise TypeError(f"schedule: got {schedule!r}, expected a function of the step or None")
        self.mean = arguments.one_of("mean", mean, MEANS)
        for name, value in (("truncate", truncate), ("window", window)):
            if value is not None:
                arguments.integer(name, value, 1)
        self.truncate, self.window = truncate, window
        network.check_truncate(truncate)
        if window is not None and network.reads_backwards:
            raise ValueError(f"window: got {window}, expected None with a network that reads backwards")
        for name, value, kind in (
            ("clip", clip, clipping.Clip), ("curriculum", curriculum, Curriculum), ("stopping", stopping, Stopping),
            ("optimiser", optimiser, optimisers.Optimiser), ("loss_scale", loss_scale, LossScale),
        ):  # fmt: skip
            if not (value is None or isinstance(value, kind)):
                raise TypeError(f"{name}: got {value!r}, expected a {kind.__name__} or None")
        if loss_scale is not None and any(isinstance(part, Omega) for _, part in network._tree()):
            raise ValueError(f"loss_scale: got {loss_scale!r}, expected None with Omega, whose gradient is not scaled")
        self.curriculum, self.stopping = curriculum, stopping
        if stopping is not None and stopping.length is not None:
            task.checked_length(stopping.length, "length of stopping")
        self.optimiser = optimisers.Adam() if optimiser is None else copy.copy(optimiser)
        rngs = _streams(network, seed)
        self._looks = [streams[LOOKS] for streams in rngs]
        self.feed = Feed(
            task, [np.random.default_rng(streams[DATA]) for streams in rngs], self.batch_size, network.dtype,
            length=self.length, curriculum=curriculum,
        )  # fmt: skip
        self.flat = Flat(network)
        self.optimiser.start(self.flat.values)
        self.loss_scale = copy.copy(loss_scale)
        if loss_scale is not None:
            self.loss_scale.start(network.copies)
        self.history = History(network.copies)
        self.level = np.zeros(network.copies, np.int64)
        self.active = self.history.active
        self._windows, self._state = [], None

    def run(self, steps: int, callback: Callable[[Event], object] | None = None) -> History:
        """Make so many more updates, or fewer if training ends for all replicas.

        Parameters
        ----------
        steps : int
        callback : function of an Event, optional
            Called after each update.

        Returns
        -------
        History
        """
        steps = arguments.integer("steps", steps, 0)
        self.flat.check()
        with blas.one_thread():
            for _ in range(steps):
                if not self.active.any():
                    break
                event = self._step()
                if callback is not None:
                    callback(event)
        return self.history

    def _step(self):
        network, flat, history = self.network, self.flat, self.history
        factor, fed = self._factor(), self._next()
        with np.errstate(all="ignore"):  # what is not finite is found below
            y, self._state = run(network, fed, self._state)
            target, mask = fed.scored(at_end=y.ndim < 4)
            value, dy = loss_of(self.task.loss, y, target, mask, mean=self.mean, replicas=True)
            norms, too_large = self._backward(dy)
            diverged = self.active & ~(np.isfinite(value) & (np.isfinite(norms) | too_large))
            trained = self.active & ~(diverged | too_large)
            if self.clip is not None:
                self.clip(flat.grads, norms)
            self.optimiser.update(flat.values, flat.grads, factor, trained)
            scored = np.count_nonzero(mask.reshape(len(mask), -1), axis=1)
            if self.mean == "batch":
                value = value * (self.batch_size / scored)
            value[scored == 0] = np.nan
        if not self.active.all():
            value[~self.active] = norms[~self.active] = np.nan
        history.add(value, norms)
        if diverged.any():
            history.end(diverged, DIVERGED)
        self.active = self.active & ~diverged
        success = self._look()
        level = self._climb()
        return Event(history.steps, value, norms, tuple(history.outcomes), success, level)

    def _factor(self):
        """What the schedule says of the step that comes; asked before anything of it is done."""
        factor = self.schedule(self.history.steps)
        if isinstance(factor, bool) or not isinstance(factor, Real) or not 0 <= factor < np.inf:
            raise ValueError(f"schedule at step {self.history.steps}: got {factor!r}, expected a number >= 0")
        return factor

    def _backward(self, dy):
        """Make the gradients; return their norms, and where the loss was scaled too far for them to be used."""
        network, flat, scale = self.network, self.flat, self.loss_scale
        flat.grads[...] = 0
        if scale is not None:
            scale.multiply(dy)
        network.backward(network.bare(dy), truncate=self.truncate, need_dx=False)
        if scale is None:
            return clipping.norms(flat.grads), False
        scale.divide(flat.grads)
        norms = clipping.norms(flat.grads)
        return norms, scale.judge(np.isfinite(norms))

    def save(self, path) -> None:
        """Write a checkpoint, see :mod:`rnnbench.training.checkpoint`."""
        from rnnbench.training import checkpoint

        checkpoint.save(self, path)

    def load(self, path) -> None:
        """Go on from a checkpoint of a trainer with the same settings, bit for bit."""
        from rnnbench.training import checkpoint

        checkpoint.load(self, path)

    def _next(self):
        """The next batch, or the next window of the one at hand."""
        if not self._windows:
            fed, self._state = self.feed.next(self.level), None
            check_fit(self.network, fed)
            if self.window is None:
                return fed
            steps = fed.x.shape[1]
            self._windows = [fed.window(*cut) for cut in pairwise([*range(0, steps, self.window), steps])]
        return self._windows.pop(0)

    def _look(self):
        """Look whether the task is solved, if it is time."""
        if self.stopping is None or self.history.steps % self.stopping.every:
            return None
        success, solved = self.stopping.look(self.network, self.task, self._fresh("stopping"), self.length, self.active)
        self.history.look(success)
        self.history.end(solved, SOLVED)
        self.active = self.active & ~solved
        return success

    def _climb(self):
        """Raise the level of the curriculum where it has been mastered, of the replicas that are still trained."""
        if self.curriculum is None:
            return None
        if self.curriculum.climbs and self.history.steps % self.curriculum.every == 0:
            climbed = self.curriculum.climb(self.network, self.task, self._fresh("curriculum"), self.level)
            self.level = np.where(self.active, climbed, self.level)  # alone, a run would have ended
        return self.level

    def _fresh(self, purpose):
        """Generators for one look: whatever another look has drawn, so that replicas do not depend on each other."""
        key = self.history.steps, ("stopping", "curriculum").index(purpose)
        return [
            np.random.default_rng(np.random.SeedSequence(s.entropy, spawn_key=(*s.spawn_key, *key)))
            for s in self._looks
        ]


def train(network: Layer, task: Task, steps: int, callback=None, **settings) -> History:
    """Train a network on a task: a :class:`Trainer` of these settings, run for so many steps."""
    return Trainer(network, task, **settings).run(steps, callback)


def _streams(network, seed):
    """Two seed sequences for each replica: data, and looks at fresh sequences."""
    rngs, replicas = arguments.generators(seed)
    if len(rngs) != network.copies or (replicas is None) != (network.replicas is None):
        wanted = "one seed" if network.replicas is None else f"a list of {network.replicas} seeds"
        raise ValueError(f"seed: got {seed!r}, expected {wanted}, as the network has")
    return [rng.bit_generator.seed_seq.spawn(2) for rng in rngs]

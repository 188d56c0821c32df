"""Gradient descent for networks that read or are asked more than one thing, which the Trainer has no loop for.

The sequences are the same for all replicas, which differ in what they start from; checkpoints as in ``learning``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from rnnbench.layers import Layer, saving
from rnnbench.runner import scratch
from rnnbench.runner.record import short
from rnnbench.studies.learning import DIGITS, SAVE_AFTER, curve
from rnnbench.training import blas, clipping
from rnnbench.training.flat import Flat
from rnnbench.training.history import DIVERGED, History
from rnnbench.training.optimisers import Adam


class Descent:
    """Adam on the gradients that a function adds up.

    Parameters
    ----------
    network : Layer
        With replicas.
    gradient : function (step, generator) -> (R,) losses
        Adds the gradients of one batch up in the network.
    rng : numpy.random.Generator
        For the batches.
    rate : float
    clip : Clip, optional
    tests : numpy.random.Generator, optional
        What `look` draws from; a checkpoint keeps where it is.
    """

    def __init__(
        self, network: Layer, gradient: Callable, rng: np.random.Generator, *, rate: float, clip=None, tests=None
    ):
        self.network, self.gradient, self.clip = network, gradient, clip
        self.rng, self.rngs = rng, [rng] if tests is None else [rng, tests]
        self.flat, self.optimiser = Flat(network), Adam(rate)
        self.optimiser.start(self.flat.values)
        self.history, self.looks = History(network.copies), []

    def run(self, steps: int, look: Callable | None = None, looks: int = 0) -> list[dict]:
        """Make so many updates and return the rows "curve" and those of `look`.

        Parameters
        ----------
        steps : int
        look : function of the step to a list of rows, optional
            Called at so many steps, the last one among them.
        looks : int
        """
        path = scratch.checkpoint()
        if path is not None and path.exists():
            self.load(path)
        at = set(np.linspace(0, steps, looks + 1).astype(int)[1:].tolist())
        saved = time.monotonic()
        with blas.one_thread():
            while self.history.steps < steps:
                self._step()
                if self.history.steps in at:
                    self.looks += [short(row, DIGITS) for row in look(self.history.steps)]
                if path is not None and time.monotonic() - saved > SAVE_AFTER:
                    self.save(path)
                    saved = time.monotonic()
        return [short(row, DIGITS) for row in curve(self.history)] + self.looks

    def ends(self, **scores: np.ndarray) -> list[dict]:
        """Return a row "end" for each replica with these (R,) scores."""
        history = self.history
        return [
            short({"kind": "end", "replica": r, "outcome": history.outcomes[r]}, DIGITS)
            | {"stopped": int(history.ended[r]) or history.steps, "parameters": self.flat.values.shape[1]}
            | short({name: float(value[r]) for name, value in scores.items()}, DIGITS)
            for r in range(self.network.copies)
        ]

    def _step(self):
        active = self.history.active
        self.flat.grads[...] = 0
        with np.errstate(all="ignore"):  # what is not finite is found below
            loss = np.array(self.gradient(self.history.steps, self.rng), float)
            norms = clipping.norms(self.flat.grads)
            lost = active & ~(np.isfinite(loss) & np.isfinite(norms))
            if self.clip is not None:
                self.clip(self.flat.grads, norms)
            self.optimiser.update(self.flat.values, self.flat.grads, 1.0, active & ~lost)
        loss[~active] = np.nan
        self.history.add(loss, norms)
        self.history.end(lost, DIVERGED)

    def save(self, path) -> None:
        """Write a checkpoint."""
        arrays, about = saving.pack(self.network)
        arrays |= {f"optimiser {key}": value for key, value in self.optimiser.state.items()}
        arrays |= {f"history {key}": value for key, value in self.history.arrays().items()}
        about |= {"steps": self.optimiser.steps, "outcomes": self.history.outcomes, "looks": self.looks}
        saving.write(path, arrays, about | {"rngs": [rng.bit_generator.state for rng in self.rngs]})

    def load(self, path) -> None:
        """Go on from a checkpoint."""
        arrays, about = saving.read(path)
        saving.unpack(self.network, arrays, about)
        for key, value in self.optimiser.state.items():
            value[...] = arrays[f"optimiser {key}"]
        self.optimiser.steps, self.looks = about["steps"], about["looks"]
        kept = {key.removeprefix("history "): value for key, value in arrays.items() if key.startswith("history ")}
        self.history.restore(kept, about["outcomes"])
        for rng, state in zip(self.rngs, about["rngs"], strict=True):
            rng.bit_generator.state = state

"""Early stopping on a task's own criterion: solved once few of many fresh sequences are wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnbench.layers import arguments
from rnnbench.training.evaluation import ROWS, trials


@dataclass(frozen=True)
class Stopping:
    """Stop a replica when fewer than `wrong` of `size` fresh sequences are wrong.

    The default is the criterion of Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural
    networks, ICML 2013: under 1 % of 10,000. A look ends for a replica as soon as too many are wrong, so that one on an
    untrained network is cheap.

    Attributes
    ----------
    every : int
        Steps between two looks.
    size : int
    wrong : float
    length : int, optional
        Of the fresh sequences; that of the training unless given.
    """

    every: int = 500
    size: int = 10_000
    wrong: float = 0.01
    length: int | None = None

    def __post_init__(self):
        arguments.integer("every", self.every, 1)
        arguments.integer("size", self.size, 1)
        if isinstance(self.wrong, bool) or not isinstance(self.wrong, int | float) or not 0 < self.wrong <= 1:
            raise ValueError(f"wrong: got {self.wrong!r}, expected a number in (0, 1]")

    def look(self, network, task, rngs, length, active) -> tuple[np.ndarray, np.ndarray]:
        """Return each replica's part of right sequences, among those looked at, and whether it has solved the task.

        Parameters
        ----------
        network : Layer
        task : Task
        rngs : list of numpy.random.Generator
            Of each replica.
        length : int
        active : (R,) bool array
            The replicas to look at; of the others NaN and False are returned.
        """
        length = length if self.length is None else self.length
        wrong, seen, open_ = np.zeros(len(active)), np.zeros(len(active)), active.copy()
        for correct, _, _ in trials(network, task, rngs, self.size, length, min(ROWS, self.size)):
            wrong[open_] += (~correct[open_]).sum(axis=1)
            seen[open_] += correct.shape[1]
            open_ &= wrong < round(self.wrong * self.size, 9)  # 0.07 times 100 is a little more than 7
            if not open_.any():
                break
        with np.errstate(invalid="ignore"):
            return 1 - wrong / seen, open_

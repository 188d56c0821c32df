"""Curricula: how hard each training sequence is, from levels that go from easy to hard.

============  ===================================================================================================
``baseline``  every sequence at the last level
``naive``     every sequence at the level reached, which rises when the task is done well there
``mix``       every sequence at a level of its own, uniform over all
``combined``  one sequence in five by ``mix``, as in the authors' code, the others by ``naive``
============  ===================================================================================================

The level reached belongs to a replica. It rises by one where at least `raise_at` of fresh sequences at that level are
right; the authors raise it when training makes no more progress, too.

Source: W. Zaremba and I. Sutskever, Learning to Execute, 2014, section 4, and the authors' code.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnbench.layers import arguments
from rnnbench.tasks import Task
from rnnbench.tasks._curriculum import MIXED

KINDS = ("baseline", "naive", "mix", "combined")


@dataclass(frozen=True)
class Curriculum:
    """A way to draw levels.

    Attributes
    ----------
    kind : "baseline", "naive", "mix" or "combined"
    levels : tuple
        From easy to hard: lengths of the task that is trained, or pairs (task, length) of any tasks with the same
        inputs, outputs and loss.
    raise_at : float
        Part of the sequences that must be right for the level to rise.
    every : int
        Steps between two looks at this.
    size : int
        Sequences of a look.
    """

    kind: str
    levels: tuple[Any, ...]
    raise_at: float = 0.95
    every: int = 100
    size: int = 200

    def __post_init__(self):
        arguments.one_of("curriculum", self.kind, KINDS)
        if not isinstance(self.levels, tuple | list) or not self.levels:
            raise ValueError(f"levels: got {self.levels!r}, expected at least one length or pair (task, length)")
        if not isinstance(self.raise_at, int | float) or not 0 <= self.raise_at <= 1:
            raise ValueError(f"raise_at: got {self.raise_at!r}, expected a number in [0, 1]")
        arguments.integer("every", self.every, 1)
        arguments.integer("size", self.size, 1)

    def check(self, task: Task) -> None:
        """Refuse levels that cannot be mixed in one batch of the task that is trained."""
        for level in self.levels:
            if isinstance(level, tuple) and not (len(level) == 2 and isinstance(level[0], Task)):
                raise ValueError(f"levels: got {level!r}, expected a length or a pair (task, length)")
            own, length = level if isinstance(level, tuple) else (task, level)
            own.checked_length(length, "length of a level")
            for what in ("loss", "symbols", "inputs", "outputs"):
                if getattr(own, what) != getattr(task, what):
                    raise ValueError(
                        f"levels: task {own.name!r} has {what} {getattr(own, what)!r}, "
                        f"expected {getattr(task, what)!r} as {task.name!r} has"
                    )

    @property
    def climbs(self) -> bool:
        """Whether the level reached matters."""
        return self.kind in ("naive", "combined")

    def draw(self, rng: np.random.Generator, reached: int, size: int) -> np.ndarray:
        """Return the level of each of `size` sequences, counted from 0."""
        if self.kind == "naive":
            return np.full(size, reached)
        if self.kind == "baseline":
            return np.full(size, len(self.levels) - 1)
        levels = rng.integers(0, len(self.levels), size)
        return levels if self.kind == "mix" else np.where(rng.random(size) < MIXED, levels, reached)

    def at(self, level: int, task):
        """Return the task and the length of a level; `task` is the one that is trained."""
        found = self.levels[level]
        return found if isinstance(found, tuple) else (task, found)

    def climb(self, network, task, rngs, reached: np.ndarray) -> np.ndarray:
        """Return the levels reached, (R,), one higher where enough fresh sequences at the old level are right."""
        from rnnbench.training.evaluation import evaluate

        levels = reached.copy()
        seeds = rngs if network.replicas is not None else rngs[0]
        for level in np.unique(reached[reached < len(self.levels) - 1]):
            here, length = self.at(level, task)
            # each level with the same numbers: what a replica is asked must not depend on the levels of the others
            score = evaluate(network, here, size=self.size, length=length, seed=copy.deepcopy(seeds))
            levels[(reached == level) & (score.success >= self.raise_at)] += 1
        return levels

"""What a training run tells: an event per step, and all of them kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRAINING, SOLVED, DIVERGED = "training", "solved", "diverged"


@dataclass(frozen=True)
class Event:
    """What happened at a step; arrays are of the replicas, (R,).

    Attributes
    ----------
    step : int
        Counted from 1.
    loss : array
        Mean over the scored positions, comparable with ``task.chance(length).loss``; NaN for a replica that is no
        longer trained, and for a window in which nothing is scored.
    norm : array
        Of the gradient of what is minimised, before clipping.
    outcomes : tuple of "training", "solved" or "diverged"
    success : array or None
        Part of fresh sequences that were right, at steps at which that was looked at.
    level : array or None
        Reached in the curriculum.
    """

    step: int
    loss: np.ndarray
    norm: np.ndarray
    outcomes: tuple[str, ...]
    success: np.ndarray | None = None
    level: np.ndarray | None = None


class History:
    """Everything that events told.

    Attributes
    ----------
    outcomes : list of str
        "training" (the steps were used up), "solved" or "diverged".
    ended : (R,) int array
        Step at which a replica was solved or diverged, 0 for none.
    """

    def __init__(self, replicas: int):
        self.steps = 0
        self.outcomes = [TRAINING] * replicas
        self.ended = np.zeros(replicas, np.int64)
        self._rows = np.empty((64, 2, replicas))
        self._looks: list[tuple[int, np.ndarray]] = []

    @property
    def loss(self) -> np.ndarray:
        """Loss per step, (steps, R)."""
        return self._rows[: self.steps, 0]

    @property
    def norm(self) -> np.ndarray:
        """Norm of the gradient per step, (steps, R)."""
        return self._rows[: self.steps, 1]

    @property
    def looks(self) -> np.ndarray:
        """Steps at which success was measured, (n,)."""
        return np.array([step for step, _ in self._looks], np.int64)

    @property
    def success(self) -> np.ndarray:
        """Success at these steps, (n, R)."""
        return np.array([success for _, success in self._looks]).reshape(-1, len(self.outcomes))

    @property
    def active(self) -> np.ndarray:
        """Which replicas are still trained, (R,) bools."""
        return np.array([outcome == TRAINING for outcome in self.outcomes])

    def add(self, loss: np.ndarray, norm: np.ndarray) -> None:
        """Keep a step's figures."""
        if self.steps == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self.steps] = loss, norm
        self.steps += 1

    def look(self, success: np.ndarray) -> None:
        """Keep what a look at fresh sequences found."""
        self._looks.append((self.steps, success))

    def end(self, which: np.ndarray, outcome: str) -> None:
        """Say how training ended for the replicas that are marked."""
        for r in np.flatnonzero(which):
            self.outcomes[r], self.ended[r] = outcome, self.steps

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all of it as arrays, for a checkpoint."""
        rows = self._rows[: self.steps].copy()
        return {"rows": rows, "ended": self.ended.copy(), "looks": self.looks, "success": self.success}

    def restore(self, arrays: dict[str, np.ndarray], outcomes: list[str]) -> None:
        """Take over what :meth:`arrays` returned."""
        self.outcomes, self.ended = list(outcomes), arrays["ended"].copy()
        self._rows, self.steps = arrays["rows"].copy(), len(arrays["rows"])
        if not self.steps:
            self._rows = np.empty((64, 2, len(outcomes)))
        self._looks = list(zip(arrays["looks"].tolist(), arrays["success"], strict=True))

"""What a task is: a generator of batches, and what counts as chance and as success."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batch:
    """Sequences with their targets, time-major.

    Attributes
    ----------
    x : (T, B, channels) float64 array, or (T, B) int64 symbols
    target : (T, B, outputs) float64 array, or (T, B) int64 classes
    mask : (T, B) bool array
        The positions that are scored.
    lengths : (B,) int64 array or None
        Of each row; None when all rows have T steps. Beyond a row's end x and target are 0 and the mask is False.
    clean : array like target, or None
        The target without its noise, for tasks that train on noisy targets: success is judged by it.
    """

    x: np.ndarray
    target: np.ndarray
    mask: np.ndarray
    lengths: np.ndarray | None = None
    clean: np.ndarray | None = None


@dataclass(frozen=True)
class Chance:
    """What the naive predictor reaches.

    Attributes
    ----------
    loss : float
        Mean over scored positions: nats (softmax; logistic: summed over the outputs), or the squared error summed over
        the outputs.
    success : float
        Fraction of the sequences that it gets right by the task's own criterion.
    """

    loss: float
    success: float


@dataclass(frozen=True)
class Task:
    """A task with its options set.

    Attributes
    ----------
    loss : "squared", "softmax" or "logistic"
    symbols : bool
        Whether x is symbols out of an alphabet of `inputs`.
    inputs, outputs : int
        Channels or alphabet; outputs or classes.
    length : int
        The length that ``generate`` is given unless told otherwise; each task says what it counts.
    shortest : int
        The least length it takes.
    generate : function (rng, size, length) -> Batch
    naive : function (batch) -> (T, B, outputs) array
        Outputs (logits for softmax and logistic) of the predictor that ``chance`` describes.
    chance : function (length) -> Chance
        In closed form.
    correct : function (outputs, batch) -> (B,) bool array
        The success criterion, sequence by sequence; outputs as those of ``naive``.
    criterion : str
        When the paper calls the task solved, in a sentence.
    name, variant : str
        Set by :func:`rnnbench.tasks.get`.
    """

    loss: str
    symbols: bool
    inputs: int
    outputs: int
    length: int
    shortest: int
    generate: Callable[[np.random.Generator, int, int], Batch]
    naive: Callable[[Batch], np.ndarray]
    chance: Callable[[int], Chance]
    correct: Callable[[np.ndarray, Batch], np.ndarray]
    criterion: str
    name: str = ""
    variant: str = ""

    def batch(self, rng: np.random.Generator, size: int, length: int | None = None) -> Batch:
        """Draw `size` sequences.

        Raises
        ------
        ValueError
            For a size below 1 or a length below the task's shortest.
        """
        length = self.length if length is None else length
        if not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"size: got {size!r}, expected an integer >= 1")
        if not isinstance(length, int | np.integer) or length < self.shortest:
            raise ValueError(f"length of task {self.name!r}: got {length!r}, expected an integer >= {self.shortest}")
        return self.generate(rng, int(size), int(length))

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
class Pair:
    """Sequences to be turned into others, time-major, for a network that reads one and writes the other.

    Attributes
    ----------
    source : (S, B) int64 symbols
    source_lengths : (B,) int64 array
    target : (T, B) int64 symbols
        Each row's last is the end symbol.
    target_lengths : (B,) int64 array
        The end symbol counted. Beyond a row's end source and target are 0.
    """

    source: np.ndarray
    source_lengths: np.ndarray
    target: np.ndarray
    target_lengths: np.ndarray


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
        The success criterion, sequence by sequence; outputs as those of ``naive``. A row with an output that is no
        number at a scored position is never right.
    criterion : str
        When the paper calls the task solved, in a sentence.
    longest : int or None
        The greatest length it takes.
    alphabet : tuple of str
        What the symbols of x, and of a softmax or logistic target, stand for; empty where they stand for nothing.
    pairs : function (rng, size, length) -> Pair, or None
        Of sequence-to-sequence tasks: the same sequences that ``generate`` writes into one stream. Refuses what
        ``batch`` refuses.
    least_loss : function (length) -> float, or None
        The expected loss of the best predictor, where the next symbol is a matter of chance and its law is known.
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
    longest: int | None = None
    alphabet: tuple[str, ...] = ()
    pairs: Callable[[np.random.Generator, int, int], Pair] | None = None
    least_loss: Callable[[int], float] | None = None
    name: str = ""
    variant: str = ""

    def __post_init__(self):
        object.__setattr__(self, "correct", _of_numbers(self.correct))
        if self.pairs is not None:
            draw = self.pairs
            object.__setattr__(self, "pairs", lambda rng, size, length: draw(*self._checked(rng, size, length)))

    def batch(self, rng: np.random.Generator, size: int, length: int | None = None) -> Batch:
        """Draw `size` sequences.

        Raises
        ------
        ValueError, TypeError
            For a size below 1, a length below the task's shortest or beyond its longest, and for no generator.
        """
        return self.generate(*self._checked(rng, size, self.length if length is None else length))

    def _checked(self, rng, size, length):
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng: got {rng!r}, expected a numpy.random.Generator")
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"size: got {size!r}, expected an integer >= 1")
        return rng, int(size), self.checked_length(length)

    def checked_length(self, length: int, what: str = "") -> int:
        """Return a length as an int, or refuse one that the task does not take, naming `what` it is."""
        what = what or f"length of task {self.name!r}"
        if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < self.shortest:
            raise ValueError(f"{what}: got {length!r}, expected an integer >= {self.shortest}")
        if self.longest is not None and length > self.longest:
            raise ValueError(f"{what}: got {length!r}, expected at most {self.longest}")
        return int(length)


def _of_numbers(correct):
    """The criterion, which NaN does not meet: to NumPy it has a sign and is the largest of all."""

    def of_numbers(outputs, batch):
        nothing = np.isnan(outputs).any(axis=-1) & batch.mask
        return correct(outputs, batch) & ~nothing.any(axis=0)

    return of_numbers

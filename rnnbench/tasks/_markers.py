"""Two marked values in a row of random ones: what adding and multiplication share.

x has two channels: the value, and the marker (1 at two steps). Three papers place the markers, and say how long a row
is, each in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnbench.tasks._answers import constant, near_at_end
from rnnbench.tasks._batches import blank_after_end, final
from rnnbench.tasks._task import Task


@dataclass(frozen=True)
class Placement:
    """How a paper places two markers.

    Attributes
    ----------
    draw : function (rng, size, length) -> lengths (None if all alike), first, second
        Steps of the two markers.
    ends : bool
        Whether the first and the last step bear the marker -1. A value chosen at the first step, where that hides the
        marker, then counts as the neutral one.
    length, shortest : int
        The paper's T, and the least that leaves room for the markers.
    """

    draw: Callable
    ends: bool
    length: int
    shortest: int


def _halves(rng, size, length):
    half = length // 2
    return None, rng.integers(0, half, size), rng.integers(half, length, size)


def _tenths(rng, size, length):
    lengths = rng.integers(length, length + length // 10, size)
    tenth = lengths // 10
    return lengths, rng.integers(0, tenth), tenth + rng.integers(0, 2 * lengths // 5)


def _first_ten(rng, size, length):
    first = rng.integers(0, 10, size)
    second = rng.integers(0, length // 2 - 1, size)
    second += second >= first  # the first one is no longer unmarked
    return rng.integers(length, length + length // 10, size, endpoint=True), first, second


PLACEMENTS = {
    "halves": Placement(_halves, ends=False, length=200, shortest=2),
    "tenths": Placement(_tenths, ends=False, length=100, shortest=10),
    "first_ten": Placement(_first_ten, ends=True, length=100, shortest=11),
}


def chance_of_the_first_step(placement, length):
    """Return the probability that one of the values is that of the first step and counts as the neutral one.

    With markers -1 at the ends: 1/10 for the first value, else (9/10) one of length/2 - 1 steps for the second. Both
    cannot be.
    """
    return 0.1 + 0.9 / (length // 2 - 1) if PLACEMENTS[placement].ends else 0.0


def marked_task(placement, low, neutral, combine, guess, tolerance, chance, criterion):
    """Return the task to say `combine` of two marked values, uniform on low ... 1, at the last step.

    Parameters
    ----------
    placement : str
        One of PLACEMENTS.
    low, neutral : float
    combine : function (values, values) -> answers
    guess : float
        What the naive predictor says.
    tolerance : float
        Of the absolute error, for success.
    """
    place = PLACEMENTS[placement]

    def generate(rng, size, length):
        lengths, first, second = place.draw(rng, size, length)
        steps = length if lengths is None else length + length // 10
        rows = np.arange(size)
        x = np.zeros((steps, size, 2))
        x[:, :, 0] = low + (1 - low) * rng.random((steps, size))
        x[first, rows, 1] = x[second, rows, 1] = 1
        a, b = x[first, rows, 0], x[second, rows, 0]
        if place.ends:
            x[0, :, 1] = x[lengths - 1, rows, 1] = -1
            a[first == 0] = neutral
            b[second == 0] = neutral
        blank_after_end(x, lengths)
        return final(x, combine(a, b)[:, None], lengths)

    return Task(
        loss="squared",
        symbols=False,
        inputs=2,
        outputs=1,
        length=place.length,
        shortest=place.shortest,
        generate=generate,
        naive=constant(guess),
        chance=chance,
        correct=near_at_end(tolerance),
        criterion=criterion,
    )

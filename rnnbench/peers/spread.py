"""Medians of rounds and their intervals. Nothing is called faster while an interval reaches 1.

The interval of a median is between two of the sorted values, such that it holds the true median with a probability of
at least 95 %, whatever the distribution: of 7 values the least and the largest, of 9 the second and the eighth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

ONE_IN = 20  # intervals may miss the true median
FEWEST = 6  # values for such an interval: 1 - 2 * 0.5**6 = 0.97
FASTER, SLOWER, SAME, TOO_FEW, BUSY = "faster", "slower", "same", "too few rounds", "machine busy"


class Spread(NamedTuple):
    """A median, its interval, and how many values it comes from."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Iterable[float]) -> Spread:
    """The median with its interval; of fewer than `FEWEST` values from the least to the largest."""
    ordered = sorted(values)
    cut = _cut(len(ordered))
    return Spread(median(ordered), ordered[cut], ordered[-1 - cut], len(ordered))


def _cut(count: int) -> int:
    """How many values may be left out at either end."""
    cut, outside = 0, 2  # of 2**count outcomes: whole numbers, which may be beyond any float
    while True:
        outside += 2 * math.comb(count, cut + 1)
        if ONE_IN * outside > 2**count or 2 * (cut + 1) >= count:
            return cut
        cut += 1


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How many times faster we are: theirs over ours, round by round, as far as both go."""
    return spread(b / a for a, b in zip(ours, theirs, strict=False))


def verdict(ratio: Spread, crowded: bool = False) -> str:
    """Our side of a ratio in a word: only an interval that leaves 1 out is "faster" or "slower".

    Of a ratio that was taken while others wanted the processors, nothing is said.
    """
    if crowded:
        return BUSY
    if ratio.count < FEWEST:
        return TOO_FEW
    return FASTER if ratio.low > 1 else SLOWER if ratio.high < 1 else SAME


def geometric_mean(values: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """The geometric mean of (median, low, high), with the interval that follows if their errors are independent."""
    logs = [tuple(map(math.log, triple)) for triple in values]
    count = len(logs)
    middle = sum(m for m, _, _ in logs) / count
    below = math.sqrt(sum((m - low) ** 2 for m, low, _ in logs)) / count
    above = math.sqrt(sum((high - m) ** 2 for m, _, high in logs)) / count
    return math.exp(middle), math.exp(middle - below), math.exp(middle + above)


def exponent(sizes: Sequence[float], rounds: Sequence[Sequence[float]]) -> Spread:
    """The power with which times grow with sizes: the slope in logarithms, fitted to each round.

    Parameters
    ----------
    sizes : sequence of float
        At least two that differ.
    rounds : sequence of sequences of float
        One time per size each.
    """
    logs = [math.log(size) for size in sizes]
    mean = sum(logs) / len(logs)
    weight = sum((x - mean) ** 2 for x in logs)
    return spread(sum((x - mean) * math.log(t) for x, t in zip(logs, times, strict=True)) / weight for times in rounds)

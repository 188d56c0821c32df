"""Intervals for claims: Wilson's for a success rate, Newcombe's for a difference of two, a bootstrap's for a median."""

from __future__ import annotations

import math
from collections.abc import Sequence

HUGE = 1e300  # in place of infinity, of which there are no differences


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success rate.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials, at least one trial.
    confidence : float

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        The counts are out of range.
    """
    from scipy.stats import binomtest

    interval = binomtest(int(successes), int(trials)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_median(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The percentile bootstrap's interval of a median, with a fixed seed: the same values, the same interval.

    Parameters
    ----------
    values : sequence of float
        At least two; infinite ones are very large.
    confidence : float

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        Fewer than two values.
    """
    import numpy as np

    return _bootstrap(np.clip(np.asarray(values, dtype=float), -HUGE, HUGE), np.median, confidence)


def bootstrap_mean(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The same of a mean; the values are finite."""
    import numpy as np

    return _bootstrap(np.asarray(values, dtype=float), np.mean, confidence)


def _bootstrap(values, statistic, confidence):
    import numpy as np
    from scipy.stats import bootstrap

    rng = np.random.default_rng(0)
    found = bootstrap((values,), statistic, confidence_level=confidence, method="percentile", rng=rng)
    low, high = found.confidence_interval
    return tuple(float(end) if abs(end) < HUGE / 1e10 else math.copysign(math.inf, end) for end in (low, high))


def difference(first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's interval of a difference of two success rates, the first less the second, from Wilson's of each.

    Parameters
    ----------
    first, second : (successes, trials)
        As for :func:`wilson`.
    confidence : float

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        The counts are out of range.

    Notes
    -----
    Source: R. G. Newcombe, Interval Estimation for the Difference Between Independent Proportions, Statistics in
    Medicine 17, 1998, method 10.
    """
    (low1, high1), (low2, high2) = (wilson(*counts, confidence) for counts in (first, second))
    rate1, rate2 = first[0] / first[1], second[0] / second[1]
    below = ((rate1 - low1) ** 2 + (high2 - rate2) ** 2) ** 0.5
    above = ((high1 - rate1) ** 2 + (rate2 - low2) ** 2) ** 0.5
    return rate1 - rate2 - below, rate1 - rate2 + above

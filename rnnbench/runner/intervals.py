"""Intervals for claims: Wilson's for a success rate, a bootstrap's for a median."""

from __future__ import annotations

from collections.abc import Sequence


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
        Finite, at least two.
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
    from scipy.stats import bootstrap

    result = bootstrap(
        (np.asarray(values, dtype=float),),
        np.median,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)

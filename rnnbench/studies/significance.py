"""Whether one thing did better than another, or seeds alone make the difference."""

from __future__ import annotations

from collections.abc import Sequence

LEVEL = 0.05


def lower(one: Sequence[float], other: Sequence[float], level: float = LEVEL) -> bool:
    """Say whether the mean of `one` lies below that of `other` by Welch's two-sided t-test.

    Parameters
    ----------
    one, other : sequences of float
        A number for each seed, at least two.
    level : float
        Of significance.

    Notes
    -----
    Source: B. L. Welch, The generalization of "Student's" problem when several different population variances are
    involved, Biometrika 34, 1947.
    """
    import numpy as np
    from scipy.stats import ttest_ind

    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.mean() >= other.mean():
        return False
    if one.std() == 0 and other.std() == 0:  # each seed of one the same, and no seed of the other
        return True
    return bool(ttest_ind(one, other, equal_var=False).pvalue < level)

"""Whether one thing did better than another, or seeds alone make the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rnnbench.studies import curves

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05


def log_losses(df: pd.DataFrame, by: str, budgets: Mapping[str, int]) -> dict[tuple[str, str], pd.Series]:
    """Return the logarithms of the losses at the end, by what was trained and the task.

    Parameters
    ----------
    df : DataFrame
        Rows as :mod:`rnnbench.studies.learning` tells them.
    by : str
        The column of what was trained.
    budgets : dict of int
        How many parameters count on each task; runs of smaller networks are left out.
    """
    import numpy as np

    ends = curves.of_kind(df, "end", "loss", "budget", words=[by, "task"])
    ends = ends[ends["budget"] >= ends["task"].map(budgets).astype(float)]
    return {key: np.log(rows["loss"]) for key, rows in ends.groupby([by, "task"])}


def lower(one: Sequence[float], other: Sequence[float], level: float = LEVEL) -> bool:
    """Say whether the mean of `one` lies below that of `other` by Welch's two-sided t-test.

    Parameters
    ----------
    one, other : sequences of float
        A number for each seed, at least two; infinite where a seed failed, for there is no mean then and the one-sided
        test of ranks (Mann and Whitney's, at half the level) is made in its place.
    level : float
        Of significance.

    Notes
    -----
    Source: B. L. Welch, The generalization of "Student's" problem when several different population variances are
    involved, Biometrika 34, 1947.
    """
    import numpy as np
    from scipy.stats import mannwhitneyu, ttest_ind

    one, other = np.asarray(one, float), np.asarray(other, float)
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return bool(mannwhitneyu(one, other, alternative="less", nan_policy="raise").pvalue < level / 2)
    if one.mean() >= other.mean():
        return False
    if one.std() == 0 and other.std() == 0:  # each seed of one the same, and no seed of the other
        return True
    return bool(ttest_ind(one, other, equal_var=False).pvalue < level)

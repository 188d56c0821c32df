"""Are two engines' outputs and gradients the same? Asked before anything is timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

TOLERANCE = 1e-4  # of an array's largest magnitude: float32 sums in another order differ by less


def largest_error(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """The largest difference relative to the array's own magnitude, and the array's name.

    What only one of both has is no difference: an engine may give no states, or keep one bias where the other has two.
    Arrays that both have but with other shapes differ infinitely, and so does NaN.
    """
    worst, where = 0.0, ""
    for name in sorted({*ours} & {*theirs}):
        a, b = (np.asarray(side[name], np.float64) for side in (ours, theirs))
        if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
            return float("inf"), name
        if a.size:
            scale = max(np.abs(a).max(), np.abs(b).max(), np.finfo(np.float32).tiny)
            error = float(np.abs(a - b).max() / scale)
            if error >= worst:
                worst, where = error, name
    return worst, where


def disagreement(
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    needed: tuple[str, ...],
    tolerance: float = TOLERANCE,
) -> tuple[float, str | None]:
    """The largest error, and a sentence if the two must not be compared for speed.

    Parameters
    ----------
    ours, theirs : mapping of names to arrays
    needed : tuple of str
        What both must have.
    tolerance : float, optional
        The largest error that is none.
    """
    for name in needed:
        for side, words in ((ours, "rnnbench"), (theirs, "the peer")):
            if name not in side:
                return float("inf"), f"{words} gave no {name}"
    error, where = largest_error(ours, theirs)
    if error <= tolerance:
        return error, None
    return error, f"{where} differs by {error:.2g} of its magnitude, at most {tolerance:.3g} is allowed"

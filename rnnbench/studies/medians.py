"""Claims about the median over the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnbench.runner.claims import Claim, bound
from rnnbench.runner.intervals import bootstrap_median

if TYPE_CHECKING:
    import pandas as pd


def median(
    name: str, statement: str, source: str, values: pd.Series, *, of: str = "seeds", note: str = "", **limits: float
) -> Claim:
    """The claim that a median is within limits, with a bootstrap's interval.

    Parameters
    ----------
    name, statement, source, note : str
    values : Series
        One number for each seed; empty where there is no data.
    of : str
        What has the values, in the plural.
    **limits
        ``at_least``, ``at_most``.
    """
    if not len(values):
        return bound(name, statement, source, measured=None, note=note, **limits)
    interval = bootstrap_median(values) if len(values) > 1 else None
    told = f"Median of {len(values)} {of}. {note}".strip()
    return bound(name, statement, source, measured=values.median(), interval=interval, note=told, **limits)

"""Claims about the median over the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnbench.runner.claims import Claim, bound
from rnnbench.runner.intervals import bootstrap_median

if TYPE_CHECKING:
    import pandas as pd


def median(
    name: str, statement: str, source: str, values: pd.Series, *, where: pd.DataFrame | None = None, of: str = "seeds",
    note: str = "", **limits: float,
) -> Claim:  # fmt: skip
    """The claim that a median is within limits, with a bootstrap's interval.

    Parameters
    ----------
    name, statement, source, note : str
    values : Series
        One number for each seed; empty where there is no data.
    where : DataFrame, optional
        Under which conditions each was measured. The claim is then of all these, and judged by the worst.
    of : str
        What has the values, in the plural.
    **limits
        ``at_least`` or ``at_most``; both without `where` only.
    """
    if not len(values):
        return bound(name, statement, source, measured=None, note=note, **limits)
    worst_of = ""
    groups = {} if where is None else dict(list(values.groupby([where[name] for name in where])))
    if len(groups) > 1:
        worst = (max if "at_most" in limits else min)(groups, key=lambda one: groups[one].median())
        words = ", ".join(f"{name} = {value}" for name, value in zip(where, worst, strict=True))
        values, worst_of = groups[worst], f"At {words}, the worst of {len(groups)}."
    measured = values.median(skipna=False)  # one that is no number makes the median none, and the claim fail
    interval = bootstrap_median(values) if len(values) > 1 and measured == measured else None
    told = " ".join(filter(None, (f"Median of {len(values)} {of}.", note, worst_of)))
    return bound(name, statement, source, measured=measured, interval=interval, note=told, **limits)

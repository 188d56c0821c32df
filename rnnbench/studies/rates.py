"""Claims about rates of success: how many of the seeds solve a task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rnnbench.runner.claims import PARTLY, REPRODUCED, Claim, bound
from rnnbench.runner.intervals import difference, wilson

if TYPE_CHECKING:
    import pandas as pd


def rate(name: str, statement: str, source: str, solved: pd.Series, *, note: str = "", **limits: float) -> Claim:
    """The claim that a rate of success is within limits, with Wilson's interval.

    Parameters
    ----------
    name, statement, source, note : str
    solved : Series of bool
        One for each seed; empty where there is no data.
    **limits
        ``at_least``, ``at_most``.
    """
    count, total = int(solved.sum()), len(solved)
    if not total:
        return bound(name, statement, source, measured=None, note=note, **limits)
    told = f"{count} of {total} seeds. {note}".strip()
    return bound(
        name, statement, source, measured=count / total, interval=wilson(count, total), note=told, **limits
    )  # fmt: skip


def gain(
    name: str, statement: str, source: str, more: pd.Series, less: pd.Series, *, at_least: float = 0.0, note: str = ""
) -> Claim:
    """The claim that one rate of success exceeds another, with Newcombe's interval of the difference.

    Parameters
    ----------
    name, statement, source, note : str
    more, less : Series of bool
        One for each seed; the claim is not yet run if either is empty.
    at_least : float
        By so much; 0 lets them be equal. Where no run succeeds nothing is shown: "partly".
    """
    if not len(more) or not len(less):
        return bound(name, statement, source, measured=None, at_least=at_least, note=note)
    counts = [(int(solved.sum()), len(solved)) for solved in (more, less)]
    told = "{} of {} seeds against {} of {}. ".format(*counts[0], *counts[1]) + note
    measured = counts[0][0] / counts[0][1] - counts[1][0] / counts[1][1]
    claim = bound(
        name, statement, source, measured=measured, interval=difference(*counts), at_least=at_least,
        note=told.strip(),
    )  # fmt: skip
    if counts[0][0] == counts[1][0] == 0 and claim.verdict == REPRODUCED:
        return replace(claim, verdict=PARTLY, note=f"{claim.note} No run succeeds, so nothing is compared.")
    return claim

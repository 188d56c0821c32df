"""What a search has found: of every thing the value with which it did best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BAD = float("inf")


def borrowed(df: pd.DataFrame) -> str:
    """Return what a caption must say where a search was of the LSTM alone, and there are other cells: whose rate."""
    others = "cell" in df and (df["cell"].dropna() != "lstm").any()
    return " The rates were chosen for the LSTM; other cells have the same." if others else ""


def best(df: pd.DataFrame, by: Sequence[str] = ("cell",), of: str = "rate", score: str = "loss", least=True) -> dict:
    """Return the value of a column with the best median score at the end, for each group.

    Parameters
    ----------
    df : DataFrame
        Of a search's trials, with rows as :mod:`rnnbench.studies.learning` tells them.
    by : sequence of str
        Columns that make a group; its name is their values, joined by "/".
    of : str
        What is chosen.
    score : str
        A column of the rows of kind "end". A replica that diverged counts as worst of all.
    least : bool
        Whether a small score is good. Of equal ones the smaller value is chosen.
    """
    if "kind" not in df:  # no trial got as far as to tell anything
        return {}
    ends = df[df["kind"] == "end"]
    values = ends[score].astype(float) * (1 if least else -1)
    ends = ends.assign(score=values.where(ends["outcome"] != "diverged", BAD).fillna(BAD))
    found = {}
    for names, group in ends.groupby(list(by), sort=True):
        medians = group.groupby(of)["score"].median().sort_index()
        found["/".join(str(name) for name in names)] = medians.index[medians.to_numpy().argmin()].item()
    return found

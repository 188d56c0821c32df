"""Claims: what a paper says or a derivation gives, what was measured here, and the verdict.

An experiment builds its claims with one of the helpers, each of which answers "not yet run" when there is
no data:

- `compare`: a measured number against a published one, within a tolerance;
- `bound`: a measured number against a published limit, from above or from below;
- `holds`: a statement that is true or false case by case;
- `ranking`: all measurements of one thing above all of another.

"partly" means that the measured value misses, but its interval reaches what was published (for `holds`:
that the statement is true in some cases). A value that is no number counts as measured and as missing: pass
None for no data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = ("reproduced", "partly", "not reproduced", "not yet run")
REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_YET_RUN = VERDICTS

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Claim:
    """One line of the ledger.

    Attributes
    ----------
    name : str
        Short, unique in its experiment.
    statement : str
        One sentence that can be true or false.
    source : str
        The paper and place, or "derived".
    published : float or str or None
        The published value, or words like "< 0.01".
    tolerance : float or str or None
        How far off still counts, absolute, or words like "5 %".
    measured : float or str or None
        None: no data.
    interval : (float, float) or None
        The measured value's interval (Wilson for rates, bootstrap for medians).
    verdict : str
        One of `VERDICTS`.
    note : str
        What a reader must know: the reason for a miss, "unconfirmed", the sample's size.
    """

    name: str
    statement: str
    source: str
    published: float | str | None
    tolerance: float | str | None
    measured: float | str | None
    interval: Interval
    verdict: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"claim {self.name!r}: the verdict is {self.verdict!r}, expected one of {VERDICTS}")
        for value in (self.published, self.tolerance, self.measured):
            if hasattr(value, "__len__") and not isinstance(value, str):
                raise TypeError(f"claim {self.name!r}: got {value!r}, expected a number, words or None")
        if self.interval is not None and not (isinstance(self.interval, tuple | list) and len(self.interval) == 2):
            raise TypeError(f"claim {self.name!r}: the interval is {self.interval!r}, expected (low, high) or None")


def claims_of(module: ModuleType, df: pd.DataFrame) -> list[Claim]:
    """What an experiment's ``claims(df)`` gives, which may raise anything.

    Raises
    ------
    TypeError, ValueError
        Something else than claims, or two of one name.
    """
    claims = list(module.claims(df))
    for claim in claims:
        if not isinstance(claim, Claim):
            raise TypeError(f"it gave {claim!r}, expected Claim objects")
    names = [claim.name for claim in claims]
    if len(set(names)) < len(names):
        raise ValueError(f"two claims have the same name in {names}")
    return claims


def compare(
    name: str,
    statement: str,
    source: str,
    *,
    published: float,
    tolerance: float,
    measured: float | None,
    interval: Interval = None,
    relative: bool = False,
    note: str = "",
) -> Claim:
    """The claim that a measured number equals a published one.

    Parameters
    ----------
    name, statement, source, note : str
    published : float
    tolerance : float
        Absolute; a fraction of ``published`` if ``relative``.
    measured : float or None
        None where there is no data.
    interval : (float, float), optional
        The measured value's interval.
    relative : bool
    """
    width = tolerance * abs(published) if relative else tolerance
    verdict = _verdict(measured, interval, published - width, published + width)
    shown = f"{100 * tolerance:g} %" if relative else tolerance
    return Claim(name, statement, source, published, shown, _number(measured), interval, verdict, note)


def bound(
    name: str,
    statement: str,
    source: str,
    *,
    measured: float | None,
    at_most: float | None = None,
    at_least: float | None = None,
    interval: Interval = None,
    note: str = "",
) -> Claim:
    """The claim that a measured number stays on one side of a published limit, or between two.

    Parameters
    ----------
    name, statement, source, note : str
    measured : float or None
        None where there is no data.
    at_most, at_least : float, optional
        One of them, or both.
    interval : (float, float), optional

    Raises
    ------
    ValueError
        Neither limit is given.
    """
    if at_most is None and at_least is None:
        raise ValueError(f"claim {name!r}: bound() got neither at_most nor at_least")
    low = -math.inf if at_least is None else at_least
    high = math.inf if at_most is None else at_most
    words = [
        f"≥ {at_least:g}" if at_least is not None else "",
        f"≤ {at_most:g}" if at_most is not None else "",
    ]
    published = " and ".join(word for word in words if word)
    verdict = _verdict(measured, interval, low, high)
    return Claim(name, statement, source, published, None, _number(measured), interval, verdict, note)


def holds(name: str, statement: str, source: str, cases: Iterable[bool], *, note: str = "") -> Claim:
    """The claim that a statement is true in every case.

    Parameters
    ----------
    name, statement, source, note : str
    cases : iterable of bool
        One per case; empty where there is no data.
    """
    outcomes = [bool(case) for case in cases]
    if not outcomes:
        return Claim(name, statement, source, "in every case", None, None, None, NOT_YET_RUN, note)
    true = sum(outcomes)
    verdict = REPRODUCED if true == len(outcomes) else PARTLY if true else NOT_REPRODUCED
    measured = f"in {true} of {len(outcomes)}"
    return Claim(name, statement, source, "in every case", None, measured, None, verdict, note)


def ranking(
    name: str,
    statement: str,
    source: str,
    pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    of: str,
    at_least: int = 5,
) -> Claim:
    """The claim that, place by place, each measurement of one thing is above each of another.

    Parameters
    ----------
    name, statement, source : str
    pairs : dict of (higher, lower)
        The measurements by place, in words; a place with fewer than `at_least` of either is left out.
    of : str
        What is measured, in the plural.
    at_least : int
    """
    found = []
    for place, (higher, lower) in pairs.items():
        if min(len(higher), len(lower)) >= at_least:
            interval = _less(min(higher), max(lower), -math.inf), _less(max(higher), min(lower), math.inf)
            if any(value != value for value in (*higher, *lower)):  # what is no number lies above and below nothing
                interval = -math.inf, math.inf
            middle = _less(median(higher), median(lower), math.nan)
            found.append((interval, middle, place, f"{len(higher)} and {len(lower)} seeds"))
    if not found:
        return Claim(name, statement, source, "> 0", None, None, None, NOT_YET_RUN)
    above = [interval[0] > 0 for interval, *_ in found]
    verdict = REPRODUCED if all(above) else PARTLY if any(above) else NOT_REPRODUCED
    interval, middle, place, seeds = min(found, key=lambda one: one[0])
    note = f"Difference of median {of} at {place}, the least clear of {len(found)}: its range over all pairs of seeds "
    note += f"({seeds}) lies above 0 at {sum(above)} of {len(found)}."
    return Claim(name, statement, source, "> 0", None, _number(middle), interval, verdict, note)


def _less(one, other, alike):
    """The difference; of two equal infinities, `alike`."""
    return alike if one == other and math.isinf(one) else float(one - other)


def _number(measured: float | None) -> float | None:
    """A NumPy scalar as a plain number."""
    return None if measured is None else float(measured)


def _verdict(measured: float | None, interval: Interval, low: float, high: float) -> str:
    if measured is None:
        return NOT_YET_RUN
    if low <= measured <= high:
        return REPRODUCED
    if interval is not None and interval[0] <= high and interval[1] >= low:
        return PARTLY
    return NOT_REPRODUCED

"""The claims ledger: for each claim the measurement to be believed, those of other views beside it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rnnbench.report.tables import text
from rnnbench.runner.claims import NOT_YET_RUN, VERDICTS, Claim

if TYPE_CHECKING:
    from rnnbench.report.sections import Section


@dataclass(frozen=True)
class Measurement:
    """A claim as one view answers it."""

    claim: Claim
    view: str

    @property
    def shown(self) -> str:
        """The measured value with its interval, as text."""
        interval = self.claim.interval
        value = text(self.claim.measured)
        return f"{value} [{text(interval[0])}, {text(interval[1])}]" if interval else value


@dataclass(frozen=True)
class Line:
    """One claim of the ledger.

    Attributes
    ----------
    first : Measurement
        Of the first view that has data for it.
    others : list of Measurement
        Of the other views that have data.
    """

    first: Measurement
    others: list[Measurement] = field(default_factory=list)

    @property
    def claim(self) -> Claim:
        """The claim as it counts."""
        return self.first.claim

    @property
    def published(self) -> str:
        """The published value with its tolerance, as text."""
        value = text(self.claim.published)
        return value if self.claim.tolerance is None else f"{value} ± {text(self.claim.tolerance)}"


def merge(answers: Sequence[tuple[str, Sequence[Claim]]]) -> list[Line]:
    """One line per claim, in the order of the first answer.

    Parameters
    ----------
    answers : sequence of (view's name, claims)
        The view to be believed first comes first.
    """
    by_name: dict[str, list[Measurement]] = {}
    for view, claims in answers:
        for claim in claims:
            by_name.setdefault(claim.name, []).append(Measurement(claim, view))
    lines = []
    for found in by_name.values():
        measured = [m for m in found if m.claim.verdict != NOT_YET_RUN]
        lines.append(Line(measured[0], measured[1:]) if measured else Line(found[0]))
    return lines


def as_csv(sections: Iterable[Section]) -> str:
    """All lines of all sections as a table with commas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["experiment", "claim", "statement", "source", "published", "measured", "verdict", "run", "note"])
    for section in sections:
        for line in section.lines:
            claim = line.claim
            shown = claim.statement, claim.source, line.published, line.first.shown, claim.verdict, line.first.view
            writer.writerow([section.experiment.name, claim.name, *shown, claim.note])
    return out.getvalue()


def tally(lines: Sequence[Line]) -> dict[str, int]:
    """How many claims have each verdict, all four in their order."""
    counted = Counter(line.claim.verdict for line in lines)
    return {verdict: counted[verdict] for verdict in VERDICTS}

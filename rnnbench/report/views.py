"""Views: the trials that are looked at together.

Committed and local trials are never mixed, nor those of two presets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError
from rnnbench.runner.frames import frame
from rnnbench.runner.record import key_of
from rnnbench.runner.settings import PRESETS, SEARCH, trial_key
from rnnbench.runner.store import Damage, Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class View:
    """The trials of one experiment that share a source and a preset.

    Attributes
    ----------
    source : str
        "committed" or "local".
    preset : str
    records : list of dict
    complete : bool
        They cover the preset's whole sweep.
    """

    source: str
    preset: str
    records: Sequence[Mapping]
    complete: bool

    @property
    def name(self) -> str:
        """The view in words."""
        whose = "the committed" if self.source == "committed" else "this machine's"
        return f"{whose} {self.preset} run{'' if self.complete else ', unfinished'}"

    @property
    def stem(self) -> str:
        """The view in file names."""
        return f"{self.source}-{self.preset}"

    @property
    def counts(self) -> dict[str, int]:
        """Trials by status: ok, diverged, failed."""
        counted = Counter(record["status"] for record in self.records)
        return {status: counted[status] for status in ("ok", "diverged", "failed")}

    def frame(self) -> pd.DataFrame:
        """The trials as one tidy DataFrame."""
        return frame(self.records, source=self.source, preset=self.preset)


def views_of(store: Store, experiment: Experiment) -> tuple[list[View], list[Damage]]:
    """All views of an experiment, the one to be believed first, and the files that couldn't be used.

    A complete run comes before an unfinished one, then the larger preset, then the committed run. A local run
    that is what was committed isn't shown twice. Searches come last.
    """
    committed, local = store.read_committed(experiment.name), store.read_local(experiment.name)
    views = []
    for preset in reversed(PRESETS):
        for source, found in (("committed", committed), ("local", local)):
            records = [record for record in found.by_key.values() if preset in record["presets"]]
            known = found is local and all(_same(r, committed.by_key.get(key_of(r))) for r in records)
            if records and not known:
                views.append(View(source, preset, records, _complete(experiment, preset, records)))
    views.sort(key=lambda view: (view.preset == SEARCH, not view.complete))
    return views, [*committed.damage, *local.damage]


def _same(record: Mapping, other: Mapping | None) -> bool:
    """Both are the same trial's same run, whatever presets they stand for."""
    names = ("date", "seconds", "status", "rows")
    return other is not None and all(record[name] == other[name] for name in names)


def _complete(experiment: Experiment, preset: str, records: Sequence[Mapping]) -> bool:
    """The records cover the preset's sweep on some device with some root seed."""
    runs: dict[tuple[str, int], set[str]] = {}
    for record in records:
        runs.setdefault((record["device"], record["seed"]), set()).add(key_of(record))
    for (device, seed), keys in runs.items():
        try:
            sweep = experiment.sweep(preset, device)
        except UserError:  # told where the section loads the experiment
            return False
        if keys >= {trial_key(experiment.name, setting, seed, device) for setting in sweep}:
            return True
    return False

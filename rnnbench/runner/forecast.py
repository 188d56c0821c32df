"""How long a run will take, by how long its trials took before; nothing is run.

Time alone is foretold: records do not tell how much memory a trial had.
"""

from __future__ import annotations

import heapq
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnnbench.runner.discovery import Experiment
from rnnbench.runner.record import is_done
from rnnbench.runner.settings import canonical
from rnnbench.runner.store import Damage, Store
from rnnbench.runner.trial import Trial

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Prospect:
    """What is to be expected of an experiment.

    Attributes
    ----------
    experiment : str
    done : int
        Trials that have a result.
    seconds : list of float or None
        Of the trials to run, in their order; None where nothing tells.
    timed : bool
        Its trials run alone.
    """

    experiment: str
    done: int
    seconds: Sequence[float | None]
    timed: bool = False


def examine(
    store: Store, experiments: Sequence[Experiment], trials: Sequence[Trial]
) -> tuple[list[Prospect], list[Damage]]:
    """Hold the trials against the stored results, this machine's before committed ones.

    As in a run, only this machine's results spare a trial; the committed ones tell times.

    Parameters
    ----------
    store : Store
    experiments : sequence of Experiment
    trials : sequence of Trial
        Of these experiments.

    Returns
    -------
    prospects : list of Prospect
        One per experiment.
    damage : list of Damage
        Stored files that couldn't be used.
    """
    prospects, damage = [], []
    for experiment in experiments:
        name = experiment.name
        local, committed = store.read_local(name), store.read_committed(name)
        damage += [*local.damage, *committed.damage]
        mine = [trial for trial in trials if trial.experiment.name == name]
        results = {key: record for key, record in local.by_key.items() if is_done(record)}
        seconds = foretell([trial for trial in mine if trial.key not in results], committed.by_key | results)
        prospects.append(Prospect(name, len(mine) - len(seconds), seconds, experiment.timed))
    return prospects, damage


def foretell(trials: Sequence[Trial], records: Mapping[str, Mapping]) -> list[float | None]:
    """The seconds of each of an experiment's trials.

    Parameters
    ----------
    trials : sequence of Trial
    records : mapping
        The experiment's records by trial key. Failed ones tell nothing.

    Returns
    -------
    list of float or None
        What the trial itself took, whatever the code; else the median of its setting's records (those of other root
        seeds); else that of its preset's; else None. Another device's records tell nothing.
    """
    own, of_setting, of_preset = {}, defaultdict(list), defaultdict(list)
    for key, record in records.items():
        if is_done(record):
            own[key] = record["seconds"]
            of_setting[record["device"], canonical(record["setting"])].append(record["seconds"])
            for preset in record["presets"]:
                of_preset[record["device"], preset].append(record["seconds"])

    def seconds(trial: Trial) -> float | None:
        if trial.key in own:
            return own[trial.key]
        alike = of_setting.get((trial.device, canonical(trial.setting))) or of_preset.get((trial.device, trial.preset))
        return statistics.median(alike) if alike else None

    return [seconds(trial) for trial in trials]


def makespan(seconds: Iterable[float], workers: int) -> float:
    """How long so many workers take, each of which takes the next in turn when it has ended one.

    >>> makespan([3, 1, 1, 4], workers=2)  # 3 beside 1 + 1, then 4 beside what is left of the 3
    6.0
    """
    seconds = list(seconds)
    ends = [0.0] * min(workers, max(len(seconds), 1))
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def duration(prospects: Sequence[Prospect], workers: int) -> float:
    """How long the experiments' trials of known time take: those that take times alone, after the others."""
    known = [(p.timed, s) for p in prospects for s in p.seconds if s is not None]
    shared = makespan([s for timed, s in known if not timed], workers)
    return shared + sum(s for timed, s in known if timed)


def table(prospects: Sequence[Prospect], workers: int) -> list[dict[str, object]]:
    """A row per experiment, each by itself, and their total.

    Workers that have nothing left to do in an experiment begin the next: so the total may be less than the sum.

    Returns
    -------
    list of dict
        experiment, trials, done, to_run, predicted (in words; "?" for what is not known), unknown (how many trials
        that is).
    """
    rows = [(prospect.experiment, [prospect]) for prospect in prospects]
    return [_row(name, some, workers) for name, some in [*rows, ("total", prospects)]]


def _row(name: str, prospects: Sequence[Prospect], workers: int) -> dict[str, object]:
    done, to_run = sum(p.done for p in prospects), sum(len(p.seconds) for p in prospects)
    unknown = sum(each is None for p in prospects for each in p.seconds)
    known = [] if 0 < to_run == unknown else [words(duration(prospects, workers))]
    return {
        "experiment": name,
        "trials": done + to_run,
        "done": done,
        "to_run": to_run,
        "predicted": " + ".join([*known, *(["?"] if unknown else [])]),
        "unknown": unknown,
    }


def words(seconds: float) -> str:
    """A duration in the unit that suits it.

    >>> words(0), words(4.25), words(59.4), words(90), words(9000)
    ('0 s', '4.2 s', '59 s', '1.5 min', '2.5 h')
    """
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h"
    if seconds >= MINUTE:
        return f"{seconds / MINUTE:.1f} min"
    return f"{seconds:.2g} s"

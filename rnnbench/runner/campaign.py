"""A run: from experiments to trials, from trials to stored records, leaving out what is done."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rnnbench.runner import progress
from rnnbench.runner.claims import NOT_REPRODUCED, PARTLY, claims_of
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError, first_line
from rnnbench.runner.executors import Results
from rnnbench.runner.frames import frame
from rnnbench.runner.record import is_done, seal
from rnnbench.runner.running import announced
from rnnbench.runner.settings import check_override_names, override, root_seed
from rnnbench.runner.store import Damage, Store, with_preset
from rnnbench.runner.trial import Trial, code_hash


@dataclass
class Outcome:
    """What a run did.

    Attributes
    ----------
    counts : dict of str to int
        ok, failed, diverged: the trials that ran now.
    skipped : int
        Trials that had a result already.
    outdated : int
        Those among them that another version of the experiment's file, or of one of the user's, has made.
    damage : list of Damage
        Stored files that couldn't be used.
    interrupted : bool
    failures : list of str
        What went wrong, in the words of each kind of failure once.
    """

    counts: dict[str, int] = field(default_factory=lambda: {"ok": 0, "failed": 0, "diverged": 0})
    skipped: int = 0
    outdated: int = 0
    damage: list[Damage] = field(default_factory=list)
    interrupted: bool = False
    failures: list[str] = field(default_factory=list)


def plan(
    experiments: Sequence[Experiment],
    preset: str,
    device: str,
    seed: int,
    overrides: Mapping[str, list[str]],
    cells: tuple[Path, ...] = (),
    only: Collection[str] = (),
    store: Store | None = None,
) -> list[Trial]:
    """Every trial that the experiments' sweeps, ``--set`` and ``--only`` ask for, each once.

    Parameters
    ----------
    experiments : sequence of Experiment
    preset, device : str
    seed : int
        As the user gave it.
    overrides : mapping
        Of ``--set``.
    cells : tuple of Path
        The user's cell files.
    only : collection of str
        Trials whose setting ``cell`` is another, or that have none, are left out; empty: none is.
    store : Store, optional
        Where trials may keep checkpoints.

    Raises
    ------
    UserError
        An experiment can't be loaded, none of them runs on the device, or no sweep has a name of ``--set``.
    """
    usable = dict.fromkeys(one for experiment in experiments for one in experiment.devices)
    if usable and device not in usable:
        names = ", ".join(experiment.name for experiment in experiments)
        raise UserError(f"--device got {device!r}, which {names} can't use; expected {' or '.join(usable)}")
    sweeps = {experiment.name: experiment.sweep(preset, device) for experiment in experiments}
    if only:
        sweeps = {name: [s for s in sweep if s.get("cell") in only] for name, sweep in sweeps.items()}
    check_override_names(overrides, sweeps.values())
    seed = root_seed(preset, seed)
    trials: dict[str, Trial] = {}
    for experiment in experiments:
        options = extra_options(experiment, overrides, cells, only)
        for setting in override(sweeps[experiment.name], overrides):
            code = code_hash(experiment, (*cells, *experiment.files(setting)))
            trial = Trial(experiment, setting, seed, device, preset, code, options, store and store.local)
            trials.setdefault(trial.key, trial)
    return list(trials.values())


def extra_options(
    experiment: Experiment,
    overrides: Mapping[str, list[str]],
    cells: tuple[Path, ...] = (),
    only: Collection[str] = (),
) -> str:
    """What a command needs besides preset, device and seed to make a trial again.

    A user's files are told by their names alone: their folders are nobody else's.
    """
    words = []
    for name, values in overrides.items():
        words += ["--set", f"{name}={','.join(values)}"]
    if not experiment.packaged:
        words += ["--experiments", experiment.path.parent.name]
    for cell in cells:
        words += ["--cells", cell.name]
    if only:
        words += ["--only", ",".join(only)]
    return shlex.join(words)


def cells_of(options: str) -> tuple[str, ...]:
    """The names of the cell files among the options of `extra_options`, in their order."""
    words = shlex.split(options)
    return tuple(value for name, value in zip(words[::2], words[1::2], strict=True) if name == "--cells")


def run(
    store: Store,
    trials: Sequence[Trial],
    executor: Callable[[Sequence[Trial]], Results],
    workers: int = 1,
    again: bool = False,
) -> Outcome:
    """Run the trials that have no valid result yet, and store each as it ends.

    Parameters
    ----------
    store : Store
    trials : sequence of Trial
    executor : callable
        Takes trials, gives (trial, record) as they end; see `rnnbench.runner.executors`.
    workers : int
        How many trials it works on at a time.
    again : bool
        Run those too that have a result.

    Returns
    -------
    Outcome
        Ctrl-C ends the run early and is told there; what had ended is stored.
    """
    outcome = Outcome()
    todo = []
    for name in dict.fromkeys(trial.experiment.name for trial in trials):
        stored = store.read_local(name)
        outcome.damage += stored.damage
        for trial in (trial for trial in trials if trial.experiment.name == name):
            record = stored.by_key.get(trial.key)
            if again or not is_done(record):
                todo.append(trial)
                continue
            outcome.skipped += 1
            outcome.outdated += record["code"] != trial.code
            if trial.preset not in record["presets"]:
                presets = with_preset(record["presets"], trial.preset)
                store.write(seal({**record, "presets": presets}))
    if not todo:
        return outcome
    try:
        with (
            announced(store, [trial.key for trial in todo], workers),
            contextlib.closing(executor(todo)) as results,
            progress.progress(len(todo)) as advance,
        ):
            for trial, record in results:
                store.write(record)
                outcome.counts[record["status"]] += 1
                if record["status"] == "failed":
                    error = record["error"]
                    outcome.failures.append(f"{trial.experiment.name}: {error['message'] or error['type']}")
                advance(trial, record)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.failures = list(dict.fromkeys(outcome.failures))
    return outcome


def unmet(store: Store, trials: Sequence[Trial]) -> list[str]:
    """The claims that these trials' results do not meet, of the experiments that check the code: a line for each."""
    lines = []
    for experiment in dict.fromkeys(trial.experiment for trial in trials if trial.experiment.checks):
        mine = [trial for trial in trials if trial.experiment == experiment]
        known = store.read_committed(experiment.name).by_key | store.read_local(experiment.name).by_key
        records = [known[trial.key] for trial in mine if trial.key in known]
        df = frame(records, source="local", preset=mine[0].preset, columns=list(mine[0].setting))
        try:
            claims = claims_of(experiment.load(), df)
        except (Exception, SystemExit) as error:
            raise UserError(f"experiment {experiment.name!r}: claims() raised {first_line(error)}") from error
        for claim in claims:
            if claim.verdict in (PARTLY, NOT_REPRODUCED):
                found = f"{claim.measured}, expected {claim.published}. {claim.note}"
                lines.append(f"{experiment.name}, {claim.name}: {claim.statement} Found {found}")
    return lines


def commit(store: Store, trials: Sequence[Trial], whole: bool) -> list[Path]:
    """Put the trials' local results into the committed tables.

    Parameters
    ----------
    store : Store
    trials : sequence of Trial
    whole : bool
        The trials are a preset's whole sweep: committed ones of the same preset, device and seed that it no
        longer has are dropped from the table.

    Returns
    -------
    list of Path
        The tables written.

    Raises
    ------
    UserError
        A table is damaged, and writing it anew would drop what cannot be read.
    """
    names = list(dict.fromkeys(trial.experiment.name for trial in trials))
    committed = {name: store.read_committed(name) for name in names}
    for damaged in (damaged for found in committed.values() for damaged in found.damage):
        raise UserError(f"--commit would drop what can't be read: {damaged}; restore the file or remove it first")
    paths = []
    for name in names:
        mine = {trial.key: trial for trial in trials if trial.experiment.name == name}
        table = committed[name].by_key
        if whole:
            first = next(iter(mine.values()))
            table = {key: r for key, r in table.items() if key in mine or not _same_sweep(r, first)}
        for key, record in store.read_local(name).by_key.items():
            if key in mine and (is_done(record) or not is_done(table.get(key))):
                presets = table[key]["presets"] if key in table else []
                table[key] = seal({**record, "presets": with_preset(presets, mine[key].preset)})
        paths.append(store.commit(name, table.values()))
    return paths


def _same_sweep(record: Mapping, trial: Trial) -> bool:
    """The record belongs to the trial's preset, device and seed, and to no other preset."""
    return (record["presets"], record["device"], record["seed"]) == ([trial.preset], trial.device, trial.seed)

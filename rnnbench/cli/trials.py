"""``plan`` and ``run``: what the options ask for, foretold or done."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnbench.cli import options
from rnnbench.cli.say import say
from rnnbench.runner.errors import UserError, closest

if TYPE_CHECKING:
    from rnnbench.runner.campaign import Outcome
    from rnnbench.runner.discovery import Experiment
    from rnnbench.runner.store import Store
    from rnnbench.runner.trial import Trial


def plan(
    names: options.Names,
    preset: options.Preset = "smoke",
    sets: options.Settings = None,
    device: options.Device = "cpu",
    workers: options.Workers = "1",
    seed: options.Seed = "0",
    results: options.Results = None,
    experiments: options.Experiments = None,
    cells: options.Cells = None,
    only_cells: options.OnlyCells = None,
) -> None:
    """Show what `run` would do, and how long it would take by the times of stored results; nothing is run.

    A trial takes as long as one of the same setting did, whatever the code, or else the median of its experiment's
    trials of the same preset; "?" stands for trials without either. Memory is not predicted: results do not tell it.
    """
    from rnnbench.runner import arguments, forecast, listing
    from rnnbench.runner.store import Store, default_results

    count = arguments.whole_number("--workers", workers, minimum=1)
    store = Store(results or default_results())
    store.require_readable()
    chosen, trials = _choose(store, names, preset, sets, device, seed, experiments, cells, only_cells)
    prospects, damage = forecast.examine(store, chosen, trials)
    for damaged in damage:
        say(f"damaged, and not used: {damaged}")
    print(listing.columns(forecast.table(prospects, count)) if trials else _nothing(preset, only_cells))


def run(
    names: options.Names,
    preset: options.Preset = "smoke",
    sets: options.Settings = None,
    device: options.Device = "cpu",
    workers: options.Workers = "1",
    cluster: Annotated[
        str | None, typer.Option(metavar="TCP://...", help="A dask scheduler that gets the trials instead.")
    ] = None,
    seed: options.Seed = "0",
    results: options.Results = None,
    experiments: options.Experiments = None,
    cells: options.Cells = None,
    only_cells: options.OnlyCells = None,
    again: Annotated[bool, typer.Option("--again", help="Run trials that have a result, too.")] = False,
    commit: Annotated[
        bool,
        typer.Option(
            "--commit", help="Afterwards, put these trials into the committed tables results/EXPERIMENT.json."
        ),
    ] = False,
) -> None:
    """Run experiments; trials that have a result are left out, so a stopped run goes on by itself."""
    from rnnbench.runner import arguments, campaign, executors
    from rnnbench.runner.store import Store, default_results

    count = arguments.whole_number("--workers", workers, minimum=1)
    store = Store(results or default_results())
    _, trials = _choose(store, names, preset, sets, device, seed, experiments, cells, only_cells)
    store.require_writable()

    prepare = functools.partial(options.load_cells, _absolute(cells))
    if cluster is not None:
        executor = functools.partial(executors.cluster, address=cluster, prepare=prepare)
    elif count > 1:
        executor = functools.partial(executors.pool, workers=count, prepare=prepare)
    else:
        executor = executors.serial
    outcome = campaign.run(store, trials, executor, count, again)
    _summarise(outcome, len(trials), _nothing(preset, only_cells))
    if outcome.interrupted:
        say("interrupted: what had ended is stored, and the same command goes on from there")
        raise typer.Exit(130)
    if commit:
        for path in campaign.commit(store, trials, whole=not sets and not only_cells):
            print(f"wrote {path}")
    wrong = campaign.unmet(store, trials)
    for line in wrong:
        say(f"wrong: {line}")
    raise typer.Exit(1 if wrong or outcome.counts["failed"] else 0)


def _choose(
    store: Store,
    names: Sequence[str],
    preset: str,
    sets: Sequence[str] | None,
    device: str,
    seed: str,
    experiments: Path | None,
    cells: Sequence[Path] | None,
    only_cells: str | None,
) -> tuple[list[Experiment], list[Trial]]:
    """The experiments and their trials that the options of `plan` and `run` ask for, the options checked."""
    from rnnbench.runner import arguments, campaign
    from rnnbench.runner.discovery import choose, find_experiments
    from rnnbench.runner.settings import parse_overrides

    arguments.check_preset(preset)
    arguments.check_device(device)
    root_seed = arguments.seed("--seed", seed)
    overrides = parse_overrides(sets or ())
    chosen = choose(find_experiments(experiments), names)
    options.load_cells(cells)
    only = tuple(dict.fromkeys(part.strip() for part in (only_cells or "").split(",") if part.strip()))
    if only_cells is not None and not only:
        raise UserError(f"--only got {only_cells!r}, expected the names of cells")
    _check_cell_names("--set cell", overrides.get("cell", ()))
    _check_cell_names("--only", only)
    return chosen, campaign.plan(chosen, preset, device, root_seed, overrides, _absolute(cells), only, store)


def _absolute(cells: Sequence[Path] | None) -> tuple[Path, ...]:
    """The user's cell files by names that another process understands, too."""
    return tuple(path.absolute() for path in cells or ())


def _check_cell_names(option: str, names: Sequence[str]) -> None:
    """A UserError for an unknown cell in ``--set cell=...``, which would fail only trial by trial, or ``--only``."""
    if names:
        from rnnbench import cells

        known = cells.names()
        for name in names:
            if name not in known:
                raise UserError(f"{option}: got {name!r}, {closest(name, known)}")


def _summarise(outcome: Outcome, total: int, nothing: str) -> None:
    """Say what a run did: counts to the output, what a user must know to the error stream."""
    for damage in outcome.damage:
        say(f"damaged, and not used: {damage}")
    if outcome.outdated:
        say(
            f"{outcome.outdated} results were made by another version of the experiment's file or of one of yours; "
            "--again makes them anew"
        )
    for failure in outcome.failures:
        say(f"failed: {failure}")
    if not total:
        print(nothing)
        return
    counts = ", ".join(f"{number} {status}" for status, number in outcome.counts.items() if number)
    print(f"{total} trials: {counts or 'none to run'}; {outcome.skipped} had a result already")


def _nothing(preset: str, only_cells: str | None) -> str:
    if only_cells is None:
        return f"nothing to run: the preset {preset!r} is empty here"
    return f"nothing to run: the preset {preset!r} has no trial of --only {only_cells} here"

"""The command line: ``list``, ``show``, ``run``, ``status``, ``report``, ``verify``, ``docs`` and ``doctor``.

Everything heavy is imported inside the commands, so that help, ``list`` and ``status`` answer at once.
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnbench.runner.errors import UserError, closest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rnnbench.runner.campaign import Outcome

KINDS = ("cells", "tasks", "experiments", "devices")

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ExperimentsOption = Annotated[
    Path | None, typer.Option("--experiments", metavar="DIR", help="A folder with experiments of your own.")
]
CellsOption = Annotated[
    list[Path] | None,
    typer.Option("--cells", metavar="FILE", help="A file with a cell of your own; may be repeated."),
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(
        "--results", metavar="DIR", help="Where results are kept (default: results, here or in the checkout)."
    ),
]


def main() -> None:
    """Run the command line and exit: 0 done, 1 something failed, 2 wrong usage, 130 interrupted."""
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        _say(str(error))
        code = 2
    except typer.TyperException as error:
        _say(f"{error.format_message()} (see rnnbench --help)")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted")
        code = 130
    sys.exit(code or 0)


def load_cells(paths: tuple[Path, ...]) -> None:
    """Register the user's cell files in this process.

    Raises
    ------
    UserError
        A file is missing or is no cell.
    """
    if not paths:
        return
    from rnnbench import cells

    for path in paths:
        if not path.is_file():
            raise UserError(f"--cells got {str(path)!r}, expected a file")
        try:
            cells.load_file(path)
        except ValueError as error:
            raise UserError(f"--cells got {str(path)!r}: {error}") from error


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    """The reference bench for recurrent neural networks."""
    if show:
        from rnnbench import __version__

        print(f"rnnbench {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


@app.command("list")
def list_(
    kind: Annotated[
        str | None, typer.Argument(metavar="[cells|tasks|experiments|devices]", help="Default: all four.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    experiments: ExperimentsOption = None,
    cells: CellsOption = None,
) -> None:
    """List the cells, tasks, experiments or devices there are."""
    from rnnbench.runner import listing
    from rnnbench.runner.discovery import find_experiments

    if kind is not None and kind not in KINDS:
        raise UserError(f"list got {kind!r}, {closest(kind, KINDS)}")
    load_cells(tuple(cells or ()))
    rows = {
        "cells": _describe_cells,
        "tasks": listing.tasks,
        "experiments": lambda: listing.experiments(find_experiments(experiments)),
        "devices": listing.devices,
    }
    found = {name: rows[name]() for name in ([kind] if kind else KINDS)}
    if as_json:
        print(json.dumps(found[kind] if kind else found, indent=2, default=str))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for number, (name, listed) in enumerate(found.items()):
        if kind is None:
            print(("\n" if number else "") + name.upper())
        shown = listing.brief_cells(listed) if name == "cells" else listed
        print(listing.columns(shown, width) if shown else f"There are no {name} here yet.")


def _describe_cells() -> list[dict]:
    from rnnbench import cells

    return [cells.describe(name) for name in cells.names()]


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="CELL", help="A name from `rnnbench list cells`.")],
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="An option of the cell; may be repeated.")
    ] = None,
    input_size: Annotated[str, typer.Option(metavar="N", help="For the shapes and costs.")] = "128",
    hidden_size: Annotated[str, typer.Option(metavar="N", help="For the shapes and costs.")] = "128",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cells: CellsOption = None,
) -> None:
    """Show a cell: its equations, options, states, gates, costs and sources."""
    from rnnbench.pages.card import card
    from rnnbench.pages.facts import find
    from rnnbench.runner import arguments

    load_cells(tuple(cells or ()))
    inputs = arguments.whole_number("--input-size", input_size, minimum=0)
    units = arguments.whole_number("--hidden-size", hidden_size, minimum=1)
    facts = find(name, sets or (), inputs, units)
    print(json.dumps(facts, indent=2, default=str) if as_json else card(facts))


@app.command()
def run(
    names: Annotated[list[str], typer.Argument(metavar="EXPERIMENT...|all", help="Names from `rnnbench list`.")],
    preset: Annotated[str, typer.Option(metavar="smoke|quick|search|paper", help="The size.")] = "smoke",
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=V1,V2",
            help="Pick the settings of the sweep with these values, or replace a setting by a value that the sweep "
            "does not hold; may be repeated, which gives the product. "
            "Experiments whose sweep has no such setting run as they are.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="Where the kernels run.")] = "cpu",
    workers: Annotated[str, typer.Option(metavar="N", help="Processes that share the trials.")] = "1",
    cluster: Annotated[
        str | None, typer.Option(metavar="TCP://...", help="A dask scheduler that gets the trials instead.")
    ] = None,
    seed: Annotated[str, typer.Option(metavar="N", help="The root seed.")] = "0",
    results: ResultsOption = None,
    experiments: ExperimentsOption = None,
    cells: CellsOption = None,
    only_cells: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="CELL1,CELL2",
            help="Run the trials of these cells alone; experiments that sweep over no cells are left out.",
        ),
    ] = None,
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
    from rnnbench.runner.discovery import choose, find_experiments
    from rnnbench.runner.settings import parse_overrides
    from rnnbench.runner.store import Store, default_results

    arguments.check_preset(preset)
    arguments.check_device(device)
    count = arguments.whole_number("--workers", workers, minimum=1)
    root_seed = arguments.seed("--seed", seed)
    overrides = parse_overrides(sets or ())
    chosen = choose(find_experiments(experiments), names)
    load_cells(tuple(cells or ()))
    files = tuple(path.absolute() for path in cells or ())
    only = tuple(dict.fromkeys(part.strip() for part in (only_cells or "").split(",") if part.strip()))
    _check_cell_names("--set cell", overrides.get("cell", ()))
    _check_cell_names("--only", only)
    store = Store(results or default_results())
    store.require_writable()
    trials = campaign.plan(chosen, preset, device, root_seed, overrides, files, only, store)

    prepare = functools.partial(load_cells, files)
    if cluster is not None:
        executor = functools.partial(executors.cluster, address=cluster, prepare=prepare)
    elif count > 1:
        executor = functools.partial(executors.pool, workers=count, prepare=prepare)
    else:
        executor = executors.serial
    outcome = campaign.run(store, trials, executor, count, again)
    _summarise(outcome, len(trials), preset)
    if outcome.interrupted:
        _say("interrupted: what had ended is stored, and the same command goes on from there")
        raise typer.Exit(130)
    if commit:
        for path in campaign.commit(store, trials, whole=not overrides and not only):
            print(f"wrote {path}")
    raise typer.Exit(1 if outcome.counts["failed"] else 0)


def _check_cell_names(option: str, names: Sequence[str]) -> None:
    """A UserError for an unknown cell in ``--set cell=...``, which would fail only trial by trial, or ``--only``."""
    if names:
        from rnnbench import cells

        known = cells.names()
        for name in names:
            if name not in known:
                raise UserError(f"{option}: got {name!r}, {closest(name, known)}")


def _summarise(outcome: Outcome, total: int, preset: str) -> None:
    """Say what a run did: counts to the output, what a user must know to the error stream."""
    for damage in outcome.damage:
        _say(f"damaged, and not used: {damage}")
    if outcome.outdated:
        _say(
            f"{outcome.outdated} results were made by another version of the experiment's or cell's file; "
            "--again makes them anew"
        )
    for failure in outcome.failures:
        _say(f"failed: {failure}")
    if not total:
        print(f"nothing to run: the preset {preset!r} is empty here")
        return
    counts = ", ".join(f"{number} {status}" for status, number in outcome.counts.items() if number)
    print(f"{total} trials: {counts or 'none to run'}; {outcome.skipped} had a result already")


@app.command()
def status(
    results: ResultsOption = None,
    experiments: ExperimentsOption = None,
    cells: CellsOption = None,
) -> None:
    """Show how many trials are done, failed, running or to do."""
    from rnnbench.runner import listing
    from rnnbench.runner.discovery import find_experiments
    from rnnbench.runner.status import count
    from rnnbench.runner.store import Store, default_results

    load_cells(tuple(cells or ()))
    store = Store(results or default_results())
    store.require_readable()
    found = find_experiments(experiments)
    rows, problems = count(store, list(found.values()))
    print(listing.columns(rows) if rows else "There are no experiments here yet.")
    strangers = [name for name in store.experiments() if name not in found]
    if strangers:
        problems.append(f"there are results of unknown experiments: {', '.join(strangers)}")
    for problem in problems:
        _say(problem)
    raise typer.Exit(1 if problems else 0)


@app.command()
def report(
    results: ResultsOption = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the report goes (default: reports beside the results)."),
    ] = None,
    experiments: ExperimentsOption = None,
    cells: CellsOption = None,
) -> None:
    """Write index.html, one offline file, with figures and tables beside it."""
    from rnnbench.report.build import build
    from rnnbench.runner.discovery import find_experiments
    from rnnbench.runner.store import Store, default_results

    load_cells(tuple(cells or ()))
    store = Store((results or default_results()).absolute())
    store.require_readable()
    built = build(store, find_experiments(experiments), output or store.root.parent / "reports")
    for problem in built.problems:
        _say(problem)
    print(built.page)
    raise typer.Exit(1 if built.problems else 0)


@app.command()
def verify(
    trials: Annotated[str, typer.Option(metavar="N", help="How many trials are run again.")] = "5",
    seconds: Annotated[str, typer.Option(metavar="N", help="Trials that took longer are not run again.")] = "60",
    seed: Annotated[str, typer.Option(metavar="N", help="Draws other trials.")] = "0",
    results: ResultsOption = None,
    experiments: ExperimentsOption = None,
    cells: CellsOption = None,
) -> None:
    """Check stored results: schema, checksums, provenance, choices, and some trials run again."""
    from rnnbench.runner import arguments
    from rnnbench.runner.discovery import find_experiments
    from rnnbench.runner.store import Store, default_results
    from rnnbench.runner.verify import BAD
    from rnnbench.runner.verify import verify as findings

    count, draw = arguments.whole_number("--trials", trials, 0), arguments.seed("--seed", seed)
    limit = arguments.whole_number("--seconds", seconds, 0)
    load_cells(tuple(cells or ()))
    store = Store(results or default_results())
    store.require_readable()
    problems = 0
    for found in findings(store, find_experiments(experiments), count, draw, limit, tuple(cells or ())):
        print(f"{found.level:8} {found.experiment}: {found.words}", flush=True)
        problems += found.level == BAD
    print(f"{problems} problem{'' if problems == 1 else 's'}")
    raise typer.Exit(1 if problems else 0)


@app.command()
def docs(
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the pages go (default: reports/cells, here or in the checkout)."),
    ] = None,
    cells: CellsOption = None,
) -> None:
    """Write a page per cell, with its equations and its data-flow graph, and an index; no network needed."""
    from rnnbench.pages.build import build
    from rnnbench.runner.store import default_results

    load_cells(tuple(cells or ()))
    print(build(output or default_results().absolute().parent / "reports" / "cells"))


@app.command()
def doctor(results: ResultsOption = None) -> None:
    """Show what this machine has: Python, SIMD, threads, BLAS, CUDA and peers."""
    from rnnbench.runner.doctor import examine
    from rnnbench.runner.store import default_results

    facts = examine(results or default_results())
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:{width}}  {value}")


def _say(message: str) -> None:
    """One line to the error stream."""
    print(f"rnnbench: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()

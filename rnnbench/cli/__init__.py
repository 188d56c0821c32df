"""The command line: ``list``, ``show``, ``plan``, ``run``, ``status``, ``report``, ``verify``, ``docs`` and ``doctor``.

Everything heavy is imported inside the commands, so that help, ``list`` and ``status`` answer at once.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from rnnbench.cli import options, trials
from rnnbench.cli.say import say
from rnnbench.runner.errors import UserError, closest

KINDS = ("cells", "tasks", "experiments", "devices")

INTERRUPTED = 130  # what shells give for Ctrl-C


class _Commands(TyperGroup):
    """The commands, which tell of a Ctrl-C: Typer itself ends without a word."""

    def invoke(self, ctx: typer.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted; the stored results are whole")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Run the command line and exit: 0 done, 1 something failed, 2 wrong usage, 130 interrupted."""
    _open_streams()
    try:
        code = _call()
        sys.stdout.flush()
    except OSError as error:
        if not _stdout_fails():
            if error.filename is None:
                raise
            say(f"{str(error.filename)!r} can't be used: {error.strerror}")
            sys.exit(2)
        if not isinstance(error, BrokenPipeError):  # who has stopped reading knows
            say(f"the output can't be written: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left when Python ends
        code = 1
    sys.exit(code)


def _call() -> int:
    """The exit code of the command that the user has given."""
    try:
        return app(standalone_mode=False) or 0
    except UserError as error:
        say(str(error))
        return 2
    except typer.TyperException as error:
        say(f"{error.format_message()} (see rnnbench --help)")
        return error.exit_code
    except KeyboardInterrupt:  # before any command had begun
        say("interrupted")
        return INTERRUPTED


def _stdout_fails() -> bool:
    """Whether the output is what can't be written: then it can't be written again."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def _open_streams() -> None:
    """Make output and errors writable, whatever the caller has closed and whichever letters the terminal lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        if hasattr(getattr(sys, name), "reconfigure"):  # a stand-in of the caller's may have no letters to lack
            getattr(sys, name).reconfigure(errors="backslashreplace")


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
    experiments: options.Experiments = None,
    cells: options.Cells = None,
) -> None:
    """List the cells, tasks, experiments or devices there are."""
    from rnnbench.runner import listing
    from rnnbench.runner.discovery import find_experiments

    if kind is not None and kind not in KINDS:
        raise UserError(f"list got {kind!r}, {closest(kind, KINDS)}")
    options.load_cells(cells)
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
    cells: options.Cells = None,
) -> None:
    """Show a cell: its equations, options, states, gates, costs and sources."""
    from rnnbench.pages.card import card
    from rnnbench.pages.facts import find
    from rnnbench.runner import arguments

    options.load_cells(cells)
    inputs = arguments.whole_number("--input-size", input_size, minimum=0)
    units = arguments.whole_number("--hidden-size", hidden_size, minimum=1)
    facts = find(name, sets or (), inputs, units)
    print(json.dumps(facts, indent=2, default=str) if as_json else card(facts))


app.command()(trials.plan)
app.command()(trials.run)


@app.command()
def status(
    results: options.Results = None,
    experiments: options.Experiments = None,
    cells: options.Cells = None,
) -> None:
    """Show how many trials are done, failed, running or to do."""
    from rnnbench.runner import listing
    from rnnbench.runner.discovery import find_experiments
    from rnnbench.runner.status import count
    from rnnbench.runner.store import Store, default_results

    options.load_cells(cells)
    store = Store(results or default_results())
    store.require_readable()
    found = find_experiments(experiments)
    rows, problems = count(store, list(found.values()))
    print(listing.columns(rows) if rows else "There are no experiments here yet.")
    strangers = [name for name in store.experiments() if name not in found]
    if strangers:
        problems.append(f"there are results of unknown experiments: {', '.join(strangers)}")
    for problem in problems:
        say(problem)
    raise typer.Exit(1 if problems else 0)


@app.command()
def report(
    results: options.Results = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the report goes (default: reports beside the results)."),
    ] = None,
    experiments: options.Experiments = None,
    cells: options.Cells = None,
) -> None:
    """Write index.html, one offline file, with figures and tables beside it."""
    from rnnbench.report.build import build
    from rnnbench.runner.discovery import find_experiments
    from rnnbench.runner.store import Store, default_results

    options.load_cells(cells)
    store = Store((results or default_results()).absolute())
    store.require_readable()
    built = build(store, find_experiments(experiments), output or store.root.parent / "reports")
    if not store.experiments():
        say(f"there are no results in {store.root}")
    for problem in built.problems:
        say(problem)
    print(built.page)
    raise typer.Exit(1 if built.problems else 0)


@app.command()
def verify(
    trials: Annotated[str, typer.Option(metavar="N", help="How many trials are run again.")] = "5",
    seconds: Annotated[str, typer.Option(metavar="N", help="Trials that took longer are not run again.")] = "60",
    seed: Annotated[str, typer.Option(metavar="N", help="Draws other trials.")] = "0",
    results: options.Results = None,
    experiments: options.Experiments = None,
    cells: options.Cells = None,
) -> None:
    """Check stored results: schema, checksums, provenance, choices, and some trials run again."""
    from rnnbench.runner import arguments
    from rnnbench.runner.discovery import find_experiments
    from rnnbench.runner.store import Store, default_results
    from rnnbench.runner.verify import BAD
    from rnnbench.runner.verify import verify as findings

    count, draw = arguments.whole_number("--trials", trials, 0), arguments.seed("--seed", seed)
    limit = arguments.whole_number("--seconds", seconds, 0)
    options.load_cells(cells)
    store = Store(results or default_results())
    store.require_readable()
    problems = 0
    if not store.experiments():
        say(f"there are no results in {store.root}")
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
    cells: options.Cells = None,
) -> None:
    """Write a page per cell, with its equations and its data-flow graph, and an index; no network needed."""
    from rnnbench.pages.build import build
    from rnnbench.runner.store import default_results

    options.load_cells(cells)
    print(build(output or default_results().absolute().parent / "reports" / "cells"))


@app.command()
def doctor(results: options.Results = None) -> None:
    """Show what this machine has: Python, SIMD, threads, BLAS, CUDA and peers."""
    from rnnbench.runner.doctor import examine
    from rnnbench.runner.store import default_results

    facts = examine(results or default_results())
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:{width}}  {value}")

"""The options that several commands have, each told once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rnnbench.runner.errors import UserError

Experiments = Annotated[
    Path | None, typer.Option("--experiments", metavar="DIR", help="A folder with experiments of your own.")
]
Cells = Annotated[
    list[Path] | None,
    typer.Option("--cells", metavar="FILE", help="A file with a cell of your own; may be repeated."),
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results", metavar="DIR", help="Where results are kept (default: results, here or in the checkout)."
    ),
]

# What chooses trials: `plan` and `run` must understand the same words.
Names = Annotated[list[str], typer.Argument(metavar="EXPERIMENT...|all", help="Names from `rnnbench list`.")]
Preset = Annotated[str, typer.Option(metavar="smoke|quick|search|paper", help="The size.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=V1,V2",
        help="Pick the settings of the sweep with these values, or replace a setting by a value that the sweep "
        "does not hold; may be repeated, which gives the product. "
        "Experiments whose sweep has no such setting run as they are.",
    ),
]
Device = Annotated[str, typer.Option(metavar="cpu|cuda", help="Where the kernels run.")]
Workers = Annotated[str, typer.Option(metavar="N", help="Processes that share the trials.")]
Seed = Annotated[str, typer.Option(metavar="N", help="The root seed.")]
OnlyCells = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="CELL1,CELL2",
        help="Run the trials of these cells alone; experiments that sweep over no cells are left out.",
    ),
]


def load_cells(paths: Sequence[Path] | None) -> None:
    """Register the user's cell files in this process.

    Raises
    ------
    UserError
        A file is missing or is no cell.
    """
    if not paths:
        return
    from rnnbench import cells

    given = [path.name for path in paths]
    if twice := next((name for name in given if given.count(name) > 1), None):
        raise UserError(f"--cells got two files of the name {twice!r}, expected one of each: it is the cell's name")
    for path in paths:
        if not path.is_file():
            raise UserError(f"--cells got {str(path)!r}, expected a file")
        try:
            cells.load_file(path)
        except ValueError as error:
            raise UserError(f"--cells got {str(path)!r}: {error}") from error

"""How far a run is: a bar on a terminal, a line per trial elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rnnbench.runner.trial import Trial

Advance = Callable[[Trial, dict], None]


@contextlib.contextmanager
def progress(total: int) -> Iterator[Advance]:
    """Inside, call the given function with each trial and its record as they end.

    On a terminal there is one bar, and only failed and diverged trials leave a line; elsewhere every trial
    leaves one.
    """
    if sys.stderr.isatty():
        with _bar(total) as advance:
            yield advance
    else:
        yield _lines(total)


def sentence(trial: Trial, record: dict) -> str:
    """A trial's end in one line."""
    error = record["error"]
    reason = f": {error['type']}: {error['message'].partition(chr(10))[0]}" if error else ""
    return f"{trial.describe()} {record['status']} after {record['seconds']:.2f} s{reason}"


def _lines(total: int) -> Advance:
    width, done = len(str(total)), 0

    def advance(trial: Trial, record: dict) -> None:
        nonlocal done
        done += 1
        print(f"[{done:{width}}/{total}] {sentence(trial, record)}", file=sys.stderr, flush=True)

    return advance


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("trials", total=total)

        def advance(trial: Trial, record: dict) -> None:
            if record["status"] != "ok":
                bar.console.print(escape(sentence(trial, record)), highlight=False)
            bar.update(task, advance=1, description=escape(trial.experiment.name))

        yield advance

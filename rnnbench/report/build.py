"""From a results folder to a report folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rnnbench.files import write_whole
from rnnbench.report.ledger import as_csv
from rnnbench.report.page import render
from rnnbench.report.sections import make_section
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError
from rnnbench.runner.store import Store


@dataclass(frozen=True)
class Built:
    """A finished report: its page, and every problem that it tells of."""

    page: Path
    problems: list[str]


def build(store: Store, experiments: Mapping[str, Experiment], output: Path) -> Built:
    """Write ``index.html``, ``figures/*.svg``, ``figures/*.png``, ``tables/*.csv`` and ``tables/ledger.csv``.

    Parameters
    ----------
    store : Store
    experiments : mapping of str to Experiment
        Each gets a section, whether or not it has results.
    output : Path
        Made if need be.

    Returns
    -------
    Built

    Raises
    ------
    UserError
        ``output`` can't be written to.
    """
    try:
        for folder in ("figures", "tables"):
            (output / folder).mkdir(parents=True, exist_ok=True)
        sections = [make_section(store, experiment, output) for experiment in experiments.values()]
        strangers = [name for name in store.experiments() if name not in experiments]
        write_whole(output / "tables" / "ledger.csv", as_csv(sections))
        page = output / "index.html"
        write_whole(page, render(sections, strangers))
    except OSError as error:
        if error.filename is not None and not Path(error.filename).is_relative_to(output):
            raise
        expected = f"expected a folder that can be written to ({error.strerror})"
        raise UserError(f"--output got {str(output)!r}, {expected}") from error
    problems = [problem for section in sections for problem in (*section.problems, *section.damage)]
    return Built(page, problems)

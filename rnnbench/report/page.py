"""The page: jinja2 fills ``page.html``; style and figures are inside, so the one file works offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rnnbench import __version__
from rnnbench.report.ledger import tally
from rnnbench.report.sections import Section
from rnnbench.report.tables import text
from rnnbench.runner.provenance import git_state

HERE = Path(__file__).resolve().parent

# A verdict is told by its words and its sign, never by colour alone.
SIGNS = {"reproduced": "✓", "partly": "◐", "not reproduced": "✗", "not yet run": "○"}


def render(sections: Sequence[Section], strangers: Sequence[str]) -> str:
    """The page as text.

    Parameters
    ----------
    sections : sequence of Section
    strangers : sequence of str
        Experiments that have results but no file.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["number"] = text
    lines = [line for section in sections for line in section.lines]
    commit, dirty = git_state()
    return environment.get_template("page.html").render(
        css=(HERE / "page.css").read_text(encoding="utf-8"),
        sections=sections,
        strangers=strangers,
        tally=tally(lines),
        signs=SIGNS,
        empty=not any(section.shown for section in sections),
        version=__version__,
        commit=commit,
        dirty=dirty,
    )

"""One section per experiment: what it answers for each view of its trials.

An error in one of its functions stops no other, and no other experiment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rnnbench.files import write_whole
from rnnbench.report import figures, style, tables
from rnnbench.report.ledger import Line, merge, tally
from rnnbench.report.views import View, views_of
from rnnbench.runner.claims import Claim, claims_of
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError, first_line
from rnnbench.runner.frames import frame
from rnnbench.runner.record import count_rows, key_of
from rnnbench.runner.settings import PRESETS, SEARCH, SEARCH_SEEDS, canonical
from rnnbench.runner.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ShownFigure:
    """A figure in the page: its inline SVG, its caption and its files' stem."""

    svg: str
    caption: str
    stem: str


@dataclass(frozen=True)
class ShownTable:
    """A table in the page: its text, its caption and its file's stem."""

    table: tables.Table
    caption: str
    stem: str


@dataclass(frozen=True)
class Origin:
    """Trials that were made alike: what makes them again, and what they were made with."""

    command: str
    provenance: Mapping[str, object]
    seed: int
    dates: tuple[str, str]
    trials: int


@dataclass
class ShownView:
    """What an experiment shows of one view."""

    view: View
    figures: list[ShownFigure] = field(default_factory=list)
    tables: list[ShownTable] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The number of measured rows."""
        return sum(count_rows(record["rows"]) for record in self.view.records)

    @property
    def failures(self) -> list[dict]:
        """The trials that failed or diverged, each with its key, setting, status and error."""
        return [
            {"key": key_of(record), **{n: record[n] for n in ("setting", "status", "error")}}
            for record in self.view.records
            if record["status"] != "ok"
        ]

    @property
    def origins(self) -> list[Origin]:
        """The view's trials by the command and the circumstances that made them."""
        groups: dict[str, list[Mapping]] = {}
        for record in self.view.records:
            made_with = {n: record[n] for n in ("provenance", "device", "seed")}
            groups.setdefault(canonical(made_with), []).append(record)
        return [_origin(group, self.view.preset) for group in groups.values()]


@dataclass
class Section:
    """What the report says of one experiment."""

    experiment: Experiment
    lines: list[Line] = field(default_factory=list)
    shown: list[ShownView] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def tally(self) -> dict[str, int]:
        """How many of its claims have each verdict."""
        return tally(self.lines)

    @property
    def paragraphs(self) -> list[str]:
        """The docstring below its first line."""
        rest = self.experiment.docstring.partition("\n")[2]
        return [part.strip() for part in re.split(r"\n\s*\n", rest) if part.strip()]


def make_section(store: Store, experiment: Experiment, output: Path) -> Section:
    """Read an experiment's results and ask it for claims, figures and tables.

    Parameters
    ----------
    store : Store
    experiment : Experiment
    output : Path
        Its folders ``figures`` and ``tables`` exist; files are written there.
    """
    section = Section(experiment)
    views, damage = views_of(store, experiment)
    section.damage = [str(item) for item in damage]
    section.shown = [ShownView(view) for view in views]
    try:
        module = experiment.load()
    except UserError as error:
        section.problems.append(str(error))
        return section
    answers = []
    for shown in section.shown:
        df, view = _with_settings(section, shown.view), shown.view.name
        stem = f"{experiment.name}-{shown.view.stem}"
        if shown.view.preset == SEARCH:  # it chooses, and nothing is claimed on what it has seen
            shown.tables = _ask(section, f"choose() for {view}", _choices, module, df, output / "tables", stem)
            continue
        answers.append((view, _ask(section, f"claims() for {view}", claims_of, module, df)))
        shown.figures = _ask(section, f"figures() for {view}", _figures, module, df, output / "figures", stem)
        shown.tables = _ask(section, f"tables() for {view}", _tables, module, df, output / "tables", stem)
    if all(view.preset == SEARCH for view in views):
        answers.append(("", _ask(section, "claims() without results", _unrun_claims, module, experiment)))
    section.lines = merge(answers)
    return section


def _with_settings(section: Section, view: View) -> pd.DataFrame:
    """The view's trials with a column for every setting of its sweep, though they may be a part of it."""
    df = view.frame()
    settings = _ask(section, f"sweep() for {view.name}", _settings, section.experiment, view.preset)
    names = {name: None for setting in settings for name in setting}
    return df.reindex(columns=[*df.columns, *(name for name in names if name not in df)])


def _settings(experiment: Experiment, preset: str) -> list[Mapping]:
    """The preset's sweeps on all devices."""
    return [setting for device in experiment.devices for setting in experiment.sweep(preset, device)]


def _ask(section: Section, what: str, question: Callable[..., list], *arguments: object) -> list:
    """The answer, or an empty list and a problem if the experiment raises."""
    try:
        return question(*arguments)
    except UserError as error:
        section.problems.append(str(error))
        return []
    except (Exception, SystemExit) as error:  # an experiment may raise anything, and the rest of the report must go on
        message = f"experiment {section.experiment.name!r}: {what} raised {first_line(error)}"
        section.problems.append(message)
        return []


def _unrun_claims(module: ModuleType, experiment: Experiment) -> list[Claim]:
    """The claims for an empty frame, which has the columns of the smallest sweep."""
    columns = {name: None for setting in _settings(experiment, PRESETS[0]) for name in setting}
    return claims_of(module, frame([], source="local", preset=PRESETS[0], columns=list(columns)))


def _figures(module: ModuleType, df: object, folder: Path, stem: str) -> list[ShownFigure]:
    shown = []
    with style.context():
        made = module.figures(df)
        for file, (figure, caption) in zip(_files(stem, made), made.values(), strict=True):
            svg = figures.save(figure, folder, file)
            shown.append(ShownFigure(figures.inline(svg, f"{file}-", caption), caption, file))
    return shown


def _choices(module: ModuleType, df: object, folder: Path, stem: str) -> list[ShownTable]:
    import pandas as pd

    chosen, used = module.choose(df), module.CHOSEN
    lines = [{"of": name, "chosen here": value, "used": used.get(name)} for name, value in chosen.items()]
    caption = "What the search has chosen, on random numbers of its own, and what the other presets use."
    return _lay_out({"choices": (pd.DataFrame(lines), caption)}, folder, stem)


def _tables(module: ModuleType, df: object, folder: Path, stem: str) -> list[ShownTable]:
    return _lay_out(module.tables(df), folder, stem)


def _lay_out(made: Mapping[str, tuple], folder: Path, stem: str) -> list[ShownTable]:
    shown = []
    for file, (table, caption) in zip(_files(stem, made), made.values(), strict=True):
        named = any(level is not None for level in table.index.names)
        write_whole(folder / f"{file}.csv", table.to_csv(index=named, lineterminator="\n"), sync=False)
        shown.append(ShownTable(tables.layout(table), caption, file))
    return shown


def _files(stem: str, names: Iterable[str]) -> list[str]:
    """A file for each name, though several may be alike in the letters that are fit for one."""
    files = []
    for number, name in enumerate(names, 1):
        file = f"{stem}-{_safe(name)}"
        while file in files:
            file += f"-{number}"
        files.append(file)
    return files


def _safe(name: str) -> str:
    """A name that is fit for a file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "unnamed"


def _origin(records: Sequence[Mapping], preset: str) -> Origin:
    first = records[0]
    provenance = dict(first["provenance"])
    size = f"--preset {preset} --device {first['device']} --seed {first['seed'] % SEARCH_SEEDS}"
    command = f"rnnbench run {first['experiment']} {size} {provenance.pop('options', '')}".rstrip()
    dates = sorted(record["date"] for record in records)
    return Origin(command, provenance, first["seed"], (dates[0], dates[-1]), len(records))

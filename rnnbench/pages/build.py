"""The folder of cell pages: an index and one offline HTML file per cell."""

from __future__ import annotations

import inspect
import os
import re
import tokenize
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rnnbench import cells
from rnnbench.files import write_whole
from rnnbench.pages import docstring, drawing, facts, options
from rnnbench.report.page import HERE as REPORT
from rnnbench.runner.errors import UserError

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HERE = Path(__file__).resolve().parent
CODE = re.compile(r"``?([^`]+)``?")
WRITTEN = re.compile(r"<code>(?P<code>[\w.]+)</code>")


def build(output: Path, names: Sequence[str] | None = None) -> Path:
    """Write ``index.html`` and ``CELL.html`` for each cell, and return the index's path.

    Raises
    ------
    UserError
        ``output`` can't be written to, or a cell's docstring can't be read.
    """
    names = list(names if names is not None else cells.names())
    pages = {name: page(name, names, output) for name in names}
    try:
        for name, html in pages.items():
            write_whole(output / f"{name}.html", html)
        write_whole(output / "index.html", index(names))
    except OSError as error:
        expected = f"expected a folder that can be written to ({error.strerror})"
        raise UserError(f"--output got {str(output)!r}, {expected}") from error
    return output / "index.html"


def page(name: str, names: Sequence[str], output: Path) -> str:
    """A cell's page as text; it links to its neighbours in `names` and, from `output`, to its file.

    Raises
    ------
    UserError
        The docstring can't be read.
    """
    cell = cells.get(name)
    at = list(names).index(name)
    path = cells.file(name)
    told = facts.of(cell)
    remark, said = options.read(inspect.getdoc(cells.builder(name)) or "")
    return (
        _environment()
        .get_template("cell.html")
        .render(
            css=_css(),
            cell=told,
            told=docstring.read(cells.docstring(name), name),
            graph=drawing.draw(cell),
            sources=facts.sources(told),
            feeds=_feeds(told),
            remark=remark,
            said=defaultdict(lambda: options.Said("", ""), said),
            pages={other for other in names if other != name},
            code=_source(path),
            file="/".join(path.parts[-3:]) if path.parent == Path(cells.__file__).parent else path.name,
            link=_relative(path, output),
            before=names[at - 1] if at else None,
            after=names[at + 1] if at + 1 < len(names) else None,
        )
    )


def index(names: Sequence[str]) -> str:
    """The index as text."""
    rows = [cells.describe(name) for name in names]
    return _environment().get_template("index.html").render(css=_css(), rows=rows)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"spoken": facts.spoken, "plain": facts.plain, "grouped": "{:,}".format}
    environment.filters |= {"code": _as_code, "linked": _linked}
    return environment


@cache
def _css() -> str:
    return "".join((folder / name).read_text("utf-8") for folder, name in [(REPORT, "page.css"), (HERE, "cell.css")])


def _feeds(told: dict[str, Any]) -> dict[str, str]:
    """The gates that each vector feeds through a product."""
    gates_of: dict[str, list[str]] = {v["name"]: [] for v in told["vectors"]}
    for gate in told["gates"]:
        for source in gate["shapes"]:
            if (name := source.partition("@")[0]) in gates_of and gate["name"] not in gates_of[name]:
                gates_of[name].append(gate["name"])
    return {name: ", ".join(gates) for name, gates in gates_of.items()}


def _as_code(text: str) -> Markup:
    """A docstring's backticks as ``<code>``."""
    from markupsafe import Markup

    return Markup(CODE.sub(r"<code>\1</code>", escape(text, quote=False)))


def _linked(html: str, names: Collection[str]) -> Markup:
    """HTML whose code that is the name of a cell, or of its module, leads to that cell's page."""
    from markupsafe import Markup

    def link(found: re.Match[str]) -> str:
        name = found["code"].removeprefix(f"{cells.__name__}.")
        return f'<a href="{name}.html"><code>{name}</code></a>' if name in names else found[0]

    return Markup(WRITTEN.sub(link, html))


def _source(path: Path) -> str:
    """A file of Python as text, in the encoding that it names."""
    with tokenize.open(path) as file:
        return file.read()


def _relative(path: Path, folder: Path) -> str:
    """A link from a page in `folder` to a file."""
    try:
        return quote(Path(os.path.relpath(path, folder.absolute())).as_posix())
    except ValueError:  # another drive
        return path.as_uri()

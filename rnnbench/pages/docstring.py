"""A cell's docstring, read by docutils: title, sources, and the rest as HTML or as plain text.

Whatever docutils warns of, and whatever has no place on a page, is an error that names the docstring's owner.
"""

from __future__ import annotations

import functools
import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from rnnbench.pages import mathml
from rnnbench.runner.errors import UserError

if TYPE_CHECKING:
    from docutils import nodes

SPHINX_ROLES = ("func", "class", "meth", "mod", "attr", "data")
INLINE = {
    "emphasis": "em",
    "strong": "strong",
    "literal": "code",
    "title_reference": "cite",
    "subscript": "sub",
    "superscript": "sup",
}
BLOCKS = {
    "bullet_list": "ul",
    "enumerated_list": "ol",
    "list_item": "li",
    "block_quote": "blockquote",
    "definition_list": "dl",
    "term": "dt",
    "definition": "dd",
    "rubric": "h3",
}
TRANSPARENT = {"definition_list_item", "section", "document"}
WIDTH = 100
WARNING = 2  # docutils' level


@dataclass(frozen=True)
class Docstring:
    """What a docstring says.

    Attributes
    ----------
    title : str
        The first paragraph as plain text; the owner's name where there is no docstring.
    html, text : str
        All but title and sources.
    sources : tuple of str
        The references of the paragraph that starts with "Source:" or "Sources:", as HTML.
    sources_text : tuple of str
        The same as plain text.
    equations : int
        How many displayed blocks of math there are.
    """

    title: str
    html: str
    text: str
    sources: tuple[str, ...]
    sources_text: tuple[str, ...]
    equations: int


def read(docstring: str, owner: str) -> Docstring:
    """Read a docstring in reST.

    Parameters
    ----------
    docstring : str
        Without common indentation, as :func:`inspect.getdoc` gives it.
    owner : str
        Whose it is; errors name it.

    Raises
    ------
    UserError
        It is no such reST, or some of its math is not understood.
    """
    if not docstring.strip():
        return Docstring(owner, "", "", (), (), 0)
    document = _parse(docstring, owner)
    blocks = list(document.children)
    if not blocks or blocks[0].tagname != "paragraph":
        raise UserError(f"docstring of {owner}: expected a title and then the equations")
    title, *body = blocks
    sources = [block for block in body if _is_sources(block)]
    body = [block for block in body if not _is_sources(block)]
    references = [reference for block in sources for reference in _references(block)]
    try:
        return Docstring(
            title=" ".join(_text(title).split()).rstrip("."),
            html="\n".join(_html(block) for block in body),
            text="\n\n".join(_text(block) for block in body),
            sources=tuple("".join(_html(node) for node in nodes) for nodes in references),
            sources_text=tuple(" ".join("".join(_text(node) for node in nodes).split()) for nodes in references),
            equations=sum(1 for node in document.findall() if node.tagname == "math_block"),
        )
    except ValueError as error:
        raise UserError(f"docstring of {owner}: {error}") from error


@functools.cache
def _settings() -> object:
    """Docutils' settings: nobody's configuration files, nothing read or run from a docstring."""
    from docutils import frontend, nodes
    from docutils.parsers.rst import Parser, roles

    for role in SPHINX_ROLES:
        roles.register_generic_role(role, nodes.literal)
    settings = frontend.get_default_settings(Parser)
    settings.warning_stream = False  # problems come back in the document
    settings.file_insertion_enabled = settings.raw_enabled = False
    return settings


def _parse(docstring: str, owner: str) -> nodes.document:
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    document = new_document(owner, _settings())
    Parser().parse(docstring, document)
    said = list(document.findall(lambda node: node.tagname == "system_message"))
    for problem in [*document.parse_messages, *said]:
        if problem["level"] >= WARNING:
            line = f", line {problem['line']}" if "line" in problem else ""
            raise UserError(f"docstring of {owner}{line}: {problem.children[0].astext()}")
    for remark in said:
        remark.parent.remove(remark)
    return document


def _is_sources(block: nodes.Node) -> bool:
    return block.tagname == "paragraph" and block.astext().startswith(("Source:", "Sources:"))


def _references(block: nodes.Node) -> list[list[nodes.Node]]:
    """The inline nodes of each reference: the paragraph without its first word, split at semicolons."""
    from docutils import nodes

    found: list[list[nodes.Node]] = [[]]
    for number, node in enumerate(block.children):
        if node.tagname != "#text":
            found[-1].append(node)
            continue
        text = node.astext().partition(":")[2].lstrip() if number == 0 else node.astext()
        first, *others = text.replace(";\n", "; ").split("; ")
        found[-1].append(nodes.Text(first))
        found.extend([nodes.Text(other)] for other in others)
    if found[-1] and found[-1][-1].tagname == "#text":
        found[-1][-1] = nodes.Text(found[-1][-1].astext().rstrip().removesuffix("."))
    return [reference for reference in found if "".join(n.astext() for n in reference).strip()]


def _html(node: nodes.Node) -> str:
    kind = node.tagname
    inside = "".join(_html(child) for child in node.children)
    if kind == "#text":
        return escape(node.astext(), quote=False)
    if kind in INLINE:
        return f"<{INLINE[kind]}>{inside}</{INLINE[kind]}>"
    if kind in BLOCKS:
        return f"<{BLOCKS[kind]}>{inside}</{BLOCKS[kind]}>"
    if kind in TRANSPARENT:
        return inside
    if kind == "paragraph":
        return inside if node.parent.tagname == "list_item" and len(node.parent) == 1 else f"<p>{inside}</p>"
    if kind == "title":
        return f"<h3>{inside}</h3>"
    if kind == "literal_block":
        return f"<pre>{inside}</pre>"
    if kind in ("math", "math_block"):
        return _equation(mathml.as_html(mathml.convert(node.astext(), display=kind == "math_block")), kind)
    if kind == "reference" and "refuri" in node:
        return f'<a href="{escape(node["refuri"])}">{inside}</a>'
    if kind == "comment":
        return ""
    raise ValueError(f"a {kind} has no place on a cell's page: {node.astext()[:60]!r}")


def _equation(math: str, kind: str) -> str:
    return f'<div class="equation">{math}</div>' if kind == "math_block" else math


def _text(node: nodes.Node) -> str:
    kind = node.tagname
    if kind == "#text":
        return node.astext()
    if kind == "math":
        return " ".join(mathml.as_text(mathml.convert(node.astext(), display=False)).split("\n"))
    if kind == "math_block":
        return textwrap.indent(mathml.as_text(mathml.convert(node.astext())), "    ")
    if kind == "literal_block":
        return textwrap.indent(node.astext(), "    ")
    if kind == "paragraph":
        return textwrap.fill(" ".join("".join(_text(child) for child in node.children).split()), WIDTH)
    if kind in ("bullet_list", "enumerated_list"):
        signs = ["- "] * len(node) if kind == "bullet_list" else [f"{n}. " for n in range(1, len(node) + 1)]
        items = ["\n".join(_text(child) for child in item.children) for item in node.children]
        return "\n".join(s + textwrap.indent(i, "   "[: len(s)]).lstrip() for s, i in zip(signs, items, strict=True))
    if kind in ("definition", "block_quote"):
        return textwrap.indent("\n".join(_text(child) for child in node.children), "    ")
    if kind == "comment":
        return ""
    between = "\n" if kind in TRANSPARENT | {"definition_list"} else ""
    return between.join(_text(child) for child in node.children)

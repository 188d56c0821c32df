"""Saving figures, and putting them into a page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from rnnbench.files import whole, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def save(figure: Figure, folder: Path, stem: str) -> str:
    """Write ``stem.svg`` and ``stem.png`` and close the figure; call it inside `style.context`.

    Parameters
    ----------
    figure : Figure
    folder : Path
        It exists.
    stem : str

    Returns
    -------
    str
        The SVG's text, the same for the same figure.
    """
    import matplotlib.pyplot as plt

    from rnnbench.report.ticks import make_plain

    text = io.StringIO()
    try:
        make_plain(figure)
        _lay_out(figure)
        with plt.rc_context(LAID_OUT), whole(folder / f"{stem}.png", "wb", sync=False) as file:
            figure.set_layout_engine(None)
            figure.savefig(text, format="svg", metadata={"Date": None})
            figure.savefig(file, format="png", metadata={"Software": None})
    finally:
        plt.close(figure)
    write_whole(folder / f"{stem}.svg", text.getvalue(), sync=False)
    return text.getvalue()


# Laid out once for all formats: each would do so again, and draw everything once more for it.
LAID_OUT = {"figure.autolayout": False, "figure.constrained_layout.use": False}


def _lay_out(figure):
    if engine := figure.get_layout_engine():
        for _ in range(2):  # what is placed by the size of its axes moves when these are made smaller
            engine.execute(figure)


def inline(svg: str, prefix: str, label: str) -> str:
    """An SVG file's text as an element of a page.

    Its ids get the prefix, since several figures share a page; its size is left to the page; the label is for
    a reader who can't see it.
    """
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, prefix + value)
            elif name in ("href", f"{{{XLINK}}}href") and value.startswith("#"):
                element.set(name, f"#{prefix}{value[1:]}")
            elif "url(#" in value:
                element.set(name, re.sub(r"url\(#", f"url(#{prefix}", value))
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")

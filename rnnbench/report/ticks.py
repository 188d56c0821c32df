"""Numbers along the axes as plain text: 10⁻³ where matplotlib sets a formula, which takes most of its time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from matplotlib.ticker import Formatter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RAISED = str.maketrans("0123456789-\N{MINUS SIGN}", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")


def make_plain(figure: Figure) -> None:
    """Have all axes of a figure show their numbers as plain text."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_formatter(), _Plain):  # that of another axis, which shares its numbers
            continue
        axis.set_major_formatter(_Plain(axis.get_major_formatter()))
        axis.set_minor_formatter(_Plain(axis.get_minor_formatter()))


def plain(text: str) -> str:
    """A formula of a number, such as ``$\\mathdefault{2\\times10^{-3}}$``, as plain text; any other as it is."""
    if not text.startswith("$"):
        return text
    bare = text.replace(r"\mathdefault", "").replace(r"\times", "\N{MULTIPLICATION SIGN}").strip("$")
    bare = re.sub(r"\^\{([-\N{MINUS SIGN}]?\d+)\}", lambda power: power[1].translate(RAISED), bare)
    bare = re.sub(r"[{}]", "", bare).replace("-", "\N{MINUS SIGN}")
    return text if re.search(r"[\\^_$]", bare) else bare


class _Plain(Formatter):
    """What another formatter says, as plain text; one of the user's may say a number."""

    def __init__(self, formatter):
        self.formatter = formatter

    def __call__(self, x, pos=None):
        return plain(str(self.formatter(x, pos)))

    def format_ticks(self, values):
        return [plain(str(text)) for text in self.formatter.format_ticks(values)]

    def get_offset(self):
        return plain(self.formatter.get_offset())

"""The one look of all figures: colour-blind safe, readable when projected, the same bytes for the same data.

The report applies it around ``figures(df)``; an experiment needs it only to give names a fixed look:

>>> looks = line_styles(["elman", "gru", "lstm"])
>>> looks["gru"]["color"]
'#D55E00'
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

# Okabe and Ito (2008), https://jfly.uni-koeln.de/color/, without the yellow, which is lost on white.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK = PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#000000",
)
GREY = "#767676"  # for bounds, baselines and theory curves
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def line_styles(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """A look for each name, alike wherever the same names come in the same order.

    Parameters
    ----------
    names : iterable of str
        Up to 28 looks differ in colour or dash; then they come again.

    Returns
    -------
    dict of str to dict
        ``{"color": ..., "linestyle": ..., "marker": ...}``, keyword arguments for ``Axes.plot``.
    """
    looks = {}
    for number, name in enumerate(dict.fromkeys(names)):
        dash, colour = divmod(number, len(PALETTE))
        looks[name] = {
            "color": PALETTE[colour],
            "linestyle": DASHES[dash % len(DASHES)],
            "marker": MARKERS[colour],
        }
    return looks


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Inside, matplotlib draws and saves in this style, without a display; afterwards it is as before.

    Figures made inside are closed, whatever happens, or pyplot would keep them for as long as the process lives.
    """
    import matplotlib
    from cycler import cycler

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    style = {
        "figure.figsize": (7.2, 4.3),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.dpi": 180,
        "font.family": "DejaVu Sans",  # comes with matplotlib, so it looks the same everywhere
        "font.size": 12,
        "axes.titlesize": 13,
        "axes.titlelocation": "left",
        "axes.labelsize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#444444",
        "axes.linewidth": 0.9,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.use_mathtext": True,
        "axes.prop_cycle": cycler(color=PALETTE),
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.8,
        "xtick.color": "#444444",
        "ytick.color": "#444444",
        "lines.linewidth": 2.0,
        "lines.markersize": 5.0,
        "legend.frameon": False,
        "legend.fontsize": 11,
        "image.cmap": "cividis",
        "svg.fonttype": "path",
        "svg.hashsalt": "rnnbench",
    }
    try:
        with matplotlib.rc_context(style):
            yield
    finally:
        for number in {*plt.get_fignums()}.difference(before):
            plt.close(number)

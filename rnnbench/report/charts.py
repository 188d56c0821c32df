"""Charts that several experiments draw: logarithms against an axis, rates as coloured tables, many curves by rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnnbench.report.style import GREY, PALETTE, line_styles

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

BESIDE = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}  # where a legend hides nothing
PER_PANEL = len(PALETTE)  # curves of one panel, each with a colour of its own
WORST = 2  # the largest rate that has a colour of its own


def log_axes(
    xlabel: str,
    ylabel: str,
    width: float = 8,
    columns: int = 1,
    rows: int = 1,
    height: float = 4.3,
    sharey: bool = True,
) -> tuple[Figure, np.ndarray]:
    """A figure with axes whose y values are decimal logarithms already, since float64 has no 10^-400."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, sharey=sharey)
    for ax in axes.flat:
        ax.yaxis.set_major_formatter(lambda y, _: f"$10^{{{y:.4g}}}$")
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    return figure, axes


def below_diagonal(frame: pd.DataFrame, x: str, y: str, group: str, groups: Sequence[str], above: str) -> Figure:
    """Dots, one look per group, that a theorem keeps below y = x; `above` says what the region above is."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4.3))
    low, high = frame[x].min() - 0.1, frame[x].max() + 0.1
    ax.fill_between([low, high], [low, high], high, color=GREY, alpha=0.2, linewidth=0)
    ax.text(0.03, 0.95, above, transform=ax.transAxes, va="center", style="italic")
    for name, look in line_styles(groups).items():
        here = frame[frame[group] == name]
        ax.plot(here[x], here[y], **look | {"linestyle": ""}, label=name, alpha=0.6)
    ax.axhline(0, color="black", linewidth=1)
    ax.axvline(0, color="black", linewidth=1)
    ax.set(xlabel=x, ylabel=y, xlim=(low, high), ylim=(None, high))
    ax.legend(**BESIDE)
    return figure


def rate_tables(
    frame: pd.DataFrame, values: str, rows: str, columns: str, *, by: str, parts: Sequence, title: str
) -> Figure:
    """Medians as coloured tables side by side: blue below 0, red above, white where nothing grows or decays.

    Parameters
    ----------
    frame : DataFrame
    values, rows, columns, by : str
        Columns of the frame. Rows are sorted by the medians of the first table, largest first; those that it lacks
        stand below.
    parts : sequence
        Values of `by`, a table each; those of which nothing is known are left out.
    title : str
        Of a table, a format string for its value of `by`.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.colors import SymLogNorm

    parts = [part for part in parts if frame.loc[frame[by] == part, values].notna().any()] or parts[:1]
    order = frame[frame[by] == parts[0]].groupby(rows)[values].median().sort_values(ascending=False, kind="stable")
    names = list(dict.fromkeys([*order.index, *frame.loc[frame[by].isin(parts), rows]]))
    tables = {
        title.format(part): frame[frame[by] == part].pivot_table(values, rows, columns, "median").reindex(names)
        for part in parts
    }
    size = 4 + 3.4 * len(tables), 1.5 + 0.28 * len(names)
    figure, axes = plt.subplots(1, len(tables), figsize=size, squeeze=False, sharey=True)
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        rates = table.to_numpy(float)
        image = ax.imshow(
            np.clip(rates, -WORST, WORST), cmap="RdBu_r", norm=SymLogNorm(0.01, vmin=-WORST, vmax=WORST), aspect="auto"
        )
        for (row, column), rate in np.ndenumerate(rates):
            colour = "white" if abs(rate) > 0.15 else "black"
            ax.text(column, row, _rate(rate), ha="center", va="center", fontsize=9.5, color=colour)
        ax.set_xticks(range(rates.shape[1]), [f"{name:g}" for name in table])
        ax.set_yticks(range(len(names)), names, fontsize=10.5)
        ax.grid(False)
        ax.set(xlabel=columns, title=title)
    ticks = [-1, -0.1, -0.01, 0, 0.01, 0.1, 1]
    figure.colorbar(image, ax=axes, label=values, ticks=ticks, format="{x:g}", aspect=40, shrink=min(1, 8 / size[1]))
    return figure


def _rate(rate: float) -> str:
    if math.isnan(rate):
        return ""
    if math.isinf(rate):
        return "−∞" if rate < 0 else "∞"
    return f"{rate:.3f}".replace("-0.000", "0.000").replace("-", "−")


def by_rank(curves: pd.DataFrame, xlabel: str, ylabel: str) -> Figure:
    """Decimal logarithms, a curve per column, in the order of the columns: `PER_PANEL` to an axis with a scale, and a
    legend, of its own."""
    panels = -(-curves.shape[1] // PER_PANEL)
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure, axes = log_axes(xlabel, ylabel, 1 + 4 * columns, columns, rows, 0.8 + 3 * rows, sharey=False)
    for number, ax in enumerate(axes.flat):
        part = curves.iloc[:, number * PER_PANEL : (number + 1) * PER_PANEL]
        for name, look in line_styles(part.columns).items():
            ax.plot(part[name], label=name, **look | {"markersize": 4})
        ax.set_visible(bool(part.shape[1]))
        if part.shape[1]:
            ax.legend(**BESIDE, fontsize=9)
    return figure

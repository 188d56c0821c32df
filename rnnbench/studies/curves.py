"""Figures of training: curves with bands, success against length with intervals; what is naive is a grey line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rnnbench.report.charts import BESIDE
from rnnbench.report.style import BLUE, GREY, VERMILION, line_styles
from rnnbench.runner.intervals import wilson

FAR = 10  # times the naive loss, where the scale of a figure ends

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def of_kind(df: pd.DataFrame, kind: str, *numbers: str, words: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows of one kind of finished trials; these columns exist in any case, the first hold numbers.

    The loss at the end of a training that diverged is infinite: worse than any, where no number would be left out.
    """
    import pandas as pd

    missing = dict.fromkeys(name for name in ("kind", *numbers, *words) if name not in df)
    frame = df.reindex(columns=[*df.columns, *missing])
    frame = frame[(frame["kind"] == kind) & (frame["status"] == "ok")].copy()
    for name in numbers:
        frame[name] = pd.to_numeric(frame[name])
    if kind == "end" and "loss" in numbers and "outcome" in frame:
        frame["loss"] = frame["loss"].mask(frame["loss"].isna() & (frame["outcome"] == "diverged"), float("inf"))
    return frame


def pick(rows: pd.DataFrame, **values) -> pd.DataFrame:
    """Return the rows whose columns have these values; none where there is no such column."""
    for name, value in values.items():
        rows = rows[rows[name] == value] if name in rows else rows[:0]
    return rows


def beside_lstm(df: pd.DataFrame, column: str) -> pd.Series:
    """Return a column whose words go on with the cell's name where that is not the LSTM."""
    known = df.reindex(columns=["cell", column])
    return known[column].where(known["cell"].isna() | (known["cell"] == "lstm"), known[column] + ", " + known["cell"])


def ends(df: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return a table of how training ended: medians over the seeds of each group, the range of the loss."""
    rows = of_kind(df, "end", "loss", "success", "parameters", "steps", words=["outcome", *by])
    rows = rows.assign(diverged=rows["outcome"] == "diverged")
    told = {"parameters": ("parameters", "median"), "seeds": ("loss", "size"), "diverged": ("diverged", "sum")}
    told |= {"loss": ("loss", "median"), "least": ("loss", "min"), "most": ("loss", "max")}
    return rows.groupby(list(by), dropna=False, sort=False).agg(**told, success=("success", "median")).reset_index()


def learning_curves(
    df: pd.DataFrame, *, by: str = "cell", groups: Sequence[str] | None = None, parts: str | None = None,
    ylabel: str = "loss", log: bool = True, title: str = "{}",
) -> Figure:  # fmt: skip
    """Median loss against the step with the range over the seeds, a panel per value of `parts`.

    Parameters
    ----------
    df : DataFrame
        Rows as :mod:`rnnbench.studies.learning` tells them; the naive loss is the dotted grey line, the least
        possible one the solid.
    by : str
        A curve for each value of this column, or of `groups` in their order.
    parts : str, optional
        A column.
    log : bool
        Decimal scale of the losses.
    """
    import matplotlib.pyplot as plt

    words = [by] if parts is None else [by, parts]
    curves, naive = (
        of_kind(df, kind, *numbers, words=words)
        for kind, *numbers in (("curve", "step", "loss"), ("naive", "loss", "least_loss"))
    )
    groups = [*dict.fromkeys(curves[by])] if groups is None else [name for name in groups if (curves[by] == name).any()]
    places = [None] if parts is None or curves.empty else sorted(curves[parts].unique())
    wide = min(3, len(places))
    tall = -(-len(places) // wide)
    size = 3 + 4.6 * wide, 0.6 + 3.7 * tall
    figure, axes = plt.subplots(tall, wide, figsize=size, squeeze=False)
    for ax in axes.flat[len(places) :]:
        ax.set_visible(False)
    for ax, place in zip(axes.flat, places, strict=False):
        here, flat = (frame if place is None else frame[frame[parts] == place] for frame in (curves, naive))
        for name, look in line_styles(groups).items():
            band(ax, here[here[by] == name], "step", "loss", name, look)
        for value in flat["loss"].dropna().unique():
            ax.axhline(value, color=GREY, linestyle=":", linewidth=1.5)
        for value in flat["least_loss"].dropna().unique():
            ax.axhline(value, color=GREY, linewidth=1.5)
        ax.set(xlabel="training step", title="" if place is None else title.format(place))
        if log:
            ax.set_yscale("log")
        if ax.get_ylim()[1] > FAR * flat["loss"].max():  # a start that explodes would hide all that follows
            ax.set_ylim(top=FAR * flat["loss"].max())
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    if groups:
        axes[0, wide - 1].legend(**BESIDE)
    return figure


def band(ax: Axes, rows: pd.DataFrame, x: str, y: str, label: str, look: Mapping) -> None:
    """Draw the median of y at each x as a line, and its range as a band."""
    if not len(rows):
        return
    spans = rows.groupby(x)[y].agg(["median", "min", "max"])
    ax.plot(spans.index, spans["median"], color=look["color"], linestyle=look["linestyle"], label=label)
    ax.fill_between(spans.index, spans["min"], spans["max"], color=look["color"], alpha=0.15, linewidth=0)


MARKED = 8  # places on an axis, up to which each has its own mark


def success_rates(
    df: pd.DataFrame, *, x: str, by: str, solved: str, xlabel: str, ylabel: str = "part of the seeds that succeed",
) -> Figure:  # fmt: skip
    """Rate of success against `x` with Wilson's 95 % intervals, a line for each value of `by`.

    Parameters
    ----------
    df : DataFrame
        A row for each seed, with a column `solved` of bools.
    """
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4.3))
    groups = [*dict.fromkeys(df[by])]
    for number, (name, look) in enumerate(line_styles(groups).items()):
        places, rates, low, high = [], [], [], []
        for place, rows in df[df[by] == name].groupby(x):
            right, total = int(rows[solved].sum()), len(rows)
            interval = wilson(right, total)
            places.append(place)
            rates.append(right / total)
            low.append(right / total - interval[0])
            high.append(interval[1] - right / total)
        shift = (number - (len(groups) - 1) / 2) * 0.012 * (df[x].max() - df[x].min() or 1)
        ax.errorbar([p + shift for p in places], rates, yerr=[low, high], capsize=3, label=name, **look)
    if df[x].nunique() <= MARKED:
        ax.set_xticks(sorted(df[x].unique()))
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(-0.03, 1.03))
    ax.legend(**BESIDE)
    return figure


def by_length(
    df: pd.DataFrame, *, by: str = "cell", y: str = "success", ylabel: str = "part of the sequences that are right",
    trained: int | None = None, xscale: str = "linear",
) -> Figure:  # fmt: skip
    """How well what was trained at one length does at others: median and range over seeds, naive as a grey line."""
    import matplotlib.pyplot as plt

    ends, naive = of_kind(df, "end", "test_length", y), of_kind(df, "naive", "test_length", y)
    figure, ax = plt.subplots(figsize=(8, 4.3))
    for name, look in line_styles(dict.fromkeys(ends[by])).items():
        band(ax, ends[ends[by] == name], "test_length", y, name, look)
    flat = naive.groupby("test_length")[y].median()
    ax.plot(flat.index, flat, color=GREY, linestyle=":", label="naive")
    if trained is not None:
        ax.axvspan(ax.get_xlim()[0], trained, color=GREY, alpha=0.12, linewidth=0, zorder=0)
    ax.set(xlabel="length", ylabel=ylabel, xscale=xscale)
    ax.legend(**BESIDE)
    return figure


def dots(
    df: pd.DataFrame, *, by: str, parts: str, y: str = "loss", ylabel: str = "loss", groups: Sequence[str] = (),
    title: str = "{}", log: bool = True,
) -> Figure:  # fmt: skip
    """How each seed ended: a dot for each, a bar for the median, a row per value of `by`, a panel per value of `parts`.

    Parameters
    ----------
    df : DataFrame
        Rows as :mod:`rnnbench.studies.learning` tells them; the naive predictor's value is the dotted grey line.
    groups : sequence of str
        Values of `by` that come first, from the top.
    """
    import matplotlib.pyplot as plt

    ends, naive = (of_kind(df, kind, y, words=[by, parts]) for kind in ("end", "naive"))
    names = list(dict.fromkeys([*(name for name in groups if (ends[by] == name).any()), *ends[by]]))
    places = list(dict.fromkeys(ends[parts])) or [""]
    size = 2.2 + 4 * len(places), 1.2 + 0.34 * len(names)
    figure, axes = plt.subplots(1, len(places), figsize=size, squeeze=False, sharey=True)
    for ax, place in zip(axes[0], places, strict=True):
        for height, name in enumerate(names):
            values = ends.loc[(ends[by] == name) & (ends[parts] == place), y]
            ax.plot(values, [height] * len(values), "o", color=BLUE, alpha=0.5, markeredgewidth=0)
            ax.plot([values.median()] * 2, [height - 0.3, height + 0.3], color=VERMILION)
        flat = naive.loc[naive[parts] == place, y].dropna().unique()
        for value in flat:
            ax.axvline(value, color=GREY, linestyle=":", linewidth=1.5)
        ax.set(xlabel=ylabel, title=title.format(place), yticks=range(len(names)), yticklabels=names)
        shown = [*flat, *ends.loc[ends[parts] == place, y].dropna()]
        if log and shown and max(shown) > 2 * min(shown):  # in less than that its ticks would not find room
            ax.set_xscale("log")
    axes[0, 0].set_ylim(len(names) - 0.4, -0.6)
    return figure

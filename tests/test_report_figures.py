"""The style, saved figures and figures inside a page."""

import re
from xml.etree import ElementTree

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rnnbench.report import charts, style
from rnnbench.report.figures import inline, save


def drawn():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [1, 2], marker="o", label="a & b")
    axes.legend()
    axes.imshow([[0, 1], [1, 0]])
    return figure


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    with style.context():
        first = save(drawn(), tmp_path, "one")
        again = save(drawn(), tmp_path, "two")
    assert first == again == (tmp_path / "one.svg").read_text()
    assert "<dc:date>" not in first
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_inline_figures_share_no_id_and_find_their_own(tmp_path):
    with style.context():
        svg = save(drawn(), tmp_path, "one")
    pages = [inline(svg, prefix, 'a "label" & <more>') for prefix in ("p-", "q-")]
    found = []
    for text in pages:
        root = ElementTree.fromstring(text)
        ids = {element.get("id") for element in root.iter() if element.get("id")}
        used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
        assert used and used <= ids
        assert root.get("aria-label") == 'a "label" & <more>' and root.get("viewBox")
        assert "width" not in root.attrib and "DOCTYPE" not in text and "metadata" not in text
        found.append(ids)
    assert not found[0] & found[1]


def test_the_style_ends_with_its_context():
    before = dict(mpl.rcParams)
    with style.context():
        assert mpl.rcParams["svg.hashsalt"] == "rnnbench"
        assert mpl.rcParams["image.cmap"] == "cividis"
    assert {k: v for k, v in mpl.rcParams.items() if k != "backend"} == {
        k: v for k, v in before.items() if k != "backend"
    }


def test_each_name_has_its_own_look():
    names = [f"cell{i}" for i in range(28)]
    looks = style.line_styles(names)
    assert len({(look["color"], look["linestyle"]) for look in looks.values()}) == 28
    assert looks["cell3"] == style.line_styles(names[:5])["cell3"]
    assert len(style.line_styles([*names, "a", "b"])) == 30


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [*style.PALETTE, style.GREY])
def test_every_colour_can_be_seen_on_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) > 2.1


def test_tables_of_rates_have_every_row_and_every_part_that_is_known():
    rows = [("a", "x", 1.0, 0.1), ("b", "x", 1.0, 0.2), ("c", "y", 1.0, 0.3), ("d", "z", 1.0, None)]
    frame = pd.DataFrame(rows, columns=["cell", "part", "gain", "rate"])
    with style.context():
        how = {"by": "part", "parts": ["z", "x", "y"], "title": "{}"}
        figure = charts.rate_tables(frame, "rate", "cell", "gain", **how)
        titles = [ax.get_title(loc="left") for ax in figure.axes[:-1]]
        assert titles == ["x", "y"]
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "a", "c"]


@pytest.mark.filterwarnings("error")
def test_panels_without_a_curve_have_no_legend():
    columns = 3 * charts.PER_PANEL + 1  # fills four of six places
    with style.context():
        figure = charts.by_rank(pd.DataFrame([[0.0] * columns] * 2), "rank", "size")
        figure.draw_without_rendering()
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == 4 and all(ax.get_legend() for ax in panels)


def test_figures_made_inside_are_closed_and_no_others():
    with style.context():
        import matplotlib.pyplot as plt

        plt.close("all")
    mine = plt.figure()
    with pytest.raises(RuntimeError), style.context():
        plt.subplots()
        plt.subplots()
        raise RuntimeError
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)

"""Numbers along the axes are plain text, and say what matplotlib's formulas would."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnnbench.report import figures, style
from rnnbench.report.ticks import make_plain, plain


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"$\mathdefault{10^{-3}}$", "10⁻³"),
        (r"$\mathdefault{2\times10^{12}}$", "2×10¹²"),
        (r"$\mathdefault{-10^{0}}$", "−10⁰"),
        (r"$\mathdefault{0}$", "0"),
        (r"$\mathdefault{−0.25}$", "−0.25"),
        (r"$\times\mathdefault{10^{6}}\mathdefault{}$", "×10⁶"),
        ("lstm", "lstm"),
        ("", ""),
        (r"$\rho$", r"$\rho$"),  # what has no plain text stays
        (r"$a^n b^n$", r"$a^n b^n$"),
        (r"$\mathdefault{10^{-2.5}}$", r"$\mathdefault{10^{-2.5}}$"),
    ],
)
def test_plain(formula, text):
    assert plain(formula) == text


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_all_numbers_of_a_figure(scale):
    with style.context():
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3], [-3e7, 0.5, 4e7] if scale != "log" else [1e-5, 1, 1e3])
        axes.set_yscale(scale)
        figure.canvas.draw()
        formulas = _texts(axes)
        assert any("$" in text for text in formulas)
        make_plain(figure)
        figure.canvas.draw()
        assert _texts(axes) == [plain(text) for text in formulas]
        assert not any("$" in text for text in _texts(axes))


def _texts(axes):
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.get_yticklabels(minor=True)]
    return [label.get_text() for label in labels] + [axes.yaxis.get_offset_text().get_text()]


def test_a_formatter_that_gives_numbers():
    figure, axes = plt.subplots()
    axes.xaxis.set_major_formatter(lambda x, _: round(10 * x))
    make_plain(figure)
    figure.canvas.draw()
    assert axes.get_xticklabels()[1].get_text() == "2"
    plt.close(figure)


def test_names_given_as_tick_labels_stay(tmp_path):
    with style.context():
        figure, axes = plt.subplots()
        axes.set_xticks([0, 1], ["lstm", "gru"])
        make_plain(figure)
        figure.canvas.draw()
        assert [label.get_text() for label in axes.get_xticklabels()] == ["lstm", "gru"]


def test_what_lies_below_the_axes_is_inside_the_figure(tmp_path):
    """A legend that is placed by the height of its axes, which the layout makes smaller for it."""
    with style.context():
        figure, axes = plt.subplots(figsize=(5, 2))
        axes.plot([1e-9, 1], [1, 2], label="a line")
        axes.set(xscale="log", xlabel="a number")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.6))
        figures.save(figure, tmp_path, "one")
    pixels = plt.imread(tmp_path / "one.png")[..., :3]
    assert np.all(pixels[-1] == 1) and np.any(pixels[-40:] < 1)

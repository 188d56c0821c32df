"""Equations as MathML and as text; docstrings as HTML and as text."""

import pytest

from rnnbench.pages import docstring
from rnnbench.pages.mathml import as_html, as_text, convert
from rnnbench.runner.errors import UserError


@pytest.mark.parametrize(
    "latex, text",
    [
        (r"h_t = \phi(W_h x_t + R_h h_{t-1} + b_h)", "h_t = ϕ(W_h x_t + R_h h_{t−1} + b_h)"),
        (r"c_t &= f_t \odot c \\ h &= \tanh(c_t)", "c_t = f_t ⊙ c\nh = tanh(c_t)"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "a = b\nc = d"),
        (r"\tilde h_t^{(k)} = \bar x - \hat{y}", "h̃_t^{(k)} = x̄ − ŷ"),
        (r"y = \begin{cases} a & \text{if } t \bmod 2 = 0 \\ b & \text{otherwise} \end{cases}", None),
        (r"R = (W - W^\top - \gamma I)\,h", "R = (W − W^⊤ − γ I) h"),
        (r"\frac{2 v v^\top}{v^\top v} + \sqrt{x}", "(2 v v^⊤) / (v^⊤ v) + √(x)"),
        (r"\exp(-x) + 10^{-30}, -1", "exp(−x) + 10^{−30}, −1"),
        (r"\mathrm{softplus}(x) \in \mathbb{R}^{H \times H}", "softplus(x) ∈ ℝ^{H×H}"),
        (r"\mathbb{1}[x > 0] \cdot \mathbf{1}", "𝟙[x > 0] · 𝟏"),
        (r"\sigma'(x), x_t'", "σ'(x), x_t'"),
        (r"\max\left(\tilde f_t + m_{t-1}, \tilde i_t\right)", "max(f̃_t + m_{t−1}, ĩ_t)"),
        (r"\sum_{j < k} R_j \lfloor t / d \rfloor", "∑_{j<k} R_j⌊t / d⌋"),
    ],
)
def test_an_equation(latex, text):
    math = convert(latex)
    assert "\\" not in as_html(math) and "columnalign" not in as_html(math)
    assert as_text(math) == text or text is None


def test_a_functions_name_is_one_word_apart_from_its_neighbours():
    assert "<mi>log</mi><mspace width=" in as_html(convert(r"\log f_t"))
    assert as_html(convert(r"R_z \tanh(h)")).count("mspace width=") == 1
    assert "softplus</mi>" in as_html(convert(r"\mathrm{softplus}(x)"))
    assert "mspace" not in as_html(convert(r"\tanh(x) + W x"))


@pytest.mark.parametrize(
    "latex", [r"a \foo b", "x_", r"\left( a", r"a \\ \label{b}", "", r"\choose", r"\begin{align} a"]
)
def test_what_is_not_understood_is_told(latex):
    with pytest.raises(ValueError, match="math "):
        convert(latex)


ODD = r"""Odd cell with a ``name``.

Two equations:

.. math::

    a &= b \\
    c &= d

    e = f

.. math:: x_{t-1} = \frac{a}{b}

* one ``x < y`` and :math:`\sigma`,
  continued
* two

1. first

Literal::

    x -> y
      z

See :func:`rnnbench.cells.get` and *that*.

Term
    Its definition.

Sources: A. B, Title, 1999; C. D, ``RNN``
of PyTorch; https://example.org/a;b.

After.
"""


def test_a_docstring_of_many_kinds():
    told = docstring.read(ODD, "odd")
    assert told.title == "Odd cell with a name"
    assert told.equations == 3 == told.html.count('<div class="equation">')
    assert told.sources[:2] == ("A. B, Title, 1999", "C. D, <code>RNN</code>\nof PyTorch")
    assert told.sources_text == ("A. B, Title, 1999", "C. D, RNN of PyTorch", "https://example.org/a;b")
    assert "Sources" not in told.html + told.text and "<p>After.</p>" in told.html
    for piece in (
        "<ul><li>one <code>x &lt; y</code> and <math",
        "<pre>x -&gt; y\n  z</pre>",
        "<code>rnnbench.cells.get</code> and <em>that</em>",
        "<dl><dt>Term</dt>",
    ):
        assert piece in told.html, piece
    for piece in ("    a = b\n    c = d\n\n    e = f", "- one x < y and σ, continued\n- two", "1. first", "      z"):
        assert piece in told.text, piece


def test_no_docstring_is_no_mistake():
    told = docstring.read("", "mine")
    assert (told.title, told.html, told.sources) == ("mine", "", ())


@pytest.mark.parametrize(
    "text, message",
    [
        ("Title.\n\n.. foo::\n\n   x", 'docstring of bad, line 3: Unknown directive type "foo"'),
        ("Title.\n\n:math:`\\foo`", "docstring of bad: math .* is not understood"),
        ("Title.\n\n*a", "docstring of bad, line 3: Inline emphasis"),
        ("Title.\n\n  a\nb", "docstring of bad, line 4: Block quote ends"),
        ("Title.\n\n:foo:`x`", 'docstring of bad, line 3: Unknown interpreted text role "foo"'),
        ("Title.\n\nb_ x", "docstring of bad: a reference has no place"),
        ("Title.\n\n.. image:: x.png", "docstring of bad: a image has no place"),
        ("Title.\n\n.. include:: /etc/hosts", 'docstring of bad, line 3: "include" directive disabled'),
        ("* a", "docstring of bad: expected a title"),
    ],
)
def test_a_bad_docstring_is_told(text, message):
    with pytest.raises(UserError, match=message):
        docstring.read(text, "bad")

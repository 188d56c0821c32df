"""LaTeX equations as MathML, which browsers draw without a script or a network, and as a line of plain text.

What latex2mathml does not know it passes on as it stands; here that is an error, so no page shows raw LaTeX.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
import xml.etree.ElementTree as ET

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ALIGNED = re.compile(r"\\(begin|end)\{(?:align|aligned|split|gather|gathered)\*?\}")
INNERMOST = re.compile(r"\\begin\{(\w+\*?)\}(?:(?!\\begin\{).)*?\\end\{\1\}", re.DOTALL)
RELATIONS = set("=<>≤≥≠≈≡∼∝∈∉←→↦⇒≔≜:") | {":="}
BINARY = set("+−-⊙⊗⊕⋅∘×/∗⋆∪∩") | {"mod"}
THIN, NAMED = "0.17em", ("mi", "msub", "msup", "msubsup")
SIGN = "a sign, not a difference"
OPENING, CLOSING = set("([{⟨⌊⌈"), set(")]}⟩⌋⌉,;.!")


def convert(latex: str, display: bool = True) -> ET.Element:
    r"""Return the ``<math>`` element of an equation.

    Parameters
    ----------
    latex : str
        As in a ``.. math::`` block: several lines, separated by two backslashes and aligned at ``&``, need no
        environment.
    display : bool
        On lines of its own, or within a sentence.

    Raises
    ------
    ValueError
        If some of it is not understood.
    """
    from latex2mathml.converter import convert as to_mathml

    try:
        made = to_mathml(_with_environment(latex), display="block" if display else "inline")
        math = ET.fromstring(made.replace(f' xmlns="{NAMESPACE}"', ""))
    except Exception as error:
        raise ValueError(f"math {latex!r}: {type(error).__name__} {error}".rstrip()) from error
    for element in math.iter():
        if "\\" in (element.text or "") or (element.text == "&"):
            raise ValueError(f"math {latex!r}: {element.text!r} is not understood")
    for element in math.iter():
        _mend(element)
    return math


def as_html(math: ET.Element) -> str:
    """The element as it stands in a page."""
    return ET.tostring(math, encoding="unicode", short_empty_elements=False)


def as_text(math: ET.Element) -> str:
    """The equations as plain text, one a line: ``h_t = o_t ⊙ tanh(c_t)``."""
    rows = math.findall("./mrow/mtable/mtr") if len(math.findall("./mrow/*")) == 1 else []
    lines = [_spaced([token for cell in row for token in _tokens(cell)]) for row in rows or [math]]
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


def _with_environment(latex: str) -> str:
    """Give equations aligned at ``&`` the one environment for that which latex2mathml knows."""
    latex = ALIGNED.sub(r"\\\1{align*}", latex.strip())
    outside = latex
    while (inner := INNERMOST.sub("", outside)) != outside:
        outside = inner
    if "&" in outside.replace(r"\&", "") or r"\\" in outside:
        return rf"\begin{{align*}}{latex}\end{{align*}}"
    return latex


def _mend(element: ET.Element) -> None:
    """Say what browsers understand: alignment as style, styled digits as characters, names as one word."""
    if align := element.attrib.pop("columnalign", None):
        element.set("style", f"text-align: {align}")
    variant = element.get("mathvariant")
    if element.tag == "mn" and variant in ("bold", "double-struck"):
        del element.attrib["mathvariant"]
        zero = 0x1D7CE if variant == "bold" else 0x1D7D8
        element.text = "".join(chr(zero + int(c)) if c.isdecimal() else c for c in element.text)
    merged: list[ET.Element] = []
    for child in list(element):
        upright = child.tag == "mi" and child.get("mathvariant") == "normal"
        if upright and merged and merged[-1].tag == "mi" and merged[-1].get("mathvariant") == "normal":
            merged[-1].text += child.text
            element.remove(child)
        else:
            merged.append(child)
    for place, (left, right) in reversed(list(enumerate(itertools.pairwise(list(element))))):
        if left.tag in NAMED and right.tag in NAMED and (_is_word(left) or _is_word(right)):
            element.insert(place + 1, ET.Element("mspace", width=THIN))


def _is_word(element: ET.Element) -> bool:
    return element.tag == "mi" and len(element.text or "") > 1


def _tokens(element: ET.Element) -> list[str]:
    """An element as words and signs, what belongs together already joined."""
    parts = [_spaced(_tokens(child)) for child in element]
    match element.tag, parts:
        case (("mi" | "mo" | "mn" | "mtext"), _):
            text = (element.text or "").replace("\xa0", " ")
            return [text] if element.tag == "mtext" else [text.strip()] if text.strip() else []
        case "mspace", _:
            return []
        case (("msub" | "munder"), (base, below)):
            return [f"{base}_{_grouped(below)}"]
        case "msup", (base, "′" | "'"):
            return [f"{base}'"]
        case "msup", (base, above):
            return [f"{base}^{_grouped(above)}"]
        case "msubsup", (base, below, "′" | "'"):
            return [f"{base}_{_grouped(below)}'"]
        case (("msubsup" | "munderover"), (base, below, above)):
            return [f"{base}_{_grouped(below)}^{_grouped(above)}"]
        case "mover", (base, accent):
            return [base + COMBINING[accent]] if accent in COMBINING else [f"{base}^{_grouped(accent)}"]
        case "mfrac", (above, below):
            return [f"{_operand(above)} / {_operand(below)}"]
        case "msqrt", _:
            return [f"√({' '.join(parts)})"]
        case "mroot", (base, degree):
            return [f"({base})^(1/{degree})"]
        case "mtable", _:
            return ["; ".join(parts)]
    return [token for child in element for token in _tokens(child)]


COMBINING = {"~": "\u0303", "^": "\u0302", "―": "\u0304", "¯": "\u0304", "‾": "\u0304", "˙": "\u0307", "→": "\u20d7"}


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"{{{text.replace(' ', '')}}}"


def _operand(text: str) -> str:
    return f"({text})" if " " in text else text


def _spaced(tokens: list[str]) -> str:
    """Join tokens as one writes them: room around relations and sums, none within brackets."""
    line, before = "", ""
    for token in tokens:
        begins = before in RELATIONS | BINARY | OPENING | {"", ",", SIGN}
        if token in "+−-" and begins:
            line, token = line + token, SIGN
        elif token in RELATIONS or token in BINARY:
            line = f"{line.rstrip()} {token} "
        elif token in CLOSING:
            line = line.rstrip() + token + (" " if token in ",;" else "")
        elif begins or token in OPENING or token in "|‖":
            line += token
        else:
            line += f" {token}"
        before = token
    return " ".join(line.split())

"""What the docstring of a cell's ``build`` says of its options."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

PARAMETERS = re.compile(r"^Parameters\n-+\n", re.MULTILINE)
NEXT_SECTION = re.compile(r"^\w[\w ]*\n-+$", re.MULTILINE)
BUILD = re.compile(r"^Build the cell(; (?P<rest>.*))?\.$", re.DOTALL)


@dataclass(frozen=True)
class Said:
    """What is said of one option, or of several at once: its possible values, and a sentence, either of them empty."""

    values: str
    meaning: str


def read(docstring: str) -> tuple[str, dict[str, Said]]:
    """Split a docstring in NumPy's style.

    Returns
    -------
    text : str
        All outside the section "Parameters", but for the words "Build the cell".
    options : dict
        What that section says of each option.
    """
    head, *section = PARAMETERS.split(docstring, maxsplit=1)
    listed, tail = (section[0], "") if section else ("", "")
    if following := NEXT_SECTION.search(listed):
        listed, tail = listed[: following.start()], listed[following.start() :]
    return "\n\n".join(part for part in (_remark(head.strip()), tail.strip()) if part), _options(listed)


def _remark(text: str) -> str:
    """The first sentence, where it says more than that the cell is built."""
    found = BUILD.match(text)
    if not found:
        return text
    rest = found["rest"]
    return f"{rest[0].upper()}{rest[1:]}." if rest else ""


def _options(listed: str) -> dict[str, Said]:
    options = {}
    for entry in re.split(r"\n(?=\S)", listed.strip()):
        first, _, below = entry.partition("\n")
        names, _, values = first.partition(" : ")
        meaning = " ".join(textwrap.dedent(below).split())
        options |= {name.strip(): Said(values.strip(), meaning) for name in names.split(",") if name.strip()}
    return options

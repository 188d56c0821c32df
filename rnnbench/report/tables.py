"""Numbers as text, and DataFrames as tables of text for a page."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 40  # rows shown; the file beside the page has them all
DIGITS = 4
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Table:
    """A table ready for a page.

    Attributes
    ----------
    headers : list of str
    numeric : list of bool
        The columns that are aligned to the right.
    rows : list of list of str
    hidden : int
        Rows left out at the end.
    """

    headers: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    hidden: int


def layout(df: pd.DataFrame) -> Table:
    """A DataFrame as text: each column in one format, numbers with sensible digits, at most `LONGEST` rows.

    A named index becomes leading columns; an unnamed one is left out.
    """
    if any(name is not None for name in df.index.names):
        df = df.reset_index()
    columns = [df.iloc[:, i].tolist() for i in range(df.shape[1])]
    formatted = [column(values[:LONGEST]) for values in columns]
    rows = [list(row) for row in zip(*formatted, strict=True)]
    headers = [_header(name) for name in df.columns]
    numeric = [all(_is_number(value) or _is_missing(value) for value in values) for values in columns]
    return Table(headers, numeric, rows, max(0, len(df) - LONGEST))


def column(values: Sequence[object]) -> list[str]:
    """The values of a column as text, floats with the same decimals where none loses its digits by that."""
    floats = [float(v) for v in values if _is_number(v) and not isinstance(v, numbers.Integral)]
    sizes = [abs(v) for v in floats if math.isfinite(v) and v != 0]
    # Fixed decimals are easiest to compare, but the smallest number must keep two of its digits.
    if sizes and min(sizes) >= 1e-3 and max(sizes) < 1e5 and max(sizes) < 1e2 * min(sizes):
        whole = all(size.is_integer() for size in sizes)
        places = 0 if whole else max(0, min(DIGITS - 1 - math.floor(math.log10(max(sizes))), 6))
        return [_fixed(value, places) for value in values]
    return [text(value) for value in values]


def text(value: object) -> str:
    """One value as text: four significant digits, true minus and infinity signs, powers of ten spelt out.

    >>> [text(v) for v in (3, 0.25, -1.23456e-7, float("inf"), None, True)]
    ['3', '0.25', '−1.235 × 10⁻⁷', '∞', '–', 'yes']
    """
    if _is_missing(value):
        return "–"
    if _is_bool(value):
        return "yes" if value else "no"
    if not _is_number(value):
        return str(value)
    if isinstance(value, numbers.Integral):
        return str(int(value)).replace("-", "−")
    number = float(value)
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    mantissa, _, exponent = f"{number:.{DIGITS}g}".partition("e")
    if exponent:
        return f"{mantissa.replace('-', '−')} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return mantissa.replace("-", "−")


def _fixed(value: object, places: int) -> str:
    if not _is_number(value) or isinstance(value, numbers.Integral) or not math.isfinite(value):
        return text(value)
    return f"{float(value):.{places}f}".replace("-", "−")


def _header(name: object) -> str:
    parts = name if isinstance(name, tuple) else (name,)
    return " ".join(str(part).replace("_", " ") for part in parts if part != "")


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not _is_bool(value)


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value

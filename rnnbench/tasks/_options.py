"""A task's options: checked, and refused with what was expected."""

from __future__ import annotations

import math

import numpy as np


def integer(option, value, least):
    """Return `value` as an int, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{option}: got {value!r}, expected an integer >= {least}")
    return int(value)


def number(option, value, least=0.0, most=math.inf):
    """Return `value` as a finite float, or refuse it."""
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not least <= value <= most:
        limits = [f">= {least}"] * (least > -math.inf) + [f"<= {most}"] * (most < math.inf)
        raise ValueError(f"{option}: got {value!r}, expected a finite number {' and '.join(limits)}".rstrip())
    return float(value)


def flag(option, value):
    """Return `value` if it is True or False, or refuse it."""
    if not isinstance(value, bool):
        raise ValueError(f"{option}: got {value!r}, expected True or False")
    return value


def one_of(option, value, allowed):
    """Return `value` if it is among `allowed` (and of the same type), or refuse it."""
    if not any(type(value) is type(a) and value == a for a in allowed):
        raise ValueError(f"{option}: got {value!r}, expected one of {', '.join(map(repr, allowed))}")
    return value


def number_or_none(option, value, least, most):
    """Return `value` if it is None, or as a finite float, or refuse it."""
    try:
        return None if value is None else number(option, value, least, most)
    except ValueError as error:
        raise ValueError(str(error).replace("expected a", "expected None or a")) from None

"""A task's options: checked, and refused with what was expected."""

from __future__ import annotations

import math

import numpy as np


def integer(option, value, least):
    """Return `value` as an int, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{option}: got {value!r}, expected an integer >= {least}")
    return int(value)


def number(option, value, least=0.0):
    """Return `value` as a finite float, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{option}: got {value!r}, expected a number >= {least}")
    if not math.isfinite(value) or value < least:
        raise ValueError(f"{option}: got {value!r}, expected a finite number >= {least}")
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


def tolerance_or_none(value):
    """Return the tolerance of class probabilities: None or a float in 0 ... 0.5, where only one class can be right."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value <= 0.5:
        raise ValueError(f"tolerance: got {value!r}, expected None or a number in 0 ... 0.5")
    return float(value)

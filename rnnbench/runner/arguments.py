"""Checks of single arguments; each message names the argument, what came and what was expected."""

from __future__ import annotations

from rnnbench.runner.errors import UserError, closest
from rnnbench.runner.settings import DEVICES, PRESETS, SEARCH_SEEDS


def whole_number(option: str, text: str, minimum: int) -> int:
    """The text as an integer of at least ``minimum``.

    Raises
    ------
    UserError
    """
    try:
        value = int(text)
    except ValueError:
        value = minimum - 1
    if value < minimum:
        raise UserError(f"{option} got {text!r}, expected an integer of at least {minimum}")
    return value


def seed(option: str, text: str) -> int:
    """The text as a root seed, a non-negative integer below those of searches."""
    value = whole_number(option, text, minimum=0)
    if value >= SEARCH_SEEDS:
        raise UserError(f"{option} got {text!r}, expected an integer below {SEARCH_SEEDS}")
    return value


def check_preset(preset: str) -> None:
    """A UserError for an unknown preset."""
    if preset not in PRESETS:
        raise UserError(f"--preset got {preset!r}, {closest(preset, PRESETS)}")


def check_device(device: str) -> None:
    """A UserError for an unknown device; whether it is there, and whether an experiment uses it, is found out later."""
    if device not in DEVICES:
        raise UserError(f"--device got {device!r}, expected {' or '.join(DEVICES)}")

"""Settings: what a sweep may hold, how ``--set`` changes it, its stable hash and its seed."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rnnbench.runner.errors import UserError, closest

if TYPE_CHECKING:
    import numpy as np

Scalar = str | int | float | bool | None

SEARCH = "search"  # chooses hyper-parameters, on seeds that no other preset uses
PRESETS = ("smoke", "quick", SEARCH, "paper")  # from the smallest to the largest
SEARCH_SEEDS = 2**32  # the root seeds of searches begin here, those of all else end
DEVICES = ("cpu", "cuda")
RESERVED = ("experiment", "trial", "status", "seed", "preset", "device", "source", "seconds")


def check_setting(setting: object, experiment: str) -> dict[str, Scalar]:
    """A setting as a plain dict, or a UserError that says what is wrong with it.

    Parameters
    ----------
    setting : object
        One element of what ``sweep`` returned.
    experiment : str
        Its name, for the message.

    Raises
    ------
    UserError
        It is no mapping, uses a reserved name, or holds something that isn't a finite JSON scalar.
    """
    if not isinstance(setting, Mapping):
        raise UserError(f"experiment {experiment!r}: sweep() gave {setting!r}, expected mappings of names to scalars")
    for name, value in setting.items():
        if not isinstance(name, str) or not name or name in RESERVED:
            raise UserError(
                f"experiment {experiment!r}: the setting's name {name!r} can't be used, "
                f"expected a string other than {', '.join(RESERVED)}"
            )
        finite = not isinstance(value, float) or value - value == 0
        if type(value) not in (str, int, float, bool, type(None)) or not finite:
            raise UserError(
                f"experiment {experiment!r}: setting {name}={value!r} is a {type(value).__name__}, "
                "expected a str, int, finite float, bool or None"
            )
    return dict(setting)


def parse_overrides(texts: Sequence[str]) -> dict[str, list[str]]:
    """``["lag=1,2"]`` as ``{"lag": ["1", "2"]}``.

    Raises
    ------
    UserError
        No '=', an empty name or value, or a name given twice.
    """
    overrides: dict[str, list[str]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        parts = [part.strip() for part in values.split(",")]
        if not equals or not name.strip() or not all(parts):
            raise UserError(f"--set got {text!r}, expected name=value or name=value1,value2")
        if name.strip() in overrides:
            raise UserError(f"--set got {name.strip()!r} twice, expected it once as name=value1,value2")
        overrides[name.strip()] = parts
    return overrides


def parse_value(name: str, text: str, types: set[type]) -> Scalar:
    """A value of ``--set`` as the type that the sweep uses for this name.

    Raises
    ------
    UserError
        The text is of none of these types.
    """
    if type(None) in types and text.lower() in ("none", "null"):
        return None
    if bool in types and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        if number in types:
            try:
                value = number(text)
            except ValueError:
                continue
            if value - value == 0:
                return value
    if str in types:
        return text
    wanted = {bool: "true or false", int: "an int", float: "a finite float", type(None): "none"}
    expected = " or ".join(words for kind, words in wanted.items() if kind in types)
    raise UserError(f"--set {name}: got {text!r}, expected {expected}")


def override(sweep: Sequence[Mapping[str, Scalar]], overrides: Mapping[str, list[str]]) -> list[dict[str, Scalar]]:
    """The sweep narrowed to the given values, or changed to those that it does not hold.

    Name by name, in the order given: if settings are left that have the value, they are picked; otherwise it replaces
    what the others have. Several values of a name are taken one by one, several names give the product. A setting that
    lacks a name isn't given it. Doubles are dropped; the order stays that of the sweep.
    """
    types = {name: {type(s[name]) for s in sweep if name in s} for name in overrides}
    names = [name for name in overrides if types[name]]
    choices = [[parse_value(name, text, types[name]) for text in overrides[name]] for name in names]
    found: list[tuple[int, dict[str, Scalar]]] = []
    for values in itertools.product(*choices):
        left = [(place, dict(setting)) for place, setting in enumerate(sweep)]
        for name, value in zip(names, values, strict=True):
            having = [(place, s) for place, s in left if name in s and canonical(s[name]) == canonical(value)]
            left = having or [(place, s | {name: value} if name in s else s) for place, s in left]
        found += left
    found.sort(key=lambda item: item[0])
    return list({canonical(setting): setting for _, setting in found}.values())


def check_override_names(overrides: Mapping[str, list[str]], sweeps: Iterable[Sequence[Mapping]]) -> None:
    """A UserError for any name of ``--set`` that no sweep knows."""
    known = sorted({name for sweep in sweeps for setting in sweep for name in setting})
    for name in overrides:
        if name not in known:
            raise UserError(f"--set got the unknown setting {name!r}, {closest(name, known)}")


def root_seed(preset: str, seed: int) -> int:
    """The root seed of a preset's trials: a search never sees the random numbers of what is reported.

    Raises
    ------
    ValueError
        For a seed that only searches may have.
    """
    if not 0 <= seed < SEARCH_SEEDS:
        raise ValueError(f"seed: got {seed}, expected an integer from 0 to {SEARCH_SEEDS - 1}")
    return seed + SEARCH_SEEDS if preset == SEARCH else seed


def canonical(content: object) -> str:
    """JSON with one spelling only: sorted keys, no spaces, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def trial_key(experiment: str, setting: Mapping[str, Scalar], seed: int, device: str) -> str:
    """The 16 hexadecimal digits that name a trial's file, for ever the same for the same four things."""
    content = {"experiment": experiment, "setting": dict(setting), "seed": seed, "device": device}
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]


def generator(experiment: str, setting: Mapping[str, Scalar], seed: int) -> np.random.Generator:
    """The random numbers of one trial.

    The root seed is the entropy and the hash of (experiment, setting) the spawn key of a
    `numpy.random.SeedSequence`, so two settings never share a stream, and PCG64 is named so that a new
    default in NumPy changes nothing.
    """
    import numpy as np

    digest = hashlib.sha256(canonical({"experiment": experiment, "setting": dict(setting)}).encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=words)))

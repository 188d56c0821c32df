"""The parts of a network: whether they go together, and their states, a dict for each by its name."""

from __future__ import annotations

from collections.abc import Mapping

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer


def together(given):
    """Return {name: layer} of parts that have the same dtype and replicas, or refuse them."""
    if not given:
        raise ValueError("parts: got none, expected at least one layer")
    for name, part in given.items():
        if not isinstance(part, Layer):
            raise TypeError(f"part {name!r}: got {type(part).__name__}, expected a layer")
        if "." in name:  # two parameters could have one path
            raise ValueError(f"part {name!r}: got a name with a dot, expected one without, for paths have dots")
        first_name, first = next(iter(given.items()))
        for what in ("dtype", "replicas"):
            own, expected = getattr(part, what), getattr(first, what)
            if own != expected:
                raise ValueError(f"part {name!r}: got {what} {own}, expected {expected} as part {first_name!r} has")
    return dict(given)


def chained(parts):
    """Return the width of the input and of the output of parts one after another; None where they take any.

    Raises
    ------
    ValueError
        If a part takes another width than the one before gives.
    """
    first = width = giver = None
    for name, part in parts.items():
        takes, gives = getattr(part, "input_size", None), getattr(part, "output_size", None)
        if takes is not None:
            if giver is None:
                first = takes
            elif takes != width:
                raise ValueError(f"part {giver!r} gives {width} numbers, but part {name!r} takes {takes}")
            width, giver = takes, name
        if gives is not None:
            width, giver = gives, name
    return first, width


def states(given, known, name="state"):
    """Return the dict of the parts' states, or refuse it."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"{name}: got {type(given).__name__}, expected a dict with some of {list(known)}")
    if unknown := [key for key in given if key not in known]:
        raise ValueError(f"{name}: got {unknown}, expected some of {list(known)}")
    return given


def shapes(state):
    """Return the shapes of a nested state: what a gradient by it must look like."""
    return {key: shapes(value) if isinstance(value, Mapping) else value.shape for key, value in state.items()}


def dstates(given, expected, dtype, name="dstate"):
    """Return a gradient by a nested state, all of it held to the `expected` shapes before any part runs back."""
    given = states(given, expected, name)
    for key, value in given.items():
        path = f"{name}[{key!r}]"
        if isinstance(expected[key], Mapping):
            dstates(value, expected[key], dtype, path)
        else:
            arguments.array(path, value, expected[key], dtype)
    return given


def seed(rngs, replicas):
    """Return what to give a part as its `seed`: the generators go on from part to part, in order."""
    return rngs[0] if replicas is None else rngs

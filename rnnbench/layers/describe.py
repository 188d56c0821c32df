"""What a network is, in terms that can be written down and compared: classes, sizes, options, cells."""

from __future__ import annotations

import numpy as np

from rnnbench.contract import Cell
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent

# Where and how it runs is no part of what it is.
BESIDE = {"device", "driver", "precision", "checkpoint", "random", "dense"}
SAME = 1e-6  # a cell's answers may differ by so much between versions of NumPy


def describe(layer: Layer) -> dict:
    """Return what a layer is, its parts included, in nested dicts of what JSON can hold.

    Covers each layer's class, its public attributes that are numbers, text or arrays (sizes, options), the shapes of
    its parameters and, of a recurrent layer, its cell: name, options, graph, and what it answers to some fixed numbers.
    """
    found = {"class": type(layer).__name__, "dtype": layer.dtype.name, "replicas": layer.replicas}
    found["parts"] = {name: describe(part) for name, part in layer.parts.items()}
    found["order"] = list(layer.parts)
    recurrent = isinstance(layer, Recurrent)
    if recurrent:
        found |= _cell(layer.cell)
    found |= {key: _listed(value) for key, value in vars(layer).items() if _is_option(key, value)}
    found["shapes"] = {key: list(value.shape) for key, value in layer.params.items()}
    if recurrent:
        found["answers"] = _answers(layer.cell, min(layer.input_size, 2), min(layer.hidden_size, 8))
    return found


def differences(got, expected, path="network") -> list[str]:
    """Return what differs between two descriptions, in words; of layers of two classes no more than that."""
    if not (isinstance(got, dict) and isinstance(expected, dict)):
        same = got == expected or _close(got, expected)
        return [] if same else [f"{path}: got {_short(got)}, expected {_short(expected)}"]
    keys = [*expected, *(key for key in got if key not in expected)]
    if got.get("class") != expected.get("class"):
        keys = ["class"]
    paths = {key: path if key in ("parts", "shapes") else f"{path}.{key}" for key in keys}
    return [told for key in keys for told in differences(got.get(key), expected.get(key), paths[key])]


def _short(value):
    if isinstance(value, list) and len(value) > 8:
        return f"a list of {len(value)}"
    return value.get("class", "other") if isinstance(value, dict) else value


def _is_option(key, value):
    if key.startswith("_") or key in BESIDE:
        return False
    if isinstance(value, list | tuple):
        return all(_is_option(key, one) and not isinstance(one, np.ndarray) for one in value)
    return isinstance(value, bool | int | float | str | None | np.ndarray)


def _listed(value):
    """Tuples and arrays as lists, as JSON gives them back."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_listed(member) for member in value] if isinstance(value, list | tuple) else value


def _cell(cell: Cell):
    options = {key: repr(value) for key, value in sorted(cell.options.items())}
    graph = [repr(one) for one in (*cell.vectors, *cell.gates, cell.output)]
    return {"cell": cell.name, "options": options, "graph": graph}


def _answers(cell, inputs, units):
    """What the cell makes of fixed numbers: its functions, whatever their text."""
    layer = Recurrent(cell, inputs, units, dtype="float64", device="reference", init="uniform")
    for key, value in layer.params.items():
        if key not in layer.fixed():
            value[...] = 0.5 * np.cos(1.0 + np.arange(value.size)).reshape(value.shape)
    steps = 3 + max(layer.layout.lags.values())
    x = np.sin(1.0 + np.arange(steps * inputs)).reshape(steps, 1, inputs)
    y, _ = layer.forward(x, tape=False)
    return y[-3:, 0].tolist()


def _close(got, expected):
    """Whether both are lists of real numbers that differ by rounding errors at most."""
    try:
        got, expected = (np.array(value if isinstance(value, list) else None) for value in (got, expected))
    except ValueError:  # lists of lists of other lengths
        return False
    real = got.dtype.kind == expected.dtype.kind == "f" and got.shape == expected.shape
    return bool(real and np.allclose(got, expected, rtol=SAME, atol=SAME, equal_nan=True))

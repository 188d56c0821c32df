"""From a layer's parameters to the weights that a driver takes, and their gradients back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnbench.kernels import memory
from rnnbench.layers import arguments


class Known:
    """What was made of a layer's arrays: good for the next call too, if the layer has the same arrays then.

    Attributes
    ----------
    arrays : memory.Arrays
        As a driver takes them: a leading replica axis, one bias; others in place of those that no training changes.
    sums : list of (rows of that bias, part of one of PyTorch's two)
    aside : set of str
        Those that have other arrays.
    lasting : bool
        Whether these are the layer's own numbers, and not copies.
    changed : set of str
        Keys that the cell's weight map gave at the last call.
    """

    changed: frozenset[str] | set[str] = frozenset()

    def __init__(self, layer, own, aside=()):
        self.own, self.ids, self.aside = list(own.values()), [*map(id, own.values())], aside
        led, layout, self.sums = {key: layer.led(value) for key, value in own.items()}, layer.layout, []
        keys = [*layout.weight_shapes, *(["bias"] if "bias" in own else []), *layout.parameter_widths]
        given = {key: np.zeros_like(led[key]) if key in aside else led[key] for key in keys}
        if layer.bias == "torch":
            given["bias"] = np.zeros((layer.copies, layout.bias_size), layer.dtype)
            self.sums = [(rows, led[key][:, part]) for key, part, rows in layout.torch_bias_spans]
        self.arrays = memory.Arrays(given)
        self.lasting = all(self.arrays[key] is given[key] for key in given)

    @classmethod
    def of(cls, layer, name, own, aside=()):
        """What is known of a layer's params or grads."""
        known = layer._known.get(name)
        if known is None or not known.lasting or known.ids != [*map(id, own.values())]:
            known = layer._known[name] = cls(layer, own, aside)
        return known


def used(layer) -> tuple[memory.Arrays, dict[str, np.ndarray]]:
    """Return the weights a driver takes (leading replica axis, one bias) and a copy of the raw ones if mapped."""
    arguments.check_params(layer)
    known = Known.of(layer, "params", layer.params, _mapped(layer))
    # What is not the layer's own is written at once: another thread may be reading the same numbers here.
    if known.sums:
        total = np.zeros_like(known.arrays["bias"])
        for rows, part in known.sums:
            total[:, rows] += part
        known.arrays["bias"][...] = total
    raw = {key: layer.led(layer.params[key]).copy() for key in _mapped(layer)}
    for r in range(layer.copies if raw else 0):
        given = _replica(raw, r)
        made = _checked(layer, "weight map's", layer.cell.weights.forward(given))
        known.changed = {*made}
        for key, value in (given | made).items():
            known.arrays[key][r] = value
    return known.arrays, raw


def added_to(layer) -> Known:
    """Return arrays that a driver can add its gradients to: large ones are then passed over once less."""
    check_grads(layer)
    known = Known.of(layer, "grads", layer.grads, layer._fixed().union(_mapped(layer)))
    for key in (*_mapped(layer), *(["bias"] if known.sums else [])):
        known.arrays[key][...] = 0
    return known


def check_grads(layer) -> None:
    """Refuse gradients that were replaced by something that does not fit: drivers write to addresses."""
    for key, value in layer.params.items():
        grad = layer.grads.get(key)
        if not (arguments.is_like(grad, value.shape, layer.dtype) and grad.flags.writeable):
            arguments.unmasked(f"grads[{key!r}]", grad)
            got = f"{grad.dtype} of shape {grad.shape}" if isinstance(grad, np.ndarray) else type(grad).__name__
            raise ValueError(f"grads[{key!r}]: got {got}, expected a writeable {layer.dtype} of shape {value.shape}")


def accumulate(layer, grads: Mapping[str, np.ndarray], added: Known, raw: Mapping[str, np.ndarray]) -> None:
    """Take over a driver's gradients (leading replica axis): sums, but for those set aside, which are to be added."""
    for rows, part in added.sums:
        part += grads["bias"][:, rows]
    if grads is not added.arrays or not added.lasting:
        for key in grads.keys() & layer.grads.keys() - added.aside:
            if grads[key] is not added.arrays[key] or not added.lasting:
                layer.led(layer.grads[key])[...] = grads[key]
    matrices = {key: grads[key] for key in _mapped(layer)}
    for r in range(layer.copies if matrices else 0):
        given = _replica(matrices, r)
        made = _checked(layer, "weight map's gradient of", layer.cell.weights.backward(_replica(raw, r), given))
        known = layer._known.get("params")
        if missing := sorted(known.changed - made.keys() if known else ()):
            raise ValueError(f"weight map's gradient: got {sorted(made)}, expected {missing} too, which it changes")
        for key, grad in (given | made).items():
            total = layer.led(layer.grads[key])[r]
            total += grad


def _checked(layer, what, made):
    """What a function of the cell's weight map has returned, each array of the shape it should have."""
    shapes = layer.layout.weight_shapes
    if not isinstance(made, Mapping) or not shapes.keys() >= made.keys():
        got = sorted(made) if isinstance(made, Mapping) else type(made).__name__
        raise ValueError(f"{what} arrays: got {got}, expected a dict with some of {', '.join(shapes)}")
    return {key: arguments.array(f"{what} {key}", value, shapes[key], layer.dtype) for key, value in made.items()}


def _mapped(layer):
    """Keys of what the cell's weight map stands before."""
    return layer.layout.weight_shapes if layer.cell.weights else ()


def _replica(arrays, r):
    return {key: value[r] for key, value in arrays.items()}

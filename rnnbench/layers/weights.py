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
    lasting : bool
        Whether these are the layer's own numbers, and not copies.
    """

    def __init__(self, layer, own, fixed=()):
        self.own, self.ids = list(own.values()), [*map(id, own.values())]
        led, layout, self.sums = {key: layer.led(value) for key, value in own.items()}, layer.layout, []
        keys = [*layout.weight_shapes, *(["bias"] if "bias" in own else []), *layout.parameter_widths]
        given = {key: np.zeros_like(led[key]) if key in fixed else led[key] for key in keys}
        if layer.bias == "torch":
            given["bias"] = np.zeros((layer.copies, layout.bias_size), layer.dtype)
            self.sums = [(rows, led[key][:, part]) for key, part, rows in layout.torch_bias_spans]
        self.arrays = memory.Arrays(given)
        self.lasting = all(self.arrays[key] is given[key] for key in given)

    @classmethod
    def of(cls, layer, name, own, fixed=()):
        """What is known of a layer's params or grads."""
        known = layer._known.get(name)
        if known is None or not known.lasting or known.ids != [*map(id, own.values())]:
            known = layer._known[name] = cls(layer, own, fixed)
        return known


def used(layer) -> tuple[memory.Arrays, dict[str, np.ndarray]]:
    """Return the weights a driver takes (leading replica axis, one bias) and a copy of the raw ones if mapped."""
    arguments.check_params(layer)
    known = Known.of(layer, "params", layer.params)
    if known.sums:
        total = np.zeros_like(known.arrays["bias"])
        for rows, part in known.sums:
            total[:, rows] += part
        known.arrays["bias"][...] = total  # at once: another thread may be reading the same numbers here
    if not layer.cell.weights:
        return known.arrays, {}
    raw = {key: known.arrays[key].copy() for key in layer.layout.weight_shapes}
    return memory.Arrays(known.arrays | _mapped(layer, raw)), raw


def added_to(layer) -> Known | None:
    """Return arrays that a driver can add its gradients to, or None: large ones are then passed over once less."""
    check_grads(layer)
    if layer.cell.weights:
        return None
    known = Known.of(layer, "grads", layer.grads, layer._fixed())
    if known.sums:
        known.arrays["bias"][...] = 0
    return known


def check_grads(layer) -> None:
    """Refuse gradients that were replaced by something that does not fit: drivers write to addresses."""
    for key, value in layer.params.items():
        grad = layer.grads.get(key)
        if not (arguments.is_like(grad, value.shape, layer.dtype) and grad.flags.writeable):
            got = f"{grad.dtype} of shape {grad.shape}" if isinstance(grad, np.ndarray) else type(grad).__name__
            raise ValueError(f"grads[{key!r}]: got {got}, expected a writeable {layer.dtype} of shape {value.shape}")


def accumulate(layer, grads: Mapping[str, np.ndarray], added: Known | None, raw: Mapping[str, np.ndarray]) -> None:
    """Take over a driver's gradients (leading replica axis): sums if it was given `added`, else to be added."""
    if added is not None:
        for rows, part in added.sums:
            part += grads["bias"][:, rows]
        if grads is not added.arrays or not added.lasting:
            for key in grads.keys() & layer.grads.keys() - layer._fixed():
                if grads[key] is not added.arrays[key] or not added.lasting:
                    layer.led(layer.grads[key])[...] = grads[key]
        return
    fixed, grads = layer._fixed(), dict(grads)
    of_matrices = {key: grads[key] for key in layer.layout.weight_shapes}
    back = layer.cell.weights.backward
    each = [back(_replica(raw, r), _replica(of_matrices, r)) for r in range(layer.copies)]
    grads |= {key: _stacked([one[key] for one in each]) for key in each[0]}
    if layer.bias == "torch":
        whole = grads.pop("bias")
        for rows, part in Known.of(layer, "grads", layer.grads, fixed).sums:
            part += whole[:, rows]
    for key, grad in grads.items():
        if key not in fixed:
            layer.grads[key] += layer.bare(grad)


def _mapped(layer, raw):
    """The cell's weight map of every replica."""
    each = [dict(layer.cell.weights.forward(_replica(raw, r))) for r in range(layer.copies)]
    shapes = layer.layout.weight_shapes
    for one in each:
        for key, value in one.items():
            arguments.array(f"weight map's {key}", value, shapes[key], layer.dtype)
    return {key: _stacked([one[key] for one in each]) for key in each[0]}


def _stacked(each):
    return each[0][None] if len(each) == 1 else np.stack(each)


def _replica(arrays, r):
    return {key: value[r] for key, value in arrays.items()}

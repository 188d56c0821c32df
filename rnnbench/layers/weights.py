"""From a layer's parameters to the weights that a driver takes, and their gradients back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnbench.kernels import memory
from rnnbench.layers import arguments


def used(layer) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the weights a driver takes (leading replica axis, one bias) and a copy of the raw ones if mapped."""
    arguments.check_params(layer)
    layout, params = layer.layout, layer.params
    given, raw = {key: memory.by_replica(layer.led(params[key])) for key in layout.weight_shapes}, {}
    if layer.cell.weights:
        raw = {key: value.copy() for key, value in given.items()}
        given |= _mapped(layer, raw)
    if layer.bias is True and layout.bias_size:
        given["bias"] = memory.by_replica(layer.led(params["bias"]))
    if layer.bias == "torch":
        given["bias"] = np.zeros((layer.copies, layout.bias_size), layer.dtype)
        for key, own, rows in layout.torch_bias_spans:
            given["bias"][:, rows] += layer.led(params[key])[:, own]
    for name in layout.parameter_widths:
        given[name] = memory.by_replica(layer.led(params[name]))
    return given, raw


def added_to(layer) -> dict[str, np.ndarray] | None:
    """Return the arrays that a driver can add its gradients to, or None: large ones are then passed over once less."""
    check_grads(layer)
    if layer.cell.weights:
        return None
    fixed, grads = layer._fixed(), {}
    keys = [*layer.layout.weight_shapes, *(["bias"] if "bias" in layer.params else []), *layer.layout.parameter_widths]
    for key in keys:
        own = layer.led(layer.grads[key])
        grads[key] = np.zeros_like(own) if key in fixed else memory.by_replica(own)
    if layer.bias == "torch":
        grads["bias"] = np.zeros((layer.copies, layer.layout.bias_size), layer.dtype)
    return grads


def check_grads(layer) -> None:
    """Refuse gradients that were replaced by something that does not fit: drivers write to addresses."""
    for key, value in layer.params.items():
        grad = layer.grads.get(key)
        if not (arguments.is_like(grad, value.shape, layer.dtype) and grad.flags.writeable):
            got = f"{grad.dtype} of shape {grad.shape}" if isinstance(grad, np.ndarray) else type(grad).__name__
            raise ValueError(f"grads[{key!r}]: got {got}, expected a writeable {layer.dtype} of shape {value.shape}")


def accumulate(layer, grads: Mapping[str, np.ndarray], added: Mapping | None, raw: Mapping[str, np.ndarray]) -> None:
    """Take over a driver's gradients (leading replica axis): sums if it was given `added`, else to be added."""
    fixed, grads = layer._fixed(), dict(grads)
    if layer.bias == "torch":
        whole = grads.pop("bias")
        for key, own, rows in layer.layout.torch_bias_spans:
            layer.led(layer.grads[key])[:, own] += whole[:, rows]
    if added is not None:
        for key, grad in grads.items():
            own = layer.led(layer.grads[key])
            in_place = grad is added[key] and own[0].flags.c_contiguous
            if key not in fixed and not in_place:
                own[...] = grad
        return
    if layer.cell.weights:
        of_matrices = {key: grads[key] for key in layer.layout.weight_shapes}
        back = layer.cell.weights.backward
        each = [back(_replica(raw, r), _replica(of_matrices, r)) for r in range(layer.copies)]
        grads |= {key: _stacked([one[key] for one in each]) for key in each[0]}
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

"""Weights over to PyTorch and back, exactly."""

from __future__ import annotations

import numpy as np

KINDS = {"LSTM": "lstm", "GRU": "gru_reset_after", "RNN": "elman"}


def _torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError("torch is not installed, expected it from `pip install rnnbench[peers]`") from error
    return torch


def from_torch(cls, module, device):
    """Make a layer from a one-layer, one-direction ``torch.nn`` RNN, GRU or LSTM.

    Raises
    ------
    TypeError, ValueError
        For another module, or one with layers, directions or projections that a single layer does not have.
    """
    torch = _torch()
    kind = type(module).__name__
    if not isinstance(module, torch.nn.RNNBase) or kind not in KINDS:
        raise TypeError(f"module: got {kind}, expected torch.nn.RNN, GRU or LSTM")
    for attribute, expected in (("num_layers", 1), ("bidirectional", False), ("proj_size", 0)):
        if getattr(module, attribute) != expected:
            raise ValueError(f"module.{attribute}: got {getattr(module, attribute)}, expected {expected}")
    options = {"activation": module.nonlinearity} if kind == "RNN" else {}
    dtype = str(module.weight_ih_l0.dtype).removeprefix("torch.")
    layer = cls(
        KINDS[kind], module.input_size, module.hidden_size, dtype=dtype, device=device,
        bias="torch" if module.bias else False, **options,
    )  # fmt: skip
    for key in layer.params:
        layer.params[key][...] = getattr(module, f"{key}_l0").detach().cpu().numpy()
    return layer


def to_torch(layer):
    """Make a ``torch.nn`` RNN, GRU or LSTM (time-major) with a layer's weights.

    Raises
    ------
    ValueError
        If PyTorch has no module for the layer's cell, or no place for a learned initial state.
    """
    torch = _torch()
    if layer.replicas is not None:
        raise ValueError(f"to_torch: got {layer.replicas} replicas, expected a layer without")
    if layer.layout.learned:
        raise ValueError(f"to_torch: got learned initial states {list(layer.layout.learned)}, expected none")
    kinds = {cell: kind for kind, cell in KINDS.items()}
    activation = layer.cell.options.get("activation", "tanh")
    if layer.cell.name not in kinds or activation not in ("tanh", "relu"):
        raise ValueError(
            f"to_torch: cell {layer.cell.name!r} with activation {activation!r}, expected one of {sorted(kinds)} "
            "with tanh or relu"
        )
    kind = kinds[layer.cell.name]
    options = {"nonlinearity": activation} if kind == "RNN" else {}
    module = getattr(torch.nn, kind)(
        layer.input_size, layer.hidden_size, bias=bool(layer.bias), dtype=getattr(torch, layer.dtype.name), **options
    )
    values = {key: value for key, value in layer.params.items() if key != "bias"}
    if layer.bias is True:
        values |= _two_biases(layer)
    with torch.no_grad():
        for key, value in values.items():
            getattr(module, f"{key}_l0").copy_(torch.from_numpy(np.array(value)))
    return module


def _two_biases(layer):
    """PyTorch's two sets from one: with the products from x where there are any, else with those from h."""
    layout = layer.layout
    sets = {}
    for key, source in (("bias_ih", "x"), ("bias_hh", "h")):
        rows = layout.torch_bias_rows(source)
        sets[key] = np.zeros(sum(stop - start for start, stop in rows.values()), layer.dtype)
        for gate, (start, stop) in rows.items():
            if source == "x" or gate not in layout.torch_bias_rows("x"):
                sets[key][start:stop] = layer.gate_bias(gate)
    return sets

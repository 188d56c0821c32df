"""What a layer is given: checked, and said clearly when wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.ma import MaskedArray

from rnnbench.contract import LEARNED
from rnnbench.kernels import cuda_host
from rnnbench.layers.on_gpu import device_array

DRIVERS = "auto", "portable", "persistent"
PRECISIONS = "ieee", "tf32", "bf16", "fp16"


def integer(name, value, least):
    """Return `value` as an int, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: got {value!r}, expected an integer >= {least}")
    return int(value)


def one_of(name, value, allowed):
    """Return `value` if it is among `allowed` (and of the same type), or refuse it."""
    for one in allowed:
        if type(value) is type(one) and value == one:
            return value
    raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(repr, allowed))}")


def tape_choice(value):
    """Refuse a `tape` that is not None, True or False."""
    if not (value is None or isinstance(value, bool)):
        raise ValueError(f"tape: got {value!r}, expected None, True or False")


def dtype_name(dtype):
    """Return the name of anything NumPy takes for a dtype, or the thing itself."""
    try:
        return dtype if dtype is None else np.dtype(dtype).name
    except TypeError:
        return dtype


def generators(seed):
    """Return the generators that `seed` stands for, one per replica, and the number of replicas or None.

    Parameters
    ----------
    seed : int, numpy.random.Generator or SeedSequence, or a list of these
        A list makes replicas, one for each of its members.
    """
    seeds = list(seed) if isinstance(seed, list | tuple) else [seed]
    if not seeds:
        raise ValueError("seed: got an empty list, expected a seed for each replica")
    for one in seeds:
        if not isinstance(one, np.random.Generator | np.random.SeedSequence):
            integer("seed", one, 0)
    return [np.random.default_rng(one) for one in seeds], len(seeds) if isinstance(seed, list | tuple) else None


def cuda_options(driver, precision, device, dtype):
    """Return how a layer on a GPU is to run, or refuse it where it means nothing or the GPU is too old."""
    one_of("driver", driver, DRIVERS if device == "cuda" else DRIVERS[:1])
    one_of("precision", precision, PRECISIONS if device == "cuda" and dtype == np.float32 else PRECISIONS[:1])
    if precision != "ieee":
        cuda_host.require_tensor_cores(precision)
    return driver, precision


def stream(value, device):
    """Return `value` if the device has streams, or refuse it."""
    if value is not None and device != "cuda":
        raise ValueError(f"stream: got {value!r}, expected None with device {device!r}")
    return value


def own_generators(rngs):
    """Return new generators, one from each, for what a forward pass draws: nobody else draws from them."""
    return [np.random.default_rng(rng.integers(2**63, size=2)) for rng in rngs]


def torch_bias(layout):
    """Refuse PyTorch's two biases for a cell that they do not describe."""
    covered = {*layout.torch_bias_rows("x"), *layout.torch_bias_rows("h")}
    if set(layout.bias_rows) - covered or any(not g.bias for g in layout.cell.gates):
        raise ValueError(
            f"bias: got 'torch', but cell {layout.cell.name!r} has gates without a product with x or h, "
            "expected True or False"
        )


def unmasked(name, value):
    """Return `value`, or refuse a masked array: kernels read the numbers, and its mask would be lost."""
    if isinstance(value, MaskedArray):
        raise TypeError(f"{name}: got a masked array, expected an array without a mask")
    return value


def array(name, value, shape, dtype, device="cpu"):
    """Return `value` as a contiguous array of exactly this shape and dtype; None in `shape` is any size.

    With device ``"cuda"`` it may lie on the GPU; then it is returned as Numba sees it, without a copy.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(unmasked(name, value), np.ndarray):
        value = device_array(name, value, dtype, device)
    if value.dtype != dtype:
        raise TypeError(f"{name}: got dtype {value.dtype}, expected {dtype}")
    if value.shape != shape and not _fits(value.shape, shape):
        expected = str(shape).replace("None", "any")
        raise ValueError(f"{name}: got shape {value.shape}, expected {expected}")
    return np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value


def is_like(value, shape, dtype):
    """Whether `value` is a NumPy array of this shape and dtype, and has no mask."""
    plain = isinstance(value, np.ndarray) and not isinstance(value, MaskedArray)
    return plain and value.shape == shape and value.dtype == dtype


def _fits(given, shape):
    return len(given) == len(shape) and all(s is None or s == n for s, n in zip(shape, given, strict=True))


def features(name, value, lead, size, dtype):
    """Return `value` as a contiguous array (*lead, ..., size), or refuse it."""
    shape = getattr(value, "shape", ())
    return array(name, value, (*lead, *[None] * max(len(shape) - len(lead) - 1, 0), size), dtype)


def symbols(name, value, size, lead=()):
    """Return symbols, integers from 0 to size - 1 with the leading axes `lead`, as int64; or refuse them."""
    if not isinstance(unmasked(name, value), np.ndarray) or not np.issubdtype(value.dtype, np.integer):
        got = f"dtype {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{name}: got {got}, expected a NumPy array of integers (symbols)")
    if value.shape[: len(lead)] != lead:
        raise ValueError(f"{name}: got shape {value.shape}, expected {lead[0]} replicas along its first axis")
    if value.size and (value.min() < 0 or value.max() >= size):
        raise ValueError(f"{name}: got symbols from {value.min()} to {value.max()}, expected 0 to {size - 1}")
    return value.astype(np.int64, copy=False)


def check_params(layer):
    """Refuse parameters that were replaced by something of another shape or dtype."""
    for key in layer.params.keys() ^ layer.grads.keys() if layer.params.keys() != layer.grads.keys() else ():
        problem = "unknown" if key in layer.params else "missing"
        raise KeyError(f"params: {key!r} is {problem}, expected the keys {sorted(layer.grads)}")
    for key, grad in layer.grads.items():
        if not is_like(layer.params[key], grad.shape, layer.dtype):
            array(f"params[{key!r}]", layer.params[key], grad.shape, layer.dtype)


def row_order(lengths, steps, rows):
    """Return each row's length, and the rows sorted by it, longest first."""
    try:
        lengths = np.asarray(unmasked("lengths", lengths))
    except ValueError:
        lengths = np.asarray(None)
    if lengths.shape != (rows,) or not (np.issubdtype(lengths.dtype, np.integer) or rows == 0):
        raise ValueError(f"lengths: got {lengths.dtype} of shape {lengths.shape}, expected integers of shape ({rows},)")
    if rows and (lengths.min() < 0 or lengths.max() > steps):
        raise ValueError(f"lengths: got values from {lengths.min()} to {lengths.max()}, expected 0 to T = {steps}")
    lengths = lengths.astype(np.int64)
    return lengths, np.argsort(-lengths, kind="stable")


def no_state(name, given):
    """Refuse a state, or a gradient by one, of a layer that has none."""
    if given is not None and not (isinstance(given, Mapping) and not given):
        got = list(given) if isinstance(given, Mapping) else type(given).__name__
        raise ValueError(f"{name}: got {got}, expected None or {{}}: this layer has no state")


def states(layer, order, given, name):
    """Return (R, lag, B, width) arrays for every state that is given, in processing order."""
    if given is None:
        return {}
    layout, rows = layer.layout, len(order.rows)
    if not isinstance(given, Mapping):
        raise TypeError(f"{name}: got {type(given).__name__}, expected a dict with some of {list(layout.states)}")
    if unknown := [key for key in given if key not in layout.states]:
        raise ValueError(f"{name}: got {unknown}, expected some of {list(layout.states)}")
    out = {}
    for key, value in given.items():
        lag, width = layout.lags[key], layout.widths[key]
        shape = layer.lead + ((rows, width) if lag == 1 else (lag, rows, width))
        value = array(f"{name}[{key!r}]", value, shape, layer.dtype, layer.device)
        value = order.put_rows(value.reshape((layer.copies, lag, rows, width)))
        out[key] = np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
    return out


def states_back(layer, order, values):
    """Return the users' state dict from (R, lag, B, width) arrays in processing order."""
    out, lead = {}, layer.lead
    for key, value in values.items():
        shape = tuple(value.shape)
        value = value if order.in_place else order.back_rows(value)
        out[key] = value.reshape(lead + shape[1 if shape[1] > 1 else 2 :])
    return out


def initial_states(layer, order, given):
    """Return what states start from, (R, lag, B, width), but for those from 0; and which come from parameters."""
    layout, out = layer.layout, states(layer, order, given, "state")
    learned = tuple(n for n in layout.learned if n not in out)
    for name, initial in layout.initial.items():
        if name not in out:
            value = layer.led(layer.params[f"initial_{name}"])[:, None, None] if initial == LEARNED else initial
            shape = layer.copies, layout.lags[name], len(order.rows), layout.widths[name]
            out[name] = np.empty(shape, layer.dtype)
            out[name][...] = value
    return out, learned


def feeds(layer, order, given):
    """Return {state: (values (R, T, B, width), mask (T, B))} in processing order."""
    if given is None:
        return {}
    layout, (steps, rows), out = layer.layout, (len(order.active), len(order.rows)), {}
    if not isinstance(given, Mapping):
        raise TypeError(f"feed: got {type(given).__name__}, expected a dict {{state: (values, mask)}}")
    for name, pair in given.items():
        if name not in layout.states:
            raise ValueError(f"feed: got state {name!r}, expected one of {list(layout.states)}")
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"feed[{name!r}]: got {type(pair).__name__}, expected a pair (values, mask)")
        shape = *layer.lead, steps, rows, layout.widths[name]
        values = array(f"feed[{name!r}] values", pair[0], shape, layer.dtype, layer.device)
        if cuda_host.on_device(pair[1]):
            raise TypeError(f"feed[{name!r}] mask: got {type(pair[1]).__name__} on the GPU, expected a NumPy array")
        mask = np.asarray(unmasked(f"feed[{name!r}] mask", pair[1]))
        if mask.dtype != bool or mask.shape not in ((steps,), (steps, rows)):
            raise ValueError(
                f"feed[{name!r}] mask: got {mask.dtype} of shape {mask.shape}, "
                f"expected booleans of shape ({steps},) or ({steps}, {rows})"
            )
        mask = np.broadcast_to(mask[:, None] if mask.ndim == 1 else mask, (steps, rows))
        out[name] = order.put(layer.led(values)), order.put_mask(mask)
    return out

"""Back-propagation one step at a time, the cotangent renormalised on the way.

BPTT by single steps is the same sum as BPTT of the whole sequence, but between two steps the cotangent can be
scaled to norm 1 and the logarithm of the scale kept. So a gradient may decay to 0.5**2000 or grow to 2**2000
and still be known to full precision. Everything goes through the layer's public ``forward`` and ``backward``:
it works for every cell, a user's own too, and on every device.

The *joint state* is all that a layer carries from step to step: every differentiable state with all its lags,
flattened in the order of ``layout.states``, each oldest step first. The gradient by one state alone (the h of
an LSTM) misses what flows through the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from rnnbench.layers.layer import Tape
from rnnbench.layers.recurrent import Recurrent

SEGMENT = 128  # steps whose tapes are held at once; a longer sequence is run twice


def joint_states(layer: Recurrent) -> dict[str, int]:
    """Return the differentiable states and how many numbers of the joint state each takes.

    Raises
    ------
    ValueError
        If the layer is not in float64, or no gradient flows through any of its states.
    """
    if layer.dtype != np.float64:
        raise ValueError(f"layer: got dtype {layer.dtype}, expected float64 (rounding would set the decay's floor)")
    layout, smooth = layer.layout, layer.cell.differentiable
    sizes = {name: layout.lags[name] * layout.widths[name] for name in layout.states if smooth[name]}
    if not sizes:
        raise ValueError(f"layer: cell {layer.cell.name!r} carries no differentiable state from step to step")
    return sizes


def flatten(layer: Recurrent, states: Mapping[str, np.ndarray]) -> np.ndarray:
    """Lay states, or gradients by them, side by side as (B, joint width)."""
    columns = []
    for name in joint_states(layer):
        value = states[name] if layer.layout.lags[name] > 1 else states[name][None]
        columns.append(value.transpose(1, 0, 2).reshape(value.shape[1], -1))
    return np.concatenate(columns, axis=1)


def unflatten(layer: Recurrent, joint: np.ndarray) -> dict[str, np.ndarray]:
    """Take (B, joint width) apart into the states; the inverse of `flatten`."""
    out, start, rows = {}, 0, len(joint)
    for name, size in joint_states(layer).items():
        lag, width = layer.layout.lags[name], layer.layout.widths[name]
        value = joint[:, start : start + size].reshape(rows, lag, width).transpose(1, 0, 2)
        out[name] = np.ascontiguousarray(value if lag > 1 else value[0])
        start += size
    return out


def columns_of(layer: Recurrent, name: str | None) -> slice:
    """Return where a state lies in the joint state; None is all of it.

    Raises
    ------
    ValueError
        For a name that is no differentiable state.
    """
    sizes = joint_states(layer)
    if name is None:
        return slice(0, sum(sizes.values()))
    if name not in sizes:
        raise ValueError(f"state: got {name!r}, expected None (all of them) or one of {list(sizes)}")
    before = list(sizes)[: list(sizes).index(name)]
    start = sum(sizes[other] for other in before)
    return slice(start, start + sizes[name])


def random_cotangent(layer: Recurrent, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return `rows` unit vectors over the joint state, uniformly distributed, shape (rows, joint width)."""
    joint = rng.normal(size=(rows, sum(joint_states(layer).values())))
    return joint / np.linalg.norm(joint, axis=1, keepdims=True)


def backpropagate(
    layer: Recurrent,
    x: np.ndarray,
    cotangent: np.ndarray,
    state: Mapping[str, np.ndarray] | None = None,
    *,
    rescale: str = "each",
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Carry a cotangent at the end of a sequence back to its start, step by step.

    Parameters
    ----------
    layer : Recurrent
        In float64. Its gradients are left as they were; a forward pass that waits for its backward is
        forgotten.
    x : (T, B, I) array
    cotangent : (B, joint width) array
        Gradient by the final joint state.
    state : dict of arrays, optional
        Initial state, as for ``layer.forward``.
    rescale : "each", "together" or "orthonormal"
        Every row by a factor of its own; all by one common factor (a Jacobian's rows keep their proportions); or by the
        QR decomposition: the rows become orthonormal, and the factors are the diagonal of R.

    Yields
    ------
    direction : (B, joint width) array
        The gradient at lag 0, 1, ... T, scaled to norm 1 (0 where it has vanished altogether).
    log_scale : (B,) array
        Natural logarithm of the factor taken out. The gradient is ``exp(log_scale) * direction``, but for
        "orthonormal", where only the volume that the first rows span is known: its logarithm is their sum.
    """
    joint_states(layer)
    log_scale = np.zeros(len(cotangent))
    direction, log_scale = _renormalise(np.array(cotangent, dtype=np.float64), log_scale, rescale)
    yield direction, log_scale
    grads = {key: value.copy() for key, value in layer.grads.items()}
    try:
        with layer.frozen():
            for tape in _tapes_backward(layer, x, state):
                _, gradient = layer.backward(None, unflatten(layer, direction), tape=tape)
                direction, log_scale = _renormalise(flatten(layer, gradient), log_scale, rescale)
                yield direction, log_scale
    finally:
        for key, value in grads.items():
            layer.grads[key][...] = value


def _tapes_backward(layer: Recurrent, x: np.ndarray, state) -> Iterator[Tape]:
    """The tapes of single steps, last to first, holding those of one segment only."""
    starts = range(0, len(x), SEGMENT)
    before = []
    for start in starts:
        before.append(state)
        if start + SEGMENT < len(x):
            _, state = layer.forward(x[start : start + SEGMENT], state, tape=False)
    for start, at_start in reversed(list(zip(starts, before, strict=True))):
        state, tapes = at_start, []
        for t in range(start, min(start + SEGMENT, len(x))):
            _, state, tape = layer.forward(x[t : t + 1], state, tape=True)
            tapes.append(tape)
        while tapes:
            yield tapes.pop()


def _renormalise(gradient, log_scale, rescale):
    if rescale == "orthonormal":
        q, r = np.linalg.qr(gradient.T)
        direction, norm, divisor = q.T, np.abs(np.diag(r)), 1.0
    else:
        norm = np.linalg.norm(gradient) if rescale == "together" else np.linalg.norm(gradient, axis=1)
        norm = np.broadcast_to(norm, len(gradient))
        direction, divisor = gradient, np.where(norm > 0, norm, 1.0)[:, None]
    with np.errstate(divide="ignore"):
        log_scale = log_scale + np.log(norm)  # -inf once it has vanished, and it stays there
    return direction / divisor, log_scale

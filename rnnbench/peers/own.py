"""rnnbench itself as one of the engines: CPU driver, with weights packed once, NumPy reference, and the roof."""

from __future__ import annotations

import contextlib

import numpy as np

from rnnbench.peers.tasks import Job, NotSupported, Task, is_common

ROOF_LOOPS = 1_000_000  # of one call of the roof's loop: some milliseconds


def load() -> None:
    """Import the engine."""
    from rnnbench.kernels import cpu  # noqa: F401
    from rnnbench.layers import recurrent  # noqa: F401


def make_layer(task: Task, seed=0, **options):
    """The layer of a task; with PyTorch's two biases where PyTorch has the cell, as the peers have them.

    Parameters
    ----------
    task : Task
    seed : int or numpy.random.Generator
    **options
        Of `Recurrent`, in place of the task's device, and further ones.
    """
    from rnnbench import cells
    from rnnbench.layers.recurrent import Recurrent

    if task.cell_file and task.cell not in cells.names():
        cells.load_file(task.cell_file)
    return Recurrent(
        task.cell,
        task.shape.I,
        task.shape.H,
        seed=seed,
        bias="torch" if is_common(task.cell, task.activation) else True,
        **{"device": "reference" if task.variant == "reference" else "cpu"} | options,
        **({"activation": task.activation} if task.activation else {}),
    )


def make_arrays(task: Task, rng) -> dict:
    """Input, cotangent and parameters of a task: what every engine gets."""
    layer = make_layer(task, rng)
    x = rng.standard_normal((task.shape.T, task.shape.B, task.shape.I)).astype("float32")
    dy = rng.standard_normal((task.shape.T, task.shape.B, layer.output_size)).astype("float32")
    for name, value in layer.params.items():
        if name.startswith("bias"):  # biases of 0 would hide a mistake in them
            value[...] = 0.1 * rng.standard_normal(value.shape)
    return {"x": x, "dy": dy} | layer.params


def flops(task: Task) -> int:
    """Floating-point operations of the products of one call; training has three times those of the forward pass."""
    per_step = make_layer(task).layout.flops_per_step()
    return per_step * task.shape.T * task.shape.B * (3 if task.training else 1)


def trained(task: Task) -> tuple[str, ...]:
    """The parameters that training has a gradient for."""
    layer = make_layer(task)
    fixed = {parameter.name for parameter in layer.cell.parameters if not parameter.trained}
    return tuple(name for name in layer.params if name not in fixed)


def prepare(task: Task, arrays: dict) -> Job:
    """A layer with these weights, and the call of its direction; with `lengths` among the arrays, rows end early."""
    if task.variant == "roof":
        return _roof(task)
    if task.variant in ("lstm", "pointwise", "copy"):
        from rnnbench.peers import alone

        return alone.prepare(task)
    from rnnbench.kernels import threads

    threads.set_num_threads(task.threads)
    layer, x, dy, lengths = make_layer(task), arrays["x"], arrays["dy"], arrays.get("lengths")
    for name, value in layer.params.items():
        value[...] = arrays[name]
    if task.variant == "frozen":
        if task.training:
            raise NotSupported("weights that change are not packed once")
        # Never left again: the process ends with its jobs.
        contextlib.ExitStack().enter_context(layer.frozen())

    def infer():
        return layer.forward(x, lengths=lengths, tape=False)

    def train():
        if layer.cell.weights:
            move(layer)
        layer.zero_grad()
        y, state = layer.forward(x, lengths=lengths)
        dx, _ = layer.backward(dy)
        return y, state, dx

    def arrays_of(result):
        y, state, *dx = result
        gradients = {"dx": dx[0]} | layer.grads if dx else {}
        return {"y": y} | {name: value for name, value in state.items() if name not in gradients} | gradients

    return Job(train if task.training else infer, arrays_of)


def move(layer) -> None:
    """Move weights by a rounding error: an optimiser would move them, and a map of the same ones may be remembered."""
    for key in layer.layout.weight_shapes:
        first = layer.params[key].reshape(-1)[:1]
        np.nextafter(first, np.float32(np.inf), out=first)


def _roof(task):
    from rnnbench.peers import roof

    flops = task.threads * ROOF_LOOPS * roof.flops_per_loop()
    return Job(lambda: roof.spin(task.threads, ROOF_LOOPS), lambda _: {"flops": flops})

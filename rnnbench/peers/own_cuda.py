"""rnnbench on a GPU, one of its drivers in one of its precisions: the variant is ``"persistent tf32"`` and so on.

Input and cotangent lie on the GPU before and y, states and dx after a call, which ends when the GPU has ended. In
inference the weights are packed once. In training they come from the host and their gradients go there, each time,
as the layer has them.
"""

from __future__ import annotations

import contextlib

from rnnbench.kernels import cuda_host
from rnnbench.peers import own
from rnnbench.peers.tasks import Job, NotSupported, Task


def load() -> None:
    """Import the engine, if there is a GPU for it.

    Raises
    ------
    NotSupported
        With what is missing.
    """
    try:
        cuda_host.require()
    except RuntimeError as error:
        raise NotSupported(str(error)) from None
    if cuda_host.simulated():
        raise NotSupported("Numba's simulator is no GPU to time anything on: unset NUMBA_ENABLE_CUDASIM")
    from rnnbench.kernels import cuda  # noqa: F401


def check_precision(precision: str) -> None:
    """Raise NotSupported for a precision that the GPU has not."""
    if precision != "ieee":
        try:
            cuda_host.require_tensor_cores(precision)
        except RuntimeError as error:
            raise NotSupported(str(error)) from None


def prepare(task: Task, arrays: dict) -> Job:
    """A layer with these weights, and the call of its direction.

    Raises
    ------
    NotSupported
        Where the driver does not fit the GPU, or the GPU lacks the precision.
    """
    from numba import cuda

    driver, precision = task.variant.split()
    check_precision(precision)
    layer = own.make_layer(task, device="cuda", driver=driver, precision=precision)
    for name, value in layer.params.items():
        value[...] = arrays[name]
    x, dy = cuda.to_device(arrays["x"]), cuda.to_device(arrays["dy"])
    try:
        layer.forward(x, tape=None if task.training else False)
    except ValueError as refusal:  # a driver that does not fit says so before it runs
        raise NotSupported(str(refusal)) from None
    if not task.training:  # never left again: the process ends with its jobs
        contextlib.ExitStack().enter_context(layer.frozen())

    def infer():
        result = layer.forward(x, tape=False)
        cuda.synchronize()
        return result

    def train():
        if layer.cell.weights:
            own.move(layer)
        layer.zero_grad()
        y, state = layer.forward(x)
        dx, _ = layer.backward(dy)
        cuda.synchronize()
        return y, state, dx

    def arrays_of(result):
        y, state, *dx = result
        gradients = {"dx": dx[0].copy_to_host()} | layer.grads if dx else {}
        states = {name: value.copy_to_host() for name, value in state.items() if name not in gradients}
        return {"y": y.copy_to_host()} | states | gradients

    return Job(train if task.training else infer, arrays_of)

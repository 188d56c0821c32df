"""The same training in eager PyTorch: the same initial weights, batches, loss, clipping and optimiser."""

from __future__ import annotations

import numpy as np

from rnnbench.peers.tasks import Job, Task, check_common
from rnnbench.peers.torch_peer import MODULES
from rnnbench.peers.workloads import CALL_STEPS, COMPARED, WORKLOADS, trainer


def load() -> None:
    """Import torch, and ours for the data."""
    import torch  # noqa: F401

    from rnnbench.training import loop  # noqa: F401


def prepare(task: Task, arrays: dict) -> Job:
    """A ``torch.nn`` network of the workload that `arrays` names, and the call that makes some steps."""
    import torch

    check_common(task, "PyTorch")
    torch.set_num_threads(task.threads)
    name = str(arrays["workload"])
    ours, last = trainer(name, task.cell), WORKLOADS[name].readout == "last"
    hidden, readout = _modules(torch, ours.network, task.cell)
    parameters = [*hidden.parameters(), *readout.parameters()]
    optimiser = torch.optim.RMSprop(parameters, lr=1e-3)
    losses = []

    def step():
        for _ in range(CALL_STEPS):
            fed = ours.feed.next()
            x, target, mask = (torch.from_numpy(np.ascontiguousarray(a[0])) for a in (fed.x, fed.target, fed.mask))
            if ours.task.symbols:
                x = torch.nn.functional.one_hot(x, ours.task.inputs).float()
            y, _ = hidden(x)
            if last:
                y, target, mask = y[-1:], target[-1:], mask[-1:]
            lost = _loss(torch, ours.task.loss, readout(y), target) * mask
            optimiser.zero_grad()
            (lost.sum() / mask.shape[1]).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            losses.append(lost.detach().sum() / mask.sum())
        return losses

    def first(losses):
        while len(losses) < COMPARED:
            step()
        return {"loss": np.array([float(one) for one in losses[:COMPARED]])[:, None]}

    return Job(step, first)


def _modules(torch, network, cell):
    """The recurrent layer and the readout, with our network's weights."""
    given = network.parameters()
    units, inputs = given["hidden.weight_hh"].shape[1], given["hidden.weight_ih"].shape[1]
    hidden = getattr(torch.nn, MODULES[cell])(inputs, units)
    readout = torch.nn.Linear(units, len(given["readout.bias"]))
    with torch.no_grad():
        for name, parameter in hidden.named_parameters():
            parameter.copy_(torch.from_numpy(given[f"hidden.{name.removesuffix('_l0')}"]))
        for name, parameter in readout.named_parameters():
            parameter.copy_(torch.from_numpy(given[f"readout.{name}"]))
    return hidden, readout


def _loss(torch, kind, y, target):
    """Of every position, (T, B)."""
    functional = torch.nn.functional
    if kind == "softmax":
        return functional.cross_entropy(y.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
    if kind == "logistic":
        return functional.binary_cross_entropy_with_logits(y, target, reduction="none").sum(-1)
    return (y - target).square().sum(-1)

"""Our training steps as one of the engines: replicas side by side, or one after another (variant "sequential")."""

from __future__ import annotations

import numpy as np

from rnnbench.peers.tasks import Job, Task
from rnnbench.peers.workloads import CALL_STEPS, COMPARED, WORKLOADS, trainer


def load() -> None:
    """Import the trainer."""
    from rnnbench.training import loop  # noqa: F401


def prepare(task: Task, arrays: dict) -> Job:
    """Trainers of the workload that `arrays` names, and the call that has each make some steps."""
    from rnnbench.kernels import threads

    threads.set_num_threads(task.threads)
    name = str(arrays["workload"])
    seeds = list(range(WORKLOADS[name].replicas))
    if task.variant == "sequential":
        trainers = [trainer(name, task.cell, seed) for seed in seeds]
    else:
        trainers = [trainer(name, task.cell, seeds if len(seeds) > 1 else 0)]

    def step():
        for one in trainers:
            one.run(CALL_STEPS)
        return trainers

    def losses(trainers):
        while trainers[0].history.steps < COMPARED:
            step()
        return {"loss": np.concatenate([one.history.loss[:COMPARED] for one in trainers], axis=1)}

    return Job(step, losses)

"""What training is timed on: tasks, lengths, batches and sizes as papers and courses have them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

CALL_STEPS = 5  # of one call that is timed
COMPARED = 20  # steps whose losses are compared first
LETTERS = 65  # as many symbols as Shakespeare's plays have in the character models of the courses


class Workload(NamedTuple):
    """A task by name, its length T as the task counts it, rows B, hidden units H, readout, and copies of all that."""

    task: str
    length: int
    rows: int
    units: int
    readout: str = "every"
    replicas: int = 1

    def __str__(self) -> str:
        copies = f", {self.replicas} replicas" if self.replicas > 1 else ""
        return f"{self.task} T={self.length} B={self.rows} H={self.units}{copies}"


# Copying takes 20 steps more than the pause that its length counts.
WORKLOADS = {
    "adding": Workload("adding", 200, 50, 128, "last"),
    "copy": Workload("copy", 100, 20, 80),
    "parity": Workload("parity", 50, 16, 64),
    "characters-1": Workload("characters", 25, 1, 100),
    "characters-50": Workload("characters", 50, 50, 128),
    "replicas": Workload("parity", 50, 16, 32, replicas=8),
    "replicas-32": Workload("parity", 50, 16, 32, replicas=32),
    "replicas-small": Workload("parity", 50, 8, 16, replicas=8),
    "tiny": Workload("characters", 5, 2, 4),
    "tiny-replicas": Workload("parity", 5, 2, 4, replicas=2),
}
PUBLISHED = ("adding", "copy", "parity", "characters-1", "characters-50")  # those of the literature
SIDE_BY_SIDE = ("replicas", "replicas-32", "replicas-small")


def trainer(name: str, cell: str, seeds=0):
    """Return a Trainer of the workload called `name` in `WORKLOADS`, see `trainer_of`."""
    return trainer_of(WORKLOADS[name], cell, seeds)


def trainer_of(load: Workload, cell: str, seeds=0):
    """Return a Trainer of a workload: RMSProp at 0.001 and the norm clipped at 1, as on the other side.

    Parameters
    ----------
    load : Workload
    cell : str
        One that PyTorch has too gets PyTorch's two biases: with one, an optimiser would make other steps.
    seeds : int, or list of int for replicas
    """
    from rnnbench.layers import Network
    from rnnbench.peers.tasks import is_common
    from rnnbench.training import Trainer, clipping, optimisers

    task = make_task(load.task)
    network = Network.build(
        cell, task.inputs, task.outputs, load.units, readout=load.readout, seed=seeds,
        embedding="one_hot" if task.symbols else None, bias="torch" if is_common(cell, None) else True,
    )  # fmt: skip
    return Trainer(
        network, task, optimiser=optimisers.RMSProp(1e-3), clip=clipping.Clip("norm", 1.0), batch_size=load.rows,
        length=load.length, seed=seeds,
    )  # fmt: skip


def make_task(name: str):
    """Return the task; characters are those of a random text, for what they say takes no time."""
    from rnnbench import tasks

    if name != "characters":
        return tasks.get(name)
    letters = np.random.default_rng(0).integers(LETTERS, size=100_000) + ord("!")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text("".join(map(chr, letters)), "utf-8")
        return tasks.get(name, text=path)

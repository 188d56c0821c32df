"""Whole training steps: data, forward, loss, back-propagation through time, clipping, update."""

from __future__ import annotations

from functools import cache

from .layers import REPEAT, TIMER
from .workloads import ensure_compiled, require, use_threads

# Symbols, T, B, H and steps of a call; the name says all of it, so that changed work is another row.
CHARACTERS = {"40 x V20 T25 B1 H100": (25, 1, 100, 40, 1), "4 x V20 T50 B16 H64": (50, 16, 64, 4, 1)}
REPLICAS = {"4 x R8 V20 T25 B16 H32": (25, 16, 32, 4, 8)}
CELLS = ["elman", "gru_reset_after", "lstm"]


@cache
def steps(cell: str, length: int, rows: int, units: int, count: int, replicas: int):
    """Return the function that makes so many training steps on the text of a grammar; made once per process."""
    require(cell)
    try:
        from rnnbench import tasks
        from rnnbench.layers import Network
        from rnnbench.training import Trainer, clipping, optimisers
    except ImportError:
        raise NotImplementedError("the installed rnnbench has no training") from None
    use_threads(1)
    task, seed = tasks.get("characters"), 0 if replicas == 1 else list(range(replicas))
    network = Network.build(cell, task.inputs, task.outputs, units, embedding="one_hot", seed=seed)
    trainer = Trainer(
        network, task, optimiser=optimisers.RMSProp(1e-3), clip=clipping.Clip("norm", 1.0), batch_size=rows,
        length=length, seed=seed,
    )  # fmt: skip
    trainer.run(count)
    ensure_compiled(lambda: trainer.run(count), f"training steps of {cell!r}")
    return lambda: trainer.run(count)


class Steps:
    """A character model with one-hot input, and eight of them side by side."""

    params = (CELLS, [*CHARACTERS, *REPLICAS])
    param_names = ("cell", "workload")
    number, repeat, timer = 1, REPEAT, TIMER

    def setup(self, cell, workload):
        """Look up the compiled work."""
        self.run = steps(cell, *(CHARACTERS | REPLICAS)[workload])
        use_threads(1)

    def time_steps(self, cell, workload):
        """Run it."""
        self.run()

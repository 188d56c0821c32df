"""Peak memory of a training step over a long sequence, where the tape outweighs the interpreter."""

from __future__ import annotations

from .start import first_call
from .workloads import TRAINING, cell_names, ensure_compiled, require, use_threads, work

SHAPE = (1000, 32, 64, 128)


class Memory:
    """Highest resident memory of the whole process."""

    params = (cell_names(),)
    param_names = ("cell",)

    def setup(self, cell):
        """Have another process compile: the compiler's own memory would hide the tape's in this one."""
        require(cell)
        first_call(cell)
        use_threads(1)
        few_steps = work(cell, TRAINING, (10, *SHAPE[1:]))
        few_steps()
        ensure_compiled(few_steps, f"training of {cell!r}")
        self.run = work(cell, TRAINING, SHAPE)

    def peakmem_training(self, cell):
        """Train once."""
        self.run()

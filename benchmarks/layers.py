"""Time of inference and training: every cell on one thread, one cell on more."""

from __future__ import annotations

import time

from .workloads import INFERENCE, LABELS, TRAINING, cell_names, find, processors, ready, use_threads

# For each of asv's rounds: at least 5 samples, and up to 30 within a second.
REPEAT = (5, 30, 1.0)
# One thread that never waits: its processor time is the time it takes, less what other programs take in between.
TIMER = time.process_time


class Inference:
    """Forward passes that keep no tape."""

    params = (cell_names(), LABELS[INFERENCE])
    param_names = ("cell", "shape")
    number, repeat, timer = 1, REPEAT, TIMER

    def setup(self, cell, shape):
        """Look up the compiled work."""
        self.run = ready(cell, INFERENCE, *find(INFERENCE, shape))
        use_threads(1)

    def time_inference(self, cell, shape):
        """Run it."""
        self.run()


class Training:
    """Forward pass, back-propagation through time, gradients by weights and input."""

    params = (cell_names(), LABELS[TRAINING])
    param_names = ("cell", "shape")
    number, repeat, timer = 1, REPEAT, TIMER

    def setup(self, cell, shape):
        """Look up the compiled work."""
        self.run = ready(cell, TRAINING, *find(TRAINING, shape))
        use_threads(1)

    def time_training(self, cell, shape):
        """Run it."""
        self.run()


class Threads:
    """One cell at one shape on one and two threads, by the clock on the wall: threads wait for each other."""

    params = ([1, 2],)
    param_names = ("threads",)
    number, repeat = 1, REPEAT
    cell, shape, calls = "lstm", (100, 32, 128, 128), 2

    def setup(self, threads):
        """Look up the compiled work of both directions."""
        if threads > processors():
            raise NotImplementedError(f"fewer than {threads} processors here")
        self.infer = ready(self.cell, INFERENCE, self.shape, self.calls, threads)
        self.train = ready(self.cell, TRAINING, self.shape, self.calls, threads)
        use_threads(threads)

    def time_inference(self, threads):
        """Forward passes that keep no tape."""
        self.infer()

    def time_training(self, threads):
        """Training steps."""
        self.train()

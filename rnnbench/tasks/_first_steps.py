"""Two classes told by the first steps, then noise: what two_sequence and latch share."""

from __future__ import annotations

import math

import numpy as np

from rnnbench.tasks._answers import constant
from rnnbench.tasks._batches import blank_after_end, final
from rnnbench.tasks._task import Chance, Task


def first_steps_task(
    informative,
    variance,
    targets,
    correct,
    chance_success,
    length,
    longer,
    criterion,
    noisy_x=False,
    target_variance=0.0,
):
    """Return the task to say at the last step whether the first steps were 1 or -1.

    Parameters
    ----------
    informative : int
        How many first steps tell the class. The others are normal with mean 0 and this `variance`.
    targets : (float, float)
        For 1 and for -1.
    correct, chance_success
        The success criterion, and what the mean of the targets reaches by it.
    length, longer : int, float
        A row has T ... T + longer T steps.
    noisy_x : bool
        Whether the informative steps are noisy too.
    target_variance : float
        Of the noise on the targets.
    """
    middle = sum(targets) / 2

    def generate(rng, size, length):
        steps = length + int(longer * length)
        lengths = rng.integers(length, steps, size, endpoint=True) if longer else None
        sign = 1.0 - 2 * rng.integers(0, 2, size)
        x = rng.standard_normal((steps, size, 1))
        x *= math.sqrt(variance)
        x[:informative] = sign[:, None] + (x[:informative] if noisy_x else 0)
        blank_after_end(x, lengths)
        clean = np.where(sign > 0, *targets)[:, None]
        if not target_variance:
            return final(x, clean, lengths)
        return final(x, clean + rng.normal(0, math.sqrt(target_variance), (size, 1)), lengths, clean)

    def chance(length):
        return Chance((targets[0] - middle) ** 2 + target_variance, chance_success)

    return Task(
        loss="squared",
        symbols=False,
        inputs=1,
        outputs=1,
        length=max(length, informative),
        shortest=informative,
        generate=generate,
        naive=constant(middle),
        chance=chance,
        correct=correct,
        criterion=criterion,
    )

"""Timing: measure the time between spikes, or make spikes after a given time.

Spikes come after intervals of F + I steps, F fixed and the delay I drawn anew for each, all its values as likely. The
first interval starts with the sequence. `length` is the number of spikes.

========  =======  ==========================================  ==============================  =======================
variant   spikes   x                                           target                          scored
========  =======  ==========================================  ==============================  =======================
nmsd      1        1 at a spike, else 0                        I, at its spike                 the steps with a spike
msd       100      the same                                    the same                        the same
gts       100      I at the first step of its interval         1 at the spike, else 0          every step
========  =======  ==========================================  ==============================  =======================

Measuring spike delays (MSD; NMSD where each sequence is one interval) and generating timed spikes (GTS). A step is
right if its error is below 0.49, a sequence if every scored step is. F = 10 and I in {0, 1} unless told otherwise; the
paper goes to F = 50 and to delays of 10. Where x tells the delay in GTS, and that MSD is scored at spikes only, is our
reading.

Chance: measuring, the naive predictor says the mean delay m, at the loss of the delays' variance (1/4 for {0, 1}). It
is right about a spike if the delay is within 0.49 of m, which a part p of the delays is, so p^n for n spikes: 0 for
{0, 1}, (1/3)^n for {0, 1, 2}. Generating, it says the rate of spikes r = 1/(F + m), at the loss r (1 - r). F is at
least 2, so that r is at most 1/2, and it is right about no spike.

Options: `generate`, `interval` (F), `delays` (the values of I), `spikes` (the usual length).

Source: Gers, Schraudolph and Schmidhuber, Learning Precise Timing with LSTM Recurrent Networks, JMLR 2002, its first
two experiments. The third, generating periodic functions, has no input and nothing random: it is not a task here.
"""

import numpy as np

from rnnbench.tasks import _options
from rnnbench.tasks._answers import constant
from rnnbench.tasks._task import Batch, Chance, Task

VARIANTS = {
    "nmsd": {},
    "msd": {"spikes": 100},
    "gts": {"generate": True, "spikes": 100},
}
TOLERANCE = 0.49


def build(generate=False, interval=10, delays=(0, 1), spikes=1):
    """Build the task; see the module's docstring."""
    generating = _options.flag("generate", generate)
    interval = _options.integer("interval", interval, 2)
    delays = _checked(delays)
    mean = float(delays.mean())
    rate = 1 / (interval + mean)

    def draw(rng, size, length):
        delay = delays.take(rng.integers(0, len(delays), (length, size)))
        spike = np.cumsum(interval + delay, axis=0) - 1
        lengths = spike[-1] + 1
        steps = length * (interval + delays.max())
        at_spike = spike, np.arange(size)
        is_spike = np.zeros((steps, size), bool)
        is_spike[at_spike] = True
        x, target = np.zeros((2, steps, size, 1))
        if generating:
            x[spike - delay - interval + 1, np.arange(size), 0] = delay
            target[..., 0] = is_spike
            return Batch(x, target, np.arange(steps)[:, None] < lengths, lengths)
        x[..., 0] = is_spike
        target[*at_spike, 0] = delay
        return Batch(x, target, is_spike, lengths)

    def chance(length):
        if generating:
            return Chance(rate * (1 - rate), 0.0)
        return Chance(float(delays.var()), float(np.mean(np.abs(delays - mean) < TOLERANCE)) ** length)

    def correct(outputs, batch):
        near = np.abs(outputs - batch.target)[..., 0] < TOLERANCE
        return (near | ~batch.mask).all(axis=0)

    return Task(
        loss="squared",
        symbols=False,
        inputs=1,
        outputs=1,
        length=_options.integer("spikes", spikes, 1),
        shortest=1,
        generate=draw,
        naive=constant(rate if generating else mean),
        chance=chance,
        correct=correct,
        criterion="1,000 spikes in a row are right.",
    )


def _checked(delays):
    known = isinstance(delays, list | tuple | range | np.ndarray) and np.ndim(delays[:1]) == 1
    values = list(delays) if known else []
    good = all(isinstance(v, int | np.integer) and not isinstance(v, bool) and 0 <= v < 2**31 for v in values)
    if not good or len(values) < 2 or len({*values}) < len(values):
        raise ValueError(f"delays: got {delays!r}, expected at least two different integers >= 0 and < 2**31")
    return np.array(values, np.int64)

"""Sequences that say a vector: all of its bits, one after another, again and again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnnbench.layers import Dense, Layer
from rnnbench.layers.vector_to_sequence import VectorToSequence
from rnnbench.runner.record import short
from rnnbench.studies.descent import Descent
from rnnbench.studies.learning import DIGITS
from rnnbench.training.clipping import Clip
from rnnbench.training.losses import loss as loss_of

BITS, BATCH, TEST = 8, 32, 500


class Speaker(Layer):
    """Context (B, BITS) and a number of steps to one logit at each, (T, B, 1)."""

    def __init__(self, cell, hidden, context, *, seed):
        body = VectorToSequence(BITS, 0, hidden, context=context, cell=cell, seed=seed)
        super().__init__(dtype=body.dtype, replicas=body.replicas)
        self.parts = {"body": body, "readout": Dense(body.output_size, 1, seed=seed)}

    def say(self, context, steps, tape=None):
        """Return the logits for contexts (R, B, BITS)."""
        nothing = np.zeros((*self.lead, steps, context.shape[-2], 0), self.dtype)
        h, _ = self.parts["body"].forward((context, nothing), tape=tape)
        return self.parts["readout"].forward(h, tape=tape)[0]

    def learn(self, dy):
        """Add up the gradients by the parameters, given those by the logits of the last `say`."""
        dh, _ = self.parts["readout"].backward(dy)
        self.parts["body"].backward(dh, need_dx=False)


def parameters(cell: str, hidden: int, context: str) -> int:
    """Return how many there are."""
    return sum(value.size for value in Speaker(cell, hidden, context, seed=0).parameters().values())


def learn_to_say(
    rng: np.random.Generator, build: Callable, *, seeds: int, steps: int, length: int, rate: float
) -> list[dict]:
    """Train speakers side by side; rows "curve", "end" (success: all bits of a sequence are right) and "naive"."""
    data, tests = rng.spawn(2)
    network = build(rng.spawn(seeds))

    def draw(generator, size):
        bits = generator.integers(0, 2, (size, BITS)).astype(np.float32)
        said = bits.T[np.arange(length) % BITS][..., None]
        return tuple(np.repeat(a[None], seeds, axis=0) for a in (2 * bits - 1, said))

    def gradient(step, own):
        context, said = draw(own, BATCH)
        value, dy = loss_of("logistic", network.say(context, length), said, mean="positions", replicas=True)
        network.learn(dy)
        return value

    descent = Descent(network, gradient, data, rate=rate, clip=Clip("norm", 1.0))
    rows = descent.run(steps)
    context, said = draw(tests, TEST)
    y = network.say(context, length, tape=False)
    value, _ = loss_of("logistic", y, said, mean="positions", replicas=True)
    rows += descent.ends(loss=value, success=((y > 0) == (said > 0)).all(axis=(1, 3)).mean(axis=1))
    return [*rows, short({"kind": "naive", "loss": float(np.log(2)), "success": 0.5**BITS}, DIGITS)]

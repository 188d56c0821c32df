"""Languages that count: blocks of one letter after the other, all of the same length."""

from __future__ import annotations

import numpy as np
from scipy.special import entr, logit

from rnnbench.tasks import _options
from rnnbench.tasks._answers import IMPOSSIBLE, right_signs
from rnnbench.tasks._task import Batch, Chance, Task


def block_task(letters, least):
    """Return the task of predicting which of "#" and `letters` may come next; its length is the greatest block."""
    least = _options.integer("least", least, 1)
    blocks = len(letters)
    one_symbol = np.eye(blocks + 1)
    target_of_symbol = np.stack([one_symbol[1], one_symbol[1] + one_symbol[2], *0 * one_symbol[2:]])  # where it is sure
    open_end, beyond = blocks + 1, blocks + 2
    targets = np.stack([*one_symbol, target_of_symbol[1], 0 * one_symbol[0]])

    def generate(rng, size, length):
        n = rng.integers(least, length, size, endpoint=True)
        n, row = np.unique(n, return_inverse=True)  # n is all that rows differ in: each is made once, then copied
        lengths = blocks * n + 1
        step = np.arange(blocks * length + 2)[:, None]
        block = -(-step // n)  # of each step; after the last one "#" comes again
        mask = step[:-1] < lengths
        x = block[:-1] * mask
        following = block[1:] * (block[1:] <= blocks)
        following[x == 1] = open_end
        following[~mask] = beyond
        target = np.take(targets, following, axis=0)
        return Batch(*(np.take(array, row, axis=1) for array in (x, target, mask)), lengths[row])

    def leaving(length):
        """The probability that a block is over after one of its letters: one over the mean of n."""
        return 2 / (least + length)

    def naive(batch):
        over = leaving((len(batch.x) - 1) // blocks)
        odds = logit(over) if over < 1 else -IMPOSSIBLE
        logits = np.where(target_of_symbol > 0, -IMPOSSIBLE, IMPOSSIBLE)
        for letter in range(2, blocks + 1):
            logits[letter, [letter, (letter + 1) % (blocks + 1)]] = -odds, odds
        return logits[batch.x]

    def chance(length):
        over = leaving(length)
        n = 1 / over
        loss = (blocks - 1) * n * 2 * (entr(over) + entr(1 - over)) / (blocks * n + 1)
        return Chance(float(loss), 1 / (length - least + 1) if over > 1 / 2 else 0.0)

    return Task(
        loss="logistic",
        symbols=True,
        inputs=blocks + 1,
        outputs=blocks + 1,
        length=max(10, least),
        shortest=least,
        generate=generate,
        naive=naive,
        chance=chance,
        correct=right_signs,
        criterion="At every step the logits of exactly the symbols that may come next are above 0.",
        alphabet=("#", *letters),
    )

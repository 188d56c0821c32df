"""Dyck: which brackets may come next.

A row is a well-formed word of `length` pairs of brackets of `kinds` kinds, drawn uniformly from all such words. After
each bracket the network says which may come next: every opening one, and the closing one that matches the innermost
open bracket, if one is open. The target is that set (logistic loss, summed over the brackets), and a row is right if
all logits have the right sign at every step. One kind needs a counter, two need a stack.

A uniform word: with h brackets open and m still to come, (h + 1)/(m + 1) C(m + 1, (m - h)/2) words go on (the ballot
theorem), so that the next bracket opens in a share (h + 2)(m - h)/(2 m (h + 1)) of them. Kinds are drawn apart.

Chance: the naive predictor knows the current bracket only. After an opening one that is enough. A uniform word of n
pairs returns to depth 0 after 3n/(n + 2) of its n closing brackets on average, so that after a closing one each of k
closing kinds is allowed with probability r = (1 - 3/(n + 2))/k: the loss is k H(r) there, with H(r) = -r ln r - (1 -
r) ln (1 - r), and k H(r)/2 over all. If r <= 1/2 it never allows one, and is right if the word is always back at 0:
with probability 1/C(n), C(n) = (2n)!/(n! (n + 1)!) being the number of words. If r > 1/2 it allows one at the end and
is never right.

Sources: Gers and Schmidhuber, IEEE Transactions on Neural Networks 2001, for the task of naming what may come next;
Suzgun, Belinkov, Shieber and Gehrmann, LSTM Networks Can Perform Dynamic Counting, 2019 (Dyck-1 and Dyck-2; they draw
words from a stochastic grammar).
"""

from functools import lru_cache
from math import comb

import numpy as np
from scipy.special import entr, logit

from rnnbench.tasks import _options
from rnnbench.tasks._answers import IMPOSSIBLE, right_signs
from rnnbench.tasks._task import Batch, Chance, Task

BRACKETS = "([{<", ")]}>"
VARIANTS = {"dyck_1": {"kinds": 1}, "dyck_2": {"kinds": 2}}


def build(kinds=1):
    """Build the task; see the module's docstring."""
    kinds = _options.one_of("kinds", kinds, [1, 2, 3, 4])

    def closing(length):
        """The probability that a closing bracket of one kind may follow a closing bracket."""
        return (1 - 3 / (length + 2)) / kinds

    def generate(rng, size, length):
        depth = _depths(rng, size, length)
        innermost = _innermost_kinds(rng, depth, kinds)
        before, after = innermost[:-1], innermost[1:]
        closing = kinds + before
        x = closing + (depth[1:] > depth[:-1]) * (after - closing)  # in a third of the time of where()
        target = np.ones((2 * length, size, 2 * kinds))
        for kind in range(kinds):
            target[..., kinds + kind] = after == kind
        return Batch(x, target, np.ones((2 * length, size), bool))

    def naive(batch):
        logits = np.full((2 * kinds, 2 * kinds), -IMPOSSIBLE)
        logits[:kinds, kinds:] = np.where(np.eye(kinds), -IMPOSSIBLE, IMPOSSIBLE)
        logits[kinds:, kinds:] = max(logit(closing(len(batch.x) // 2)), IMPOSSIBLE)
        return logits[batch.x]

    def chance(length):
        r = closing(length)
        catalan = comb(2 * length, length) // (length + 1)
        return Chance(float(kinds / 2 * (entr(r) + entr(1 - r))), 1 / catalan if r <= 1 / 2 else 0.0)

    return Task(
        loss="logistic",
        symbols=True,
        inputs=2 * kinds,
        outputs=2 * kinds,
        length=25,
        shortest=1,
        generate=generate,
        naive=naive,
        chance=chance,
        correct=right_signs,
        criterion="At every step the logits of exactly the brackets that may come next are above 0.",
        alphabet=tuple(BRACKETS[0][:kinds] + BRACKETS[1][:kinds]),
    )


def _depths(rng, size, pairs):
    """Draw uniform well-formed words: how many brackets are open before each step and at the end, (2 pairs + 1, B)."""
    opened = np.zeros((2 * pairs + 1, size), np.int64)
    draws = rng.random((2 * pairs, size))
    for before, after, draw, share in zip(opened[:-1], opened[1:], draws, _shares(pairs), strict=True):
        np.add(before, draw < share.take(before), out=after)
    return 2 * opened - np.arange(2 * pairs + 1)[:, None]


@lru_cache(maxsize=8)  # those of a length of 2,000 take 60 MB
def _shares(pairs):
    """How often a bracket opens, by the step and by how many did before it: (2 pairs, pairs + 1)."""
    step, opened = np.arange(2 * pairs)[:, None], np.arange(pairs + 1)
    depth, left = 2 * opened - step, 2 * pairs - step
    return (depth + 2) * (left - depth) / (2 * left * np.maximum(depth + 1, 1))


def _innermost_kinds(rng, depth, kinds):
    """Draw each pair's kind; return that of the innermost open bracket at each of the depths, -1 where none is open.

    Sorted by depth, the steps after which a pair is the innermost follow each other: its opening one, then the closing
    ones of the pairs directly in it.
    """
    if kinds == 1:
        return (depth > 0) - 1
    by_row = np.ascontiguousarray(depth.T, np.min_scalar_type(-len(depth)))  # small: sorted by radix
    start = by_row.shape[1] * np.arange(len(by_row))[:, None]  # places are taken faster than columns
    order = np.argsort(by_row, axis=1, kind="stable") + start
    opens = np.diff(by_row, axis=1, prepend=0) > 0
    opener = np.maximum.accumulate(opens.take(order) * np.arange(by_row.shape[1]), axis=1) + start
    kind = rng.integers(0, kinds, by_row.shape).take(opener)
    innermost = np.empty(by_row.size, kind.dtype)
    innermost[order] = kind
    return np.where(depth > 0, innermost.reshape(by_row.shape).T, -1)

"""Dyck: which brackets may come next.

A row is a well-formed word of `length` pairs of brackets of `kinds` kinds, drawn uniformly from all such words. After
each bracket the network says which may come next: every opening one, and the closing one that matches the innermost
open bracket, if one is open. The target is that set (logistic loss, summed over the brackets), and a row is right if
all logits have the right sign at every step. One kind needs a counter, two need a stack.

A uniform word: of n + 1 closing and n opening brackets in random order exactly one rotation closes one too many only
at its end (Dvoretzky and Motzkin's cycle lemma); without that last bracket it is well-formed. Kinds are drawn apart.

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
        up = _shapes(rng, size, length)
        innermost = np.ascontiguousarray(_innermost_kinds(rng, up, kinds).T)
        x = np.where(up.T, innermost, kinds + np.roll(innermost, 1, axis=0))
        target = np.ones((2 * length, size, 2 * kinds))
        for kind in range(kinds):
            target[..., kinds + kind] = innermost == kind
        return Batch(np.ascontiguousarray(x), target, np.ones((2 * length, size), bool))

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


def _shapes(rng, size, pairs):
    """Draw uniform well-formed words as (B, 2 pairs) booleans: whether a bracket opens."""
    up = np.zeros((size, 2 * pairs + 1), np.intp)  # the one type for which NumPy has a permutation of its own
    up[:, :pairs] = True
    up = rng.permuted(up, axis=1, out=up).astype(bool)
    height = np.cumsum(2 * up.view(np.int8) - 1, axis=1)
    first = height.argmin(axis=1) + 1
    twice = np.concatenate([up, up], axis=1)
    return np.take(twice, _row_starts(twice) + first[:, None] + np.arange(2 * pairs))


def _row_starts(array):
    """The place of each row's first element in the (B, T) array laid flat; places are taken faster than columns."""
    rows, columns = array.shape
    return columns * np.arange(rows)[:, None]


def _innermost_kinds(rng, up, kinds):
    """Draw each pair's kind; return that of the innermost open bracket after each step, (B, T), -1 where none is open.

    Sorted by depth, the steps after which a pair is the innermost follow each other: its opening one, then the closing
    ones of the pairs directly in it.
    """
    depth = np.cumsum(2 * up.view(np.int8) - 1, axis=1)
    if kinds == 1:
        return np.where(depth > 0, 0, -1)
    start = _row_starts(up)
    order = np.argsort(depth.astype(np.min_scalar_type(-up.shape[1])), axis=1, kind="stable") + start  # small: radix
    opener = np.maximum.accumulate(np.take(up, order) * np.arange(up.shape[1]), axis=1) + start
    kind = np.take(rng.integers(0, kinds, up.shape), opener)
    innermost = np.empty(up.size, kind.dtype)
    innermost[order] = kind
    return np.where(depth > 0, innermost.reshape(up.shape), -1)

"""Stochastic grammars whose every choice is a fair coin: strings drawn, legal symbols, and what predictors reach.

An automaton starts in state 0. A state has one arrow, or two that are equally likely; an arrow writes a symbol and
leads to a state, and two arrows of one state write different symbols, so that what has been read tells the state. An
arrow that leads back to state 0 ends a string.

What predictors reach follows from the Markov chain of the arrows: with M the matrix of the probabilities that arrow j
follows arrow i within a string, and p the vector of the first arrow's, the expected number of times that each is
taken in a string is v = p (1 - M)^-1. So the entropy of a string is the sum of v over the arrows, times the coins (0
or 1) that are tossed after each. The memoryless predictor knows the current symbol only and gives the next one's
share among all that follow it in an endless stream of strings.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from rnnbench.tasks._answers import IMPOSSIBLE

COINS = 8  # looked up at once


class Automaton:
    """A stochastic grammar.

    Parameters
    ----------
    arrows : dict
        By state (any key; the first is where strings start) a dict {symbol: next state} with one or two entries.
    alphabet : str
        The symbols, in the order of their numbers.
    """

    def __init__(self, arrows: dict, alphabet: str):
        self.alphabet = tuple(alphabet)
        number = {state: n for n, state in enumerate(arrows)}
        self.choices = [[(alphabet.index(a), number[s]) for a, s in arrows[state].items()] for state in arrows]

    @cached_property
    def _table(self):
        """What COINS coins write from each state, (states * 2^COINS, COINS): symbols, ends; and where they lead."""
        states, codes = len(self.choices), 1 << COINS
        both = np.array([c if len(c) == 2 else c * 2 for c in self.choices])  # (state, coin, (symbol, next))
        state = np.repeat(np.arange(states), codes)
        code = np.tile(np.arange(codes), states)
        symbols = np.empty((states * codes, COINS), np.int8)
        ends = np.empty((states * codes, COINS), bool)
        for k in range(COINS):
            symbols[:, k], state = both[state, code >> k & 1].T
            ends[:, k] = state == 0
        return symbols, ends, state

    @cached_property
    def _ends(self):
        """How many strings end in each row of the table, and at which of its steps: (..., COINS), in their order."""
        _, ends, _ = self._table
        return ends.sum(axis=1), np.argsort(~ends, axis=1, kind="stable")

    def _walk(self, rng, size, chunks, state):
        """Toss coins from these states on: the rows of the table, (chunks, B), and the last states."""
        after = self._table[2]
        rows = rng.integers(0, 1 << COINS, (chunks, size))
        for row in rows:
            row += state << COINS
            state = after.take(row)
        return rows, state

    def _written(self, rows):
        """The symbols of these rows of the table, (steps, B)."""
        return np.take(self._table[0], rows, axis=0).swapaxes(1, 2).reshape(-1, rows.shape[1])

    def stream(self, rng, size, steps):
        """Draw the first `steps` symbols of endless streams of strings, (steps, B) int64."""
        rows, _ = self._walk(rng, size, -(-steps // COINS), np.zeros(size, np.int64))
        return self._written(rows)[:steps].astype(np.int64)

    def strings(self, rng, size, count):
        """Draw rows of `count` strings each: (T, B) int64 symbols, 0 beyond the rows' ends, and lengths."""
        many, steps = self._ends
        state = np.zeros(size, np.int64)
        rows, ended = np.empty((2, 0, size), np.int64)
        while not len(rows) or (ended[-1] < count).any():
            more, state = self._walk(rng, size, count, state)
            rows = np.concatenate([rows, more])
            ended = np.cumsum(many.take(rows), axis=0)
        chunk = (ended < count).sum(axis=0)  # the one in which the row ends
        last = chunk, np.arange(size)
        ended_before = ended[last] - many[rows[last]]
        lengths = COINS * chunk + steps[rows[last], count - 1 - ended_before] + 1
        symbols = self._written(rows)[: lengths.max()]
        symbols = symbols * (np.arange(len(symbols))[:, None] < lengths)
        return symbols.astype(np.int64), lengths

    def legal(self, x):
        """Say which symbols may follow each of x, (T, B, symbols) bool, where x starts at the start of a string."""
        follow = np.zeros((len(self.choices), len(self.alphabet)), np.int64)
        allowed = np.zeros(follow.shape, bool)
        for state, choices in enumerate(self.choices):
            for symbol, after in choices:
                follow[state, symbol] = after
                allowed[state, symbol] = True
        states = np.empty_like(x)
        state = np.zeros(x.shape[1], np.int64)
        for t, symbols in enumerate(x):
            state = states[t] = follow[state, symbols]
        return allowed[states]

    @cached_property
    def _chain(self):
        """Of all arrows: symbol, state they lead to, M whole and within a string, the first arrow's probabilities."""
        arrows = [(s, *choice) for s, choices in enumerate(self.choices) for choice in choices]
        start, symbol, end = np.array(arrows).T
        share = 1 / np.array([len(c) for c in self.choices])[start]
        whole = np.where(end[:, None] == start, share, 0)
        return symbol, end, whole, whole * (end != 0)[:, None], np.where(start == 0, share, 0)

    @cached_property
    def visits(self):
        """How often each arrow is taken in a string on average."""
        _, _, _, within, first = self._chain
        return np.linalg.solve(np.eye(len(first)) - within.T, first)

    @cached_property
    def memoryless(self):
        """The probability of each symbol, given the one before it, in an endless stream: (symbols, symbols)."""
        symbol, _, whole, _, _ = self._chain
        pairs = np.zeros((len(self.alphabet), len(self.alphabet)))
        np.add.at(pairs, (symbol[:, None], symbol), self.visits[:, None] * whole)
        return np.round(pairs / pairs.sum(axis=1, keepdims=True), 12)  # what ties, ties without a rounding error

    @cached_property
    def logits(self):
        """The logarithm of `memoryless`, IMPOSSIBLE for symbols that never follow."""
        possible = self.memoryless > 0
        return np.where(possible, np.log(np.where(possible, self.memoryless, 1)), IMPOSSIBLE)

    @cached_property
    def coins(self):
        """Nats of the choice that follows each arrow: ln 2 or 0."""
        _, end, *_ = self._chain
        return np.log([len(self.choices[e]) for e in end])

    @cached_property
    def _memoryless_result(self):
        """Of the memoryless predictor after each arrow: its expected loss, and whether the legal ones come first."""
        symbol, end, *_ = self._chain
        loss = np.zeros(len(symbol))
        right = np.zeros(len(symbol), bool)
        for i, choices in enumerate(self.choices[e] for e in end):
            legal = [a for a, _ in choices]
            loss[i] = -self.logits[symbol[i], legal].mean()
            right[i] = self.logits[symbol[i], legal].min() > np.delete(self.logits[symbol[i]], legal).max()
        return loss, right

    @property
    def entropy(self):
        """Bits in a string."""
        first = math.log2(len(self.choices[0]))
        return first + float((self.visits * self.coins)[self._chain[1] != 0].sum()) / math.log(2)

    @property
    def mean_length(self):
        """Symbols in a string, on average."""
        return float(self.visits.sum())

    def _string_mean(self, cost, count):
        """Mean of `cost` over what is predicted in rows of `count` strings: every symbol but the first."""
        last = (self.visits * cost)[self._chain[1] == 0].sum()
        return float((count * (self.visits @ cost) - last) / (count * self.mean_length - 1))

    def _stream_mean(self, cost, steps):
        """Mean of `cost` over the first steps of a stream."""
        _, _, whole, _, at = self._chain
        total = 0.0
        for _ in range(steps):
            total += at @ cost
            at = at @ whole
        return float(total / steps)

    def string_losses(self, count):
        """Loss per prediction in rows of `count` strings: the memoryless predictor's and the least possible."""
        return self._string_mean(self._memoryless_result[0], count), self._string_mean(self.coins, count)

    def stream_losses(self, steps):
        """Loss per prediction over the first steps of a stream: the memoryless predictor's and the least possible."""
        return self._stream_mean(self._memoryless_result[0], steps), self._stream_mean(self.coins, steps)

    def string_success(self, count):
        """Probability that the memoryless predictor ranks the legal symbols first throughout `count` strings."""
        _, end, _, within, first = self._chain
        right = self._memoryless_result[1]
        reached = np.linalg.solve(np.eye(len(first)) - (right[:, None] * within).T, first)[end == 0]
        between = (reached * right[end == 0]).sum()  # the prediction of the next string's first symbol
        return float(between ** (count - 1) * reached.sum())

    def stream_success(self, steps):
        """Probability that the memoryless predictor ranks the legal symbols first at the first steps of a stream."""
        _, _, whole, _, at = self._chain
        right = self._memoryless_result[1]
        at = at * right
        for _ in range(steps - 1):
            at = (at @ whole) * right
        return float(at.sum())

    def correct(self, outputs, batch):
        """Say of each row whether the legal symbols have the largest outputs at every scored step."""
        legal = self.legal(batch.x)
        lowest = np.where(legal, outputs, np.inf).min(axis=-1)
        highest = np.where(legal, -np.inf, outputs).max(axis=-1)
        return ((lowest > highest) | ~batch.mask).all(axis=0)

    def naive(self, batch):
        """Logits of the memoryless predictor."""
        return self.logits[batch.x]

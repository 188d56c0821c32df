"""A language of words whose best loss is known, with a dependency that no window reaches.

A sentence is a subject, n fillers, a verb and an end. Subjects and fillers are drawn by Zipf's law (the k-th in
proportion to 1/k); after the subject and after each filler comes one more filler with probability `more`, else the
verb. The verb is that of the subject: subject s goes with verb s mod `verbs`. So the verb is certain to those who
remember the subject, n + 1 words back, and only to them.

With H_s and H_f the entropies of subject and filler and m = more / (1 - more) the mean of n, a sentence has 3 + m words
and H_s + m H_f + (m + 1) H(more) nats, H(q) = -q ln q - (1 - q) ln (1 - q). The naive predictor knows the current
word's kind, so that it pays for the verb, too: the entropy of the verbs' shares. Both losses are those of an endless
text.

Source: the language is this project's own; the law is that of G. K. Zipf, Human Behavior and the Principle of Least
Effort, 1949.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import entropy

from rnnbench.tasks import Batch, Chance, Task


@dataclass(frozen=True)
class Words:
    """The language; words are numbered end, verbs, subjects, fillers, the frequent ones first."""

    subjects: int
    fillers: int
    verbs: int
    more: float = 0.75

    @property
    def vocabulary(self) -> int:
        """How many words there are."""
        return 1 + self.verbs + self.subjects + self.fillers

    @cached_property
    def of_subjects(self) -> np.ndarray:
        """Probabilities of the subjects."""
        return _zipf(self.subjects)

    @cached_property
    def of_fillers(self) -> np.ndarray:
        """Probabilities of the fillers."""
        return _zipf(self.fillers)

    @cached_property
    def of_verbs(self) -> np.ndarray:
        """The verbs' shares."""
        return np.bincount(np.arange(self.subjects) % self.verbs, self.of_subjects, self.verbs)

    @property
    def mean_fillers(self) -> float:
        """Fillers of a sentence, on average."""
        return self.more / (1 - self.more)

    @property
    def shares(self) -> np.ndarray:
        """How large a part of an endless text each word is, (vocabulary,)."""
        each = [[1.0], self.of_verbs, self.of_subjects, self.mean_fillers * self.of_fillers]
        return np.concatenate(each) / (3 + self.mean_fillers)

    @cached_property
    def kinds(self) -> np.ndarray:
        """The kind of each word, (vocabulary,): 0 for the end, 1 for verbs, 2 for subjects, 3 for fillers."""
        return np.repeat(np.arange(4), [1, self.verbs, self.subjects, self.fillers])

    @cached_property
    def logits(self) -> np.ndarray:
        """Logarithms of what follows a word of each kind, (4, vocabulary), as the naive predictor has them."""
        p = np.full((4, self.vocabulary), 1e-30)
        p[0, self.kinds == 2] = self.of_subjects
        p[1, 0] = 1
        p[2:, self.kinds == 1] = (1 - self.more) * self.of_verbs
        p[2:, self.kinds == 3] = self.more * self.of_fillers
        return np.log(p)

    def text(self, rng, size: int) -> np.ndarray:
        """Write so many words."""
        counts = rng.geometric(1 - self.more, size // 3 + 1) - 1
        counts = counts[: np.searchsorted(np.cumsum(counts + 3), size) + 1]
        subjects = rng.choice(self.subjects, len(counts), p=self.of_subjects)
        ends = np.cumsum(counts + 3) - 1
        words = 1 + self.verbs + self.subjects + rng.choice(self.fillers, ends[-1] + 1, p=self.of_fillers)
        words[ends] = 0
        words[ends - 1] = 1 + subjects % self.verbs
        words[ends - counts - 2] = 1 + self.verbs + subjects
        return words[:size]

    def is_verb(self, words: np.ndarray) -> np.ndarray:
        """Say which words are verbs."""
        return (words >= 1) & (words <= self.verbs)

    def gaps(self, text: np.ndarray) -> np.ndarray:
        """Return how many fillers stand between each word of a text and the subject before it."""
        places = np.arange(len(text))
        subject = (text > self.verbs) & (text <= self.verbs + self.subjects)
        return places - np.maximum.accumulate(np.where(subject, places, 0)) - 1

    def task(self, length: int) -> Task:
        """Return the task of predicting the next word; rows begin anywhere."""
        coin = entropy([self.more, 1 - self.more])
        mean = self.mean_fillers
        least = entropy(self.of_subjects) + mean * entropy(self.of_fillers) + (mean + 1) * coin
        naive = least + entropy(self.of_verbs)

        def generate(rng, size, length):
            text = self.text(rng, size * (length + 1)).reshape(size, -1).T
            return Batch(text[:-1], text[1:], np.ones((length, size), bool))

        return Task(
            loss="softmax",
            symbols=True,
            inputs=self.vocabulary,
            outputs=self.vocabulary,
            length=length,
            shortest=1,
            generate=generate,
            naive=lambda batch: self.logits[self.kinds[batch.x]],
            chance=lambda length: Chance(float(naive / (3 + mean)), 0.0),
            correct=lambda outputs, batch: (outputs.argmax(axis=-1) == batch.target).all(axis=0),
            criterion="Every next word is right.",
            least_loss=lambda length: float(least / (3 + mean)),
            name="words",
            variant=f"{self.subjects} {self.fillers} {self.verbs} {self.more:g}",
        )


def of_text(task: Task, text: np.ndarray) -> Task:
    """Return the same task on windows of one given text."""
    from dataclasses import replace

    def generate(rng, size, length):
        starts = rng.integers(0, len(text) - length, size)
        window = text[starts + np.arange(length + 1)[:, None]]
        return Batch(window[:-1], window[1:], np.ones((length, size), bool))

    return replace(task, generate=generate, longest=len(text) - 1)


def _zipf(count):
    p = 1 / np.arange(1, count + 1)
    return p / p.sum()

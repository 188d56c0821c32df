"""Questions about a few facts, some of which need two of them, for networks that look things up in a memory.

A story is facts in their order: "person went to place" or "person took thing"; every thing is taken once, and every
person goes somewhere at least once. A question names a person (one fact: where did they go last?) or a thing (two
facts: who took it, and where did they go last?). A fact is the bag of its words.

Source: the stories are this project's own, after tasks 1 and 2 of J. Weston et al., Towards AI-Complete Question
Answering: A Set of Prerequisite Toy Tasks, arXiv 1502.05698, 2015.
"""

from __future__ import annotations

import numpy as np

from rnnbench.layers.memory_network import MemoryNetwork
from rnnbench.runner.record import short
from rnnbench.studies.descent import Descent
from rnnbench.studies.learning import DIGITS
from rnnbench.training.clipping import Clip
from rnnbench.training.losses import loss as loss_of

PERSONS, PLACES, THINGS, FACTS = 4, 5, 3, 10
WENT = PERSONS + PLACES + THINGS  # the verbs come last
WORDS = WENT + 2


def stories(rng: np.random.Generator, size: int, facts_needed: int):
    """Draw stories (FACTS, B, WORDS) and questions (B, WORDS), as counts of words, and the places (B,) asked for."""
    story = np.zeros((FACTS, size, WORDS), np.float32)
    question = np.zeros((size, WORDS), np.float32)
    answers = np.zeros(size, np.int64)
    rows = np.arange(size)
    order = rng.permuted(np.tile(np.arange(FACTS), (size, 1)), axis=1)
    taking, going = np.sort(order[:, :THINGS], axis=1), np.sort(order[:, THINGS:], axis=1)
    takers = rng.integers(0, PERSONS, (size, THINGS))
    things = rng.permuted(np.tile(np.arange(THINGS), (size, 1)), axis=1)
    goers = rng.integers(0, PERSONS, (size, FACTS - THINGS))
    goers[:, :PERSONS] = rng.permuted(np.tile(np.arange(PERSONS), (size, 1)), axis=1)
    rng.permuted(goers, axis=1, out=goers)
    places = rng.integers(0, PLACES, goers.shape)
    last = np.zeros((size, PERSONS), np.int64)
    for k in range(goers.shape[1]):
        story[going[:, k], rows, goers[:, k]] = story[going[:, k], rows, PERSONS + places[:, k]] = 1
        story[going[:, k], rows, WENT] = 1
        last[rows, goers[:, k]] = places[:, k]
    for k in range(THINGS):
        story[taking[:, k], rows, takers[:, k]] = story[taking[:, k], rows, PERSONS + PLACES + things[:, k]] = 1
        story[taking[:, k], rows, WENT + 1] = 1
    asked = rng.integers(0, THINGS, size)
    person = takers[rows, asked] if facts_needed == 2 else rng.integers(0, PERSONS, size)
    question[rows, PERSONS + PLACES + things[rows, asked] if facts_needed == 2 else person] = 1
    answers[:] = last[rows, person]
    return story, question, answers


def learn_facts(
    rng: np.random.Generator, *, facts: int, hops: int, hidden: int, seeds: int, steps: int, rate: float
) -> list[dict]:
    """Train memory networks side by side; rows "curve", "end" (success: part of the questions answered), "naive"."""
    data, tests = rng.spawn(2)
    network = MemoryNetwork(WORDS, WORDS, PLACES, hidden, hops=hops, slots=FACTS, seed=rng.spawn(seeds))

    def ask(generator, size, tape):
        story, question, answers = stories(generator, size, facts)
        y, _ = network.forward(tuple(np.repeat(a[None], seeds, axis=0) for a in (story, question)), tape=tape)
        return y, np.repeat(answers[None], seeds, axis=0)

    def gradient(step, own):
        y, answers = ask(own, 32, None)
        value, dy = loss_of("softmax", y, answers, replicas=True)
        network.backward(dy, need_dx=False)
        return value

    descent = Descent(network, gradient, data, rate=rate, clip=Clip("norm", 10.0))
    rows = descent.run(steps)
    y, answers = ask(tests, 1000, False)
    value, _ = loss_of("softmax", y, answers, replicas=True)
    rows += descent.ends(loss=value, success=(y.argmax(axis=-1) == answers).mean(axis=-1))
    return [*rows, short({"kind": "naive", "loss": float(np.log(PLACES)), "success": 1 / PLACES}, DIGITS)]

"""The network of min-char-rnn, and what a language model shows as it learns: a smoothed loss, and text that it writes.

The smoothed loss of min-char-rnn (A. Karpathy, 2015) is 0.999 of the old and 0.001 of the loss of a window, in nats a
window, and begins with that of a model that knows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import lfilter

from rnnbench.layers import generate
from rnnbench.studies.learning import network_for
from rnnbench.studies.replicas import alone
from rnnbench.studies.sizes import units
from rnnbench.tasks import Task
from rnnbench.tasks._sentences import NOUNS, PLACES, PREPOSITIONS, VERBS
from rnnbench.training import Trainer

SMALL = 0.01  # standard deviation of all weights


def min_char_rnn(task: Task, cell: str, tanh_units: int, device: str = "cpu") -> Callable:
    """Return a function of a seed to a network with as many parameters as so many tanh units, which starts like theirs.

    Weights are from N(0, 0.01^2), biases 0, the forget gates' 1 in an LSTM.
    """
    size = tanh_units * (tanh_units + 2 * task.inputs + 1) + task.inputs
    hidden = units(cell, task.inputs, task.outputs, size)
    init = {"name": "gaussian", "gain": SMALL * hidden**0.5, "input_std": SMALL}
    init |= {"forget_bias": 1.0} if cell == "lstm" else {}
    uniform = network_for(task, cell, hidden, init=init, device=device)

    def build(seed):
        network = uniform(seed)
        readout = network.parts["readout"]
        readout.params["weight"] *= SMALL * (3 * readout.input_size) ** 0.5  # it was U(-1, 1)/sqrt(H)
        readout.params["bias"][...] = 0
        return network

    return build


def smoothed(trainer: Trainer, points: int = 20) -> list[dict]:
    """Return rows "start", the first loss as a part of n ln V (n steps, V symbols), and "smooth", its running mean."""
    window, task = trainer.window, trainer.task
    start = window * np.log(task.inputs)
    losses = window * trainer.history.loss
    smooth, _ = lfilter([0.001], [1, -0.999], losses, axis=0, zi=np.full((1, losses.shape[1]), 0.999 * start))
    steps = np.unique(np.linspace(1, len(losses), points).astype(int))
    rows = [{"kind": "start", "replica": r, "loss": float(losses[0, r] / start)} for r in range(losses.shape[1])]
    return rows + [
        {"kind": "smooth", "replica": r, "step": int(step), "loss": float(smooth[step - 1, r])}
        for r in range(losses.shape[1])
        for step in steps
    ]


def written(trainer: Trainer, build: Callable, rng: np.random.Generator, temperatures: Sequence[float]) -> list[dict]:
    """Return rows "sample": what each replica writes from the first character of a text on, and what is right in it."""
    task = trainer.task
    first = int(task.batch(np.random.default_rng(0), 1).x[0, 0])
    length = min(400, trainer.history.steps, task.longest or 400)
    rows = []
    for r in range(trainer.network.copies):
        one = alone(trainer.network, r, build)
        for temperature in temperatures:
            prompt = np.full((1, 5), first)
            try:
                found = generate.sample(one, prompt, length, rng, temperature=temperature).symbols
            except ValueError:  # it has diverged
                continue
            texts = ["".join(task.alphabet[s] for s in (first, *row)) for row in found.T.tolist()]
            right, sentences = map(sum, zip(*map(grammatical, texts), strict=True))
            row = {"kind": "sample", "replica": r, "temperature": temperature, "text_written": texts[0][:60]}
            rows.append(row | {"right": right, "sentences": sentences})
    return rows


def grammatical(text: str) -> tuple[int, int]:
    """Return how many of a text's whole sentences the grammar could have written, and how many there are."""
    noun, place, verb = ("|".join(words) for words in (NOUNS, PLACES, VERBS))
    between = f"(?:(?:{'|'.join(PREPOSITIONS)})(?:{place}))*"
    sentence = re.compile(f"the (?:{noun})(?: {between}(?:{verb})s|s {between}(?:{verb}))")
    sentences = text.split(". ")[:-1]
    return sum(bool(sentence.fullmatch(one)) for one in sentences), len(sentences)

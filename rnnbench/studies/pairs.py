"""Training networks that read one sequence and write another, and how far what they read lies from what they write.

Rows as in ``learning``, the columns ``pair`` (the name of the task) and ``test_length`` in them, and

=======  ==================================================================================================
place    place, loss, success: of the symbols at this place of the targets, counted from 1
=======  ==================================================================================================

A row is right if all its symbols have the largest output, each given the right ones before it: then the network writes
just these symbols when it is left to itself, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import log_softmax

from rnnbench.layers import Layer
from rnnbench.layers.decoder import Decoder
from rnnbench.layers.encoder_decoder import Encoder, EncoderDecoder
from rnnbench.runner.record import short
from rnnbench.studies.descent import Descent
from rnnbench.studies.learning import DIGITS, naive
from rnnbench.tasks import Pair, Task, get
from rnnbench.training.clipping import Clip
from rnnbench.training.losses import loss as loss_of


def learn_pairs(
    build: Callable, tasks: Mapping[str, Task], rng: np.random.Generator, *, seeds: int, steps: int, rate: float,
    length: int, batch_size: int = 32, part: Callable | None = None, judged: Mapping[str, Task] | None = None,
    lengths: Sequence[int] = (), test: int = 500,
) -> list[dict]:  # fmt: skip
    """Train replicas side by side with Adam, gradient norms clipped at 1; the tasks take turns.

    Parameters
    ----------
    build : function of a list of seeds to a Layer
    tasks : dict of Task
        With pairs; all with one alphabet.
    rng : numpy.random.Generator
    seeds, steps, batch_size, test : int
    rate : float
    length : int
        Of the sequences, as the tasks count it.
    part : function (network, name) to an EncoderDecoder, optional
        Which part of the network does which task; all of it unless given.
    judged : dict of Task, optional
        The tasks that it is tested on; those that it is trained on unless given.
    lengths : sequence of int
        At which it is tested; that of the training unless given.
    """
    part = part or (lambda network, name: network)
    judged = tasks if judged is None else judged
    network, data, tests = build(rng.spawn(seeds)), rng.spawn(1)[0], rng.spawn(1)[0]
    names = list(tasks)

    def gradient(step, own):
        name = names[step % len(names)]
        pair = tasks[name].pairs(own, batch_size, length)
        one, mask = part(network, name), _there(pair)
        x, lengths = _given(network, pair)
        y, _ = one.forward(x, lengths=lengths)
        target, mask = (_repeated(network, a) for a in (pair.target, mask))
        value, dy = loss_of("softmax", y, target, mask, replicas=True)
        one.backward(dy, need_dx=False)
        return value * batch_size / mask[0].sum()

    def look(step):
        scores = {name: _judge(part(network, name), judged[name], tests, length, test) for name in judged}
        return [
            {"kind": "look", "pair": name, "replica": r, "step": step, "success": float(success)}
            for name, score in scores.items()
            for r, success in enumerate(score["success"])
        ]

    descent = Descent(network, gradient, data, rate=rate, clip=Clip("norm", 1.0), tests=tests)
    rows = descent.run(steps, look, looks=10)
    for name, task in judged.items():
        for size in lengths or (length,):
            score = _judge(part(network, name), task, tests, size, test)
            where = {"pair": name, "test_length": size}
            rows += [row | where for row in descent.ends(success=score["success"], loss=score["loss"])]
            rows += [row | where for row in _places(score)]
            rows.append(short(naive(task, size), DIGITS) | where)
    return rows


def _places(score):
    return [
        short({"kind": "place", "replica": r, "place": t + 1, "loss": float(loss), "success": float(right)}, DIGITS)
        for r, (losses, rights) in enumerate(zip(score["losses"], score["rights"], strict=True))
        for t, (loss, right) in enumerate(zip(losses, rights, strict=True))
        if t < 20 and np.isfinite(loss)
    ]


def _judge(network, task, rng, length, size):
    """Success and loss of each replica, on the whole and by place."""
    pair = task.pairs(rng, size, length)
    mask = _there(pair)
    x, lengths = _given(network, pair)
    y, _ = network.forward(x, lengths=lengths, tape=False)
    target = _repeated(network, pair.target)
    logp = np.take_along_axis(log_softmax(y.astype(float), axis=-1), target[..., None], axis=-1)[..., 0]
    right = y.argmax(axis=-1) == target
    with np.errstate(invalid="ignore"):
        return {
            "success": (right | ~mask).all(axis=1).mean(axis=1),
            "loss": -(logp * mask).sum(axis=(1, 2)) / mask.sum(),
            "losses": -(logp * mask).sum(axis=2) / mask.sum(axis=1),
            "rights": (right & mask).sum(axis=2) / mask.sum(axis=1),
        }


def _there(pair: Pair):
    return np.arange(len(pair.target))[:, None] < pair.target_lengths


def _repeated(network, value):
    return np.repeat(value[None], network.replicas, axis=0)


def _given(network, pair):
    """What an EncoderDecoder takes: x for all replicas, and lengths."""
    x = tuple(_repeated(network, value) for value in (pair.source, pair.target))
    return x, (pair.source_lengths, pair.target_lengths)


def source_gradients(network: Layer, source: np.ndarray, target: np.ndarray, place: int = 0) -> np.ndarray:
    """Return how much each symbol that is read matters for one that is written.

    Parameters
    ----------
    network : EncoderDecoder
        Without replicas.
    source, target : (S, B) and (T, B) integer arrays
    place : int
        Of the symbol in the target, from 0.

    Returns
    -------
    (S,) array
        Norm of the gradient of its log-probability by the embedding of each source symbol, mean over the rows.
    """
    encoder, decoder = network.encoder, network.decoder
    embedded, _ = encoder.parts["embedding"].forward(source, tape=False)
    read, final, of_reader = encoder.parts["recurrent"].forward(embedded, tape=True)
    state = {"recurrent": final}
    if decoder.attends:
        state |= {"memory": read, "lengths": np.full((source.shape[1], 1), len(source))}
    before = np.concatenate([np.full((1, source.shape[1]), network.eos), target[:-1]])
    y, _, of_decoder = decoder.forward(before, state, tape=True)
    _, dy = loss_of("softmax", np.ascontiguousarray(y[place]), target[place])
    dys = np.zeros_like(y)
    dys[place] = dy * source.shape[1]
    _, dstate = decoder.backward(dys, tape=of_decoder)
    dx, _ = encoder.parts["recurrent"].backward(dstate.get("memory"), dstate["recurrent"], tape=of_reader)
    return np.linalg.norm(dx, axis=-1).mean(axis=1)


def first_symbol_path(rng: np.random.Generator, attention: str | None, length: int, seeds: int) -> list[dict]:
    """Return rows "path": the gradient of the first digit written by the first digit read, `length` steps before.

    In encoder-decoders of 32 LSTM units that copy digits and are not trained; log_norm is its decimal logarithm.
    """
    task, rows = get("memorization"), []
    for r, one in enumerate(rng.spawn(seeds)):
        encoder = Encoder(task.inputs, 16, 32, seed=one, dtype="float64")
        decoder = Decoder(task.inputs, 16, 32, attention=attention, seed=one, dtype="float64")
        pair = task.pairs(one, 20, length)
        norms = source_gradients(EncoderDecoder(encoder, decoder, eos=task.inputs - 1), pair.source, pair.target)
        rows.append({"kind": "path", "replica": r, "log_norm": float(np.log10(norms[0]))})
    return rows

"""Text out of a network: greedy, drawn at a temperature or from the best k, or searched for with a beam.

Every function takes a layer without replicas that maps symbols (T, B) to logits (T, B, V) of the next symbol and
carries a state: a language model, or the decoder of an encoder-decoder with ``state=network.encode(source)``. Every
array of its state has its rows on the axis before the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent


@dataclass(frozen=True)
class Generated:
    """What was written after the prompt.

    Attributes
    ----------
    symbols : (T, B) int64 array; (T, B, width) of a beam, the best first
        ``stop`` from a row's end on.
    lengths : (B,) or (B, width) int64 array
        Of each row, its ``stop`` included.
    log_probability : (B,) or (B, width) float64 array
        ln P of these symbols given the prompt, as the layer has it (at temperature 1, of all symbols).
    """

    symbols: np.ndarray
    lengths: np.ndarray
    log_probability: np.ndarray


def greedy(layer, prompt, steps, *, state=None, stop=None) -> Generated:
    """Take the most probable symbol at each step.

    Parameters
    ----------
    layer : Layer
    prompt : (T, B) integer array, T >= 1
        What the layer reads first.
    steps : int >= 0
        How many symbols to write at most.
    state : dict, optional
    stop : int, optional
        The symbol that ends a row. Writing stops when all rows have ended.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, and when a logit is NaN.
    """
    return _write(layer, prompt, steps, state, stop, lambda logp: logp.argmax(axis=-1))


def sample(layer, prompt, steps, rng, *, temperature=1.0, top_k=None, state=None, stop=None) -> Generated:
    r"""Draw each symbol from :math:`\mathrm{softmax}(y / \tau)`.

    Parameters
    ----------
    layer, prompt, steps, state, stop
        As for :func:`greedy`.
    rng : int or numpy.random.Generator
    temperature : float > 0
        Near 0 the most probable symbol is all but certain, far above 1 all symbols are alike.
    top_k : int >= 1, optional
        Draw from the k most probable symbols only.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature < np.inf:
        raise ValueError(f"temperature: got {temperature!r}, expected a number > 0")
    if top_k is not None:
        arguments.integer("top_k", top_k, 1)
    ((rng,), _) = arguments.generators([rng])

    def draw(logp):
        with np.errstate(over="ignore"):
            logp = (logp - logp.max(axis=-1, keepdims=True)) / temperature
        if top_k is not None and top_k < logp.shape[-1]:
            worse = np.argsort(-logp, axis=-1, kind="stable")[:, top_k:]
            np.put_along_axis(logp, worse, -np.inf, axis=-1)
        up_to = np.exp(log_softmax(logp, axis=-1)).cumsum(axis=-1)
        u = 1 - rng.random((len(logp), 1))  # of (0, 1], so that no symbol of probability 0 is ever drawn
        return (up_to >= u * up_to[:, -1:]).argmax(axis=-1)

    return _write(layer, prompt, steps, state, stop, draw)


def beam(layer, prompt, steps, width, *, state=None, stop=None) -> Generated:
    """Search for the most probable sequences, keeping the `width` best of each length.

    Parameters
    ----------
    layer, prompt, steps, state, stop
        As for :func:`greedy`. Sequences that have ended stay in the race with what they have; sequences are compared by
        their whole probability, whatever their lengths.
    width : int >= 1
        Where fewer sequences than that exist, the rest has log-probability -inf.

    Notes
    -----
    Source: A. Graves, Sequence Transduction with Recurrent Neural Networks, 2012; the plain form is that of Sutskever,
    Vinyals and Le 2014.
    """
    width = arguments.integer("width", width, 1)
    prompt, steps, stop = _checked(layer, prompt, steps, stop)
    rows = prompt.shape[1]
    with frozen(layer):
        logp, state = _next(layer, prompt, state)
        _check_stop(stop, logp)
        first = np.arange(rows * width) // width
        logp, state = logp[first], reorder(state, first)
        vocabulary = logp.shape[-1]
        score = np.where(np.arange(width) == 0, 0.0, -np.inf) + np.zeros((rows, 1))
        written, ended = np.zeros((0, rows, width), np.int64), np.zeros((rows, width), bool)
        for t in range(steps):
            if stop is not None:
                logp[ended.ravel()] = np.where(np.arange(vocabulary) == stop, 0, -np.inf)
            total = score[..., None] + logp.reshape(rows, width, vocabulary)
            total = total.reshape(rows, width * vocabulary)
            best = np.argsort(-total, axis=1, kind="stable")[:, :width]
            score = np.take_along_axis(total, best, axis=1)
            parents, symbols = np.divmod(best, vocabulary)
            if stop is not None:  # where nothing likely is left, an ended row would go on
                symbols[np.take_along_axis(ended, parents, axis=1)] = stop
            written = np.concatenate([np.take_along_axis(written, parents[None], axis=2), symbols[None]])
            ended = np.take_along_axis(ended, parents, axis=1) | (symbols == stop)
            if ended.all() or t == steps - 1:
                break
            state = reorder(state, (parents + np.arange(rows)[:, None] * width).ravel())
            logp, state = _next(layer, symbols.reshape(1, -1), state)
    return Generated(written, _lengths(written, stop), score)


@contextmanager
def frozen(layer) -> Iterator[None]:
    """Prepare the weights of every recurrent layer in a network once, and keep them read-only inside the block."""
    with ExitStack() as stack:
        for part in {id(part): part for _, part in layer._tree()}.values():
            if isinstance(part, Recurrent):
                stack.enter_context(part.frozen())
        yield


def reorder(state, rows):
    """Return a nested state with these of its rows; a row may come several times."""
    if isinstance(state, dict):
        return {key: reorder(value, rows) for key, value in state.items()}
    return np.ascontiguousarray(state[..., rows, :])


def _write(layer, prompt, steps, state, stop, choose):
    prompt, steps, stop = _checked(layer, prompt, steps, stop)
    rows = prompt.shape[1]
    written, score, ended = [], np.zeros(rows), np.zeros(rows, bool)
    with frozen(layer):
        logp, state = _next(layer, prompt, state)
        _check_stop(stop, logp)
        for t in range(steps):
            symbols = choose(logp)
            score += np.where(ended, 0, logp[np.arange(rows), symbols])
            written.append(np.where(ended, stop, symbols) if stop is not None else symbols)
            ended |= symbols == stop
            if ended.all() or t == steps - 1:
                break
            logp, state = _next(layer, written[-1][None], state)
    written = np.array(written, np.int64).reshape(len(written), rows)
    return Generated(written, _lengths(written, stop), score)


def _next(layer, symbols, state):
    """ln P of every next symbol, (B, V), and the state after `symbols`."""
    logits, state = layer.forward(symbols, state, tape=False)
    if logits.ndim != 3:
        raise ValueError(f"layer: it answers once with {logits.shape}, expected logits (T, B, symbols) at every step")
    with np.errstate(invalid="ignore"):
        logp = log_softmax(logits[-1].astype(np.float64), axis=-1)
    if np.isnan(logp).any():
        raise ValueError(f"{layer!r}: logits are NaN or infinite, expected numbers to choose a symbol by")
    return logp, state


def _check_stop(stop, logp):
    if stop is not None and stop >= logp.shape[-1]:
        raise ValueError(f"stop: got {stop}, expected a symbol that the layer writes, 0 to {logp.shape[-1] - 1}")


def _lengths(written, stop):
    """Symbols before the end of each row, and the end."""
    if stop is None:
        return np.full(written.shape[1:], len(written))
    return np.minimum((written != stop).sum(axis=0) + 1, len(written))


def _checked(layer, prompt, steps, stop):
    if not isinstance(layer, Layer):
        raise TypeError(f"layer: got {type(layer).__name__}, expected a layer or network")
    if layer.replicas is not None:
        raise ValueError(f"layer: got {layer.replicas} replicas, expected a layer without")
    if not isinstance(prompt, np.ndarray) or prompt.dtype.kind not in "iu" or prompt.ndim != 2 or not len(prompt):
        got = f"{prompt.dtype} of shape {prompt.shape}" if isinstance(prompt, np.ndarray) else type(prompt).__name__
        raise ValueError(f"prompt: got {got}, expected an integer array (T, B) of one step at least")
    if stop is not None:
        stop = arguments.integer("stop", stop, 0)
    return prompt, arguments.integer("steps", steps, 0), stop

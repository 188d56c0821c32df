"""How a head of a neural Turing machine finds its place: by content, then by location; and what it does there.

Arrays are (..., heads, ·) for heads and (..., N, M) for a memory of N slots. A head's M + 4 + 2r numbers are, in order:
key (M), strength, gate, sharpening, and the 2r + 1 shifts from -r to r.
"""

from __future__ import annotations

import numpy as np

from rnnbench.layers.attention import softmax, softmax_backward

TINY = 1e-12  # keeps norms and logarithms away from 0


def size(width, shift):
    """How many numbers a head needs."""
    return width + 4 + 2 * shift


def sigmoid(a):
    """Logistic function without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def softplus(a):
    """ln(1 + exp(a)) without overflow."""
    return np.logaddexp(a.dtype.type(0), a)


def address(p, memory, before):
    r"""Return each head's weights over the slots, (..., heads, N), and what their gradient needs.

    .. math::

        w^c &= \mathrm{softmax}(\beta \cos(k, M)) & \quad w^g &= g w^c + (1 - g) w_{t-1} \\
        \tilde w(i) &= \sum_j w^g(i - j) s(j) & \quad w &\propto \tilde w^\gamma

    with :math:`\beta = \mathrm{softplus}`, g a sigmoid, s a softmax, :math:`\gamma = 1 + \mathrm{softplus}`.
    """
    width = memory.shape[-1]
    key, scalars, shifts = p[..., :width], p[..., width : width + 3], softmax(p[..., width + 3 :])
    strength, gate = softplus(scalars[..., :1]), sigmoid(scalars[..., 1:2])
    sharpening = 1 + softplus(scalars[..., 2:])
    of_key = np.sqrt((key * key).sum(axis=-1, keepdims=True) + p.dtype.type(TINY))
    of_memory = np.sqrt((memory * memory).sum(axis=-1) + p.dtype.type(TINY))[..., None, :]
    cosine = np.matmul(key, memory.swapaxes(-1, -2)) / (of_key * of_memory)
    content = softmax(strength * cosine)
    gated = gate * content + (1 - gate) * before
    reach = shifts.shape[-1] // 2
    shifted = sum(shifts[..., j, None] * np.roll(gated, j - reach, axis=-1) for j in range(2 * reach + 1))
    logs = np.log(shifted + p.dtype.type(TINY))
    weights = softmax(sharpening * logs)
    saved = scalars, key, strength, gate, sharpening, shifts, of_key, of_memory, cosine, content, gated, logs, weights
    return weights, (*saved, memory, before)


def address_backward(saved, dweights):
    """Return the gradients by the head's numbers, by the memory and by the weights before."""
    scalars, key, strength, gate, sharpening, shifts, of_key, of_memory, cosine, content, gated, logs, weights = saved[
        :13
    ]
    memory, before = saved[13:]
    reach = shifts.shape[-1] // 2

    dpower = softmax_backward(weights, dweights)
    dsharpening = (dpower * logs).sum(axis=-1, keepdims=True)
    dshifted = dpower * sharpening * np.exp(-logs)
    rolled = [np.roll(gated, j - reach, axis=-1) for j in range(2 * reach + 1)]
    dshifts = np.stack([(dshifted * one).sum(axis=-1) for one in rolled], axis=-1)
    dgated = sum(shifts[..., j, None] * np.roll(dshifted, reach - j, axis=-1) for j in range(2 * reach + 1))
    dgate = (dgated * (content - before)).sum(axis=-1, keepdims=True)
    dscores = softmax_backward(content, gate * dgated)
    dstrength = (dscores * cosine).sum(axis=-1, keepdims=True)

    dcosine = strength * dscores
    dproduct = dcosine / (of_key * of_memory)
    turned = (dcosine * cosine).sum(axis=-1, keepdims=True)
    dkey = np.matmul(dproduct, memory) - turned * key / (of_key * of_key)
    dlength = (dcosine * cosine / (of_memory * of_memory)).sum(axis=-2)[..., None]
    dmemory = np.matmul(dproduct.swapaxes(-1, -2), key) - dlength * memory

    slopes = sigmoid(scalars)
    slopes[..., 1:2] *= 1 - gate  # of the sigmoid; the others are the slope of softplus
    dscalars = np.concatenate([dstrength, dgate, dsharpening], axis=-1) * slopes
    dp = np.concatenate([dkey, dscalars, softmax_backward(shifts, dshifts)], axis=-1)
    return dp, dmemory, (1 - gate) * dgated


def write(memory, weights, erase, add):
    r"""Return the memory after every head has erased, then every head has added, and what the gradient needs.

    :math:`M \leftarrow M \prod_h (1 - w_h e_h^T) + \sum_h w_h a_h^T`.
    """
    stages = []
    for h in range(weights.shape[-2]):
        kept = 1 - weights[..., h, :, None] * erase[..., h, None, :]
        stages.append((memory, kept))
        memory = memory * kept
    return memory + np.matmul(weights.swapaxes(-1, -2), add), (stages, weights, erase, add)


def write_backward(saved, dmemory):
    """Return the gradients by the memory before, the weights, what was erased and what was added."""
    stages, weights, erase, add = saved
    dadd, dweights = np.matmul(weights, dmemory), np.matmul(add, dmemory.swapaxes(-1, -2))
    derase = np.empty_like(erase)
    for h, (memory, kept) in reversed(list(enumerate(stages))):
        dkept = dmemory * memory
        dweights[..., h, :] -= np.matmul(dkept, erase[..., h, :, None])[..., 0]
        derase[..., h, :] = -np.matmul(weights[..., h, None, :], dkept)[..., 0, :]
        dmemory = dmemory * kept
    return dmemory, dweights, derase, dadd

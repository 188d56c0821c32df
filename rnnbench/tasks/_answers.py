"""Constant predictors, and the success criteria that several tasks share."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from rnnbench.tasks._batches import at_end

IMPOSSIBLE = -1000.0  # a logit so low that its probability is 0 in double precision


def constant(*outputs):
    """Return the predictor that gives `outputs` at every step."""

    def naive(batch):
        return np.broadcast_to(np.array(outputs, float), (*batch.mask.shape, len(outputs)))

    return naive


def near_at_end(tolerance):
    """Return the criterion that every output be nearer than `tolerance` to the (noise-free) target at the last step."""

    def correct(outputs, batch):
        target = batch.target if batch.clean is None else batch.clean
        return (np.abs(at_end(outputs, batch) - at_end(target, batch)) < tolerance).all(axis=-1)

    return correct


def right_class_at_end(tolerance=None):
    """Return the criterion that the likeliest class at the last step be the target.

    With a tolerance: that the probability of every class be nearer than that to 1 (the target) or 0 (the others).
    """

    def likeliest(outputs, batch):
        return at_end(outputs, batch).argmax(axis=-1) == at_end(batch.target, batch)

    def sure(outputs, batch):
        probabilities = softmax(at_end(outputs, batch), axis=-1)
        wanted = np.eye(outputs.shape[-1])[at_end(batch.target, batch)]
        return (np.abs(probabilities - wanted) < tolerance).all(axis=-1)

    return likeliest if tolerance is None else sure


def right_signs(outputs, batch):
    """Say of each row whether all its scored outputs have the right sign (0 counts as -, as does a target of 0)."""
    return (((outputs > 0) == (batch.target > 0)).all(axis=-1) | ~batch.mask).all(axis=0)

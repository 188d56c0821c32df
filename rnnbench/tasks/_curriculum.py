"""How hard the sequences of a batch are: the curricula of Learning to Execute.

A difficulty is a tuple of integers from 1 on, one per axis (a length; a length and a nesting). ``baseline`` draws the
target difficulty, ``naive`` the difficulty reached so far, ``mix`` every axis of every sequence uniformly from 1 to
the target, ``combined`` each sequence from mix (one in five, as in the authors' code) or else from naive.

Source: Zaremba and Sutskever, Learning to Execute, arXiv 1410.4615 (2014), and the authors' code.
"""

from __future__ import annotations

import numpy as np

CURRICULA = ("baseline", "naive", "mix", "combined")
MIXED = 1 / 5


def draw(rng, size, curriculum, reached, target):
    """Draw each sequence's difficulty: (axes, B) integers."""
    top = np.array(target)[:, None]
    if curriculum == "baseline":
        return np.broadcast_to(top, (len(top), size))
    naive = np.broadcast_to(np.minimum(np.array(reached)[:, None], top), (len(top), size))
    if curriculum == "naive":
        return naive
    mix = rng.integers(1, top, (len(top), size), endpoint=True)
    return mix if curriculum == "mix" else np.where(rng.random(size) < MIXED, mix, naive)


def distribution(curriculum, reached, target):
    """Return the values that ``draw`` gives on one axis, and their probabilities."""
    values = np.arange(1, target + 1)
    mix = np.full(target, 1 / target)
    naive = (values == min(reached, target)) * 1.0
    of = {
        "baseline": (values == target) * 1.0,
        "naive": naive,
        "mix": mix,
        "combined": MIXED * mix + (1 - MIXED) * naive,
    }
    return values, of[curriculum]


def harder(reached, target):
    """Return the difficulty after `reached`: the first axis grows up to its target, then starts at 1 again as the next
    one grows. At the target it stays.
    """
    reached = list(reached)
    for axis, top in enumerate(target):
        if reached[axis] < top:
            return (*[1] * axis, reached[axis] + 1, *reached[axis + 1 :])
    return tuple(reached)

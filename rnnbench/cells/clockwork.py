r"""Clockwork network: groups of units, each with a clock period of its own.

.. math::

    h_t &= \begin{cases} \phi(W_h x_t + (M \odot R_h) h_{t-1} + b_h) & \text{where } t \bmod T = 0 \\
           h_{t-1} & \text{elsewhere} \end{cases} \\
    M_{ij} &= 1 \text{ if } T_i \le T_j \text{, else } 0

:math:`T` holds each unit's period. The units are split into as many groups as there are ``periods``, as evenly as
possible (the first groups take what is left over; with fewer units than periods the slowest groups are empty), the
fastest first. A group sees the groups that are no faster than itself, so :math:`M` is block upper triangular; the
numbers that it strikes out stay in ``params`` but are no part of the network, and their gradient is 0.

The state ``clock`` holds :math:`t \bmod T`. The first step is t = 0, at which all groups run; a call that starts from
the final state of another continues its count, and ``reverse=True`` counts in the order in which steps run. All
products are worked out at every step: periods save no time here.

Source: J. Koutnik, K. Greff, F. Gomez and J. Schmidhuber, A Clockwork RNN, ICML 2014.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from rnnbench.contract import Cell, Gate, Stage, UnitParameter, Vector, WeightMap, choose
from rnnbench.ops import ACTIVATIONS, const, less, one, where, zero


def group_sizes(units, groups):
    """Split so many units into groups, as evenly as possible, the first ones larger."""
    return [units // groups + (group < units % groups) for group in range(groups)]


def block_triangular(periods):
    """Return the weight map that strikes out what a group receives from faster ones."""

    @lru_cache(maxsize=4)
    def seen(units):
        group = np.repeat(np.arange(len(periods)), group_sizes(units, len(periods)))
        return group[:, None] <= group[None, :]

    def blocks(units):
        sizes = group_sizes(units, len(periods))
        return sum(size * sum(sizes[group:]) for group, size in enumerate(sizes))

    def masked(matrices):
        r = matrices["weight_hh"]
        return {"weight_hh": np.where(seen(len(r)), r, r.dtype.type(0))}

    return WeightMap(
        forward=masked,
        backward=lambda raw, dused: masked(dused),
        free=lambda shapes: {"weight_hh": blocks(shapes["weight_hh"][0])},
    )


def build(activation="tanh", periods=(1, 2, 4, 8)):
    """Build the cell.

    Parameters
    ----------
    activation : tanh, sigmoid, relu, linear or step
    periods : rising integers >= 1
        One per group; the paper's are powers of 2.
    """
    phi, d_phi = choose("activation", activation, ACTIVATIONS)
    whole = isinstance(periods, tuple | list) and len(periods) > 0 and all(type(p) is int and p > 0 for p in periods)
    if not whole or any(later <= earlier for earlier, later in pairwise(periods)):
        raise ValueError(f"periods: got {periods!r}, expected rising integers >= 1")

    def forward(a, reads, p):
        (a_h,) = a
        h_before, clock_before = reads
        (period,) = p
        half = const(0.5, clock_before)
        h = where(less(clock_before, half), phi(a_h), h_before)
        ticked = clock_before + one(clock_before)
        return (h, where(less(ticked + half, period), ticked, zero(ticked))), ()

    def backward(dmakes, reads, makes, saved, p):
        dh, _ = dmakes
        _, clock_before = reads
        h, _ = makes
        runs = less(clock_before, const(0.5, clock_before))
        none = where(runs, zero(dh), zero(dh))
        return (where(runs, dh * d_phi(h), none),), (where(runs, none, dh), none), (none,)

    stage = Stage(
        forward,
        backward,
        makes=("h", "clock"),
        gates=(Gate("h", ("x", "h")),),
        reads=("h", "clock"),
        parameters=("period",),
    )
    period = UnitParameter(
        "period", initial=lambda width: np.repeat(periods, group_sizes(width, len(periods))), trained=False
    )
    return Cell(
        vectors=(Vector("h"), Vector("clock", differentiable=False)),
        stages=(stage,),
        output="h",
        parameters=(period,),
        weights=block_triangular(periods),
        smooth=activation not in ("relu", "step"),
        year=2014,
        source="Koutnik et al. 2014",
    )

"""Gradient norms by lag: how much of a cost at the end is left T - k steps before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from rnnbench.layers.recurrent import Recurrent
from rnnbench.probes.stepwise import backpropagate, columns_of, joint_states, random_cotangent


@dataclass(frozen=True)
class LagNorms:
    """Natural logarithms of gradient norms, -inf for a gradient that is exactly 0.

    Attributes
    ----------
    lags : (T + 1,) ints
        0, 1, ... T: steps between the cost and the state.
    joint : (T + 1, B) array
        Of the gradient by the joint state, one column per batch row; 0 at lag 0 for a unit cotangent.
    states : dict of (T + 1, B) arrays
        Of the gradient by each state apart (the others held fixed).
    """

    lags: np.ndarray
    joint: np.ndarray
    states: dict[str, np.ndarray]

    def rows(self, lags: Iterable[int]) -> list[dict[str, float]]:
        """Return a line per lag, means over the batch: `lag`, `log_norm`, of several states `log_norm_<state>` too."""
        parts = {"log_norm": self.joint}
        if len(self.states) > 1:
            parts |= {f"log_norm_{name}": norms for name, norms in self.states.items()}
        return [{"lag": int(lag)} | {name: float(norms[lag].mean()) for name, norms in parts.items()} for lag in lags]


def gradient_norms(
    layer: Recurrent,
    x: np.ndarray,
    state: Mapping[str, np.ndarray] | None = None,
    *,
    cotangent: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
) -> LagNorms:
    """Measure the norm of dC_T/dh_k against the lag T - k.

    Parameters
    ----------
    layer : Recurrent
        Any cell, any device, in float64.
    x : (T, B, I) array
        Every batch row is a trajectory and a cotangent of its own.
    state : dict of arrays, optional
        Initial state, as for ``layer.forward``.
    cotangent : (B, joint width) array, optional
        dC_T by the final joint state, see `rnnbench.probes.stepwise`; random unit vectors unless given.
    rng : numpy.random.Generator, optional
        For the random cotangents; needed unless `cotangent` is given.

    Returns
    -------
    LagNorms

    Raises
    ------
    ValueError
        Neither `cotangent` nor `rng` is given, or the layer is not in float64.
    """
    if cotangent is None:
        if rng is None:
            raise ValueError("gradient_norms: got neither cotangent nor rng, expected one of them")
        cotangent = random_cotangent(layer, x.shape[1], rng)
    names = list(joint_states(layer))
    joint, states = [], {name: [] for name in names}
    for direction, log_scale in backpropagate(layer, x, cotangent, state):
        joint.append(log_scale)
        with np.errstate(divide="ignore"):
            for name in names:
                part = np.linalg.norm(direction[:, columns_of(layer, name)], axis=1)
                states[name].append(log_scale + np.log(part))
    return LagNorms(np.arange(len(joint)), np.array(joint), {name: np.array(values) for name, values in states.items()})

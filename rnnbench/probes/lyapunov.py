r"""Lyapunov exponents: how fast neighbouring trajectories part, per step and direction.

With :math:`J_t = \partial s_t / \partial s_{t-1}` of the joint state s, the exponents are the limits of
:math:`\ln(\sigma_i)/T` for the singular values :math:`\sigma_i` of :math:`J_T \cdots J_1`. A product of matrices and
its transpose have the same singular values, so cotangents that go back measure what perturbations that go forward do.
They are kept orthonormal by a QR decomposition at every step; the logarithms of the diagonal of R add up.

Source: G. Benettin, L. Galgani, A. Giorgilli and J.-M. Strelcyn, Lyapunov Characteristic Exponents for Smooth Dynamical
Systems, Meccanica 15, 1980; R. Engelken, F. Wolf and L. F. Abbott, Lyapunov spectra of chaotic recurrent neural
networks, Physical Review Research 5, 2023.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnbench.layers.recurrent import Recurrent
from rnnbench.probes.stepwise import backpropagate, columns_of, random_cotangent


def spectrum(
    layer: Recurrent,
    x: np.ndarray,
    state: Mapping[str, np.ndarray] | None = None,
    *,
    rng: np.random.Generator,
    count: int | None = None,
    skip: int = 0,
) -> np.ndarray:
    """Return the largest Lyapunov exponents along one trajectory.

    Parameters
    ----------
    layer : Recurrent
        Any cell, any device, in float64.
    x : (T, 1, I) array
        The input that drives the trajectory; 0 for an autonomous system.
    state : dict of arrays with B = 1, optional
        Where it starts: on the attractor, after a burn-in.
    rng : numpy.random.Generator
        For the first directions.
    count : int, optional
        How many exponents; the width of the joint state unless given.
    skip : int
        Steps at the end of the trajectory, where the directions still turn, that do not count.

    Returns
    -------
    (count,) array
        Nats per step, largest first up to the error of a finite T; -inf from a step on that kills all directions. One
        that every step kills beside others that live comes out as rounding has it, ln(1e-16) = -37 or so.

    Raises
    ------
    ValueError
        For more than one trajectory, fewer than `skip` + 1 steps, or a count out of range.
    """
    if x.ndim != 3 or x.shape[1] != 1:
        raise ValueError(f"x: got shape {x.shape}, expected one trajectory of shape (T, 1, I)")
    width = columns_of(layer, None).stop
    count = width if count is None else count
    if not 1 <= count <= width:
        raise ValueError(f"count: got {count}, expected 1 to {width}, the width of the joint state")
    cotangent = np.linalg.qr(rng.normal(size=(width, count)))[0].T
    if state is not None:
        state = {name: np.repeat(value, count, axis=-2) for name, value in state.items()}
    return _growth(layer, np.repeat(x, count, axis=1), cotangent, state, "orthonormal", skip)


def largest(
    layer: Recurrent,
    x: np.ndarray,
    state: Mapping[str, np.ndarray] | None = None,
    *,
    rng: np.random.Generator,
    skip: int = 0,
) -> np.ndarray:
    """Return the largest Lyapunov exponent of each of B trajectories, (B,); `x` is (T, B, I), the rest as above."""
    return _growth(layer, x, random_cotangent(layer, x.shape[1], rng), state, "each", skip)


def _growth(layer, x, cotangent, state, rescale, skip):
    if not 0 <= skip < len(x):
        raise ValueError(f"skip: got {skip}, expected 0 to T - 1 = {len(x) - 1}")
    logs = [log_scale for _, log_scale in backpropagate(layer, x, cotangent, state, rescale=rescale)]
    with np.errstate(invalid="ignore"):  # -inf less -inf
        return np.where(np.isneginf(logs[-1]), -np.inf, (logs[-1] - logs[skip]) / (len(x) - skip))

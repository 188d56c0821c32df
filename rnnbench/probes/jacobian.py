"""Jacobian products: dh_T/dh_k as a matrix, and its singular values.

Every row of the matrix is a batch row: the same trajectory, with one unit vector as its cotangent. The
product is kept at norm 1 by a common factor whose logarithm is summed, so long products neither under- nor
overflow. Singular values that are smaller than the largest by more than float64's 1e-16 are lost in a plain
product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from rnnbench.layers.recurrent import Recurrent
from rnnbench.probes.stepwise import backpropagate, columns_of


@dataclass(frozen=True)
class JacobianProduct:
    """``exp(log_scale) * matrix`` is the derivative of the state at the end by the state `lag` steps before.

    Attributes
    ----------
    lag : int
    matrix : (rows, columns) array
        A row per number of the state at the end, a column per number of the state before.
    log_scale : float
    """

    lag: int
    matrix: np.ndarray
    log_scale: float

    @property
    def dense(self) -> np.ndarray:
        """The derivative itself; under- or overflows at long lags."""
        return np.exp(self.log_scale) * self.matrix

    @property
    def log_singular_values(self) -> np.ndarray:
        """Natural logarithms of the singular values, largest first, -inf for 0."""
        with np.errstate(divide="ignore"):
            return np.log(np.linalg.svd(self.matrix, compute_uv=False)) + self.log_scale


def jacobian_products(
    layer: Recurrent,
    x: np.ndarray,
    state: Mapping[str, np.ndarray] | None = None,
    *,
    lags: Iterable[int] | None = None,
    of: str | None = None,
    by: str | None = None,
) -> list[JacobianProduct]:
    """Return the derivatives of the final state by the states some steps before, along one trajectory.

    Parameters
    ----------
    layer : Recurrent
        Any cell, any device, in float64.
    x : (T, 1, I) array
    state : dict of arrays with B = 1, optional
        Initial state, as for ``layer.forward``.
    lags : ints in [0, T], optional
        T alone unless given.
    of, by : str, optional
        The state that is differentiated, and the one it is differentiated by (the others held fixed); the
        joint state unless given.

    Returns
    -------
    list of JacobianProduct
        In the order of rising lag.

    Raises
    ------
    ValueError
        For more than one trajectory, a lag out of range or an unknown state.
    """
    if x.ndim != 3 or x.shape[1] != 1:
        raise ValueError(f"x: got shape {x.shape}, expected one trajectory of shape (T, 1, I)")
    wanted = {len(x)} if lags is None else set(lags)
    if wrong := sorted(lag for lag in wanted if not 0 <= lag <= len(x)):
        raise ValueError(f"lags: got {wrong}, expected integers from 0 to T = {len(x)}")
    unit = np.eye(columns_of(layer, None).stop)[columns_of(layer, of)]
    repeated = np.repeat(x, len(unit), axis=1)
    if state is not None:
        state = {name: np.repeat(value, len(unit), axis=-2) for name, value in state.items()}
    columns, products = columns_of(layer, by), []
    with closing(backpropagate(layer, repeated, unit, state, rescale="together")) as steps:
        for lag, (matrix, log_scale) in enumerate(steps):
            if lag in wanted:
                products.append(JacobianProduct(lag, matrix[:, columns].copy(), float(log_scale[0])))
            if lag == max(wanted, default=0):
                break
    return products

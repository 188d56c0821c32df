r"""Theory of the decay: what the recurrent matrix alone says about a gradient's norm.

For a simple recurrent network :math:`h_t = \phi(W h_{t-1} + \ldots)` a step back multiplies the gradient by
:math:`W^T \operatorname{diag}(\phi')`, so with :math:`\gamma = \sup |\phi'|`

.. math:: \|dC_T/dh_k\| \le (\gamma\,\sigma_{max}(W))^{T-k}\,\|dC_T/dh_T\| .

Hence :math:`\sigma_{max} < 1/\gamma` suffices for vanishing and :math:`\sigma_{max} > 1/\gamma` is necessary
for exploding (Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, ICML
2013). In a linear network the norm goes like :math:`\rho(W)^{T-k}` once the largest eigenvalue prevails. All
results are natural logarithms."""

from __future__ import annotations

import numpy as np

GAMMA = {"tanh": 1.0, "linear": 1.0, "relu": 1.0, "sigmoid": 0.25, "step": 0.0}


def log_bound(lags, activation: str, sigma_max: float) -> np.ndarray:
    """Return the logarithm of (gamma*sigma_max)**lag: no simple recurrent network's gradient lies above.

    Parameters
    ----------
    lags : (n,) array
    activation : one of `GAMMA`
    sigma_max : float
        The recurrent matrix's largest singular value.
    """
    return _powers(lags, GAMMA[activation] * sigma_max)


def log_decay(lags, rho: float) -> np.ndarray:
    """Return the logarithm of rho**lag: a linear network past its transient."""
    return _powers(lags, rho)


def log_eigen_decay(lags, w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the logarithm of ||Q L^t Q^T v|| for a symmetric matrix W = Q L Q^T.

    Parameters
    ----------
    lags : (n,) ints
    w : (N, N) array
        Symmetric: for any other matrix Q is not orthogonal, and Q L^t Q^T is not its power.
    v : (N,) or (N, B) array
        The vector (or columns of vectors) it is applied to.

    Returns
    -------
    (n,) or (n, B) array

    Raises
    ------
    ValueError
        If `w` is not symmetric.
    """
    w = np.asarray(w)
    if w.ndim != 2 or not np.allclose(w, w.T, rtol=0, atol=1e-12 * max(1.0, np.abs(w).max(initial=0))):
        raise ValueError("log_eigen_decay: got a matrix that is not symmetric, for which W^t = Q L^t Q^T does not hold")
    values, q = np.linalg.eigh(w)
    columns = np.asarray(v).reshape(len(w), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = 2 * np.log(np.abs(q.T @ columns))  # (N, B): squared components, as logarithms
        powers = 2 * np.asarray(lags)[:, None] * np.log(np.abs(values))
        powers = np.where(np.asarray(lags)[:, None] == 0, 0.0, powers)  # 0**0 is 1
    terms = powers[:, :, None] + parts[None]
    largest = terms.max(axis=1)
    safe = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        total = 0.5 * (safe + np.log(np.exp(terms - safe[:, None]).sum(axis=1)))
    return total.reshape(len(total), *np.shape(v)[1:])


def slope(lags, log_norms, first: int, last: int | None = None):
    """Return the decay rate per step: the slope fitted to log norms over the lags from `first` to `last`.

    Parameters
    ----------
    lags : (n,) array
    log_norms : (n,) or (n, B) array
    first, last : int
        Past the transient; `last` is the largest lag unless given.

    Returns
    -------
    float or (B,) array
        -inf where the gradient is exactly 0 within these lags.

    Raises
    ------
    ValueError
        If fewer than two lags are left.
    """
    lags, values = np.asarray(lags, dtype=float), np.asarray(log_norms, dtype=float)
    chosen = (lags >= first) & (lags <= (lags.max(initial=0) if last is None else last))
    if chosen.sum() < 2:
        raise ValueError(f"slope: got {chosen.sum()} lags from {first} to {last}, expected at least 2")
    t, values = lags[chosen], values[chosen]
    t = t - t.mean()
    gone = np.isneginf(values).any(axis=0)
    fitted = t @ np.where(np.isneginf(values), 0.0, values) / (t @ t)
    result = np.where(gone, -np.inf, fitted)
    return result if result.ndim else float(result)


def _powers(lags, factor):
    lags = np.asarray(lags, dtype=float)
    if factor == 0:
        return np.where(lags == 0, 0.0, -np.inf)
    return lags * np.log(factor)

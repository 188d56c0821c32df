r"""Mean-field theory of a large random tanh network, :math:`h_t = \tanh(a_t), a_t = W h_{t-1} + u_t`.

W has independent entries of standard deviation :math:`g/\sqrt N` and the input adds :math:`u_t` of variance :math:`s^2`
to every unit. For large N the pre-activations are normal with variance q,

.. math:: q = g^2\,E[\tanh^2(\sqrt q\,z)] + s^2, \qquad \chi = g^2\,E[\operatorname{sech}^4(\sqrt q\,z)],

z standard normal. A step multiplies the squared norm of a perturbation by :math:`\chi` on average, so the largest
Lyapunov exponent is :math:`\frac12 \ln \chi`. Without input and for g < 1 all activity dies (q = 0), and it is ln g.

Sources: H. Sompolinsky, A. Crisanti and H. J. Sommers, Chaos in random neural networks, Physical Review Letters 61,
1988 (in continuous time); L. Molgedey, J. Schuchhardt and H. G. Schuster, Suppressing chaos in neural networks by
noise, Physical Review Letters 69, 1992 (in discrete time, with input); M. Chen, J. Pennington and S. S. Schoenholz,
Dynamical Isometry and a Mean Field Theory of RNNs, ICML 2018.
"""

from __future__ import annotations

import numpy as np

# The trapezoid's rule is exact to rounding here, for g up to 50: beyond, phi' is too narrow.
Z = np.linspace(-9.0, 9.0, 4001)
WEIGHTS = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


def variance(gain: float, input_variance: float = 0.0) -> float:
    """Return q, the variance of the pre-activations of a large network; 0 where all activity dies.

    Parameters
    ----------
    gain : float
        g > 0.
    input_variance : float
        s^2 >= 0.
    """
    from scipy.optimize import brentq

    def excess(q):
        return gain**2 * mean(np.tanh(np.sqrt(q) * Z) ** 2) + input_variance - q

    smallest = 1e-9
    if excess(smallest) <= 0:
        return 0.0
    return float(brentq(excess, smallest, gain**2 + input_variance + 1.0, xtol=1e-14, rtol=1e-13))


def slopes(q: float, power: int = 2) -> float:
    """Return E[phi'(sqrt(q) z)^power] for tanh: the mean square of a unit's slope, or another moment."""
    with np.errstate(over="ignore"):  # a slope of 0
        return mean(np.cosh(np.sqrt(q) * Z) ** (-2.0 * power))


def susceptibility(gain: float, input_variance: float = 0.0) -> float:
    """Return chi: by what factor a step multiplies the squared norm of a perturbation."""
    return gain**2 * slopes(variance(gain, input_variance))


def largest_exponent(gain: float, input_variance: float = 0.0) -> float:
    """Return the largest Lyapunov exponent of a large network, ln(chi)/2, in nats per step."""
    return 0.5 * float(np.log(susceptibility(gain, input_variance)))


def critical_gain(input_variance: float) -> float:
    """Return the gain at which chi is 1: between order and chaos, gradients keep their norm on average."""
    from scipy.optimize import brentq

    if input_variance == 0:
        return 1.0
    return float(brentq(lambda gain: susceptibility(gain, input_variance) - 1.0, 1.0, 10.0 + input_variance))


def spread(lag: int, q: float, orthogonal: bool) -> float:
    r"""Return the variance of the squared singular values of a product of `lag` Jacobians on the critical line.

    It is :math:`L\,(\mu_2/\mu_1^2 - 1 - s_1)` with :math:`\mu_k = E[\phi'(\sqrt q z)^{2k}]`, :math:`s_1 = 0` for
    orthogonal W and -1 for Gaussian, if the steps are independent (J. Pennington, S. S. Schoenholz and S. Ganguli,
    Resurrecting the sigmoid in deep learning through dynamical isometry, NeurIPS 2017). Their mean is 1.
    """
    return lag * (slopes(q, 4) / slopes(q, 2) ** 2 - (1 if orthogonal else 0))


def mean(values: np.ndarray) -> float:
    """Return the expectation of a function of a standard normal z, given at `Z`."""
    return float(WEIGHTS @ values)

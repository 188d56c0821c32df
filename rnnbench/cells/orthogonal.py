r"""Orthogonal recurrence: the recurrent matrix is orthogonal whatever its free parameters are.

.. math::

    A &= R - R^T \\
    Q &= (I + A)^{-1} (I - A) D \\
    h_t &= \phi(W_h x_t + Q h_{t-1} + b_h)

The Cayley transform of a skew-symmetric matrix A is a rotation, and every rotation without the eigenvalue -1 is such a
transform. A fixed diagonal D of minus ones, then ones (``reflections`` is the share of minus ones) lets all other
orthogonal matrices be reached. R = 0 gives Q = D; random numbers give a random rotation: at H = 128 the usual
``uniform`` start turns by a median angle of 66 degrees, and by 116 at most. :math:`\phi` is tanh unless ``activation``
says sigmoid, relu, linear or step.

With :math:`P = (I + A)^{-1}` the matrix is :math:`Q = (2 P - I) D`, and since :math:`(I - A)^{-1} = P^T`, P is all that
the gradient by R takes; G is the gradient by Q:

.. math::

    M = -2 \, P^T \, G D \, P^T, \qquad \frac{\partial L}{\partial R} = M - M^T .

Sources: K. Helfrich, D. Willmott and Q. Ye, Orthogonal Recurrent Neural Networks with Scaled Cayley Transform, ICML
2018. M. Lezcano-Casado and D. Martinez-Rubio, Cheap Orthogonal Constraints in Neural Networks, ICML 2019, use the
matrix exponential in place of Cayley's transform.
"""

from collections import deque

import numpy as np

from rnnbench.cells._activation import activated
from rnnbench.cells._number import number
from rnnbench.contract import Cell, Gate, Stage, Vector, WeightMap, choose
from rnnbench.ops import ACTIVATIONS


def signs(size, reflections):
    """Return the diagonal of D."""
    return np.where(np.arange(size) < round(reflections * size), -1.0, 1.0)


def cayley(r):
    """Return (I + A)^-1 (I - A), orthogonal to rounding as long as the numbers in A stay below 1e9, and (I + A)^-1.

    Inverting loses as many digits as A is large. Double precision has them to spare where R is of single precision.
    Where they are missed, Newton's iteration for the nearest orthogonal matrix brings them back: an error of e becomes
    one of e^2, and where e is 0 its derivative is the identity for every change that keeps Q orthogonal.
    """
    wide, eye = np.result_type(r, np.float64), np.eye(len(r))
    a = r.astype(wide) - r.T
    inverse = np.linalg.inv(eye + a)
    q = 2 * inverse - eye
    lost = len(r) * (1 + np.linalg.norm(a))  # the singular values of I + A are between 1 and 1 + |A|
    error = min(np.finfo(wide).eps * lost, 0.1)
    while error > np.finfo(r.dtype).eps:
        q = q + q @ (eye - q.T @ q) / 2
        error = error**2
    return q, inverse


def scaled_cayley(reflections):
    """Return the map from R to Q."""
    lately = deque(maxlen=4)  # the backward pass, and every call with the same weights, asks again

    def in_its_precision(r):
        numbers = r.tobytes()
        for dtype, same, made in list(lately):  # bytes are compared much faster than hashed
            if dtype == r.dtype and same == numbers:
                return made
        made = [part.astype(r.dtype) for part in cayley(r)]
        for part in made:
            part.flags.writeable = False
        lately.append((r.dtype, numbers, made))
        return made

    def used(raw):
        r = raw["weight_hh"]
        q, _ = in_its_precision(r)
        return {"weight_hh": q * signs(len(r), reflections).astype(r.dtype)}

    def gradient(raw, dused):
        r = raw["weight_hh"]
        _, inverse = in_its_precision(r)
        m = -2 * inverse.T @ (dused["weight_hh"] * signs(len(r), reflections).astype(r.dtype)) @ inverse.T
        return {"weight_hh": m - m.T}

    def free(shapes):
        units = shapes["weight_hh"][0]
        return {"weight_hh": units * (units - 1) // 2}

    def flops(shapes):  # one inverse; two products
        units = shapes["weight_hh"][0]
        return 2 * units**3, 4 * units**3

    return WeightMap(used, gradient, free, flops)


def build(activation="tanh", reflections=0.0):
    """Build the cell.

    Parameters
    ----------
    activation : tanh, sigmoid, relu, linear or step
    reflections : float in [0, 1]
        The share of minus ones in D.
    """
    forward, backward = activated(*choose("activation", activation, ACTIVATIONS))
    reflections = number("reflections", reflections, "a number in [0, 1]", lambda v: 0 <= v <= 1)

    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")),)),),
        output="h",
        weights=scaled_cayley(reflections),
        smooth=activation not in ("relu", "step"),
        year=2018,
        source="Helfrich et al. 2018",
    )

r"""Antisymmetric network: a stable ordinary differential equation, one Euler step at a time.

.. math::

    h_t &= h_{t-1} + \epsilon \tanh(W_h x_t + (R - R^T - \gamma I) h_{t-1} + b_h)

The eigenvalues of :math:`R - R^T` are imaginary, so that over short steps the state neither explodes nor dies out;
:math:`\gamma` moves them to the left by as much as Euler's method needs. With ``gated=True`` an input gate uses the
same recurrent matrix,

.. math::

    z_t &= \sigma(W_z x_t + (R - R^T - \gamma I) h_{t-1} + b_z) \\
    h_t &= h_{t-1} + \epsilon z_t \odot \tanh(W_h x_t + (R - R^T - \gamma I) h_{t-1} + b_h)

so the product with the state is a gate r of its own, without a bias. Gate order h, or h, z, r.

Source: B. Chang, M. Chen, E. Haber and E. H. Chi, AntisymmetricRNN: A Dynamical System View on Recurrent Neural
Networks, ICLR 2019. R, the paper's W, starts normal with variance 1/H.
"""

from rnnbench.cells._number import number
from rnnbench.contract import Cell, Gate, Stage, Vector, WeightMap, choose
from rnnbench.ops import const, d_sigmoid, d_tanh, sigmoid, tanh


def antisymmetric(gamma):
    """Return the map from R to R - R^T - gamma I."""

    def used(raw):
        r = raw["weight_hh"]
        matrix = r - r.T
        matrix.flat[:: len(r) + 1] -= r.dtype.type(gamma)  # the diagonal
        return {"weight_hh": matrix}

    def gradient(raw, dused):
        g = dused["weight_hh"]
        return {"weight_hh": g - g.T}

    def free(shapes):
        units = shapes["weight_hh"][0]
        return {"weight_hh": units * (units - 1) // 2}

    return WeightMap(used, gradient, free)


def plain(eps):
    """Return the stage without a gate."""

    def forward(a, reads, p):
        (a_h,) = a
        (h_before,) = reads
        v = tanh(a_h)
        return (h_before + const(eps, v) * v,), (v,)

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (v,) = saved
        return (const(eps, dh) * dh * d_tanh(v),), (dh,), ()

    return Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")),), reads=("h",))


def with_input_gate(eps):
    """Return the stage whose input gate shares the product with the state."""

    def forward(a, reads, p):
        a_h, a_z, a_r = a
        (h_before,) = reads
        v, z = tanh(a_h + a_r), sigmoid(a_z + a_r)
        return (h_before + const(eps, v) * z * v,), (v, z)

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        v, z = saved
        dstep = const(eps, dh) * dh
        da_h, da_z = dstep * z * d_tanh(v), dstep * v * d_sigmoid(z)
        return (da_h, da_z, da_h + da_z), (dh,), ()

    gates = (Gate("h", ("x",)), Gate("z", ("x",)), Gate("r", ("h",), bias=False))
    return Stage(forward, backward, makes=("h",), gates=gates, reads=("h",))


def build(eps=0.01, gamma=0.01, gated=False):
    """Build the cell.

    Parameters
    ----------
    eps : float
        The step of Euler's method, above 0.
    gamma : float
        The diffusion, at least 0.
    gated : bool
    """
    eps = number("eps", eps, "a number above 0", lambda v: 0 < v < float("inf"))
    gamma = number("gamma", gamma, "a number >= 0", lambda v: 0 <= v < float("inf"))
    stage = choose("gated", gated, {False: plain, True: with_input_gate})

    return Cell(
        vectors=(Vector("h"),),
        stages=(stage(eps),),
        output="h",
        weights=antisymmetric(gamma),
        init="gaussian",
        year=2019,
        source="Chang et al. 2019",
    )

r"""Gated recurrent unit, reset applied after the product (PyTorch's and cuDNN's ``GRU``).

.. math::

    r_t &= \sigma(W_r x_t + R_r h_{t-1} + b_r) \\
    z_t &= \sigma(W_z x_t + R_z h_{t-1} + b_z) \\
    n_t &= \tanh(W_n x_t + b_{n_x} + r_t \odot (R_n h_{t-1} + b_{n_h})) \\
    h_t &= z_t \odot h_{t-1} + (1 - z_t) \odot n_t

The candidate's two products stay apart, as gates n_x (from x) and n_h (from h), so one stage is enough.
Bias order r, z, n_x, n_h.

Source: the first version of Cho et al., 2014 (arXiv 1406.1078v1); PyTorch's ``GRU``.
"""

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_sigmoid, d_tanh, one_minus, sigmoid, tanh


def forward(a, reads, p):
    """Gates, candidate, mixture."""
    a_r, a_z, a_nx, a_nh = a
    (h_before,) = reads
    r, z = sigmoid(a_r), sigmoid(a_z)
    n = tanh(a_nx + r * a_nh)
    return (z * h_before + one_minus(z) * n,), (r, z, n, a_nh)


def backward(dmakes, reads, makes, saved, p):
    """The chain rule through mixture, candidate and gates."""
    (dh,) = dmakes
    (h_before,) = reads
    r, z, n, a_nh = saved
    da_n = dh * one_minus(z) * d_tanh(n)
    da_r = da_n * a_nh * d_sigmoid(r)
    da_z = dh * (h_before - n) * d_sigmoid(z)
    return (da_r, da_z, da_n, da_n * r), (dh * z,), ()


def build():
    """Build the cell; it has no options."""
    gates = (Gate("r", ("x", "h")), Gate("z", ("x", "h")), Gate("n_x", ("x",)), Gate("n_h", ("h",)))
    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=gates, reads=("h",)),),
        output="h",
        year=2014,
        source="Cho et al. 2014 v1; PyTorch",
    )

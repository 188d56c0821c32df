"""The gate set that the three mutants of Jozefowicz et al. (2015) share: update, reset, and the state as reset."""

from rnnbench.ops import d_sigmoid, sigmoid


def forward_gates(a, reads, p):
    """Update and reset gate, and the state as the candidate will see it."""
    a_z, a_r = a
    (h_before,) = reads
    z, r = sigmoid(a_z), sigmoid(a_r)
    return (z, r * h_before), (r,)


def backward_gates(dmakes, reads, makes, saved, p):
    """The chain rule through the update and the reset gate."""
    dz, drh = dmakes
    (h_before,) = reads
    z, _ = makes
    (r,) = saved
    return (dz * d_sigmoid(z), drh * h_before * d_sigmoid(r)), (drh * r,), ()

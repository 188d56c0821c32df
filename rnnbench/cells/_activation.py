"""The one stage that several simple cells share: a pre-activation and a squashing function."""


def activated(phi, d_phi):
    """Return the pair (forward, backward) of a stage that makes ``phi(a)``; `d_phi` takes the value made."""

    def forward(a, reads, p):
        (a_h,) = a
        return (phi(a_h),), ()

    def backward(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h,) = makes
        return (dh * d_phi(h),), (), ()

    return forward, backward

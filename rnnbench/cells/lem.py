r"""Long expressive memory: two coupled states, each with learned time steps of its own.

.. math::

    \Delta_t &= \Delta \, \sigma(W_1 x_t + R_1 h_{t-1} + b_1) \\
    \bar\Delta_t &= \Delta \, \sigma(W_2 x_t + R_2 h_{t-1} + b_2) \\
    z_t &= (1 - \Delta_t) \odot z_{t-1} + \Delta_t \odot \tanh(W_z x_t + R_z h_{t-1} + b_z) \\
    h_t &= (1 - \bar\Delta_t) \odot h_{t-1} + \bar\Delta_t \odot \tanh(W_h x_t + R_h z_t + b_h)

One step of a discretised ordinary differential equation, so ``dt``, the paper's :math:`\Delta t`, is the longest time
step. h is the paper's y; h sees z of the same step, so a step has two stages. Gate order 1, 2, z, h, named
``dt_z``, ``dt_h``, ``z``, ``h``.

Source: T. K. Rusch, S. Mishra, N. B. Erichson and M. W. Mahoney, Long Expressive Memory for Sequence Modeling, ICLR
2022.
"""

from rnnbench.cells._number import number
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import const, d_sigmoid, d_tanh, one_minus, sigmoid, tanh


def build(dt=1.0):
    """Build the cell; `dt` is the longest time step, a number above 0."""
    longest = number("dt", dt, "a number above 0", lambda v: 0 < v < float("inf"))

    def forward_memory(a, reads, p):
        """Both time steps, and the slow state."""
        a_dt_z, a_dt_h, a_z = a
        (z_before,) = reads
        gate_z, gate_h = sigmoid(a_dt_z), sigmoid(a_dt_h)
        dt_z, dt_h = const(longest, gate_z) * gate_z, const(longest, gate_h) * gate_h
        v = tanh(a_z)
        return (one_minus(dt_z) * z_before + dt_z * v, dt_h), (gate_z, gate_h, v)

    def backward_memory(dmakes, reads, makes, saved, p):
        dz, ddt_h = dmakes
        (z_before,) = reads
        gate_z, gate_h, v = saved
        dt_z = const(longest, gate_z) * gate_z
        dgate_z = const(longest, dz) * dz * (v - z_before)
        dgate_h = const(longest, ddt_h) * ddt_h
        da = (dgate_z * d_sigmoid(gate_z), dgate_h * d_sigmoid(gate_h), dz * dt_z * d_tanh(v))
        return da, (dz * one_minus(dt_z),), ()

    def forward_state(a, reads, p):
        """The state that the layer shows."""
        (a_h,) = a
        h_before, dt_h = reads
        v = tanh(a_h)
        return (one_minus(dt_h) * h_before + dt_h * v,), (v,)

    def backward_state(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        h_before, dt_h = reads
        (v,) = saved
        return (dh * dt_h * d_tanh(v),), (dh * one_minus(dt_h), dh * (v - h_before)), ()

    memory_gates = tuple(Gate(name, ("x", "h")) for name in ("dt_z", "dt_h", "z"))
    return Cell(
        vectors=(Vector("h"), Vector("z"), Vector("dt_h")),
        stages=(
            Stage(forward_memory, backward_memory, makes=("z", "dt_h"), gates=memory_gates, reads=("z",)),
            Stage(
                forward_state,
                backward_state,
                makes=("h",),
                gates=(Gate("h", ("x", "z@0")),),
                reads=("h", "dt_h@0"),
            ),
        ),
        output="h",
        year=2022,
        source="Rusch et al. 2022",
    )

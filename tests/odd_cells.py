"""Small cells that use what the shipped ones do not: each shows one corner of the contract."""

import numpy as np

from rnnbench.contract import LEARNED, Cell, Gate, Stage, UnitParameter, Vector, WeightMap
from rnnbench.ops import const, d_sigmoid, d_tanh, less, one_minus, sigmoid, square, tanh, where

GAMMA = 0.125  # a power of two: float32 holds it exactly


def forward_tanh(a, reads, p):
    (a_h,) = a
    return (tanh(a_h),), ()


def backward_tanh(dmakes, reads, makes, saved, p):
    (dh,) = dmakes
    (h,) = makes
    return (dh * d_tanh(h),), (), ()


def plain_stage(*sources, bias=True):
    return Stage(forward_tanh, backward_tanh, makes=("h",), gates=(Gate("h", sources, bias),))


def map_antisymmetric(raw):
    w = raw["weight_hh"]
    return {"weight_hh": w - w.T - np.eye(len(w), dtype=w.dtype) * w.dtype.type(GAMMA)}


def unmap_antisymmetric(raw, dused):
    g = dused["weight_hh"]
    return {"weight_hh": g - g.T}


def count_antisymmetric(shapes):
    units, _ = shapes["weight_hh"]
    return {"weight_hh": units * (units - 1) // 2}


def antisymmetric():
    """A weight map: the matrix used is W - W^T - gamma I."""
    return Cell(
        vectors=(Vector("h"),),
        stages=(plain_stage("x", "h"),),
        output="h",
        weights=WeightMap(map_antisymmetric, unmap_antisymmetric, count_antisymmetric),
        name="antisymmetric",
    )


def map_squared(raw):
    return {"weight_hh": square(raw["weight_hh"])}


def unmap_squared(raw, dused):
    return {"weight_hh": (raw["weight_hh"] + raw["weight_hh"]) * dused["weight_hh"]}


def squared_weights():
    """A weight map whose gradient depends on the free weights themselves."""
    return Cell(
        vectors=(Vector("h"),),
        stages=(plain_stage("x", "h"),),
        output="h",
        weights=WeightMap(map_squared, unmap_squared),
        name="squared_weights",
    )


def learned_start():
    """An initial state that is a parameter, and one that is a constant other than 0."""

    def forward(a, reads, p):
        (a_h,) = a
        (c_before,) = reads
        h = tanh(a_h)
        return (h, c_before + square(h)), ()

    def backward(dmakes, reads, makes, saved, p):
        dh, dc = dmakes
        h, _ = makes
        return ((dh + dc * (h + h)) * d_tanh(h),), (dc,), ()

    stage = Stage(forward, backward, makes=("h", "c"), gates=(Gate("h", ("x", "h", "c")),), reads=("c",))
    return Cell(
        vectors=(Vector("h", initial=LEARNED), Vector("c", initial=-1.5)),
        stages=(stage,),
        output="h",
        name="learned_start",
    )


def learned_lagged():
    """A learned initial state that is carried for three steps."""
    return Cell(
        vectors=(Vector("h", initial=LEARNED),),
        stages=(plain_stage("x", "h", "h@3"),),
        output="h",
        name="learned_lagged",
    )


def clock():
    """A phase that counts steps, is no constant to h, and takes no gradient; its stage has no gates."""

    def forward_phase(a, reads, p):
        phase, h_before = reads
        return (phase + one_minus(square(h_before)),), ()

    def backward_phase(dmakes, reads, makes, saved, p):
        (dphase,) = dmakes
        _, h_before = reads
        return (), (dphase, -dphase * (h_before + h_before)), ()

    def forward_state(a, reads, p):
        (a_h,) = a
        (phase,) = reads
        v = tanh(a_h)
        late = where(less(phase, const(2.5, phase)), v, v * const(0.5, v))
        return (late * sigmoid(phase),), (late, v)

    def backward_state(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (phase,) = reads
        late, v = saved
        s = sigmoid(phase)
        dv = dh * s * d_tanh(v)
        da = where(less(phase, const(2.5, phase)), dv, dv * const(0.5, v))
        return (da,), (dh * late * d_sigmoid(s),), ()

    return Cell(
        vectors=(Vector("phase", initial=1.0, differentiable=False), Vector("h")),
        stages=(
            Stage(forward_phase, backward_phase, makes=("phase",), reads=("phase", "h")),
            Stage(forward_state, backward_state, makes=("h",), gates=(Gate("h", ("x", "h")),), reads=("phase@0",)),
        ),
        output="h",
        smooth=False,  # h jumps where the phase passes 2.5
        name="clock",
    )


def late_clock():
    """A clock of the step before, read both by a product and unit by unit."""

    def forward_phase(a, reads, p):
        (phase,) = reads
        return (phase + const(0.25, phase),), ()

    def backward_phase(dmakes, reads, makes, saved, p):
        return (), dmakes, ()

    def forward_state(a, reads, p):
        (a_h,) = a
        (phase,) = reads
        h = tanh(a_h)
        return (h * phase,), (h,)

    def backward_state(dmakes, reads, makes, saved, p):
        (dy,) = dmakes
        (phase,) = reads
        (h,) = saved
        return (dy * phase * d_tanh(h),), (dy * h,), ()

    gates = (Gate("h", ("x", "h", "phase")),)
    return Cell(
        vectors=(Vector("h"), Vector("phase", initial=0.5, differentiable=False)),
        stages=(
            Stage(forward_state, backward_state, makes=("h",), gates=gates, reads=("phase",)),
            Stage(forward_phase, backward_phase, makes=("phase",), reads=("phase",)),
        ),
        output="h",
        name="late_clock",
    )


def gateless():
    """A stage without gates between two that have some: the product's source is a function of the state."""

    def forward_squash(a, reads, p):
        (h_before,) = reads
        (peep,) = p
        s = tanh(peep * h_before)
        return (s,), ()

    def backward_squash(dmakes, reads, makes, saved, p):
        (ds,) = dmakes
        (h_before,) = reads
        (s,) = makes
        (peep,) = p
        da = ds * d_tanh(s)
        return (), (da * peep,), (da * h_before,)

    def forward_state(a, reads, p):
        (a_h,) = a
        (s,) = reads
        return (tanh(a_h) + s,), ()

    def backward_state(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h,) = makes
        (s,) = reads
        return (dh * d_tanh(h - s),), (dh,), ()

    return Cell(
        vectors=(Vector("s"), Vector("h")),
        stages=(
            Stage(forward_squash, backward_squash, makes=("s",), reads=("h",), parameters=("peep",)),
            Stage(forward_state, backward_state, makes=("h",), gates=(Gate("h", ("x", "s@0")),), reads=("s@0",)),
        ),
        output="h",
        parameters=(UnitParameter("peep", initial=1.0),),
        name="gateless",
    )


def unbiased():
    """Gates with and without a bias, one of them without any source but a lagged state."""

    def forward(a, reads, p):
        a_h, a_g, a_k = a
        h, g, k = tanh(a_h), sigmoid(a_g), sigmoid(a_k)
        return (g * h * k,), (h, g, k)

    def backward(dmakes, reads, makes, saved, p):
        (dy,) = dmakes
        h, g, k = saved
        return (dy * g * k * d_tanh(h), dy * h * k * d_sigmoid(g), dy * h * g * d_sigmoid(k)), (), ()

    gates = (Gate("h", ("x", "h"), bias=False), Gate("g", ("x",)), Gate("k", ("h@2",), bias=False))
    return Cell(
        vectors=(Vector("h"),),
        stages=(Stage(forward, backward, makes=("h",), gates=gates),),
        output="h",
        name="unbiased",
    )


def no_bias_at_all():
    """A cell whose only gate has no bias: there is no bias array to speak of."""
    return Cell(vectors=(Vector("h"),), stages=(plain_stage("x", "h", bias=False),), output="h", name="no_bias_at_all")


def step_local():
    """The output lives within its step: it is no state, and has a width of its own."""

    def forward_read(a, reads, p):
        (a_y,) = a
        return (a_y,), ()

    def backward_read(dmakes, reads, makes, saved, p):
        (dy,) = dmakes
        return (dy,), (), ()

    return Cell(
        vectors=(Vector("h"), Vector("y", width=2)),
        stages=(
            plain_stage("x", "h"),
            Stage(forward_read, backward_read, makes=("y",), gates=(Gate("y", ("h@0", "x")),)),
        ),
        output="y",
        name="step_local",
    )


def shared_parameter():
    """Two stages with one trained parameter; its names are words of the kernels for things of their own."""

    def forward_state(a, reads, p):
        (a_h,) = a
        (gain,) = p
        h = tanh(a_h * gain)
        return (h,), (a_h,)

    def backward_state(dmakes, reads, makes, saved, p):
        (dh,) = dmakes
        (h,) = makes
        (a_h,) = saved
        (gain,) = p
        d = dh * d_tanh(h)
        return (d * gain,), (), (d * a_h,)

    def forward_read(a, reads, p):
        (h,) = reads
        gain, shift = p
        return (h * gain + shift,), ()

    def backward_read(dmakes, reads, makes, saved, p):
        (dy,) = dmakes
        (h,) = reads
        gain, _ = p
        return (), (dy * gain,), (dy * h, dy)

    gates = (Gate("h", ("x", "h")),)
    return Cell(
        vectors=(Vector("h"), Vector("active")),
        stages=(
            Stage(forward_state, backward_state, makes=("h",), gates=gates, parameters=("program",)),
            Stage(forward_read, backward_read, makes=("active",), reads=("h@0",), parameters=("program", "packed")),
        ),
        output="active",
        parameters=(UnitParameter("program", initial=0.75), UnitParameter("packed", initial=-0.25)),
        name="shared_parameter",
    )


ALL = (
    antisymmetric, squared_weights, learned_start, learned_lagged, clock, late_clock, gateless, unbiased,
    no_bias_at_all, step_local, shared_parameter,
)  # fmt: skip

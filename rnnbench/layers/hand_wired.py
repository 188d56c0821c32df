"""Networks whose weights are set by hand instead of learned.

Source: R. Grosse, Lecture 7: Recurrent Neural Nets, section 2, examples 1 to 3. They are ordinary layers, and can be
trained on from here.
"""

from __future__ import annotations

from rnnbench.layers.chain import Chain
from rnnbench.layers.dense import Dense
from rnnbench.layers.recurrent import Recurrent

LARGEST = 1e6  # gain, far beyond what makes a logistic a threshold and within any dtype


def running_sum(*, dtype="float32", device="cpu"):
    r"""Sum the inputs so far: :math:`h_t = x_t + h_{t-1}`, :math:`y_t = h_t`, all units linear, all weights 1.

    x and y are (T, B, 1).
    """
    return _counter([1.0], 1.0, "linear", dtype, device)


def larger_sum(*, dtype="float32", device="cpu"):
    r"""Tell which of two inputs has the larger sum so far: :math:`h_t = x_{t,1} - x_{t,2} + h_{t-1}`, linear.

    :math:`y_t = \sigma(5 h_t)` is near 1 where the first is larger, near 0 where the second is, 1/2 where they are
    equal. x is (T, B, 2), y (T, B, 1).
    """
    return _counter([1.0, -1.0], 5.0, "sigmoid", dtype, device)


def parity(*, dtype="float32", device="cpu"):
    r"""Parity of the bits so far, by hard thresholds at 0: :math:`y_t = x_t \oplus y_{t-1}`, from y = 0.

    One hidden unit is AND of the bit and the previous output, :math:`[x_t + y_{t-1} - 1.5 > 0]`, the other OR,
    :math:`[x_t + y_{t-1} - 0.5 > 0]`; y is OR and not AND. x and y are (T, B, 1) of 0 and 1.
    """
    return _parity("step", 1.0, dtype, device)


def logistic_parity(*, gain=20.0, dtype="float32", device="cpu"):
    r"""Parity with logistic units in place of hard thresholds: all weights and biases of :func:`parity` times `gain`.

    y > 1/2 is the bit; the lecture asks how to use logistics, this is the answer.

    Parameters
    ----------
    gain : float > 0, at most 1e6
        y lies within 1e-3 of the bit from a gain of 14 on. With one of 4 the error of an output grows on its way round
        and the bit is lost after some steps; from 5 on it is corrected, and strings may have any length.
    """
    if isinstance(gain, bool) or not isinstance(gain, int | float) or not 0 < gain <= LARGEST:
        raise ValueError(f"gain: got {gain!r}, expected a number > 0, at most {LARGEST:g}")
    return _parity("sigmoid", float(gain), dtype, device)


def _counter(inputs, readout, activation, dtype, device):
    hidden = Recurrent("elman", len(inputs), 1, activation="linear", bias=False, dtype=dtype, device=device)
    hidden.params["weight_ih"][...] = inputs
    hidden.params["weight_hh"][...] = 1
    output = Dense(1, 1, activation=activation, bias=False, dtype=dtype)
    output.params["weight"][...] = readout
    return Chain(hidden=hidden, output=output)


def _parity(activation, gain, dtype, device):
    layer = Recurrent(
        "jordan", 1, 2, activation=activation, output_activation=activation, output_size=1, dtype=dtype, device=device
    )
    layer.blocks["h", "x"][...] = gain
    layer.blocks["h", "y"][...] = gain
    layer.gate_bias("h")[...] = [-1.5 * gain, -0.5 * gain]  # AND, OR
    layer.blocks["y", "h@0"][...] = [[-gain, gain]]
    layer.gate_bias("y")[...] = -0.5 * gain
    return layer

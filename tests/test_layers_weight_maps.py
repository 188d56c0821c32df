"""What a cell's weight map returns is checked: nothing is broadcast, lost, or passed on as if it were right."""

from dataclasses import replace

import numpy as np
import odd_cells
import pytest

from rnnbench import Recurrent
from rnnbench.contract import WeightMap

CELL = odd_cells.antisymmetric()
MAP = CELL.weights


def step(forward=MAP.forward, backward=MAP.backward):
    layer = Recurrent(replace(CELL, weights=WeightMap(forward, backward)), 2, 4)
    layer.forward(np.ones((3, 2, 2), np.float32))
    layer.backward(np.ones((3, 2, 4), np.float32))
    return layer


FORWARD = {
    "no dict": (lambda raw: raw["weight_hh"], "arrays: got ndarray, expected a dict with some of"),
    "an unknown key": (lambda raw: {"weight_h": raw["weight_hh"]}, r"got \['weight_h'\], expected a dict with some of"),
    "another shape": (lambda raw: {"weight_hh": raw["weight_hh"][:1]}, r"weight_hh: got shape \(1, 4\), expected"),
    "another dtype": (lambda raw: {"weight_hh": raw["weight_hh"].astype(float)}, "weight_hh: got dtype float64"),
}
BACKWARD = {
    "None": (lambda raw, dused: None, "gradient of arrays: got NoneType, expected a dict"),
    "another shape": (lambda raw, dused: {"weight_hh": dused["weight_hh"][:1]}, r"of weight_hh: got shape \(1, 4\)"),
    "too little": (lambda raw, dused: {}, r"gradient: got \[\], expected \['weight_hh'\] too"),
    "an unknown key": (lambda raw, dused: {"weight_h": dused["weight_hh"]}, "expected a dict with some of"),
}


@pytest.mark.parametrize("forward, message", FORWARD.values(), ids=list(FORWARD))
def test_forward(forward, message):
    with pytest.raises((ValueError, TypeError), match=message):
        step(forward=forward)


@pytest.mark.parametrize("backward, message", BACKWARD.values(), ids=list(BACKWARD))
def test_backward(backward, message):
    with pytest.raises((ValueError, TypeError), match=message):
        step(backward=backward)


def test_what_is_right_stays_so():
    layer = step()
    grad = layer.grads["weight_hh"]
    assert grad.any() and np.array_equal(grad, -grad.T)

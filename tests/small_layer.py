"""A small layer and its data: what the tests of one layer start from."""

import numpy as np
from helpers import randomise

from rnnbench import Recurrent

T, B, I, H = 5, 4, 3, 6


def make(cell="lstm", device="reference", I=I, H=H, dtype="float64", **options):
    """Make a layer with random parameters."""
    return randomise(Recurrent(cell, I, H, dtype=dtype, device=device, **options))


def data(layer, T=T, B=B, seed=0):
    """Make an input and a gradient by the output."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(T, B, layer.input_size)).astype(layer.dtype)
    return x, rng.normal(size=(T, B, layer.output_size)).astype(layer.dtype)

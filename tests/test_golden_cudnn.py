"""The checksums that NVIDIA publishes with cuDNN's RNN sample: two stacked layers, every weight the same.

T = 20, B = 64, H = I = 512, every weight 1/512^2, every bias of both sets 1, and 1 for every number of x, hx, dy and
dhy. The checksums are sums over whole arrays: y, hy of both layers, dx, and dw over all matrices and biases of both
layers. They were printed with 7 digits by a float32 program. As all units are equal, one number per layer and step is
enough to work them out in float64; that says which of the printed digits are cuDNN's own rounding.
"""

import math

import numpy as np
import pytest

from rnnbench import Recurrent

T, B, H = 20, 64, 512
PUBLISHED = {
    "relu": {"y": 1.315793e6, "hy": 1.315212e5, "dx": 66.76003, "dw": 1.453750e9},
    "tanh": {"y": 6.319591e5, "hy": 6.319605e4, "dx": 4.501830, "dw": 5.012598e7},
}
# Relative distances; half a unit of a 7th digit is 0.5e-7 to 5e-7. Where float64 is further away, what was printed is:
# float64 is exact here, as a test below shows. Where float32 is, it is the order of adding: another test shows that.
DISTANCES = {
    ("relu", "float64"): {"y": 2e-7, "hy": 5e-7, "dx": 2e-7, "dw": 9e-6},
    ("tanh", "float64"): {"y": 1e-7, "hy": 1e-7, "dx": 6e-6, "dw": 2e-6},
    ("relu", "float32"): {"y": 1.4e-5, "hy": 1e-5, "dx": 2e-7, "dw": 2e-6},
    ("tanh", "float32"): {"y": 8e-6, "hy": 6e-6, "dx": 1.1e-4, "dw": 1.9e-4},
}


def checksums(activation, dtype):
    """Run the two layers on the CPU engine."""
    layers = [Recurrent("elman", H, H, dtype=dtype, bias="torch", activation=activation) for _ in range(2)]
    for layer in layers:
        for key, value in layer.params.items():
            value[...] = 1 / H**2 if key.startswith("weight") else 1
    ones, state = np.ones((T, B, H), dtype), {"h": np.ones((B, H), dtype)}
    y, hy = ones, []
    for layer in layers:
        y, final = layer.forward(y, state)
        hy.append(final["h"])
    dx = ones
    for layer in reversed(layers):
        dx, _ = layer.backward(dx, state)

    def total(arrays):
        return sum(float(np.sum(a, dtype=np.float64)) for a in arrays)

    grads = [grad for layer in layers for grad in layer.grads.values()]
    assert len(grads) == 8, "two matrices and two biases of each layer"
    return {"y": total([y]), "hy": total(hy), "dx": total([dx]), "dw": total(grads)}


def exact(activation):
    """The same sums in float64 from one unit of each layer."""
    phi, d_phi = {"relu": (lambda a: max(a, 0.0), lambda h: float(h > 0)), "tanh": (math.tanh, lambda h: 1 - h * h)}[
        activation
    ]
    inputs, layers = [1.0] * T, []
    for _ in range(2):
        h = [1.0]
        for x in inputs:
            h.append(phi(x / H + h[-1] / H + 2))
        layers.append((inputs, h))
        inputs = h[1:]
    d, of_weights = [1.0] * T, []
    for x, h in reversed(layers):
        da, from_later = [0.0] * T, 1.0
        for t in reversed(range(T)):
            da[t] = (d[t] + from_later) * d_phi(h[t + 1])
            from_later = da[t] / H
        of_weights += [H * H * B * da[t] * (x[t] + h[t]) for t in range(T)] + [2 * H * B * v for v in da]
        d = [v / H for v in da]
    return {
        "y": B * H * math.fsum(inputs),
        "hy": B * H * math.fsum(h[-1] for _, h in layers),
        "dx": B * H * math.fsum(d),
        "dw": math.fsum(of_weights),
    }


@pytest.mark.parametrize("activation", PUBLISHED)
def test_float64_gives_the_exact_sums(activation):
    assert checksums(activation, "float64") == pytest.approx(exact(activation), rel=1e-12)


@pytest.mark.parametrize("activation, dtype", DISTANCES)
def test_the_published_checksums(activation, dtype):
    got = checksums(activation, dtype)
    for name, printed in PUBLISHED[activation].items():
        allowed = DISTANCES[activation, dtype][name]
        assert got[name] == pytest.approx(printed, rel=allowed), f"{name}: {got[name]!r}, printed {printed!r}"


def summed_in_float32(bias_first):
    """y and hy with relu when every addition is rounded to float32, products one by one."""
    inputs, last = [1.0] * T, []
    for _ in range(2):
        h, outputs = 1.0, []
        for x in inputs:
            a = 2.0 if bias_first else 0.0
            for value in [x] * H + [h] * H:
                a = float(np.float32(a + value / H**2))  # a power of two: the product is exact
            h = a if bias_first else float(np.float32(a + 2))
            outputs.append(h)
        inputs = outputs
        last.append(h)
    return {"y": B * H * math.fsum(inputs), "hy": B * H * math.fsum(last)}


def test_float32_differs_by_the_order_of_adding():
    """The engine starts at the bias, which is large here, so 512 equal additions all round the same way."""
    got = checksums("relu", "float32")
    assert {name: got[name] for name in ("y", "hy")} == summed_in_float32(bias_first=True)
    other = summed_in_float32(bias_first=False)
    for name in other:
        assert other[name] == pytest.approx(PUBLISHED["relu"][name], rel=4e-7)

"""Optimisers, clipping and schedules, step by step against plain loops, and against PyTorch where it is installed."""

import math

import numpy as np
import pytest

from rnnbench.training import clipping, optimisers, schedules
from rnnbench.training.optimisers import SGD, Adagrad, Adam, AdamW, Momentum, RMSProp

R, P, STEPS = 3, 23, 12


def naive_sgd(p, g, s, n, rate):
    return p - rate * g


def naive_momentum(p, g, s, n, rate):
    s["v"] = 0.9 * s.get("v", 0) + g
    return p - rate * s["v"]


def naive_nesterov(p, g, s, n, rate):
    s["v"] = 0.9 * s.get("v", 0) + g
    return p - rate * (g + 0.9 * s["v"])


def naive_adagrad(p, g, s, n, rate):
    s["s"] = s.get("s", 0) + g * g
    return p - rate * g / (math.sqrt(s["s"]) + 1e-10)


def naive_rmsprop(p, g, s, n, rate):
    s["s"] = 0.99 * s.get("s", 0) + 0.01 * g * g
    return p - rate * g / (math.sqrt(s["s"]) + 1e-8)


def naive_urnn(p, g, s, n, rate):
    s["s"] = 0.9 * s.get("s", 1e-3) + 0.1 * g * g
    return p - rate * g / math.sqrt(s["s"])


def naive_adam(p, g, s, n, rate):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["s"] = 0.999 * s.get("s", 0) + 0.001 * g * g
    return p - rate * (s["m"] / (1 - 0.9**n)) / (math.sqrt(s["s"] / (1 - 0.999**n)) + 1e-8)


def naive_adamw(p, g, s, n, rate):
    return naive_adam(p - rate * 0.1 * p, g, s, n, rate)


MADE = {
    "sgd": (SGD, naive_sgd, "SGD", {}),
    "momentum": (Momentum, naive_momentum, "SGD", {"momentum": 0.9}),
    "nesterov": (
        lambda rate: Momentum(rate, nesterov=True),
        naive_nesterov,
        "SGD",
        {"momentum": 0.9, "nesterov": True},
    ),
    "adagrad": (Adagrad, naive_adagrad, "Adagrad", {}),
    "rmsprop": (RMSProp, naive_rmsprop, "RMSprop", {}),
    "urnn": (RMSProp.urnn, naive_urnn, None, {}),
    "adam": (Adam, naive_adam, "Adam", {}),
    "adamw": (lambda rate: AdamW(rate, weight_decay=0.1), naive_adamw, "AdamW", {"weight_decay": 0.1}),
}


def draw(dtype="float64"):
    rng = np.random.default_rng(0)
    return rng.normal(size=(R, P)).astype(dtype), rng.normal(size=(STEPS, R, P)).astype(dtype)


def test_every_optimiser_is_tested():
    made = {type(make(0.1)) for make, *_ in MADE.values()}
    assert made == {type(optimisers.get(name)) for name in optimisers.names()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MADE)
def test_steps_are_those_of_a_plain_loop(name, dtype):
    make, naive, *_ = MADE[name]
    values, grads = draw(dtype)
    expected, rates = values.astype(float).tolist(), [0.1, 0.02, 0.003]
    states = [[{} for _ in range(P)] for _ in range(R)]
    optimiser = make(rates)
    optimiser.start(values)
    factor = schedules.Exponential(0.9)
    for n, g in enumerate(grads):
        optimiser.update(values, g, factor(n))
        for r in range(R):
            for i in range(P):
                expected[r][i] = naive(expected[r][i], float(g[r, i]), states[r][i], n + 1, rates[r] * 0.9**n)
    precision = {"float32": 2e-6, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(values, expected, rtol=precision, atol=precision)
    assert values.dtype == dtype


@pytest.mark.parametrize("name", MADE)
def test_a_replica_is_updated_as_it_is_alone_and_a_frozen_one_not_at_all(name):
    make, rates = MADE[name][0], [0.1, 0.02, 0.003]
    values, grads = draw("float32")
    start, active = values.copy(), np.array([True, False, True])
    together = make(rates)
    together.start(values)
    for g in grads:
        together.update(values, g, active=active)
    for r in (0, 2):
        own = start[[r]]
        alone = make(rates[r])
        alone.start(own)
        for g in grads:
            alone.update(own, g[[r]])
        np.testing.assert_array_equal(values[r], own[0])
    np.testing.assert_array_equal(values[1], start[1])
    assert all((state[1] == state[1, 0]).all() for state in together.state.values())


def test_what_never_had_a_gradient_stays_where_it_is():
    for make, *_ in MADE.values():
        values = np.ones((1, 5), np.float32)
        optimiser = make(0.1)
        optimiser.start(values)
        for _ in range(2000 if isinstance(optimiser, RMSProp) else 3):
            optimiser.update(values, np.zeros_like(values))
        assert (values == 1).all() or isinstance(optimiser, AdamW)


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name, (*_, theirs, _) in MADE.items() if theirs])
def test_steps_are_pytorchs(name, dtype):
    torch = pytest.importorskip("torch", reason="make test-peers installs it")
    make, _, theirs, options = MADE[name]
    values, grads = draw(dtype)
    tensor = torch.nn.Parameter(torch.from_numpy(values.copy()))
    peer = getattr(torch.optim, theirs)([tensor], lr=0.02, **options)
    optimiser = make(0.02)
    optimiser.start(values)
    precision = {"float32": 2e-6, "float64": 1e-13}[dtype]
    for g in grads:
        optimiser.update(values, g)
        tensor.grad = torch.from_numpy(g.copy())
        peer.step()
        np.testing.assert_allclose(values, tensor.detach().numpy(), rtol=precision, atol=precision)


@pytest.mark.peers
def test_clipping_by_norm_is_pytorchs():
    torch = pytest.importorskip("torch", reason="make test-peers installs it")
    _, grads = draw()
    for r, threshold in enumerate((0.5, 3.0, 1e3)):
        ours, theirs = grads[0, [r]].copy(), torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
        theirs.grad = torch.from_numpy(grads[0, r].copy())
        norm = torch.nn.utils.clip_grad_norm_([theirs], threshold).item()
        assert clipping.norms(ours)[0] == pytest.approx(norm, rel=1e-14)
        clipping.Clip("norm", threshold)(ours, clipping.norms(ours))
        np.testing.assert_allclose(ours[0], theirs.grad.numpy(), rtol=1e-5)  # it adds 1e-6 to the norm


@pytest.mark.parametrize("size", [1, 15, 16, 17, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms(size, dtype):
    grads = np.random.default_rng(0).normal(size=(3, size)).astype(dtype)
    found = clipping.norms(grads)
    np.testing.assert_allclose(found, np.linalg.norm(grads.astype(float), axis=1), rtol=1e-14)
    assert [clipping.norms(grads[[r]])[0] for r in range(3)] == found.tolist()
    grads[1, -1], grads[2, 0] = np.inf, np.nan
    assert np.isfinite(clipping.norms(grads)).tolist() == [True, False, False]
    assert clipping.norms(np.full((1, size), 1e30, np.float32))[0] == pytest.approx(1e30 * math.sqrt(size), rel=1e-6)


def clipped(kind, threshold, *norms):
    grads = np.array([[0.6 * norm, -0.8 * norm] for norm in norms])
    clipping.Clip(kind, threshold)(grads, clipping.norms(grads))
    return grads


def test_clipping_by_norm_bounds_the_norm():
    grads = clipped("norm", 2.0, 1.0, 2.0, 3.0, 1e6)
    np.testing.assert_allclose(np.linalg.norm(grads, axis=1), [1, 2, 2, 2])
    np.testing.assert_allclose(grads[:, 0] / grads[:, 1], -0.75)


def test_clipping_by_value():
    np.testing.assert_allclose(clipped("value", 1.0, 1.0, 10.0), [[0.6, -0.8], [1, -1]])


def test_the_lectures_snippet_makes_long_gradients_short():
    found = np.linalg.norm(clipped("squared", 5.0, 2.2, 2.3, 5.0, 100.0), axis=1)
    np.testing.assert_allclose(found, [2.2, 5 / 2.3, 1.0, 0.05])
    for norm, made in zip((2.2, 2.3, 5.0, 100.0), found, strict=True):  # the slide's own lines
        grad, threshold = np.array([0.6 * norm, -0.8 * norm]), 5.0
        grad_norm = np.sum(grad * grad)
        if grad_norm > threshold:
            grad *= threshold / grad_norm
        assert np.linalg.norm(grad) == pytest.approx(made)


def test_schedules():
    assert [schedules.Constant()(n) for n in (0, 99)] == [1, 1]
    assert [schedules.Step(10, 0.5)(n) for n in (0, 9, 10, 25)] == [1, 1, 0.5, 0.25]
    assert [schedules.Exponential(0.5)(n) for n in (0, 1, 3)] == [1, 0.5, 0.125]
    cosine = schedules.Cosine(100, 0.2)
    assert [cosine(n) for n in (0, 50, 100, 999)] == pytest.approx([1, 0.6, 0.2, 0.2])
    warm = schedules.WarmUp(4, schedules.Step(2, 0.1))
    assert [warm(n) for n in range(8)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SGD(-1), "rate: got -1, expected a number >= 0"),
        (lambda: SGD("fast"), "rate: got 'fast'"),
        (lambda: SGD([]), "rate"),
        (lambda: SGD(float("nan")), "rate: got nan"),
        (lambda: Momentum(momentum=1.0), "momentum: got 1.0"),
        (lambda: Momentum(nesterov=1), "nesterov: got 1"),
        (lambda: Adam(beta1=-0.1), "beta1"),
        (lambda: Adam(eps=0), "eps: got 0, expected a number > 0"),
        (lambda: RMSProp(first=-1), "first"),
        (lambda: AdamW(weight_decay=2), "weight_decay"),
        (lambda: SGD([0.1, 0.2]).start(np.zeros((3, 1))), "got 2 learning rates, expected one, or one for each of 3"),
        (lambda: optimisers.get("adan"), "optimiser: got 'adan', expected one of adagrad, adam"),
        (lambda: optimisers.get("sgd", momentum=0.9), r"optimiser 'sgd': got options \['momentum'\]"),
        (lambda: clipping.Clip("global", 1.0), "clip: got 'global'"),
        (lambda: clipping.Clip("norm", 0), "clip threshold: got 0"),
        (lambda: schedules.Step(0), "every: got 0"),
        (lambda: schedules.Exponential(-1), "factor: got -1"),
        (lambda: schedules.Cosine(10, float("nan")), "last: got nan"),
        (lambda: schedules.WarmUp(0), "steps: got 0"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()

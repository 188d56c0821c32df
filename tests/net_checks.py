"""What every layer is held to: gradients against central differences, replicas against the same layer alone.

Inputs, states and gradients may be nested in dicts and pairs; symbols and other integers have no gradient.
"""

import numpy as np

REAL_STEP = 1e-5
TOLERANCE = 1e-7
PLACES, DIRECTIONS = 12, 2  # of an array that has more places: so many of them, and all of them at once


def arrays(value, path=""):
    """{path: float array} of something nested."""
    if isinstance(value, np.ndarray):
        return {path: value} if value.dtype.kind == "f" else {}
    members = value.items() if isinstance(value, dict) else enumerate(value or ())
    return {k: v for key, member in members for k, v in arrays(member, f"{path}.{key}").items()}


def draw_like(value, rng):
    """The same nest with random float arrays, without what has no gradient."""
    if isinstance(value, dict):
        found = {key: draw_like(member, rng) for key, member in value.items()}
        return {key: member for key, member in found.items() if member is not None}
    if value.dtype.kind != "f":
        return None
    return rng.normal(size=value.shape).astype(value.dtype)


def pick(value, replica):
    """One replica's share of something nested."""
    if isinstance(value, np.ndarray):
        return value[replica]
    if isinstance(value, dict):
        return {key: pick(member, replica) for key, member in value.items()}
    return value if value is None else tuple(pick(member, replica) for member in value)


def randomise(layer, seed=0, scale=0.6):
    """Draw all parameters, those that start at 0 too."""
    rng = np.random.default_rng(seed)
    for value in layer.parameters().values():
        value[...] = rng.normal(size=value.shape, scale=scale)
    return layer


def gradient_errors(layer, x, state=None, constant=(), **options):
    """{array: largest error of its gradient, relative to its largest number}: parameters, inputs, initial states."""
    rng = np.random.default_rng(7)
    y, final = layer.forward(x, state, **options)
    dy, dfinal = rng.normal(size=y.shape), draw_like(final, rng)
    layer.zero_grad()
    dx, dinitial = layer.backward(dy, dfinal)

    def objective():
        y, final = layer.forward(x, state, tape=False, **options)
        weights = arrays(dfinal)
        return float((y * dy).sum() + sum((v * weights[k]).sum() for k, v in arrays(final).items()))

    got = {f"d {k}": v for k, v in layer.gradients().items()}
    got |= {f"dx{k}": v for k, v in arrays(dx).items()} | {f"dstate{k}": v for k, v in arrays(dinitial).items()}
    values = {f"d {k}": v for k, v in layer.parameters().items()}
    values |= {f"dx{k}": v for k, v in arrays(x).items()} | {f"dstate{k}": v for k, v in arrays(state).items()}
    assert values.keys() - got.keys() <= set(constant), values.keys() - got.keys()
    return {key: _error(objective, values[key], got[key]) for key in values.keys() - set(constant)}


def _error(objective, value, got):
    rng = np.random.default_rng(11)
    if value.size <= PLACES:
        ways = [_one(value, place) for place in range(value.size)]
    else:  # a wrong number anywhere changes the slope in a direction that goes along every place
        ways = [_one(value, place) for place in rng.choice(value.size, PLACES, replace=False)]
        ways += [rng.choice((-1.0, 1.0), value.shape) for _ in range(DIRECTIONS)]
    expected = np.array([_slope(objective, value, way) for way in ways])
    found = np.array([(got * way).sum() for way in ways])
    scale = np.abs(expected[: min(value.size, PLACES)]).max(initial=1e-2)
    return float(np.abs(found - expected).max(initial=0) / scale)


def _one(value, place):
    way = np.zeros(value.shape)
    way.flat[place] = 1
    return way


def _slope(objective, value, way):
    before, step = value.copy(), REAL_STEP / np.sqrt(np.count_nonzero(way))
    value += step * way
    above = objective()
    value[...] = before - step * way
    below = objective()
    value[...] = before
    return (above - below) / (2 * step)


def check_gradients(layer, x, state=None, constant=(), **options):
    """Every gradient of a float64 layer against central differences, but for inputs that are `constant` ("dx.1")."""
    errors = gradient_errors(layer, x, state, constant, **options)
    wrong = {key: error for key, error in errors.items() if not error < TOLERANCE}
    assert not wrong, wrong


def check_replicas(make, x, seeds=(3, 1, 4), **options):
    """Three replicas at once against each alone, to the bit; `x` has the leading replica axis."""
    together = make(list(seeds))
    of_all = _run(together, x, None, **options)
    for r, seed in enumerate(seeds):
        alone = _run(make(seed), pick(x, r), r, **options)
        assert alone.keys() == of_all.keys()
        for key, value in alone.items():
            np.testing.assert_array_equal(of_all[key][r], value, err_msg=f"{key} of replica {r}")


def _run(layer, x, replica, **options):
    y, final = layer.forward(x, **options)
    rng = np.random.default_rng(5)
    shares = 3 if replica is not None else None

    def draw(value):
        if shares is None:
            return rng.normal(size=value.shape).astype(value.dtype)
        return rng.normal(size=(shares, *value.shape)).astype(value.dtype)[replica]

    dy = draw(y)
    dfinal = {key: _map(value, draw) for key, value in final.items()}
    dx, dinitial = layer.backward(dy, _without_none(dfinal))
    found = {"y": y} | {f"final{k}": v for k, v in arrays(final).items()} | {f"dx{k}": v for k, v in arrays(dx).items()}
    return found | {f"dstate{k}": v for k, v in arrays(dinitial).items()} | layer.gradients()


def _map(value, draw):
    if isinstance(value, dict):
        return {key: _map(member, draw) for key, member in value.items()}
    return draw(value) if value.dtype.kind == "f" else None


def _without_none(value):
    if not isinstance(value, dict):
        return value
    return {key: _without_none(member) for key, member in value.items() if member is not None}

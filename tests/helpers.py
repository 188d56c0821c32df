"""Random problems for any cell: what the tests run, and the cells and options they run it on."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from unittest import mock

import naive
import numpy as np
import pytest

from rnnbench import cells, ops
from rnnbench.contract import Cell
from rnnbench.kernels import crew, reference, threads
from rnnbench.layers.initialise import unit_values
from rnnbench.layout import Layout

# Option values worth a test, by option name; activations and booleans need no line here.
VARIANTS = {
    "alpha": [0.0, 0.25, 1.0],
    "beta": [0, 2.5],
    "context_size": [1, 3],
    "delay": [3, 5],
    "depth": [3, 4],
    "dt": [0.25, 2.0],
    "eps": [0.5, 1.0],
    "forget": ["exp"],
    "gamma": [0.0, 0.25],
    "output_size": [1, 3],
    "periods": [(1,), (2, 3)],
    "reflections": [0.5, 1.0],
}
# What no step makes smaller, and a random state near 0 would blow up: a divisor.
AT_LEAST = {("slstm", "n"): 1.0}

DEVICES = ["reference", "cpu"]


@contextmanager
def taken():
    """The helpers of this process are at work for another caller."""
    busy = threads._crew.job[crew.BUSY // 8 :]
    busy[0] = 1
    try:
        yield
    finally:
        busy[0] = 0


@dataclass(frozen=True)
class Case:
    """A cell with options."""

    cell: str
    options: tuple[tuple[str, object], ...] = ()

    def __str__(self):
        return "-".join([self.cell, *(f"{key}={value}" for key, value in self.options)])

    def build(self) -> Cell:
        """Make the cell."""
        return cells.get(self.cell, **dict(self.options))

    @property
    def is_activation(self):
        """Whether an activation function is all that differs from the cell's defaults."""
        return any(key.endswith("activation") for key, _ in self.options)


def variants(option, default):
    """Return the values of an option that are worth a test, the default not among them."""
    if option.endswith("activation"):
        values = list(ops.ACTIVATIONS)
    elif isinstance(default, bool):
        values = [True, False]
    elif option in VARIANTS:
        values = VARIANTS[option]
    else:
        raise LookupError(f"option {option!r}: give values to test in VARIANTS of tests/helpers.py")
    return [value for value in values if value != default]


def discover():
    """Return one case per cell with its defaults, and one more for each other value of each option."""
    cases = []
    for name in cells.names():
        cases.append(Case(name))
        for option, default in cells.option_defaults(name).items():
            cases += [Case(name, ((option, value),)) for value in variants(option, default)]
    return cases


def as_params(cases):
    """Make pytest parameters of cases; those of one cell share a worker, so that it is compiled once."""
    return [pytest.param(c, id=str(c), marks=pytest.mark.xdist_group(f"cell-{c.cell}")) for c in cases]


CASES = discover()
# Each cell has its own file, but an activation is an argument: the engines meet all of them in elman.
ENGINE_CASES = [c for c in CASES if not c.is_activation or c.cell == "elman" or "relu" in dict(c.options).values()]


@dataclass
class Problem:
    """One call of a driver and of its backward pass. Arrays have the leading replica axis."""

    layout: Layout
    raw: dict
    x: np.ndarray
    state: dict
    active: np.ndarray
    dy: np.ndarray
    dstate: dict
    feed: dict = field(default_factory=dict)
    truncate: int | None = None

    @property
    def weights(self):
        """What a driver takes: the parameters, through the cell's weight map where it has one."""
        weight_map = self.layout.cell.weights
        if weight_map is None:
            return self.raw
        mapped = [dict(weight_map.forward(self.matrices(r))) for r in range(len(self.x))]
        return self.raw | {key: np.stack([m[key] for m in mapped]) for key in mapped[0]}

    def matrices(self, replica):
        """The weight matrices of one replica, before any map."""
        return {key: self.raw[key][replica] for key in self.layout.weight_shapes}

    def unmapped(self, grads):
        """Gradients by the parameters from those by the weights used."""
        weight_map = self.layout.cell.weights
        if weight_map is None:
            return grads
        of = [{key: grads[key][r] for key in self.layout.weight_shapes} for r in range(len(self.x))]
        back = [dict(weight_map.backward(self.matrices(r), g)) for r, g in enumerate(of)]
        return grads | {key: np.stack([b[key] for b in back]) for key in back[0]}

    def run(self, driver, keep=True):
        """Forward pass: y, final state, tape."""
        return driver.forward(self.layout, self.weights, self.x, self.state, self.active, self.feed, keep)

    def both(self, driver):
        """Forward and backward pass: {name: array} of every result."""
        y, final, tape = self.run(driver)
        dx, dstate, grads = driver.backward(tape, self.dy, self.dstate, self.truncate)
        grads = self.unmapped(grads)
        named = {"y": y, "dx": dx} | {f"final {k}": v for k, v in final.items()}
        return named | {f"d state {k}": v for k, v in dstate.items()} | {f"d {k}": v for k, v in grads.items()}

    def arrays(self):
        """{name: array} of all that a gradient is taken by, named as in `both` (their gradients start with d)."""
        return {"x": self.x} | {f"state {k}": v for k, v in self.state.items()} | self.raw

    def with_array(self, name, value):
        """A copy of the problem with one of `arrays` replaced."""
        if name == "x":
            return replace(self, x=value)
        if name.startswith("state "):
            return replace(self, state=self.state | {name.removeprefix("state "): value})
        return replace(self, raw=self.raw | {name: value})

    def select(self, replicas=slice(None), rows=slice(None)):
        """Some of the replicas, and some of the batch rows (`rows` must keep their order)."""

        def both(values, axis):
            at = [replicas] + [slice(None)] * (axis - 1) + [rows]
            return np.ascontiguousarray(values[tuple(at)])

        lengths = reference.row_lengths(self.active, self.x.shape[2])[rows]
        return replace(
            self,
            raw={key: np.ascontiguousarray(value[replicas]) for key, value in self.raw.items()},
            x=both(self.x, 2),
            state={key: both(value, 2) for key, value in self.state.items()},
            active=(lengths > np.arange(len(self.active))[:, None]).sum(axis=1),
            dy=both(self.dy, 2),
            dstate={key: both(value, 2) for key, value in self.dstate.items()},
            feed={key: (both(v, 2), np.ascontiguousarray(m[:, rows])) for key, (v, m) in self.feed.items()},
        )


def possible(cell, state, value):
    """Return random values of a state such that the cell itself could have made them."""
    least = AT_LEAST.get((cell.name, state))
    return value if least is None else (least + np.abs(value)).astype(value.dtype)


def problem(cell, seed=0, *, T=4, B=3, I=3, H=4, R=1, dtype=np.float64, lengths=None, feed=False, bias=True,
            truncate=None):  # fmt: skip
    """Make a random problem for a cell; rows are sorted by `lengths` (longest first), as drivers want them."""
    rng = np.random.default_rng(seed)
    layout = Layout(cell, I, H)

    def normal(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(dtype)

    raw = {}
    for key, (rows, columns) in layout.weight_shapes.items():
        raw[key] = normal(R, rows, columns, scale=1.2 / np.sqrt(max(columns, 1)))
    if bias and layout.bias_size:
        raw["bias"] = normal(R, layout.bias_size, scale=0.5)
    for unit in cell.parameters:
        shape = (R, layout.parameter_widths[unit.name])
        values = rng.uniform(0.1, 0.9, shape) if unit.trained else np.broadcast_to(unit_values(unit, shape[1]), shape)
        raw[unit.name] = values.astype(dtype)

    state, dstate = {}, {}
    for name in layout.states:
        shape, vector = (R, layout.lags[name], B, layout.widths[name]), cell.vector(name)
        state[name] = normal(*shape, scale=0.7) if vector.differentiable else np.full(shape, vector.initial, dtype)
        state[name] = possible(cell, name, state[name])
        dstate[name] = normal(*shape)
    lengths = np.sort(np.full(B, T) if lengths is None else np.asarray(lengths, int))[::-1]
    feeds = {}
    if feed:
        name = layout.states[int(rng.integers(len(layout.states)))]
        feeds[name] = possible(cell, name, normal(R, T, B, layout.widths[name])), rng.random((T, B)) < 0.4
    width = layout.widths[cell.output]
    return Problem(
        layout, raw, normal(R, T, B, I), state, (lengths > np.arange(T)[:, None]).sum(axis=1),
        normal(R, T, B, width), dstate, feeds, truncate,
    )  # fmt: skip


@contextmanager
def watch_kinks(cell, ties):
    """Yield a list that collects how far apart the two sides of every comparison were (kinks lie at 0).

    Equal sides count only with `ties`: a unit that is exactly 0 is so in every precision.
    """
    distances = []
    plain = ops.less

    def less(x, y):
        gaps = np.abs(np.real(x) - np.real(y))
        gaps = gaps[(gaps >= 0) if ties else (gaps > 0)]
        distances.append(gaps.min(initial=np.inf))
        return plain(x, y)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(ops, "less", less))
        for stage in cell.stages:
            for function in (stage.forward, stage.backward):
                if function.__globals__.get("less") is plain:  # imported by name
                    stack.enter_context(mock.patch.dict(function.__globals__, {"less": less}))
        yield distances


def away_from_kinks(cell, make, distance, ties=True):
    """Return the first of ``make(seed)`` whose comparisons all have a margin of `distance`."""
    if cell.smooth:
        return make(0)
    for seed in range(200):
        found = make(seed)
        with watch_kinks(cell, ties) as distances:
            found.run(reference, keep=False)
        if min(distances, default=np.inf) >= distance:
            return found
    raise AssertionError(f"no problem of {cell.name} keeps {distance} from its kinks")


def randomise(layer, seed=0):
    """Fill a layer's trained parameters, biases included, with random numbers."""
    rng = np.random.default_rng(seed)
    fixed = {p.name for p in layer.cell.parameters if not p.trained}
    unit = {p.name for p in layer.cell.parameters}
    for key, value in layer.params.items():
        if key not in fixed:
            value[...] = rng.uniform(0.1, 0.9, value.shape) if key in unit else rng.uniform(-0.8, 0.8, value.shape)
    return layer


def random_state(layer, rows, seed=1):
    """Return a state dict as users give it."""
    rng = np.random.default_rng(seed)
    layout, state = layer.layout, {}
    for name in layout.states:
        lag, vector = layout.lags[name], layout.cell.vector(name)
        shape = (rows, layout.widths[name]) if lag == 1 else (lag, rows, layout.widths[name])
        value = rng.uniform(-0.8, 0.8, shape) if vector.differentiable else np.full(shape, vector.initial)
        state[name] = possible(layout.cell, name, value.astype(layer.dtype))
    return state


def run_naive(layer, x, state, **options):
    """Run the textbook loop of a layer's cell with the layer's parameters: outputs and final states."""
    biases = {gate: layer.gate_bias(gate).copy() for gate in layer.layout.bias_rows}
    weights = {pair: block.copy() for pair, block in layer.blocks.items()}
    parameters = {p.name: layer.params[p.name].copy() for p in layer.cell.parameters}
    copies = {key: value.copy() for key, value in state.items()}
    return naive.find(layer.cell.name)(x.copy(), weights, biases, parameters, copies, **options)


def assert_close(got, expected, tolerance, what=""):
    """Refuse a difference of more than `tolerance` times the largest expected number (or times 1, if smaller)."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    if expected.size:
        error = np.max(np.abs(got - expected))
        scale = max(float(np.max(np.abs(expected))), 1.0)
        assert error <= tolerance * scale, f"{what}: off by {error:.3g}, at magnitude {scale:.3g}"


def assert_same_bits(got, expected, what=""):
    """Refuse any difference, of shape, dtype or a single bit."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    assert got.dtype == expected.dtype, f"{what}: dtype {got.dtype}, expected {expected.dtype}"
    same = np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(expected).tobytes()
    assert same, f"{what}: bits differ, by at most {np.max(np.abs(got - expected)):.3g}"

"""The contract refuses graphs that do not hold together, and says why; layouts have the sizes a hand would work out."""

import dataclasses

import numpy as np
import odd_cells
import pytest
from helpers import CASES, as_params

from rnnbench import Recurrent, cells
from rnnbench.contract import Cell, Gate, Stage, UnitParameter, Vector, choose, parse, probe
from rnnbench.layout import Layout

H, Z = Vector("h"), Vector("z")


def stage(makes=("h",), gates=1, reads=(), parameters=(), sources=("x", "h"), **wrong):
    """A stage whose functions return what is declared, unless told what to return instead."""
    if isinstance(gates, int):
        gates = tuple(Gate(f"g{i}", sources) for i in range(gates))

    def forward(a, reads_, p):
        return wrong.get("made", tuple(np.zeros(1) for _ in makes)), wrong.get("saved", ())

    def backward(dmakes, reads_, made, saved, p):
        zeros = (np.zeros(1),)
        return (
            wrong.get("da", zeros * len(gates)),
            wrong.get("dreads", zeros * len(reads)),
            wrong.get("dp", zeros * len(parameters)),
        )

    return Stage(forward, backward, makes, gates, reads, parameters)


def build(*stages, vectors=(H,), output="h", parameters=(), name="mine"):
    return Cell(vectors=vectors, stages=stages, output=output, parameters=parameters, name=name)


def raising(error):
    def forward(a, reads, p):
        raise error

    return Stage(forward, forward, ("h",), (Gate("g", ("x",)),))


REFUSED = {
    "two vectors of one name": (lambda: build(stage(), vectors=(H, H)), "vectors: .*'h', 'h'.*distinct"),
    "a vector called x": (
        lambda: build(stage(("x",)), vectors=(Vector("x"),), output="x"),
        "vectors: .*other than 'x'",
    ),
    "no such output": (lambda: build(stage(), output="y"), r"output: got 'y', expected one of \['h'\]"),
    "two gates of one name": (lambda: build(stage(), stage(("z",)), vectors=(H, Z)), "gates: .*'g0', 'g0'.*distinct"),
    "a stage that makes nothing": (lambda: build(stage(), stage((), gates=0)), "stage 1: makes nothing"),
    "a source from nowhere": (
        lambda: build(stage(sources=("x", "q"))),
        r"stage 0: source 'q' is no vector, expected 'x' or one of \['h'\]",
    ),
    "a read from nowhere": (lambda: build(stage(reads=("q@2",))), "stage 0: source 'q@2' is no vector"),
    "read before it is made": (
        lambda: build(stage(sources=("h@0",))),
        "stage 0: source 'h@0' is not made by an earlier",
    ),
    "made by a later stage": (
        lambda: build(stage(reads=("z@0",)), stage(("z",), gates=0), vectors=(H, Z)),
        "stage 0: source 'z@0' is not made",
    ),
    "the input unit by unit": (lambda: build(stage(reads=("x",))), "stage 0: reads 'x' unit by unit.*expected a gate"),
    "a vector made twice": (
        lambda: build(stage(), stage(gates=0, reads=("h@0",))),
        "stage 1: makes 'h': expected a vector that no stage makes yet",
    ),
    "an undeclared vector made": (lambda: build(stage(("h", "q"))), "stage 0: makes 'q': expected a vector"),
    "mixed widths made": (
        lambda: build(stage(("h", "z")), vectors=(H, Vector("z", width=2))),
        "stage 0: .*widths .*'2', 'hidden_size'.*expected one",
    ),
    "mixed widths read": (
        lambda: build(stage(("z",), gates=0), stage(reads=("z@0",)), vectors=(H, Vector("z", width=2))),
        "stage 1: .*widths",
    ),
    "a parameter of another width": (
        lambda: build(stage(parameters=("p",)), parameters=(UnitParameter("p", width=3),)),
        "stage 0: .*widths",
    ),
    "an undeclared parameter": (
        lambda: build(stage(parameters=("p",))),
        r"stage 0: parameters \['p'\] are not declared, expected some of \[\]",
    ),
    "a vector nobody makes": (lambda: build(stage(), vectors=(H, Z)), r"vectors: no stage makes \['z'\]"),
    "too few made": (lambda: build(stage(made=())), "stage 0: forward makes: .*expected a tuple of 1"),
    "a bare array made": (lambda: build(stage(made=np.zeros(1))), "stage 0: forward makes: .*expected a tuple of 1"),
    "saved is no tuple": (lambda: build(stage(saved=np.zeros(1))), "stage 0: .*saved"),
    "too many da": (lambda: build(stage(da=(0.0, 0.0))), "stage 0: backward da: .*expected a tuple of 1"),
    "da as a list": (lambda: build(stage(da=[np.zeros(1)])), "stage 0: backward da: .*expected a tuple of 1"),
    "too few dreads": (
        lambda: build(stage(reads=("h",), dreads=())),
        "stage 0: backward dreads: .*expected a tuple of 1",
    ),
    "too many dp": (lambda: build(stage(dp=(0.0,))), "stage 0: backward dp: .*expected a tuple of 0"),
    "a name that does not exist": (lambda: build(raising(NameError("tanhh"))), "stage 0: tanhh"),
    "a tuple unpacked wrongly": (lambda: build(raising(ValueError("not enough"))), "stage 0: not enough"),
    "a tuple indexed beyond its end": (lambda: build(raising(IndexError("tuple index"))), "stage 0: tuple index"),
    "a bad lag": (lambda: build(stage(sources=("h@two",))), "stage 0: source 'h@two': expected NAME or NAME@STEPS"),
    "a lagged input": (lambda: build(stage(sources=("x@1",))), "stage 0: source 'x@1': the input is read at this step"),
    "one source twice in a gate": (lambda: build(stage(sources=("x", "h", "h"))), "stage 0: .*(twice|distinct)"),
    "two unit parameters of one name": (
        lambda: build(stage(parameters=("p",)), parameters=(UnitParameter("p"), UnitParameter("p"))),
        "parameters: .*distinct",
    ),
    "a unit parameter called bias": (
        lambda: build(stage(parameters=("bias",)), parameters=(UnitParameter("bias"),)),
        "parameters: .*bias",
    ),
    "a unit parameter called weight_hh": (
        lambda: build(stage(parameters=("weight_hh",)), parameters=(UnitParameter("weight_hh"),)),
        "parameters: .*weight_hh",
    ),
    "a width that is no size": (lambda: build(stage(), vectors=(Vector("h", width="wide"),)), "width"),
    "a width of 0": (lambda: build(stage(), vectors=(Vector("h", width=0),)), "width"),
    "a start that is no number": (lambda: build(stage(), vectors=(Vector("h", initial="learnt"),)), "initial"),
    "a start that is an array": (lambda: build(stage(), vectors=(Vector("h", initial=np.zeros(2)),)), "initial"),
    "a start that is not a number": (lambda: build(stage(), vectors=(Vector("h", initial=np.nan),)), "got nan"),
    # Its matrix would be that of h, or of x: read and written beyond its end where it is wider.
    "a vector called hh": (
        lambda: build(stage(), stage(("hh",), gates=0), vectors=(H, Vector("hh"))),
        "vectors: .*'hh'.*other than 'x', 'ih', 'hh'",
    ),
    "a vector called ih": (lambda: build(stage(("ih",)), vectors=(Vector("ih"),), output="ih"), "other than 'x', 'ih'"),
    "a name that is none": (lambda: build(stage(("h 2",)), vectors=(Vector("h 2"),), output="h 2"), "identifier"),
    "a unit parameter seen twice": (
        lambda: build(stage(parameters=("p", "p")), parameters=(UnitParameter("p"),)),
        r"stage 0: parameters: got \('p', 'p'\), expected distinct",
    ),
    "a unit parameter's start": (
        lambda: build(stage(parameters=("p",)), parameters=(UnitParameter("p", initial="one"),)),
        "parameter 'p': initial: got 'one', expected a number or a function",
    ),
    "sources that are two arguments": (
        lambda: build(stage(gates=(Gate("g", "x", "h"),))),
        "stage 0, gate 'g', sources: got 'x', expected a tuple of str; a tuple of one needs a comma",
    ),
    "a gate whose name is none": (
        lambda: build(stage(gates=(Gate(["g"], ("x", "h")),))),
        "gate: name: got .*identifier",
    ),
    "a vector that is differentiable by a word": (
        lambda: build(stage(), vectors=(Vector("h", differentiable="no"),)),
        "vector 'h', differentiable: got 'no', expected True or False",
    ),
    "a unit parameter that is trained by a word": (
        lambda: build(stage(parameters=("p",)), parameters=(UnitParameter("p", trained="no"),)),
        "parameter 'p', trained: got 'no', expected True or False",
    ),
    "smooth as a word": (
        lambda: Cell((H,), (stage(),), "h", smooth="no", name="mine"),
        "smooth: got 'no', expected True or False",
    ),
    "a bias that is no bool": (lambda: build(stage(gates=(Gate("g", ("x", "h"), 1),))), "gate 'g', bias: got 1"),
    "a gate without its comma": (
        lambda: build(Stage(tuple, None, ("h",), Gate("g", ("x",)))),
        "stage 0, gates: got Gate.*expected a tuple of Gate; a tuple of one",
    ),
    "a list of vectors": (lambda: build(stage(), vectors=[H]), "vectors: got .*expected a tuple of Vector$"),
    "names in place of vectors": (lambda: build(stage(), vectors=("h",)), "expected a tuple of Vector"),
    "a function in place of a weight map": (
        lambda: Cell((H,), (stage(),), "h", weights=dict, name="mine"),
        "weights: got .*expected a WeightMap",
    ),
    "no function": (lambda: build(Stage("tanh", None, ("h",))), "stage 0: forward: got 'tanh', expected a function"),
    "made alone": (
        lambda: build(Stage(lambda a, reads, p: a[0], lambda *_: None, ("h",), (Gate("g", ("x",)),))),
        r"stage 0: forward: got array.*expected the tuple \(makes, saved\)",
    ),
    "two of three gradients": (
        lambda: build(Stage(lambda a, reads, p: ((a[0],), ()), lambda *_: ((), ()), ("h",), (Gate("g", ("x",)),))),
        r"stage 0: backward: got .*expected the tuple \(da, dreads, dp\)",
    ),
    "a gradient that is None": (lambda: build(stage(da=(None,))), "stage 0: backward da: got .*None"),
    "a branch": (
        lambda: build(
            Stage(lambda a, reads, p: ((a[0] if a[0] > 0 else -a[0],), ()), tuple, ("h",), (Gate("g", ("x",)),))
        ),
        "stage 0: .*truth value",
    ),
}


@pytest.mark.parametrize("make, message", REFUSED.values(), ids=list(REFUSED))
def test_a_graph_that_does_not_hold_together_is_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "cell mine" in str(caught.value), "the message names the cell"


def test_a_cell_without_a_name_is_called_so():
    with pytest.raises(ValueError, match=r"cell \(unnamed\), output"):
        build(stage(), output="y", name="")


@pytest.mark.parametrize(
    "source, parsed",
    [("x", ("x", 0)), ("h", ("h", 1)), ("h@0", ("h", 0)), ("h@1", ("h", 1)), ("a_b@12", ("a_b", 12))],
)
def test_parse(source, parsed):
    assert parse(source) == parsed


@pytest.mark.parametrize("source", ["x@0", "x@1", "x@", "h@", "h@-1", "h@1.0", "h@two", "h@1@2", "h@ 1"])
def test_parse_refuses(source):
    with pytest.raises(ValueError, match=f"source '{source}'"):
        parse(source)


def test_choose_looks_up_or_says_what_was_expected():
    assert choose("colour", "red", {"red": 1, "blue": 2}) == 1
    for given in ("green", None, 3, ["red"], {}):
        with pytest.raises(ValueError, match=r"colour: got .*, expected one of 'red', 'blue'"):
            choose("colour", given, {"red": 1, "blue": 2})


def test_probe_counts_what_is_saved():
    assert probe(cells.get("lstm").stages[0]) == 5
    assert [probe(s) for s in cells.get("gru").stages] == [1, 1]


def test_a_cell_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        cells.get("lstm").output = "c"


def test_replacing_a_part_checks_again():
    with pytest.raises(ValueError, match="cell lstm, output"):
        dataclasses.replace(cells.get("lstm"), output="k")


SHAPES = {
    "clockwork": {"weight_ih": (7, 5), "weight_hh": (7, 7), "bias": (7,), "period": (7,)},
    "deep_transition-shortcut=True": {"weight_ih": (7, 5), "weight_hh": (14, 7), "weight_z1@0": (7, 7), "bias": (14,)},
    "delayed": {"weight_ih": (7, 5), "weight_h@2": (7, 7), "bias": (7,)},
    "dynamical": {"weight_s": (7, 7), "bias": (7,)},
    "elman": {"weight_ih": (7, 5), "weight_hh": (7, 7), "bias": (7,)},
    "gru": {"weight_ih": (21, 5), "weight_hh": (14, 7), "weight_rh@0": (7, 7), "bias": (21,)},
    "gru_reset_after": {"weight_ih": (21, 5), "weight_hh": (21, 7), "bias": (28,)},
    "identity": {"weight_ih": (7, 5), "bias": (7,)},
    "jordan": {"weight_ih": (7, 5), "weight_y": (7, 7), "weight_h@0": (7, 7), "bias": (14,)},
    "jordan-output_size=3": {"weight_ih": (7, 5), "weight_y": (7, 3), "weight_h@0": (3, 7), "bias": (10,)},
    "leaky": {"weight_ih": (7, 5), "weight_hh": (7, 7), "bias": (7,), "alpha": (7,)},
    "output_hidden-output_size=3": {
        "weight_ih": (7, 5),
        "weight_hh": (7, 7),
        "weight_y": (7, 3),
        "weight_h@0": (3, 7),
        "bias": (10,),
    },
    "lstm": {"weight_ih": (28, 5), "weight_hh": (28, 7), "bias": (28,)},
    "skip": {"weight_ih": (7, 5), "weight_hh": (7, 7), "weight_h@2": (7, 7), "bias": (7,)},
}


def by_name(name):
    (case,) = [c for c in CASES if str(c) == name]
    return case


@pytest.mark.parametrize("name", SHAPES)
def test_parameter_names_and_shapes(name):
    case = by_name(name)
    layer = Recurrent(case.cell, 5, 7, device="reference", **dict(case.options))
    assert {key: value.shape for key, value in layer.params.items()} == SHAPES[name]


@pytest.mark.parametrize("case", as_params(CASES))
def test_counts_agree_with_the_arrays(case):
    layer = Recurrent(case.cell, 5, 7, device="reference", **dict(case.options))
    layout, fixed = layer.layout, {p.name for p in layer.cell.parameters if not p.trained}
    arrays = {key: value.size for key, value in layer.params.items() if key not in fixed}
    trained = arrays | layout.free_weights
    assert trained == arrays or layer.cell.weights, "without a map every number of a matrix is free"
    assert layout.weight_count() == sum(trained.values())
    assert layout.weight_count(bias=False) == sum(n for key, n in trained.items() if key != "bias")
    assert layout.flops_per_step() == 2 * sum(n for key, n in arrays.items() if key.startswith("weight_"))
    rows = sorted((b.key, b.start, b.stop) for b in layout.blocks.values())
    for key, (height, _) in layout.weight_shapes.items():
        spans = [(start, stop) for k, start, stop in rows if k == key]
        assert [s for s, _ in spans] == [0, *[e for _, e in spans[:-1]]], "blocks lie end to end"
        assert spans[-1][1] == height


@pytest.mark.parametrize(
    "name, lags, states, saved, tape",
    [
        ("lstm", {"h": 1, "c": 1}, ("h", "c"), (5,), 7),
        ("gru", {"h": 1, "rh": 0, "z": 0}, ("h",), (1, 1), 6),
        ("jordan", {"h": 0, "y": 1}, ("y",), (0, 0), 4),
        ("output_hidden", {"h": 1, "y": 1}, ("h", "y"), (0, 0), 4),
        ("clockwork", {"h": 1, "clock": 1}, ("h", "clock"), (0,), 3),
        ("delayed", {"h": 2}, ("h",), (0,), 2),
        ("deep_transition", {"h": 1, "z1": 0}, ("h",), (0, 0), 4),
        ("dynamical", {"s": 1}, ("s",), (0,), 2),
        ("skip", {"h": 2}, ("h",), (0,), 2),
        ("leaky", {"h": 1}, ("h",), (1,), 2),
    ],
)
def test_lags_states_and_tape(name, lags, states, saved, tape):
    layout = Layout(cells.get(name), 3, 10)
    assert (layout.lags, layout.states, layout.saved) == (lags, states, saved)
    assert layout.tape_floats() == tape * 10


def test_torch_bias_rows_follow_the_sources():
    layout = Layout(cells.get("gru_reset_after"), 3, 4)
    assert layout.torch_bias_rows("x") == {"r": (0, 4), "z": (4, 8), "n_x": (8, 12)}
    assert layout.torch_bias_rows("h") == {"r": (0, 4), "z": (4, 8), "n_h": (8, 12)}
    assert layout.bias_rows == {"r": (0, 4), "z": (4, 8), "n_x": (8, 12), "n_h": (12, 16)}


@pytest.mark.parametrize("make", odd_cells.ALL, ids=lambda make: make.__name__)
def test_the_odd_cells_hold_together(make):
    layout = Layout(make(), 3, 4)
    assert layout.cell.name == make.__name__
    assert layout.weight_count(bias=False) + layout.bias_size == layout.weight_count()


def test_learned_states_and_missing_biases_are_counted():
    assert Layout(odd_cells.learned_start(), 3, 4).learned == ("h",)
    assert Layout(odd_cells.learned_start(), 3, 4).weight_count() == 12 + 16 + 16 + 4 + 4
    assert Layout(odd_cells.unbiased(), 3, 4).bias_rows == {"g": (0, 4)}
    assert Layout(odd_cells.no_bias_at_all(), 3, 4).bias_size == 0

"""Cells that torchrecurrent has too: the same outputs, states and gradients from the same numbers.

torchrecurrent writes no backward pass (PyTorch's autograd does), so its gradients are as independent as its equations.
The table says where each of our arrays lies in its parameters. Some twins are another cell of theirs with a gate held
open, two gates tied, or a state in other units.
"""

import re
from dataclasses import dataclass, field
from math import log
from pathlib import Path

import numpy as np
import pytest
from helpers import DEVICES, assert_close, random_state, randomise

from rnnbench import Recurrent, cells

torch = pytest.importorskip("torch", reason="torch is not installed: make test-peers installs it")
theirs = pytest.importorskip("torchrecurrent", reason="torchrecurrent is not installed: make test-peers installs it")
pytestmark = pytest.mark.peers

T, B, I, H = 7, 5, 4, 6
TOLERANCE = 1e-12
OPEN = 100.0  # a sigmoid of it is exactly 1


@dataclass(frozen=True)
class Twin:
    """How a cell of ours is written as one of theirs.

    `arrays` maps ours to theirs. A key is ``"gate source"`` (a weight block), ``"gate"`` (its bias) or a unit
    parameter; a value lists ``[factor*]parameter:k``, the k-th H rows of their parameter, which become factor times
    ours. `constants` are the rows that hold one number. `states` are ours, with a factor, in the order of theirs. `off`
    are our blocks that must be 0 for the two to agree, `because` says why.
    """

    name: str
    arrays: dict[str, str]
    constants: dict[str, float] = field(default_factory=dict)
    states: tuple[tuple[str, float], ...] = (("h", 1.0),)
    options: dict[str, object] = field(default_factory=dict)
    keywords: dict[str, object] = field(default_factory=dict)
    off: tuple[str, ...] = ()
    because: str = ""


def stacked(gates, order=None):
    """Gates that all see x and h and lie in this order in all four of their parameters; their two biases add up."""
    found = {}
    for gate in gates:
        k = (order or gates).index(gate)
        found |= {f"{gate} x": f"weight_ih:{k}", f"{gate} h": f"weight_hh:{k}", gate: halves(k, k)}
    return found


def halves(k, j, factor=0.5):
    """A bias that is the sum of their two."""
    return f"{factor}*bias_ih:{k} {factor}*bias_hh:{j}"


def held_open(k):
    """The constants that make their k-th gate 1."""
    return {f"weight_ih:{k}": 0.0, f"weight_hh:{k}": 0.0, f"bias_hh:{k}": 0.0, f"bias_ih:{k}": OPEN}


def peepholes(gates):
    return {f"peephole_{gate}": f"weight_ph:{'ifo'.index(gate)}" for gate in gates}


def without(k, at, gates):
    """Greff's vanilla LSTM with gate k (peephole `at`) held open, and the other gates that then remain."""
    arrays = stacked(gates, "ifgo") | peepholes(gates.replace("g", ""))
    return Twin("PeepholeLSTM", arrays, held_open(k) | {f"weight_ph:{at}": 0.0}, states=H_AND_C)


H_AND_C = (("h", 1.0), ("c", 1.0))
CANDIDATE = {"n x": "weight_ih:2", "n rh@0": "weight_hh:2", "n": halves(2, 2)}
TWINS = {
    "gru": Twin(  # MUT2's z is 1 - z
        "MUT2",
        {"r x": "weight_ih:1", "r h": "weight_hh:1", "r": halves(1, 1)}
        | {"z x": "-1*weight_ih:0", "z h": "-1*weight_hh:0", "z": halves(0, 0, -0.5)}
        | CANDIDATE,
    ),
    "mgu": Twin(
        "MGU",
        {"f x": "weight_ih:0", "f h": "weight_hh:0", "f": halves(0, 0)}
        | {"n x": "weight_ih:1", "n fh@0": "weight_hh:1", "n": halves(1, 1)},
    ),
    "mut1": Twin(  # its projection has a bias of its own
        "MUT1",
        {"z x": "weight_ih:0", "z": "bias_ih:0", "r x": "weight_ih:1", "r h": "weight_hh:0", "r": halves(1, 0)}
        | {"n rh@0": "weight_hh:1", "n": "bias_hh:1", "v x": "weight_ih:2"},
        constants={"bias_ih:2": 0.0},
    ),
    "mut2": Twin("MUT2", stacked("zr") | CANDIDATE),
    "mut3": Twin(
        "MUT3",
        stacked("r", "zr") | {"z x": "weight_ih:0", "z s@0": "weight_hh:0", "z": halves(0, 0)} | CANDIDATE,
    ),
    "ugrnn": Twin("UGRNN", stacked("cg")),
    "minimal_rnn": Twin(
        "MinimalRNN",
        {"z x": "weight_ih:0", "z": "bias_ih:0", "u h": "weight_hh:0", "u z@0": "weight_mm:0", "u": "bias_hh:0"},
    ),
    "indrnn": Twin(
        "IndRNN", {"h x": "weight_ih:0", "h": halves(0, 0), "u": "vector_u:0"}, keywords={"nonlinearity": "relu"}
    ),
    "janet": Twin("JANET", stacked("fn"), constants={"beta:0": 1.0}, states=(("h", 1.0), ("h", 1.0))),
    "leaky": Twin(  # theirs has two numbers for all units, each behind a sigmoid
        "FastRNN",
        stacked("h"),
        constants={"alpha:0": log(0.1 / 0.9), "beta:0": log(0.9 / 0.1)},
        keywords={"nonlinearity": "tanh"},
    ),
    "identity": Twin(
        "AntisymmetricRNN",
        {"h x": "weight_ih:0", "h": halves(0, 0)},
        constants={"weight_hh:0": 0.0},
        keywords={"epsilon": 1.0, "gamma": 0.0},
    ),
    "antisymmetric": Twin(
        "AntisymmetricRNN", stacked("h"), options={"eps": 0.5, "gamma": 0.1}, keywords={"epsilon": 0.5, "gamma": 0.1}
    ),
    "antisymmetric gated": Twin(
        "GatedAntisymmetricRNN",
        {"z x": "weight_ih:0", "z": "bias_ih:0", "h x": "weight_ih:1", "h": halves(1, 0), "r h": "weight_hh:0"},
        options={"eps": 0.5, "gamma": 0.1, "gated": True},
        keywords={"epsilon": 0.5, "gamma": 0.1},
    ),
    "lem": Twin(
        "LEM",
        {"dt_h x": "weight_ih:0", "dt_h h": "weight_hh:0", "dt_h": halves(0, 0)}
        | {"dt_z x": "weight_ih:1", "dt_z h": "weight_hh:1", "dt_z": halves(1, 1)}
        | {"z x": "weight_ih:2", "z h": "weight_hh:2", "z": halves(2, 2)}
        | {"h x": "weight_ih:3", "h z@0": "weight_ch:0", "h": "0.5*bias_ih:3 0.5*bias_ch:0"},
        states=(("h", 1.0), ("z", 1.0)),
        options={"dt": 0.5},
        keywords={"dt": 0.5},
        off=("h z@0",),
        because="in theirs h sees z of the step before, in the paper z of its own step",
    ),
    "cec": Twin("OriginalLSTM", stacked("g", "igo"), held_open(0) | held_open(2), states=H_AND_C),
    "lstm_1997": Twin(  # theirs has tanh in place of the paper's squashing functions: the same cell with c halved
        "OriginalLSTM",
        stacked("io", "igo") | {"g x": "0.5*weight_ih:1", "g h": "0.5*weight_hh:1", "g": halves(1, 1, 0.25)},
        states=(("h", 1.0), ("c", 0.5)),
    ),
    "lstm_peephole": Twin("PeepholeLSTM", stacked("ifgo") | peepholes("ifo"), states=H_AND_C),
    "lstm_np": Twin(
        "PeepholeLSTM", stacked("ifgo"), constants={f"weight_ph:{k}": 0.0 for k in range(3)}, states=H_AND_C
    ),
    "lstm_nig": without(0, 0, "fgo"),
    "lstm_nfg": without(1, 1, "igo"),
    "lstm_nog": without(3, 2, "ifg"),
    "lstm_cifg": Twin(  # f = 1 - i, so a forget gate with minus the numbers of the input gate
        "PeepholeLSTM",
        stacked("go", "ifgo")
        | peepholes("o")
        | {"i x": "weight_ih:0 -1*weight_ih:1", "i h": "weight_hh:0 -1*weight_hh:1"}
        | {"i": f"{halves(0, 0)} {halves(1, 1, -0.5)}", "peephole_i": "weight_ph:0 -1*weight_ph:1"},
        states=H_AND_C,
    ),
}
UNLIKE = {
    "scrn": "theirs feeds its output y, not its hidden state, back to the hidden state, and squashes y",
    "lstm_niaf": "the one nonlinearity of PeepholeLSTM is that of both input and output",
    "lstm_noaf": "the one nonlinearity of PeepholeLSTM is that of both input and output",
    "min_gru": "its nearest kin, LightRU, has a candidate with tanh and a gate that sees the state",
    "gru_textbook": "torchrecurrent has no cell with gates of the step before",
}


def arrays_of(layer):
    """{key of Twin.arrays: our parameter, its gradient}."""
    grads = {pair: layer.grads[b.key][b.start : b.stop] for pair, b in layer.layout.blocks.items()}
    found = {f"{gate} {source}": (block, grads[gate, source]) for (gate, source), block in layer.blocks.items()}
    for gate, (start, stop) in layer.layout.bias_rows.items():
        found[gate] = layer.gate_bias(gate), layer.grads["bias"][start:stop]
    trained = [p.name for p in layer.cell.parameters if p.trained]
    return found | {name: (layer.params[name], layer.grads[name]) for name in trained}


def terms(text):
    """Read ``"0.5*bias_ih:1 weight_ih:0"`` as (factor, parameter, slice of its rows) each."""
    for term in text.split():
        factor, _, place = term.rpartition("*")
        name, _, k = place.partition(":")
        yield float(factor or 1), name, slice(int(k) * H, (int(k) + 1) * H)


def module_for(twin, ours):
    """Their layer with our numbers. What the table leaves out is NaN, and so would be everything after it."""
    module = getattr(theirs, twin.name)(I, H, dtype=torch.float64, **twin.keywords)
    parameters = {name.removeprefix("cells.0."): p for name, p in module.named_parameters()}
    with torch.no_grad():
        for p in parameters.values():
            p.fill_(torch.nan)
        for text, value in twin.constants.items():
            for _, name, rows in terms(text):
                torch.atleast_1d(parameters[name])[rows] = value
        for key, text in twin.arrays.items():
            for factor, name, rows in terms(text):
                parameters[name][rows] = factor * torch.from_numpy(ours[key][0])
    return module, parameters


def run_theirs(twin, module, x, start, dy, dfinal):
    """Forward and back: outputs, final states, and the gradients by the input and the states, in our units."""
    inputs = torch.from_numpy(x).requires_grad_()
    given = [(factor * torch.from_numpy(start[name])[None]).requires_grad_() for name, factor in twin.states]
    y, final = module(inputs, tuple(given) if len(given) > 1 else given[0])
    final = {name: f[0] / k for (name, k), f in zip(twin.states, final if len(given) > 1 else [final], strict=True)}
    loss = (y * torch.from_numpy(dy)).sum() + sum((final[k] * torch.from_numpy(dfinal[k])).sum() for k in final)
    loss.backward()
    dstart = {name: np.zeros_like(start[name]) for name, _ in twin.states}
    for (name, factor), g in zip(twin.states, given, strict=True):
        dstart[name] += 0 if g.grad is None else factor * g.grad[0].numpy()
    return y.detach().numpy(), {k: f.detach().numpy() for k, f in final.items()}, inputs.grad.numpy(), dstart


def layer_for(case, device, off=True):
    """A layer with random parameters; those that the twin must not have are 0."""
    twin, name = TWINS[case], case.split()[0]
    layer = randomise(Recurrent(name, I, H, dtype="float64", device=device, **twin.options))
    for key in twin.off if off else ():
        arrays_of(layer)[key][0][...] = 0
    return twin, layer


def test_the_tables_name_cells_that_there_are():
    twins = {case.split()[0] for case in TWINS}
    assert twins | UNLIKE.keys() <= set(cells.names())
    assert not twins & UNLIKE.keys()


def test_the_documents_list_the_twins():
    lines = (Path(__file__).resolve().parents[1] / "docs" / "cells.md").read_text("utf-8").splitlines()
    listed = {re.match(r"\| `(\w+)`", line)[1]: line for line in lines if "torchrecurrent `" in line and line[0] == "|"}
    assert listed.keys() == {case.split()[0] for case in TWINS}
    for case, twin in TWINS.items():
        assert f"`{twin.name}`" in listed[case.split()[0]], case


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("cell", TWINS)
def test_a_cell_and_its_twin_agree(cell, device, record_property):
    twin, layer = layer_for(cell, device)
    ours = arrays_of(layer)
    assert twin.arrays.keys() == ours.keys(), "the table covers every parameter of ours"
    module, parameters = module_for(twin, ours)
    rng = np.random.default_rng(1)
    x, dy = rng.normal(size=(T, B, I)), rng.normal(size=(T, B, H))
    start, dfinal = random_state(layer, B), {k: v + 0.3 for k, v in random_state(layer, B, 2).items()}

    y, final = layer.forward(x, start)
    dx, dstart = layer.backward(dy, dfinal)
    expected = run_theirs(twin, module, x, start, dy, dfinal)
    pairs = {"y": (y, expected[0]), "dx": (dx, expected[2])}
    pairs |= {f"final {k}": (final[k], expected[1][k]) for k in final}
    pairs |= {f"dstate {k}": (dstart[k], expected[3][k]) for k in dstart}
    for key in ours.keys() - set(twin.off):
        gradient = sum(factor * parameters[name].grad[rows].numpy() for factor, name, rows in terms(twin.arrays[key]))
        pairs[f"d {key}"] = ours[key][1], gradient
    for what, (got, wanted) in pairs.items():
        assert_close(got, wanted, TOLERANCE, what)
    record_property("worst distance", max(float(np.abs(a - b).max()) for a, b in pairs.values()))


@pytest.mark.parametrize("cell", [c for c, twin in TWINS.items() if twin.off])
def test_a_stated_difference_is_one(cell):
    twin, layer = layer_for(cell, "reference", off=False)
    module, _ = module_for(twin, arrays_of(layer))
    x, start = np.random.default_rng(1).normal(size=(T, B, I)), random_state(layer, B)
    y, final = layer.forward(x, start)
    expected, *_ = run_theirs(twin, module, x, start, np.zeros_like(y), final)
    assert np.abs(y - expected).max() > 1e-3, f"torchrecurrent no longer differs: {twin.because}"

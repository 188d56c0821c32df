"""What `make test-fast` runs: one cell for each feature of the contract, called in every way."""

import inspect
import re
from dataclasses import replace

import features
import pytest
from helpers import CASES, Case
from odd_cells import learned_start, no_bias_at_all

from rnnbench import Recurrent, cells
from rnnbench.contract import LEARNED, UnitParameter, Vector
from rnnbench.layout import Layout


def build(one):
    return one.build() if isinstance(one, Case) else one()


CHOSEN = [build(one) for one in features.chosen()]


def test_few_cells_have_every_feature_of_all():
    every = {feature for group in features.groups() for found in group.values() for feature in found}
    assert set().union(*map(features.features, CHOSEN)) == every
    assert len(every) > 60 and len(CHOSEN) < len(cells.names()) / 2


def parts(cell):
    """Stages, and all sources of products."""
    return cell.stages, {source for gate in cell.gates for source in gate.sources}


# Written down from DESIGN.md's account of the contract, and looked for without features.py.
WANTED = {
    "a delay": lambda cell: max(Layout(cell, 1, 1).lags.values()) > 1,
    "several stages": lambda cell: len(cell.stages) > 1,
    "a stage without gates": lambda cell: any(not stage.gates for stage in cell.stages),
    "a product with what an earlier stage made": lambda cell: any(source.endswith("@0") for source in parts(cell)[1]),
    "gates of a stage with sources of their own": lambda cell: any(
        len({gate.sources for gate in stage.gates}) > 1 for stage in cell.stages
    ),
    "a trained unit parameter": lambda cell: any(p.trained for p in cell.parameters),
    "a fixed unit parameter": lambda cell: any(not p.trained for p in cell.parameters),
    "a weight map": lambda cell: cell.weights is not None,
    "a learned start": lambda cell: any(vector.initial == LEARNED for vector in cell.vectors),
    "a start other than 0": lambda cell: any(vector.initial not in (0, LEARNED) for vector in cell.vectors),
    "no input": lambda cell: "x" not in parts(cell)[1],
    "a vector of another width": lambda cell: any(isinstance(vector.width, int) for vector in cell.vectors),
    "no gradient": lambda cell: not all(vector.differentiable for vector in cell.vectors),
    "a gate without bias": lambda cell: not all(gate.bias for gate in cell.gates),
    "a kink": lambda cell: not cell.smooth,
    "an output that is no state": lambda cell: cell.output not in Layout(cell, 1, 1).states,
}


@pytest.mark.parametrize("what", WANTED)
def test_a_chosen_cell_has(what):
    assert any(map(WANTED[what], CHOSEN))
    assert not all(map(WANTED[what], CHOSEN)), "it would tell nothing"


def test_a_cell_with_something_new_is_chosen():
    lstm = features.features(cells.get("lstm"))
    old = {"elman": features.features(cells.get("elman")), "lstm": lstm, "lstm again": lstm}
    assert features.cover([old]) == ["lstm", "elman"]
    leaky = cells.get("leaky")
    wide = replace(leaky, vectors=(Vector("h", width=3),), parameters=(UnitParameter("alpha", width=3),))
    new = {"wide": features.features(wide)}
    assert features.cover([old, {"leaky": features.features(leaky)}, new]) == ["lstm", "elman", "leaky", "wide"]
    assert features.cover([old, {}, old]) == ["lstm", "elman"]


def test_shipped_cells_come_before_odd_ones():
    assert Case("delayed") in features.chosen() and learned_start in features.chosen()
    assert no_bias_at_all not in features.chosen()
    assert {one.cell for one in features.chosen() if isinstance(one, Case)} < {case.cell for case in CASES}


def test_fast_tests_call_a_layer_in_every_way(request):
    """Each keyword of `Recurrent` stands in a test of the chosen cells, but for two that mean the same to all cells."""
    if request.config.option.file_or_dir or request.config.option.keyword:
        pytest.skip("all tests are needed")
    texts = [
        inspect.getsource(function) for function in {i.function for i in request.session.items if features.stays(i)}
    ]
    signatures = [inspect.signature(getattr(Recurrent, name)) for name in ("forward", "backward")]
    keywords = {p.name for s in signatures for p in s.parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert {"lengths", "reverse", "feed", "truncate", "checkpoint"} <= keywords
    untold = {word for word in keywords if not any(re.search(rf"\b{word}\b", text) for text in texts)}
    assert untold <= {"stream", "need_dx"}

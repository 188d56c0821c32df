"""Finding cells: by name, with options, from a user's own file; and what is said when there is none."""

import importlib
import sys

import pytest
from helpers import VARIANTS, variants

from rnnbench import Recurrent, cells

GOOD = '''
"""My cell, of one stage."""
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import d_tanh, tanh

def forward(a, reads, p):
    return (tanh(a[0]),), ()

def backward(dmakes, reads, makes, saved, p):
    return (dmakes[0] * d_tanh(makes[0]),), (), ()

def build(extra=3):
    stage = Stage(forward, backward, ("h",), (Gate("h", ("x", "h")),))
    return Cell((Vector("h"),), (stage,), "h")
'''


@pytest.fixture
def load(tmp_path):
    """Write a file, load it, and forget it afterwards."""
    before = set(sys.modules)

    def write_and_load(code, name="mine.py"):
        path = tmp_path / name
        path.write_text(code)
        return cells.load_file(path)

    yield write_and_load
    cells._user_cells.clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_textbook_cells_are_there():
    assert {"elman", "gru", "gru_reset_after", "jordan", "leaky", "lstm", "skip"} <= set(cells.names())
    assert cells.names() == sorted(cells.names())
    assert not [name for name in cells.names() if name.startswith("_")]


@pytest.mark.parametrize("name", cells.names())
def test_describe(name):
    facts = cells.describe(name)
    cell = cells.get(name)
    assert facts["name"] == name == cell.name
    assert facts["title"] and not facts["title"].endswith(".")
    assert facts["parameters"] > 0 and facts["flops_per_step"] > 0 and facts["tape_bytes_per_step"] > 0
    assert dict(cell.options) == cells.option_defaults(name)


def test_describe_gives_the_known_numbers_of_an_lstm():
    facts = cells.describe("lstm")
    assert facts["parameters"] == 4 * 128 * 257
    assert facts["flops_per_step"] == 2 * 4 * 128 * 256
    assert facts["states"] == "h c" and facts["gates"] == "i f g o"


def test_options_are_recorded():
    assert cells.get("skip", delay=3).options == {"activation": "tanh", "delay": 3}


@pytest.mark.parametrize(
    "name, message",
    [
        ("lstn", r"cell: got 'lstn' \(did you mean 'lstm'\?\), expected one of .*elman, "),
        ("zzzzzz", r"cell: got 'zzzzzz', expected one of"),
        ("_activation", "cell: got '_activation'"),
        ("", "cell: got ''"),
        (None, "cell: got None"),
        (3, "cell: got 3"),
        (["lstm"], r"cell: got \['lstm'\]"),
    ],
)
def test_an_unknown_cell_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        cells.get(name)
    with pytest.raises(ValueError, match=message):
        Recurrent(name, 1, 1)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("lstm", {"peephole": True}, "option 'peephole' of cell 'lstm' is unknown, expected no options"),
        ("skip", {"lag": 2}, "option 'lag' of cell 'skip' is unknown, expected one of activation, delay"),
        ("elman", {"activation": "gelu"}, "activation: got 'gelu', expected one of 'tanh', 'sigmoid', "),
        ("elman", {"activation": None}, "activation: got None"),
        ("elman", {"activation": ["tanh"]}, r"activation: got \['tanh'\]"),
        ("jordan", {"output_activation": "softmax"}, "output_activation: got 'softmax'"),
        ("jordan", {"output_size": 0}, "output_size: got 0, expected an integer >= 1 or None"),
        ("jordan", {"output_size": 2.0}, "output_size: got 2.0, expected an integer"),
        ("jordan", {"output_size": True}, "output_size: got True, expected an integer"),
        ("jordan", {"output_size": False}, "output_size: got False, expected an integer"),
        ("skip", {"delay": 1}, "delay: got 1, expected an integer >= 2"),
        ("skip", {"delay": True}, "delay: got True"),
        ("skip", {"delay": "2"}, "delay: got '2'"),
        ("output_hidden", {"output_size": 0}, "output_size: got 0, expected an integer >= 1 or None"),
        ("output_hidden", {"output_activation": "softmax"}, "output_activation: got 'softmax'"),
        ("delayed", {"delay": 1}, "delay: got 1, expected an integer >= 2"),
        ("delayed", {"delay": True}, "delay: got True"),
        ("deep_transition", {"depth": 1}, "depth: got 1, expected an integer from 2 to 100"),
        ("deep_transition", {"depth": 2.0}, "depth: got 2.0"),
        ("deep_transition", {"shortcut": 1}, "shortcut: got 1, expected one of True, False"),
        ("clockwork", {"periods": ()}, r"periods: got \(\), expected rising integers >= 1"),
        ("clockwork", {"periods": (0, 1)}, r"periods: got \(0, 1\)"),
        ("clockwork", {"periods": (1, 2, 2)}, r"periods: got \(1, 2, 2\)"),
        ("clockwork", {"periods": (4, 2)}, r"periods: got \(4, 2\)"),
        ("clockwork", {"periods": (1, 2.0)}, r"periods: got \(1, 2.0\)"),
        ("clockwork", {"periods": (True, 2)}, r"periods: got \(True, 2\)"),
        ("clockwork", {"periods": 4}, "periods: got 4"),
        ("dynamical", {"activation": "gelu"}, "activation: got 'gelu'"),
        ("leaky", {"alpha": 1.5}, r"alpha: got 1.5, expected a number in \[0, 1\]"),
        ("leaky", {"alpha": -0.1}, "alpha: got -0.1"),
        ("leaky", {"alpha": float("nan")}, "alpha: got nan"),
        ("leaky", {"alpha": True}, "alpha: got True"),
        ("leaky", {"alpha": None}, "alpha: got None"),
        ("leaky", {"trained": "yes"}, "trained: got 'yes'"),
    ],
)
def test_a_wrong_option_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        cells.get(name, **options)


@pytest.mark.parametrize("name", cells.names())
def test_every_option_of_every_cell_has_values_to_test(name):
    for option, default in cells.option_defaults(name).items():
        assert variants(option, default), f"{option} of {name}"


def test_an_option_without_values_to_test_is_named():
    with pytest.raises(LookupError, match="option 'wheels'"):
        variants("wheels", 4)
    assert variants("delay", 2) == VARIANTS["delay"]


def test_a_cell_from_a_file(load):
    assert load(GOOD) == "mine"
    assert "mine" in cells.names()
    assert cells.get("mine").title == "My cell, of one stage"
    assert cells.get("mine", extra=4).options == {"extra": 4}
    assert cells.describe("mine")["parameters"] == 128 * 257
    assert Recurrent("mine", 2, 3, device="reference").layout.weight_count() == 3 * 6


def test_a_file_can_be_loaded_again_after_an_edit(load):
    load(GOOD)
    load(GOOD.replace("extra=3", "other=5"))
    assert cells.option_defaults("mine") == {"other": 5}


def test_a_failed_reload_keeps_nothing_half_done(load):
    load(GOOD)
    with pytest.raises(ValueError, match="wrong"):
        load(GOOD.replace("Cell((Vector", "wrong((Vector"))
    assert cells.get("mine").title == "My cell, of one stage", "the version that worked is still there"


@pytest.mark.parametrize(
    "code, message",
    [
        ("x = 1", r"expected a function build\(\*\*options\)"),
        ("build = 3", r"expected a function build\(\*\*options\)"),
        ("def build(:", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError"),
        ("def build():\n return 3", "."),
        ("def build(size):\n return size", "."),
        (GOOD.replace('(stage,), "h"', '(stage,), "z"'), "cell .*output: got 'z'"),
        (GOOD.replace('(Vector("h"),), (stage,)', '(Vector("z"),), (stage,)'), "cell .*output: got 'h'"),
        (GOOD.replace("(dmakes[0] * d_tanh(makes[0]),)", "()"), "stage 0: backward da"),
    ],
)
def test_a_bad_file_is_refused_and_forgotten(load, code, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(code)
    assert "mine.py" in str(caught.value)
    assert "mine" not in cells.names()


@pytest.mark.parametrize("name", ["lstm.py", "two words.py", "3d.py"])
def test_a_file_name_that_cannot_be_a_cell_is_refused(load, name):
    with pytest.raises(ValueError, match="cells file: name"):
        load(GOOD, name)
    assert importlib.import_module("rnnbench.cells.lstm").__doc__


def test_a_missing_file_is_refused(tmp_path):
    for path in (tmp_path / "none.py", tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ValueError, match=r"expected an existing .py file"):
            cells.load_file(path)

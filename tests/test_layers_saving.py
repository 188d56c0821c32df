"""Networks in files: back to the bit, or refused with what was expected."""

import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from rnnbench import cells
from rnnbench.contract import Stage
from rnnbench.layers import Chain, Dense, FirstStep, Network, Recurrent, Scan, saving
from rnnbench.layers.describe import describe, differences

I, O, H = 2, 3, 4


def make(cell="lstm", seed=0, hidden=H, **options):
    options = {"device": "reference", "layers": 2, "dropout": 0.5} | options
    return Network.build(cell, I, O, hidden, seed=seed, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deeper" / "network.npz"


@pytest.mark.parametrize("seed", [0, [0, 1]])
def test_a_network_goes_on_as_if_it_had_not_been_saved(path, seed):
    net, x = make(seed=seed), np.ones((*np.shape(seed), 5, 3, I), "float32")
    net.forward(x)  # so that its generators are not at their start
    saving.save(net, path)
    expected, _ = net.forward(x)
    other = make(seed=7 if seed == 0 else [7, 8])
    views = {key: id(value) for key, value in other.parameters().items()}
    saving.load(other, path)
    np.testing.assert_array_equal(other.forward(x)[0], expected)
    for key, value in other.parameters().items():
        assert value.tobytes() == net.parameters()[key].tobytes() and id(value) == views[key]
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_generator_of_numpy_is_brought_back(path, bits):
    net, other = make(layers=1), make(layers=1)
    for one in (net, other):
        one.parts["dropout"].random = [np.random.Generator(bits(3))]
    x = np.ones((5, 3, I), "float32")
    net.forward(x)
    saving.save(net, path)
    saving.load(other, path)
    np.testing.assert_array_equal(other.forward(x)[0], net.forward(x)[0])
    with pytest.raises(ValueError, match=f"generators: got .*{bits.__name__}.*, expected .*PCG64"):
        saving.load(make(layers=1), path)


def test_nan_and_the_sign_of_zero_survive(path):
    layer = Dense(2, 3)
    layer.params["weight"][...] = [[np.nan, -0.0], [np.inf, 1e-45], [-np.inf, 0]]
    other = Dense(2, 3)
    saving.save(layer, path)
    saving.load(other, path)
    assert other.params["weight"].tobytes() == layer.params["weight"].tobytes()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lambda: make("gru"), r"network\.hidden\.layer1\.layer\.cell: got lstm, expected gru"),
        (lambda: make(hidden=5), r"network\.hidden\.layer1\.layer\.hidden_size: got 4, expected 5"),
        (lambda: make(dtype="float64"), r"network\.dtype: got float32, expected float64"),
        (lambda: make(layers=3), r"network\.hidden\.dropout2: got None, expected Dropout"),
        (lambda: make(layers=1), r"network\.hidden\.class: got Stack, expected Scan"),
        (lambda: make(bidirectional=True), r"network\.hidden\.layer1\.class: got Scan, expected Bidirectional"),
        (lambda: make(readout="mean"), r"network\.pool: got None, expected Pool"),
        (lambda: make(dropout=0.25), r"network\.hidden\.dropout1\.rate: got 0\.5, expected 0\.25"),
        (lambda: make(seed=[0, 1]), r"network\.replicas: got None, expected 2"),
        (lambda: make(bias=False), r"network\.hidden\.layer1\.layer\.bias: got True, expected False"),
        (lambda: make("lstm_nfg"), r"network\.hidden\.layer1\.layer\.cell: got lstm, expected lstm_nfg"),
        (lambda: Dense(I, O), r"network\.class: got Network, expected Dense"),
    ],
)
def test_another_architecture_is_refused(path, other, told):
    saving.save(make(), path)
    net = other()
    before = {key: value.copy() for key, value in net.parameters().items()}
    with pytest.raises(ValueError, match="network.npz: another architecture: " + told):
        saving.load(net, path)
    assert all((net.parameters()[key] == value).all() for key, value in before.items())


def test_where_it_runs_is_no_part_of_an_architecture(path):
    saving.save(Scan(Recurrent("lstm", I, H, device="reference"), checkpoint=2), path)
    saving.load(Scan(Recurrent("lstm", I, H, device="cpu")), path)


def test_options_of_a_cell_and_a_layer_count():
    shapes_alike = [
        Recurrent("elman", I, H, activation="relu"),
        Recurrent("elman", I, H),
        Recurrent("irnn", I, H),
        Recurrent(replace(cells.get("elman"), title="mine"), I, H),
        FirstStep(3),
        FirstStep(4),
    ]
    found = [json.dumps(describe(layer)) for layer in shapes_alike]
    assert differences(describe(shapes_alike[1]), describe(shapes_alike[0]))[0] == (
        "network.options.activation: got 'tanh', expected 'relu'"
    )
    assert len(set(found)) == 5 and found[1] == found[3]  # a title is nothing that a network computes


def test_a_cell_that_was_edited_is_another(path):
    def edited(a, reads, p):
        makes, saved = stage.forward(a, reads, p)
        return (makes[0] + makes[0],), saved

    cell = cells.get("elman")
    [stage] = cell.stages
    other = replace(cell, stages=(Stage(edited, stage.backward, stage.makes, stage.gates, stage.reads),))
    saving.save(Recurrent(cell, I, H, device="reference"), path)
    with pytest.raises(ValueError, match=r"another architecture: network\.answers: got"):
        saving.load(Recurrent(other, I, H, device="reference"), path)


@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_is_described_alike_each_time(cell):
    layer = Recurrent(cell, 3, 20, device="reference")
    told = describe(layer)
    assert differences(json.loads(json.dumps(told)), describe(Recurrent(cell, 3, 20, seed=1, device="cpu"))) == []
    assert np.isfinite(told["answers"]).all() and np.any(told["answers"])


def test_truncated_files_are_refused(path):
    net = make()
    saving.save(net, path)
    whole = path.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"network\.npz: truncated, or no file that was saved"):
            saving.load(net, path)


def test_no_altered_byte_changes_a_network(path):
    net = Dense(2, 3)
    saving.save(net, path)
    whole, expected = path.read_bytes(), net.params["weight"].tobytes()
    refused = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        other = Dense(2, 3, seed=1)
        try:
            saving.load(other, path)
        except ValueError:
            refused += 1
        else:  # a date in the archive, say
            assert other.params["weight"].tobytes() == expected
    assert refused > len(range(0, len(whole), 7)) / 2


def test_numbers_altered_with_care_are_refused(path):
    saving.save(Dense(2, 3), path)
    with np.load(path) as archive:
        members = dict(archive)
    members["weight"][0, 0] += 1
    np.savez(path, **members)
    with pytest.raises(ValueError, match=r"network\.npz: altered since it was saved, expected the checksum"):
        saving.load(Dense(2, 3), path)


def test_pickled_objects_are_never_read_or_written(path, tmp_path):
    with pytest.raises(ValueError, match="array 'a': got object, expected numbers"):
        saving.write(path, {"a": np.array([{}])}, {})
    assert not path.exists()
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], object))
    with pytest.raises(ValueError, match="no file that was saved here"):
        saving.read(tmp_path / "pickled.npz")
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("hello", "world")
    with pytest.raises(ValueError, match="no file that was saved here"):
        saving.read(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="no such file, expected one that was saved"):
        saving.read(tmp_path / "missing.npz")


def test_a_file_is_replaced_whole_or_not_at_all(path):
    net = Dense(2, 3)
    saving.save(net, path)
    before = path.read_bytes()

    class Unsayable:
        def tolist(self):
            raise RuntimeError("power failure")

    with pytest.raises(RuntimeError, match="power failure"):
        saving.write(path, {}, {"x": Unsayable()})
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="power failure"):
        patch.setattr(os, "replace", lambda *_: Unsayable().tolist())
        saving.save(Dense(2, 3, seed=1), path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_arrays_and_words_of_ones_own(path):
    arrays = {"a": np.arange(3), "m": np.zeros((2, 0), "float32")}
    arrays |= {"file": np.ones(2), "allow_pickle": np.ones(1)}  # arguments of np.savez
    saving.write(path, arrays, {"step": 7, "rate": 0.1})
    read, about = saving.read(path)
    assert about == {"step": 7, "rate": 0.1} and read.keys() == arrays.keys()
    assert all(
        read[k].dtype == v.dtype and read[k].shape == v.shape and (read[k] == v).all() for k, v in arrays.items()
    )
    with pytest.raises(ValueError, match="array 'checksum'"):
        saving.write(path, {"checksum": np.zeros(1)}, {})


def test_a_frozen_network_is_not_loaded_into(path):
    layer = Recurrent("elman", I, H, device="reference")
    saving.save(layer, path)
    with layer.frozen(), pytest.raises(ValueError, match="parameter 'weight_ih' is read-only"):
        saving.load(layer, path)


def test_parts_in_another_order_and_a_part_used_twice_are_other_networks(tmp_path):
    saving.save(Chain(a=Dense(2, 2, activation="tanh"), b=Dense(2, 2)), tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"network.order: got \['a', 'b'\], expected \['b', 'a'\]"):
        saving.load(Chain(b=Dense(2, 2), a=Dense(2, 2, activation="tanh")), tmp_path / "a.npz")
    saving.save(Chain(a=Dense(2, 2, seed=1), b=Dense(2, 2, seed=2)), tmp_path / "b.npz")
    both = Dense(2, 2)
    with pytest.raises(ValueError, match=r"network.parameters: got .*'b.bias'.*, expected"):
        saving.load(Chain(a=both, b=both), tmp_path / "b.npz")

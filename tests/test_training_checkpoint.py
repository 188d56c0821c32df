"""Checkpoints: a run that is stopped and resumed has the bits of one that is not; anything else is refused."""

import subprocess
import sys
import zipfile
from functools import partial

import numpy as np
import pytest

from rnnbench import tasks
from rnnbench.layers import Network
from rnnbench.training import Stopping, Trainer
from rnnbench.training.clipping import Clip
from rnnbench.training.curricula import Curriculum
from rnnbench.training.optimisers import SGD, Adam, Momentum
from rnnbench.training.schedules import Step

CASES = {
    "plain": {},
    "replicas": {"seed": [3, 1]},
    "windows": {"seed": [3, 1], "window": 5, "length": 17},
    "curriculum": {"curriculum": Curriculum("combined", (4, 8, 12), raise_at=0.0, every=3, size=10)},
    "windows and curriculum": {"window": 5, "curriculum": Curriculum("naive", (4, 12), raise_at=0.0, every=3, size=10)},
    "dropout": {"dropout": 0.3},
    "all": {
        "optimiser": Momentum(0.01), "clip": Clip("norm", 0.2), "schedule": Step(4, 0.5),
        "stopping": Stopping(every=4, size=20, wrong=0.01), "mean": "positions", "truncate": 6,
    },
}  # fmt: skip


def make(seed=0, dropout=0.0, cell="lstm", hidden=6, task="parity", options=None, **settings):
    task = tasks.get(task)
    embedding = "one_hot" if task.symbols else None
    network = Network.build(
        cell, task.inputs, task.outputs, hidden, embedding=embedding, dropout=dropout, seed=seed, **(options or {})
    )
    return Trainer(network, task, seed=seed, **{"batch_size": 4, "length": 12, "optimiser": Adam(0.01)} | settings)


def facts_of(trainer):
    values = (
        {"values": trainer.flat.values, "level": trainer.level} | trainer.optimiser.state | trainer.history.arrays()
    )
    return {key: value.copy() for key, value in values.items()}


@pytest.mark.parametrize("first", [0, 7, 65])  # before the first step, within what is drawn together, and beyond
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_has_the_bits_of_one_that_went_on(case, first, tmp_path):
    path, settings = tmp_path / "run.npz", CASES[case]
    whole = make(**settings)
    whole.run(first)
    whole.save(path)
    whole.run(9)
    resumed = make(**settings)
    resumed.run(2)  # what it did before does not matter
    resumed.load(path)
    assert resumed.history.steps == first
    resumed.run(9)
    expected, found = facts_of(whole), facts_of(resumed)
    assert expected.keys() == found.keys()
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key], err_msg=key)
    assert resumed.history.outcomes == whole.history.outcomes and list(tmp_path.iterdir()) == [path]


def test_a_run_goes_on_in_another_process(tmp_path):
    trainer = make(seed=[3, 1])
    trainer.run(5)
    trainer.save(tmp_path / "run.npz")
    trainer.run(5)
    code = """
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np
from test_training_checkpoint import make
trainer = make(seed=[3, 1])
trainer.load(sys.argv[2])
trainer.run(5)
np.save(sys.argv[3], trainer.flat.values)
"""
    here = str(tmp_path / "values.npy")
    subprocess.run(
        [sys.executable, "-c", code, __file__.rpartition("/")[0], str(tmp_path / "run.npz"), here], check=True
    )
    np.testing.assert_array_equal(np.load(here), trainer.flat.values)


class Halving:
    """A schedule that does not say how it prints."""

    def __call__(self, step):
        return 0.5**step


@pytest.mark.parametrize("schedule", [Halving, lambda: Halving().__call__, lambda: partial(Halving())])
def test_a_schedule_is_not_known_by_where_it_lies(schedule, tmp_path):
    trainer, resumed, other = make(schedule=schedule()), make(schedule=schedule()), make()
    trainer.run(2)
    trainer.save(tmp_path / "run.npz")
    resumed.load(tmp_path / "run.npz")
    assert resumed.history.steps == 2
    with pytest.raises(ValueError, match="schedule is"):
        other.load(tmp_path / "run.npz")


def test_a_diverged_replica_stays_diverged(tmp_path):
    settings = {"seed": [3, 1], "optimiser": SGD([0.01, 1e38]), "cell": "elman"}
    trainer = make(**settings)
    trainer.run(9)
    assert trainer.history.outcomes == ["training", "diverged"]
    trainer.save(tmp_path / "run.npz")
    resumed = make(**settings | {"optimiser": SGD([0.01, 1e38])})
    resumed.load(tmp_path / "run.npz")
    before = resumed.flat.values[1].copy()
    resumed.run(3)
    assert resumed.history.outcomes == ["training", "diverged"] and resumed.history.steps == 12
    np.testing.assert_array_equal(resumed.flat.values[1], before)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hidden": 7}, "network is"),
        ({"cell": "gru"}, "network is"),
        ({"options": {"dtype": "float64"}}, "network is"),
        ({"task": "adding"}, "network is"),
        ({"seed": [0]}, "network is"),
        ({"batch_size": 5}, "batch_size is 4, expected 5"),
        ({"length": 13}, "length is 12, expected 13"),
        ({"optimiser": Adam(0.02)}, "optimiser is"),
        ({"optimiser": SGD(0.01)}, "optimiser is"),
        ({"clip": Clip("norm", 1.0)}, "clip is None"),
        ({"window": 3}, "window is None, expected 3"),
        ({"curriculum": Curriculum("mix", (3, 12))}, "curriculum is None"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(change, told, tmp_path):
    trainer = make()
    trainer.run(1)
    trainer.save(tmp_path / "run.npz")
    other = make(**change)
    before = facts_of(other)
    with pytest.raises(ValueError, match=told):
        other.load(tmp_path / "run.npz")
    for key, value in facts_of(other).items():
        np.testing.assert_array_equal(value, before[key])


def test_an_option_that_leaves_all_shapes_alike_makes_another_network(tmp_path):
    make(cell="elman").save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"another architecture: network\.hidden"):
        make(cell="elman", options={"activation": "relu"}).load(tmp_path / "run.npz")


def rewritten(path, change):
    """Write the archive again with its arrays changed."""
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    change(arrays)
    np.savez(path, **arrays)


def flip_a_parameter(arrays):
    key = next(key for key in arrays if key.endswith("weight_hh"))
    arrays[key].flat[0] += 1e-6


def smuggle_an_object(arrays):
    arrays["parameter evil"] = np.array([{"a": 1}], dtype=object)


DAMAGE = {
    "truncated": lambda p: p.write_bytes(p.read_bytes()[:-200]),
    "cut in half": lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]),
    "empty": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("no checkpoint"),
    "a byte": lambda p: p.write_bytes(p.read_bytes()[:400] + b"\xff" + p.read_bytes()[401:]),
    "a parameter": lambda p: rewritten(p, flip_a_parameter),
    "a parameter is missing": lambda p: rewritten(p, lambda a: a.pop(next(iter(a)))),
    "an object": lambda p: rewritten(p, smuggle_an_object),
    "an empty archive": lambda p: zipfile.ZipFile(p, "w").close(),
    "one array": lambda p: np.save(p.open("wb"), np.zeros(3)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / "run.npz"
    trainer = make()
    trainer.run(2)
    trainer.save(path)
    DAMAGE[damage](path)
    before = facts_of(trainer)
    with pytest.raises(ValueError, match=r"truncated|altered"):
        trainer.load(path)
    for key, value in facts_of(trainer).items():
        np.testing.assert_array_equal(value, before[key])


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        make().load(tmp_path / "none.npz")


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    trainer = make()
    trainer.save(path)
    old = path.read_bytes()

    def fails(file, array, **options):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fails)
    with pytest.raises(OSError, match="no space"):
        trainer.save(path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]

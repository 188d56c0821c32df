"""Training: replicas that could meet, trainers that share something, checkpoints, and what must be refused."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from rnnbench import tasks, training
from rnnbench.layers import Chain, Dense, Network, saving
from rnnbench.training import Stopping, Trainer, evaluate, evaluation
from rnnbench.training.curricula import Curriculum
from rnnbench.training.flat import Flat
from rnnbench.training.optimisers import SGD, Adam
from rnnbench.training.schedules import WarmUp

TASK = tasks.get("parity")


def network(seed=0, device="reference"):
    return Network.build("elman", 1, 1, 3, seed=seed, device=device)


def trainer(seed=0, **options):
    return Trainer(network(seed), TASK, seed=seed, **{"length": 4, "batch_size": 3} | options)


def test_a_look_at_a_level_is_the_same_whatever_levels_the_others_have_reached(monkeypatch):
    drawn = []

    def draw(network, task, size, length, seed):
        drawn.append([rng.random() for rng in seed])
        return evaluation.Score(np.zeros(2), np.zeros(2))

    monkeypatch.setattr(evaluation, "evaluate", draw)
    rngs = [np.random.default_rng(r) for r in range(2)]
    Curriculum("naive", (2, 3, 4)).climb(network([0, 1]), TASK, rngs, np.array([0, 1]))
    assert len(drawn) == 2 and drawn[0] == drawn[1]


@pytest.mark.parametrize("options", [{"stopping": Stopping(every=2, size=40, wrong=1e-3)}, {"window": 3}])
def test_a_checkpoint_goes_on_bit_for_bit_whatever_seed_the_trainer_had(tmp_path, options):
    one, other = trainer(**options), trainer(7, **options)
    one.run(4)
    one.save(tmp_path / "run.npz")
    other.load(tmp_path / "run.npz")
    np.testing.assert_equal(other.run(5).arrays(), one.run(5).arrays())
    np.testing.assert_array_equal(one.flat.values, other.flat.values)


@pytest.mark.parametrize("options", [{"stopping": Stopping(every=2, size=40, wrong=1e-3)}, {"window": 3}])
@pytest.mark.parametrize("seed", [0, [0, 1]])
def test_a_copy_of_a_trainer_goes_on_bit_for_bit_and_on_its_own(seed, options):
    one = trainer(seed, **options)
    one.run(4)
    other, before = copy.deepcopy(one), one.flat.values.copy()
    other.run(5)
    np.testing.assert_array_equal(one.flat.values, before)
    np.testing.assert_equal(one.run(5).arrays(), other.history.arrays())
    np.testing.assert_equal(one.network.parameters(), other.network.parameters())
    assert (one.flat.values != before).any()


def test_a_damaged_checkpoint_is_refused_and_changes_nothing(tmp_path):
    path, one = tmp_path / "run.npz", trainer()
    one.save(path)
    whole = path.read_bytes()
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\x01\x02") + 8] ^= 1
    before = one.flat.values.copy()
    for damaged in (whole[:-30], whole[: len(whole) // 2], b"", bytes(encrypted)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"run\.npz: truncated, or no file that was saved here"):
            one.load(path)
    saving.save(one.network, path)
    with pytest.raises(ValueError, match="a network without its training"):
        one.load(path)
    np.testing.assert_array_equal(one.flat.values, before)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lambda: trainer(batch_size=4), "batch_size is 3, expected 4"),
        (lambda: trainer(optimiser=SGD(0.1)), r"optimiser is Adam\(.*\), expected SGD\(.*\)"),
        (lambda: trainer(seed=[0]), r"network is|another architecture: network\.replicas"),
        (lambda: trainer(curriculum=Curriculum("mix", (2, 4))), "curriculum is None, expected"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, other, told):
    trainer().save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=told):
        other().load(tmp_path / "run.npz")


def test_a_trainer_whose_network_another_one_took_over_says_so():
    net = network()
    first = Trainer(net, TASK, length=4, batch_size=3)
    Trainer(net, TASK, length=4, batch_size=3).run(1)
    with pytest.raises(RuntimeError, match="was replaced, by another trainer perhaps"):
        first.run(1)
    second = trainer()
    second.network.parts["readout"].params["weight"] = np.zeros((1, 3), "float32")
    with pytest.raises(RuntimeError, match=r"parameter 'readout\.weight' or its gradient was replaced"):
        second.run(1)


def test_two_trainers_may_be_given_the_same_optimiser():
    shared = Adam(1e-2)
    one, other = trainer(optimiser=shared), trainer([1, 2], optimiser=shared)
    other.run(3)
    one.run(3)
    alone = trainer(optimiser=Adam(1e-2))
    alone.run(3)
    np.testing.assert_array_equal(one.flat.values, alone.flat.values)


def test_an_optimiser_refuses_arrays_that_it_was_not_started_for():
    values, grads = np.ones((2, 5), "float32"), np.ones((2, 5), "float32")
    adam = Adam()
    with pytest.raises(ValueError, match="expected those of start"):
        adam.update(values, grads)
    adam.start(values[:, :3].copy())
    with pytest.raises(ValueError, match=r"values: got \(2, 5\)"):
        adam.update(values, grads)
    with pytest.raises(ValueError, match=r"gradients \(2, 4\)"):
        SGD().update(values, grads[:, :4].copy())
    with pytest.raises(ValueError, match=r"active: got shape \(1,\)"):
        SGD().update(values, grads, active=np.ones(1, bool))
    for bad in (grads.astype(float), np.ones_like(grads, order="F"), np.broadcast_to(grads[:1], grads.shape)):
        with pytest.raises(TypeError, match=r"gradients: got float.*, expected writeable, contiguous float32"):
            SGD().update(values, bad)


@pytest.mark.parametrize("mean", ["batch", "positions"])
def test_a_window_in_which_nothing_is_scored_has_no_loss(mean):
    run = Trainer(network(), tasks.get("parity", "final"), length=4, batch_size=3, window=2, mean=mean).run(4)
    np.testing.assert_array_equal(np.isnan(run.loss[:, 0]), [True, False, True, False])
    np.testing.assert_array_equal(run.norm[:, 0] > 0, [False, True, False, True])
    assert run.outcomes == ["training"]


LEVELS = [
    (((tasks.get("adding"), 12),), "task 'adding' has loss 'squared', expected 'logistic'"),
    ((2, (TASK,)), "expected a length or a pair"),
    ((0, 2), "length of a level: got 0"),
    (("two",), "length of a level: got 'two'"),
]


@pytest.mark.parametrize(("levels", "told"), LEVELS)
def test_levels_that_cannot_be_mixed_are_refused(levels, told):
    with pytest.raises(ValueError, match=told):
        trainer(curriculum=Curriculum("mix", levels))


@pytest.mark.parametrize("readout", ["every", "last"])
def test_a_network_that_answers_nan_is_wrong(readout):
    net = Network.build("elman", 1, 1, 3, readout=readout, device="reference", seed=[0, 1])
    net.parts["readout"].params["bias"][1] = np.nan
    score = evaluate(net, tasks.get("parity", "final"), size=50, length=3)
    assert score.success[0] > 0 and score.success[1] == 0 and np.isnan(score.loss).tolist() == [False, True]


def test_levels_may_be_variants_of_the_task():
    easier = replace(TASK, name="easier")
    assert trainer(curriculum=Curriculum("mix", ((easier, 2), 4))).run(2).steps == 2


def test_bad_settings_are_refused_at_once():
    for options, told in (({"schedule": 0.5}, "schedule: got 0.5"), ({"optimiser": "adam"}, "optimiser: got 'adam'")):
        with pytest.raises(TypeError, match=told):
            trainer(**options)
    with pytest.raises(ValueError, match=r"after: got 0\.5, expected a schedule"):
        WarmUp(5, 0.5)
    with pytest.raises(ValueError, match="length of stopping: got 0"):
        trainer(stopping=Stopping(length=0))
    with pytest.raises(TypeError, match="task: got 'parity', expected what"):
        Trainer(network(), "parity")
    with pytest.raises(ValueError, match="rows: got 0"):
        evaluate(network(), TASK, size=4, length=4, rows=0)


def test_every_file_is_found_by_its_name():
    for name in ("losses", "optimisers", "clipping", "curricula", "schedules", "checkpoint"):
        assert training.__getattr__(name).__name__ == f"rnnbench.training.{name}"
    with pytest.raises(AttributeError, match="no attribute 'loses'"):
        training.__getattr__("loses")


@pytest.mark.parametrize("name", ["x", "target", "mask"])
def test_a_tasks_masked_arrays_are_refused(name):
    def generate(rng, size, length):
        batch = TASK.generate(rng, size, length)
        return replace(batch, **{name: np.ma.array(getattr(batch, name))})

    masked = Trainer(network(), replace(TASK, generate=generate), length=4)
    with pytest.raises(TypeError, match="batch of the task: got a masked array, expected an array without a mask"):
        masked.run(1)


def test_parameters_that_share_an_array_are_refused():
    """As views of one buffer they would be two, and be trained apart without a word."""
    network = Chain(Dense(2, 2), Dense(2, 2))
    network.parts["1"].params["weight"] = network.parts["0"].params["weight"]
    with pytest.raises(ValueError, match=r"parameters '0.weight' and '1.weight' are one array"):
        Flat(network)
    layer = Dense(2, 2)
    assert Flat(Chain(layer, layer)).values.shape == (1, 6)

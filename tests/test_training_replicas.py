"""Replicas trained side by side: each has the bits that it has alone."""

import numpy as np
import pytest

from rnnbench import tasks
from rnnbench.layers import Network
from rnnbench.training import Stopping, Trainer
from rnnbench.training.clipping import Clip
from rnnbench.training.curricula import Curriculum
from rnnbench.training.optimisers import SGD, Adam
from rnnbench.training.schedules import Exponential

SEEDS = (3, 1, 4)
STEPS = 20


def trainer(cell, seed, task="adding", rate=1e-2, readout="every", embedding=None, init=None, hidden=9, **options):
    task = tasks.get(task)
    network = Network.build(
        cell, task.inputs, task.outputs, hidden, readout=readout, embedding=embedding, init=init, seed=seed
    )
    options = {"length": 12, "batch_size": 5, "optimiser": Adam(rate), "clip": Clip("norm", 0.5)} | options
    return Trainer(network, task, seed=seed, **options)


def assert_same_as_alone(together, alone, steps=STEPS):
    """`alone` makes the trainer of one replica from its number, with a replica axis or without."""
    told = together.run(steps)
    for r in range(together.network.copies):
        own = alone(r)
        history = own.run(steps)
        np.testing.assert_array_equal(together.flat.values[r], own.flat.values[0], err_msg=f"replica {r}")
        for name in ("loss", "norm"):
            theirs, mine = getattr(told, name)[: history.steps, r], getattr(history, name)[:, 0]
            np.testing.assert_array_equal(theirs, mine, err_msg=f"{name} of replica {r}")
        assert (told.outcomes[r], told.ended[r]) == (history.outcomes[0], history.ended[0])


CASES = {
    "last": {"readout": "last"},
    "every step": {"task": "parity", "embedding": None},
    "lengths": {"task": "adding", "length": 20},
    "window": {"task": "parity", "window": 5},
    "truncate": {"task": "parity", "truncate": 4},
    "positions": {"task": "parity", "mean": "positions"},
    "schedule": {"schedule": Exponential(0.9), "clip": Clip("value", 0.01)},
    "curriculum": {"task": "parity", "curriculum": Curriculum("combined", (3, 6, 12), raise_at=0.3, every=4, size=20)},
}


def options_of(case):
    options = dict(CASES[case])
    if options.get("task") == "parity":
        options["embedding"] = "one_hot" if tasks.get("parity").symbols else None
    return options


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_replica_trains_as_it_does_alone(cell, case):
    options = options_of(case)
    together = trainer(cell, list(SEEDS), **options)
    assert_same_as_alone(together, lambda r: trainer(cell, SEEDS[r], **options))
    assert together.history.steps == STEPS


def test_a_list_of_one_seed_is_that_replica_too():
    assert_same_as_alone(trainer("lstm", list(SEEDS)), lambda r: trainer("lstm", [SEEDS[r]]))


def test_settings_of_equal_shape_train_side_by_side():
    rates, inits = [1e-3, 1e-2, 3e-2], ["uniform", {"name": "orthogonal"}, {"name": "gaussian", "gain": 0.5}]
    together = trainer("gru", [0, 0, 0], rate=rates, init=inits)
    assert_same_as_alone(together, lambda r: trainer("gru", 0, rate=rates[r], init=inits[r]))


def test_a_replica_that_diverges_leaves_the_others_alone():
    options = {"optimiser": SGD([0.01, 1e30, 0.02]), "clip": None, "readout": "last"}
    together = trainer("elman", list(SEEDS), **options)
    assert_same_as_alone(
        together, lambda r: trainer("elman", SEEDS[r], **options | {"optimiser": SGD(options["optimiser"].rate[r])})
    )
    assert together.history.outcomes == ["training", "diverged", "training"]
    ended = together.history.ended[1]
    assert 0 < ended < STEPS and not np.isfinite(together.history.loss[ended - 1, 1])
    assert np.isnan(together.history.loss[ended:, 1]).all() and np.isfinite(together.history.loss[:, [0, 2]]).all()


def test_a_replica_that_has_solved_the_task_leaves_the_others_alone():
    # so generous that some replicas are done at the first look and some are not
    options = {"readout": "last", "stopping": Stopping(every=5, size=40, wrong=0.9), "rate": [1e-3, 3e-2, 1e-1]}
    together = trainer("lstm", list(SEEDS), **options)
    rates = options.pop("rate")
    assert_same_as_alone(together, lambda r: trainer("lstm", SEEDS[r], rate=rates[r], **options))
    assert len(set(together.history.ended)) > 1


def test_a_replica_that_has_ended_stays_at_its_level():
    options = {
        "readout": "last", "optimiser": SGD([0.01, 1e30]), "clip": None,
        "curriculum": Curriculum("naive", (4, 6, 8, 10, 12), raise_at=0.0, every=5, size=5),
    }  # fmt: skip
    together = trainer("elman", [3, 1], **options)
    alone = [trainer("elman", seed, **options | {"optimiser": SGD(rate)}) for seed, rate in ((3, 0.01), (1, 1e30))]
    for one in (together, *alone):
        one.run(STEPS)
    assert together.history.outcomes == ["training", "diverged"]
    assert together.level.tolist() == [one.level[0] for one in alone]


def test_rows_of_several_lengths_do_not_tie_replicas_together():
    task = tasks.get("adding", "pascanu")
    network = Network.build("gru", task.inputs, task.outputs, 6, seed=[0, 1])
    fed = Trainer(network, task, length=40, batch_size=7, seed=[0, 1]).feed.next()
    assert fed.uneven  # else the next test shows nothing
    options = {"length": 40, "batch_size": 7, "optimiser": Adam(1e-2)}

    def make(seed):
        return Trainer(Network.build("gru", 2, 1, 6, seed=seed), task, seed=seed, **options)

    assert_same_as_alone(make([5, 6]), lambda r: make(5 + r))


@pytest.mark.parametrize("build", [{"readout": "last"}, {"bidirectional": True}, {"readout": "mean"}])
def test_a_network_that_sees_where_a_row_ends_takes_replicas_of_one_length_only(build):
    task = tasks.get("adding", "pascanu")
    network = Network.build("gru", task.inputs, task.outputs, 6, seed=[0, 1], **build)
    with pytest.raises(ValueError, match="replicas: their rows differ in length"):
        Trainer(network, task, length=40, batch_size=7, seed=[0, 1]).run(3)
    alone = Network.build("gru", task.inputs, task.outputs, 6, seed=[0], **build)
    assert Trainer(alone, task, length=40, batch_size=7, seed=[0]).run(3).steps == 3


def test_a_network_whose_readout_starts_at_0_is_looked_at_again():
    task = tasks.get("reber")
    network = Network.build("gru", task.inputs, task.outputs, 6, embedding="one_hot", seed=[0, 1], bidirectional=True)
    network.parts["readout"].params["weight"][...] = 0  # nothing can be seen at the first batch
    with pytest.raises(ValueError, match="replicas: their rows differ in length"):
        Trainer(network, task, batch_size=7, seed=[0, 1]).run(5)


def test_replicas_with_dropout_do_not_depend_on_each_other_where_the_task_draws_the_length():
    def go(seed):
        net = Network.build(
            "gru", 7, 7, 5, embedding="one_hot", seed=seed, dtype="float64", dropout=0.3, device="reference"
        )
        one = Trainer(net, tasks.get("reber"), length=2, batch_size=4, seed=seed)
        one.run(8)
        return one.flat.values

    np.testing.assert_allclose(go([0, 1])[1], go(1)[0], rtol=1e-9)

"""What a training refuses before it begins, or between two steps; and what its checkpoints tell apart."""

import numpy as np
import pytest

from rnnbench import Recurrent, tasks
from rnnbench.layers import Chain, Dense, Network, Scan, saving
from rnnbench.layers.tree import Tree
from rnnbench.training import Stopping, Trainer, evaluate
from rnnbench.training.curricula import Curriculum
from rnnbench.training.optimisers import SGD
from rnnbench.training.regularisers import Omega
from rnnbench.training.schedules import Exponential, Step


def network(seed=0, **options):
    return Network.build("elman", 1, 1, 3, seed=seed, device="reference", **options)


def trainer(net=None, task="parity", **options):
    task = tasks.get(task) if isinstance(task, str) else task
    return Trainer(network() if net is None else net, task, **{"length": 4, "batch_size": 3} | options)


def regularised():
    hidden = Omega(Recurrent("elman", 2, 4, device="reference"), 0.5)
    return Chain(hidden=hidden, readout=Dense(4, 1))


def test_a_regularised_network_is_saved_and_goes_on(tmp_path):
    one, other = (trainer(regularised(), "adding") for _ in range(2))
    one.run(2)
    one.save(tmp_path / "run.npz")
    other.load(tmp_path / "run.npz")
    assert one.network.parts["hidden"].value > 0
    np.testing.assert_equal(other.run(2).arrays(), one.run(2).arrays())
    saving.load(regularised(), tmp_path / "run.npz")


@pytest.mark.parametrize(
    "name, options", [("parity", {"lengths": "uniform"}), ("adding", {"scale": 0.5}), ("characters", {})]
)
def test_a_checkpoint_of_a_task_with_other_options_is_refused(tmp_path, name, options):
    if name == "characters":  # another text of the same letters
        for file, text in (("a.txt", "abcdef" * 20), ("b.txt", "fedcba" * 20)):
            (tmp_path / file).write_text(text)
        first, second = (tasks.get(name, text=tmp_path / file) for file in ("a.txt", "b.txt"))
        net = lambda: Network.build("elman", 6, 6, 3, embedding="one_hot", device="reference")  # noqa: E731
    else:
        first, second = tasks.get(name), tasks.get(name, **options)
        net = lambda: Network.build("elman", first.inputs, 1, 3, device="reference")  # noqa: E731
    one = trainer(net(), first)
    one.save(tmp_path / "run.npz")
    trainer(net(), first).load(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"task is .*, expected "):
        trainer(net(), second).load(tmp_path / "run.npz")


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(bidirectional=True),
        lambda: Chain(hidden=Scan(Recurrent("elman", 1, 3), reverse=True), readout=Dense(3, 1)),
    ],
)
def test_windows_of_a_network_that_reads_backwards_are_refused(make):
    with pytest.raises(ValueError, match=r"window: got 2, expected None with a network that reads backwards"):
        trainer(make(), window=2)
    assert trainer(make()).run(1).steps == 1


@pytest.mark.parametrize("call", [lambda net, task: Trainer(net, task), lambda net, task: evaluate(net, task, size=2)])
def test_a_network_that_does_not_fit_the_task_is_refused(call):
    task = tasks.get("parity")
    with pytest.raises(TypeError, match="network: got int, expected a layer"):
        call(3, task)
    with pytest.raises(ValueError, match="network: got output_size 2, expected 1, the outputs of 'parity'"):
        call(Network.build("elman", 1, 2, 3, device="reference"), task)


def test_a_network_that_answers_once_is_refused_where_every_step_is_scored():
    once = network(readout="last")
    with pytest.raises(ValueError, match="it answers once a sequence, but the task scores 4 times as many positions"):
        trainer(once).run(1)
    with pytest.raises(ValueError, match="it answers once"):
        evaluate(once, tasks.get("parity"), size=5, length=4)
    trainer(once, tasks.get("parity", "final")).run(1)


def test_lengths_that_the_task_does_not_take_are_refused_at_once(tmp_path):
    (tmp_path / "text.txt").write_text("hello hello ")
    task = tasks.get("characters", text=tmp_path / "text.txt")
    net = Network.build("elman", task.inputs, task.outputs, 3, embedding="one_hot", device="reference")
    for options in ({"stopping": Stopping(length=100)}, {"curriculum": Curriculum("mix", (1, 100))}, {"length": 100}):
        with pytest.raises(ValueError, match="got 100, expected at most"):
            trainer(net, task, **options)


@pytest.mark.parametrize(
    "net, told",
    [
        (lambda: Chain(tree=Tree(2, 3), readout=Dense(3, 1)), "a tree has no time to cut"),
        (regularised, "Omega is about the whole way back"),
    ],
)
def test_truncation_is_refused_before_any_gradient_is_added(net, told):
    net = net()
    y, _ = net.forward(np.ones((3, 2, 2), np.float32))
    with pytest.raises(ValueError, match=f"truncate: got 2, expected None: {told}"):
        net.backward(np.ones_like(y), truncate=2)
    assert not any(grad.any() for grad in net.gradients().values())
    net.backward(np.ones_like(y))  # the tape is still there
    with pytest.raises(ValueError, match=told):
        trainer(net, "adding", truncate=2)


@pytest.mark.parametrize("factor", [np.nan, np.inf, -1.0, None, np.ones(2), True])
def test_a_schedule_that_gives_no_number_stops_before_the_step(factor):
    one = trainer(schedule=lambda step: factor if step == 1 else 1.0, optimiser=SGD(0.1))
    one.run(1)
    before, fed = one.flat.values.copy(), one.feed.place
    with pytest.raises(ValueError, match=r"schedule at step 1: got .*, expected a number >= 0"):
        one.run(2)
    np.testing.assert_array_equal(one.flat.values, before)
    assert one.feed.place == fed  # no batch is lost


def test_a_schedule_that_grows_beyond_all_numbers():
    assert Exponential(2.0)(5000) == Step(1, 3)(5000) == np.inf


def halving(step):
    return 0.5**step


def test_a_function_of_the_users_own_is_a_schedule_that_goes_on(tmp_path):
    one, other = (trainer(schedule=halving) for _ in range(2))
    one.run(2)
    one.save(tmp_path / "run.npz")
    other.load(tmp_path / "run.npz")
    np.testing.assert_equal(other.run(2).arrays(), one.run(2).arrays())

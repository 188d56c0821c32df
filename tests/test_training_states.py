"""What a training carries from step to step and into files; what is refused before it begins; threads and forks."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from rnnbench import Recurrent, tasks
from rnnbench.kernels import memory
from rnnbench.layers import Chain, Dense, Network, saving
from rnnbench.layers.learned_state import learned_state
from rnnbench.layers.neural_turing_machine import NeuralTuringMachine
from rnnbench.layers.tree import Tree
from rnnbench.training import Stopping, Trainer, blas, evaluate
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


def test_parts_in_another_order_and_a_part_used_twice_are_other_networks(tmp_path):
    saving.save(Chain(a=Dense(2, 2, activation="tanh"), b=Dense(2, 2)), tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"network.order: got \['a', 'b'\], expected \['b', 'a'\]"):
        saving.load(Chain(b=Dense(2, 2), a=Dense(2, 2, activation="tanh")), tmp_path / "a.npz")
    saving.save(Chain(a=Dense(2, 2, seed=1), b=Dense(2, 2, seed=2)), tmp_path / "b.npz")
    both = Dense(2, 2)
    with pytest.raises(ValueError, match=r"network.parameters: got .*'b.bias'.*, expected"):
        saving.load(Chain(a=both, b=both), tmp_path / "b.npz")


def test_replicas_with_dropout_do_not_depend_on_each_other_where_the_task_draws_the_length():
    def go(seed):
        net = Network.build(
            "gru", 7, 7, 5, embedding="one_hot", seed=seed, dtype="float64", dropout=0.3, device="reference"
        )
        one = Trainer(net, tasks.get("reber"), length=2, batch_size=4, seed=seed)
        one.run(8)
        return one.flat.values

    np.testing.assert_allclose(go([0, 1])[1], go(1)[0], rtol=1e-9)


@pytest.mark.parametrize("where", [Recurrent("elman", 2, 3, device="reference").frozen, blas.one_thread])
def test_a_child_forked_while_another_thread_is_inside_goes_on(where):
    from rnnbench.layers import freezing

    lock = freezing._lock if where is not blas.one_thread else blas._lock
    held, go = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if not child:
        signal.alarm(10)
        with where():
            pass
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    go.set()
    thread.join()
    assert ended == 0


IN_TURN = """
import threading
import numpy
from threadpoolctl import threadpool_info
from rnnbench.training import blas

def threads():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

def first():
    with blas.one_thread():
        inside.wait(10)
        inside.wait(10)  # the other has come in

before, inside = threads(), threading.Barrier(2)
assert before and set(before) == {2}
thread = threading.Thread(target=first)
thread.start()
inside.wait(10)
with blas.one_thread():
    inside.wait(10)
    thread.join()
    assert set(threads()) <= {1}, threads()
assert threads() == before, threads()
"""


def test_blas_has_its_threads_back_whoever_leaves_last():
    # In a process of its own: in one that has forked, OpenBLAS does not tell its number of threads as it is.
    subprocess.run([sys.executable, "-c", IN_TURN], check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "2"})


@pytest.mark.parametrize("steps, lengths", [(2, [2, 0]), (0, [0, 0])])
def test_a_learned_start_of_a_controller_is_credited_with_rows_that_never_ran(steps, lengths):
    net = NeuralTuringMachine(2, 1, slots=3, width=2, hidden_size=3, controller=learned_state("elman"), dtype="float64")
    x, d = np.ones((steps, 2, 2)), np.array([[0.0, 0, 0], [1, 2, 3]])
    net.forward(x, lengths=np.array(lengths))
    net.backward(None, {"controller": {"h": d}})
    np.testing.assert_allclose(net.parts["controller"].grads["initial_h"], [1, 2, 3])
    net.forward(x, {"controller": {"h": np.zeros((2, 3))}}, lengths=np.array(lengths))
    net.zero_grad()
    _, dstate = net.backward(None, {"controller": {"h": d}})
    assert not net.parts["controller"].grads["initial_h"].any()
    np.testing.assert_allclose(dstate["controller"]["h"], d)


def test_a_tape_beyond_the_memory_is_refused_before_anything_is_made(monkeypatch):
    layer = Recurrent("elman", 1, 64)
    with pytest.raises(MemoryError, match=r"x: the tape of its 1000000 steps of 20 rows takes .* GiB, expected"):
        monkeypatch.setattr(memory, "available", lambda: 2.0**29)
        layer.forward(np.broadcast_to(np.float32(0), (1_000_000, 20, 1)))
    monkeypatch.undo()
    assert 0 < memory.available() < 2**60


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
    "name, options", [("anbn", {"least": 20}), ("anbncn", {"least": 30}), ("lookahead", {"ahead": 30})]
)
def test_the_default_length_is_one_that_the_task_takes(name, options):
    task = tasks.get(name, **options)
    task.batch(np.random.default_rng(0), 2)
    assert task.length >= task.shortest


@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(0)])
def test_what_is_no_generator_is_refused(rng):
    with pytest.raises(TypeError, match=r"rng: got .*, expected a numpy.random.Generator"):
        tasks.get("parity").batch(rng, 2)


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
    before = one.flat.values.copy()
    with pytest.raises(ValueError, match=r"schedule at step 1: got .*, expected a number >= 0"):
        one.run(2)
    np.testing.assert_array_equal(one.flat.values, before)


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


def test_chrono_holds_for_the_sum_of_two_biases():
    init = {"name": "uniform", "chrono": 30.0}
    params = Recurrent("lstm", 1, 50, bias="torch", init=init, device="reference").params
    i, f, *_ = np.split(params["bias_ih"] + params["bias_hh"], 4)
    np.testing.assert_array_equal(i, -f)
    assert f.min() >= 0 and f.max() <= np.log(29)
    with pytest.raises(ValueError, match=r"init: got forget_bias 1.0 beside chrono, expected one of them"):
        Recurrent("lstm", 1, 2, init=init | {"forget_bias": 1.0})
    with pytest.raises(ValueError, match="init: gain nan is not a number"):
        Recurrent("lstm", 1, 2, init={"name": "orthogonal", "gain": np.nan})

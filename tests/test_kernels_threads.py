"""Worker threads: every task runs once, errors arrive, and the caller's thread is left as it was."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from rnnbench import Recurrent
from rnnbench.kernels import threads


@pytest.fixture(autouse=True)
def restored():
    yield
    threads.set_num_threads(None)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("tasks", [0, 1, 2, 20])
def test_every_task_runs_once(count, tasks):
    threads.set_num_threads(count)
    done = []
    threads.run(lambda a, b: done.append((a, b)), [(i, -i) for i in range(tasks)])
    assert sorted(done) == [(i, -i) for i in range(tasks)]


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_arrives_after_all_threads_have_stopped(count):
    threads.set_num_threads(count)
    running = []

    def task(i):
        running.append(i)
        if i == 1:
            raise ZeroDivisionError("task 1")

    with pytest.raises(ZeroDivisionError, match="task 1"):
        threads.run(task, [(i,) for i in range(4)])
    before = len(running)
    threads.run(running.append, [(9,)])
    assert len(running) == before + 1


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="processors of a thread can be asked for on Linux only"
)
def test_the_caller_may_run_where_it_could_before():
    threads.set_num_threads(2)
    before = os.sched_getaffinity(0)
    seen = []
    threads.run(lambda i: seen.append(os.sched_getaffinity(0)), [(i,) for i in range(50)])
    assert os.sched_getaffinity(0) == before
    assert all(mask <= before for mask in seen)


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2"])
def test_a_bad_number_is_refused(value):
    with pytest.raises(ValueError, match=r"threads: got .*, expected an integer >= 1 or None"):
        threads.set_num_threads(value)


def test_the_environment_decides(monkeypatch):
    monkeypatch.setenv("RNNBENCH_NUM_THREADS", "3")
    assert threads.get_num_threads() == 3
    monkeypatch.setenv("RNNBENCH_NUM_THREADS", "many")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads.get_num_threads() == 5


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor gives one thread")
def test_as_many_threads_as_processors_unless_told(monkeypatch):
    monkeypatch.delenv("RNNBENCH_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads.set_num_threads(None)
    seen = set()
    barrier = threading.Barrier(2, timeout=30)

    def task(i):
        seen.add(threading.get_ident())
        if i < 2:
            barrier.wait()  # passes only if two threads are at work

    for _ in range(3):
        threads.run(task, [(i,) for i in range(4)])
        assert threads.get_num_threads() == len(os.sched_getaffinity(0))
    assert len(seen) >= 2


def forward(_=None):
    layer = Recurrent("lstm", 16, 64)
    return layer.forward(np.ones((20, 32, 16), np.float32))[0]


def test_layers_in_several_python_threads():
    threads.set_num_threads(2)
    expected, results = forward(), []
    workers = [threading.Thread(target=lambda: results.append(forward())) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4
    for y in results:
        np.testing.assert_array_equal(y, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python warns of any fork with threads around
def test_a_forked_child_works():
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    threads.set_num_threads(2)
    expected = forward()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        y = pool.apply_async(forward).get(timeout=60)
    np.testing.assert_array_equal(y, expected)

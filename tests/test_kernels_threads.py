"""Worker threads: every task runs once, teams meet, helpers sleep and wake, and the caller is left as it was."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import taken
from numba.core import types

from rnnbench import Recurrent
from rnnbench.kernels import cpu, split, threads
from rnnbench.kernels.cpu import planned
from rnnbench.kernels.crew import ASLEEP, count, look, meet
from rnnbench.kernels.emit import compile_task
from rnnbench.kernels.plan import Sizes
from rnnbench.kernels.table import numbers


@pytest.fixture(autouse=True)
def restored():
    yield
    threads.set_num_threads(None)


def add_one(build, task):
    line = numbers(task)
    line[0] += 1


def meet_often(build, task):
    line, team = numbers(task), numbers(task + 16)
    for _ in range(line[0]):
        count(line[1])
        meet(team)
        if look(line[1]) % team[1] != 0:  # somebody went on before the last had come
            line[0] = -1
        meet(team)


def compiled(function):
    return compile_task(function, types.float32).address


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("tasks", [0, 1, 2, 20])
def test_every_task_runs_once(workers, tasks):
    threads.set_num_threads(workers)
    lines = np.zeros((tasks, 3), np.int64)
    for rounds in range(1, 4):
        threads.run(compiled(add_one), lines)
        np.testing.assert_array_equal(lines[:, 0], rounds)
    assert not lines[:, 1:].any()


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("rows", [32, 150])
@pytest.mark.parametrize("ragged", [True, False])
def test_blocks_have_equally_much_to_do(workers, rows, ragged):
    steps = 1000
    lengths = np.sort(np.random.default_rng(0).integers(0, steps + 1, rows))[::-1] if ragged else np.full(rows, steps)
    lengths[-1] = 0 if ragged else steps
    layer = Recurrent("gru", 16, 128)
    sizes = Sizes(layer.layout, layer.dtype, 1, steps, rows)
    blocks = split.blocks_of(sizes, (lengths > np.arange(steps)[:, None]).sum(axis=1), workers)
    assert [b for _, b in blocks[:-1]] == [a for a, _ in blocks[1:]] and (blocks[0][0], blocks[-1][1]) == (0, rows)
    assert len(blocks) % workers == 0 and (ragged or len(blocks) == workers)
    work = [lengths[a:b].sum() for a, b in blocks]
    assert max(work) - min(work) <= 2 * steps  # about a row


@pytest.mark.parametrize("polite", [False, True])
@pytest.mark.parametrize("workers", [2, 3])
def test_a_team_meets(workers, polite):
    threads.set_num_threads(workers)
    counters, pause = np.zeros(16, np.int64), threads.pause() if polite else 0
    start = counters.ctypes.data
    lines = np.array([(500, start, i, workers, start + 64, 0, pause) for i in range(workers)], np.int64)
    threads.run(compiled(meet_often), lines, lines[:1])
    assert counters[0] == 500 * workers
    np.testing.assert_array_equal(lines[:, 0], 500)


def test_a_caller_works_alone_while_the_helpers_are_taken():
    threads.set_num_threads(2)
    together, alone = np.zeros((2, 3), np.int64), np.zeros((1, 3), np.int64)
    with taken():
        threads.run(compiled(add_one), together, alone)
        assert alone[0, 0] == 1 and not together.any()
        threads.run(compiled(add_one), together)
    assert together[:, 0].tolist() == [1, 1]


def test_helpers_fall_asleep_and_wake_up():
    threads.set_num_threads(2)
    lines = np.zeros((2, 3), np.int64)
    for _ in range(3):
        threads.run(compiled(add_one), lines)
        deadline = time.monotonic() + 20
        while threads._crew.helpers[0].mailbox[0] != ASLEEP:
            assert time.monotonic() < deadline, "a helper looks into its mailbox for ever"
            time.sleep(0.001)
    assert lines[:, 0].tolist() == [3, 3]


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="processors of a thread can be asked for on Linux only"
)
def test_the_caller_may_run_where_it_could_before():
    threads.set_num_threads(2)
    before = os.sched_getaffinity(0)
    for _ in range(50):
        threads.run(compiled(add_one), np.zeros((4, 3), np.int64))
    assert os.sched_getaffinity(0) == before
    assert all(h.processor is None or h.processor in before for h in threads._crew.helpers)


def test_a_process_ends_while_a_helper_looks_into_its_mailbox():
    program = "from rnnbench import Recurrent; import numpy as np; from rnnbench.kernels import threads;"
    program += "threads.set_num_threads(2); Recurrent('lstm', 16, 64).forward(np.ones((20, 32, 16), np.float32))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


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


def test_as_many_threads_as_processors_unless_told(monkeypatch):
    monkeypatch.delenv("RNNBENCH_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads.set_num_threads(None)
    assert threads.get_num_threads() == len(os.sched_getaffinity(0))


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


@pytest.mark.parametrize("rows", [2, 40])
def test_callers_in_several_threads_get_what_they_get_alone(rows):
    """Programs and rooms of a call wait for the next one: two calls at a time must not share them."""
    layer = Recurrent("lstm", 8, 64, seed=0)
    inputs = [np.random.default_rng(i).normal(size=(300, rows, 8)).astype(np.float32) for i in range(4)]
    alone = [layer.forward(x, tape=False)[0] for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            together = list(pool.map(lambda x: layer.forward(x, tape=False)[0], inputs))
            for one, other in zip(alone, together, strict=True):
                np.testing.assert_array_equal(one, other)


def test_a_team_meets_again_in_the_next_call():
    """What its parts count starts at 0 in each call, though their tasks are those of the call before."""
    threads.set_num_threads(2)
    layer = Recurrent("gru", 32, 192, seed=0)
    x = np.random.default_rng(0).normal(size=(20, 6, 32)).astype(np.float32)  # one tile, with and without AVX-512
    assert split.is_team(Sizes(layer.layout, x.dtype, 1, 20, 6))
    first, *others = (layer.forward(x, tape=False)[0] for _ in range(5))
    assert all(np.array_equal(first, other) for other in others)
    for _ in range(3):
        layer.forward(x)
        layer.backward(np.ones_like(first))


def test_an_even_batch_is_shared_out_anew_for_another_number_of_threads():
    layer = Recurrent("gru", 16, 128)
    sizes, active = Sizes(layer.layout, layer.dtype, 1, 1000, 150), np.full(1000, 150)
    blocks = {}
    for workers in (1, 2, 3, 1):
        threads.set_num_threads(workers)
        split_up = split.split_of(sizes, active.copy())
        assert len(split_up.blocks) == split_up.threads == workers
        assert blocks.setdefault(workers, split_up) is split_up
    ragged = np.minimum(active, np.arange(1000, 0, -1))
    assert split.split_of(sizes, ragged) is not split.split_of(sizes, ragged)


class Interrupted(Exception):
    pass


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupts come from a timer here")
def test_an_interrupted_call_leaves_the_helpers_as_they_were():
    """A helper that was not told of its part, or a caller that goes on before it is done, would hang or spoil all."""

    def interrupt(*_):
        if going:
            raise Interrupted

    threads.set_num_threads(3)
    lines, alone = np.zeros((3, 7), np.int64), np.zeros((3, 7), np.int64)
    counters = np.zeros(16, np.int64)
    function, start = compiled(meet_often), counters.ctypes.data
    before, going, interrupted = signal.signal(signal.SIGALRM, interrupt), False, 0
    try:
        for i in range(1500):
            lines[...] = [(1, start, part, 3, start + 64, 0, threads.pause()) for part in range(3)]
            counters[...] = 0
            going = True
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + i % 60))
                for _ in range(5):
                    lines[:, 5], counters[8] = 0, 0
                    threads.run(function, lines, alone)
            except Interrupted:
                interrupted += 1
            finally:
                going = False
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 100
    lines[:, :2], lines[:, 5], counters[...], alone[...] = (1, start), 0, 0, -1
    threads.run(function, lines, alone)
    assert counters[0] == 3 and (alone == -1).all()


def test_threads_may_plan_for_one_layout():
    """More shapes than are kept: each thread throws plans away while others make some."""
    layout, before = SimpleNamespace(plans={}), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: [planned(layout, (n, i), object) for i in range(20_000)], range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(layout.plans) < 2 * cpu.PLANS

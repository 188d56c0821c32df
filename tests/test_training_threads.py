"""Trainings in several threads, and in forked children."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from rnnbench import Recurrent
from rnnbench.layers import freezing
from rnnbench.training import blas


@pytest.mark.parametrize("where", [Recurrent("elman", 2, 3, device="reference").frozen, blas.one_thread])
def test_a_child_forked_while_another_thread_is_inside_goes_on(where):
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

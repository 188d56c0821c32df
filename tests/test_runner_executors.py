"""Serial, pool and cluster give the same results; a dying worker costs one trial."""

import functools
import multiprocessing
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from toy_experiments import TOY, toy_trials, write_toy

from rnnbench.runner import executors
from rnnbench.runner.discovery import CHECKOUT
from rnnbench.runner.errors import UserError


def nothing():
    """Prepare nothing; at module level, so that it can be pickled."""


def rows(results):
    return {trial.key: (record["status"], record["rows"]) for trial, record in results}


def test_a_pool_gives_what_one_process_gives(tmp_path):
    trials = toy_trials(write_toy(tmp_path), "paper", mode="plain,fail,diverge")
    assert rows(executors.pool(trials, 2, nothing)) == rows(executors.serial(trials))


def test_a_dying_worker_costs_its_trial_only(tmp_path):
    trials = toy_trials(write_toy(tmp_path), "paper", mode="die,plain")
    results = list(executors.pool(trials, 2, nothing))
    assert sorted(trial.key for trial, _ in results) == sorted(trial.key for trial in trials)
    for trial, record in results:
        died = trial.setting["mode"] == "die"
        assert record["status"] == ("failed" if died else "ok")
        assert not died or "signal 9" in record["error"]["message"]


def test_a_closed_pool_leaves_no_process(tmp_path):
    source = TOY.replace(
        '    match setting["mode"]:',
        '    import time; time.sleep(60 * setting["replica"])\n    match setting["mode"]:',
    )
    results = executors.pool(toy_trials(write_toy(tmp_path, source=source), "quick"), 2, nothing)
    next(results)
    results.close()
    assert not multiprocessing.active_children()


def test_no_more_workers_start_than_there_are_trials(tmp_path):
    results = executors.pool(toy_trials(write_toy(tmp_path)), 9, nothing)
    next(results)
    assert len(multiprocessing.active_children()) <= 2
    results.close()


def test_workers_end_when_their_parent_is_killed(tmp_path):
    source = TOY.replace(
        '    match setting["mode"]:',
        '    import pathlib, time; pathlib.Path(setting["mode"]).write_text(str(os.getpid())); time.sleep(60)\n'
        '    match setting["mode"]:',
    )
    mark = tmp_path / "mark"
    command = [sys.executable, "-m", "rnnbench", "run", "toy", "--experiments", write_toy(tmp_path, source=source)]
    command += ["--workers", "2", "--set", f"mode={mark}", "--results", tmp_path / "results"]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, stderr=subprocess.DEVNULL)
    while not (mark.exists() and mark.read_text()):
        assert parent.poll() is None
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    worker, end = Path(f"/proc/{mark.read_text()}/stat"), time.monotonic() + 20
    while worker.exists() and worker.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_workers_share_the_processors(tmp_path, monkeypatch):
    for name in (*executors.THREAD_LIMITS, "RNNBENCH_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    trials = toy_trials(write_toy(tmp_path))
    assert {record["provenance"]["threads"] for _, record in executors.pool(trials, 2, nothing)} == {3}
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_worker_is_prepared(tmp_path):
    mark = tmp_path / "mark"
    trials = toy_trials(write_toy(tmp_path / "toys"))
    assert len(list(executors.pool(trials, 1, functools.partial(mark.write_text, "here")))) == 2
    assert mark.read_text() == "here"


def test_a_cluster_without_dask_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"rnnbench\[cluster\]"):
        next(executors.cluster([], "tcp://localhost:1", nothing))


class Future:
    """What the runner uses of a dask future."""

    def __init__(self, value=None, error=None):
        self.value, self.error = value, error

    def exception(self):
        return self.error

    def result(self):
        return self.value


class Client:
    """A cluster in this process that loses every second trial."""

    closed = False

    def __init__(self, address, timeout):
        if "nobody" in address:
            raise OSError("timed out")
        self.submitted = 0

    def submit(self, function, *arguments, pure):
        assert pure is False
        self.submitted += 1
        return Future(error=RuntimeError("killed")) if self.submitted % 2 else Future(function(*arguments))

    def cancel(self, futures):
        pass

    def close(self):
        Client.closed = True


@pytest.fixture
def dask(monkeypatch):
    fake = types.SimpleNamespace(Client=Client, as_completed=list)
    monkeypatch.setitem(sys.modules, "distributed", fake)


def test_a_cluster_runs_trials_and_tells_lost_ones(tmp_path, dask):
    trials = toy_trials(write_toy(tmp_path))
    statuses = [record["status"] for _, record in executors.cluster(trials, "tcp://host:1", nothing)]
    assert statuses == ["failed", "ok"] and Client.closed


def test_a_cluster_that_does_not_answer_is_one_sentence(dask):
    with pytest.raises(UserError, match="--cluster got 'tcp://nobody:1'"):
        next(executors.cluster([], "tcp://nobody:1", nothing))

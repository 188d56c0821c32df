"""What uses a layer on a GPU, in Numba's simulator: training, and a trial of the throughput experiment."""

import importlib
import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from helpers import assert_close
from test_cuda_simulator import cuda, pytestmark  # noqa: F401 (the fixture: small blocks)

from rnnbench import tasks
from rnnbench.kernels import cuda_host
from rnnbench.layers import Network
from rnnbench.peers import cuda_trial, measure, own, trial, worker
from rnnbench.peers.tasks import DIRECTIONS, NotSupported, Shape, Task
from rnnbench.training import Trainer
from rnnbench.training.optimisers import SGD
from rnnbench.training.scaling import LossScale

if cuda_host.simulated():  # these import numba.cuda
    from rnnbench.kernels import cuda_rates
    from rnnbench.peers import cuda_parts, own_cuda


def test_training_with_a_scaled_loss_is_what_it_is_elsewhere():
    task, trained = tasks.get("parity"), {}
    for device in ("cuda", "reference"):
        network = Network.build("elman", task.inputs, task.outputs, 3, dtype="float64", device=device)
        scale = LossScale(2.0**10) if device == "cuda" else None
        trainer = Trainer(network, task, optimiser=SGD(0.1), batch_size=2, length=3, loss_scale=scale)
        trainer.run(1)
        trained[device] = trainer.flat.values
    assert_close(trained["cuda"], trained["reference"], 1e-12, "parameters")


class InThisProcess:
    """What the worker of a peer answers, without the process."""

    def __init__(self, module):
        self.server, self.alive, self.pid = worker.Server(importlib.import_module(module)), True, 0

    def ask(self, seconds=0.0, **request):
        reply = json.loads(json.dumps(self.server.answer(request)))
        if "unsupported" in reply:
            raise NotSupported(reply["unsupported"])
        assert "ok" in reply, reply
        return reply["ok"]


@pytest.fixture
def processes(monkeypatch):
    """A trial's processes, here."""
    made = {}
    monkeypatch.setattr(measure, "alone", nullcontext)
    monkeypatch.setattr(
        trial.Session, "process", lambda _, name, peer: made.setdefault(peer.module, InThisProcess(peer.module))
    )
    for module in (own_cuda, cuda_parts):
        monkeypatch.setattr(module, "load", lambda: None)
    for name, small in (("THREADS", 2), ("WAITS", 3), ("PASSES", 2), ("LEAST_BYTES", 256)):
        monkeypatch.setattr(cuda_parts, name, small)
    return made


def test_times_of_the_simulator_are_not_told():
    for module in (own_cuda, cuda_parts):
        with pytest.raises(NotSupported, match="Numba's simulator is no GPU to time anything on"):
            module.load()


def test_a_trial_of_the_throughput_experiment(processes, monkeypatch):
    """Both drivers give the reference's numbers, and the parts of the floor what they say they do."""
    launched, launch = [], cuda_host.launch

    def noted(*given, **shared):
        launched.append(given)
        launch(*given, **shared)

    monkeypatch.setattr(cuda_host, "launch", noted)
    task = Task("lstm", None, Shape(2, 2, 2, 3), "inference", 1)
    rows = cuda_trial.rows(task, "ieee", "none", 1, np.random.default_rng(0), section=1e-9, pause=0.0)
    assert [(r["direction"], r["peer"]) for r in rows] == [
        (direction, peer) for direction in DIRECTIONS for peer in ("persistent", "portable", "floor")
    ]
    for row in rows:
        assert row["outcome"] == "ok", row["detail"]
        if row["peer"] == "floor":
            assert row["waits"] == {"inference": 1, "training": 2}[row["direction"]]
            assert row["floor_us"] > row["barriers_us"] > 0
        else:
            assert 0 < row["error"] < 1e-5
            assert row["over_floor"] > 0
    read = next(given for given in launched if given[0].__name__ == "read")
    assert read[-1] == 2 and read[3].size * 4 == 256  # passes over what is at least read


def test_what_the_floor_is_measured_with(processes):
    """Every number is read in every pass; the product is the product."""
    from numba import cuda as numba_cuda

    values, sums = np.arange(1, 13, dtype=np.float32), np.zeros(6, np.float32)
    given = numba_cuda.to_device(values), numba_cuda.to_device(sums)
    cuda_rates.read[3, 2](*given, 3)
    assert given[1].copy_to_host().sum() == 3 * values.sum()
    task = Task("lstm", None, Shape(2, 2, 2, 3), "inference", 1, "products ieee")
    job = cuda_parts.prepare(task, {})
    assert job.arrays(job.call()) == {"flops": 2 * 4 * 3 * 12}
    for variant, words in (("products tf32", "simulator has no tensor cores"), ("persistent fp16", "no tensor cores")):
        module = cuda_parts if "products" in variant else own_cuda
        with pytest.raises(NotSupported, match=words):
            module.prepare(replace(task, variant=variant), {})


def test_a_driver_that_does_not_fit_takes_no_part(monkeypatch):
    monkeypatch.setattr(cuda_host, "facts", lambda: (1, 64, True))
    task = Task("lstm", None, Shape(2, 2, 2, 3), "training", 1, "persistent ieee")
    with pytest.raises(NotSupported, match="driver: got 'persistent', but a block of 8 units needs"):
        own_cuda.prepare(task, own.make_arrays(task, np.random.default_rng(0)))

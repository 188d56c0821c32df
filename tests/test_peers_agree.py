"""Every peer gives our outputs, states and gradients, for every kind and odd shapes."""

import importlib

import numpy as np
import pytest

from rnnbench.peers import agree, own
from rnnbench.peers.process import Process
from rnnbench.peers.tasks import OWN, PEERS, NotSupported, Shape, Task

pytestmark = pytest.mark.peers

KINDS = [("elman", None), ("elman", "relu"), ("gru_reset_after", None), ("lstm", None)]
SHAPES = [Shape(1, 1, 1, 1), Shape(7, 3, 5, 17), Shape(12, 13, 2, 33)]
GRADIENTS = ("dx", "weight_ih", "weight_hh", "bias_ih", "bias_hh")


def needs(name):
    for library in PEERS[name].needs:
        pytest.importorskip(library, reason=f"{library} is not installed: make test-peers installs it")


def results(process, peer, task, folder):
    given = folder / "given.npz"
    np.savez(given, **own.make_arrays(task, np.random.default_rng(5)))
    given_task = Task(**{**task.__dict__, "variant": peer.variant})
    process.ask(do="prepare", job="a", task=given_task.as_json(), arrays=str(given))
    process.ask(do="results", job="a", path=str(folder / "made.npz"))
    with np.load(folder / "made.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("name", ["torch", "torch-plain", "onnxruntime", "jax"])
def test_a_peer_gives_our_numbers(name, tmp_path):
    needs(name)
    peer, compared = PEERS[name], 0
    with Process(OWN.module, 1) as ours, Process(peer.module, 1) as theirs:
        for cell, activation in KINDS:
            for shape in SHAPES:
                for direction in ("inference", "training") if peer.trains else ("inference",):
                    task = Task(cell, activation, shape, direction, 1)
                    made = [results(*who, task, tmp_path) for who in ((ours, OWN), (theirs, peer))]
                    states = ("h", "c") if cell == "lstm" else ("h",)
                    needed = ("y", *states, *(GRADIENTS if task.training else ()))
                    _, problem = agree.disagreement(*made, needed)
                    assert problem is None, f"{task}: {problem}"
                    compared += 1
    assert compared == len(KINDS) * len(SHAPES) * (2 if peer.trains else 1)


@pytest.mark.parametrize("name", ["torch", "onnxruntime", "jax"])
def test_a_peer_says_what_it_has_not(name):
    needs(name)
    module = importlib.import_module(PEERS[name].module)
    with pytest.raises(NotSupported, match="has no leaky layer"):
        module.prepare(Task("leaky", None, SHAPES[0], "inference", 1), {})
    with pytest.raises(NotSupported, match="has no elman layer with sigmoid"):
        module.prepare(Task("elman", "sigmoid", SHAPES[0], "inference", 1), {})


def test_onnx_runtime_does_not_train():
    needs("onnxruntime")
    from rnnbench.peers import onnx_peer

    with pytest.raises(NotSupported, match="inference only"):
        onnx_peer.prepare(Task("lstm", None, SHAPES[0], "training", 1), {})


def test_the_compiler_is_not_asked_to_unroll_long_sequences():
    needs("torch")
    from rnnbench.peers import torch_peer

    task = Task("lstm", None, Shape(26, 1, 1, 1), "inference", 1, "compile")
    with pytest.raises(NotSupported, match="up to T = 25 only"):
        torch_peer.prepare(task, own.make_arrays(task, np.random.default_rng(0)))

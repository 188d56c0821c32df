"""Loss scaling: nothing changes but what would have been lost; what overflows is left out and cured."""

import numpy as np
import pytest
from helpers import assert_same_bits

from rnnbench import tasks
from rnnbench.layers import Chain, Dense, Network, Recurrent
from rnnbench.training import Trainer
from rnnbench.training.clipping import Clip
from rnnbench.training.optimisers import SGD, Adam
from rnnbench.training.regularisers import Omega
from rnnbench.training.scaling import LossScale


def make(loss_scale=None, seed=0, cell="gru", **settings):
    task = tasks.get("parity")
    network = Network.build(cell, task.inputs, task.outputs, 6, seed=seed)
    settings = {"batch_size": 4, "length": 8, "optimiser": Adam(0.01)} | settings
    return Trainer(network, task, seed=seed, loss_scale=loss_scale, **settings)


@pytest.mark.parametrize(
    "settings", [{}, {"seed": [3, 1, 2]}, {"clip": Clip("norm", 0.1)}, {"window": 3}, {"mean": "positions"}], ids=str
)
def test_what_neither_overflows_nor_vanishes_has_the_same_bits(settings):
    plain, scaled = make(**settings), make(LossScale(2.0**10, every=3), **settings)
    for trainer in (plain, scaled):
        trainer.run(7)
    assert_same_bits(scaled.flat.values, plain.flat.values)
    assert_same_bits(scaled.history.norm, plain.history.norm)
    assert (scaled.loss_scale.scales == 2.0**12).all()  # doubled twice on the way


def test_what_a_coarse_format_loses_is_kept(monkeypatch):
    """The way back through a network that takes all that is small for 0."""

    def gradient(loss_scale, smallest):
        trainer = make(loss_scale)
        backward = trainer.network.backward

        def coarse(dy, **options):
            return backward(np.where(np.abs(dy) < smallest, 0, dy).astype(dy.dtype), **options)

        monkeypatch.setattr(trainer.network, "backward", coarse)
        trainer.run(1)
        return trainer.flat.grads.copy()

    full = gradient(None, 0.0)
    assert np.abs(full).max() > 0
    assert not gradient(None, 10.0).any()
    assert_same_bits(gradient(LossScale(2.0**20), 10.0), full)


def test_what_overflows_is_left_out_until_the_scale_is_small_enough():
    trainer = make(LossScale(2.0**130, every=5), optimiser=SGD(0.1))
    before = trainer.flat.values.copy()
    trainer.run(3)  # 2^130, 2^129 and 2^128 are infinite in float32
    assert_same_bits(trainer.flat.values, before)
    assert not np.isfinite(trainer.history.norm).any()
    assert np.isfinite(trainer.history.loss).all()
    trainer.run(20)
    assert trainer.history.outcomes == ["training"]
    assert np.isfinite(trainer.history.norm[-1])
    assert not np.array_equal(trainer.flat.values, before)
    assert trainer.loss_scale.scales[0] < 2.0**128


def test_replicas_have_scales_of_their_own():
    scale = LossScale(2.0**4, every=2)
    scale.start(3)
    finite = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 0]], bool)
    seen = [scale.judge(step).tolist() for step in finite]
    assert seen == [[False, False, True], [False, True, True], [False, False, True], [False, False, True], [False] * 3]
    assert scale.scales.tolist() == [2.0**6, 2.0**4, 1.0]
    assert scale.good.tolist() == [1, 1, 0]


@pytest.mark.parametrize("loss_scale", [None, LossScale(1.0), LossScale(2.0**15)], ids=str)
def test_what_is_no_number_anyway_has_diverged(loss_scale):
    trainer = make(loss_scale)
    trainer.flat.values[...] = np.nan
    trainer.run(2)
    assert trainer.history.outcomes == ["diverged"]


def test_at_a_scale_of_1_an_infinite_gradient_is_divergence(monkeypatch):
    for first, outcome in ((1.0, "diverged"), (2.0, "training")):
        trainer = make(LossScale(first))
        backward = trainer.network.backward

        def infinite(dy, backward=backward, **options):
            return backward(np.full_like(dy, np.inf), **options)

        monkeypatch.setattr(trainer.network, "backward", infinite)
        trainer.run(1)
        assert trainer.history.outcomes == [outcome]


def test_a_checkpoint_keeps_the_scale(tmp_path):
    whole = make(LossScale(2.0**10, every=3))
    whole.run(4)
    whole.save(tmp_path / "run.npz")
    resumed = make(LossScale(2.0**10, every=3))
    resumed.load(tmp_path / "run.npz")
    assert (resumed.loss_scale.scales.tolist(), resumed.loss_scale.good.tolist()) == ([2.0**11], [1])
    for trainer in (whole, resumed):
        trainer.run(5)
    assert_same_bits(resumed.flat.values, whole.flat.values)
    assert resumed.loss_scale.scales == whole.loss_scale.scales == [2.0**13]
    with pytest.raises(ValueError, match="loss_scale is LossScale"):
        make().load(tmp_path / "run.npz")


@pytest.mark.parametrize(
    ("make_it", "error", "told"),
    [
        (lambda: LossScale(3.0), ValueError, "first: got 3.0, expected a power of 2 of at least 1"),
        (lambda: LossScale(0.5), ValueError, "first: got 0.5, expected a power of 2 of at least 1"),
        (lambda: LossScale(np.inf), ValueError, "first: got inf, expected a power of 2 of at least 1"),
        (lambda: LossScale("big"), ValueError, "first: got 'big', expected a power of 2 of at least 1"),
        (lambda: LossScale(every=0), ValueError, "every: got 0"),
        (lambda: make(1024.0), TypeError, "loss_scale: got 1024.0, expected a LossScale or None"),
    ],
)
def test_bad_settings_are_refused(make_it, error, told):
    with pytest.raises(error, match=told):
        make_it()


def test_a_scale_may_serve_several_trainers():
    shared = LossScale(2.0**10, every=1)
    first, second = make(shared), make(shared)
    first.run(2)
    assert (first.loss_scale.scales, second.loss_scale.scales) == ([2.0**12], [2.0**10])


def test_omega_whose_gradient_would_not_be_scaled_is_refused():
    task = tasks.get("parity")
    network = Chain(hidden=Omega(Recurrent("elman", task.inputs, 6), 1.0), readout=Dense(6, task.outputs))
    with pytest.raises(ValueError, match=r"loss_scale: got LossScale.* expected None with Omega"):
        Trainer(network, task, loss_scale=LossScale())

"""The loop: what a step does, what it tells, what it refuses; evaluation, stopping, curricula."""

import numpy as np
import pytest

from rnnbench import Recurrent, tasks
from rnnbench.layers import Network
from rnnbench.tasks import Batch, Chance, Task
from rnnbench.training import Stopping, Trainer, evaluate, train
from rnnbench.training.clipping import Clip
from rnnbench.training.curricula import KINDS, Curriculum
from rnnbench.training.feed import Feed, longest_first
from rnnbench.training.flat import Flat
from rnnbench.training.losses import loss
from rnnbench.training.optimisers import SGD, Adam


def build(task, cell="elman", hidden=6, seed=0, **options):
    embedding = "one_hot" if task.symbols else None
    return Network.build(cell, task.inputs, task.outputs, hidden, embedding=embedding, seed=seed, **options)


def echo(ragged=False):
    """A toy: say the sign of the input of the step before; x tells which sequence of the stream it is."""

    def generate(rng, size, length):
        x = rng.normal(size=(length, size, 1))
        target = np.zeros((length, size), np.int64)
        target[1:] = x[:-1, :, 0] > 0
        mask = np.ones((length, size), bool)
        mask[0] = False
        lengths = rng.integers(2, length, size, endpoint=True) if ragged else None
        if ragged:
            after = np.arange(length)[:, None] >= lengths
            x[after], target[after], mask[after] = 0, 0, False
        return Batch(x, target, mask, lengths)

    def correct(outputs, batch):
        return ((outputs.argmax(axis=-1) == batch.target) | ~batch.mask).all(axis=0)

    return Task(
        "softmax", False, 1, 2, 8, 2, generate, lambda b: np.zeros((*b.mask.shape, 2)),
        lambda n: Chance(np.log(2), 0.5 ** (n - 1)), correct, "all signs right", name="echo",
    )  # fmt: skip


# ---- flat ----


@pytest.mark.parametrize("seed", [0, [0, 1, 2]])
def test_parameters_become_views_of_one_buffer(seed):
    network = Network.build("leaky", 2, 3, 4, seed=seed)  # its leak is a fixed parameter
    before = {key: value.copy() for key, value in network.parameters().items()}
    x = np.random.default_rng(0).normal(size=(*network.lead, 5, 2, 2)).astype(np.float32)
    expected, _ = network.forward(x, tape=False)
    flat = Flat(network)
    assert flat.values.flags.c_contiguous and flat.values.shape == flat.grads.shape
    assert network.fixed() == {"hidden.alpha"} and "hidden.alpha" not in flat.places
    for key, value in network.parameters().items():
        np.testing.assert_array_equal(value, before[key])
        assert np.shares_memory(value, flat.values) == (key in flat.places)
        assert np.shares_memory(network.gradients()[key], flat.grads) == (key in flat.places)
    y, _ = network.forward(x)
    np.testing.assert_array_equal(y, expected)
    network.backward(np.ones_like(y))
    for key, place in flat.places.items():
        np.testing.assert_array_equal(flat.grads[:, place].ravel(), network.gradients()[key].ravel())
        assert network.gradients()[key].any()
    assert sum(place.stop - place.start for place in flat.places.values()) == flat.values.shape[1]


def test_a_network_without_parameters_is_refused():
    from rnnbench.layers import Chain, Pool

    with pytest.raises(ValueError, match="no parameters to train"):
        Flat(Chain(Pool("mean")))


# ---- a step ----


@pytest.mark.parametrize("readout", ["every", "last"])
@pytest.mark.parametrize("mean", ["batch", "positions"])
def test_a_step_is_what_one_would_write_by_hand(readout, mean):
    task = tasks.get("adding") if readout == "last" else echo()
    options = {"batch_size": 5, "length": 9, "mean": mean, "clip": Clip("norm", 0.1), "optimiser": SGD(0.5)}
    trainer = Trainer(build(task, readout=readout, dtype="float64"), task, seed=7, **options)
    history = trainer.run(6)

    network = build(task, readout=readout, dtype="float64")
    data = np.random.default_rng(np.random.default_rng(7).bit_generator.seed_seq.spawn(2)[0])
    drawn = task.batch(data, trainer.feed.together * 5, 9)
    for n in range(6):
        rows = np.s_[:, 5 * n : 5 * n + 5]
        x, target, mask = (np.ascontiguousarray(a[rows]) for a in (drawn.x, drawn.target, drawn.mask))
        y, _ = network.forward(x)
        if readout == "last":
            target, mask = target[-1], mask[-1]
        value, dy = loss(task.loss, y, target, mask, mean=mean)
        network.zero_grad()
        network.backward(dy)
        gradient = np.concatenate([g.ravel() for g in network.gradients().values()])
        norm = np.linalg.norm(gradient)
        for key, p in network.parameters().items():
            p -= 0.5 * network.gradients()[key] * min(1, 0.1 / norm)
        assert history.norm[n, 0] == pytest.approx(norm, rel=1e-12)
        assert history.loss[n, 0] == pytest.approx(value if mean == "positions" else value * 5 / mask.sum(), rel=1e-12)
    for key, p in network.parameters().items():
        np.testing.assert_allclose(trainer.network.parameters()[key], p, rtol=1e-10)


def test_windows_carry_the_state_and_cut_the_gradient():
    task, options = echo(), {"batch_size": 3, "length": 10, "optimiser": SGD(0.0)}
    whole, cut = (Trainer(build(task, "gru"), task, **options, **more) for more in ({}, {"window": 4}))
    scored = np.array([3, 4, 2])  # of 4, 4 and 2 steps; the first is not scored
    lost = cut.run(6).loss[:, 0].reshape(2, 3)
    np.testing.assert_allclose((lost * scored).sum(axis=1) / 9, whole.run(2).loss[:, 0], rtol=1e-6)
    # at rate 0 the sum of the windows' gradients is that of the truncated backward pass
    trainer = Trainer(build(task, "gru", dtype="float64"), task, **options, window=5)
    total = []
    for _ in range(2):
        trainer.run(1)
        total.append(trainer.flat.grads.copy())
    truncated = Trainer(build(task, "gru", dtype="float64"), task, **options, truncate=5)
    truncated.run(1)
    np.testing.assert_allclose(sum(total), truncated.flat.grads, rtol=1e-9, atol=1e-12)
    whole = Trainer(build(task, "gru", dtype="float64"), task, **options)
    whole.run(1)
    assert not np.allclose(sum(total), whole.flat.grads, rtol=1e-3)


def test_events_tell_every_step():
    task, events = echo(), []
    history = train(
        build(task, seed=[0, 1]), task, 6, events.append, seed=[0, 1], stopping=Stopping(every=3, size=50, wrong=0.01)
    )
    assert [event.step for event in events] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal([event.loss for event in events], history.loss)
    np.testing.assert_array_equal([event.norm for event in events], history.norm)
    assert [event.success is not None for event in events] == [False, False, True] * 2
    assert history.looks.tolist() == [3, 6] and history.success.shape == (2, 2)
    assert events[-1].outcomes == ("training", "training") and history.ended.tolist() == [0, 0]


def test_divergence_is_seen_at_once_and_leaves_the_parameters_finite():
    task = echo()
    trainer = Trainer(build(task), task, optimiser=SGD(1e38))
    history = trainer.run(50)
    assert history.outcomes == ["diverged"] and history.steps == history.ended[0] < 50
    assert not (np.isfinite(history.loss[-1]) and np.isfinite(history.norm[-1]))
    assert np.isfinite(history.loss[:-1]).all()
    assert trainer.run(10).steps == history.steps  # nothing is left to train


def test_data_do_not_follow_from_the_stream_of_the_parameters():
    task = echo()
    x = Trainer(build(task, seed=3), task, seed=3).feed.next().x
    assert not np.isin(np.random.default_rng(3).normal(size=1000).astype(np.float32), x).any()


# ---- learning ----


def test_the_toy_is_learned_and_stopped_when_solved():
    task = echo()
    settings = {"optimiser": Adam(0.03), "stopping": Stopping(every=50, size=400, wrong=0.03), "seed": [0, 1]}
    network = build(task, hidden=16, seed=[0, 1])
    assert evaluate(network, task, size=200, seed=1).success.max() < 0.2
    history = train(network, task, 2000, **settings)
    assert history.outcomes == ["solved", "solved"] and (history.ended < 2000).all()
    score = evaluate(network, task, size=2000, seed=5)
    assert (score.success > 0.93).all() and (score.loss < 0.1).all()


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("seed", [0, [0, 1]])
def test_evaluation_against_a_plain_loop(seed, ragged):
    task = echo(ragged)
    network = build(task, "gru", seed=seed)
    score = evaluate(network, task, size=7, length=6, seed=3, rows=3)
    rng = np.random.default_rng(3)
    right, lost, scored = np.zeros((3, network.copies))
    for size in (3, 3, 1):
        batch = longest_first(task.batch(rng, size, 6))
        for b in range(size):
            steps = 6 if batch.lengths is None else batch.lengths[b]
            x = np.broadcast_to(batch.x[:steps, [b]].astype(np.float32), (network.copies, steps, 1, 1))
            y = network.led(network.forward(network.bare(np.ascontiguousarray(x)), tape=False)[0])[:, :, 0].astype(
                float
            )
            for r in range(network.copies):
                target, mask = batch.target[:steps, b], batch.mask[:steps, b]
                p = np.exp(y[r]) / np.exp(y[r]).sum(axis=1, keepdims=True)
                lost[r] -= np.log(p[np.arange(steps), target])[mask].sum()
                scored[r] += mask.sum()
                right[r] += (y[r].argmax(axis=1) == target)[mask].all()
    np.testing.assert_allclose(score.loss, lost / scored, rtol=1e-5)
    np.testing.assert_array_equal(score.success, right / 7)


def test_outputs_at_the_last_step_are_judged_there():
    task = tasks.get("adding", "pascanu")
    network = build(task, readout="last")
    for value, success in ((0.5, task.chance(40).success), (9.0, 0.0)):
        for p in network.parameters().values():
            p[...] = 0
        network.parameters()["readout.bias"][...] = value
        score = evaluate(network, task, size=3000, length=40)
        assert abs(score.success[0] - success) < 0.05
    assert score.loss[0] == pytest.approx(8.5**2 + task.chance(40).loss, rel=0.01)


def test_a_look_ends_when_too_many_are_wrong():
    seen = []

    def counted(rng, size, length):
        seen.append(size)
        return echo().generate(rng, size, length)

    task = Task(**vars(echo()) | {"generate": counted})
    network = build(task, seed=[0, 1])
    rngs = [np.random.default_rng(r) for r in range(2)]
    success, solved = Stopping(size=5000, wrong=0.02).look(network, task, rngs, 8, np.array([True, True]))
    assert seen == [500, 500] and not solved.any() and (success < 0.2).all()
    success, solved = Stopping(size=50, wrong=1.0).look(network, task, rngs, 2, np.array([True, False]))
    assert solved.tolist() == [True, False] and np.isnan(success[1])


# ---- feed and curricula ----


def test_a_feed_gives_each_replica_the_batches_of_its_own_generator():
    for task in (echo(), echo(ragged=True), tasks.get("copy")):
        together = Feed(task, [np.random.default_rng(s) for s in (1, 2)], 4, np.float32, length=6)
        alone = [Feed(task, [np.random.default_rng(s)], 4, np.float32, length=6) for s in (1, 2)]
        for _ in range(together.together + 2):
            fed, own = together.next(), [one.next() for one in alone]
            for name in ("x", "target", "mask"):
                np.testing.assert_array_equal(getattr(fed, name), np.concatenate([getattr(o, name) for o in own]))
            if fed.own is not None:
                np.testing.assert_array_equal(fed.own, np.concatenate([o.own for o in own]))
                np.testing.assert_array_equal(fed.lengths, fed.own.max(axis=0))
                assert (np.diff(fed.own, axis=1) <= 0).all()
                assert not (fed.mask & (np.arange(6)[:, None] >= fed.own[:, None])).any()


@pytest.mark.parametrize("kind", KINDS)
def test_curricula_draw_the_levels_they_should(kind):
    levels = Curriculum(kind, (2, 4, 6, 8)).draw(np.random.default_rng(0), 1, 40_000)
    found = np.bincount(levels, minlength=4) / 40_000
    expected = {
        "baseline": [0, 0, 0, 1], "naive": [0, 1, 0, 0], "mix": [0.25] * 4, "combined": [0.05, 0.85, 0.05, 0.05],
    }[kind]  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_curriculum_climbs_and_mixes_lengths():
    task, longer = echo(), tasks.get("copy")
    curriculum = Curriculum("naive", (2, 3, 5), raise_at=0.0, every=2, size=5)
    events = []
    trainer = Trainer(build(task, seed=[0, 1]), task, seed=[0, 1], curriculum=curriculum)
    trainer.run(7, events.append)
    assert [event.level.tolist() for event in events] == [[0, 0], [1, 1], [1, 1], [2, 2], [2, 2], [2, 2], [2, 2]]
    hard = Trainer(build(task), task, curriculum=Curriculum("naive", (2, 3), raise_at=1.0, every=1, size=50))
    hard.run(3)
    assert hard.level.tolist() == [0]
    feed = Feed(task, [np.random.default_rng(0)], 50, np.float32, curriculum=Curriculum("mix", ((task, 2), (task, 5))))
    fed = feed.next(np.array([0]))
    assert fed.x.shape == (1, 5, 50, 1) and set(fed.lengths) == {2, 5}
    assert (fed.mask.sum(axis=1) == fed.lengths - 1).all()
    assert longer.symbols  # another task of another kind is refused below
    with pytest.raises(ValueError, match=r"levels: task .copy. has symbols True, expected False"):
        Trainer(build(task), task, curriculum=Curriculum("mix", (2, (longer, 5))))


# ---- bad input ----


def trained(network=None, task=None, **options):
    task = task or echo()
    return Trainer(network or build(task), task, **options)


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: trained(build(echo()), tasks.get("copy")), ValueError, "takes numbers, but task 'copy' gives symbols"),
        (lambda: trained(Network.build("gru", 2, 2, 3)), ValueError, "input_size 2, expected 1, the inputs of 'echo'"),
        (lambda: trained(Recurrent("gru", 1, 3)), ValueError, "output_size 3, expected 2, the outputs of 'echo'"),
        (lambda: trained(network="lstm"), TypeError, "network: got str"),
        (lambda: trained(seed=[0]), ValueError, r"seed: got \[0\], expected one seed"),
        (lambda: trained(build(echo(), seed=[0, 1]), seed=[0]), ValueError, "expected a list of 2 seeds"),
        (lambda: trained(build(echo(), seed=[0, 1]), seed=0), ValueError, "expected a list of 2 seeds"),
        (lambda: trained(batch_size=0), ValueError, "batch_size: got 0"),
        (lambda: trained(length=1), ValueError, "length: got 1, expected an integer >= 2"),
        (lambda: trained(window=0), ValueError, "window: got 0"),
        (lambda: trained(truncate=-1), ValueError, "truncate: got -1"),
        (lambda: trained(mean="sum"), ValueError, "mean: got 'sum'"),
        (lambda: trained(clip=1.0), TypeError, "clip: got 1.0, expected a Clip"),
        (lambda: trained(optimiser="adam"), TypeError, "optimiser: got 'adam'"),
        (lambda: trained(schedule=0.9), TypeError, "schedule: got 0.9"),
        (lambda: trained(stopping=10), TypeError, "stopping"),
        (lambda: trained(optimiser=SGD([0.1, 0.2])), ValueError, "rate: got 2 learning rates"),
        (lambda: trained().run(-1), ValueError, "steps: got -1"),
        (lambda: Curriculum("easy", (1,)), ValueError, "curriculum: got 'easy'"),
        (lambda: Curriculum("mix", ()), ValueError, "levels: got"),
        (lambda: Curriculum("mix", (1,), raise_at=2), ValueError, "raise_at"),
        (lambda: Stopping(wrong=0), ValueError, "wrong: got 0"),
        (lambda: Stopping(every=0), ValueError, "every: got 0"),
        (lambda: evaluate(build(echo()), echo(), size=0), ValueError, "size: got 0"),
        (lambda: evaluate(build(echo(), seed=[0, 1]), echo(), seed=[0, 1, 2]), ValueError, "seed: got 3 seeds"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(make, error, told):
    with pytest.raises(error, match=told):
        make()

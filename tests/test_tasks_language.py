"""Every language task and variant: shapes, seeds, an independent solution, chance, and success that can be missed."""

import importlib
import inspect

import naive_tasks_language as oracles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from rnnbench import tasks

NAMES = [name for name in tasks.names() if hasattr(oracles, name)]
ALL = [(name, variant) for name in NAMES for variant in tasks.variants(name)]
every_variant = pytest.mark.parametrize(("name", "variant"), ALL, ids=[f"{n}-{v}" for n, v in ALL])
CURRICULA = [{"curriculum": name, "difficulty": 3} for name in ("naive", "mix", "combined")]


def solve(task, batch):
    """What the oracle says, as outputs, and where its answer is one class or set of outputs rather than a choice."""
    options = importlib.import_module(f"rnnbench.tasks.{task.name}").VARIANTS[task.variant]
    outputs = np.zeros((*batch.mask.shape, task.outputs))
    sure = np.zeros(batch.mask.shape, bool)
    answered = np.zeros(batch.mask.shape, bool)
    ends = [len(batch.x)] * batch.x.shape[1] if batch.lengths is None else batch.lengths
    for row, end in enumerate(ends):
        for step, answer in getattr(oracles, task.name)(batch.x[:end, row].tolist(), **options).items():
            answered[step, row] = True
            sure[step, row] = not isinstance(answer, set) or len(answer) == 1
            if task.loss == "logistic":
                outputs[step, row] = np.where(answer, 50, -50)
            else:
                outputs[step, row, list(answer) if isinstance(answer, set) else answer] = 50
    assert_array_equal(answered, batch.mask)
    return outputs, sure


def losses(task, outputs, batch):
    if task.loss == "logistic":
        return (np.logaddexp(0, outputs) - batch.target * outputs).sum(-1)
    of_target = np.take_along_axis(outputs, batch.target[..., None], -1)[..., 0]
    return logsumexp(outputs, axis=-1) - of_target


def within(task, length):
    return length if task.longest is None else min(length, task.longest)


def test_there_are_language_tasks():
    assert len(NAMES) == 13


@every_variant
def test_says_what_it_is(name, variant):
    task = tasks.get(name, variant)
    module = importlib.import_module(f"rnnbench.tasks.{name}")
    assert (task.name, task.variant) == (name, variant)
    assert "Chance:" in module.__doc__ and "Source" in module.__doc__
    assert task.criterion.endswith(".") and task.loss in ("softmax", "logistic") and task.symbols
    assert task.shortest <= task.length <= within(task, task.length)
    assert len(task.alphabet) in (0, task.inputs)
    for option in inspect.signature(module.build).parameters:
        assert f"`{option}`" in module.__doc__


@every_variant
@given(data=st.data())
def test_shapes(name, variant, data):
    task = tasks.get(name, variant)
    size = data.draw(st.integers(1, 7), label="size")
    length = data.draw(st.integers(task.shortest, within(task, task.shortest + 40)), label="length")
    seed = data.draw(st.integers(0, 2**32), label="seed")
    batch = task.batch(np.random.default_rng(seed), size, length)
    shape = steps, _ = len(batch.x), size

    assert batch.x.shape == shape and batch.x.dtype == np.int64
    assert batch.x.min() >= 0 and batch.x.max() < task.inputs
    assert batch.mask.shape == shape and batch.mask.dtype == bool and batch.mask.any(axis=0).all()
    if task.loss == "softmax":
        assert batch.target.shape == shape and batch.target.dtype == np.int64
        assert batch.target.min() >= 0 and batch.target.max() < task.outputs
    else:
        assert batch.target.shape == (*shape, task.outputs) and batch.target.dtype == np.float64
        assert set(np.unique(batch.target)) <= {0, 1}
    if batch.lengths is not None:
        assert batch.lengths.shape == (size,) and batch.lengths.dtype == np.int64
        assert batch.lengths.min() >= 1 and batch.lengths.max() <= steps
        for array in (batch.x, batch.target, batch.mask):
            assert not array[np.arange(steps)[:, None] >= batch.lengths].any()

    naive = task.naive(batch)
    assert naive.shape == (*shape, task.outputs) and np.isfinite(naive).all()
    correct = task.correct(naive, batch)
    assert correct.shape == (size,) and correct.dtype == bool

    again = task.batch(np.random.default_rng(seed), size, length)
    for key, array in vars(batch).items():
        assert_array_equal(array, getattr(again, key))


@every_variant
def test_another_seed_gives_another_batch(name, variant):
    one, two = (tasks.get(name, variant).batch(np.random.default_rng(seed), 8) for seed in (1, 2))
    only_one = (name, variant) == ("characters", "hello")  # there is
    assert only_one or one.x.shape != two.x.shape or (one.x != two.x).any()


@every_variant
@pytest.mark.parametrize("more", [0, 1, 17])
def test_the_oracle_solves_it(name, variant, more):
    task = tasks.get(name, variant)
    batch = task.batch(np.random.default_rng(more), 100, within(task, task.shortest + more))
    outputs, sure = solve(task, batch)
    said = outputs > 0 if task.loss == "logistic" else outputs.argmax(-1)
    assert_array_equal(said[sure], batch.target[sure])
    if task.loss == "softmax":  # of several possible ones the target is one
        assert (np.take_along_axis(outputs, batch.target[..., None], -1)[..., 0][batch.mask] == 50).all()
    assert task.correct(outputs, batch).all()


@every_variant
def test_only_the_mask_is_scored(name, variant):
    task = tasks.get(name, variant)
    batch = task.batch(np.random.default_rng(3), 50, min(task.length, 12))
    for outputs in (solve(task, batch)[0], task.naive(batch)):
        for noise in (np.nan, 1e9, -1e9):
            elsewhere = np.where(batch.mask[..., None], outputs, noise)
            assert_array_equal(task.correct(elsewhere, batch), task.correct(outputs, batch))


@every_variant
@pytest.mark.parametrize("where", ["everywhere", "at the start", "at the end"])
def test_a_wrong_answer_is_not_correct(name, variant, where):
    task = tasks.get(name, variant)
    batch = task.batch(np.random.default_rng(4), 50, min(task.length, 12))
    outputs = solve(task, batch)[0]
    steps = len(batch.x)
    first, last = batch.mask.argmax(axis=0), steps - 1 - batch.mask[::-1].argmax(axis=0)
    at = {"everywhere": batch.mask, "at the start": first, "at the end": last}[where]
    spoilt = at if where == "everywhere" else np.arange(steps)[:, None] == at
    assert not task.correct(np.where(spoilt[..., None], -outputs, outputs), batch).any()


def check_chance(task, sequences, length, seed, chunk=2000):
    """The closed forms against the naive predictor's mean loss and success, within 5 standard errors."""
    rng = np.random.default_rng(seed)
    sums, counts, right = [], [], []
    for _ in range(sequences // chunk):
        batch = task.batch(rng, chunk, length)
        naive = task.naive(batch)
        sums.append(np.where(batch.mask, losses(task, naive, batch), 0).sum(0))
        counts.append(batch.mask.sum(0))
        right.append(task.correct(naive, batch))
    sums, counts, right = map(np.concatenate, (sums, counts, right))
    chance = task.chance(length)

    loss = sums.sum() / counts.sum()
    error = np.sqrt(np.mean((sums - loss * counts) ** 2) / len(sums)) / counts.mean()
    assert_allclose(chance.loss, loss, rtol=1e-9, atol=5 * error)
    error = np.sqrt(chance.success * (1 - chance.success) / len(right))
    assert_allclose(chance.success, right.mean(), rtol=1e-9, atol=5 * error)


@every_variant
@pytest.mark.parametrize("more", [0, 9])
def test_chance(name, variant, more):
    task = tasks.get(name, variant)
    size = 2_000 if more == 9 else 4_000  # sentences and programs take long to draw; the slow suite draws a million
    check_chance(task, size, within(task, task.shortest + more), seed=5)


@pytest.mark.parametrize("options", CURRICULA, ids=str)
def test_chance_under_a_curriculum(options):
    check_chance(tasks.get("memorization", **options), 20_000, 4, seed=5)


@pytest.mark.slow
@every_variant
def test_chance_of_a_million(name, variant):
    task = tasks.get(name, variant)
    check_chance(task, 1_000_000, within(task, task.shortest + 5), seed=6)


@pytest.mark.parametrize("name", NAMES)
def test_bad_options_are_refused(name):
    for option in inspect.signature(importlib.import_module(f"rnnbench.tasks.{name}").build).parameters:
        for bad in (object(), "no such value", -1.5, float("nan"), []):
            with pytest.raises(ValueError, match=option) as refused:
                tasks.get(name, **{option: bad})
            assert "expected" in str(refused.value) and repr(bad) in str(refused.value)


@every_variant
def test_bad_lengths_are_refused(name, variant):
    task = tasks.get(name, variant)
    for length in (task.shortest - 1, 30.0, "30", *([] if task.longest is None else [task.longest + 1])):
        with pytest.raises(ValueError, match="length"):
            task.batch(np.random.default_rng(0), 2, length)


@pytest.mark.parametrize(("loss", "success"), [(0.03, 0), (0, 0.03)])
def test_chance_that_is_off_is_seen(loss, success):
    task = tasks.get("sequence_classification")
    good = task.chance(5)
    wrong = tasks.Task(**{**vars(task), "chance": lambda _: tasks.Chance(good.loss + loss, good.success + success)})
    with pytest.raises(AssertionError):
        check_chance(wrong, 20_000, 5, seed=5)

"""Every task of numbers (test_tasks_language.py has the others): shapes, an independent solution, chance, success."""

import glob
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from rnnbench import tasks

HERE = Path(__file__).parent
EVERY_ORACLE = [importlib.import_module(Path(path).stem) for path in sorted(glob.glob(str(HERE / "naive_tasks*.py")))]
ORACLES = [module for module in EVERY_ORACLE if module.__name__ != "naive_tasks_language"]
MORE = {name: cases for module in ORACLES for name, cases in getattr(module, "MORE", {}).items()}
NAMES = [name for name in tasks.names() if any(hasattr(module, name) for module in ORACLES)]
ALL = [(name, variant) for name in NAMES for variant in [*tasks.variants(name), *MORE.get(name, {})]]
every_variant = pytest.mark.parametrize(("name", "variant"), ALL, ids=[f"{n}-{v}" for n, v in ALL])


def task_module(name):
    return importlib.import_module(f"rnnbench.tasks.{name}")


def options(name, variant):
    """What a variant, or a case of MORE, sets."""
    named = task_module(name).VARIANTS
    return named[variant] if variant in named else next(iter(named.values())) | MORE[name][variant]


def get(name, variant):
    if variant in task_module(name).VARIANTS:
        return tasks.get(name, variant)
    return tasks.get(name, **MORE[name][variant])


def oracle(name):
    found = [vars(module)[name] for module in ORACLES if name in vars(module)]
    assert len(found) == 1, f"task {name!r} has {len(found)} oracles in tests/naive_tasks*.py, expected 1"
    return found[0]


def best(name, variant):
    """The probability that the oracle is right: 1 unless its file says otherwise."""
    [given] = [getattr(module, "BEST", {}).get(name) for module in ORACLES if name in vars(module)]
    return given(**options(name, variant)) if given else 1.0


def row_ends(batch):
    steps, rows = batch.mask.shape
    return [steps] * rows if batch.lengths is None else batch.lengths.tolist()


def solve(name, variant, task, batch):
    """What the oracle says, as outputs; where it says nothing; and the steps that it gives an answer for."""
    outputs = np.zeros((*batch.mask.shape, task.outputs))
    unknown = np.zeros(batch.mask.shape, bool)
    answered = np.zeros(batch.mask.shape, bool)
    for row, end in enumerate(row_ends(batch)):
        answers = oracle(name)(batch.x[:end, row].tolist(), **options(name, variant))
        for step, answer in answers.items():
            answered[step, row] = True
            if answer is None:
                unknown[step, row] = True
            elif task.loss == "softmax":
                outputs[step, row, answer] = 50
            elif task.loss == "logistic":
                outputs[step, row] = np.where(answer, 50, -50)
            else:
                outputs[step, row] = answer
    return outputs, unknown, answered


def losses(task, outputs, batch):
    """The loss at every position, written anew."""
    if task.loss == "squared":
        return ((outputs - batch.target) ** 2).sum(-1)
    if task.loss == "logistic":
        return (np.logaddexp(0, outputs) - batch.target * outputs).sum(-1)
    of_target = np.take_along_axis(outputs, batch.target[..., None], -1)[..., 0]
    return logsumexp(outputs, axis=-1) - of_target


@pytest.mark.parametrize("name", tasks.names())
def test_has_one_oracle(name):
    assert sum(hasattr(module, name) for module in EVERY_ORACLE) == 1


def short(task):
    return max(task.shortest, min(task.length, 12))


def test_there_are_tasks():
    assert tasks.names()


@every_variant
def test_has_an_oracle(name, variant):
    oracle(name)


@every_variant
def test_says_what_it_is(name, variant):
    task = get(name, variant)
    module = task_module(name)
    assert task.name == name and task.variant in module.VARIANTS
    assert "Chance:" in module.__doc__ and "Source" in module.__doc__
    assert task.criterion.endswith(".")
    assert task.loss in ("squared", "softmax", "logistic")
    assert 1 <= task.shortest <= task.length
    chance = task.chance(task.length)
    assert type(chance.loss) is float and type(chance.success) is float
    for option in inspect.signature(module.build).parameters:
        assert f"`{option}`" in module.__doc__


@every_variant
@given(data=st.data())
def test_shapes(name, variant, data):
    task = get(name, variant)
    size = data.draw(st.integers(1, 7), label="size")
    length = data.draw(st.integers(task.shortest, task.shortest + 40), label="length")
    seed = data.draw(st.integers(0, 2**32), label="seed")
    batch = task.batch(np.random.default_rng(seed), size, length)
    steps = len(batch.x)

    assert batch.mask.shape == (steps, size) and batch.mask.dtype == bool
    assert batch.mask.any(axis=0).all()
    if task.symbols:
        assert batch.x.shape == (steps, size) and batch.x.dtype == np.int64
        assert batch.x.min() >= 0 and batch.x.max() < task.inputs
    else:
        assert batch.x.shape == (steps, size, task.inputs) and batch.x.dtype == np.float64
        assert np.isfinite(batch.x).all()
    if task.loss == "softmax":
        assert batch.target.shape == (steps, size) and batch.target.dtype == np.int64
        assert batch.target.min() >= 0 and batch.target.max() < task.outputs
    else:
        assert batch.target.shape == (steps, size, task.outputs) and batch.target.dtype == np.float64
        assert np.isfinite(batch.target).all()
    if batch.clean is not None:
        assert batch.clean.shape == batch.target.shape and batch.clean.dtype == batch.target.dtype
    if batch.lengths is not None:
        assert batch.lengths.shape == (size,) and batch.lengths.dtype == np.int64
        assert batch.lengths.min() >= 1 and batch.lengths.max() <= steps
        for array in (batch.x, batch.target, batch.mask, *([] if batch.clean is None else [batch.clean])):
            assert not array[np.arange(steps)[:, None] >= batch.lengths].any()

    naive = task.naive(batch)
    assert naive.shape == (steps, size, task.outputs) and not np.isnan(naive).any()
    correct = task.correct(naive, batch)
    assert correct.shape == (size,) and correct.dtype == bool

    again = task.batch(np.random.default_rng(seed), size, length)
    for key, array in vars(batch).items():
        assert_array_equal(array, getattr(again, key))


@every_variant
def test_another_seed_gives_another_batch(name, variant):
    task = get(name, variant)
    one, two = (task.batch(np.random.default_rng(seed), 8) for seed in (1, 2))
    assert one.x.shape != two.x.shape or (one.x != two.x).any()


@every_variant
@pytest.mark.parametrize("more", [0, 1, 17])
def test_the_oracle_solves_it(name, variant, more):
    task = get(name, variant)
    batch = task.batch(np.random.default_rng(more), 100, task.shortest + more)
    outputs, unknown, answered = solve(name, variant, task, batch)
    assert_array_equal(answered, batch.mask)
    target = batch.target if batch.clean is None else batch.clean
    known = batch.mask & ~unknown
    right = task.correct(outputs, batch)
    if best(name, variant) == 1:
        if task.loss == "softmax":
            assert_array_equal(outputs.argmax(-1)[known], target[known])
        else:
            said = outputs > 0 if task.loss == "logistic" else outputs
            assert_allclose(said[known], target[known], rtol=1e-12, atol=1e-12)
        assert right.all()
    else:
        rate = best(name, variant)
        assert abs(right.mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / len(right))


@every_variant
def test_only_the_mask_is_scored(name, variant):
    task = get(name, variant)
    batch = task.batch(np.random.default_rng(3), 50, short(task))
    for outputs in (solve(name, variant, task, batch)[0], task.naive(batch)):
        for noise in (np.nan, 1e9, -1e9):
            elsewhere = np.where(batch.mask[..., None], outputs, noise)
            assert_array_equal(task.correct(elsewhere, batch), task.correct(outputs, batch))


@every_variant
@pytest.mark.parametrize("where", ["everywhere", "at the end"])
def test_a_wrong_answer_is_not_correct(name, variant, where):
    task = get(name, variant)
    batch = task.batch(np.random.default_rng(4), 50, short(task))
    outputs = solve(name, variant, task, batch)[0]
    steps = len(batch.x)
    last = steps - 1 - batch.mask[::-1].argmax(axis=0)
    spoilt = batch.mask & ((np.arange(steps)[:, None] == last) | (where == "everywhere"))
    far = np.where(outputs > 0, -1e6, 1e6)  # also of the other sign, and of another largest output
    wrong = far - outputs if task.loss == "squared" else -outputs
    right = task.correct(np.where(spoilt[..., None], wrong, outputs), batch)
    assert right.mean() <= 1 - best(name, variant) + 0.1 * (best(name, variant) < 1)


def check_chance(name, variant, sequences, length, seed, chunk=2000):
    """The closed forms against the naive predictor's mean loss and success, within 5 standard errors."""
    task = get(name, variant)
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
    check_chance(name, variant, 20_000, get(name, variant).shortest + more, seed=5)


@pytest.mark.slow
@every_variant
def test_chance_of_a_million(name, variant):
    check_chance(name, variant, 1_000_000, short(get(name, variant)) + 3, seed=6)


@pytest.mark.parametrize("name", tasks.names())
def test_bad_options_are_refused(name):
    for option in inspect.signature(task_module(name).build).parameters:
        negative = [] if option == "offset" else [-1.5]
        for bad in (object(), "no such value", *negative, float("nan"), float("inf"), []):
            with pytest.raises(ValueError, match=option) as refused:
                tasks.get(name, **{option: bad})
            assert "expected" in str(refused.value) and repr(bad) in str(refused.value)
    with pytest.raises(ValueError, match="no_such_option"):
        tasks.get(name, no_such_option=1)
    with pytest.raises(ValueError, match="no_such_variant"):
        tasks.get(name, "no_such_variant")


@every_variant
def test_bad_sizes_are_refused(name, variant):
    task = get(name, variant)
    rng = np.random.default_rng(0)
    for size in (0, -1, 2.0, "2", None):
        with pytest.raises(ValueError, match="size"):
            task.batch(rng, size)
    for length in (task.shortest - 1, 30.0, "30"):
        with pytest.raises(ValueError, match="length"):
            task.batch(rng, 2, length)


def test_a_missing_oracle_is_seen():
    with pytest.raises(AssertionError, match="0 oracles"):
        oracle("no_such_task")


def test_chance_that_is_off_is_seen(monkeypatch):
    task = tasks.get("adding")
    for loss, success in ((1 / 6 + 0.02, 0.0784), (1 / 6, 0.0784 + 0.02)):
        wrong = tasks.Task(**{**vars(task), "chance": lambda length, told=(loss, success): tasks.Chance(*told)})
        monkeypatch.setattr(tasks, "get", lambda name, variant, wrong=wrong: wrong)
        with pytest.raises(AssertionError):
            check_chance("adding", "urnn", 20_000, 12, seed=5)


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


@every_variant
def test_a_row_with_an_output_that_is_no_number_is_not_right(name, variant):
    task = tasks.get(name, **options(name, variant))
    batch = task.batch(np.random.default_rng(0), 20, task.shortest + 1)
    assert not task.correct(np.full((*batch.mask.shape, task.outputs), np.nan), batch).any()


def test_a_negative_offset_is_as_good_as_any():
    batch = tasks.get("adding", offset=-1).batch(np.random.default_rng(0), 5, 10)
    plain = tasks.get("adding").batch(np.random.default_rng(0), 5, 10)
    assert_allclose(batch.target[-1], plain.target[-1] - 1)
    with pytest.raises(ValueError, match=r"offset: got nan, expected a finite number$"):
        tasks.get("adding", offset=float("nan"))


@pytest.mark.parametrize("delays", [((1, 2), (3,)), (1, 1), (1,), (1, True), (1, 2.0), (-1, 2), (1, 2**40), "12", None])
def test_bad_delays_are_named(delays):
    with pytest.raises(ValueError, match=r"delays: got .*, expected at least two different integers"):
        tasks.get("timing", delays=delays)


def test_line_ends_of_a_text_are_characters(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"a\r\nb\r\n")
    assert tasks.get("characters", text=path).alphabet == ("\n", "\r", "a", "b")

"""Many to one: last step, mean and maximum of each row over its own length, and dropout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from net_checks import check_gradients, check_replicas

from rnnbench.layers import Chain, Dense, Dropout, Pool

LAST_MEAN_MAX = {
    "last": lambda row: row[-1],
    "mean": lambda row: row.mean(axis=0),
    "max": lambda row: row.max(axis=0),
}


@given(st.sampled_from(list(LAST_MEAN_MAX)), st.integers(0, 5), st.integers(0, 3), st.integers(1, 3), st.data())
def test_each_row_over_its_own_length(how, steps, rows, width, data):
    lengths = np.array(data.draw(st.lists(st.integers(0, steps), min_size=rows, max_size=rows)), int)
    x = np.random.default_rng(steps).normal(size=(steps, rows, width))
    x[np.arange(steps)[:, None] >= lengths] = np.nan
    y, state = Pool(how, dtype="float64").forward(x, lengths=lengths)
    expected = np.zeros((rows, width))
    for row, length in enumerate(lengths):
        if length:
            expected[row] = LAST_MEAN_MAX[how](x[:length, row])
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert state == {}
    if (lengths == steps).all():
        np.testing.assert_array_equal(Pool(how, dtype="float64").forward(x)[0], y)


@pytest.mark.parametrize("how", LAST_MEAN_MAX)
@pytest.mark.parametrize("lengths", [None, np.array([4, 2, 0, 1])])
def test_gradients(how, lengths):
    x = np.random.default_rng(0).normal(size=(4, 4, 2))
    check_gradients(Pool(how, dtype="float64"), x, lengths=lengths)


@pytest.mark.parametrize("how", LAST_MEAN_MAX)
@pytest.mark.parametrize("shape", [(3, 50, 1, 1), (3, 50, 2, 7), (3, 1, 1, 1)])
def test_a_replica_has_the_bits_it_has_alone(how, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    replicas = {True: 3, False: None}
    check_replicas(lambda seed: Pool(how, replicas=replicas[isinstance(seed, list)]), x)
    check_replicas(
        lambda seed: Pool(how, replicas=replicas[isinstance(seed, list)]), x, lengths=np.full(shape[2], shape[1] // 2)
    )


def test_nan_passes_and_the_earliest_maximum_has_the_gradient():
    x = np.array([1.0, 3.0, 3.0, np.nan]).reshape(4, 1, 1)
    assert all(np.isnan(Pool(how, dtype="float64").forward(x)[0]).all() for how in LAST_MEAN_MAX)
    layer = Pool("max", dtype="float64")
    layer.forward(x[:3])
    dx, _ = layer.backward(np.ones((1, 1)))
    assert dx.ravel().tolist() == [0, 1, 0]
    layer.forward(x[:3])
    assert layer.backward(None)[0].ravel().tolist() == [0, 0, 0]


def test_unknown_pools_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match="how: got 'sum', expected one of 'last', 'mean', 'max'"):
        Pool("sum")
    with pytest.raises(ValueError, match=r"x: got shape \(3, 2\), expected \(any, any, any\)"):
        Pool("max").forward(np.zeros((3, 2), "float32"))


# ---- dropout ----


@given(st.floats(0, 0.95), st.sampled_from(["float32", "float64"]))
def test_dropout_strikes_out_and_scales(rate, dtype):
    layer, x = Dropout(rate, dtype=dtype), np.ones((50, 8, 10), dtype)
    y, _ = layer.forward(x)
    kept = y != 0
    np.testing.assert_allclose(y[kept], 1 / (1 - rate), rtol=1e-6)
    assert abs(kept.mean() - (1 - rate)) < 4 * np.sqrt(rate * (1 - rate) / x.size) + 1e-9  # four standard errors
    dy = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    np.testing.assert_array_equal(layer.backward(dy)[0], dy * y)
    assert y.dtype == dtype


def test_dropout_draws_anew_each_time_but_never_at_inference():
    layer, x = Dropout(0.5), np.ones((5, 4, 3), "float32")
    first, second = layer.forward(x)[0], layer.forward(x)[0]
    assert (first != second).any() and (layer.forward(x, tape=False)[0] == x).all()
    again = Dropout(0.5)
    again.forward(x)
    again.forward(x, tape=False)
    np.testing.assert_array_equal(again.forward(x)[0], second)


def test_the_states_of_its_generators_bring_the_same_numbers_back():
    chain = Chain(Dense(3, 4), Dropout(0.5, seed=7), Dropout(0.5, seed=8))
    assert list(chain.generators()) == ["1.random.0", "2.random.0"]
    x = np.ones((5, 4, 3), "float32")
    states = {path: rng.bit_generator.state for path, rng in chain.generators().items()}
    y, _ = chain.forward(x)
    for path, rng in chain.generators().items():
        rng.bit_generator.state = states[path]
    np.testing.assert_array_equal(chain.forward(x)[0], y)


def test_two_dropouts_of_one_seed_draw_each_for_itself():
    def pair():
        rng = np.random.default_rng(0)
        return Dropout(0.5, seed=rng), Dropout(0.5, seed=rng)

    x = np.ones((5, 4, 3), "float32")
    first, second = (layer.forward(x)[0] for layer in pair())
    assert (first != second).any()
    np.testing.assert_array_equal(pair()[1].forward(x)[0], second)  # whether or not the first one has drawn


def test_a_replica_of_dropout_draws_what_it_draws_alone():
    check_replicas(lambda seed: Dropout(0.5, seed=seed), np.ones((3, 5, 4, 3), "float32"))
    together = Dropout(0.5, seed=[0, 1]).forward(np.ones((2, 5, 4, 3), "float32"))[0]
    assert (together[0] != together[1]).any()


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, "0.5", None, True, float("nan")])
def test_rates_that_are_no_probability_are_refused(rate):
    with pytest.raises(ValueError, match="rate: got"):
        Dropout(rate)

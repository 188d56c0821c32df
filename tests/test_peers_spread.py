"""What is told of many times and many numbers: intervals of medians, verdicts, means, whether arrays agree."""

from math import isclose

import numpy as np
import pytest

from rnnbench.peers import agree, spread


@pytest.mark.parametrize(
    ("count", "ends"), [(1, (0, 0)), (3, (0, 2)), (6, (0, 5)), (7, (0, 6)), (9, (1, 7)), (15, (3, 11))]
)
def test_an_interval_lies_between_order_statistics(count, ends):
    values = [float(v) for v in np.random.default_rng(1).permutation(count)]
    found = spread.spread(values)
    assert (found.low, found.high) == ends
    assert found.median == (count - 1) / 2
    assert found.count == count


def test_an_interval_of_very_many_values():
    found = spread.spread(range(2001))
    assert (found.low, found.high) == (956, 1044)  # 1.96 standard deviations of the median at either side


@pytest.mark.parametrize(
    ("theirs", "word"),
    [
        ([2.0] * 7, "faster"),
        ([0.5] * 7, "slower"),
        ([1.0] * 7, "same"),
        ([2, 2, 2, 2, 2, 2, 0.9], "same"),  # the interval reaches below 1
        ([2, 2, 2, 2, 2, 2, 2, 2, 0.9], "faster"),  # nine rounds bear one that was disturbed
        ([1.1, 0.9, 1.2, 0.8, 1.3, 0.7, 1.05], "same"),
        ([2.0] * 5, "too few rounds"),
    ],
)
def test_no_faster_where_the_interval_holds_one(theirs, word):
    assert spread.verdict(spread.ratios([1.0] * len(theirs), theirs)) == word


def test_a_machine_that_slows_down_cancels_in_the_ratio():
    weather = [1.0, 1.7, 0.6, 2.5, 1.1, 0.9, 3.0]
    ratio = spread.ratios([2e-3 * w for w in weather], [3e-3 * w for w in weather])
    assert isclose(ratio.low, 1.5) and isclose(ratio.high, 1.5)


def test_geometric_means_and_exponents():
    assert np.allclose(spread.geometric_mean([(2, 2, 2), (8, 8, 8)]), (4, 4, 4))
    middle, low, high = spread.geometric_mean([(2, 1, 4)] * 4)
    assert np.allclose((middle, low, high), (2, 2 / 2**0.5, 2 * 2**0.5))
    sizes = [1, 2, 4, 8]
    found = spread.exponent(sizes, [[c * n**1.5 for n in sizes] for c in (1.0, 3.0, 0.2)])
    assert np.allclose(found[:3], 1.5)


def test_arrays_are_compared_by_their_own_magnitude():
    a = {"y": np.array([100.0, 1.0]), "dx": np.array([1e-8])}
    assert agree.disagreement(a, {"y": a["y"] + 1e-3, "dx": a["dx"]}, ("y",))[1] is None
    assert "dx differs by 0.5" in agree.disagreement(a, {"y": a["y"], "dx": 2 * a["dx"]}, ("y",))[1]
    assert agree.largest_error(a, {"y": a["y"][:1]}) == (float("inf"), "y")
    assert agree.largest_error(a, {"y": np.array([np.nan, 1.0])}) == (float("inf"), "y")
    assert agree.disagreement(a, {"y": a["y"]}, ("y", "h"))[1] == "rnnbench gave no h"
    assert agree.largest_error({"y": np.zeros((0, 3))}, {"y": np.zeros((0, 3))}) == (0.0, "")

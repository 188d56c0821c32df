"""Verdicts and intervals."""

import math

import numpy as np
import pytest

from rnnbench.runner.claims import Claim, bound, compare, holds, ranking
from rnnbench.runner.intervals import bootstrap_mean, bootstrap_median, wilson


def compared(measured, interval=None, **options):
    options = {"published": 2.0, "tolerance": 0.1} | options
    return compare("n", "s", "p", measured=measured, interval=interval, **options)


@pytest.mark.parametrize(
    ("measured", "interval", "verdict"),
    [
        (None, None, "not yet run"),
        (2.1, None, "reproduced"),
        (1.9, (0, 9), "reproduced"),
        (2.2, None, "not reproduced"),
        (2.2, (2.05, 2.4), "partly"),
        (1.5, (1.4, 1.6), "not reproduced"),
        (math.nan, None, "not reproduced"),
        (math.inf, None, "not reproduced"),
        (np.float32(2.0), None, "reproduced"),
    ],
)
def test_compare(measured, interval, verdict):
    assert compared(measured, interval).verdict == verdict


def test_a_relative_tolerance_is_of_the_published_value():
    assert compared(-90, published=-100, tolerance=0.1, relative=True).verdict == "reproduced"
    assert compared(-89, published=-100, tolerance=0.1, relative=True).verdict == "not reproduced"
    assert compared(1, relative=True).tolerance == "10 %"


@pytest.mark.parametrize(
    ("limits", "measured", "interval", "verdict", "published"),
    [
        ({"at_most": 1}, 1.0, None, "reproduced", "≤ 1"),
        ({"at_most": 1}, 1.1, None, "not reproduced", "≤ 1"),
        ({"at_most": 1}, 1.1, (0.9, 1.3), "partly", "≤ 1"),
        ({"at_least": 1}, 0.9, (0.8, 0.95), "not reproduced", "≥ 1"),
        ({"at_least": 0, "at_most": 1}, 0.5, None, "reproduced", "≥ 0 and ≤ 1"),
        ({"at_least": 0}, None, None, "not yet run", "≥ 0"),
        ({"at_least": 0}, math.nan, None, "not reproduced", "≥ 0"),
    ],
)
def test_bound(limits, measured, interval, verdict, published):
    claim = bound("n", "s", "p", measured=measured, interval=interval, **limits)
    assert (claim.verdict, claim.published) == (verdict, published)


def test_a_bound_needs_a_limit():
    with pytest.raises(ValueError, match="neither"):
        bound("n", "s", "p", measured=1)


@pytest.mark.parametrize(
    ("cases", "verdict", "measured"),
    [
        ([], "not yet run", None),
        ([True, True], "reproduced", "in 2 of 2"),
        (np.array([True, False]), "partly", "in 1 of 2"),
        (iter([False]), "not reproduced", "in 0 of 1"),
    ],
)
def test_holds(cases, verdict, measured):
    claim = holds("n", "s", "p", cases)
    assert (claim.verdict, claim.measured) == (verdict, measured)


def test_a_verdict_is_one_of_four():
    with pytest.raises(ValueError, match="maybe"):
        Claim("n", "s", "p", 1, None, 1, None, "maybe")


def test_wilson():
    # Wilson (1927), the centre and half-width by hand for 8 of 10 at z = 1.959964
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1
    for wrong in [(6, 5), (-1, 5), (0, 0)]:
        with pytest.raises(ValueError):
            wilson(*wrong)


def test_bootstrap_median():
    values = [1.0, 2.0, 3.0, 4.0, 100.0]
    low, high = bootstrap_median(values)
    assert 1 <= low <= 3 <= high <= 100
    assert bootstrap_median(values) == (low, high)
    with pytest.raises(ValueError):
        bootstrap_median([1.0])


def test_a_bootstrap_takes_infinity_for_very_much():
    assert bootstrap_median([1.0, 2.0, 3.0, 4.0, math.inf])[1] > 3
    assert bootstrap_median([math.inf, math.inf, 1.0])[1] == math.inf
    low, high = bootstrap_mean([1.0, 2.0, 3.0, 4.0, 100.0])
    assert low < 22 < high


@pytest.mark.parametrize(
    ("higher", "lower", "verdict"),
    [
        ([2, 3, 4, 5, 6], [1, 1, 1, 1, 1.5], "reproduced"),
        ([2, 3, math.inf, 5, 6], [1, 1, 1, 1, 1.5], "reproduced"),
        ([2, 3, 4, 5, 6], [1, 1, 1, 1, math.inf], "not reproduced"),
        ([math.inf] * 5, [math.inf] * 5, "not reproduced"),
        ([2, 3, 4, 5, 6], [1, 1, 1, 1, math.nan], "not reproduced"),
        ([2, 3, 4, 5, 6], [math.nan, 1, 1, 1, 1], "not reproduced"),
        ([math.nan, 3, 4, 5, 6], [1, 1, 1, 1, 1], "not reproduced"),
    ],
)
def test_what_is_no_number_is_above_nothing(higher, lower, verdict):
    assert ranking("n", "s", "p", {"there": (higher, lower)}, of="losses").verdict == verdict


@pytest.mark.parametrize("change", [{"measured": [1.0]}, {"published": {}}, {"interval": 3}, {"interval": (1.0,)}])
def test_a_claim_that_no_ledger_can_show_is_refused(change):
    fields = {"published": 1.0, "tolerance": None, "measured": 1.0, "interval": None, "verdict": "reproduced"}
    with pytest.raises(TypeError, match=r"claim 'a': .* expected"):
        Claim("a", "b", "c", **fields | change)

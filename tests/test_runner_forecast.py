"""Predicted times, against cases worked out by hand."""

import doctest
from pathlib import Path

import pytest

from rnnbench.runner import forecast
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.forecast import Prospect, duration, foretell, makespan, table
from rnnbench.runner.trial import Trial

TOY = Experiment("toy", Path("toy.py"), packaged=False)


def trial(lag, preset="quick", seed=0, device="cpu"):
    return Trial(TOY, {"lag": lag}, seed, device, preset, code="new", options="")


def records(*several):
    """By trial key: records of (trial, seconds), or (trial, seconds, status), by an older code."""
    return {
        one.key: {
            "setting": dict(one.setting), "seed": one.seed, "device": one.device, "presets": [one.preset],
            "status": status[0] if status else "ok", "seconds": seconds, "code": "old",
        }
        for one, seconds, *status in several
    }  # fmt: skip


def test_a_trial_takes_what_it_took_before():
    known = records((trial(1), 3.0), (trial(1, seed=1), 5.0), (trial(2), 100.0))
    assert foretell([trial(1), trial(1, seed=1)], known) == [3.0, 5.0]
    assert foretell([trial(1, preset="paper")], known) == [3.0], "the same trial, whatever preset asks for it"


def test_another_seed_of_the_same_setting_tells_more_than_other_settings():
    known = records((trial(1), 3.0), (trial(1, seed=1), 5.0), (trial(2), 100.0))
    assert foretell([trial(1, seed=2)], known) == [4.0]


def test_a_new_setting_takes_the_median_of_its_preset():
    quick = [(trial(1), 1.0), (trial(2), 2.0), (trial(3), 30.0)]
    known = records(*quick, (trial(4, preset="paper"), 1000.0))
    assert foretell([trial(9), trial(2), trial(9, "paper"), trial(9, "smoke")], known) == [2.0, 2.0, 1000.0, None]


def test_a_record_counts_for_each_preset_that_has_its_trial():
    known = records((trial(1), 7.0))
    known[trial(1).key]["presets"] = ["smoke", "quick"]
    assert foretell([trial(2, "smoke"), trial(2, "quick"), trial(2, "paper")], known) == [7.0, 7.0, None]


def test_failed_trials_and_other_devices_tell_nothing():
    known = records((trial(1), 0.1, "failed"), (trial(2), 8.0, "diverged"), (trial(3, device="cuda"), 50.0))
    assert foretell([trial(1), trial(2), trial(3)], known) == [8.0, 8.0, 8.0]
    assert foretell([trial(1, device="cuda")], known) == [50.0]
    assert foretell([trial(1)], {}) == [None]


@pytest.mark.parametrize(
    ("seconds", "workers", "expected"),
    [
        ([], 2, 0),
        ([3, 1, 2], 1, 6),
        ([3, 1, 2], 2, 3),  # 3 beside 1 + 2
        ([1, 1, 1, 9], 3, 10),  # three, then the long one, which cannot be shared
        ([5], 4, 5),
        ([2, 3], 10**12, 3),
    ],
)
def test_makespan(seconds, workers, expected):
    assert makespan(seconds, workers) == expected


def test_what_takes_times_runs_alone_after_the_others():
    shared, timed = Prospect("a", 0, [4.0, 4.0, None]), Prospect("b", 0, [1.0, 2.0], timed=True)
    assert duration([timed], 2) == 3
    assert duration([shared, timed], 2) == 4 + 3
    assert duration([shared, timed], 1) == 8 + 3


def test_the_table():
    prospects = [
        Prospect("part", 1, [10.0, None, 20.0]),
        Prospect("new", 0, [None, None]),
        Prospect("over", 3, []),
        Prospect("timed", 2, [60.0, 30.0], timed=True),
    ]
    rows = [tuple(row.values()) for row in table(prospects, workers=2)]
    assert rows == [
        ("part", 4, 1, 3, "20 s + ?", 1),
        ("new", 2, 0, 2, "?", 2),
        ("over", 3, 3, 0, "0 s", 0),
        ("timed", 4, 2, 2, "1.5 min", 0),
        ("total", 13, 6, 7, "1.8 min + ?", 3),  # 20 s and 90 s
    ]


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(forecast) == (0, 2)

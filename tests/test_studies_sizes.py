"""Sizes that match, and what counts as better: what experiments that compare architectures share."""

import numpy as np
import pytest

from rnnbench import tasks
from rnnbench.layers import Network
from rnnbench.studies import sizes
from rnnbench.studies.learning import learn
from rnnbench.studies.significance import lower
from rnnbench.training.flat import Flat


def network(cell, hidden, **options):
    return Network.build(cell, 3, 2, hidden, seed=0, **options)


@pytest.mark.parametrize("cell", ["elman", "lstm", "lstm_peephole", "mut1", "jordan"])
def test_units_come_nearest_to_the_number_of_parameters(cell):
    hidden = sizes.units(cell, 3, 2, 2000)
    off = [abs(Flat(network(cell, units)).values.shape[1] - 2000) for units in range(hidden - 2, hidden + 3)]
    assert min(off) == off[2]


def test_units_of_the_docstring():
    assert (sizes.units("elman", 2, 1, 1000), sizes.units("lstm", 2, 1, 1000)) == (30, 14)


def test_units_of_a_network_of_any_kind():
    hidden = sizes.units_of(lambda units: network("elman", units, bidirectional=True), 2000)
    counts = [
        Flat(network("elman", units, bidirectional=True)).values.shape[1] for units in range(hidden - 1, hidden + 2)
    ]
    assert min(counts, key=lambda count: abs(count - 2000)) == counts[1]
    assert sizes.parameters_of(Network.build("elman", 3, 2, hidden, bidirectional=True, seed=[0, 1])) == counts[1]


def test_a_number_of_parameters_that_no_size_has_is_refused():
    with pytest.raises(ValueError, match="parameters: got 3, which no hidden size of 'lstm' comes near"):
        sizes.units("lstm", 2, 1, 3)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 2, 2], [9, 8, 9, 10, 9], True),
        ([9, 8, 9, 10, 9], [1, 2, 3, 2, 2], False),
        ([1, 5, 9, 2, 7], [2, 6, 10, 3, 7], False),
        ([1, 1], [2, 2], True),
        ([2, 2], [2, 2], False),
        ([1, 2, 3, 2, 2], [np.inf] * 5, True),  # a seed that failed is worse than any
        ([np.inf] * 5, [1, 2, 3, 2, 2], False),
        ([1, 2, 3, np.inf, 2], [4, 5, 4, 5, np.inf], False),
        ([np.inf] * 5, [np.inf] * 5, False),
    ],
)
def test_lower_is_a_matter_of_more_than_seeds(one, other, expected):
    assert lower(one, other) is expected


def test_what_is_asked_of_the_trained_network_is_told_and_changes_nothing_else():
    task = tasks.get("lookahead", ahead=1)

    def also(trainer, rngs):
        return [{"kind": "asked", "replica": r, "value": float(rng.random())} for r, rng in enumerate(rngs)]

    def rows(**options):
        build = lambda seed: Network.build("elman", 4, 4, 3, embedding="one_hot", seed=seed)  # noqa: E731
        return learn(build, task, np.random.default_rng(0), seeds=2, steps=3, rate=0.01, length=5, test=10, **options)

    asked = rows(also=also)
    assert [row["replica"] for row in asked if row["kind"] == "asked"] == [0, 1]
    assert [row for row in asked if row["kind"] != "asked"] == rows()


def test_of_a_skew_symmetric_matrix_half_is_counted():
    hidden = sizes.units("orthogonal", 3, 2, 6500)
    count = hidden * (hidden - 1) // 2 + 3 * hidden + hidden + 2 * (hidden + 1)
    assert abs(count - 6500) <= hidden  # the next size has a unit's weights more

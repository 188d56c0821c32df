"""Hidden sizes for a number of parameters, held against networks that are built."""

import pytest

from rnnbench.layers import Network
from rnnbench.studies.sizes import units


@pytest.mark.parametrize("cell", ["elman", "jordan", "lstm", "lstm_1997", "gru", "min_gru", "indrnn"])
@pytest.mark.parametrize("wanted", [1000, 6500])
def test_no_other_size_comes_nearer(cell, wanted):
    def parameters(hidden):
        return sum(array.size for array in Network.build(cell, 3, 2, hidden).parameters().values())

    hidden = units(cell, 3, 2, wanted)
    assert min(range(max(1, hidden - 2), hidden + 3), key=lambda h: abs(parameters(h) - wanted)) == hidden


def test_of_a_skew_symmetric_matrix_half_is_counted():
    hidden = units("orthogonal", 3, 2, 6500)
    count = hidden * (hidden - 1) // 2 + 3 * hidden + hidden + 2 * (hidden + 1)
    assert abs(count - 6500) <= hidden  # the next size has a unit's weights more


def test_too_few_parameters_are_refused():
    with pytest.raises(ValueError, match="parameters: got 1, which no hidden size of 'lstm' comes near"):
        units("lstm", 3, 2, 1)

"""Sizes that match: the parameters of the network that is built, counted one by one."""

import pytest

from rnnbench.layers import Network
from rnnbench.studies.sizes import units


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_the_network_has_most_nearly_as_many_parameters(cell):
    def count(hidden):
        network = Network.build(cell, 4, 3, hidden, seed=0)
        return sum(value.size for value in network.parameters().values())

    hidden = units(cell, 4, 3, 2000)
    misses = [abs(count(size) - 2000) for size in (hidden - 1, hidden, hidden + 1)]
    assert misses[1] == min(misses)


def test_what_nothing_comes_near_is_refused():
    with pytest.raises(ValueError, match="no hidden size of 'lstm' comes near"):
        units("lstm", 100, 50, 10)

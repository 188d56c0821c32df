"""One replica of a network as a network of its own: to write text with it, or to look into it."""

from __future__ import annotations

from collections.abc import Callable

from rnnbench.layers.layer import Layer


def alone(network: Layer, replica: int, build: Callable) -> Layer:
    """Return one replica of a network, without the replica axis.

    Parameters
    ----------
    network : Layer
        With replicas.
    replica : int
        Counted from 0.
    build : function of a seed to a Layer
        That the network was made with.
    """
    copy = build(0)
    trained = network.parameters()
    for path, value in copy.parameters().items():
        value[...] = trained[path][replica]
    return copy

"""All that training changes, as one buffer: what optimisers and clipping work on."""

from __future__ import annotations

import numpy as np

from rnnbench.kernels import memory
from rnnbench.layers.layer import Layer


class Flat:
    """The trained parameters of a network as views of one (R, P) array, their gradients of another.

    The network's own arrays are replaced by the views, so that an update of the buffer is an update of the network.
    Fixed parameters stay where they are.

    Parameters
    ----------
    network : Layer
        R is its number of replicas, 1 without a replica axis; P the number of trained parameters of one.

    Attributes
    ----------
    values, grads : (R, P) arrays
    places : dict
        Path of a parameter to its columns, a slice.

    Raises
    ------
    ValueError
        For a network in which nothing is trained, and for two parameters in one array, which would come apart.
    """

    def __init__(self, network: Layer):
        self.network = network
        params, grads, fixed = network.parameters(), network.gradients(), network.fixed()
        trained = [path for path in params if path not in fixed]
        ends = np.cumsum([0, *(params[path].size // network.copies for path in trained)])
        if not ends[-1]:
            raise ValueError(f"network: {network!r} has no parameters to train")
        _refuse_tied({path: params[path] for path in trained})
        self.places = {
            path: slice(*pair) for path, *pair in zip(trained, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        }
        self.values = np.empty((network.copies, ends[-1]), network.dtype)
        self.grads = np.empty_like(self.values)
        for arrays, buffer in ((params, self.values), (grads, self.grads)):
            for path, place in self.places.items():
                buffer[:, place] = arrays[path].reshape(network.copies, -1)
                arrays[path] = network.bare(buffer[:, place].reshape(network.copies, *_one(network, arrays[path])))
        network.bind(params, grads)

    def __reduce__(self):
        """A copy is that of the network's copy: copies of views are views no more."""
        return type(self), (self.network,)

    def check(self) -> None:
        """Refuse to go on where the network's arrays are no longer those of the buffers, which would train nothing.

        Raises
        ------
        RuntimeError
        """
        for arrays, buffer in ((self.network.parameters(), self.values), (self.network.gradients(), self.grads)):
            for path, place in self.places.items():
                if arrays[path].size and not np.may_share_memory(arrays[path], buffer[:, place]):
                    raise RuntimeError(
                        f"parameter {path!r} or its gradient was replaced, by another trainer perhaps; "
                        "expected changes in place, or a new trainer"
                    )


def _refuse_tied(params):
    """Refuse parameters that start at the same number."""
    first = {}
    for path, value in params.items():
        other = first.setdefault(memory.address(value), path) if value.size else path
        if other != path:
            raise ValueError(
                f"parameters {other!r} and {path!r} are one array, expected arrays of their own; "
                "a layer that is used twice shares its parameters"
            )


def _one(network, array):
    """The shape of one replica's parameter."""
    return array.shape if network.replicas is None else array.shape[1:]

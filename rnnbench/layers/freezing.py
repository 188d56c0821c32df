"""Weights prepared once for many calls, and parameters that are read-only for as long as anybody relies on that.

Blocks may nest, end in any order, and run in several threads: the first to come prepares the weights, and the last to
go lets the parameters be written again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import numpy as np

from rnnbench.forks import ForkedLock
from rnnbench.layers import weights

_lock = ForkedLock(RLock)  # a block that was left open may end, as garbage, within another's beginning


@dataclass
class Frozen:
    """A layer's weights as its driver and as its weight map want them, and the parameters that were writeable."""

    weights: tuple[Any, dict[str, np.ndarray]]
    writeable: list[np.ndarray]
    holders: set[object] = field(default_factory=set)


def hold(layer, holder) -> None:
    """Freeze a recurrent layer, if it is not yet frozen."""
    with _lock:
        if layer._frozen is None:
            used, raw = weights.used(layer)
            writeable = [value for value in layer.params.values() if value.flags.writeable]
            layer._frozen = Frozen((layer._prepared(used), raw), writeable)
            for value in writeable:
                value.flags.writeable = False
        layer._frozen.holders.add(holder)


def let_go(layer, holder) -> None:
    """End what `hold` began, if nobody else holds the layer; also when that was interrupted."""
    with _lock:
        frozen = layer._frozen
        if frozen is None:
            return
        frozen.holders.discard(holder)
        if not frozen.holders:
            layer._frozen = None
            for value in frozen.writeable:
                value.flags.writeable = True

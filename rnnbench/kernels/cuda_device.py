"""What the written kernels call to fill their tiles; threads are told apart by `lane` (unit) and `group` (rows).

No use of ``cuda`` in here: the simulator gives it to a kernel only, and one at a time.
"""

from __future__ import annotations


def load_rows(tile, array, at, stride, inner, size, running, height, lane, lanes, group, groups, depth):
    """Bring ``tile[row][k] = array[row][inner + k]`` of the running rows; 0 for others and beyond `size`."""
    zero = tile.dtype.type(0)
    for row in range(group, height, groups):
        for k in range(lane, depth, lanes):
            value = zero
            if row < running and inner + k < size:
                value = array[at + row * stride + inner + k]
            tile[row * depth + k] = value


def load_weights(tile, above, weights, at, columns, inner, size, unit, lane, lanes, group, groups, depth):
    """Bring ``tile[above + k][unit] = weights[inner + k][unit]``; 0 beyond the edges."""
    zero = tile.dtype.type(0)
    for k in range(group, depth, groups):
        value = zero
        if unit < columns and inner + k < size:
            value = weights[at + (inner + k) * columns + unit]
        tile[(above + k) * lanes + lane] = value

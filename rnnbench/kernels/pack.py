"""Weights laid out as the tiles read them: panels of two vectors, ``[panel][k][2][lanes]``."""

from __future__ import annotations

BLOCK = 16  # rows of k moved together, so that each cache line written is filled at once


def pack_units(out, k_first, weights, gates, gate, lanes):
    """Lay out a block for forward products: a column of the tile is a unit of a gate, k runs over the source.

    Parameters
    ----------
    out : (panels, k, 2, lanes) array
        Vector ``unit_vector * gates + gate`` of the panels is written, in rows `k_first` on.
    weights : (units, source width) array
    """
    units, width = weights.shape
    for vector in range((units + lanes - 1) // lanes):
        column = vector * gates + gate
        panel, half = column // 2, column % 2
        for start in range(0, width, BLOCK):
            for lane in range(lanes):
                unit = vector * lanes + lane
                for k in range(start, min(start + BLOCK, width)):
                    out[panel, k_first + k, half, lane] = weights[unit, k] if unit < units else 0


def pack_columns(out, k_first, weights, lanes):
    """Lay out a matrix as it is: a column of the tile is a column of `weights`, k runs over its rows."""
    rows, width = weights.shape
    for panel in range(out.shape[0]):
        for half in range(2):
            first = (2 * panel + half) * lanes
            filled = max(0, min(lanes, width - first))
            for k in range(rows):
                for lane in range(filled):
                    out[panel, k_first + k, half, lane] = weights[k, first + lane]
                for lane in range(filled, lanes):
                    out[panel, k_first + k, half, lane] = 0

"""The walks over time: a block of batch rows goes through all steps alone, forward or backward.

Both walks are compiled once for all cells: they interpret the tables that :mod:`rnnbench.kernels.plan` lays out
(addresses, strides, which tile feeds which stage), and call tiles and pointwise functions by address. No barrier, no
sharing: the bits of a row do not depend on the block it is in.

A buffer of T + lag rows in time is addressed as a ring, so that inference can keep only the last few.
"""

from __future__ import annotations

from numba.core.extending import register_jitable

from rnnbench.kernels.memory import add_numbers, byte, call_stage, call_tile, clear_bytes, copy_bytes, put_line


@register_jitable
def at(table, line, c, t, row):
    """Address of a buffer's row; the buffer is described by five columns of a table's line, from column c.

    They are: address, rows of time in the ring, offset in time, bytes per step, bytes per row.
    """
    slot = (t + table[line, c + 2]) % table[line, c + 1]
    return table[line, c] + slot * table[line, c + 3] + row * table[line, c + 4]


@register_jitable
def product(tile, widths, line, sources, t, row, rows, first, count, out, out_row, init, init_row, lane_bytes):
    """Vectors `first` to `first + count` of one matrix product, for `rows` rows, source by source.

    `sources` lines: buffer (5), numbers in a row, address of the packed panels, bytes per panel.
    """
    done = 0
    while done < count:
        width = widths[rows]
        while width > count - done:
            width >>= 1
        here = out + done * lane_bytes
        start, start_row = init + done * lane_bytes, init_row
        panel = (first + done) // 2
        if line[1] == line[0] and here != start:
            call_tile(tile, rows, width, here, out_row, start, start_row, 0, 0, 0, 0, 0)
        for s in range(line[0], line[1]):
            a = at(sources, s, 0, t, row)
            panels, per_panel = sources[s, 6], sources[s, 7]
            call_tile(
                tile, rows, width, here, out_row, start, start_row, a, sources[s, 4],
                panels + panel * per_panel, per_panel, sources[s, 5],
            )  # fmt: skip
            start, start_row = here, out_row
        done += width


def forward(build, tile, widths, most, lane_bytes, scratch, table, bases, tables, active, first, stop, steps):
    """Walk rows `first` to `stop` forward through all steps.

    `scratch` is the address of `most` times the most scratch bytes per row; `table` the address of 3 int64 per operand;
    `bases` has an int64 per operand. Tables, one line each of int64:

    stages   pointwise address, vectors, groups from-to, operands from-to, vectors per strip, scratch bytes per row
    groups   sources from-to, gates, scratch offset, then the buffer that products start from (bias)
    sources  see `product`
    operands buffer (5), bytes per vector, 1 if the address is an offset into the scratch
    outputs  target buffer (5), source buffer (5), bytes to copy
    feeds    target buffer (5), source buffer (5), bytes to copy, address and bytes per step of the mask
    """
    stages, groups, sources, operands, outputs, feeds = tables
    for t in range(steps):
        n = min(active[t], stop) - first
        if n <= 0:
            break
        tiles = (n + most - 1) // most
        for s in range(len(stages)):
            function, vectors, strip, scratch_row = stages[s, 0], stages[s, 1], stages[s, 6], stages[s, 7]
            o_first, o_stop = stages[s, 4], stages[s, 5]
            for o in range(o_first, o_stop):
                bases[o] = scratch + operands[o, 0] if operands[o, 6] else at(operands, o, 0, t, first)
            for u in range(0, vectors, strip):
                count = min(strip, vectors - u)
                for i in range(tiles):
                    row, rows = i * n // tiles, (i + 1) * n // tiles - i * n // tiles
                    for g in range(stages[s, 2], stages[s, 3]):
                        gates, out = groups[g, 2], scratch + groups[g, 3]
                        init = at(groups, g, 4, t, first + row) + u * gates * lane_bytes
                        product(
                            tile, widths, groups[g], sources, t, first + row, rows, u * gates, count * gates,
                            out, scratch_row, init, groups[g, 8], lane_bytes,
                        )  # fmt: skip
                    for o in range(o_first, o_stop):
                        address = bases[o]
                        if not operands[o, 6]:
                            address += row * operands[o, 4] + u * operands[o, 5]
                        put_line(table + (o - o_first) * 24, address, operands[o, 4], operands[o, 5])
                    call_stage(function, table, rows, count)
        for c in range(len(outputs)):
            for r in range(first, first + n):
                copy_bytes(at(outputs, c, 0, t, r), at(outputs, c, 5, t, r), outputs[c, 10])
        for f in range(len(feeds)):
            mask = mask_after(feeds[f, 11], feeds[f, 12], t, steps)
            for r in range(first, first + n):
                if mask == 0 or byte(mask + r) == 0:
                    copy_bytes(at(feeds, f, 0, t, r), at(feeds, f, 5, t, r), feeds[f, 10])


@register_jitable
def mask_after(mask, per_step, t, steps):
    """Address of the flags of the rows that step t + 1 feeds; 0 after the last step."""
    return mask + (t + 1) * per_step if t + 1 < steps else 0


def backward(
    build, tile, widths, most, lane_bytes, table, tables, active, first, stop, steps, truncate, steps_before
):  # fmt: skip
    """Walk rows `first` to `stop` backward through all steps; `steps_before` came before them.

    `table` is the address of 3 int64 per operand. Tables, one line each of int64:

    stages   pointwise address, vectors, operands from-to, products from-to
    operands buffer (5), bytes per vector
    products gradient buffer (5), sources from-to, vectors; the sources are the gates' da
    sources  see `product`
    slots    gradient buffer (5), bytes per row, 1 for the output
    dy       buffer (5), numbers per row
    states   gradient buffer (5), gradient of the final state: address, bytes per step, bytes per row, numbers, lag
    feeds    gradient buffer (5), bytes per row, address and bytes per step of the mask
    """
    stages, operands, products, sources, slots, dy, states, feeds = tables
    running = 0
    for t in range(steps - 1, -2, -1):
        before = running
        running = (min(active[t], stop) if t >= 0 else stop) - first
        running = max(running, before)
        start_rows(build, states, t, first + before, first + running)
        cut_fed(feeds, t, first, first + before, steps)
        if t < 0 or running == 0:
            continue
        for v in range(len(slots)):
            if slots[v, 6]:
                for r in range(first, first + running):
                    add_numbers(build, at(slots, v, 0, t, r), at(dy, 0, 0, t, r), dy[0, 5])
        for s in range(len(stages) - 1, -1, -1):
            for o in range(stages[s, 2], stages[s, 3]):
                line = table + (o - stages[s, 2]) * 24
                put_line(line, at(operands, o, 0, t, first), operands[o, 4], operands[o, 5])
            call_stage(stages[s, 0], table, running, stages[s, 1])
            for p in range(stages[s, 4], stages[s, 5]):
                spread(tile, widths, most, lane_bytes, products, sources, p, t, first, running)
        for v in range(len(slots)):
            for r in range(first, first + running):
                clear_bytes(at(slots, v, 0, t, r), slots[v, 5])
        if truncate > 0 and t + steps_before > 0 and (t + steps_before) % truncate == 0:
            for v in range(len(slots)):
                for lag in range(1, slots[v, 1]):
                    for r in range(first, first + running):
                        clear_bytes(at(slots, v, 0, t - lag, r), slots[v, 5])


@register_jitable
def start_rows(build, states, t, first, stop):
    """Rows that end at step t start with the gradient by their final state."""
    for s in range(len(states)):
        for back in range(states[s, 9]):
            for r in range(first, stop):
                source = states[s, 5] + (states[s, 9] - 1 - back) * states[s, 6] + r * states[s, 7]
                add_numbers(build, at(states, s, 0, t - back, r), source, states[s, 8])


@register_jitable
def cut_fed(feeds, t, first, stop, steps):
    """No gradient reaches a value of step t that was replaced before step t + 1 read it."""
    for f in range(len(feeds)):
        mask = mask_after(feeds[f, 6], feeds[f, 7], t, steps)
        for r in range(first, stop):
            if mask != 0 and byte(mask + r) != 0:
                clear_bytes(at(feeds, f, 0, t, r), feeds[f, 5])


@register_jitable
def spread(tile, widths, most, lane_bytes, products, sources, p, t, first, count):
    """Add da times the weights to the gradient of one source vector, panel by panel."""
    tiles = (count + most - 1) // most
    together = widths[(count + tiles - 1) // tiles]
    for v in range(0, products[p, 7], together):
        vectors = min(together, products[p, 7] - v)
        for i in range(tiles):
            row, rows = i * count // tiles, (i + 1) * count // tiles - i * count // tiles
            target = at(products, p, 0, t, first + row) + v * lane_bytes
            product(
                tile, widths, products[p, 5:], sources, t, first + row, rows, v, vectors,
                target, products[p, 4], target, products[p, 4], lane_bytes,
            )  # fmt: skip

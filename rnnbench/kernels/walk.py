"""The walks over time: a block of batch rows goes through all steps alone, forward or backward.

Both walks are compiled once for all cells: they interpret the tables that :mod:`rnnbench.kernels.plan` lays out
(addresses, strides, which tile feeds which stage), and call tiles and pointwise functions by address. Blocks share
nothing: the bits of a row do not depend on the block it is in. A block of few rows can be walked by a team of threads,
each making its own units.

A buffer of T + lag rows in time is addressed as a ring, so that inference can keep only the last few.
"""

from __future__ import annotations

from rnnbench.kernels.crew import meet
from rnnbench.kernels.program import ACTIVE, BEFORE, LANES, MOST, ROWS, SIZE, STEPS, TILE, TRUNCATE, WIDTHS
from rnnbench.kernels.raw import (
    add_numbers,
    add_rows,
    byte,
    call_stage,
    call_tile,
    clear_bytes,
    clear_rows,
    copy_bytes,
    copy_rows,
    larger,
    put_line,
    smaller,
)
from rnnbench.kernels.symbols import NUMBER, start_gates
from rnnbench.kernels.table import numbers, table

WIDEST = 8  # vectors of any tile


def at(table, line, c, t, row):
    """Address of a buffer's row; the buffer is described by five columns of a table's line, from column c.

    They are: address, rows of time in the ring, offset in time, bytes per step, bytes per row.
    """
    slot = (t + table[line, c + 2]) % table[line, c + 1]
    return table[line, c] + slot * table[line, c + 3] + row * table[line, c + 4]


def put_parts(lines, sources, first, stop, t, row):
    """Write the parts of A of a product, as tiles read them, for one step; return where they end.

    `sources` lines: buffer (5), numbers in a row, address of the packed panels, bytes per panel.
    """
    for s in range(first, stop):
        put_line(lines, at(sources, s, 0, t, row), sources[s, 4], sources[s, 5])
        lines += 24
    return lines


def panels_of(sources, first, stop, vector):
    """Address of the panel that starts with a vector, and bytes per panel; the sources' panels follow one another."""
    if first == stop:
        return 0, 0
    return sources[first, 6] + vector // 2 * sources[first, 7], sources[first, 7]


def product(tile, widths, parts, stop, row, rows, b, per_panel, count, out, out_row, init, init_row, lane_bytes):
    """`count` vectors of a matrix product for `rows` rows, from a panel on: wide tiles, then narrower for the rest."""
    width = widths[rows]
    while count > 0:
        while width > count:
            width >>= 1
        tiles = count // width
        call_tile(tile, rows, width, tiles, out, out_row, init, init_row, parts, stop, row, b, per_panel)
        done = tiles * width
        count -= done
        out += done * lane_bytes
        init += done * lane_bytes
        b += done // 2 * per_panel


def share(vectors, part, parts):
    """First vector of a part; an even number, because weights are packed in panels of two vectors."""
    return smaller(vectors, (vectors * part // parts + 1) // 2 * 2)


def band(
    tile, widths, most, lane_bytes, parts, stop, row, rows, b, per_panel, count, out, out_row, init, init_row
):  # fmt: skip
    """A product for some neighbouring rows, panel by panel: the tiles of all rows find the panel in cache."""
    tiles = (rows + most - 1) // most
    together = larger(count, 1) if tiles == 1 else widths[(rows + tiles - 1) // tiles]
    for v in range(0, count, together):
        for i in range(tiles):
            above, below = i * rows // tiles, (i + 1) * rows // tiles
            product(
                tile, widths, parts, stop, row + above, below - above, b + v // 2 * per_panel, per_panel,
                smaller(together, count - v), out + above * out_row + v * lane_bytes, out_row,
                init + above * init_row + v * lane_bytes, init_row, lane_bytes,
            )  # fmt: skip


def turn(number, strips, t):
    """Which strip comes next: to and fro, so that of weights beyond the cache a step finds those read last."""
    return number if t % 2 == 0 else strips - 1 - number


def forward(build, task):
    """Walk a block of rows forward through all steps.

    `task` is the address of a line: addresses of the program and of memory to work in, first step and stop, first row
    and stop, then the team (see :func:`rnnbench.kernels.crew.meet`). Each part of a team makes its own units of every
    vector; before a stage all meet, because products read all units. Tables of the program, one line each of int64:

    stages   pointwise address, vectors, groups from-to, operands from-to, vectors per strip, scratch bytes per row,
             rows of a band
    groups   sources from-to, gates, scratch offset, the buffer that products start from (bias), then for symbols as
             x their address (0: none), that of the first column of x's weights, bytes per panel of these
    sources  see `put_parts`
    operands buffer (5), bytes per vector, 1 if the address is an offset into the scratch
    outputs  target buffer (5), source buffer (5), bytes to copy
    feeds    target buffer (5), source buffer (5), bytes to copy, address and bytes per step of the mask
    """
    mine, team = numbers(task), numbers(task + 48)
    program = numbers(mine[0])
    tile, most, lane_bytes = program[TILE], program[MOST], program[LANES] * program[SIZE]
    steps, first, stop = program[STEPS], mine[4], mine[5]
    widths, active = numbers(program[WIDTHS]), numbers(program[ACTIVE])
    stages, groups, sources = table(program, 0, 9), table(program, 1, 12), table(program, 2, 8)
    operands, outputs, feeds = table(program, 3, 7), table(program, 4, 11), table(program, 5, 13)
    lines, bases = mine[1], numbers(mine[1] + 24 * len(operands))
    parts = mine[1] + 32 * len(operands)
    scratch = (parts + 24 * len(sources) + 63) // 64 * 64
    for t in range(mine[2], mine[3]):
        n = smaller(active[t], stop) - first
        if n <= 0:
            break
        for s in range(len(stages)):
            if t > 0 or s > 0:
                meet(team)
            function, vectors, strip, scratch_row = stages[s, 0], stages[s, 1], stages[s, 6], stages[s, 7]
            o_first, o_stop = stages[s, 4], stages[s, 5]
            for o in range(o_first, o_stop):
                bases[o] = scratch + operands[o, 0] if operands[o, 6] else at(operands, o, 0, t, first)
            for g in range(stages[s, 2], stages[s, 3]):
                put_parts(parts + 24 * groups[g, 0], sources, groups[g, 0], groups[g, 1], t, first)
            u_first, u_stop = share(vectors, team[0], team[1]), share(vectors, team[0] + 1, team[1])
            strips = (u_stop - u_first + strip - 1) // strip
            for number in range(strips):
                u = u_first + strip * turn(number, strips, t)
                count = smaller(strip, u_stop - u)
                for top in range(0, n, stages[s, 8]):
                    tall = smaller(stages[s, 8], n - top)
                    for g in range(stages[s, 2], stages[s, 3]):
                        g_first, g_stop, gates = groups[g, 0], groups[g, 1], groups[g, 2]
                        b, per_panel = panels_of(sources, g_first, g_stop, u * gates)
                        init, init_row = at(groups, g, 4, t, first + top) + u * gates * lane_bytes, groups[g, 8]
                        out = scratch + groups[g, 3]
                        if groups[g, 9] != 0:
                            start_gates(
                                build, out, scratch_row, init, groups[g, 10] + u * gates // 2 * groups[g, 11],
                                groups[g, 11], groups[g, 9] + (t * program[ROWS] + first + top) * NUMBER, tall,
                                count * gates, program[LANES], program[SIZE],
                            )  # fmt: skip
                            init, init_row = out, scratch_row
                        band(
                            tile, widths, most, lane_bytes, parts + 24 * g_first, parts + 24 * g_stop, top, tall, b,
                            per_panel, count * gates, out, scratch_row, init, init_row,
                        )  # fmt: skip
                    for o in range(o_first, o_stop):
                        address = bases[o]
                        if operands[o, 6] == 0:
                            address += top * operands[o, 4] + u * operands[o, 5]
                        put_line(lines + (o - o_first) * 24, address, operands[o, 4], operands[o, 5])
                    call_stage(function, lines, tall, count)
        for c in range(len(outputs)):
            start, size = own_bytes(outputs[c, 10], lane_bytes, team)
            target, source = at(outputs, c, 0, t, first) + start, at(outputs, c, 5, t, first) + start
            copy_rows(target, outputs[c, 4], source, outputs[c, 9], size, n)
        for f in range(len(feeds)):
            start, size = own_bytes(feeds[f, 10], lane_bytes, team)
            mask = mask_after(feeds[f, 11], feeds[f, 12], t, steps)
            for r in range(first, first + n):
                if mask == 0 or byte(mask + r) == 0:
                    copy_bytes(at(feeds, f, 0, t, r) + start, at(feeds, f, 5, t, r) + start, size)


def own_bytes(size, lane_bytes, team):
    """Where this part's units of a row start, and how many bytes they are."""
    vectors = (size + lane_bytes - 1) // lane_bytes
    start = share(vectors, team[0], team[1]) * lane_bytes
    return start, larger(0, smaller(size, share(vectors, team[0] + 1, team[1]) * lane_bytes) - start)


def mask_after(mask, per_step, t, steps):
    """Address of the flags of the rows that step t + 1 feeds; 0 after the last step."""
    return mask + (t + 1) * per_step if t + 1 < steps else 0


def backward(build, task):
    """Walk a block of rows backward through some steps, and beyond the first one to the initial states.

    `task` is as for :func:`forward`; the parts of a team meet between the pointwise functions of a stage and its
    products, which read all units of da. Tables of the program, one line each of int64:

    stages   pointwise address, vectors, operands from-to, products from-to
    operands buffer (5), bytes per vector
    products gradient buffer (5), sources from-to, vectors; the sources are the gates' da
    sources  see `put_parts`
    slots    gradient buffer (5), bytes per row, 1 for the output
    dy       buffer (5), numbers per row
    states   gradient buffer (5), gradient of the final state: address, bytes per step, bytes per row, numbers, lag
    feeds    gradient buffer (5), bytes per row, address and bytes per step of the mask
    """
    mine, team = numbers(task), numbers(task + 48)
    program = numbers(mine[0])
    tile, most, lane_bytes = program[TILE], program[MOST], program[LANES] * program[SIZE]
    steps, first, stop = program[STEPS], mine[4], mine[5]
    truncate, steps_before = program[TRUNCATE], program[BEFORE]
    widths, active = numbers(program[WIDTHS]), numbers(program[ACTIVE])
    stages, operands, products, sources = (
        table(program, 0, 6), table(program, 1, 6), table(program, 2, 8), table(program, 3, 8)
    )  # fmt: skip
    slots, dy, states, feeds = table(program, 4, 7), table(program, 5, 6), table(program, 6, 10), table(program, 7, 8)
    size, lines = program[SIZE], mine[1]
    running = larger(0, smaller(active[mine[3]], stop) - first) if mine[3] < steps else 0
    for t in range(mine[3] - 1, mine[2] - 1 if mine[2] > 0 else -2, -1):
        before = running
        running = (smaller(active[t], stop) if t >= 0 else stop) - first
        running = larger(running, before)
        start_rows(build, states, size, lane_bytes, team, t, first + before, first + running)
        cut_fed(feeds, lane_bytes, team, t, first, first + before, steps)
        if t < 0 or running == 0:
            continue
        for v in range(len(slots)):
            if slots[v, 6]:
                start, here = own_bytes(dy[0, 5] * size, lane_bytes, team)
                target, source = at(slots, v, 0, t, first) + start, at(dy, 0, 0, t, first) + start
                add_rows(build, target, slots[v, 4], source, dy[0, 4], here, size, running)
        for s in range(len(stages) - 1, -1, -1):
            u, u_stop = share(stages[s, 1], team[0], team[1]), share(stages[s, 1], team[0] + 1, team[1])
            for o in range(stages[s, 2], stages[s, 3]):
                line = lines + (o - stages[s, 2]) * 24
                put_line(line, at(operands, o, 0, t, first) + u * operands[o, 5], operands[o, 4], operands[o, 5])
            call_stage(stages[s, 0], lines, running, u_stop - u)
            if stages[s, 4] < stages[s, 5]:
                meet(team)
            for p in range(stages[s, 4], stages[s, 5]):
                spread(tile, widths, most, lane_bytes, products, sources, p, lines, team, t, first, running)
        cut = truncate > 0 and t + steps_before > 0 and (t + steps_before) % truncate == 0
        for v in range(len(slots)):
            start, here = own_bytes(slots[v, 5], lane_bytes, team)
            for lag in range(slots[v, 1] if cut else 1):
                clear_rows(at(slots, v, 0, t - lag, first) + start, slots[v, 4], here, running)


def start_rows(build, states, size, lane_bytes, team, t, first, stop):
    """Rows that end at step t start with the gradient by their final state."""
    for s in range(len(states)):
        start, here = own_bytes(states[s, 8] * size, lane_bytes, team)
        for back in range(states[s, 9]):
            for r in range(first, stop):
                source = states[s, 5] + (states[s, 9] - 1 - back) * states[s, 6] + r * states[s, 7] + start
                add_numbers(build, at(states, s, 0, t - back, r) + start, source, here // size)


def cut_fed(feeds, lane_bytes, team, t, first, stop, steps):
    """No gradient reaches a value of step t that was replaced before step t + 1 read it."""
    for f in range(len(feeds)):
        start, size = own_bytes(feeds[f, 5], lane_bytes, team)
        mask = mask_after(feeds[f, 6], feeds[f, 7], t, steps)
        for r in range(first, stop):
            if mask != 0 and byte(mask + r) != 0:
                clear_bytes(at(feeds, f, 0, t, r) + start, size)


def spread(tile, widths, most, lane_bytes, products, sources, p, lines, team, t, first, count):
    """Add da times the weights to this part's units of the gradient of one source vector."""
    v_first, v_stop = share(products[p, 7], team[0], team[1]), share(products[p, 7], team[0] + 1, team[1])
    end = put_parts(lines, sources, products[p, 5], products[p, 6], t, first)
    strips = (v_stop - v_first + WIDEST - 1) // WIDEST
    for number in range(strips):
        v = v_first + WIDEST * turn(number, strips, t)
        target = at(products, p, 0, t, first) + v * lane_bytes
        b, per_panel = panels_of(sources, products[p, 5], products[p, 6], v)
        band(
            tile, widths, most, lane_bytes, lines, end, 0, count, b, per_panel, smaller(WIDEST, v_stop - v), target,
            products[p, 4], target, products[p, 4],
        )  # fmt: skip

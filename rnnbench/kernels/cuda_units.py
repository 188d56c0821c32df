"""What both drivers' written kernels do unit by unit: addresses, the cell's functions, and where their results go.

A driver says how its threads go over units and rows: `units` is a function that opens those loops and yields where
`row` (within the rows that start at `first`) and `unit` are known, of a stage or vector of `width` units.
"""

from __future__ import annotations

from rnnbench.contract import parse
from rnnbench.kernels import cuda_text as text
from rnnbench.kernels.cuda_text import work_lanes


def forward(kernel, layout, number, units):
    """The cell's forward function at every unit and row; `units` also yields the expression of each gate's sum."""
    stage, output = layout.cell.stages[number], layout.cell.output
    kernel.add(*(f"read{i} = {text.source_address(kernel, layout, source)}" for i, source in enumerate(stage.reads)))
    for i, name in enumerate(stage.makes):
        kernel.add(f"made{i} = {text.lane_address(kernel, layout, 'made', name, 0)}")
        if layout.lags[name]:
            kernel.add(
                f"kept{i} = {text.lane_address(kernel, layout, 'read', name, 0)}",
                f"feed{i} = {kernel.entry(f'feed {name}')}",
            )
    saved, lanes = layout.saved[number], work_lanes(layout, number)
    if saved:
        kernel.add(f"work = {text.work_address(kernel, layout, number, 'width')}")
    with units() as sums:
        kernel.add("place = row * width + unit")
        reads = text.tuple_of(f"arena[read{i} + place]" for i in range(len(stage.reads)))
        given = f"{text.tuple_of(sums)}, {reads}, {text.parameters(kernel, stage)}"
        kernel.add(f"makes, saved = stage{number}({given})")
        for i, name in enumerate(stage.makes):
            kernel.add(f"arena[made{i} + place] = makes[{i}]")
            if name == output:
                kernel.add(f"y[((replica * steps + t) * rows + first) * width + place] = makes[{i}]")
            if layout.lags[name]:  # a fed state has a lane of its own to be read from: what was fed stays there
                with kernel.block(f"if feed{i} >= 0:"):
                    kernel.add(f"next_step = feed{i} + (t + 1) * rows + first + row")
                    with kernel.block("if t + 1 == steps or masks[next_step] == 0:"):
                        kernel.add(f"arena[kept{i} + place] = makes[{i}]")
        if saved:
            with kernel.block(f"if {kernel.entry('keep')} != 0:"):
                kernel.add(f"into = work + row * {lanes} * width + unit")
                kernel.add(*(f"arena[into + {j} * width] = saved[{j}]" for j in range(saved)))


def backward(kernel, layout, number, units):
    """The cell's backward function at every unit and row: da and dp in place of what was saved."""
    cell, stage, lanes = layout.cell, layout.cell.stages[number], work_lanes(layout, number)
    smooth = cell.differentiable
    kernel.add(f"work = {text.work_address(kernel, layout, number, 'width')}")
    for i, name in enumerate(stage.makes):
        kernel.add(f"made{i} = {text.lane_address(kernel, layout, 'made', name, 0)}")
        if smooth[name]:
            kernel.add(f"flow{i} = {text.lane_address(kernel, layout, 'flow', name, 0)}")
    through = [i for i, source in enumerate(stage.reads) if smooth[parse(source)[0]]]
    for i, source in enumerate(stage.reads):
        kernel.add(f"read{i} = {text.source_address(kernel, layout, source)}")
        if i in through:
            kernel.add(f"back{i} = {text.lane_address(kernel, layout, 'flow', *parse(source))}")
    with units():
        kernel.add(f"place, kept = row * width + unit, work + row * {lanes} * width + unit")
        for i, name in enumerate(stage.makes):
            value = f"flow[flow{i} + place]" if smooth[name] else "zero"
            if name == cell.output and smooth[name]:
                value += " + dy[((replica * steps + t) * rows + first) * width + place]"
            kernel.add(f"dmake{i} = {value}")
            if smooth[name]:
                kernel.add(f"flow[flow{i} + place] = zero")
        made = text.tuple_of(f"arena[made{i} + place]" for i in range(len(stage.makes)))
        reads = text.tuple_of(f"arena[read{i} + place]" for i in range(len(stage.reads)))
        saved = text.tuple_of(f"arena[kept + {j} * width]" for j in range(layout.saved[number]))
        dmakes = text.tuple_of(f"dmake{i}" for i in range(len(stage.makes)))
        given = ", ".join([dmakes, reads, made, saved, text.parameters(kernel, stage)])
        kernel.add(f"da, dreads, dp = stage{number}({given})")
        gates = len(stage.gates)
        kernel.add(*(f"arena[kept + {g} * width] = da[{g}]" for g in range(gates)))
        trained = [stage.parameters.index(name) for name in layout.trained_parameters[number]]
        kernel.add(*(f"arena[kept + {lane} * width] = dp[{j}]" for lane, j in enumerate(trained, gates)))
        kernel.add(*(f"flow[back{i} + place] += dreads[{i}]" for i in through))


def end_of_step(kernel, layout, units):
    """No gradient reaches what was replaced by a fed value, nor any step before a cut.

    A thread clears what it alone reads in the step before, so that no barrier is needed.
    """
    states = [n for n in layout.states if layout.cell.vector(n).differentiable]
    kernel.add(f"gone, truncate = {kernel.entry('before')} + t, {kernel.entry('truncate')}")
    kernel.add("cut = truncate > 0 and gone > 0 and gone % max(truncate, 1) == 0")
    for name in states:
        kernel.add(f"feed, width = {kernel.entry(f'feed {name}')}, {kernel.entry(f'width {name}')}")
        with kernel.block("if cut or feed >= 0:"):
            for lag in range(1, layout.lags[name] + 1):
                fed = "feed >= 0 and masks[feed + t * rows + first + row] != 0" if lag == 1 else "False"
                kernel.add(f"at = {text.lane_address(kernel, layout, 'flow', name, lag)}")
                with units():
                    kernel.add(f"drop = cut or ({fed})")
                    with kernel.block("if drop:"):
                        kernel.add("flow[at + row * width + unit] = zero")

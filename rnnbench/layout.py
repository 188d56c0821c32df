"""A cell bound to sizes: widths, lags, and where each weight block lies in its stacked matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

from rnnbench.contract import HIDDEN, INPUT, LEARNED, Cell, parse, probe

STACK_NAMES = {"x": "weight_ih", "h": "weight_hh"}


@dataclass(frozen=True)
class Block:
    """One (gate, source) pair: rows `start:stop` of the matrix `key`."""

    gate: str
    source: str
    key: str
    start: int
    stop: int


@dataclass(frozen=True)
class Layout:
    """Where everything of a cell lies once its sizes are known.

    Parameters
    ----------
    cell : Cell
    input_size, hidden_size : int
        I >= 0 and H >= 1.
    """

    cell: Cell
    input_size: int
    hidden_size: int

    def width_of(self, width: int | str) -> int:
        """Resolve a declared width."""
        return self.hidden_size if width == HIDDEN else int(width)

    @cached_property
    def widths(self) -> dict[str, int]:
        """Width of every vector, the input included."""
        return {INPUT: self.input_size} | {v.name: self.width_of(v.width) for v in self.cell.vectors}

    def __getstate__(self):
        """What a copy takes over: plans hold addresses of the original's memory."""
        return {key: value for key, value in self.__dict__.items() if key != "plans"}

    @cached_property
    def plans(self) -> dict[Any, Any]:
        """What drivers have planned for this layout, by their own keys."""
        return {}

    @cached_property
    def lags(self) -> dict[str, int]:
        """How many past steps of each vector are carried (0: it lives within a step)."""
        lags = {v.name: 0 for v in self.cell.vectors}
        for stage in self.cell.stages:
            for source in (*stage.reads, *(s for g in stage.gates for s in g.sources)):
                name, lag = parse(source)
                if name != INPUT:
                    lags[name] = max(lags[name], lag)
        return lags

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The vectors carried from step to step."""
        return tuple(name for name, lag in self.lags.items() if lag > 0)

    @cached_property
    def initial(self) -> dict[str, float | str]:
        """Initial values of the states that do not start at 0."""
        values = {name: self.cell.vector(name).initial for name in self.states}
        return {name: value for name, value in values.items() if value != 0}

    @cached_property
    def learned(self) -> tuple[str, ...]:
        """The states whose initial value is a parameter."""
        return tuple(name for name, value in self.initial.items() if value == LEARNED)

    @cached_property
    def stage_widths(self) -> tuple[int, ...]:
        """Units per stage."""
        return tuple(self.widths[s.makes[0]] for s in self.cell.stages)

    @cached_property
    def saved(self) -> tuple[int, ...]:
        """How many values per unit each stage saves for its backward pass."""
        return tuple(probe(s) for s in self.cell.stages)

    @cached_property
    def trained_parameters(self) -> tuple[tuple[str, ...], ...]:
        """Per stage, its unit parameters that have a gradient."""
        trained = {p.name for p in self.cell.parameters if p.trained}
        return tuple(tuple(name for name in s.parameters if name in trained) for s in self.cell.stages)

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """How many values per unit a stage keeps for BPTT: those saved, or da and dp, which replace them."""
        stages = zip(self.cell.stages, self.saved, self.trained_parameters, strict=True)
        return tuple(max(saves, len(stage.gates) + len(trained)) for stage, saves, trained in stages)

    @cached_property
    def gate_widths(self) -> dict[str, int]:
        """Width of every gate."""
        return {g.name: w for s, w in zip(self.cell.stages, self.stage_widths, strict=True) for g in s.gates}

    @cached_property
    def blocks(self) -> dict[tuple[str, str], Block]:
        """Every weight block by (gate, source), stacked by source in the order of the gates."""
        used: dict[str, int] = {}
        blocks = {}
        for gate in self.cell.gates:
            for source in gate.sources:
                key = STACK_NAMES.get(source, f"weight_{source}")
                start = used.get(key, 0)
                used[key] = stop = start + self.gate_widths[gate.name]
                blocks[gate.name, source] = Block(gate.name, source, key, start, stop)
        return blocks

    @cached_property
    def bias_rows(self) -> dict[str, tuple[int, int]]:
        """Rows of each gate's bias in the stacked bias."""
        return stack({g.name: self.gate_widths[g.name] for g in self.cell.gates if g.bias})

    @cached_property
    def bias_size(self) -> int:
        """Length of the stacked bias."""
        return sum(stop - start for start, stop in self.bias_rows.values())

    def torch_bias_rows(self, source: str) -> dict[str, tuple[int, int]]:
        """Rows of each gate in PyTorch's second set of biases: one for the products with `source`."""
        return stack({g.name: self.gate_widths[g.name] for g in self.cell.gates if source in g.sources})

    @cached_property
    def torch_bias_spans(self) -> tuple[tuple[str, slice, slice], ...]:
        """(key, its rows, rows of the stacked bias), as few as there can be, of PyTorch's two sets of biases."""
        spans = []
        for key, source in (("bias_ih", "x"), ("bias_hh", "h")):
            pairs = [(own, self.bias_rows[gate]) for gate, own in self.torch_bias_rows(source).items()]
            for (start, stop), (first, last) in pairs:
                if spans and spans[-1][0] == key and (spans[-1][2], spans[-1][4]) == (start, first):
                    _, start, _, first, _ = spans.pop()
                spans.append((key, start, stop, first, last))
        return tuple((key, slice(start, stop), slice(first, last)) for key, start, stop, first, last in spans)

    @cached_property
    def weight_shapes(self) -> dict[str, tuple[int, int]]:
        """Shape of every stacked matrix."""
        shapes: dict[str, tuple[int, int]] = {}
        for block in self.blocks.values():
            shapes[block.key] = (block.stop, self.widths[parse(block.source)[0]])
        return shapes

    @cached_property
    def parameter_widths(self) -> dict[str, int]:
        """Width of every unit parameter."""
        return {p.name: self.width_of(p.width) for p in self.cell.parameters}

    @cached_property
    def free_weights(self) -> dict[str, int]:
        """How many numbers of every stacked matrix are free: all, unless the cell's weight map says otherwise."""
        every = {key: rows * columns for key, (rows, columns) in self.weight_shapes.items()}
        weight_map = self.cell.weights
        return every | dict(weight_map.free(self.weight_shapes) if weight_map and weight_map.free else {})

    def weight_count(self, bias: bool = True) -> int:
        """Trained numbers of the architecture, with one bias per gate; what a weight map strikes out does not count."""
        trained = sum(self.parameter_widths[p.name] for p in self.cell.parameters if p.trained)
        learned = sum(self.widths[name] for name in self.learned)
        return sum(self.free_weights.values()) + trained + learned + (self.bias_size if bias else 0)

    def flops_per_step(self) -> int:
        """Floating-point operations of the forward products, per row and step."""
        return 2 * sum(rows * columns for rows, columns in self.weight_shapes.values())

    def tape_floats(self) -> int:
        """Numbers kept per row and step for BPTT, the input not counted."""
        vectors = sum(self.widths[v.name] for v in self.cell.vectors)
        return vectors + sum(n * w for n, w in zip(self.kept, self.stage_widths, strict=True))


def stack(sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Lay blocks end to end and return where each starts and stops."""
    ends = accumulate(sizes.values(), initial=0)
    return dict(zip(sizes, pairwise(ends), strict=True))

"""Where the boxes of a graph stand and how its lines run.

Columns stand side by side, each centred on one axis. A line over several columns runs level in a lane above or
below the boxes between; a delayed one runs back below everything. What comes first in the first column, in which
order a stage's vectors stand and which lanes are above is chosen so that few lines cross.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rnnbench.pages.graph import Edge, Graph, Node

LETTER, PADDING = 7.6, 22
LEAST_WIDTH, LEAST_HEIGHT, PORT = 40, 30, 10
BETWEEN_ROWS, BETWEEN_COLUMNS = 18, 64
LANE, LOOP = 14, 13
TRIES = 40


@dataclass(frozen=True)
class Box:
    """A node's place; (x, y) is its centre."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """The x of the left side."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The x of the right side."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Line:
    """An edge's way: its corners, joined by curves that start and end level, or, if `loop`, by rounded corners."""

    edge: Edge
    points: tuple[tuple[float, float], ...]
    loop: bool = False


@dataclass
class Placement:
    """A drawn graph's geometry, and its extent."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    bounds: tuple[float, float, float, float] = (0, 0, 0, 0)


@dataclass(frozen=True)
class _Order:
    """What is free to choose: the order in each column, and whose lane is above."""

    columns: tuple[tuple[str, ...], ...]
    above: frozenset[str]


def place(graph: Graph) -> Placement:
    """Give every node a box and every edge a line."""
    sizes = _sizes(graph)
    order = _improve(graph, sizes)
    boxes = _boxes(graph, order, sizes)
    levels = _lanes(graph, order, boxes)
    placement = Placement(boxes)
    incoming: dict[str, list[tuple[float, Edge]]] = {}
    for edge in graph.edges:
        if not edge.delayed:
            height = levels[edge.start] if _is_long(graph, edge) else boxes[edge.start].y
            incoming.setdefault(edge.end, []).append((height, edge))
    for end, arriving in incoming.items():
        arriving.sort(key=lambda pair: pair[0])
        for number, (_, edge) in enumerate(arriving):
            port = boxes[end].y + PORT * (number - (len(arriving) - 1) / 2)
            placement.lines.append(_line(graph, boxes, levels, edge, port))
    bottom = max([box.y + box.height / 2 for box in boxes.values()] + [levels[k] for k in levels])
    placement.lines += _loops(graph, boxes, bottom)
    points = [point for line in placement.lines for point in line.points]
    xs = [x for x, _ in points] + [side for box in boxes.values() for side in (box.left, box.right)]
    ys = [y for _, y in points] + [box.y + half * box.height / 2 for box in boxes.values() for half in (-1, 1)]
    placement.bounds = min(xs), min(ys), max(xs), max(ys)
    return placement


def _sizes(graph: Graph) -> dict[str, tuple[float, float]]:
    arriving = {key: sum(1 for e in graph.edges if e.end == key and not e.delayed) for key in graph.nodes}
    letters = {key: len(n.label) + (2.2 if n.lag else 0) for key, n in graph.nodes.items()}
    return {
        key: (max(LEAST_WIDTH, LETTER * letters[key] + PADDING), max(LEAST_HEIGHT, PORT * (arriving[key] + 1)))
        for key in graph.nodes
    }


def _is_long(graph: Graph, edge: Edge) -> bool:
    return not edge.delayed and graph.nodes[edge.end].column - graph.nodes[edge.start].column > 1


def _spans(graph: Graph) -> dict[str, tuple[int, int]]:
    """The columns that each lane crosses, first and last, by the node it comes from."""
    spans: dict[str, tuple[int, int]] = {}
    for edge in graph.edges:
        if _is_long(graph, edge):
            first, last = graph.nodes[edge.start].column + 1, graph.nodes[edge.end].column - 1
            spans[edge.start] = first, max(last, spans.get(edge.start, (first, last))[1])
    return spans


def _boxes(graph: Graph, order: _Order, sizes: dict[str, tuple[float, float]]) -> dict[str, Box]:
    boxes, x = {}, 0.0
    for column in order.columns:
        width = max(sizes[key][0] for key in column)
        y = -(sum(sizes[key][1] for key in column) + BETWEEN_ROWS * (len(column) - 1)) / 2
        for key in column:
            height = sizes[key][1]
            boxes[key] = Box(x + width / 2, y + height / 2, width, height)
            y += height + BETWEEN_ROWS
        x += width + BETWEEN_COLUMNS
    [output] = (edge for edge in graph.edges if edge.end == "output")
    if not _is_long(graph, output):
        boxes["output"] = replace(boxes["output"], y=boxes[output.start].y)
    return boxes


def _lanes(graph: Graph, order: _Order, boxes: dict[str, Box]) -> dict[str, float]:
    """The height of each lane: as near to the boxes as what it crosses allows, short lanes nearest."""
    reach = [max(abs(boxes[key].y) + boxes[key].height / 2 for key in column) for column in order.columns]
    taken: list[tuple[int, int, int, float]] = []
    levels = {}
    for start, (first, last) in sorted(_spans(graph).items(), key=lambda item: item[1][1] - item[1][0]):
        side = -1 if start in order.above else 1
        height = max(reach[first : last + 1]) + LANE
        others = [h for s, f, l, h in taken if s == side and f <= last + 1 and first <= l + 1]
        height = max([height] + [other + LANE for other in others])
        taken.append((side, first, last, height))
        levels[start] = side * height
    return levels


def _improve(graph: Graph, sizes: dict[str, tuple[float, float]]) -> _Order:
    """Start from the order of the contract and keep every change that makes the drawing plainer."""
    columns = tuple(tuple(node.key for node in column) for column in graph.columns)
    best = _Order(columns, frozenset(key for key in _spans(graph) if key == "source:x"))
    cost = _cost(graph, best, sizes)
    for _ in range(TRIES):
        for changed in _changes(graph, best):
            price = _cost(graph, changed, sizes)
            if price < cost:
                best, cost = changed, price
                break
        else:
            return best
    return best


def _changes(graph: Graph, order: _Order) -> Iterator[_Order]:
    for key in _spans(graph):
        yield replace(order, above=order.above ^ {key})
    for number, column in enumerate(order.columns):
        if graph.nodes[column[0]].kind in ("source", "vector"):
            for i in range(len(column)):
                for j in range(i + 1, len(column)):
                    moved = list(column)
                    moved[i], moved[j] = moved[j], moved[i]
                    yield replace(order, columns=(*order.columns[:number], tuple(moved), *order.columns[number + 1 :]))


def _cost(graph: Graph, order: _Order, sizes: dict[str, tuple[float, float]]) -> float:
    """Crossings first, then how far lines climb."""
    boxes = _boxes(graph, order, sizes)
    levels = _lanes(graph, order, boxes)
    gaps: dict[int, set[tuple[float, float, str, str]]] = {}
    for edge in graph.edges:
        if edge.delayed:
            continue
        first, last = graph.nodes[edge.start].column, graph.nodes[edge.end].column
        heights = [boxes[edge.start].y, *[levels.get(edge.start, 0.0)] * (last - first - 1), boxes[edge.end].y]
        for i in range(last - first):
            end = edge.end if i == last - first - 1 else edge.start
            gaps.setdefault(first + i, set()).add((heights[i], heights[i + 1], edge.start, end))
    crossings = sum(
        1
        for lines in map(list, gaps.values())
        for i, (a, b, start, end) in enumerate(lines)
        for c, d, other_start, other_end in lines[:i]
        if start != other_start and end != other_end and (a - c) * (b - d) < 0
    )
    loops = [(boxes[e.start].y, boxes[e.end].y) for e in graph.edges if e.delayed]
    crossings += sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(loops) for c, d in loops[:i])
    climb = sum(abs(a - b) for lines in gaps.values() for a, b, _, _ in lines)
    return 1000 * crossings + climb


def _line(graph: Graph, boxes: dict[str, Box], levels: dict[str, float], edge: Edge, port: float) -> Line:
    start, end = boxes[edge.start], boxes[edge.end]
    if not _is_long(graph, edge):
        return Line(edge, ((start.right, start.y), (end.left, port)))
    first, last = graph.nodes[edge.start].column + 1, graph.nodes[edge.end].column - 1
    crossed = [(node, boxes[node.key]) for node in graph.nodes.values() if first <= node.column <= last]
    enter = min(box.left for node, box in crossed if node.column == first)
    leave = max(box.right for node, box in crossed if node.column == last)
    level = levels[edge.start]
    return Line(edge, ((start.right, start.y), (enter, level), (leave, level), (end.left, port)))


def _loops(graph: Graph, boxes: dict[str, Box], bottom: float) -> list[Line]:
    """The delayed edges: out to the right, down, back below everything, up, and in from the left."""
    delayed = sorted((e for e in graph.edges if e.delayed), key=lambda e: -boxes[e.end].y)
    trunks = _trunks({edge.start: graph.nodes[edge.start] for edge in delayed}, boxes)
    lines = []
    for number, edge in enumerate(delayed):
        start, end = boxes[edge.start], boxes[edge.end]
        out, back, lane = trunks[edge.start], end.left - 22 - LOOP * number, bottom + 26 + LOOP * 1.3 * number
        corners = ((start.right, start.y), (out, start.y), (out, lane), (back, lane), (back, end.y), (end.left, end.y))
        lines.append(Line(edge, corners, loop=True))
    return lines


def _trunks(nodes: dict[str, Node], boxes: dict[str, Box]) -> dict[str, float]:
    """Where each delayed vector turns down: right of its column, the lowest one first."""
    trunks: dict[str, float] = {}
    for key in sorted(nodes, key=lambda key: -boxes[key].y):
        beside = sum(1 for other in trunks if nodes[other].column == nodes[key].column)
        trunks[key] = boxes[key].right + 12 + 9 * beside
    return trunks

"""A cell's data-flow graph as SVG, to stand in a page: no script, no font of its own, each line's source a colour."""

from __future__ import annotations

from html import escape

from rnnbench.contract import INPUT, Cell
from rnnbench.pages import graph as graphs
from rnnbench.pages.graph import Edge, Graph, Node
from rnnbench.pages.placement import Box, Line, Placement, place
from rnnbench.report import style

MARGIN, CAPTION = 14, 30
CORNER = 9
HEAD = 6
INK, SOFT, WASH = "#1b1f24", "#57606a", "#f4f6f8"
# Dark enough for a thin line on white, in the order in which vectors take them.
COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)


def draw(cell: Cell) -> str:
    """Return the ``<svg>`` element of a cell's graph."""
    graph = graphs.of(cell)
    placement = place(graph)
    colours = _colours(cell)
    left, top, right, bottom = placement.bounds
    x, y = left - MARGIN, top - MARGIN - CAPTION
    width, height = right - left + 2 * MARGIN, bottom - top + 2 * MARGIN + CAPTION
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" viewBox="{x:.0f} {y:.0f} {width:.0f} '
        f'{height:.0f}" width="{width:.0f}" height="{height:.0f}" font-size="13">',
        f"<title>{escape('Data-flow graph of one step of ' + (cell.name or 'the cell'))}</title>",
        f"<desc>{escape(_told(graph))}</desc>",
        *_bands(graph, placement, top),
        *(_line(line, graph, colours) for line in sorted(placement.lines, key=lambda line: not line.loop)),
        *(_box(node, placement.boxes[key], colours) for key, node in graph.nodes.items()),
        "</svg>",
    ]
    return "\n".join(parts)


def _colours(cell: Cell) -> dict[str, str]:
    """A colour for each vector; the input's is black."""
    return {INPUT: INK} | {v.name: COLOURS[i % len(COLOURS)] for i, v in enumerate(cell.vectors)}


def _told(graph: Graph) -> str:
    """The graph in words, for who cannot see it."""
    told = []
    for edge in graph.edges:
        start, end = graph.nodes[edge.start], graph.nodes[edge.end]
        told.append(f"{_name(start)} to {_name(end)}")
    return "; ".join(told) + "."


def _name(node: Node) -> str:
    if node.kind == "source":
        return f"{node.label} at t−{node.lag}" if node.lag else f"input {node.label}"
    return "output" if node.kind == "output" else f"{node.kind} {node.label}"


def _bands(graph: Graph, placement: Placement, top: float) -> list[str]:
    """A tinted ground behind each stage, with its number."""
    stages = sorted({node.stage for node in graph.nodes.values() if node.stage is not None})
    reach = max(abs(box.y) + box.height / 2 for key, box in placement.boxes.items())
    parts = []
    for stage in stages:
        boxes = [placement.boxes[key] for key, node in graph.nodes.items() if node.stage == stage]
        left, right = min(box.left for box in boxes) - 14, max(box.right for box in boxes) + 8
        parts.append(
            f'<rect x="{left:.1f}" y="{-reach - 9:.1f}" width="{right - left:.1f}" height="{2 * reach + 18:.1f}" '
            f'rx="8" fill="{WASH}"/>'
            f'<text x="{left + 2:.1f}" y="{top - 16:.1f}" fill="{SOFT}" font-size="11.5">stage {stage + 1}</text>'
        )
    return parts


def _line(line: Line, graph: Graph, colours: dict[str, str]) -> str:
    edge = line.edge
    start, end = graph.nodes[edge.start], graph.nodes[edge.end]
    vector = start.vector or end.vector
    colour = colours.get(vector, SOFT) if start.vector else SOFT
    dashes = ' stroke-dasharray="5 4"' if start.lag or edge.delayed else ""
    path = _rounded(line.points) if line.loop else _curved(line.points)
    x, y = line.points[-1]
    parts = [
        f'<g class="edge" data-start="{escape(edge.start)}" data-end="{escape(edge.end)}" '
        f'data-source="{escape(edge.source)}">',
        f"<title>{escape(_edge_title(edge, start, end))}</title>",
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes}/>',
        f'<path d="M{x:.1f} {y:.1f}l{-HEAD} {-HEAD / 2}v{HEAD}z" fill="{colour}"/>',
    ]
    if edge.delayed:
        (x, y) = line.points[3]
        label = f"t−{edge.delayed}"
        parts.append(
            f'<text x="{x + 16:.1f}" y="{y + 4:.1f}" font-size="11.5" fill="{INK}" stroke="#fff" stroke-width="5" '
            f'paint-order="stroke">{label}</text>'
        )
    return "".join([*parts, "</g>"])


def _edge_title(edge: Edge, start: Node, end: Node) -> str:
    if edge.delayed:
        return f"{start.label}, {edge.delayed} step{'s' if edge.delayed > 1 else ''} later"
    how = " (a matrix product)" if end.kind == "gate" else " (unit by unit)" if edge.source else ""
    return f"{_name(start)} into {_name(end)}{how}"


def _curved(points: tuple[tuple[float, float], ...]) -> str:
    """Curves that leave and arrive level; level stretches stay straight."""
    (x, y), *others = points
    path = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in others:
        half = (x + to_x) / 2
        path.append(f"C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}" if y != to_y else f"H{to_x:.1f}")
        x, y = to_x, to_y
    return "".join(path)


def _rounded(points: tuple[tuple[float, float], ...]) -> str:
    """Straight stretches with rounded corners."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        arrive, leave = _toward(corner, before), _toward(corner, after)
        path.append("L{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}".format(*arrive, *corner, *leave))
    return "".join([*path, f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"])


def _toward(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    (x, y), (to_x, to_y) = corner, other
    length = abs(to_x - x) + abs(to_y - y)
    share = min(CORNER / length, 0.5) if length else 0.0
    return x + (to_x - x) * share, y + (to_y - y) * share


def _box(node: Node, box: Box, colours: dict[str, str]) -> str:
    colour = colours.get(node.vector, INK)
    dashes = "" if node.solid else ' stroke-dasharray="2 3"'
    rounded = {"gate": box.height / 2, "parameter": 3, "stage": 3}.get(node.kind, 6)
    rounded = min(rounded, 15)
    fill, stroke, ink = {
        "source": ("#fff", colour, INK),
        "gate": ("#fff", INK, INK),
        "parameter": ("#fff", SOFT, SOFT),
        "stage": (INK, INK, "#fff"),
        "vector": ("#fff", colour, INK),
        "output": ("none", "none", SOFT),
    }[node.kind]
    width = 2.2 if node.kind in ("source", "vector") else 1.2
    lag = f'<tspan dy="4" font-size="10">t−{node.lag}</tspan>' if node.lag else ""
    if node.kind == "vector" or node.key == f"source:{INPUT}":
        lag = '<tspan dy="4" font-size="10">t</tspan>'
    label = f"{escape(node.label)}{lag}"
    return (
        f'<g class="node" data-node="{escape(node.key)}"><title>{escape(_name(node))}</title>'
        f'<rect x="{box.left:.1f}" y="{box.y - box.height / 2:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="{rounded:.1f}" fill="{fill}" stroke="{stroke}" stroke-width="{width}"{dashes}/>'
        f'<text x="{box.x:.1f}" y="{box.y + 4.5:.1f}" text-anchor="middle" fill="{ink}">{label}</text>'
        "</g>"
    )

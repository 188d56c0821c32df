"""A cell's data-flow graph, read from its contract: what there is in one step, in columns, and what flows where.

The first column holds what comes from outside the step: the input, and each vector of an earlier step. Every
stage adds three: gates and unit parameters, the pure function, the vectors made. The last one is the output.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rnnbench.contract import INPUT, Cell, Stage, parse


@dataclass(frozen=True)
class Node:
    """A box of the graph.

    Attributes
    ----------
    key : str
        Unique: ``"source:h@2"``, ``"gate:i"``, ``"parameter:alpha:0"``, ``"stage:0"``, ``"vector:h"``, ``"output"``.
    kind : str
        The key's first word.
    label : str
    lag : int
        For a source, of how many steps ago it is.
    column : int
    stage : int or None
    vector : str
        What vector (or "x") it shows; its lines have that vector's colour.
    solid : bool
        False for a parameter that is not trained and a vector that no gradient enters.
    """

    key: str
    kind: str
    label: str
    column: int
    stage: int | None = None
    vector: str = ""
    lag: int = 0
    solid: bool = True


@dataclass(frozen=True)
class Edge:
    """Something that flows: from a node to another of a later column, or, `delayed`, back to the first column.

    `source` is what the contract calls it, and "" within a stage.
    """

    start: str
    end: str
    source: str = ""
    delayed: int = 0


@dataclass
class Graph:
    """Nodes by key, and edges."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    @property
    def columns(self) -> list[list[Node]]:
        """The nodes by column, in their order."""
        width = max(node.column for node in self.nodes.values()) + 1
        return [[node for node in self.nodes.values() if node.column == c] for c in range(width)]


def of(cell: Cell) -> Graph:
    """Return the graph of a cell."""
    graph = Graph()
    for vector, lag in _outside(cell):
        solid = _solid(cell, vector)
        _add(graph, Node(_key(vector, lag), "source", vector, 0, vector=vector, lag=lag, solid=solid))
    column = 1
    for number, stage in enumerate(cell.stages):
        column = _add_stage(graph, cell, stage, number, column)
    _add(graph, Node("output", "output", "output", column, vector=cell.output))
    graph.edges.append(Edge(f"vector:{cell.output}", "output"))
    for node in graph.columns[0]:
        if node.vector != INPUT:
            graph.edges.append(Edge(f"vector:{node.vector}", node.key, node.key.partition(":")[2], delayed=node.lag))
    return graph


def stage_name(stage: Stage) -> str:
    """What a stage's function is called in the cell's file."""
    return getattr(stage.forward, "__name__", "forward")


def _add_stage(graph: Graph, cell: Cell, stage: Stage, number: int, column: int) -> int:
    """Add a stage's nodes and edges from `column` on; return the first column after it."""
    function = Node(f"stage:{number}", "stage", stage_name(stage), column + 1, number)
    trained = {parameter.name: parameter.trained for parameter in cell.parameters}
    if not stage.gates and not stage.parameters:
        function = Node(function.key, "stage", function.label, column, number)
    for gate in stage.gates:
        _add(graph, Node(f"gate:{gate.name}", "gate", gate.name, column, number))
        graph.edges += [Edge(_key(*parse(source)), f"gate:{gate.name}", source) for source in gate.sources]
        graph.edges.append(Edge(f"gate:{gate.name}", function.key))
    for name in stage.parameters:
        key = f"parameter:{name}:{number}"
        _add(graph, Node(key, "parameter", name, column, number, solid=trained[name]))
        graph.edges.append(Edge(key, function.key))
    _add(graph, function)
    graph.edges += [Edge(_key(*parse(source)), function.key, source) for source in stage.reads]
    for name in stage.makes:
        key, solid = f"vector:{name}", _solid(cell, name)
        _add(graph, Node(key, "vector", name, function.column + 1, number, vector=name, solid=solid))
        graph.edges.append(Edge(function.key, key))
    return function.column + 2


def _outside(cell: Cell) -> list[tuple[str, int]]:
    """The sources that no stage of this step makes, as (vector, lag), the input first."""
    used = [s for stage in cell.stages for s in (*(s for g in stage.gates for s in g.sources), *stage.reads)]
    outside = dict.fromkeys((vector, lag) for vector, lag in map(parse, used) if vector == INPUT or lag > 0)
    return sorted(outside, key=lambda source: source[0] != INPUT)


def _key(vector: str, lag: int) -> str:
    if vector == INPUT:
        return f"source:{INPUT}"
    return f"source:{vector}@{lag}" if lag else f"vector:{vector}"


def _solid(cell: Cell, vector: str) -> bool:
    return vector == INPUT or cell.vector(vector).differentiable


def _add(graph: Graph, node: Node) -> None:
    graph.nodes[node.key] = node

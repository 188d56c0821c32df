"""What forward has to save for backward: as few values as possible.

Backward sees what was read and made and the unit parameters anyway. Of the rest of forward's values it computes again
what is cheap, and nothing that is dear (sigmoid, tanh, exp, a quotient and the like). So the values saved are a
smallest set that cuts all ways from the pre-activations and the dear values to backward: a minimum vertex cut, found as
a maximum flow. Among the smallest sets it is the one nearest to backward, which computes least again.

Source: L. R. Ford and D. R. Fulkerson, Maximal Flow through a Network, Canadian Journal of Mathematics 8, 1956.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rnnbench.derivative.graph import CONDITIONS, Value, needed

CHEAP = CONDITIONS | {
    "add", "sub", "mul", "neg", "one_minus", "fma", "maximum", "minimum", "absolute", "where", "relu", "step",
}  # fmt: skip
SOURCE, SINK = "source", "sink"


def choose(made: Sequence[Value], hidden: Sequence[Value], seen: Iterable[Value], results: Sequence[Value]):
    """Return the values to save, in the order of computation.

    Parameters
    ----------
    made : sequence of Value
        What forward computes.
    hidden : sequence of Value
        Inputs of forward that backward does not see.
    seen : iterable of Value
        What backward sees without its being saved.
    results : sequence of Value
        What backward computes.
    """
    seen = {value.number for value in seen}
    forward = {value.number for value in needed(made)}
    lost = {value.number for value in hidden}
    edges: dict[object, dict[object, float]] = defaultdict(dict)
    used = [value for value in needed(results, seen) if value.number not in seen]
    for value in used:
        into, out = (value.number, "in"), (value.number, "out")
        in_forward = value.number in forward
        edges[into][out] = 1 if in_forward and not value.is_condition else float("inf")
        if value.number in lost or (in_forward and value.arguments and value.operation not in CHEAP):
            edges[SOURCE][into] = float("inf")
            continue
        for argument in value.arguments:
            if argument.number not in seen:
                edges[argument.number, "out"][into] = float("inf")
        if not in_forward:
            edges[out][SINK] = float("inf")
    reaching = _minimum_cut(edges)
    cut = [v for v in used if (v.number, "out") in reaching and (v.number, "in") not in reaching]
    return [value for value in cut if value.number in forward]


def _minimum_cut(edges):
    """The nodes from which the sink can still be reached once the flow is maximal; uses the edges up."""
    while path := _path(edges):
        flow = min(edges[one][two] for one, two in path)
        for one, two in path:
            edges[one][two] -= flow
            edges[two][one] = edges[two].get(one, 0) + flow
    backward = defaultdict(list)
    for one, nexts in edges.items():
        for two, room in nexts.items():
            if room > 0:
                backward[two].append(one)
    reaching, todo = {SINK}, [SINK]
    while todo:
        new = [node for node in backward[todo.pop()] if node not in reaching]
        reaching.update(new)
        todo += new
    return reaching


def _path(edges):
    """A shortest way from source to sink that has room, as its edges; None if there is none."""
    came, todo = {SOURCE: None}, [SOURCE]
    for node in todo:
        for after, room in edges[node].items():
            if room > 0 and after not in came:
                came[after] = node
                todo.append(after)
    if SINK not in came:
        return None
    path, node = [], SINK
    while came[node] is not None:
        path.append((came[node], node))
        node = came[node]
    return path[::-1]

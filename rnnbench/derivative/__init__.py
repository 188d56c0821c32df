"""The backward function of a stage, derived from its forward function.

``forward`` is run once on values that record what is done with them (:mod:`.trace`), which gives a graph
(:mod:`.graph`). Reverse mode (:mod:`.reverse`, with a rule per operation in :mod:`.rules`) adds the gradient to it.
What forward has to save for backward follows as a minimum cut (:mod:`.saving`). Both are then written out as Python
functions like those of any cell (:mod:`.write`), which all engines take: :func:`inspect.getsource` shows them.

Method: S. Linnainmaa, Taylor expansion of the accumulated rounding error, BIT 16, 1976; A. Griewank and A. Walther,
Evaluating Derivatives, SIAM 2008, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rnnbench.derivative import saving, write
from rnnbench.derivative.graph import DerivationError, Graph
from rnnbench.derivative.reverse import gradients, zero_like
from rnnbench.derivative.trace import trace

__all__ = ["DerivationError", "derive", "without_backward"]

FORWARD = "forward(a, reads, p) as traced, with what backward needs saved."
BACKWARD = "Reverse mode of forward."


def derive(
    forward: Callable,
    makes: Sequence[str],
    gates: Sequence[str] = (),
    reads: Sequence[str] = (),
    parameters: Sequence[str] = (),
    constants: Collection[str] = (),
) -> tuple[Callable, Callable]:
    """Return the pair (forward, backward) of a stage, given a forward function.

    Parameters
    ----------
    forward : ``forward(a, reads, p)``
        Returns the tuple of what is made (a stage that makes one vector may return it bare), or ``(makes, saved)``,
        whose `saved` is passed over. Numbers that it writes are taken as :func:`rnnbench.ops.const`.
    makes, gates, reads, parameters : sequences of str
        Names, as in :class:`rnnbench.contract.Stage`.
    constants : collection of str
        Names of vectors that no gradient enters or leaves.

    Returns
    -------
    forward : ``forward(a, reads, p) -> (makes, saved)``
    backward : ``backward(dmakes, reads, makes, saved, p) -> (da, dreads, dp)``

    Raises
    ------
    DerivationError
        If `forward` branches on a value, or does anything but arithmetic and :mod:`rnnbench.ops`.
    """
    if not (gates or reads or parameters):
        raise DerivationError("forward has no gates, reads or parameters to compute anything from")
    graph = Graph()
    (a, read, p), result = trace(forward, graph, (len(gates), len(reads), len(parameters)))
    made = _made(graph, result, makes)
    dmade = tuple(graph.input() for _ in makes)
    flowing = [i for i, name in enumerate(makes) if name not in constants]
    still = [r.number for r, source in zip(read, reads, strict=True) if source.partition("@")[0] in constants]
    found = gradients([made[i] for i in flowing], [dmade[i] for i in flowing], [*a, *read, *p], still)
    results = [d if d is not None else zero_like(graph, dmade[0]) for d in found]
    saved = saving.choose(made, a, [*read, *made, *p, *dmade], results)

    names = write.Names()
    named = {
        "makes": names.of(makes, made),
        "dmakes": names.of([f"d{name}" for name in makes], dmade),
        "a": names.of([f"a_{name}" for name in gates], a),
        "reads": names.of(map(_spoken, reads), read),
        "p": names.of(parameters, p),
        "saved": names.of([f"s{i}" for i in range(len(saved))], saved),
    }
    parts = (results[: len(a)], results[len(a) : len(a) + len(read)], results[len(a) + len(read) :])
    forward_arguments = {key: named[key] for key in ("a", "reads", "p")}
    backward_arguments = {key: named[key] for key in ("dmakes", "reads", "makes", "saved", "p")}
    forward_text = write.write("forward", FORWARD, forward_arguments, (made, saved), named["saved"])
    backward_text = write.write("backward", BACKWARD, backward_arguments, parts)
    return write.compiled(forward_text), write.compiled(backward_text)


def without_backward(cell):
    """Return a cell with the same forward functions, whose backward functions are derived."""
    return replace(cell, stages=tuple(replace(stage, backward=None) for stage in cell.stages))


def _made(graph, result, makes):
    """The values made, from whatever form forward returned them in."""
    if isinstance(result, tuple) and len(result) == 2 and all(isinstance(part, tuple) for part in result):
        result = result[0]
    if not isinstance(result, tuple):
        result = (result,)
    if len(result) != len(makes):
        raise DerivationError(f"forward makes: got {len(result)} values, expected {len(makes)}: {', '.join(makes)}")
    made = tuple(graph.lift(value) for value in result)
    for name, value in zip(makes, made, strict=True):
        if value.is_condition:
            raise DerivationError(f"forward makes: {name!r} is a condition, expected a number; use where")
    return made


def _spoken(source):
    """A source as the name of a variable: h_before for h, h_before_3 for h@3, h for h@0."""
    name, _, lag = source.partition("@")
    return name if lag == "0" else "_".join([name, "before", *([lag] if lag not in ("", "1") else [])])

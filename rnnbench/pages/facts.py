"""All that a cell's contract says, as plain data: what ``rnnbench show --json`` prints, and cards and pages show."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from rnnbench import cells
from rnnbench.contract import HIDDEN, INPUT, Cell, UnitParameter, parse
from rnnbench.layout import Layout
from rnnbench.pages.graph import stage_name
from rnnbench.runner.errors import UserError

SIZE = 128
FLOAT_BYTES = 4


def of(cell: Cell, input_size: int = SIZE, hidden_size: int = SIZE) -> dict[str, Any]:
    """Return the facts of a cell at given sizes.

    Widths and shapes are given as the contract has them (``"H"``, ``"H × I"``) and as numbers; bytes are those of
    float32, per batch row and step.
    """
    layout = Layout(cell, input_size, hidden_size)
    bias = {"bias": [layout.bias_size]} if layout.bias_size else {}
    return {
        "name": cell.name,
        "title": cell.title,
        "year": cell.year,
        "source": cell.source,
        "output": cell.output,
        "smooth": cell.smooth,
        "initialisation": cell.init if isinstance(cell.init, str) else dict(cell.init),
        "weight_map": cell.weights is not None,
        "options": _options(cell),
        "vectors": [_vector(cell, layout, name) for name in layout.widths if name != INPUT],
        "stages": [
            {
                "stage": number,
                "function": stage_name(stage),
                "gates": [gate.name for gate in stage.gates],
                "reads": list(stage.reads),
                "parameters": list(stage.parameters),
                "makes": list(stage.makes),
            }
            for number, stage in enumerate(cell.stages, 1)
        ],
        "gates": _gates(cell, layout),
        "unit_parameters": [_unit_parameter(layout, parameter) for parameter in cell.parameters],
        "weights": {key: list(shape) for key, shape in layout.weight_shapes.items()} | bias,
        "input_size": input_size,
        "hidden_size": hidden_size,
        "parameters": layout.weight_count(),
        "tape_bytes_per_step": FLOAT_BYTES * layout.tape_floats(),
        "flops_per_step": layout.flops_per_step(),
    }


def find(name: str, sets: Sequence[str], input_size: int = SIZE, hidden_size: int = SIZE) -> dict[str, Any]:
    """Return the facts of the cell called `name`, with options as the command line has them: ``["delay=3"]``.

    Raises
    ------
    UserError
        There is no such cell or option, or the option cannot have that value.
    """
    options = {}
    for text in sets:
        option, equals, value = text.partition("=")
        if not equals or not option.strip():
            raise UserError(f"--set got {text!r}, expected option=value")
        if option.strip() in options:
            raise UserError(f"--set got {option.strip()!r} twice, expected it once")
        options[option.strip()] = _value(value.strip())
    try:
        return of(cells.get(name, **options), input_size, hidden_size)
    except ValueError as error:
        raise UserError(str(error)) from error


def sources(facts: Mapping[str, Any]) -> list[str]:
    """The sources of all gates, in the order of their first use."""
    return list(dict.fromkeys(source for gate in facts["gates"] for source in gate["shapes"]))


def spoken(source: str) -> str:
    """A source as equations have it.

    >>> spoken("x"), spoken("h"), spoken("h@3"), spoken("rh@0")
    ('x(t)', 'h(t−1)', 'h(t−3)', 'rh(t)')
    """
    name, lag = parse(source)
    return f"{name}(t−{lag})" if lag else f"{name}(t)"


def plain(value: object) -> str:
    """A number without needless digits, anything else as it prints."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _options(cell: Cell) -> list[dict[str, Any]]:
    defaults = cells.option_defaults(cell.name) if cell.options else {}
    return [{"name": k, "value": v, "default": defaults.get(k, v)} for k, v in cell.options.items()]


def _vector(cell: Cell, layout: Layout, name: str) -> dict[str, Any]:
    vector = cell.vector(name)
    return {
        "name": name,
        "width": layout.widths[name],
        "symbol": _symbol(vector.width),
        "lag": layout.lags[name],
        "initial": vector.initial if layout.lags[name] else None,
        "differentiable": vector.differentiable,
    }


def _gates(cell: Cell, layout: Layout) -> list[dict[str, Any]]:
    gates = []
    for number, stage in enumerate(cell.stages, 1):
        rows = _symbol(cell.vector(stage.makes[0]).width)
        for gate in stage.gates:
            shapes, symbols = {}, {}
            for source in gate.sources:
                name = parse(source)[0]
                columns = "I" if name == INPUT else _symbol(cell.vector(name).width)
                shapes[source] = [layout.gate_widths[gate.name], layout.widths[name]]
                symbols[source] = f"{rows} × {columns}"
            bias = rows if gate.bias else None
            gates.append({"name": gate.name, "stage": number, "shapes": shapes, "symbols": symbols, "bias": bias})
    return gates


def _unit_parameter(layout: Layout, parameter: UnitParameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "width": layout.parameter_widths[parameter.name],
        "symbol": _symbol(parameter.width),
        "initial": "a value per unit" if callable(parameter.initial) else parameter.initial,
        "trained": parameter.trained,
    }


def _value(text: str) -> object:
    """A number, a truth value or None where the text reads as one; else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _symbol(width: int | str) -> str:
    return "H" if width == HIDDEN else str(width)

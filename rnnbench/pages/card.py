"""A cell's card: title, equations, options, states, gates and costs as plain text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from rnnbench import cells
from rnnbench.pages import docstring
from rnnbench.pages.facts import plain, sources, spoken
from rnnbench.runner.listing import columns


def card(facts: Mapping[str, Any]) -> str:
    """Return the card of the cell with these :mod:`facts <rnnbench.pages.facts>`.

    Raises
    ------
    UserError
        The docstring can't be read.
    """
    told = docstring.read(cells.docstring(facts["name"]), facts["name"])
    lines = [f"{facts['name']}: {told.title}" + (f" ({facts['year']})" if facts["year"] else "")]
    lines += ["", told.text] if told.text else []
    lines += _table("options", [{"name": o["name"], "value": str(o["value"])} for o in facts["options"]])
    lines += _table("states", [_state(v) for v in facts["vectors"] if v["lag"]])
    if local := [v["name"] for v in facts["vectors"] if not v["lag"]]:
        lines += ["", f"within a step: {', '.join(local)}"]
    lines += _table("unit parameters", [_unit_parameter(p) for p in facts["unit_parameters"]])
    lines += _table("stages", [_stage(stage) for stage in facts["stages"]])
    lines += _table("gates: a product with each source, and a bias", _gates(facts))
    if facts["weight_map"]:
        lines += ["", "The matrices used are computed from the free parameters, once per call."]
    lines += _table("costs", _costs(facts))
    if told.sources_text:
        lines += ["", "sources"]
        lines += [textwrap.fill(s, docstring.WIDTH, initial_indent="    ", subsequent_indent="      ")
                  for s in told.sources_text]  # fmt: skip
    return "\n".join(lines)


def _table(title: str, rows: list[dict[str, Any]]) -> list[str]:
    return ["", title, textwrap.indent(columns(rows), "    ")] if rows else []


def _state(vector: Mapping[str, Any]) -> dict[str, Any]:
    row = {"name": vector["name"], "width": f"{vector['symbol']} = {vector['width']}", "starts_at": vector["initial"]}
    if vector["lag"] > 1:
        row["carried"] = f"{vector['lag']} steps"
    if not vector["differentiable"]:
        row["gradient"] = "none"
    return row


def _unit_parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter["name"],
        "width": f"{parameter['symbol']} = {parameter['width']}",
        "starts_at": plain(parameter["initial"]),
        "trained": parameter["trained"],
    }


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    row = {"stage": str(stage["stage"]), "function": stage["function"], "gates": stage["gates"]}
    row |= {"reads": [spoken(read) for read in stage["reads"]]}
    row |= {"parameters": stage["parameters"]} if stage["parameters"] else {}
    return row | {"makes": stage["makes"]}


def _gates(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"gate": gate["name"]}
        | {spoken(source): _shape(gate["shapes"].get(source)) for source in sources(facts)}
        | {"bias": gate["bias"] is not None}
        for gate in facts["gates"]
    ]


def _shape(shape: list[int] | None) -> str | None:
    return f"{shape[0]} × {shape[1]}" if shape else None


def _costs(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "input_size": facts["input_size"],
            "hidden_size": facts["hidden_size"],
            "parameters": facts["parameters"],
            "tape_bytes_per_step": facts["tape_bytes_per_step"],
            "FLOPs_per_step": facts["flops_per_step"],
        }
    ]

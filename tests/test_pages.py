"""Every cell has a page: its math is understood, its graph shows all of the contract, and it needs no network."""

import inspect
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import odd_cells
import pytest

from rnnbench import cells
from rnnbench.contract import INPUT, parse
from rnnbench.pages import build, card, docstring, drawing, facts, options
from rnnbench.pages import graph as graphs
from rnnbench.pages.placement import place
from rnnbench.runner.errors import UserError
from rnnbench.runner.listing import brief_cells, columns

SVG = "{http://www.w3.org/2000/svg}"
OUTPUT = Path("reports") / "cells"
GRAPHS = [pytest.param(lambda name=name: cells.get(name), id=name) for name in cells.names()]
GRAPHS += [pytest.param(make, id=make.__name__) for make in odd_cells.ALL]


def split(page):
    """What is said of a cell, with its math; and the graph's SVG."""
    said = re.search(r'<div class="said">\n(.*?)\n</div>\n<section', page, re.DOTALL).group(1)
    return said, ET.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL).group(0))


def expected_edges(cell):
    """(source as the contract has it, the box it leads to) of every product and read."""
    found = set()
    for number, stage in enumerate(cell.stages):
        found |= {(source, f"gate:{gate.name}") for gate in stage.gates for source in gate.sources}
        found |= {(source, f"stage:{number}") for source in stage.reads}
    return found


def start_of(source):
    name, lag = parse(source)
    if name == INPUT:
        return "source:x"
    return f"source:{name}@{lag}" if lag else f"vector:{name}"


def missing(cell, svg):
    """What the contract has and the graph lacks, or shows without a line."""
    nodes = {group.get("data-node") for group in svg.iter(f"{SVG}g")}
    lines = [group for group in svg.iter(f"{SVG}g") if group.get("data-end")]
    drawn = {(line.get("data-source"), line.get("data-start"), line.get("data-end")) for line in lines}
    wanted = {f"vector:{v.name}" for v in cell.vectors} | {f"gate:{g.name}" for g in cell.gates} | {"output"}
    edges = {(source, start_of(source), end) for source, end in expected_edges(cell)}
    wanted |= {start for _, start, _ in edges}
    ends = {(start, end) for _, start, end in drawn}
    for number, stage in enumerate(cell.stages):
        wanted |= {f"parameter:{name}:{number}" for name in stage.parameters} | {f"stage:{number}"}
        inside = {f"gate:{g.name}" for g in stage.gates} | {f"parameter:{name}:{number}" for name in stage.parameters}
        edges |= {(start, f"stage:{number}") for start in inside} - ends
        edges |= {(f"stage:{number}", f"vector:{name}") for name in stage.makes} - ends
    loops = {(f"vector:{parse(s)[0]}", start_of(s)) for s, _ in expected_edges(cell) if parse(s)[1] > 0}
    return (wanted - nodes) | (edges - drawn) | (loops - ends)


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_has_a_page(name):
    page = build.page(name, cells.names(), OUTPUT)
    said, svg = split(page)
    math = re.findall(r"<math.*?</math>", said, re.DOTALL)
    assert len([m for m in math if 'display="block"' in m]) >= 1, "the docstring has equations"
    shown = "".join([said, *docstring.read(cells.docstring(name), name).sources])
    assert "\\" not in shown and "&amp;" not in "".join(math), "no LaTeX is left"
    assert not re.search(r"[`$]|:math:|\.\. \w+::", re.sub(r"<pre>.*?</pre>", "", shown, flags=re.DOTALL)), "nor reST"
    assert missing(cells.get(name), svg) == set()
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import", page), "it needs no network"
    assert docstring.read(cells.docstring(name), name).sources, "the docstring ends with its sources"


@pytest.mark.parametrize("make", GRAPHS)
def test_a_graph_shows_the_whole_contract_and_no_boxes_meet(make):
    cell = make()
    svg = ET.fromstring(drawing.draw(cell))
    assert missing(cell, svg) == set()
    graph = graphs.of(cell)
    placement = place(graph)
    boxes = list(placement.boxes.items())
    for i, (key, box) in enumerate(boxes):
        for other_key, other in boxes[:i]:
            apart = abs(box.x - other.x) >= (box.width + other.width) / 2
            apart |= abs(box.y - other.y) >= (box.height + other.height) / 2
            assert apart, f"{key} lies on {other_key}"
    left, top, width, height = map(float, svg.get("viewBox").split())
    for line in placement.lines:
        assert all(left <= x <= left + width and top <= y <= top + height for x, y in line.points)
        rightward = line.points[0][0] < line.points[-1][0]
        assert rightward != bool(line.edge.delayed), "time runs to the right, delays run back"


@pytest.mark.parametrize("make", GRAPHS)
def test_a_lane_crosses_no_box(make):
    placement = place(graphs.of(make()))
    for line in placement.lines:
        for (x, y), (to_x, to_y) in zip(line.points, line.points[1:], strict=False):
            if y == to_y and not line.loop:
                inside = [
                    key
                    for key, box in placement.boxes.items()
                    if abs(box.y - y) < box.height / 2 and x < box.left < to_x - 1 and key != line.edge.end
                ]
                assert not inside, f"{line.edge} runs through {inside}"


def test_a_lost_line_is_seen():
    cell = cells.get("lstm")
    svg = ET.fromstring(drawing.draw(cell))
    for edge in [line for line in svg.iter(f"{SVG}g") if line.get("data-end")]:
        if edge.get("data-end") == "output":
            continue
        svg.remove(edge)
        assert missing(cell, svg), edge.attrib
        svg.append(edge)
    assert missing(cell, svg) == set()


def test_pages_link_to_each_other_and_to_the_code(tmp_path):
    names = ["elman", "gru", "lstm"]
    page = build.build(tmp_path / "pages", names)
    assert page == tmp_path / "pages" / "index.html"
    written = {path.name: path.read_text("utf-8") for path in page.parent.iterdir()}
    assert set(written) == {"index.html", "elman.html", "gru.html", "lstm.html"}
    for html in written.values():
        for link in re.findall(r'href="([^"#]+)"', html):
            assert link.startswith("https://") or (page.parent / unquote(link)).exists(), link
    for link in ('rel="prev" href="elman.html"', 'rel="next" href="lstm.html"'):
        assert written["gru.html"].count(link) == 2, "above and below"
    assert 'rel="prev"' not in written["elman.html"] and 'rel="next"' not in written["lstm.html"]
    assert "131,584" in written["lstm.html"] and "131,584" in written["index.html"]


def test_pages_say_what_options_mean_and_lead_to_the_cells_they_name():
    page = build.page("scrn", cells.names(), OUTPUT)
    assert "<td><code>context_size</code></td><td><code>None</code></td><td>int &gt;= 1, optional</td>" in page
    assert page.count("<td>Widths of s and of y; the hidden size unless given.</td>") == 2
    skip = build.page("skip", cells.names(), OUTPUT)
    assert "<p><code>delay</code> is d, an integer of at least 2.</p>" in skip and ">Meaning<" not in skip
    for name in cells.names():
        said, _, code = build.page(name, cells.names(), OUTPUT).partition('<section id="code">')
        assert code and "Build the cell" not in said and "rnnbench.cells" not in said and "-----" not in said
    assert '<a href="gru.html"><code>gru</code></a>' in build.page("mut2", cells.names(), OUTPUT)
    assert '<a href="gru.html">' not in build.page("mut2", ["mut2", "skip"], OUTPUT)


@pytest.mark.parametrize("name", cells.names())
def test_the_section_on_options_names_each_or_is_not_there(name):
    _, said = options.read(inspect.getdoc(cells.builder(name)))
    assert not said or said.keys() == cells.option_defaults(name).keys()


def test_what_a_docstring_says_of_options():
    told = "Build it.\n\nMore.\n\nParameters\n----------\na, b : int\n    One,\n    two.\nc\n\nNotes\n-----\nEnd."
    remark, said = options.read(told)
    assert remark == "Build it.\n\nMore.\n\nNotes\n-----\nEnd."
    both = options.Said("int", "One, two.")
    assert said == {"a": both, "b": both, "c": options.Said("", "")}
    assert options.read("Build the cell; it has no options.") == ("It has no options.", {})
    assert options.read("Build the cell.") == options.read("") == ("", {})


def test_the_page_of_a_users_cell(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy\nfrom rnnbench.cells.elman import build as build_elman\n"
        "def build(activation='relu'):\n    return build_elman(activation)\n"
    )
    cells.load_file(tmp_path / "mine.py")
    try:
        page = build.page("mine", ["mine"], tmp_path / "pages")
        assert "<h1>mine</h1>" in page and "not smooth" in page and 'href="../mine.py"' in page
        (tmp_path / "mine.py").write_text(
            'r"""Mine.\n\n.. math::\n\n    a = \\foo\n"""\n' + (tmp_path / "mine.py").read_text()
        )
        cells.load_file(tmp_path / "mine.py")
        with pytest.raises(UserError, match=r"docstring of mine: math .* '.*foo' is not understood"):
            build.build(tmp_path / "pages", ["mine"])
        assert not (tmp_path / "pages").exists(), "all or nothing"
    finally:
        cells._user_cells.clear()


def test_a_users_file_may_have_another_encoding_and_lie_in_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "c# 100%"
    folder.mkdir()
    source = "# coding: latin-1\n" + '"""Größe."""\nfrom rnnbench.cells.elman import build\n'
    (folder / "mine.py").write_bytes(source.encode("latin-1"))
    cells.load_file(folder / "mine.py")
    try:
        page = build.page("mine", ["mine"], tmp_path / "pages")
        assert "&#34;&#34;&#34;Größe." in page and 'href="../c%23%20100%25/mine.py"' in page
    finally:
        cells._user_cells.clear()


def test_a_card_says_all_of_it():
    told = card.card(facts.of(cells.get("leaky", alpha=0.5), 3, 7))
    assert told.startswith("leaky: Leaky units")
    assert "h_t = α ⊙ h_{t−1} + (1 − α) ⊙ ϕ(W_h x_t + R_h h_{t−1} + b_h)" in told
    for line in ("alpha 0.5", "h H = 7 0", "alpha H = 7 0.5 no", "1 forward h h(t−1) alpha h", "h 7 × 3 7 × 7 yes"):
        assert line in [" ".join(row.split()) for row in told.splitlines()], line
    assert "H. Jaeger" in told and max(map(len, told.splitlines())) <= 120


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_has_a_card(name):
    told = card.card(facts.of(cells.get(name)))
    assert "\\" not in told and "``" not in told
    for gate in cells.get(name).gates:
        assert re.search(rf"^ +{re.escape(gate.name)} .*128 × 128", told, re.MULTILINE) or gate.sources == ()


def test_facts_are_those_of_the_layout():
    told = facts.of(cells.get("jordan", output_size=3), 5, 4)
    assert told["parameters"] == 4 * (5 + 3 + 1) + 3 * (4 + 1)
    assert [gate["shapes"] for gate in told["gates"]] == [{"x": [4, 5], "y": [4, 3]}, {"h@0": [3, 4]}]
    assert [gate["symbols"] for gate in told["gates"]] == [{"x": "H × I", "y": "H × 3"}, {"h@0": "3 × H"}]
    assert [(v["name"], v["lag"], v["initial"]) for v in told["vectors"]] == [("h", 0, None), ("y", 1, 0.0)]
    assert told["options"][2] == {"name": "output_size", "value": 3, "default": None}


def test_the_list_fits_a_terminal_of_100_columns():
    text = columns(brief_cells([cells.describe(name) for name in cells.names()]), 100)
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) >= 1 + len(cells.names())
    assert "131584" in text


def test_wide_columns_are_broken_and_nothing_is_lost():
    rows = [{"name": "a", "gates": " ".join(f"gate_{i}" for i in range(9)), "parameters": 12}] * 2
    text = columns(rows, 40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.split().count("gate_8") == 2 and text.split().count("12") == 2
    assert columns(rows) == columns(rows, 200) and len(columns(rows).splitlines()) == 3

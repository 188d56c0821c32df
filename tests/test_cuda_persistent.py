"""Whether the persistent CUDA kernels fit, and where their grid waits: arithmetic and graphs, no CUDA."""

import pytest
from helpers import problem
from hypothesis import given
from hypothesis import strategies as st

from rnnbench import cells
from rnnbench.contract import INPUT, parse
from rnnbench.kernels.cuda_barriers import Due, forward_barriers, products_back
from rnnbench.kernels.cuda_persistent import Facts, Plan, plan, residents
from rnnbench.kernels.cuda_plan import Sizes
from rnnbench.kernels.cuda_resident import Geometry
from rnnbench.layout import Layout

GEOMETRY = Geometry()
A100, H200 = Facts(108, 163 * 1024), Facts(132, 227 * 1024)
RECURRENT = [n for n in cells.names() if residents(Layout(cells.get(n), 1, 1), "forward")]


def planned(name, hidden, facts=H200, direction="forward", rows=16, replicas=1, item_bytes=4):
    sizes = Sizes(replicas, 10, rows)
    return plan(Layout(cells.get(name), 8, hidden), direction, sizes, item_bytes, facts, GEOMETRY)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_an_lstm_of_512_units_fits_an_h200(direction):
    found = planned("lstm", 512, direction=direction)
    assert found.grid == (64, 1, 1) and found.block == (8, 8, 4)
    assert 4 * 512 * 8 * 4 <= found.shared <= H200.shared  # four gates, 512 by 8 weights of 4 bytes


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": "lstm", "hidden": 2048}, "a block of 16 units needs 528 KiB of shared memory, and may have 227 KiB"),
        ({"name": "lstm", "hidden": 512, "facts": Facts(132, 48 * 1024)}, "a block of 8 units needs"),
        ({"name": "gru", "hidden": 8000}, "it takes 250 blocks of 32 units, and the GPU has 132 multiprocessors"),
        ({"name": "elman", "hidden": 512, "replicas": 9}, "it takes 144 blocks of 32 units, and the GPU has 132"),
        ({"name": "elman", "hidden": 64, "facts": Facts(132, 2**17, False)}, "this GPU cannot start blocks together"),
        ({"name": "indrnn", "hidden": 64}, "cell 'indrnn' has no product with its own past"),
    ],
)
def test_what_does_not_fit_says_why(given, why):
    assert planned(**given).startswith(why)


@given(
    name=st.sampled_from(RECURRENT),
    hidden=st.integers(1, 1100),
    rows=st.integers(0, 300),
    replicas=st.integers(1, 4),
    direction=st.sampled_from(["forward", "backward"]),
    item_bytes=st.sampled_from([4, 8]),
    facts=st.sampled_from([A100, H200, Facts(16, 99 * 1024), Facts(1, 48 * 1024)]),
)
def test_a_plan_covers_everything_and_fits(name, hidden, rows, replicas, direction, item_bytes, facts):
    found = planned(name, hidden, facts, direction, rows, replicas, item_bytes)
    if isinstance(found, str):
        assert found
        return
    layout, (lanes, parts, groups) = Layout(cells.get(name), 8, hidden), found.block
    entries, words = found.entries, found.shared // item_bytes
    height = groups * GEOMETRY.rows
    assert found.blocks <= facts.multiprocessors and found.threads <= GEOMETRY.threads
    assert found.shared <= facts.shared and parts == GEOMETRY.parts and entries["depth"] % parts == 0
    assert all(-(-width // found.grid[0]) <= lanes for width in layout.stage_widths)
    assert found.grid[1] * entries["share"] >= rows and entries["share"] % height == 0
    assert found.grid[2] == replicas
    # The blocks of weights lie one after the other, then the tile, then the parts of the sums.
    ends = sorted((entries[f"resident {g} {s}"], inner) for (g, s), inner in residents(layout, direction).items())
    used = 0
    for start, inner in ends:
        assert start == used
        used += inner * lanes
    assert entries["tile"] == used and entries["parts"] == used + height * entries["pitch"]
    assert entries["pitch"] >= entries["depth"]
    assert words - entries["parts"] >= parts * height * lanes


def test_an_impossible_plan_is_told_from_a_possible_one():
    assert isinstance(planned("elman", 64), Plan)
    assert isinstance(planned("elman", 64, Facts(0, 0)), str)


# ---- where the grid waits ----


@pytest.mark.parametrize(
    ("name", "barriers"),
    [("lstm", (0,)), ("gru", (0, 1)), ("gru_reset_after", (0,)), ("jordan", (0, 1)), ("delayed", (0,)), ("indrnn", ())],
)
def test_barriers_of_a_step(name, barriers):
    assert forward_barriers(Layout(cells.get(name), 3, 4)) == barriers


def moments(layout, barriers, steps):
    """What happens over some steps, in order: ("wait",), ("make", vector, step), ("use", vector, step)."""
    for t in range(steps):
        for number, stage in enumerate(layout.cell.stages):
            if number in barriers:
                yield ("wait",)
            for source in {s for gate in stage.gates for s in gate.sources if s != INPUT}:
                name, lag = parse(source)
                yield "use", name, t - lag
            for name in stage.makes:
                yield "make", name, t


@pytest.mark.parametrize("name", cells.names())
def test_a_barrier_lies_between_making_and_using(name):
    layout = Layout(cells.get(name), 3, 4)
    needed = forward_barriers(layout)

    def holds(barriers):
        waits, made = 0, {}
        for what, *which in moments(layout, barriers, 5):
            if what == "wait":
                waits += 1
            elif what == "make":
                made[tuple(which)] = waits
            elif which[1] >= 0 and made[tuple(which)] == waits:
                return False
        return True

    assert holds(needed)
    for one in needed:
        assert not holds([b for b in needed if b != one])  # none too many


@pytest.mark.parametrize("name", cells.names())
def test_gradients_go_back_in_time_for_who_waits_for_them(name):
    """In each step every stage's products are done once, and before the stage that made what they read of this step."""
    layout = problem(cells.get(name)).layout
    due, order = Due(layout), []
    for number in reversed(range(len(layout.cell.stages))):
        order += [("products", n) for n in due.before(number)] + [("stage", number)]
        due.add(number)
    order += [("products", n) for n in due.rest()]
    for number, stage in enumerate(layout.cell.stages):
        back = products_back(layout, number)
        assert order.count(("products", number)) == bool(back)
        for other in range(number):
            makes = layout.cell.stages[other].makes
            if any(parse(s)[1] == 0 and parse(s)[0] in makes for s in back):
                assert order.index(("products", number)) < order.index(("stage", other))
        assert not back or order.index(("stage", number)) < order.index(("products", number))
        assert len(stage.makes)

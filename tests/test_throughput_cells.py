"""The experiments throughput_cells and throughput_lengths: settings, tiny trials, claims. No timing is asserted."""

import numpy as np
import pandas as pd
import pytest
import small_runs

from experiments import throughput_cells, throughput_lengths
from rnnbench import cells
from rnnbench.layout import Layout
from rnnbench.peers import model, own, tasks
from rnnbench.peers.tasks import Shape, Task
from rnnbench.report import style

pytestmark = pytest.mark.usefixtures("not_alone")

EXPERIMENTS = {"throughput_cells": throughput_cells, "throughput_lengths": throughput_lengths}


def verdicts(experiment, df):
    return {claim.name: claim.verdict for claim in experiment.claims(df)}


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_settings_are_readable(name, preset):
    for one in EXPERIMENTS[name].sweep(preset, "cpu"):
        tasks.parse_shape(one["shape"])
        tasks.parse_peers(one["peers"])
    assert EXPERIMENTS[name].sweep(preset, "cuda") == []


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_every_cell_that_others_have_not_is_measured(preset):
    sweep = throughput_cells.sweep(preset, "cpu")
    wanted = set(cells.names()) - set(tasks.COMMON)
    assert {s["cell"] for s in sweep if s["shape"] == throughput_cells.ONE and s["threads"] == 1} == wanted


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_without_data_nothing_is_drawn(name):
    assert EXPERIMENTS[name].tables(pd.DataFrame()) == {}
    assert EXPERIMENTS[name].figures(pd.DataFrame()) == {}


# ---- any cell ----


def test_a_trial_of_a_cell_has_its_model_and_says_who_is_absent(monkeypatch):
    absent = tasks.PEERS["torch-loop"]._replace(needs=("no_such_torch",))
    monkeypatch.setitem(tasks.PEERS, "torch-loop", absent)
    monkeypatch.setattr(throughput_cells, "ONE", "3x2x4x5")
    df = small_runs.frame(throughput_cells, [throughput_cells._setting("gru", "3x2x4x5", rounds=2)], "cpu")
    modelled = df[df["kind"] == "model"]
    assert list(modelled["direction"]) == list(tasks.DIRECTIONS)
    assert set(modelled["outcome"]) == {"ok"}
    for column in ("products_us", "pointwise_us", "memory_us", "over_model"):
        assert (modelled[column] > 0).all()
    assert (modelled["weight_map_us"] == 0).all()
    assert not df["peer"].isin(model.PARTS).any()
    assert set(df.loc[df["peer"] == "torch-loop", "outcome"]) == {"not installed"}
    tables = throughput_cells.tables(df)
    assert set(tables) == {"cells", "model", "left_out"}
    assert tables["model"][0].notna().all(axis=None)
    assert list(tables["cells"][0]["over torch-loop"]) == ["not installed"] * 2
    found = verdicts(throughput_cells, df)
    assert found["PyTorch loop, inference, 1 thread"] == found["model, training, 2 threads"] == "not yet run"
    with style.context():
        assert set(throughput_cells.figures(df)) == {"model_1"}


def made_up(over_model=1.0, ratio=25.0, loop_roof=0.03, roof=0.8, verdict="faster"):
    """A frame of one cell with these numbers in both directions."""
    lines = []
    for direction in tasks.DIRECTIONS:
        key = {"trial": "0", "status": "ok", "cell": "leaky", "activation": None, "shape": throughput_cells.ONE}
        key |= {"threads": 1, "direction": direction, "outcome": "ok", "us_per_step": 1.0}
        span = {f"{name}{end}": v for name, v in (("over_model", over_model),) for end in ("", "_low", "_high")}
        ends = {f"{name}{end}": v for name, v in (("ratio", ratio),) for end in ("", "_low", "_high")}
        roofs = {f"roof_fraction{end}": roof for end in ("", "_low", "_high")}
        lines += [
            key | roofs | {"kind": "time", "peer": "rnnbench"},
            key | ends | {"kind": "time", "peer": "torch-loop", "roof_fraction": loop_roof, "verdict": verdict},
            key | span | {"kind": "model", "peer": "rnnbench", "verdict": verdict},
        ]
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("changes", "modelled", "looped"),
    [
        ({}, "reproduced", "reproduced"),
        ({"over_model": 1.2}, "not reproduced", "reproduced"),
        ({"ratio": 19.0}, "reproduced", "not reproduced"),  # the loop leaves room for more: 20 x 0.03 < 1
        ({"ratio": 3.0, "loop_roof": 0.2}, "reproduced", "reproduced"),  # it leaves none, and 0.8 of the roof is enough
        ({"ratio": 3.0, "loop_roof": 0.2, "roof": 0.7}, "reproduced", "not reproduced"),
        ({"verdict": "machine busy"}, "not yet run", "not yet run"),
    ],
)
def test_claims_follow_the_numbers(changes, modelled, looped):
    df = made_up(**changes)
    claims = {claim.name: claim for claim in throughput_cells.claims(df)}
    assert claims["model, training, 1 thread"].verdict == modelled
    assert claims["PyTorch loop, training, 1 thread"].verdict == looped
    if changes.get("over_model"):
        assert "Above: leaky 1.20 (1.20 to 1.20)" in claims["model, training, 1 thread"].note
    with style.context():
        assert set(throughput_cells.figures(df)) == {"model_1", "loop_1"}


def test_the_traffic_of_an_lstm_is_counted_by_hand():
    layout = Layout(cells.get("lstm"), 5, 8)  # tape: h, c and i, f, g, o, tanh c
    assert model.kept(layout, False) == model.traffic(layout, False) == 5 + 8
    assert model.kept(layout, True) == 5 + 8 + 7 * 8
    assert model.traffic(layout, True) == 2 * 7 * 8 + 3 * 4 * 8 + 8 + 4 * 5 + 2 * 8


@pytest.mark.parametrize("direction", tasks.DIRECTIONS)
@pytest.mark.parametrize("cell", ["gru", "jordan", "leaky"])
def test_pointwise_functions_alone_stay_within_their_buffers(cell, direction):
    from rnnbench.peers import alone

    for threads in (1, 2):
        job = alone.prepare(Task(cell, None, Shape(4, 3, 2, 21), direction, threads, "pointwise"))
        before = [array.copy() for array in job.call()]
        tables, buffers = before[::2], job.call()[1::2]
        assert all(np.isfinite(buffer).all() for buffer in buffers)
        for table, buffer in zip(tables, buffers, strict=True):
            assert len(table) == len(buffer)  # a line per operand
            assert buffer.nbytes <= max(alone.L1_BYTES, len(table) * table[0, 1] * buffer.shape[1])


@pytest.mark.parametrize("direction", ["infer", "forward", "backward"])
@pytest.mark.parametrize("cell", ["gru", "leaky"])
def test_pointwise_operands_are_as_many_as_the_compiled_function_has(cell, direction):
    """What the function makes lies in the last lines: else they were counted wrongly."""
    from numba.core import types

    from rnnbench.contract import probe
    from rnnbench.kernels import memory, pointwise, threads
    from rnnbench.peers import alone

    for stage in cells.get(cell).stages:
        gates, reads, makes, units = (len(part) for part in (stage.gates, stage.reads, stage.makes, stage.parameters))
        table, buffer, rows, vectors = alone.operands(stage, direction, 2)
        counts = (makes, reads, makes, probe(stage), units) if direction == "backward" else (gates, reads, units)
        given = [tuple(part.copy()) for part in np.split(buffer[: sum(counts)], np.cumsum(counts)[:-1])]
        before = buffer[sum(counts) :].copy()
        if direction == "backward":
            da, dreads, dp = stage.backward(*given)
            expected = [*da, *(d + there for d, there in zip(dreads, before[gates:], strict=False)), *dp]
        else:
            made, saved = stage.forward(*given)
            expected = [*made, *(saved if direction == "forward" else ())]
        function = pointwise.compiled(stage, types.float32, direction).address
        calls = np.array([(function, memory.address(table), rows, vectors, 1)], np.int64)
        threads.run(alone.compiled(alone._repeat), np.array([(memory.address(calls), 1)], np.int64))
        assert len(expected) == len(before)
        np.testing.assert_allclose(buffer[sum(counts) :], np.broadcast_arrays(*expected, before[0])[:-1], rtol=1e-5)


# ---- lengths ----


def test_a_trial_of_lengths_tells_ours_full_length_and_who_is_absent(monkeypatch):
    absent = tasks.PEERS["torch-packed"]._replace(needs=("no_such_torch",))
    monkeypatch.setitem(tasks.PEERS, "torch-packed", absent)
    monkeypatch.setattr(throughput_lengths, "LONG", "9x4x3x5")
    df = small_runs.frame(throughput_lengths, [throughput_lengths._setting("lstm", "9x4x3x5", rounds=2)], "cpu")
    assert list(df["outcome"]) == ["ok", "ok", "not installed"] * 2
    ours = df[df["peer"] == "rnnbench"]
    assert (ours["over_sum"] > 0).all() and ours["sum_fraction"].between(1 / 9, 1).all()
    assert set(throughput_lengths.tables(df)) == {"lengths", "left_out"}
    assert verdicts(throughput_lengths, df)["packed sequences"] == "not yet run"


@pytest.mark.peers
def test_packed_sequences_give_our_numbers():
    pytest.importorskip("torch", reason="torch is not installed: make test-peers installs it")
    for cell in tasks.COMMON:
        df = small_runs.frame(throughput_lengths, [throughput_lengths._setting(cell, "9x4x3x5", rounds=2)], "cpu")
        packed = df[df["peer"] == "torch-packed"]
        assert list(packed["outcome"]) == ["ok", "ok"], packed["detail"].tolist()


@pytest.mark.peers
def test_packed_sequences_need_lengths():
    pytest.importorskip("torch", reason="torch is not installed: make test-peers installs it")
    from rnnbench.peers import torch_peer

    task = Task("lstm", None, Shape(3, 2, 4, 5), "inference", 1, "packed")
    with pytest.raises(tasks.NotSupported, match="packing needs lengths"):
        torch_peer.prepare(task, own.make_arrays(task, np.random.default_rng(0)))


def test_a_weight_map_counts_in_training_only():
    def flops(cell, direction):
        return model.map_flops(Task(cell, None, Shape(3, 2, 5, 8), direction, 1, "cpu", None))

    assert flops("orthogonal", "training") == (2 + 4) * 8**3  # an inverse, two products
    assert flops("orthogonal", "inference") == flops("clockwork", "training") == flops("lstm", "training") == 0


def test_the_weights_of_a_timed_training_call_are_not_those_of_the_call_before(monkeypatch):
    task = Task("orthogonal", None, Shape(3, 2, 5, 8), "training", 1, "cpu", None)
    layers, make_layer = [], own.make_layer
    monkeypatch.setattr(own, "make_layer", lambda *args: layers.append(make_layer(*args)) or layers[-1])
    job = own.prepare(task, own.make_arrays(task, np.random.default_rng(0)))
    seen = set()
    for _ in range(4):
        job.call()
        seen.add(layers[-1].params["weight_hh"].tobytes())
    assert len(seen) == 4

"""The experiment throughput_training: settings, tiny trials, claims. No timing is asserted."""

import numpy as np
import pandas as pd
import pytest
import small_runs

from experiments import throughput_training as experiment
from rnnbench.kernels import threads
from rnnbench.peers import batches, steps, tasks, torch_steps, workloads
from rnnbench.peers.process import PeerError
from rnnbench.report import style
from rnnbench.tasks import get, names

pytestmark = pytest.mark.usefixtures("not_alone")


def made_up(ratio=3.5, verdict="faster", outcome="ok", threads=2):
    """A frame with this ratio for every workload and cell."""
    lines = []
    for load in (*experiment.LOADS, *experiment.SIDE_BY_SIDE):
        peer = experiment.SEQUENTIAL if load in experiment.SIDE_BY_SIDE else experiment.TORCH
        for cell in experiment.GOALS:
            place = {"trial": load, "status": "ok", "kind": "steps", "workload": load, "cell": cell, "threads": threads}
            ms = {"ms": 1.0, "ms_low": 0.9, "ms_high": 1.1}
            lines.append(place | ms | {"peer": tasks.RNNBENCH, "outcome": "ok"})
            beside = {"ratio": ratio, "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1, "verdict": verdict}
            lines.append(place | ms | beside | {"peer": peer, "outcome": outcome, "detail": "", "error": 1e-6})
    batch = {"kind": "batch", "workload": "w", "cell": "lstm", "threads": threads, "part": 0.01, "verdict": verdict}
    return pd.DataFrame([*lines, {"trial": "batch", "status": "ok"} | batch])


def verdicts(df):
    return {claim.name: claim.verdict for claim in experiment.claims(df)}


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_workloads_are_known(preset):
    sweep = experiment.sweep(preset, "cpu")
    assert {s["workload"] for s in sweep if "tasks" not in s} <= workloads.WORKLOADS.keys()
    assert {*sweep[-1]["tasks"].split("+")} <= {*names()}
    assert preset == "smoke" or sweep[-1]["tasks"].split("+") == names()
    assert experiment.sweep(preset, "cuda") == []


def test_without_data_nothing_is_drawn():
    assert experiment.tables(pd.DataFrame()) == experiment.figures(pd.DataFrame()) == {}


def test_claims_follow_the_numbers():
    assert set(verdicts(made_up(3.5)).values()) == {"reproduced"}
    found = verdicts(made_up(2.0))
    assert found["training steps, lstm"] == found["same losses"] == "reproduced"
    assert found["training steps, elman"] == found["replicas"] == found["replicas-32"] == "not reproduced"
    assert verdicts(made_up(verdict="machine busy"))["training steps, gru_reset_after"] == "not yet run"
    assert verdicts(made_up(threads=1))["replicas"] == "not yet run"
    assert verdicts(made_up(outcome="mismatch"))["same losses"] == "not reproduced"


def test_tables_and_figures_have_every_line():
    df = made_up()
    table, caption = experiment.tables(df)["steps"]
    assert len(table) == 3 * (len(workloads.PUBLISHED) + len(workloads.SIDE_BY_SIDE)) and "95 %" in caption
    assert table["ratio"].str.startswith("3.50 (3.40 to 3.60) faster").all()
    with style.context():
        assert set(experiment.figures(df)) == {"steps_2"}


def test_a_trial_says_who_is_absent_and_compares_replicas(monkeypatch):
    monkeypatch.setitem(steps.PEERS, "torch", steps.PEERS["torch"]._replace(needs=("no_such_torch",)))
    setting = experiment._setting("tiny-replicas", "elman", 1, f"torch+{experiment.SEQUENTIAL}", 2)
    df = small_runs.frame(experiment, [setting], "cpu").set_index("peer")
    assert list(df["outcome"]) == ["ok", "not installed", "ok"]
    assert df.loc[experiment.SEQUENTIAL, "error"] == 0  # the same bits
    assert (df.loc[[tasks.RNNBENCH, experiment.SEQUENTIAL], "ms"] > 0).all()


def test_nothing_is_told_beside_times_of_ours_that_are_missing(monkeypatch):
    def dies(contestants, rounds, **timing):
        contestants[0].error = "it broke"

    monkeypatch.setattr(steps.measure, "take_turns", dies)
    with pytest.raises(PeerError, match="it broke"):
        steps.rows("tiny", ["lstm"], 1, [], 3)


def test_every_task_has_a_load_that_can_be_trained():
    assert batches.TRAINED.keys() <= {*names()} - {w.task for w in batches.loads("copy")}
    for name in names():
        for load in batches.loads(name):
            assert load.task == name and load.length >= get(name).shortest
            assert min(load.rows, load.units) > 0 and load.replicas == 1
    assert batches.loads("characters") == [workloads.WORKLOADS[f"characters-{rows}"] for rows in (1, 50)]
    assert {name: batches.loads(name)[0].readout for name in ("parity", "latch", "timing")} == {
        "parity": "every", "latch": "last", "timing": "every",
    }  # fmt: skip


def test_the_wait_for_a_batch_is_timed_within_the_step(monkeypatch):
    """A draw that takes as long as all else must show as half of the step."""
    now = [0.0]
    monkeypatch.setattr(batches.time, "perf_counter", lambda: now[0])

    class Feed:
        together = 2

        def next(self, reached=None):
            now[0] += 0.01

    class Trainer:
        feed = Feed()

        def run(self, steps):
            for _ in range(steps):
                self.feed.next()
                now[0] += 0.01

    spent = list(zip(*batches._times(Trainer(), 3), strict=True))
    assert spent == [pytest.approx((0.02, 0.01))] * 3


def test_a_trial_has_a_row_for_each_task_and_size():
    before = threads.get_num_threads()
    setting = {"tasks": "lookahead", "cells": "lstm", "threads": 1, "rounds": 2}
    df = small_runs.frame(experiment, [setting], "cpu")
    assert list(df["workload"]) == ["lookahead T=20 B=20 H=20"] and threads.get_num_threads() == before
    assert (df["part_low"] > 0).all() and (df["part_low"] <= df["part_high"]).all() and (df["part_high"] < 1).all()
    table, _ = experiment.tables(df)["batches"]
    assert table["its batch (%)"].str.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)").all()
    with pytest.raises(ValueError, match="tasks: got no-such, expected of adding"):
        experiment.run(setting | {"tasks": "no-such"}, np.random.default_rng(0))


def test_the_claim_of_batches_follows_the_numbers():
    def verdict(*parts, threads=2, word=""):
        line = {"trial": "a", "status": "ok", "kind": "batch", "cell": "lstm", "threads": threads, "verdict": word}
        df = pd.DataFrame([line | {"workload": f"w{part}", "part": part} for part in parts])
        return next(claim for claim in experiment.claims(df) if claim.name == "batches")

    assert verdict(0.05, 0.01).verdict == "reproduced"
    found = verdict(0.01, 0.051)
    assert found.verdict == "partly" and found.note.startswith("The most: w0.051 lstm 5.1 %; w0.01")
    assert verdict(0.2, threads=1).verdict == verdict(0.2, word="machine busy").verdict == "not yet run"


@pytest.mark.parametrize("key", ["workload", "cells", "peers"])
def test_what_is_not_known_is_refused(key):
    setting = experiment._setting("tiny", "lstm", 1) | {key: "no-such"}
    with pytest.raises(ValueError, match=f"{key}: got no-such, expected of "):
        experiment.run(setting, np.random.default_rng(0))


@pytest.mark.peers
@pytest.mark.parametrize("name", ["tiny", "tiny-adding", "tiny-parity"])
@pytest.mark.parametrize("cell", experiment.GOALS)
def test_pytorch_has_our_losses(name, cell, monkeypatch):
    """Also where the loss is squared or logistic, and the readout at the end."""
    pytest.importorskip("torch")
    more = {
        "tiny-adding": workloads.Workload("adding", 6, 3, 5, "last"),
        "tiny-parity": workloads.Workload("parity", 6, 3, 5),
    }
    monkeypatch.setattr(workloads, "WORKLOADS", workloads.WORKLOADS | more)
    monkeypatch.setattr(torch_steps, "WORKLOADS", workloads.WORKLOADS)
    task = tasks.Task(cell, None, tasks.Shape(6, 3, 0, 5), "training", 1)
    job = torch_steps.prepare(task, {"workload": np.array(name)})
    theirs = job.arrays(job.call())["loss"]
    ours = workloads.trainer(name, cell).run(workloads.COMPARED).loss
    np.testing.assert_allclose(theirs, ours, rtol=1e-4)
    assert theirs.shape == (workloads.COMPARED, 1)

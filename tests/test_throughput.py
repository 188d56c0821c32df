"""The experiment throughput: its settings, a tiny trial, claims and tables on made-up frames. No timing is asserted."""

import numpy as np
import pandas as pd
import pytest
import small_runs

from experiments import throughput
from rnnbench import cells
from rnnbench.peers import frames, tasks
from rnnbench.report import style
from rnnbench.runner import settings

pytestmark = pytest.mark.usefixtures("not_alone")


def setting(measure="speed", cell="elman", shape="3x2x4x5", **changes):
    return throughput._setting(measure, cell, shape, **{"rounds": 2} | changes)


def made_up(ratios, shapes=throughput.TABLE, threads=1, roof=0.9, width=0.01, absent=()):
    """A frame with these ratios by peer, the same for every cell, shape and direction."""
    lines = []
    for cell in ("elman", "gru_reset_after", "lstm"):
        for shape in shapes:
            for direction in tasks.DIRECTIONS:
                key = {"trial": f"{cell} {shape} {threads}", "cell": cell, "shape": shape, "threads": threads}
                key |= {"status": "ok", "kind": "time", "direction": direction, "activation": None}
                speed = {"us_per_step": 1.0, "gflops": 100.0, "rounds_timed": 9}
                speed |= {"roof_fraction": roof, "roof_fraction_low": roof, "roof_fraction_high": roof}
                lines.append(key | speed | {"peer": "rnnbench", "outcome": "ok"})
                for peer, ratio in ratios.items():
                    span = {"ratio": ratio, "ratio_low": ratio - width, "ratio_high": ratio + width}
                    word = "faster" if ratio - width > 1 else "slower" if ratio + width < 1 else "same"
                    lines.append(key | speed | span | {"peer": peer, "outcome": "ok", "verdict": word, "error": 1e-7})
                for peer in absent:
                    lines.append(key | {"peer": peer, "outcome": "not installed", "detail": "get it"})
    return pd.DataFrame(lines)


def test_a_peer_that_failed_took_no_part():
    df = made_up({"torch": 1.5, "torch-plain": 2.5, "onnxruntime": 2.5, "jax": 1.2})
    assert frames.best(df)["complete"].all()
    for outcome in ("failed", "mismatch"):
        broken = df.assign(outcome=df["outcome"].mask(df["peer"] == "jax", outcome))
        assert not frames.best(broken)["complete"].any()
        again = pd.concat([df, broken.assign(trial="z " + broken["trial"])])  # of two trials the complete one counts
        assert frames.best(again)["complete"].all()


def verdicts(df):
    return {claim.name: claim.verdict for claim in throughput.claims(df)}


# ---- settings ----


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_settings_are_readable_and_complete(preset):
    sweep = throughput.sweep(preset, "cpu")
    for one in sweep:
        tasks.parse_shape(one["shape"])
        tasks.parse_peers(one["peers"])
    if preset != "smoke":
        assert {s["cell"] for s in sweep} == set(cells.names() if preset == "paper" else tasks.COMMON)
        assert {s["shape"] for s in sweep} >= set(throughput.TABLE)
        assert {s["measure"] for s in sweep} == {"speed", "growth", "memory", "start"}


def test_there_is_nothing_for_other_devices_yet():
    assert throughput.sweep("quick", "cuda") == []


def test_a_shape_of_one_s_own_replaces_all_others():
    overrides = settings.parse_overrides(["shape=7x3x5x9", "measure=speed", "peers=none", "axis=none"])
    sweep = settings.override(throughput.sweep("quick", "cpu"), overrides)
    assert {s["shape"] for s in sweep} == {"7x3x5x9"}
    assert len({settings.canonical(s) for s in sweep}) == len(sweep)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": "150"}, "shape: got '150', expected four integers"),
        ({"measure": "taste"}, "measure: got 'taste', expected speed"),
        ({"peers": "keras"}, "peers: got 'keras'"),
        ({"measure": "growth", "axis": "I"}, "axis: got 'I'"),
    ],
)
def test_a_bad_setting_is_told_in_one_sentence(changes, words):
    with pytest.raises(ValueError, match=words) as caught:
        throughput.run(setting(**changes), np.random.default_rng(0))
    assert "\n" not in str(caught.value)


# ---- trials ----


def test_trials_give_rows_tables_and_figures(monkeypatch):
    monkeypatch.setitem(tasks.PEERS, "torch", tasks.Peer("rnnbench.peers.torch_peer", "onednn", ("no_such_torch",)))
    few = setting(peers="reference+torch"), setting(cell="leaky", peers="reference")
    df = small_runs.frame(throughput, [*few, setting("growth", axis="B"), setting("memory")], "cpu")
    absent = df[df["peer"] == "torch"]
    assert list(absent["outcome"]) == ["not installed"] * 2
    assert absent["detail"].str.contains(r"rnnbench\[peers\]").all()
    tables = throughput.tables(df)
    assert {"inference_1", "training_1", "all_cells", "growth", "memory", "left_out"} == set(tables)
    assert list(tables["training_1"][0]["over torch"]) == ["not installed"]
    assert list(tables["all_cells"][0]["cell"]) == ["leaky", "leaky"]
    with style.context():
        assert set(throughput.figures(df)) == {"growth"}  # without a peer there is no ratio to draw
    found = verdicts(df)
    assert found["inference, 1 thread"] == found["import"] == "not yet run"
    assert found["same numbers"] == "reproduced"


# ---- claims, tables and figures on made-up frames ----


def test_what_is_fast_everywhere_is_reproduced():
    df = made_up({"torch": 2.0, "onnxruntime": 3.0, "jax": 4.0})
    found = verdicts(df)
    for name in ("inference", "training", "LSTM training", "each shape, inference", "roof, training"):
        assert found[f"{name}, 1 thread"] == "reproduced"
    assert found["inference, 2 threads"] == "not yet run"
    assert found["same numbers"] == "reproduced"


def test_losses_are_told():
    df = made_up({"torch": 2.0, "onnxruntime": 0.8, "jax": 4.0}, roof=0.5)
    claims = {claim.name: claim for claim in throughput.claims(df)}
    assert claims["inference, 1 thread"].verdict == "not reproduced"
    assert "24 slower" in claims["inference, 1 thread"].note
    assert claims["each shape, inference, 1 thread"].verdict == "not reproduced"
    assert "lstm 150x1x256x256 0.80 (onnxruntime)" in claims["each shape, inference, 1 thread"].note
    assert claims["roof, inference, 1 thread"].verdict == "not reproduced"


def test_a_wide_interval_is_partly():
    df = made_up({"torch": 1.25, "onnxruntime": 1.25, "jax": 1.25}, width=0.4)
    assert verdicts(df)["inference, 1 thread"] == "partly"


def test_without_all_peers_and_shapes_nothing_is_claimed():
    df = made_up({"torch": 2.0, "jax": 2.0}, absent=("onnxruntime",))
    assert verdicts(df)["inference, 1 thread"] == "not yet run"
    assert verdicts(df)["training, 1 thread"] == "reproduced"
    df = made_up({"torch": 2.0, "onnxruntime": 3.0, "jax": 2.0}, shapes=throughput.TABLE[:-1])
    assert verdicts(df)["training, 1 thread"] == "not yet run"


def test_the_fastest_peer_is_the_one_that_counts():
    best = frames.best(made_up({"torch": 1.5, "torch-plain": 1.2, "jax": 2.0}))
    assert set(best["best"]) == {"torch-plain"}
    assert not best.loc[best["direction"] == "inference", "complete"].any()


def test_nothing_is_claimed_from_a_busy_machine():
    df = made_up({"torch": 2.0, "onnxruntime": 3.0, "jax": 4.0})
    df.loc[(df["trial"] == df["trial"].iloc[0]) & df["verdict"].notna(), "verdict"] = "machine busy"
    assert verdicts(df)["training, 1 thread"] == "not yet run"


@pytest.mark.parametrize("threads", [1, 2])
def test_tables_and_figures_of_a_full_frame(threads):
    df = made_up({"torch": 2.0, "onnxruntime": 0.8, "jax": 1.0}, threads=threads, absent=("torch-plain",))
    tables = throughput.tables(df)
    assert set(tables) == {f"inference_{threads}", f"training_{threads}", "left_out"}
    table, _ = tables[f"inference_{threads}"]
    assert len(table) == 24
    assert table["over onnxruntime"].str.endswith("slower").all()
    assert (table["over jax"] == "1.00 (0.99 to 1.01) same").all()
    assert (table["over torch-plain"] == "not installed").all()
    with style.context():
        figures = throughput.figures(df)
        assert set(figures) == {f"ratios_{threads}", f"roof_{threads}"}
        for figure, caption in figures.values():
            assert caption
            figure.canvas.draw()

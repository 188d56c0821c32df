"""The experiment throughput_cuda where no GPU is: floors by hand, the sweep, rows, claims, tables and figures.

What a trial does on a GPU is played by Numba's simulator in test_cuda_simulator_use.py. No timing is asserted.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from experiments import throughput_cuda as experiment
from rnnbench import cells
from rnnbench.kernels.cuda_barriers import backward_barriers
from rnnbench.layout import Layout
from rnnbench.peers import cuda_engines, cuda_floor, cuda_trial, measure, tasks, trial
from rnnbench.peers.cuda_floor import Rates, Work
from rnnbench.peers.process import PeerError
from rnnbench.peers.tasks import Shape
from rnnbench.report import style
from rnnbench.runner.record import encode_rows

MULTIPROCESSORS, SHARED = 10, 1000


pytestmark = pytest.mark.usefixtures("not_alone")


# ---- the floor ----


@pytest.mark.parametrize(
    ("name", "barriers"), [("elman", (1, 1)), ("lstm", (1, 1)), ("gru_reset_after", (1, 1)), ("gru", (2, 2))]
)
def test_barriers_forward_and_back(name, barriers):
    layout = Layout(cells.get(name), 3, 4)
    assert (len(cuda_floor.forward_barriers(layout)), backward_barriers(layout)) == barriers


def test_work_of_an_lstm_by_hand():
    """I = 3, H = 5, B = 2, T = 7: 4 gates; 100 recurrent weights of 4 bytes are held by one multiprocessor."""
    layout = Layout(cells.get("lstm"), 3, 5)
    given = layout, Shape(7, 2, 3, 5)
    inference = cuda_floor.work(*given, False, "ieee", MULTIPROCESSORS, SHARED)
    assert inference == Work(flops=2 * 2 * 20 * 8, weights=400 / 7, broadcast=2 * 4 * 5, barriers=1)
    training = cuda_floor.work(*given, True, "ieee", MULTIPROCESSORS, SHARED)
    assert training == Work(flops=3 * 2 * 2 * 20 * 8, weights=2 * 400 / 7, broadcast=2 * 4 * (5 + 20), barriers=2)
    halves = cuda_floor.work(*given, False, "fp16", MULTIPROCESSORS, SHARED)
    assert halves == Work(flops=2 * 2 * 20 * 8, weights=200 / 7, broadcast=2 * 2 * 5, barriers=1)


def test_weights_that_take_several_slices_or_do_not_fit():
    """H = 20: 1600 weights, 6400 bytes, seven slices of 1000; with five multiprocessors they are read every step."""
    layout, shape = Layout(cells.get("lstm"), 3, 20), Shape(10, 2, 3, 20)
    held = cuda_floor.work(layout, shape, False, "tf32", MULTIPROCESSORS, SHARED)
    assert (held.weights, held.broadcast) == (640, 7 * 2 * 4 * 20)
    read = cuda_floor.work(layout, shape, False, "tf32", 5, SHARED)
    assert (read.weights, read.broadcast) == (6400, 5 * 2 * 4 * 20)


def test_a_gru_sends_its_state_and_then_the_reset_one():
    layout, shape = Layout(cells.get("gru"), 3, 5), Shape(7, 1, 3, 5)
    forward = cuda_floor.work(layout, shape, False, "ieee", MULTIPROCESSORS, SHARED)
    assert (forward.broadcast, forward.barriers) == (4 * (5 + 5), 2)
    both = cuda_floor.work(layout, shape, True, "ieee", MULTIPROCESSORS, SHARED)
    assert (both.broadcast, both.barriers) == (4 * (10 + 15), 4)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        (Rates(10.0, 100.0, 0.5), (100.0, 2.0, 3.0, 1.0, 101.0)),
        (Rates(1e6, 1.0, 0.5), (1e-3, 200.0, 300.0, 1.0, 301.0)),
        (Rates(1e6, 1e6, 7.0), (1e-3, 2e-4, 3e-4, 14.0, 14.001)),
    ],
)
def test_the_floor_is_the_longest_term_and_the_waits(rates, expected):
    assert cuda_floor.floor(Work(1000.0, 200.0, 300.0, 2), rates) == pytest.approx(expected)


# ---- settings ----


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_settings_can_be_read_and_are_whole(preset):
    sweep = experiment.sweep(preset, "cuda")
    assert sweep
    for one in sweep:
        tasks.parse_shape(one["shape"])
        cuda_engines.engines(one["precision"], one["peers"])
    if preset != "smoke":
        full = {(s["cell"], s["shape"], s["precision"]) for s in sweep}
        assert full >= {(c, s, p) for c in experiment.CELLS for s in experiment.SHAPES for p in cuda_engines.PRECISIONS}
    if preset == "paper":
        assert {s["cell"] for s in sweep} == set(cells.names())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": "fp8"}, "precision: got 'fp8', expected one of ieee, tf32, bf16, fp16"),
        ({"peers": "jax"}, "peers: got 'jax', expected torch or none"),
        ({"shape": "9"}, "shape: got '9', expected four integers"),
    ],
)
def test_a_bad_setting_is_told_in_one_sentence(changes, words):
    with pytest.raises(ValueError, match=words) as caught:
        run(**changes)
    assert "\n" not in str(caught.value)


# ---- trials ----


def run(cell="lstm", shape="3x2x4x5", precision="ieee", peers="none", **timing):
    setting = experiment._setting(cell, shape, precision, peers, rounds=2)
    return experiment.run(setting, np.random.default_rng(0))


def test_without_a_gpu_rows_say_what_is_missing(monkeypatch):
    """The real processes: none of them finds a GPU here."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    rows = run(peers="none")
    encode_rows(rows)  # JSON scalars only
    assert [(r["direction"], r["peer"]) for r in rows] == [
        (direction, peer) for direction in tasks.DIRECTIONS for peer in ("persistent", "portable", "floor")
    ]
    assert {r["outcome"] for r in rows} == {"not supported"}
    for row in rows:
        assert row["detail"].startswith("device 'cuda': ")
        assert "\n" not in row["detail"]
    df = frame(rows)
    assert {claim.verdict for claim in experiment.claims(df)} == {"not yet run"}
    assert set(experiment.tables(df)) == {"left_out"}
    assert experiment.figures(df) == {}


STEPS = 3
SECONDS = {
    "persistent": 6e-6, "portable": 12e-6, "torch": 9e-6, "read": 1e-3, "barrier": 1e-3,
    "products, own tiles": 2e-3, "products, cuBLAS": 1e-3,
}  # fmt: skip
FACTS = {
    "read": {"bytes": 1e9, "multiprocessors": 10, "shared": 10**5}, "barrier": {"waits": 1000},
    "products, own tiles": {"flops": 1e9}, "products, cuBLAS": {"flops": 1e9},
}  # fmt: skip


class Played:
    """Contestants without processes: what each gives and how long each takes are made up."""

    def __init__(self, monkeypatch, refused=(), wrong=(), broken=()):
        self.refused, self.wrong, self.broken = refused, wrong, broken
        monkeypatch.setattr(cuda_trial, "enter", self.enter)
        monkeypatch.setattr(trial.Session, "results", lambda session, one: self.results(one))
        monkeypatch.setattr(measure, "take_turns", self.take_turns)

    def enter(self, here, given, task, name, peer):
        if name in self.refused:
            raise trial.Refused("not supported", f"{name} is not here")
        return SimpleNamespace(name=name, task=task, given=given, seconds=[], error="")

    def results(self, one):
        if one.name in FACTS:
            return FACTS[one.name]
        if one.name in self.broken:
            raise PeerError(f"{one.name} died")
        with np.load(one.given) as arrays:
            made = cuda_trial.reference(one.task, dict(arrays))
        shift = 1e-2 if one.name in self.wrong else 1e-6
        return {name: (value + shift * np.abs(value).max()).astype(np.float32) for name, value in made.items()}

    def take_turns(self, contestants, rounds, section, **timing):
        for one in contestants:
            one.seconds = [STEPS * SECONDS[one.name] * (1 + 0.01 * k) for k in range(rounds)]


def by_peer(rows, direction="training"):
    return {r["peer"]: r for r in rows if r["direction"] == direction}


def test_rows_of_a_trial(monkeypatch):
    Played(monkeypatch)
    rows = run(peers="torch")
    encode_rows(rows)
    found = by_peer(rows)
    assert {r["outcome"] for r in rows} == {"ok"}
    assert found["persistent"]["us_per_step"] == pytest.approx(6 * 1.005)
    assert found["portable"]["ratio"] == pytest.approx(2)
    assert found["torch"]["ratio"] == pytest.approx(1.5)
    assert found["torch"]["ours"] == "persistent"
    assert "ratio" not in found["persistent"]
    assert 0 < found["torch"]["error"] < 1e-5
    floor = found["floor"]
    assert floor["waits"] == 2
    assert floor["barriers_us"] == pytest.approx(2 * 3 * 1.005, rel=1e-3)  # 3 ms for 1000 waits
    assert floor["products_rate"] == pytest.approx(1e9 / 3.015e-3, rel=1e-3)  # cuBLAS's, the faster
    assert (
        floor["cublas_products_rate"]
        == floor["products_rate"]
        == pytest.approx(2 * floor["own_products_rate"], rel=1e-3)
    )
    assert floor["floor_us"] == pytest.approx(
        max(floor[f"{name}_us"] for name in ("products", "weights", "broadcast")) + floor["barriers_us"], rel=1e-3
    )
    assert found["persistent"]["over_floor"] == pytest.approx(6.03 / floor["floor_us"], rel=1e-3)


def test_who_differs_fails_or_is_not_there(monkeypatch):
    Played(monkeypatch, refused=("persistent", "products, cuBLAS"), wrong=("torch",))
    found = by_peer(run(peers="torch"))
    assert found["persistent"]["outcome"] == "not supported"
    assert found["torch"]["outcome"] == "mismatch"
    assert "at most 0.0001 is allowed" in found["torch"]["detail"]
    assert "us_per_step" not in found["torch"]
    assert found["portable"]["outcome"] == "ok"
    assert "ratio" not in found["portable"]
    assert found["floor"]["products_rate"] == pytest.approx(1e9 / (3 * 2e-3), rel=0.01)  # of our own tiles


def test_in_half_precision_more_may_differ(monkeypatch):
    Played(monkeypatch, wrong=("torch",), broken=("portable",))
    found = by_peer(run(precision="bf16", peers="torch"))
    assert found["torch"]["outcome"] == "ok"
    assert (found["portable"]["outcome"], found["portable"]["detail"]) == ("failed", "portable died")


def test_without_a_part_there_is_no_floor(monkeypatch):
    Played(monkeypatch, refused=("barrier",))
    found = by_peer(run(peers="torch"))
    assert (found["floor"]["outcome"], found["floor"]["detail"]) == ("not supported", "barrier is not here")
    assert found["torch"]["ratio"] == pytest.approx(1.5)
    assert "over_floor" not in found["torch"]


# ---- claims, tables and figures on made-up frames ----


def frame(rows, **setting):
    given = {"cell": "lstm", "activation": None, "shape": "3x2x4x5", "precision": "ieee"} | setting
    return pd.DataFrame([given | row | {"trial": str(given), "status": "ok"} for row in rows])


def made_up(torch=3.0, gru_waits=2, error=1e-6):
    """A frame with this ratio to PyTorch in every cell, shape and precision; time follows the waits of the grid."""
    made = []
    for cell in experiment.CELLS:
        for shape in experiment.SHAPES:
            for precision in cuda_engines.PRECISIONS:
                rows = []
                for direction in tasks.DIRECTIONS:
                    waits = 2 if cell == "gru" else 1
                    ours = 2.0 * (gru_waits if cell == "gru" else 1)
                    base = {"kind": "time", "direction": direction, "outcome": "ok", "error": error}
                    span = {"ratio": torch, "ratio_low": torch - 0.1, "ratio_high": torch + 0.1, "verdict": "faster"}
                    over = {"over_floor": 2.0, "over_floor_low": 1.9, "over_floor_high": 2.1}
                    rows.append(base | over | {"peer": "persistent", "us_per_step": ours})
                    rows.append(base | over | {"peer": "portable", "us_per_step": 9.0})
                    rows.append(base | over | span | {"peer": "torch", "us_per_step": ours * torch})
                    terms = {f"{name}_us": 1.0 for name in cuda_floor.Floor._fields} | {"waits": waits}
                    rows.append({"kind": "floor", "direction": direction, "peer": "floor", "outcome": "ok"} | terms)
                made.append(frame(rows, cell=cell, shape=shape, precision=precision))
    return pd.concat(made, ignore_index=True)


def verdicts(df):
    return {claim.name: claim.verdict for claim in experiment.claims(df)}


def test_claims_of_an_empty_frame_are_not_yet_run():
    found = verdicts(pd.DataFrame())
    assert set(found.values()) == {"not yet run"}
    assert len(found) == 13


def test_what_is_fast_everywhere_is_reproduced():
    assert set(verdicts(made_up(torch=3.0)).values()) == {"reproduced"}


def test_losses_are_told():
    claims = {claim.name: claim for claim in experiment.claims(made_up(torch=0.8))}
    assert claims["fp32 and tf32, training"].verdict == "not reproduced"
    assert "lstm 100x64x1024x1024 tf32 0.80" in claims["fp32 and tf32, training"].note
    assert claims["LSTM fp16, first, inference"].verdict == "reproduced"
    assert claims["LSTM fp16, inference"].verdict == "not reproduced"


def test_a_cell_that_waits_longer_than_its_barriers_explain_is_told():
    claims = {claim.name: claim for claim in experiment.claims(made_up(gru_waits=3))}
    assert claims["per barrier, training"].verdict == "partly"
    assert "gru 100x64x512x512 bf16 1.50" in claims["per barrier, training"].note


def test_sizes_beyond_the_goals_do_not_count():
    df = made_up(torch=0.1)
    df["shape"] = df["shape"].str.replace("x1024$", "x2048", regex=True)
    small = made_up(torch=3.0)
    df = pd.concat([df[df["shape"].str.endswith("2048")], small[~small["shape"].str.endswith("x1024")]])
    assert verdicts(df)["GRU, training"] == "reproduced"


def test_tables_and_figures_of_a_full_frame(tmp_path):
    df = made_up(torch=0.8)
    df.loc[(df["peer"] == "persistent") & (df["shape"] == experiment.FLASH), ["outcome", "detail"]] = (
        "not supported",
        "too large",
    )
    tables = experiment.tables(df)
    assert set(tables) == {"inference", "training", "floor", "left_out"}
    table, _ = tables["training"]
    assert len(table) == 4 * 4 * 4
    assert (table["over torch"] == "0.80 (0.70 to 0.90) faster").all()
    assert (table["over floor"] == "2.00 (1.90 to 2.10)").all()
    assert list(dict.fromkeys(table["precision"])) == list(cuda_engines.PRECISIONS)
    assert list(tables["left_out"][0]["rows"]) == [4 * 4 * 2]
    with style.context():
        figures = experiment.figures(df)
        assert set(figures) == set(tasks.DIRECTIONS)
        figure, caption = figures["training"]
        assert caption
        figure.savefig(tmp_path / "training.png")
        panels = figure.axes
        assert len(panels) == 4
        assert [line.get_label() for line in panels[0].lines] == ["rnnbench", "PyTorch (cuDNN)", "floor"]
        assert all(len(line.get_xdata()) == 16 for line in panels[0].lines)

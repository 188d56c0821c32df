"""Clipping, temporal order, Reber, counting, timing: settings, one small trial each, claims on made-up frames."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments import clipping, counting, reber, temporal_order, timing
from rnnbench import tasks
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.layers import Network, Recurrent
from rnnbench.runner.intervals import difference

ALL = (clipping, temporal_order, reber, counting, timing)
COMPARED = (temporal_order, reber, counting, timing)


def name_of(experiment):
    return experiment.__name__.partition(".")[2]


def trial(experiment, **changes):
    """The rows of the first setting of "smoke", changed, as a frame of one finished trial; the last of equal kind."""
    first = next(s for s in experiment.sweep("smoke", "cpu") if s.get("cell", "lstm") == "lstm")
    setting = first | changes
    rows = experiment.run(setting | {"device": "cpu"}, np.random.default_rng(0))
    return made_up([setting | row for row in rows])


def made_up(rows):
    return pd.DataFrame([{"status": "ok"} | row for row in rows])


def verdicts(experiment, rows):
    return {claim.name: claim.verdict for claim in experiment.claims(made_up(rows))}


def test_the_difference_of_two_rates():
    """The published example of Newcombe 1998, table II, (a): 56 of 70 against 48 of 80."""
    assert difference((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference((5, 5), (5, 5))[0] == -difference((5, 5), (5, 5))[1]


# ---- clipping ----


def test_lengths_after_clipping():
    df = trial(clipping, part="lengths", threshold=5.0, size=100)
    assert set(df["way"]) == set(clipping.KINDS)
    for way, wanted in (("norm", np.minimum), ("squared", lambda n, v: np.where(n * n > v, v / n, n))):
        rows = df[df["way"] == way]
        np.testing.assert_allclose(rows["after"], wanted(rows["before"], 5.0), rtol=1e-9)
    assert (df.loc[df["way"] == "value", "after"] <= 5.0 * math.sqrt(100)).all()
    found = {claim.name: claim.verdict for claim in clipping.claims(df)}
    assert [found[n] for n in ("norm", "squared: shorter, the longer it was", "squared: after a wall")] == [
        "reproduced"
    ] * 3
    wrong = clipping.claims(df.assign(way=df["way"].map({"norm": "squared", "squared": "norm", "value": "value"})))
    assert [claim.verdict for claim in wrong[:3]] == ["partly", "not reproduced", "not reproduced"]


@pytest.mark.parametrize("start", clipping.STARTS)
def test_networks_start_as_published(start):
    setting = clipping.sweep("quick", "cpu")[-1] | {"start": start, "omega": 0.0, "device": "cpu"}
    network = clipping._network(setting, [np.random.default_rng(0)])
    layer = network.parts["hidden"]
    recurrent, entry = layer.params["weight_hh"][0], layer.params["weight_ih"]
    if start == clipping.SMART:
        assert (np.count_nonzero(recurrent, axis=1) == 15).all()
        assert abs(np.linalg.eigvals(recurrent)).max() == pytest.approx(0.95, rel=1e-5)
    else:
        assert recurrent.std() == pytest.approx(clipping.STARTS[start][1], rel=0.1)
    assert entry.std() == pytest.approx(clipping.STARTS[start][1], rel=0.2)
    assert layer.cell.options["activation"] == clipping.STARTS[start][0]


def test_all_methods_train():
    for setting in clipping.sweep("smoke", "cpu")[1:]:
        ends = [
            row for row in clipping.run(setting | {"device": "cpu"}, np.random.default_rng(1)) if row["kind"] == "end"
        ]
        assert [row["outcome"] for row in ends] == ["training"] * 2


def of_clipping(solved, lengths=(10, 30), start=clipping.SMART, steps=clipping.STEPS):
    """Ends of five seeds; `solved` says how many of them succeed, by method, at the first length and the last."""
    return [
        {"kind": "end", "start": start, "method": method, "length": length, "steps": steps, "hidden": 50,
         "replica": r, "stopped": 500, "loss": 0.1, "success": 1.0, "outcome": "solved" if r < count else "training"}
        for method, counts in solved.items() for length, count in zip(lengths, counts, strict=True) for r in range(5)
    ]  # fmt: skip


def test_the_order_of_figure_7():
    as_published = {"none": (5, 0), "norm": (5, 3), "norm + Omega": (5, 5), "squared": (4, 0)}
    found = verdicts(clipping, of_clipping(as_published))
    assert found["without clipping success falls"] == "reproduced"
    assert found["clipping against none, smart tanh, lengths 10 to 30"] == "reproduced"
    assert found["Omega against clipping, smart tanh, lengths 10 to 30"] == "reproduced"
    assert found["squared against norm, lengths 10 to 30"] == "reproduced"
    assert (
        found["Omega, lengths 50 to 200"]
        == found["clipping against none, smart tanh, lengths 50 to 250"]
        == "not yet run"
    )
    reversed_ = {"none": (5, 5), "norm": (1, 0), "norm + Omega": (0, 0), "squared": (5, 5)}
    found = verdicts(clipping, of_clipping(reversed_))
    assert found["clipping against none, smart tanh, lengths 10 to 30"] == "not reproduced"
    assert found["without clipping success falls"] == "partly"
    long = verdicts(clipping, of_clipping({"norm + Omega": (5, 4)}, (50, 200), steps=200_000))
    assert long["Omega, lengths 50 to 200"] == "not reproduced"
    few = verdicts(clipping, of_clipping(as_published, steps=20))
    assert few["clipping against none, smart tanh, lengths 10 to 30"] == "not yet run"
    worse = of_clipping({"none": (5, 5), "norm": (3, 3)}) + of_clipping(
        {"none": (0, 0), "norm": (5, 5)}, (20, 20), "sigmoid"
    )
    found = verdicts(clipping, worse)  # what one start gains does not hide what another loses
    assert found["clipping against none, smart tanh, lengths 10 to 30"] == "not reproduced"
    assert found["clipping against none, sigmoid, length 20"] == "reproduced"


# ---- what compares cells ----


@pytest.mark.parametrize("experiment", COMPARED, ids=name_of)
def test_cells_have_as_many_weights(experiment):
    for cell in experiment.CELLS:
        setting = next(s for s in experiment.sweep("quick", "cpu") if s["cell"] == cell)
        small = setting | {"steps": 1, "seeds": 2, "every": 0, "test": 10, "farthest": 2, "length": 10, "spikes": 2}
        rows = experiment.run(small | {"device": "cpu"}, np.random.default_rng(0))
        (count,) = {row["parameters"] for row in rows if row["kind"] == "end"}
        assert count == pytest.approx(setting["weights"], rel=0.12)


# ---- temporal order ----


def of_order(cell, solved, stopped, symbols=2, steps=temporal_order.STEPS):
    return [
        {"kind": "end", "cell": cell, "symbols": symbols, "length": 100, "steps": steps, "batch": 20, "success": 0.5,
         "loss": 1.0, "stopped": stopped if r < solved else steps, "outcome": "solved" if r < solved else "training"}
        for r in range(5)
    ]  # fmt: skip


def test_temporal_order_claims():
    found = verdicts(
        temporal_order, of_order("lstm_1997", 5, 1500) + of_order("lstm", 4, 900) + of_order("elman", 0, 0)
    )
    assert found["LSTM of 1997, 2 symbols"] == found["sequences, 2 symbols"] == found["tanh, 2 symbols"] == "reproduced"
    assert found["LSTM against tanh, 2 symbols"] == "reproduced"
    assert found["LSTM, 2 symbols"] == "not reproduced"  # four of five
    assert found["LSTM of 1997, 3 symbols"] == found["tanh, 3 symbols"] == "not yet run"
    found = verdicts(
        temporal_order, of_order("lstm_1997", 5, 1700) + of_order("lstm", 1, 900) + of_order("elman", 1, 9)
    )
    assert found["sequences, 2 symbols"] == found["tanh, 2 symbols"] == "not reproduced"
    assert found["LSTM against tanh, 2 symbols"] == "partly"
    three = of_order("lstm_1997", 5, 28_000, 3, 60_000) + of_order("elman", 0, 0, 3, 60_000)
    assert verdicts(temporal_order, three)["sequences, 3 symbols"] == "reproduced"


# ---- Reber ----


def lengths():
    """Probabilities of the choices in a Reber string, 0 to 200: every arrow between B and E is one of two."""
    after = {"1": "23", "2": "24", "3": "35", "4": "36", "5": "46"}
    paths, ended = {"1": 1.0}, [0.0]
    for _ in range(200):
        grown = {state: 0.0 for state in "23456"}
        for state, p in paths.items():
            for to in after[state]:
                grown[to] += p / 2
        ended.append(grown.pop("6"))
        paths = grown
    return np.array(ended)


@pytest.mark.parametrize("task", reber.TASKS)
def test_bits_and_symbols_of_a_string(task):
    bits, symbols, length = reber.TASKS[task]
    p, embedded = lengths(), task != "reber"
    choices = np.arange(201) @ p
    assert p.sum() == pytest.approx(1)
    assert choices + embedded == pytest.approx(bits)
    assert choices + 2 + 4 * embedded - (task != "continual_reber") == pytest.approx(symbols)
    known = tasks.get(task)
    assert known.least_loss(length) * symbols / math.log(2) == pytest.approx(bits, rel=0.002)
    naive = {"reber": 1.164, "embedded_reber": 1.335, "continual_reber": 1.281}[task]
    assert known.chance(length).loss == pytest.approx(naive, abs=1e-3)


def of_reber(task, cell, successes, bits, test_length=None):
    length = test_length or (reber.LONG if task == "continual_reber" else 1)
    loss = bits * math.log(2) / reber.TASKS[task][1]
    return [
        {"kind": "end", "task": task, "cell": cell.partition(",")[0], "steps": reber.STEPS[task], "rate": 0.01,
         "test_length": length, "loss": loss, "success": success, "parameters": 276,
         "truncate": 1 if cell == reber.ONE_STEP else None}
        for success in successes
    ]  # fmt: skip


def test_reber_claims():
    right, wrong = [1.0] * 5, [0.999] * 5
    found = verdicts(
        reber,
        of_reber("reber", reber.ONE_STEP, right, 6.01)
        + of_reber("embedded_reber", "lstm_1997", right, 7.1)
        + of_reber("embedded_reber", "lstm", right[1:] + wrong[1:2], 7.1)
        + of_reber("embedded_reber", "elman", wrong + right, 7.1)
        + of_reber("embedded_reber", reber.ONE_STEP, wrong, 7.9)
        + of_reber("continual_reber", "lstm", [0.9, 0.9, 0.95, 1.0, 0.2], 7.2)
        + of_reber("continual_reber", "lstm", [0.0] * 5, 7.2, reber.SHORT)  # another length, which does not count
        + of_reber("continual_reber", "lstm_1997", [0.89] * 5, 7.2),
    )
    assert found.pop("embedded, lstm") == "not reproduced"
    assert set(found.values()) == {"reproduced"} and len(found) == 9
    longer = [row | {"steps": 8 * row["steps"]} for row in of_reber("embedded_reber", "lstm_1997", right, 7.1)]
    assert verdicts(reber, longer)["embedded, lstm_1997"] == "not yet run"  # so many strings are not at most 39,740
    found = verdicts(
        reber,
        of_reber("embedded_reber", "lstm", right, 6.8)
        + of_reber("embedded_reber", "elman", right, 7.2)
        + of_reber("embedded_reber", reber.ONE_STEP, right, 7.2)
        + of_reber("continual_reber", "lstm", [0.0] * 5, 8.0)
        + of_reber("continual_reber", "lstm_1997", right, 7.2),
    )
    assert found["no loss below the entropy"] == "partly"  # 6.8 bits cannot be
    assert found.pop("embedded, tanh with whole gradients") == "partly"  # five of five may be 97 %
    wrong = "embedded, simple recurrent network", "stream, forget gates", "stream, no forget gates"
    assert [found[name] for name in (*wrong, "stream, forget gates against none")] == ["not reproduced"] * 4
    assert found["plain, simple recurrent network"] == "not yet run"


# ---- counting ----


class Counter:
    """Answers rightly up to an n of its own for each replica; beyond, one of its answers is wrong."""

    def __init__(self, task, limits):
        self.task, self.limits, self.asked = task, limits, []

    def forward(self, x, lengths, tape):
        assert (np.diff(lengths) <= 0).all() and tape is False
        y = np.zeros((*x.shape, len(tasks.get(self.task).alphabet)))
        for row, symbols in enumerate(x[0].T):
            n = np.count_nonzero(symbols == 1)
            self.asked.append(n)
            target = tasks.get(self.task, least=n).batch(np.random.default_rng(0), 1, n).target[:, 0]
            assert len(target) == lengths[row]
            for r, limit in enumerate(self.limits):
                y[r, : len(target), row] = target - 0.5
                if n in limit:
                    y[r, len(target) - 1, row, 0] *= -1
        return y, None


@pytest.mark.parametrize("task", counting.TASKS)
def test_the_reach_is_the_n_before_the_first_that_is_wrong(task, monkeypatch):
    monkeypatch.setattr(counting, "FIRST", 4)
    setting = {"task": task, "seeds": 4, "farthest": 12}
    network = Counter(task, [{1}, {4, 6}, {11}, ()])
    assert counting._reach(network, setting).tolist() == [0, 3, 10, 12]
    assert sorted(network.asked) == list(range(1, 13))
    network = Counter(task, [{2}, {3}, {4}, {1}])
    assert counting._reach(network, setting).tolist() == [1, 2, 3, 0]
    assert max(network.asked) == 4


@pytest.mark.parametrize("cell", ["elman", "lstm", "skip", "jordan"])
def test_states_are_those_of_one_step_after_the_other(cell):
    task, setting = tasks.get("anbn"), {"task": "anbn", "seeds": 2, "farthest": 5}
    network = Network.build(cell, task.inputs, task.outputs, 6, embedding="one_hot", seed=[1, 2])
    rows = pd.DataFrame(counting._states(network, setting, 1))
    assert "".join(rows.loc[rows["unit"] == 1, "symbol"]) == "#aaaaabbbbb"
    x, state, values = [0, *[1] * 5, *[2] * 5], None, []
    for symbol in x:
        _, state = network.forward(np.full((2, 1, 1), symbol), state)
        newest = state["hidden"][{"lstm": "c", "jordan": "y"}.get(cell, "h")][1]
        values.append(newest[-1, 0] if cell == "skip" else newest[0])
    widest = sorted(np.transpose(values), key=np.ptp)[::-1]
    for unit, mine in rows.groupby("unit")["value"]:
        np.testing.assert_allclose(mine, widest[unit - 1], atol=1e-4)


def test_a_cell_without_a_past_has_no_states_to_tell():
    task, h = tasks.get("anbn"), Stage(lambda a, reads, p: a, makes=("h",), gates=(Gate("h", ("x",)),))
    network = Network.build(
        Cell((Vector("h"),), (h,), output="h"), task.inputs, task.outputs, 6, embedding="one_hot", seed=[1, 2]
    )
    assert counting._states(network, {"task": "anbn", "seeds": 2, "farthest": 5}, 0) == []


def of_counting(reaches):
    return [
        {"kind": "reach", "task": task, "cell": cell, "steps": counting.STEPS, "farthest": counting.FARTHEST,
         "rate": 0.01, "reach": reach}
        for (task, cell), values in reaches.items() for reach in values
    ]  # fmt: skip


def test_counting_draws_what_there_is():
    lines = of_counting({("anbn", "gru"): [11, 12]})
    states = [{"kind": "state", "task": "anbn", "cell": "gru", "unit": 1, "step": step, "value": 0.1 * step,
               "symbol": "a"} for step in range(3)]  # fmt: skip
    ok = pd.DataFrame(lines + states).assign(status="ok")
    assert [*counting.figures(ok)] == ["reach"]
    assert [*counting.figures(ok.assign(cell="lstm"))] == ["reach", "states"]
    assert counting.figures(ok[ok["kind"] == "none"]) == {}


def test_counting_claims():
    found = verdicts(counting, of_counting({
        ("anbn", "lstm_noaf"): [118, 200, 300, 118, 1024], ("anbn", "lstm"): [11, 12, 13, 14, 15],
        ("anbn", "gru"): [9, 10, 10, 10, 10], ("anbncn", "lstm"): [10, 10, 10, 10, 40],
        ("anbncn", "gru"): [10, 10, 10, 10, 10], ("anbncn", "lstm_noaf"): [10, 10, 10, 30, 9],
        ("anbncn", "lstm_peephole"): [27] * 5,
    }))  # fmt: skip
    assert found["anbn, learned"] == found["anbn, unsquashed"] == found["anbn, no peepholes"] == "reproduced"
    assert found["anbncn, learned"] == "not reproduced"
    assert found["anbncn, unsquashed"] == found["anbncn, no peepholes"] == "partly"
    assert found["anbncn, squashed"] == "not reproduced" and found["anbn, squashed"] == "not yet run"
    assert found["LSTM against gru"] == "partly" and found["LSTM against elman"] == "not yet run"
    assert found["anbn, one cell"] == found["anbncn, two cells"] == "not yet run"
    small = of_counting({("anbn", "lstm_noaf"): [118] * 5, ("anbncn", "lstm_noaf"): [10, 10, 10, 28, 9]})
    found = verdicts(counting, [row | {"shortcut": True} for row in small])
    assert found["anbn, one cell"] == found["anbn, one cell, reach"] == "reproduced"
    assert found["anbncn, two cells"] == "not reproduced" and found["anbncn, two cells, reach"] == "partly"
    assert found["anbn, learned"] == "not yet run"  # of another size


def test_outputs_see_the_symbol():
    """A net of the paper's size is the cell and a readout of x and h, and has 38 or 90 weights."""
    for task, weights in (("anbn", 38), ("anbncn", 90)):
        setting = next(s for s in counting.sweep("quick", "cpu") if s["task"] == task and "shortcut" in s)
        made, x = tasks.get(task), np.array([[0, 1], [1, 2], [2, 0]])
        network = counting._small(made, setting | {"device": "reference"}, None, [3])
        layer = network.parts["hidden"]
        y, _ = network.forward(x[None])
        plain = Recurrent("lstm_noaf", made.inputs, setting["hidden"], seed=[3], device="reference")
        for name, value in plain.params.items():
            value[...] = layer.params[name][:, : value.shape[1]]  # the outputs' rows come last
        h, _ = plain.forward(np.eye(made.inputs, dtype="float32")[x][None])
        readout = layer.blocks["y", "h@0"], layer.blocks["y", "x"], layer.gate_bias("y")
        of_h, of_x, bias = (value[0] for value in readout)
        np.testing.assert_allclose(y[0], h[0] @ of_h.T + np.eye(made.inputs)[x] @ of_x.T + bias, atol=1e-6)
        assert sum(value.size for value in layer.params.values()) == weights


# ---- timing ----


def of_timing(task, cell, right, interval=10):
    return [
        {"kind": "end", "task": task, "cell": cell, "interval": interval, "steps": timing.STEPS, "rate": 0.01,
         "parameters": 150, "loss": 0.01, "success": 1.0 if r < right else 0.99}
        for r in range(5)
    ]  # fmt: skip


def test_timing_claims():
    found = verdicts(timing, [
        *of_timing("msd", "lstm", 5), *of_timing("msd", "lstm_peephole", 5),
        *of_timing("gts", "lstm", 0), *of_timing("gts", "lstm_peephole", 5), *of_timing("gts", "lstm_peephole", 1, 50),
    ])  # fmt: skip
    assert found["measuring, peepholes, F = 10"] == found["generating, peepholes, F = 10"] == "reproduced"
    assert found["measuring, peepholes against none, F = 10"] == "partly"
    assert found["generating, peepholes against none, F = 10"] == "reproduced"
    assert found["generating, peepholes, F = 50"] == "not reproduced"
    assert found["measuring, peepholes, F = 50"] == "not yet run"

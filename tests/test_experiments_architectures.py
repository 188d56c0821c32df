"""The experiments on architectures: their settings, one small trial each, and claims on made-up frames."""

import importlib
import itertools
from types import SimpleNamespace as Trained

import numpy as np
import pandas as pd
import pytest

from rnnbench import cells, tasks
from rnnbench.layers import Network
from rnnbench.runner import settings
from rnnbench.runner.claims import NOT_REPRODUCED, NOT_YET_RUN, PARTLY, REPRODUCED

NAMES = ("bidirectional", "deep", "gru_mut", "learning_to_execute", "lstm_variants", "memorization")
BY = {name: importlib.import_module(f"experiments.{name}") for name in NAMES}


def made_up(rows):
    """A frame as the runner gives it."""
    return pd.DataFrame([{"status": "ok", "kind": "end", "outcome": "training", "seconds": 1.0} | row for row in rows])


def verdicts(name, rows):
    return {claim.name: claim.verdict for claim in BY[name].claims(made_up(rows))}


def seeds(values, **row):
    return [row | {"replica": r, "loss": float(value)} for r, value in enumerate(values)]


# ---- settings, empty frames, trials ----


@pytest.mark.parametrize("name", [name for name in NAMES if name != "deep"])
def test_a_cell_of_the_users_own_is_trained_beside_the_others(name, monkeypatch):
    before = {settings.canonical(s) for s in BY[name].sweep("quick", "cpu")}
    monkeypatch.setattr(cells, "added", lambda: ["my_cell"])
    own = [s for s in BY[name].sweep("quick", "cpu") if settings.canonical(s) not in before]
    assert own and {s["cell"] for s in own} == {"my_cell"}
    assert len(own) + len(before) == len(BY[name].sweep("quick", "cpu"))


# ---- bidirectional ----


def looking(forward, both, ahead=3):
    ends = []
    for cell, (direction, (loss, success)) in itertools.product(
        ("elman", "lstm"), {"forward": forward, "bidirectional": both}.items()
    ):
        row = {"cell": cell, "direction": direction, "ahead": ahead, "budget": 2000}
        ends += [row | {"replica": r, "loss": loss, "success": success} for r in range(5)]
        for step, changed in itertools.product(range(8), range(8)):
            seen = {"forward": changed == step, "bidirectional": changed == min(step + ahead, 7)}[direction]
            ends.append(row | {"kind": "seen", "step": step, "changed": changed, "change": float(seen)})
    return ends


def test_bidirectional_claims():
    chance = np.log(4)
    assert set(verdicts("bidirectional", looking((chance, 0), (0.001, 1.0))).values()) == {REPRODUCED}
    wrong = verdicts("bidirectional", looking((chance / 2, 0), (0.1, 0.9)))
    assert wrong["forward: chance"] == wrong["bidirectional: all right"] == NOT_REPRODUCED
    swapped = [row | {"step": row["changed"], "changed": row["step"]} if "step" in row else row
               for row in looking((chance, 0), (0, 1.0))]  # fmt: skip
    assert verdicts("bidirectional", swapped)["forward: blind"] == PARTLY


def test_an_output_sees_what_the_network_lets_it():
    task = tasks.get("lookahead", ahead=1)
    for both in (False, True):
        network = Network.build("elman", 4, 4, 5, embedding="one_hot", bidirectional=both, seed=[0, 1])
        rows = BY["bidirectional"]._seen(
            task, 4, Trained(network=network), [np.random.default_rng(r) for r in range(2)]
        )
        table = pd.DataFrame(rows).pivot_table("change", "step", "changed").to_numpy()
        assert (np.triu(table, 1) > 0).any() == both and (np.tril(table) > 0).sum() == 10


# ---- deep ----


def shortest_and_longest(edges, steps):
    """Matrices from the first input to the last output, over a list of (node, node, steps later)."""
    ways = {("x", 0): {0}}
    for t in range(steps):
        for _ in range(4):  # as many layers as there are in a step, at most
            for a, b, later in edges:
                if t >= later and (a != "x" or t == 0):
                    before = ways.get((a, t - later), set())
                    ways.setdefault((b, t), set()).update(n + 1 for n in before)
    return min(ways["y", steps - 1]), max(ways["y", steps - 1])


EDGES = {
    "shallow": [("x", "h", 0), ("h", "h", 1), ("h", "y", 0)],
    "stacked": [("x", "h", 0), ("h", "h", 1), ("h", "g", 0), ("g", "g", 1), ("g", "y", 0)],
    "skip": [("x", "h", 0), ("h", "h", 1), ("h", "g", 0), ("g", "g", 1), ("g", "y", 0), ("x", "g", 0), ("h", "y", 0)],
    "transition": [("x", "u", 0), ("u", "z", 0), ("h", "z", 1), ("z", "h", 0), ("h", "v", 0), ("v", "y", 0)],
    "shortcut": [
        ("x", "u", 0),
        ("u", "z", 0),
        ("h", "z", 1),
        ("z", "h", 0),
        ("h", "v", 0),
        ("v", "y", 0),
        ("h", "h", 1),
    ],
}


@pytest.mark.parametrize("kind", EDGES)
def test_measured_paths_are_those_of_the_graph(kind):
    measured = [BY["deep"]._slope({"network": kind}, w) for w in (1e-3, 1e3)]
    five, ten = (shortest_and_longest(EDGES[kind], steps) for steps in (5, 10))
    counted = [(b - a) / 5 for a, b in zip(five, ten, strict=True)]
    assert measured == pytest.approx(counted, abs=0.01)
    assert tuple(counted) == BY["deep"].PER_STEP[kind]


def test_deep_claims():
    def runs(shallow, transition, shortcut, slope):
        losses = {"shallow": shallow, "transition": transition, "shortcut": shortcut}
        rows = [{"kind": "paths", "network": kind, "shortest": a, "longest": b}
                for kind, (a, b) in BY["deep"].PER_STEP.items()]  # fmt: skip
        for kind, rate in (("shallow", -0.5), ("transition", slope)):
            rows += [{"kind": "slope", "network": kind, "slope": rate, "replica": r, "budget": 5000} for r in range(5)]
        for (kind, values), length in itertools.product(losses.items(), (10, 20)):
            rows += seeds(values, network=kind, length=length, budget=5000)
        return verdicts("deep", rows)

    low, high = [0.1, 0.2, 0.1, 0.1, 0.3], [1.0, 1.1, 1.2, 1.0, 1.0]
    assert set(runs(low, high, low, -1.0).values()) == {REPRODUCED}
    wrong = runs(high, low, high, -0.5)
    assert wrong.pop("paths") == REPRODUCED and set(wrong.values()) == {NOT_REPRODUCED}


# ---- LSTM variants, GRU and mutants ----

LOW, HIGH = [0.001, 0.0012, 0.0011, 0.001, 0.0009], [0.01, 0.012, 0.011, 0.01, 0.009]


def test_lstm_variants_claims():
    module = BY["lstm_variants"]

    def runs(losses, perfect):
        rows = []
        for cell, task in itertools.product(module.CELLS, module.TASKS):
            _, budget, _, judged_at, _ = module.SIZES[task]
            row = {"cell": cell, "task": task, "budget": budget, "judged_at": judged_at}
            row |= {"success": perfect.get(cell, 0.9)}
            rows += seeds(losses.get((cell, task), LOW), **row)
        return verdicts("lstm_variants", rows)

    streams = "continual_reber"
    critical = {("lstm_nfg", streams): HIGH, ("lstm_noaf", streams): HIGH}
    assert set(runs(critical, {"lstm_peephole": 1.0}).values()) == {REPRODUCED}
    wrong = runs(
        {("lstm_peephole", streams): HIGH, ("lstm_nfg", "adding"): HIGH, ("lstm_np", "adding"): HIGH}, {"lstm_nfg": 1}
    )
    assert wrong == {
        "nothing beats vanilla": PARTLY, "free": PARTLY, "critical": NOT_REPRODUCED,
        "adding needs no forgetting": NOT_REPRODUCED, "streams need forgetting": NOT_REPRODUCED,
        "streams, with a forget gate": NOT_REPRODUCED,
    }  # fmt: skip


def test_gru_mut_claims():
    module = BY["gru_mut"]

    def runs(bad):
        rows = []
        for name, task in itertools.product(module.NETWORKS, module.TASKS):
            row = {"network": name, "cell": module.NETWORKS[name][0], "task": task, "budget": module.SIZES[task][1]}
            rows += seeds(HIGH if name in bad else LOW, **row)
        return verdicts("gru_mut", rows)

    assert set(runs({"tanh", "LSTM, no forget gate"}).values()) == {REPRODUCED}
    assert set(runs({name for name in module.NETWORKS if name not in ("tanh", "LSTM", "GRU")})) >= {"mutants"}
    wrong = runs({"LSTM, bias 1", "MUT1", "MUT2", "MUT3"})
    assert (
        wrong["forget bias"] == wrong["forget gate"] == wrong["the gap is closed"] == wrong["mutants"] == NOT_REPRODUCED
    )


# ---- memorization, learning to execute ----


def test_memorization_claims():
    def runs(order):
        rows = []
        for rank, way in enumerate(order):
            values = [rank + 0.1 * r for r in range(5)]
            rows += seeds(values, way=way, length=6, hidden=48, cell="lstm")
        return verdicts("memorization", rows)

    assert set(runs(["both", "doubled", "reversed", "plain"]).values()) == {REPRODUCED}
    assert set(runs(["plain", "reversed", "doubled", "both"]).values()) == {NOT_REPRODUCED}


def test_errors_by_position_are_counted():
    """A network that always says 0 is wrong in nine digits of ten, wherever they stand."""
    task = tasks.get("memorization", "plain")
    network = Network.build("elman", 11, 11, 2, embedding="one_hot", seed=[0, 1])
    for value in network.parameters().values():
        value[...] = 0
    network.parts["readout"].params["bias"][:, 0] = 1
    rows = BY["memorization"]._positions(
        task, 4, Trained(network=network), [np.random.default_rng(r) for r in range(2)]
    )
    assert [(row["replica"], row["position"]) for row in rows] == list(itertools.product(range(2), range(4)))
    assert all(abs(row["error"] - 0.9) < 0.04 for row in rows)


def test_runs_of_carries():
    rng = np.random.default_rng(0)
    for a, b in [(99, 1), (0, 0), (55, 50), *rng.integers(0, 10_000, (300, 2)).tolist()]:
        carried = [a % 10**k + b % 10**k >= 10**k for k in range(1, 6)]  # a carry into place k
        runs = [len(list(run)) for yes, run in itertools.groupby(carried) if yes]
        assert BY["learning_to_execute"].carries(a, b) == max(runs, default=0)


def test_learning_to_execute_tells_where_sums_fail():
    """A network that always says 1: the first digit of a sum of three digits is 1 in all but one of 10,000 sums."""
    task = tasks.get("learning_to_execute", "addition")
    network = Network.build("elman", task.inputs, task.outputs, 2, embedding="one_hot", seed=[0])
    for value in network.parameters().values():
        value[...] = 0
    network.parts["readout"].params["bias"][:, task.alphabet.index("1")] = 1
    rows = pd.DataFrame(
        BY["learning_to_execute"]._failures(False, task, 2, Trained(network=network), [np.random.default_rng(0)])
    )
    places = rows[rows["kind"] == "place"].set_index("place")["error"]
    assert places[2] < 0.01 and places[0] == pytest.approx(0.9, abs=0.04)
    carried = rows[rows["kind"] == "carries"].set_index("carries")
    assert carried["count"].sum() == 1000 and (carried["error"] == 1).all()
    assert set(carried.index) == {0, 1, 2}
    assert 0 < rows.loc[rows["kind"] == "characters", "right"].item() < 0.4


def test_learning_to_execute_claims():
    def runs(combined, scrambled, carried, agree=200, characters=0.99):
        lstm = {"cell": "lstm", "digits": 2, "hidden": 64, "test_length": 2}
        rows = [{"kind": "executed", "programs": 200, "agree": agree}]
        for kind, values, strange in (
            ("baseline", LOW, False),
            ("combined", combined, False),
            ("baseline", scrambled, True),
        ):
            rows += seeds(values, curriculum=kind, scrambled=strange, **lstm)
        for replica, (n, error) in itertools.product(range(5), enumerate((0.1, *carried))):
            row = {"kind": "carries", "curriculum": "baseline", "carries": n, "error": error, "count": 10}
            rows.append(lstm | row | {"replica": replica, "scrambled": False})
        three = lstm | {"curriculum": "combined", "scrambled": False, "digits": 3, "test_length": 3}
        rows += seeds(HIGH, **three)  # which is no verdict on the curriculum
        rows += [three | {"kind": "characters", "replica": r, "right": characters} for r in range(5)]
        return verdicts("learning_to_execute", rows)

    right = runs(LOW, LOW, (0.5, 0.6))
    assert right.pop("nine digits") == NOT_YET_RUN and set(right.values()) == {REPRODUCED}
    wrong = runs(HIGH, HIGH, (0.05, 0.01), agree=199, characters=0.98)
    assert wrong.pop("nine digits") == NOT_YET_RUN and set(wrong.values()) == {NOT_REPRODUCED}

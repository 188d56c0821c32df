"""The experiments on text, pairs of sequences, memories and trees: settings, runs, claims on made-up frames."""

import importlib

import numpy as np
import pandas as pd
import pytest

from rnnbench import tasks
from rnnbench.layers.tree import balanced
from rnnbench.runner.claims import NOT_REPRODUCED, NOT_YET_RUN, REPRODUCED
from rnnbench.runner.settings import RESERVED

NAMES = ("char_lm", "fixed_window_lm", "seq2seq", "memory", "tree", "vector_to_sequence", "transduction")
EXPERIMENTS = {name: importlib.import_module(f"experiments.{name}") for name in NAMES}
every = pytest.mark.parametrize("name", NAMES)


def frame(rows=()):
    """Rows as the runner hands them to an experiment."""
    names = dict.fromkeys([*(key for row in rows for key in row), *RESERVED])
    return pd.DataFrame(list(rows), columns=list(names)).assign(status="ok", trial="one", seconds=1.0)


def verdicts(name, rows):
    return {claim.name: claim.verdict for claim in EXPERIMENTS[name].claims(frame(rows))}


# ---- settings and runs ----


def test_measured_depths_are_those_of_the_trees():
    rows = EXPERIMENTS["tree"].run({"part": "depth", "longest": 16}, np.random.default_rng(0))
    for row in rows:
        steps, node = row["length"], 0
        children, depth = balanced([steps])[:, 0].tolist(), 0
        while any(node in pair for pair in children):
            node = steps + next(k for k, pair in enumerate(children) if node in pair)
            depth += 1
        np.testing.assert_allclose(row["depth"], depth if row["model"] == "tree" else steps - 1, rtol=1e-6)
    assert [row["length"] for row in rows if row["model"] == "tree"] == [2, 4, 8, 16]


# ---- claims ----


def ends(setting, losses, **others):
    return [
        {"kind": "end", "replica": r, "outcome": "training", "loss": x} | setting | others for r, x in enumerate(losses)
    ]


LOW, HIGH = [0.25, 0.251, 0.252, 0.253, 0.254], [0.3, 0.31, 0.32, 0.33, 0.34]


def test_char_lm_ranks_and_bounds():
    module = EXPERIMENTS["char_lm"]
    rows = [{"kind": "naive", "loss": 1.1, "least_loss": 0.24, "text": "grammar", "cell": "lstm", "tanh_units": 100}]
    rows += [{"kind": "start", "loss": 1.0004}, {"kind": "start", "loss": 0.9999}]
    for text in ("grammar", "python"):
        for cell in module.CELLS:
            setting = {"text": text, "cell": cell, "tanh_units": 100, "clip": "value", "rate": module.CHOSEN[cell]}
            rows += ends(setting, HIGH if cell == "elman" else LOW, success=0.0)
    rows += ends({"text": "hello", "cell": "elman", "tanh_units": 8, "clip": "value", "rate": 0.1}, LOW, success=1.0)
    for clip, losses in (("none", HIGH), ("value", LOW), ("norm", HIGH)):
        rows += ends(
            {"text": "grammar", "cell": "elman", "tanh_units": 100, "clip": clip, "rate": 0.1}, losses, success=0
        )
    found = verdicts("char_lm", rows)
    assert found["hello"] == found["starting loss"] == found["LSTM near the entropy"] == REPRODUCED
    assert found["gates write better"] == found["clipping by value"] == REPRODUCED
    assert found["clipping by norm"] == NOT_REPRODUCED and found["temperature"] == NOT_YET_RUN
    assert found["between naive and entropy"] == REPRODUCED
    worse = [row | {"loss": 0.2} if row.get("cell") == "lstm" and row["kind"] == "end" else row for row in rows]
    assert verdicts("char_lm", worse)["between naive and entropy"] == "partly"


def test_fixed_window_lm_reads_counts_and_verbs():
    rows = []
    for order, (seen, size, loss) in enumerate([(1, 300, 4.2), (0.1, 9000, 3.7), (0.01, 30_000, 3.6)], 1):
        setting = {"model": "counted", "level": "words", "text": 50_000, "order": order}
        rows += ends(setting, [loss] * 5, seen=seen, parameters=size, unknown=0.0)
        rows += ends(setting | {"text": 1000}, [loss] * 5, seen=seen, parameters=9, unknown=0.1, unknown_expected=0.1)
    for cell, far in ((None, 2.0), ("lstm", 0.1)):
        setting = {
            "model": "recurrent" if cell else "window",
            "cell": cell,
            "level": "words",
            "steps": 800,
            "window": 4,
        }
        rows += ends(setting, HIGH if cell is None else LOW)
        rows += [{"kind": "verb", "replica": r, "gap": 5, "loss": far} | setting for r in range(5)]
    found = verdicts("fixed_window_lm", rows)
    for name in ("sparse", "large", "unknown words", "verb beyond the window, window", "verb beyond the window, lstm"):
        assert found[name] == REPRODUCED, name
    assert found["recurrence before window"] == REPRODUCED and found["sampled softmax"] == NOT_YET_RUN
    swapped = [row | {"loss": 2.0 - row["loss"]} if row["kind"] == "verb" else row for row in rows]
    assert verdicts("fixed_window_lm", swapped)["verb beyond the window, lstm"] == NOT_REPRODUCED


def test_seq2seq_ranks_the_arrangements():
    rows = []
    for name, losses, first in (("plain", HIGH, 10), ("reversed", LOW, 1), ("attention", [0.0] * 5, 10)):
        setting = {"arrangement": name, "cell": "lstm", "digits": 10, "steps": 1500}
        rows += [*ends(setting, losses), {"kind": "lag", "first": first, "mean": 10.0} | setting]
        slope = -0.01 if name == "attention" else -0.2
        rows += [{"kind": "gradient", "replica": r, "lag": lag, "log_norm": slope * lag + r / 99,
                  "own": lag == (1 if name == "reversed" else 20)} | setting
                 for r in range(5) for lag in range(1, 21)]  # fmt: skip
    assert set(verdicts("seq2seq", rows).values()) == {REPRODUCED}
    rows = [row | {"first": 2} if row["kind"] == "lag" else row for row in rows]
    assert verdicts("seq2seq", rows)["lags"] == NOT_REPRODUCED


def test_memory_reads_lengths_and_powers():
    module, rows = EXPERIMENTS["memory"], []
    for model in (*module.MACHINES, "lstm alone"):
        for test_length, good in ((10, 0.99), (20, 0.9)):
            setting = {"part": "copy", "model": model, "steps": 1000, "test_length": test_length, **module.SMALL}
            rows += ends(setting, [4.0] * 5 if "alone" in model else LOW, success=0.0 if "alone" in model else good)
    rows.append({"kind": "naive", "loss": 4.2, "bits": 6})
    for model in module.QUESTIONS:
        rows += ends(
            {"part": "facts", "model": model, "steps": 2000}, LOW, success=0.4 if model == "2 facts, 1 hop" else 1
        )
    for length in module.LENGTHS:
        for r in range(5):
            path = {"kind": "path", "part": "path", "replica": r, "length": length}
            rows.append(path | {"attention": "dot", "log_norm": -np.log10(length)})
            rows.append(path | {"attention": None, "log_norm": -0.1 * length})
    found = verdicts("memory", rows)
    assert found.pop("NTM copies, published size") == NOT_YET_RUN
    assert set(found.values()) == {REPRODUCED}


def test_machines_and_the_lstm_alone_have_as_many_parameters():
    module = EXPERIMENTS["memory"]
    counts = []
    for model in (*module.MACHINES, "lstm alone"):
        setting = next(s for s in module.sweep("quick", "cpu") if s.get("model") == model) | {"device": "reference"}
        network = module._builder(setting, tasks.get("copy_vectors", bits=setting["bits"]))([0])
        counts.append(sum(value.size for value in network.parameters().values()))
    assert max(counts) / min(counts) < 1.05


def test_tree_reads_depths():
    rows = [{"kind": "depth", "part": "depth", "model": "tree", "length": 256, "depth": 8.0}]
    rows += [{"kind": "depth", "part": "depth", "model": "chain", "length": 256, "depth": 254.0}]
    found = verdicts("tree", rows)
    assert found["depth of a tree"] == found["depth at the longest"] == REPRODUCED
    assert found["depth of a chain"] == NOT_REPRODUCED


def test_vector_to_sequence_ranks_the_ways():
    rows = []
    for length in (16, 32):
        for cell in ("elman", "lstm"):
            for way in ("input", "state", "both"):
                setting = {"cell": cell, "context": way, "length": length, "steps": 1500}
                rows += ends(setting, HIGH if way == "state" else LOW, success=1.0)
    assert set(verdicts("vector_to_sequence", rows).values()) == {REPRODUCED}


def test_transduction_tells_the_unseen_pair():
    module, rows = EXPERIMENTS["transduction"], []
    for name in module.ARRANGEMENTS:
        for pair in module.PAIRS:
            setting = {"arrangement": name, "pair": pair, "cell": "lstm", "steps": module.STEPS, "objects": 1}
            unseen = pair == module.UNSEEN
            rows += ends(setting, HIGH if unseen and name == "pairs" else LOW, success=0.0 if unseen else 1.0)
            rows += [{"kind": "place", "replica": 0, "place": 1, "loss": 0.1, "success": 0.99} | setting]
    found = verdicts("transduction", rows)
    assert found["trained pairs"] == found["ambiguity"] == found["languages into themselves"] == REPRODUCED
    assert found["never trained, pairs"] == found["never trained, and itself"] == NOT_REPRODUCED


@pytest.mark.parametrize(("arrangement", "first"), [("plain", 6), ("reversed", 1)])
def test_lags_are_counted_on_the_sequences(arrangement, first):
    module = EXPERIMENTS["seq2seq"]
    setting = {"cell": "lstm", "arrangement": arrangement, "digits": 6, "hidden": 4, "seeds": 0, "device": "cpu"}
    other = "plain" if arrangement == "reversed" else "reversed"
    for variant, wanted in ((arrangement, first), (other, 7 - first)):  # a task that is another one than it says
        task = tasks.get("memorization", variant)
        [row] = module._lags(task, None, setting, np.random.default_rng(0))
        assert row == {"kind": "lag", "first": wanted, "mean": 6.0}

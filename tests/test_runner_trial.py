"""One trial into one record, whatever happens inside."""

import math

import pytest
from toy_experiments import TOY, toy_trials, write_toy

from rnnbench.runner.frames import frame
from rnnbench.runner.record import validate
from rnnbench.runner.trial import code_hash, execute, lost


def first(folder, **overrides):
    return execute(toy_trials(write_toy(folder), **overrides)[0])


def test_a_good_trial(tmp_path):
    record = first(tmp_path)
    assert record["status"] == "ok" and record["error"] is None
    assert record["setting"] == {"rho": 0.5, "mode": "plain", "replica": 0}
    (block,) = record["rows"]
    assert block["norm"] == [1.0, 0.5, 0.25]
    assert "rho" not in block  # what the setting says isn't stored twice
    assert record["presets"] == ["smoke"] and record["seed"] == 0
    assert {"python", "numpy", "cpu", "threads", "simd_float32", "commit", "dirty", "options"} <= set(
        record["provenance"]
    )


@pytest.mark.parametrize(
    ("mode", "status", "kind"),
    [
        ("fail", "failed", "ValueError"),
        ("exit", "failed", "SystemExit"),
        ("diverge", "diverged", "Diverged"),
        ("overflow", "diverged", "FloatingPointError"),
    ],
)
def test_a_bad_end_is_a_status(tmp_path, mode, status, kind):
    record = first(tmp_path, mode=mode)
    validate(record)
    assert (record["status"], record["error"]["type"]) == (status, kind)
    assert kind in record["error"]["traceback"]


def test_a_diverged_trial_keeps_its_rows(tmp_path):
    df = frame([first(tmp_path, mode="diverge")], source="local", preset="smoke")
    assert df["norm"].tolist() == [math.inf] and df["status"].tolist() == ["diverged"]


def test_an_interrupt_is_no_result(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        first(tmp_path, mode="interrupt")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("None", "a NoneType, expected a list"),
        ("[{'rho': 7}]", "another value"),
        ("[{'status': 'ok'}]", "reserved"),
        ("[{'x': [1]}]", "expected a str, int, float, bool or None"),
        ("[{'device': 'cuda'}]", "another value"),
    ],
)
def test_bad_rows_make_a_failed_trial(tmp_path, rows, message):
    source = TOY.replace('    match setting["mode"]:', f'    return {rows}\n    match setting["mode"]:')
    record = execute(toy_trials(write_toy(tmp_path, source=source))[0])
    assert record["status"] == "failed" and message in record["error"]["message"]


def test_run_is_told_the_device(tmp_path):
    source = TOY.replace(
        '    match setting["mode"]:', '    return [{"told": setting["device"]}]\n    match setting["mode"]:'
    )
    assert execute(toy_trials(write_toy(tmp_path, source=source))[0])["rows"] == [{"told": ["cpu"]}]


def test_the_result_depends_on_neither_order_nor_subset(tmp_path):
    trials = toy_trials(write_toy(tmp_path), "quick")
    forward = {trial.key: execute(trial)["rows"] for trial in trials}
    backward = {trial.key: execute(trial)["rows"] for trial in reversed(trials)}
    alone = execute(toy_trials(tmp_path, "smoke")[0])
    assert forward == backward
    assert alone["rows"] == forward[toy_trials(tmp_path, "smoke")[0].key]
    assert len({rows[0]["noise"][0] for rows in forward.values()}) == len(trials)
    other_seed = toy_trials(tmp_path, "smoke", seed=1)[0]
    assert execute(other_seed)["rows"] != alone["rows"]


def test_a_lost_trial_is_a_valid_record(tmp_path):
    record = lost(toy_trials(write_toy(tmp_path))[0], "the worker died", 1.5)
    validate(record)
    assert record["status"] == "failed" and record["error"]["type"] == "WorkerDied"


def test_the_code_hash_follows_the_files(tmp_path):
    toy = toy_trials(write_toy(tmp_path))[0].experiment
    cell = tmp_path / "cell.py"
    cell.write_text("1")
    hashes = [code_hash(toy), code_hash(toy, (cell,))]
    cell.write_text("2")
    hashes.append(code_hash(toy, (cell,)))
    toy.path.write_text(TOY + "\n")
    hashes.append(code_hash(toy))
    assert len(set(hashes)) == 4
